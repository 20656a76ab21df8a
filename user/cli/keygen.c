/* SPDX-License-Identifier: GPL-2.0-only */
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"

#define KEY_BYTES 32
#define HEX_SIZE  (2 * KEY_BYTES + 1)
#define FILE_MAX  4096

struct key {
	unsigned int id;
	char hex[HEX_SIZE];
};

struct keys {
	struct key key[2]; /* [0] is sent with */
	int n;
};

static void forget(struct keys *k)
{
	sodium_memzero(k, sizeof(*k));
}

static void make_key(struct key *key, unsigned int id)
{
	unsigned char secret[KEY_BYTES];

	randombytes_buf(secret, sizeof(secret));
	sodium_bin2hex(key->hex, sizeof(key->hex), secret, sizeof(secret));
	sodium_memzero(secret, sizeof(secret));
	key->id = id;
}

/*
 * ---- the file ----
 */

/* The message holds nothing of the key. */
static int parse_line(char *line, int number, const char *path, struct keys *k)
{
	unsigned char secret[KEY_BYTES];
	struct key *key = &k->key[k->n];
	size_t len;
	int used = 0;

	line[strcspn(line, "#\r")] = '\0';
	if (line[strspn(line, " \t")] == '\0')
		return 0;
	if (k->n == 2)
		return cli_fail(-1, "%s:%d: is a third key; a file holds two at most", path,
				number);
	if (sscanf(line, "%3u %64[0-9a-fA-F] %n", &key->id, key->hex, &used) != 2 || line[used] ||
	    key->id > 255 || strlen(key->hex) != HEX_SIZE - 1 ||
	    sodium_hex2bin(secret, sizeof(secret), key->hex, HEX_SIZE - 1, NULL, &len, NULL))
		return cli_fail(-1,
				"%s:%d: is not \"ID HEX\" with 64 hex digits; is it a key file?",
				path, number);
	sodium_memzero(secret, sizeof(secret));
	k->n++;
	return 0;
}

static int read_keys(const char *path, struct keys *k, struct stat *st)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char text[FILE_MAX], *rest = text, *line;
	ssize_t len;
	int err = 0, number = 0;

	if (fd < 0 || fstat(fd, st))
		return cli_fail(-1, "%s: cannot be opened: %s; xraft keygen %s makes a new one",
				path, strerror(errno), path);
	len = S_ISREG(st->st_mode) ? read(fd, text, sizeof(text) - 1) : -1;
	if (len < 0)
		return cli_fail(-1, "%s: cannot be read as a key file", path);
	text[len] = '\0';
	while (!err && (line = strsep(&rest, "\n")))
		err = parse_line(line, ++number, path, k);
	sodium_memzero(text, sizeof(text));
	if (!err && k->n == 0)
		return cli_fail(-1, "%s: holds no key; remove it and run xraft keygen %s", path,
				path);
	return err;
}

static int write_keys(int fd, const struct keys *k)
{
	char text[512];
	int len = snprintf(text, sizeof(text),
			   "# xraft keys, \"ID HEX\": the first is sent with, all are accepted.\n"
			   "# Rotate with xraft keygen --add and --use.\n");
	ssize_t done;

	for (int i = 0; i < k->n; i++)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "%u %s\n", k->key[i].id,
				k->key[i].hex);
	done = write(fd, text, (size_t)len);
	sodium_memzero(text, sizeof(text));
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

static int create_file(const char *path, const struct keys *k)
{
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int err;

	if (fd < 0 && errno == EEXIST)
		return cli_fail(
			-1,
			"%s: is there already and is not overwritten; --add FILE rotates its "
			"key, another name makes another",
			path);
	if (fd < 0)
		return cli_fail(-1, "%s: cannot be made: %s; check its folder", path,
				strerror(errno));
	err = fchmod(fd, 0600) ? -errno : write_keys(fd, k);
	if (!err)
		err = sync_folder(path);
	if (!err)
		return 0;
	unlink(path);
	return cli_fail(-1, "%s: cannot be written: %s; nothing was left there", path,
			strerror(-err));
}

/* A reader finds the old file or the new one, whole. */
static int replace_file(const char *path, const struct keys *k, const struct stat *old)
{
	char temp[PATH_MAX];
	_cleanup_fd_ int fd = -1;
	int err;

	if ((size_t)snprintf(temp, sizeof(temp), "%s.XXXXXX", path) >= sizeof(temp))
		return cli_fail(-1, "%s: the path is too long", path);
	fd = mkostemp(temp, O_CLOEXEC); /* mode 0600 */
	if (fd < 0)
		return cli_fail(-1, "%s: no file can be made beside it: %s", path, strerror(errno));
	err = fchown(fd, old->st_uid, old->st_gid) && errno != EPERM ? -errno : write_keys(fd, k);
	if (!err && rename(temp, path))
		err = -errno;
	if (err) {
		unlink(temp);
		return cli_fail(-1, "%s: cannot be replaced: %s; it is as it was", path,
				strerror(-err));
	}
	err = sync_folder(path);
	if (err)
		return cli_fail(-1, "%s: is replaced, but may not survive a power cut: %s", path,
				strerror(-err));
	return 0;
}

/*
 * ---- what to do ----
 */
static int keygen_new(const char *path)
{
	__attribute__((cleanup(forget))) struct keys k = {.n = 1};

	make_key(&k.key[0], 1);
	if (create_file(path, &k))
		return CLI_FAILED;
	printf("%s: a new key, id 1. Copy the file to every node of the cluster, mode 0600.\n",
	       path);
	return CLI_OK;
}

/* The other parity, since a node keeps a key in the slot of its id's lowest bit. */
static int keygen_add(const char *path)
{
	__attribute__((cleanup(forget))) struct keys k = {0};
	struct stat st;
	unsigned int id;

	if (read_keys(path, &k, &st))
		return CLI_FAILED;
	id = (k.n == 2 ? k.key[1].id + 2 : k.key[0].id + 1) & 0xff;
	make_key(&k.key[1], id);
	k.n = 2;
	if (replace_file(path, &k, &st))
		return CLI_FAILED;
	printf("%s: a second key, id %u; it is accepted, and %u is still the one sent with. Copy "
	       "the file to every\nnode and reload each (SIGHUP); then xraft keygen --use.\n",
	       path, id, k.key[0].id);
	return CLI_OK;
}

static int keygen_use(const char *path)
{
	__attribute__((cleanup(forget))) struct keys k = {0}, swapped = {.n = 2};
	struct stat st;

	if (read_keys(path, &k, &st))
		return CLI_FAILED;
	if (k.n != 2)
		return cli_fail(CLI_FAILED, "%s: holds no second key; xraft keygen --add first",
				path);
	swapped.key[0] = k.key[1];
	swapped.key[1] = k.key[0];
	if (replace_file(path, &swapped, &st))
		return CLI_FAILED;
	printf("%s: key %u is sent with now, and %u still accepted. Copy the file to every node "
	       "and reload each (SIGHUP).\n",
	       path, swapped.key[0].id, swapped.key[1].id);
	return CLI_OK;
}

int cli_keygen(const struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		{"add", no_argument, NULL, 'a'},
		{"use", no_argument, NULL, 'u'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int (*run)(const char *path) = keygen_new;
	int c;

	(void)cli;
	while ((c = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (c == 'h')
			return cli_help("keygen");
		if (c != 'a' && c != 'u')
			return cli_usage("keygen", "there is no option %s", argv[optind - 1]);
		if (run != keygen_new)
			return cli_usage("keygen", "one of --add and --use at a time");
		run = c == 'a' ? keygen_add : keygen_use;
	}
	if (argc - optind != 1)
		return cli_usage("keygen", "name one FILE");
	if (sodium_init() < 0)
		return cli_fail(CLI_FAILED, "libsodium finds no source of random numbers");
	return run(argv[optind]);
}
