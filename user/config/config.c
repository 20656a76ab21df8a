// SPDX-License-Identifier: GPL-2.0-only
/*
 * The configuration file. What a single line can tell is checked as it is read, what needs the
 * whole file afterwards. The first error ends it.
 */
#include <sodium.h>
#include "config/keyfile.h"
#include "config/private.h"
#include "xraft/siphash.h"

void xr_parse_fail(struct xr_parse *p, int line, const char *fmt, ...)
{
	char text[sizeof(p->why->text)];
	va_list ap;

	if (p->err)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	p->err = xr_fail(p->why, -EINVAL, "%s:%d: %s", p->path, line, text);
}

/* Complaints about the key file as such stand at the line that names it. */
static void read_key_file(struct xr_parse *p)
{
	__attribute__((cleanup(xr_keyfile_forget))) struct xr_keyfile k = {0};
	struct xr_config *c = p->c;
	struct xr_why why = {""};
	_cleanup_fd_ int fd = xr_keyfile_open(c->key_file, &why);

	if (fd < 0)
		fail_at(p, p->setting_line[XR_SET_KEY], "%s", why.text);
	else
		p->err = xr_keyfile_read(&k, fd, c->key_file, p->why);
	if (p->err)
		return;
	for (c->nkeys = 0; c->nkeys < k.n; c->nkeys++)
		xr_secret_derive(&k.secrets[c->nkeys], c->cluster, &c->keys[c->nkeys]);
}

static void make_keys(struct xr_parse *p)
{
	static const struct xr_secret zeros;

	if (sodium_init() < 0)
		fail_at(p, 0, "libsodium cannot start; check that the system has a random source");
	else if (!p->c->auth_none)
		read_key_file(p);
	else
		xr_secret_derive(&zeros, p->c->cluster, &p->c->keys[p->c->nkeys++]);
}

int xr_config_read(struct xr_config *c, const char *path, struct xr_why *why)
{
	static void (*const steps[])(struct xr_parse *) = {
		xr_lines_read,	xr_check_present, xr_settings_fill,   xr_check_timing,
		xr_check_nodes, xr_groups_check,  xr_addresses_check, make_keys,
	};
	struct xr_parse p = {.c = c, .path = path, .why = why};

	memset(c, 0, sizeof(*c));
	for (unsigned int i = 0; i < ARRAY_SIZE(steps) && !p.err; i++)
		steps[i](&p);
	if (p.err)
		xr_config_free(c);
	return p.err;
}

uint16_t xr_config_digest(const char *name, uint32_t voters)
{
	static const struct xr_sip_key no_key; /* the datagram's tag is what protects it */
	__u64 words[XR_NAME_SIZE / sizeof(__u64)] = {0};
	struct xr_sip sip;
	uint64_t hash;

	memcpy(words, name, strnlen(name, XR_NAME_SIZE));
	xr_sip_init(&sip, &no_key);
	xr_sip_word(&sip, words[0]);
	xr_sip_word(&sip, words[1]);
	xr_sip_word(&sip, voters);
	hash = xr_sip_final(&sip, sizeof(words) + sizeof(__u64));
	hash ^= hash >> 32;
	hash ^= hash >> 16;
	return (uint16_t)hash ? (uint16_t)hash : 1;
}

bool xr_config_has_hooks(const struct xr_config *c)
{
	for (int hook = 0; hook < XR_HOOKS; hook++)
		if (c->hooks[hook][0])
			return true;
	return false;
}

bool xr_config_wants_agent(const struct xr_config *c)
{
	return c->naddresses || c->http.used || xr_config_has_hooks(c);
}

void xr_config_free(struct xr_config *c)
{
	free(c->groups);
	sodium_memzero(c, sizeof(*c));
}
