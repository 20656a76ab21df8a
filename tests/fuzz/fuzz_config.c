// SPDX-License-Identifier: GPL-2.0-only
/*
 * The configuration file and the key file. Up to the first byte 0xff the input is the one, after
 * it the other; a configuration names the key file as /proc/self/fd/200.
 */
#include <sodium.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "config/config.h"
#include "fuzz.h"

#define KEY_FD	  200
#define CONFIG_FD 201
#define PATH	  "/proc/self/fd/201"

static void put(int fd, const uint8_t *data, size_t size)
{
	must(!ftruncate(fd, 0) && pwrite(fd, data, size, 0) == (ssize_t)size, "no room: %m");
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	for (int fd = KEY_FD; fd <= CONFIG_FD; fd++) {
		int made = memfd_create("fuzz", MFD_CLOEXEC);

		must(made >= 0 && dup2(made, fd) == fd && !fchmod(fd, 0600), "no memfd: %m");
		close(made);
	}
	return 0;
}

/* Nothing of a key appears in a message, unless the configuration shows it already. */
static void check_secret(const char *text, const uint8_t *config, size_t shown, const uint8_t *key,
			 size_t size)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	size_t len = strlen(text), run = 0;

	for (size_t i = 0; i < size; i++) {
		run = key[i] && strchr(digits, key[i]) ? run + 1 : 0;
		must(run < 16 || memmem(config, shown, key + i - 15, 16) ||
			     !memmem(text, len, key + i - 15, 16),
		     "a key in: %s", text);
	}
}

/* "FILE:LINE: sentence", of either file; a key file with an endless name leaves it no room. */
static bool has_place(const char *text)
{
	int line, end = 0;

	if (!strncmp(text, PATH ":", sizeof(PATH)))
		return sscanf(text + sizeof(PATH), "%d: %n", &line, &end) == 1 && end;
	for (const char *at = strchr(text, ':'); at; at = strchr(at + 1, ':'))
		if (sscanf(at, ":%d: %n", &line, &end) == 1 && end && at[end])
			return text[0] == '/';
	return strlen(text) == sizeof(((struct xr_why *)0)->text) - 1;
}

static void check_refused(const struct xr_config *c, int err, const struct xr_why *why)
{
	must(err < 0, "an error is negative, not %d", err);
	must(has_place(why->text), "no place in: %s", why->text);
	must(!c->groups && sodium_is_zero((const uint8_t *)c, sizeof(*c)), "something is left");
}

static void check_name(const char *name)
{
	size_t len = strnlen(name, XR_NAME_SIZE);

	must(len > 0 && len < XR_NAME_SIZE, "a name of %zu characters", len);
	must(!strpbrk(name, " ./\\\"%\n"), "the name %s", name);
}

static void check_keys(const struct xr_config *c)
{
	must(c->nkeys >= 1 && c->nkeys <= 2, "%d keys", c->nkeys);
	for (int i = 0; i < c->nkeys; i++)
		must(c->keys[i].used, "an unused key");
	must(c->nkeys == 1 || (c->keys[0].id ^ c->keys[1].id) & 1, "keys of one slot");
	must(c->auth_none == !c->key_file[0], "a key or none");
}

static void check_groups(const struct xr_config *c)
{
	uint32_t nodes = 0;

	for (int i = 1; i <= XR_NODE_MAX; i++)
		nodes |= (uint32_t)c->nodes[i].used << i;
	must(c->self >= 1 && c->self <= XR_NODE_MAX && nodes >> c->self & 1, "node %d", c->self);
	must(c->ngroups && c->groups, "no groups");
	for (size_t i = 0; i < c->ngroups; i++) {
		const struct xr_config_group *g = &c->groups[i];

		check_name(g->name);
		must(g->id >= 1 && g->id < XR_GROUPS_MAX, "group id %u", g->id);
		must(!i || g[-1].id < g->id, "group ids %u, %u", g[-1].id, g->id);
		must(g->voters && !(g->voters & ~nodes), "voters %x of %x", g->voters, nodes);
		must(g->digest && g->digest == xr_config_digest(g->name, g->voters), "digest");
	}
}

static void check_accepted(const struct xr_config *c)
{
	check_name(c->cluster);
	check_keys(c);
	check_groups(c);
	must(c->min_timeout_us >= 2000 && c->min_timeout_us < c->max_timeout_us, "timing");
	must(c->stall_limit_us >= c->min_timeout_us, "stall limit");
	must(c->max_timeout_us <= 600000000 && c->stall_limit_us <= 600000000, "timing");
	must(c->heartbeat_us >= 100 && 3ull * c->heartbeat_us <= 2ull * c->min_timeout_us,
	     "heartbeat");
	must(c->drift_permille <= 500 && c->realtime >= 0 && c->realtime <= 98, "rates");
	must(c->state_dir[0] == '/' && c->socket[0] == '/', "paths");
	must(c->interface[0] || c->xdp == XR_XDP_OFF, "no interface");
	must(c->xdp <= XR_XDP_OFF, "xdp");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *split = size ? memchr(data, 0xff, size) : NULL;
	size_t config = split ? (size_t)(split - data) : size;
	size_t key = split ? size - config - 1 : 0;
	struct xr_why why = {""};
	static struct xr_config c;
	int err;

	put(CONFIG_FD, data, config);
	put(KEY_FD, split ? split + 1 : data, key);
	memset(&c, 0xa5, sizeof(c));
	err = xr_config_read(&c, PATH, &why);
	if (err) {
		check_refused(&c, err, &why);
		if (key)
			check_secret(why.text, data, config, split + 1, key);
		return 0;
	}
	check_accepted(&c);
	xr_config_free(&c);
	return 0;
}
