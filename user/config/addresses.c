// SPDX-License-Identifier: GPL-2.0-only
/* [addresses]: a group and the virtual addresses that its leader serves. */
#include "config/private.h"

/* "10.0.0.100/24": the length of the network cannot be guessed. */
static bool read_network(struct xr_parse *p, const char *word, struct xr_peer *ip, uint32_t *prefix)
{
	const char *slash = strchr(word, '/');
	char host[64];

	snprintf(host, sizeof(host), "%.*s", slash ? (int)(slash - word) : 0, word);
	if (slash && xr_read_ip(host, ip) &&
	    xr_scan_all_number(slash + 1, 1, xr_config_is_ipv4(ip) ? 32 : 128, prefix))
		return true;
	fail(p,
	     "\"%.60s\" is no address with the length of its network; write it as in 10.0.0.100/24 "
	     "or fd00::100/64",
	     word);
	return false;
}

static void read_virtual(struct xr_parse *p, const char *group, const char *word)
{
	struct xr_config *c = p->c;
	struct xr_peer ip = {.used = 1};
	const char *useless;
	uint32_t prefix;

	if (!read_network(p, word, &ip, &prefix))
		return;
	useless = xr_useless_ip(&ip);
	if (!useless && xr_config_is_loopback(&ip))
		useless = "is this machine's own";
	if (useless) {
		fail(p, "%s %s; give one that others can reach", word, useless);
		return;
	}
	if (c->naddresses == XR_ADDRESSES_MAX) {
		fail(p, "there are more than %d virtual addresses; use fewer", XR_ADDRESSES_MAX);
		return;
	}
	memcpy(c->addresses[c->naddresses].key.ip, ip.ip, sizeof(ip.ip));
	c->addresses[c->naddresses].value.prefix = (uint8_t)prefix;
	snprintf(p->address_group[c->naddresses], XR_NAME_SIZE, "%s", group);
	p->address_line[c->naddresses++] = p->line;
}

void xr_addresses_read(struct xr_parse *p, const char *name, const char *value)
{
	static const char between[] = XR_BLANKS ",";
	char group[XR_NAME_SIZE], word[64];

	if (!xr_scan_name(name, group)) {
		fail(p, "\"%.40s\" is no name of a group; write GROUP = ADDRESS/LENGTH", name);
		return;
	}
	for (value += strspn(value, between); *value && !p->err; value += strspn(value, between)) {
		size_t len = strcspn(value, between);

		snprintf(word, sizeof(word), "%.*s", (int)len, value);
		read_virtual(p, group, word);
		value += len;
	}
}

static void compare(struct xr_parse *p, size_t i)
{
	const struct xr_config *c = p->c;
	const struct xr_ip *key = &c->addresses[i].key;

	for (int node = 1; node <= XR_NODE_MAX; node++)
		if (c->nodes[node].used && !memcmp(c->nodes[node].ip, key->ip, sizeof(key->ip)))
			fail_at(p, p->address_line[i],
				"this is the address of node %d, by which it has to be reached "
				"whoever leads; give the group one of its own",
				node);
	for (size_t k = 0; k < i; k++)
		if (!memcmp(c->addresses[k].key.ip, key->ip, sizeof(key->ip)))
			fail_at(p, p->address_line[i],
				"this virtual address is already in line %d; keep one of the two",
				p->address_line[k]);
}

/* Once nodes and groups are known, wherever they stand in the file. */
void xr_addresses_check(struct xr_parse *p)
{
	struct xr_config *c = p->c;

	for (size_t i = 0; i < c->naddresses && !p->err; i++) {
		const struct xr_config_group *g = c->groups, *end = g + c->ngroups;

		while (g < end && strcmp(g->name, p->address_group[i]))
			g++;
		if (g == end) {
			fail_at(p, p->address_line[i],
				"there is no group %s; add it to [groups] or correct the name",
				p->address_group[i]);
			return;
		}
		c->addresses[i].value.group = g->id;
		compare(p, i);
	}
	if (c->naddresses && !c->interface[0])
		fail_at(p, p->address_line[0],
			"virtual addresses need an interface to be on; add interface = NAME to "
			"[self]");
}
