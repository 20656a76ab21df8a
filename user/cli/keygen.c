// SPDX-License-Identifier: GPL-2.0-only
#include <getopt.h>
#include <sodium.h>
#include <string.h>

#include "cli/cli.h"
#include "config/keyfile.h"

#define _cleanup_keys_ __attribute__((cleanup(xr_keyfile_forget)))

static int failed(const struct xr_why *why)
{
	return cli_fail(CLI_FAILED, "%s", why->text);
}

static int read_keys(const char *path, struct xr_keyfile *k, struct xr_why *why)
{
	_cleanup_fd_ int fd = xr_keyfile_open(path, why);

	return fd < 0 ? fd : xr_keyfile_read(k, fd, path, why);
}

static int keygen_new(const char *path)
{
	_cleanup_keys_ struct xr_keyfile k = {0};
	struct xr_why why = {""};

	xr_keyfile_add(&k);
	if (xr_keyfile_create(&k, path, &why))
		return failed(&why);
	printf("%s: a new key, id 1. Copy the file to every node of the cluster, mode 0600.\n",
	       path);
	return CLI_OK;
}

static int keygen_add(const char *path)
{
	_cleanup_keys_ struct xr_keyfile k = {0};
	struct xr_why why = {""};
	unsigned int id;

	if (read_keys(path, &k, &why))
		return failed(&why);
	id = xr_keyfile_add(&k);
	if (xr_keyfile_replace(&k, path, &why))
		return failed(&why);
	printf("%s: a second key, id %u; it is accepted, and %u is still the one sent with. Copy "
	       "the file to every\nnode and reload each (SIGHUP); then xraft keygen --use.\n",
	       path, id, k.secrets[0].id);
	return CLI_OK;
}

static int keygen_use(const char *path)
{
	_cleanup_keys_ struct xr_keyfile k = {0}, swapped = {.n = 2};
	struct xr_why why = {""};

	if (read_keys(path, &k, &why))
		return failed(&why);
	if (k.n != 2)
		return cli_fail(CLI_FAILED, "%s: holds no second key; xraft keygen --add first",
				path);
	swapped.secrets[0] = k.secrets[1];
	swapped.secrets[1] = k.secrets[0];
	if (xr_keyfile_replace(&swapped, path, &why))
		return failed(&why);
	printf("%s: key %u is sent with now, and %u still accepted. Copy the file to every node "
	       "and reload each (SIGHUP).\n",
	       path, swapped.secrets[0].id, swapped.secrets[1].id);
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
