// SPDX-License-Identifier: GPL-2.0-only
/* User, state folder, the socket's folder. */
#include <dirent.h>
#include <grp.h>
#include <linux/magic.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include "machine/machine.h"

#define JOURNAL "journal"

int xr_machine_user(struct xr_user *user, const char *name, struct xr_why *why)
{
	const struct passwd *p = geteuid() ? getpwuid(geteuid())
					   : getpwnam(name[0] ? name : "xraft");

	*user = (struct xr_user){.uid = geteuid(), .gid = getegid()};
	if (!p && geteuid())
		return 0;
	if (!p)
		return xr_fail(why, -ENOENT,
			       "there is no user %s, whom the engine becomes and to whom the votes "
			       "belong; make it: useradd --system --no-create-home --shell "
			       "/usr/sbin/nologin %s%s",
			       name[0] ? name : "xraft", name[0] ? name : "xraft",
			       name[0] ? ", or correct [self] user"
				       : ", or set [self] user to one that there is");
	*user = (struct xr_user){.uid = p->pw_uid, .gid = p->pw_gid};
	snprintf(user->name, sizeof(user->name), "%s", p->pw_name);
	return 0;
}

int xr_machine_readers(uint32_t *gid, const char *name, struct xr_why *why)
{
	const struct group *g = geteuid() ? NULL : getgrnam(name[0] ? name : "xraft");

	*gid = g ? g->gr_gid : 0;
	if (g || geteuid() || !name[0])
		return 0;
	return xr_fail(why, -ENOENT,
		       "there is no group %s, whose members may read what this node knows; make "
		       "it: groupadd --system %s, or correct [self] group",
		       name, name);
}

/* The folder above, as dirname(). */
static void folder_of(const char *path, char folder[PATH_MAX])
{
	char *slash;

	snprintf(folder, PATH_MAX, "%s", path);
	for (size_t len = strlen(folder); len > 1 && folder[len - 1] == '/';)
		folder[--len] = '\0';
	slash = strrchr(folder, '/');
	slash[slash == folder] = '\0';
}

static bool is_folder(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* A start makes a folder and the one above it, but not more: that might be an unmounted disk's. */
static bool can_be_made(const char *about, const char *path, struct xr_findings *f)
{
	char above[PATH_MAX], top[PATH_MAX];
	struct stat st;

	folder_of(path, above);
	folder_of(above, top);
	if (!is_folder(above) && !is_folder(top)) {
		xr_find(f, XR_WRONG, about,
			"%.120s cannot be made, since there is no %.120s; is a disk to be mounted "
			"there? Else: install -d -m 0755 %.120s",
			path, top, above);
		return false;
	}
	if (!stat(above, &st) && !S_ISDIR(st.st_mode)) {
		xr_find(f, XR_WRONG, about, "%.150s is no folder; move it away, or set %s", above,
			about);
		return false;
	}
	return true;
}

/*
 * ---- state ----
 */

/* What `state` would make its own: a folder that others use, such as /etc, is not given away. */
static bool is_used_by_others(const char *dir, char name[64])
{
	static const char *const known[] = {".", "..", "lost+found", "lock", "journal.new"};
	DIR *folder = opendir(dir);
	const struct dirent *entry;
	bool used = false;

	while (!used && folder && (entry = readdir(folder))) {
		used = true;
		for (size_t i = 0; i < ARRAY_SIZE(known); i++)
			used &= strcmp(entry->d_name, known[i]) != 0;
		snprintf(name, 64, "%.63s", entry->d_name);
	}
	if (folder)
		closedir(folder);
	return used;
}

/* `needed`: bytes, 0 where the journal is there already. */
static void look_at_medium(const char *dir, uint64_t needed, struct xr_findings *f)
{
	static const struct {
		uint32_t magic;
		const char *what;
	} forgetful[] = {
		{TMPFS_MAGIC, "is in memory (tmpfs), and the votes in it do not survive a reboot"},
		{RAMFS_MAGIC, "is in memory (ramfs), and the votes in it do not survive a reboot"},
		{OVERLAYFS_SUPER_MAGIC,
		 "is a layer of a container (overlayfs), and the votes in it "
		 "end with the container"},
		{NFS_SUPER_MAGIC, "is on another machine (nfs), and each vote waits for it"},
		{CIFS_SUPER_MAGIC, "is on another machine (cifs), and each vote waits for it"},
		{SMB2_SUPER_MAGIC, "is on another machine (smb), and each vote waits for it"},
		{CEPH_SUPER_MAGIC, "is on other machines (ceph), and each vote waits for them"},
		{V9FS_MAGIC, "is the host's (9p), and what is written may not be durable"},
		{FUSE_SUPER_MAGIC, "is a program's (fuse), and what is written may not be durable"},
	};
	struct statvfs room;
	struct statfs fs;

	if (statfs(dir, &fs) || statvfs(dir, &room))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(forgetful); i++)
		if ((uint32_t)fs.f_type == forgetful[i].magic)
			xr_find(f, XR_UNWISE, "state",
				"%.150s %s; set state to a folder on a disk of this machine", dir,
				forgetful[i].what);
	if (room.f_flag & ST_RDONLY)
		xr_find(f, XR_WRONG, "state",
			"%.150s is read-only; mount -o remount,rw it, or set state to another "
			"folder",
			dir);
	else if ((uint64_t)room.f_bfree * room.f_frsize < needed)
		xr_find(f, XR_WRONG, "state",
			"%.150s has not enough space: %llu kB are free, and the journal takes up "
			"to %llu; "
			"free some, or set state to a folder on another disk",
			dir, (unsigned long long)room.f_bfree * room.f_frsize / 1024,
			(unsigned long long)needed / 1024);
}

/* It is there. */
static void look_at_folder(const struct xr_config *c, const struct stat *st, struct xr_findings *f)
{
	char journal[PATH_MAX + 16], other[64];
	const char *dir = c->state_dir;
	bool fresh;

	if (!S_ISDIR(st->st_mode)) {
		xr_find(f, XR_WRONG, "state", "%.150s is no folder; move it away, or set state",
			dir);
		return;
	}
	if (st->st_mode & (S_IWGRP | S_IWOTH) && !geteuid())
		xr_find(f, XR_WRONG, "state",
			"%.150s can be written by others (mode %03o), who could put another's "
			"votes "
			"there; chmod go-w %.150s",
			dir, st->st_mode & 0777, dir);
	if (geteuid() && access(dir, R_OK | W_OK | X_OK))
		xr_find(f, XR_WRONG, "state",
			"%.150s cannot be used by whoever runs this (%m); run as root, or give it "
			"to "
			"this user with chown",
			dir);
	snprintf(journal, sizeof(journal), "%s/" JOURNAL, dir);
	fresh = access(journal, F_OK) && errno == ENOENT;
	if (fresh && is_used_by_others(dir, other))
		xr_find(f, XR_WRONG, "state",
			"%.150s holds %s and no state of xraft: it is somebody else's; set state "
			"to a "
			"folder of its own",
			dir, other);
	look_at_medium(dir, fresh ? xr_machine_journal_bytes(c) : 0, f);
}

static void look_at_state(const struct xr_config *c, enum xr_occasion when, struct xr_findings *f)
{
	char above[PATH_MAX], top[PATH_MAX];
	const char *dir = c->state_dir;
	struct stat st;

	if (!stat(dir, &st)) {
		look_at_folder(c, &st, f);
		return;
	}
	/* Without --new the start says what it misses, and that is more than a folder. */
	if (when == XR_OCCASION_START || !can_be_made("state", dir, f))
		return;
	folder_of(dir, above);
	folder_of(above, top);
	look_at_medium(is_folder(above) ? above : top, xr_machine_journal_bytes(c), f);
}

/* systemd mounts it for root alone. */
static void look_at_readers(const struct xr_config *c, struct xr_findings *f)
{
	const char *name = c->group[0] ? c->group : "xraft";
	struct xr_why why;
	struct statfs fs;
	struct stat st;
	uint32_t gid;

	if (xr_machine_readers(&gid, c->group, &why))
		xr_find(f, XR_WRONG, "group", "%s", why.text);
	if (!gid || statfs("/sys/fs/bpf", &fs) || fs.f_type != BPF_FS_MAGIC ||
	    stat("/sys/fs/bpf", &st))
		return;
	if (!(st.st_mode & S_IXOTH) && !(st.st_mode & S_IXGRP && st.st_gid == gid))
		xr_find(f, XR_UNWISE, "group",
			"members of group %s cannot pass /sys/fs/bpf (mode %03o), so only root "
			"can read this node's maps; chgrp %s /sys/fs/bpf && chmod 0710 "
			"/sys/fs/bpf, at each boot (tmpfiles.d/xraft.conf does it)",
			name, st.st_mode & 0777, name);
}

void xr_machine_folders(const struct xr_config *c, enum xr_occasion when, struct xr_findings *f)
{
	struct xr_user user;
	struct xr_why why;
	char folder[PATH_MAX];
	struct stat st;

	if (xr_machine_user(&user, c->user, &why))
		xr_find(f, XR_WRONG, "user", "%s", why.text);
	look_at_readers(c, f);
	look_at_state(c, when, f);
	folder_of(c->socket, folder);
	if (!lstat(c->socket, &st) && !S_ISSOCK(st.st_mode))
		xr_find(f, XR_WRONG, "socket",
			"%s: is there already and no socket; move it away, or set socket = to "
			"another path",
			c->socket);
	else if (!is_folder(folder))
		can_be_made("socket", c->socket, f);
}
