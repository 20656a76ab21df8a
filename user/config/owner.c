// SPDX-License-Identifier: GPL-2.0-only
/* Whom a file obeys besides root. */
#include <libgen.h>
#include <pwd.h>
#include <sys/stat.h>
#include "config/private.h"

/* Where a file's folder is open to all, another can be put in its place. */
static int check_folder(const char *path, struct xr_why *why)
{
	_cleanup_free_ char *real = realpath(path, NULL);
	const char *folder = real ? dirname(real) : NULL;
	struct stat st;

	if (!folder || stat(folder, &st) || !(st.st_mode & S_IWOTH) || st.st_mode & S_ISVTX)
		return 0;
	return xr_fail(
		why, -EPERM,
		"%.120s: anyone can put another file in its place, and root reads it (mode %03o "
		"of the folder); chmod o-w %.120s",
		path, st.st_mode & 0777, folder);
}

int xr_own_file(int fd, const char *path, struct xr_why *why)
{
	const struct passwd *owner;
	struct stat st;

	if (geteuid() || fstat(fd, &st) || !S_ISREG(st.st_mode))
		return 0;
	if (st.st_uid) {
		owner = getpwuid(st.st_uid);
		return xr_fail(
			why, -EPERM,
			"%.120s: user %.40s can change it, and root reads it; chown root %.120s",
			path, owner ? owner->pw_name : "(without a name)", path);
	}
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return xr_fail(
			why, -EPERM,
			"%.120s: %s can change it, and root reads it (mode %03o); chmod go-w "
			"%.120s",
			path, st.st_mode & S_IWOTH ? "anyone" : "its group", st.st_mode & 0777,
			path);
	return check_folder(path, why);
}
