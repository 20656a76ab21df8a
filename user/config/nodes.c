// SPDX-License-Identifier: GPL-2.0-only
/* [nodes]: an id and an address a line, and perhaps a priority. */
#include <arpa/inet.h>
#include "config/private.h"

bool xr_config_is_ipv4(const struct xr_peer *node)
{
	return IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)node->ip);
}

bool xr_config_is_loopback(const struct xr_peer *node)
{
	return xr_config_is_ipv4(node) ? node->ip[12] == IN_LOOPBACKNET
				       : IN6_IS_ADDR_LOOPBACK((const struct in6_addr *)node->ip);
}

/*
 * "10.0.0.1", "10.0.0.1:7007", "fd00::3", "[fd00::3]", "[fd00::3]:7007": the address to `host`,
 * the port's digits to *port, or NULL where there is none.
 */
bool xr_split_address(const char *value, char *host, size_t size, const char **port)
{
	const char *first = strchr(value, ':'), *end = value + strlen(value);
	bool bracket = value[0] == '[';

	if (bracket)
		end = strchr(value, ']');
	else if (first && first == strrchr(value, ':'))
		end = first;
	if (!end || end - value >= (ptrdiff_t)size)
		return false;
	value += bracket;
	snprintf(host, size, "%.*s", (int)(end - value), value);
	end += bracket;
	*port = *end ? end + 1 : NULL;
	return !*end || *end == ':';
}

/* IPv6 in brackets is IPv6, and IPv4 is kept as ::ffff:a.b.c.d. */
bool xr_read_ip(const char *host, struct xr_peer *node)
{
	if (inet_pton(AF_INET6, host, node->ip) == 1)
		return !xr_config_is_ipv4(node);
	memset(node->ip, 0, 10);
	memset(node->ip + 10, 0xff, 2);
	return inet_pton(AF_INET, host, node->ip + 12) == 1;
}

/*
 * "fd00::2:7007" is an address with 7007 in it, and as often meant as one with a port: where both can
 * be, the digits being what a port looks like, brackets have to say which.
 */
static bool is_ambiguous(const char *value, const char *host)
{
	const char *last = strrchr(host, ':');
	char head[INET6_ADDRSTRLEN + 2];
	struct in6_addr ip;

	if (value[0] == '[' || !last || strspn(last + 1, "0123456789") != strlen(last + 1) ||
	    strlen(last + 1) < 4)
		return false;
	snprintf(head, sizeof(head), "%.*s", (int)(last - host), host);
	return inet_pton(AF_INET6, head, &ip) == 1;
}

/* Why a node cannot have this address, or NULL. */
const char *xr_useless_ip(const struct xr_peer *node)
{
	const struct in6_addr *ip = (const struct in6_addr *)node->ip;

	if (xr_config_is_ipv4(node)) {
		if (node->ip[12] == 0)
			return "means no host";
		return node->ip[12] >= 224 ? "is no unicast address" : NULL;
	}
	if (IN6_IS_ADDR_UNSPECIFIED(ip))
		return "means no host";
	if (IN6_IS_ADDR_LINKLOCAL(ip))
		return "is valid on one link only";
	return IN6_IS_ADDR_MULTICAST(ip) ? "is no unicast address" : NULL;
}

static bool read_address(struct xr_parse *p, const char *value, struct xr_peer *node)
{
	uint32_t number = XR_PORT;
	const char *port, *useless;
	char host[INET6_ADDRSTRLEN + 2];

	if (!xr_split_address(value, host, sizeof(host), &port) || !xr_read_ip(host, node) ||
	    (value[0] == '[' && xr_config_is_ipv4(node))) {
		fail(p,
		     "\"%.60s\" is no IP address; write 10.0.0.1, 10.0.0.1:7007, fd00::1 or "
		     "[fd00::1]:7007 (names are not looked up)",
		     value);
		return false;
	}
	if (is_ambiguous(value, host)) {
		const char *last = strrchr(host, ':');

		fail(p,
		     "\"%s\" may or may not end with a port; write [%.*s]:%s if %s is the port, "
		     "[%s] if it belongs to the address",
		     host, (int)(last - host), host, last + 1, last + 1, host);
		return false;
	}
	if (port && !xr_scan_all_number(port, 1, 65535, &number)) {
		fail(p, "\"%.60s\" has no usable port; use a number from 1 to 65535", value);
		return false;
	}
	useless = xr_useless_ip(node);
	if (useless) {
		fail(p, "%s %s; give the node's own address", host, useless);
		return false;
	}
	node->port = (uint16_t)number;
	return true;
}

/* The nodes read before it: none has its address, and all are of its family. */
static void compare_node(struct xr_parse *p, const struct xr_peer *node)
{
	for (int i = 1; i <= XR_NODE_MAX; i++) {
		const struct xr_peer *other = &p->c->nodes[i];

		if (!other->used)
			continue;
		if (xr_config_is_ipv4(other) != xr_config_is_ipv4(node))
			fail(p,
			     "node %d in line %d has an address of the other IP version; give all "
			     "nodes IPv4 or all IPv6",
			     i, p->node_line[i]);
		else if (xr_config_is_loopback(other) != xr_config_is_loopback(node))
			fail(p,
			     "of this node and node %d in line %d one has a loopback address, "
			     "which "
			     "no other machine reaches; give each the address that the others "
			     "reach",
			     i, p->node_line[i]);
		else if (!memcmp(other->ip, node->ip, sizeof(node->ip)) &&
			 other->port == node->port)
			fail(p,
			     "node %d in line %d has the same address and port; give each node its "
			     "own",
			     i, p->node_line[i]);
	}
}

/* "10.0.0.1 priority 50": what stands behind the address. */
static bool read_priority(struct xr_parse *p, const char *rest, struct xr_peer *node)
{
	static const char word[] = "priority";
	uint32_t number = XR_PRIORITY;
	const char *value = rest + strcspn(rest, XR_BLANKS);

	if (*rest &&
	    ((size_t)(value - rest) != strlen(word) || strncmp(rest, word, strlen(word)))) {
		fail(p,
		     "\"%.40s\" stands behind the address, where a priority may; write it as "
		     "\"10.0.0.1 priority 50\"",
		     rest);
		return false;
	}
	value = xr_scan_blanks(value);
	if (*rest && !xr_scan_all_number(value, 0, UINT8_MAX, &number)) {
		fail(p,
		     "\"%.40s\" is no priority; use a whole number from 1 to 255, or 0 for a "
		     "witness, which votes and never leads",
		     value);
		return false;
	}
	node->priority = (uint8_t)number;
	return true;
}

/* The address, and what stands behind it. */
static bool read_node(struct xr_parse *p, const char *value, struct xr_peer *node)
{
	char address[64];
	size_t len = strcspn(value, XR_BLANKS);

	snprintf(address, sizeof(address), "%.*s", len < 63 ? (int)len : 63, value);
	return read_address(p, address, node) &&
	       read_priority(p, xr_scan_blanks(value + len), node);
}

uint32_t xr_config_witnesses(const struct xr_config *c)
{
	uint32_t witnesses = 0;

	xr_each_node(node)
		if (c->nodes[node].used && !c->nodes[node].priority)
			witnesses |= 1u << node;
	return witnesses;
}

const struct xr_peer *xr_nodes_taken(const struct xr_config *c, const struct xr_config *fresh)
{
	return xr_peer_is_at(&c->nodes[c->self], &fresh->nodes[c->self]) ? fresh->nodes : c->nodes;
}

void xr_nodes_differ(const struct xr_config *c, const struct xr_config *fresh,
		     struct xr_names *names)
{
	if (xr_nodes_taken(c, fresh) == fresh->nodes)
		return;
	xr_each_node(node) {
		const struct xr_peer *old = &c->nodes[node], *now = &fresh->nodes[node];

		if (!xr_peer_is_at(old, now))
			xr_names_add(names, "node %u", node);
		else if (old->priority != now->priority)
			xr_names_add(names, "priority of node %u", node);
	}
}

void xr_nodes_read(struct xr_parse *p, const char *name, const char *value)
{
	struct xr_peer node = {.used = 1};
	uint32_t id;

	if (!xr_scan_all_number(name, 1, XR_NODE_MAX, &id)) {
		fail(p, "\"%.40s\" is no node id; use a number from 1 to 9", name);
		return;
	}
	if (p->node_line[id]) {
		fail(p, "node %u is already in line %d; keep one of the two", id, p->node_line[id]);
		return;
	}
	if (!read_node(p, value, &node))
		return;
	compare_node(p, &node);
	p->c->nodes[id] = node;
	p->node_line[id] = p->line;
}
