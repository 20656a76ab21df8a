// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sodium.h>
#include <sys/stat.h>
#include "config/keyfile.h"
#include "config/private.h"

#define FILE_MAX_SIZE 4096
#define KEYGEN	      "make a key with \"xraft keygen FILE\""

void xr_keyfile_forget(struct xr_keyfile *k)
{
	sodium_memzero(k, sizeof(*k));
}

void xr_secret_derive(const struct xr_secret *s, const char *cluster, struct xr_key *key)
{
	char info[64];
	int len = snprintf(info, sizeof(info), "xraft wire 1%s", cluster);

	crypto_generichash((uint8_t *)&key->sip, sizeof(key->sip), (uint8_t *)info, (size_t)len,
			   s->bytes, sizeof(s->bytes));
	key->used = 1;
	key->id = s->id;
}

/* The other parity, since a node keeps a key in the slot of its id's lowest bit. */
uint8_t xr_keyfile_add(struct xr_keyfile *k)
{
	struct xr_secret *s = &k->secrets[k->n ? 1 : 0];

	if (k->n == 0)
		s->id = 1;
	else
		s->id = k->n == 2 ? s->id + 2 : k->secrets[0].id + 1;
	randombytes_buf(s->bytes, sizeof(s->bytes));
	k->n = k->n ? 2 : 1;
	return s->id;
}

/*
 * ---- reading ----
 */
int xr_keyfile_open(const char *path, struct xr_why *why)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	int err;

	if (fd < 0 && errno == ENOENT)
		return xr_fail(why, -ENOENT,
			       "there is no key file %s; make one with \"xraft keygen %s\"", path,
			       path);
	if (fd < 0 || fstat(fd, &st))
		return xr_fail(why, -errno,
			       "the key file %s cannot be opened (%m); check its path and owner",
			       path);
	if (!S_ISREG(st.st_mode))
		return xr_fail(why, -EINVAL,
			       "the key file %s is no regular file; name the file itself", path);
	if (st.st_mode & 077)
		return xr_fail(why, -EPERM,
			       "the key file %s is open to others (mode %03o); chmod 600 %s", path,
			       st.st_mode & 0777, path);
	err = xr_own_file(fd, path, why);
	if (err)
		return err;
	if (st.st_size >= FILE_MAX_SIZE)
		return xr_fail(why, -EFBIG,
			       "the key file %s has more than %d bytes; is it the right file", path,
			       FILE_MAX_SIZE);
	return xr_steal_fd(&fd);
}

/* "ID HEX", and perhaps a comment. */
static bool split_line(const char *s, struct xr_secret *secret)
{
	const char *end;
	uint32_t id;
	size_t len;

	if (!xr_scan_number(&s, UINT8_MAX, &id) || xr_scan_blanks(s) == s)
		return false;
	secret->id = (uint8_t)id;
	s = xr_scan_blanks(s);
	if (sodium_hex2bin(secret->bytes, sizeof(secret->bytes), s, strlen(s), NULL, &len, &end) ||
	    len != sizeof(secret->bytes))
		return false;
	end = xr_scan_blanks(end);
	return !*end || *end == '#';
}

/* What is wrong with a line, and what to do; NULL: nothing. */
static const char *read_line(struct xr_keyfile *k, const char *s)
{
	struct xr_secret *secret = &k->secrets[k->n];

	if (k->n == 2)
		return "this is a third key; keep the one to send with and one other";
	if (!split_line(s, secret))
		return "this is not an id from 0 to 255 and 64 hex digits; " KEYGEN;
	if (sodium_is_zero(secret->bytes, sizeof(secret->bytes)))
		return "a key of zeros is no secret; " KEYGEN;
	k->n++;
	return NULL;
}

static int read_text(struct xr_keyfile *k, char *text, const char *path, struct xr_why *why)
{
	unsigned int number = 0, id[2];
	const char *wrong = NULL;
	char *line;

	while (!wrong && (line = strsep(&text, "\n"))) {
		const char *s = xr_scan_blanks(line);

		number++;
		if (*s && *s != '#')
			wrong = read_line(k, s);
		id[0] = k->secrets[0].id;
		id[1] = k->secrets[1].id;
		if (!wrong && k->n == 2 && (id[0] & 1) == (id[1] & 1))
			return xr_fail(why, -EINVAL,
				       "%s:%u: the ids %u and %u are both %s; make one key's id "
				       "odd and the other's even",
				       path, number, id[0], id[1], id[1] & 1 ? "odd" : "even");
	}
	if (!wrong && !k->n)
		wrong = "the file holds no key; make one with \"xraft keygen FILE\"";
	return wrong ? xr_fail(why, -EINVAL, "%s:%u: %s", path, number, wrong) : 0;
}

/* By read() into one buffer that is wiped: stdio would leave copies of the secrets behind. */
int xr_keyfile_read(struct xr_keyfile *k, int fd, const char *path, struct xr_why *why)
{
	char text[FILE_MAX_SIZE];
	ssize_t len = read(fd, text, sizeof(text) - 1);
	int err;

	*k = (struct xr_keyfile){0};
	if (len < 0)
		return xr_fail(why, -EINVAL, "%s:1: the file cannot be read (%m); check the disk",
			       path);
	text[len] = 0;
	err = read_text(k, text, path, why);
	sodium_memzero(text, sizeof(text));
	return err;
}

/*
 * ---- writing ----
 */
static int write_text(int fd, const struct xr_keyfile *k)
{
	char text[512], hex[2 * sizeof(k->secrets[0].bytes) + 1];
	int len = snprintf(text, sizeof(text),
			   "# xraft keys, \"ID HEX\": the first is sent with, all are accepted.\n"
			   "# Rotate with xraft keygen --add and --use.\n");
	ssize_t done;

	for (int i = 0; i < k->n; i++) {
		const struct xr_secret *s = &k->secrets[i];

		sodium_bin2hex(hex, sizeof(hex), s->bytes, sizeof(s->bytes));
		len += snprintf(text + len, sizeof(text) - (size_t)len, "%u %s\n", s->id, hex);
	}
	done = write(fd, text, (size_t)len);
	sodium_memzero(text, sizeof(text));
	sodium_memzero(hex, sizeof(hex));
	if (done != len)
		return done < 0 ? -errno : -ENOSPC;
	return fsync(fd) ? -errno : 0;
}

static int sync_folder(const char *path)
{
	char copy[PATH_MAX];
	_cleanup_fd_ int fd = -1;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) ? -errno : 0;
}

int xr_keyfile_create(const struct xr_keyfile *k, const char *path, struct xr_why *why)
{
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int err;

	if (fd < 0 && errno == EEXIST)
		return xr_fail(why, -EEXIST,
			       "%s: is there already and is not overwritten; --add FILE rotates "
			       "its key, another name makes another",
			       path);
	if (fd < 0)
		return xr_fail(why, -errno, "%s: cannot be made (%m); check its folder", path);
	err = fchmod(fd, 0600) ? -errno : write_text(fd, k);
	if (!err)
		err = sync_folder(path);
	if (!err)
		return 0;
	unlink(path);
	return xr_fail(why, err, "%s: cannot be written (%s); nothing was left there", path,
		       strerror(-err));
}

int xr_keyfile_replace(const struct xr_keyfile *k, const char *path, struct xr_why *why)
{
	char temp[PATH_MAX];
	_cleanup_fd_ int fd = -1;
	struct stat old;
	int err;

	if ((size_t)snprintf(temp, sizeof(temp), "%s.XXXXXX", path) >= sizeof(temp))
		return xr_fail(why, -ENAMETOOLONG, "%s: the path is too long; name it from nearer",
			       path);
	fd = stat(path, &old) ? -1 : mkostemp(temp, O_CLOEXEC); /* mode 0600 */
	if (fd < 0)
		return xr_fail(why, -errno,
			       "%s: no file can be made beside it (%m); check the folder", path);
	err = fchown(fd, old.st_uid, old.st_gid) && errno != EPERM ? -errno : write_text(fd, k);
	if (!err && rename(temp, path))
		err = -errno;
	if (err) {
		unlink(temp);
		return xr_fail(why, err, "%s: cannot be replaced (%s); it is as it was", path,
			       strerror(-err));
	}
	err = sync_folder(path);
	if (err)
		return xr_fail(why, err, "%s: is replaced, but may not survive a power cut: %s",
			       path, strerror(-err));
	return 0;
}
