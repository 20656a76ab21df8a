// SPDX-License-Identifier: GPL-2.0-only
/* Interface, addresses, port. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/if_vlan.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "machine/machine.h"
#include "xraft/wire.h"

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

struct here {
	struct ifaddrs *all; /* owned */
	bool has_own;
	char interface[IF_NAMESIZE]; /* with the own address; "" */
};

const char *xr_machine_address(const struct xr_peer *node, char text[46])
{
	if (xr_config_is_ipv4(node))
		inet_ntop(AF_INET, node->ip + 12, text, INET_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, node->ip, text, INET6_ADDRSTRLEN);
	return text;
}

static socklen_t fill(union address *a, const struct xr_peer *node, uint16_t port)
{
	memset(a, 0, sizeof(*a));
	if (xr_config_is_ipv4(node)) {
		a->in.sin_family = AF_INET;
		a->in.sin_port = htons(port);
		memcpy(&a->in.sin_addr, node->ip + 12, 4);
		return sizeof(a->in);
	}
	a->in6.sin6_family = AF_INET6;
	a->in6.sin6_port = htons(port);
	memcpy(&a->in6.sin6_addr, node->ip, 16);
	return sizeof(a->in6);
}

static bool is_at(const struct ifaddrs *at, const struct xr_peer *node)
{
	union address a;

	fill(&a, node, 0);
	if (!at->ifa_addr || at->ifa_addr->sa_family != a.any.sa_family)
		return false;
	if (a.any.sa_family == AF_INET6)
		return !memcmp(&((const struct sockaddr_in6 *)at->ifa_addr)->sin6_addr, node->ip,
			       16);
	/* All of 127.0.0.0/8 is lo's. */
	if (xr_config_is_loopback(node) && at->ifa_flags & IFF_LOOPBACK)
		return true;
	return ((const struct sockaddr_in *)at->ifa_addr)->sin_addr.s_addr == a.in.sin_addr.s_addr;
}

static void look_here(const struct xr_config *c, struct here *h)
{
	*h = (struct here){0};
	if (getifaddrs(&h->all))
		h->all = NULL;
	for (const struct ifaddrs *at = h->all; at; at = at->ifa_next) {
		if (!is_at(at, &c->nodes[c->self]))
			continue;
		/* Where several have it, the one that is configured. */
		if (!h->has_own || !strcmp(at->ifa_name, c->interface))
			snprintf(h->interface, sizeof(h->interface), "%s", at->ifa_name);
		h->has_own = true;
	}
}

/* Also where getifaddrs() shows it not: a route of type local makes addresses, too. */
static int try_bind(const struct xr_peer *node)
{
	union address a;
	socklen_t size = fill(&a, node, 0);
	_cleanup_fd_ int fd = socket(a.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 || bind(fd, &a.any, size) ? -errno : 0;
}

static bool read_numbers(const char *path, long numbers[2])
{
	_cleanup_file_ FILE *f = fopen(path, "re");

	return f && fscanf(f, "%ld %ld", &numbers[0], &numbers[1]) >= 1;
}

/* Then bind() says nothing of whether it is here. */
static bool binds_anything(const struct xr_peer *node)
{
	long on[2] = {0};

	return read_numbers(xr_config_is_ipv4(node) ? "/proc/sys/net/ipv4/ip_nonlocal_bind"
						    : "/proc/sys/net/ipv6/ip_nonlocal_bind",
			    on) &&
	       on[0];
}

static bool own_is_missing(const struct xr_config *c, const struct here *h)
{
	const struct xr_peer *own = &c->nodes[c->self];

	/* An IPv6 address that is still being checked for duplicates cannot be bound. */
	return try_bind(own) == -EADDRNOTAVAIL || (!h->has_own && binds_anything(own));
}

bool xr_machine_is_early(const struct xr_config *c, struct xr_why *why)
{
	bool no_interface = c->interface[0] && !if_nametoindex(c->interface);
	char address[46];
	struct here h;
	bool missing;

	look_here(c, &h);
	missing = own_is_missing(c, &h);
	freeifaddrs(h.all);
	xr_machine_address(&c->nodes[c->self], address);
	if (missing && no_interface)
		xr_fail(why, -ENODEV,
			"there is no interface %s here, and no address %s; ip address lists what "
			"there is: correct [self] interface and [nodes], or add them",
			c->interface, address);
	else if (missing)
		xr_fail(why, -EADDRNOTAVAIL,
			"%s, this node's address, is on no interface of this machine; correct "
			"[nodes] (ip address lists what there is), or add it: ip address add %s/%d "
			"dev %s",
			address, address, xr_config_is_ipv4(&c->nodes[c->self]) ? 24 : 64,
			c->interface[0] ? c->interface : "NAME");
	/* With the address somewhere else nobody waits for another interface. */
	return missing;
}

/*
 * ---- the interface ----
 */
int xr_machine_mtu(const char *interface)
{
	_cleanup_fd_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {0};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	return fd < 0 || ioctl(fd, SIOCGIFMTU, &request) ? -1 : request.ifr_mtu;
}

/* Has it this flag? Where nobody can tell it has. */
static bool has_flag(const char *interface, short flag)
{
	_cleanup_fd_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {0};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	return fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) || request.ifr_flags & flag;
}

/* Does it hide the tags of its VLANs from native XDP? */
static bool takes_tags_off(const char *interface)
{
	_cleanup_fd_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ethtool_value flags = {.cmd = ETHTOOL_GFLAGS};
	struct ifreq request = {.ifr_data = (void *)&flags};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	return fd >= 0 && !ioctl(fd, SIOCETHTOOL, &request) && flags.data & ETH_FLAG_RXVLAN;
}

static bool is_vlan(const char *interface)
{
	_cleanup_fd_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct vlan_ioctl_args ask = {.cmd = GET_VLAN_REALDEV_NAME_CMD};

	snprintf(ask.device1, sizeof(ask.device1), "%s", interface);
	return fd >= 0 && !ioctl(fd, SIOCGIFVLAN, &ask);
}

/* A start finds out whether its answers arrive, and says so. */
static void look_at_vlan(const struct xr_config *c, const struct here *h, struct xr_findings *f)
{
	bool native = c->xdp == XR_XDP_AUTO || c->xdp == XR_XDP_NATIVE;

	if (native && strcmp(h->interface, c->interface) && is_vlan(h->interface) &&
	    takes_tags_off(c->interface))
		xr_find(f, XR_UNWISE, "interface",
			"%s takes off the tags of %s, so that what native XDP answers leaves "
			"without one; ethtool -K %s rxvlan off, or set xdp = generic",
			c->interface, h->interface, c->interface);
}

static void look_at_mtu(const struct xr_config *c, enum xr_occasion when, struct xr_findings *f)
{
	bool v4 = xr_config_is_ipv4(&c->nodes[c->self]);
	int mtu = xr_machine_mtu(c->interface);
	int need = (int)(XR_DATAGRAM_MAX + sizeof(struct udphdr) +
			 (v4 ? sizeof(struct ip) : sizeof(struct ip6_hdr)));

	if (mtu > 0 && mtu < need)
		xr_find(f, XR_UNWISE, "interface",
			"%s has an MTU of %d, and datagrams of many groups need %d: the NIC path "
			"answers no fragments; ip link set dev %s mtu %d, on all nodes",
			c->interface, mtu, need, c->interface, need < 1500 ? 1500 : need);
	/* A start tries it, and says what came of it. */
	if (mtu > XR_MTU_OF_A_PAGE && when == XR_OCCASION_CHECK &&
	    (c->xdp == XR_XDP_AUTO || c->xdp == XR_XDP_NATIVE))
		xr_find(f, XR_UNWISE, "interface",
			"%s has an MTU of %d, and many drivers refuse native XDP above some %d; "
			"ask with \"xraft doctor --try\", and if so: ip link set dev %s mtu %d",
			c->interface, mtu, XR_MTU_OF_A_PAGE, c->interface, XR_MTU_OF_A_PAGE);
}

static void look_at_interface(const struct xr_config *c, const struct here *h,
			      enum xr_occasion when, struct xr_findings *f)
{
	unsigned int index = if_nametoindex(c->interface);
	bool loop = !strcmp(h->interface, "lo") || xr_config_is_loopback(&c->nodes[c->self]);
	char address[46];

	xr_machine_address(&c->nodes[c->self], address);
	if (!index) {
		if (h->has_own)
			xr_find(f, XR_WRONG, "interface",
				"there is no interface %s here, and %s, this node's address, is on "
				"%s; write interface = %s",
				c->interface, address, h->interface, h->interface);
		return;
	}
	if (c->xdp == XR_XDP_OFF)
		return;
	if (!has_flag(c->interface, IFF_UP))
		xr_find(f, XR_UNWISE, "interface", "%s is down; ip link set dev %s up",
			c->interface, c->interface);
	else if (!has_flag(c->interface, IFF_RUNNING))
		xr_find(f, XR_UNWISE, "interface",
			"%s has no carrier; look at its cable and the other end: ip link show %s",
			c->interface, c->interface);
	look_at_mtu(c, when, f);
	if (!strcmp(c->interface, "lo") && !loop)
		xr_find(f, XR_WRONG, "interface",
			"interface = lo sees nothing of what other machines send to %s; write "
			"interface = %s, or xdp = off",
			address, h->has_own ? h->interface : "NAME of where that address is");
	else if (h->has_own && !xr_machine_is_below(index, if_nametoindex(h->interface)))
		xr_find(f, XR_UNWISE, "interface",
			"%s, this node's address, is on %s, so that the others' datagrams do not "
			"pass %s: the NIC path there is idle, and the daemon answers; write "
			"interface = %s",
			address, h->interface, c->interface, h->interface);
	else if (h->has_own && when == XR_OCCASION_CHECK)
		look_at_vlan(c, h, f);
}

/* Does it leave questions for addresses of other interfaces unanswered? */
static bool keeps_to_itself(const char *interface)
{
	long all[2] = {0}, own[2] = {0};
	char path[96];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/arp_ignore", interface);
	read_numbers("/proc/sys/net/ipv4/conf/all/arp_ignore", all);
	read_numbers(path, own);
	return all[0] > 0 || own[0] > 0;
}

static bool shares_network(const struct ifaddrs *a, const struct ifaddrs *b)
{
	const struct sockaddr_in *x = (const void *)a->ifa_addr, *y = (const void *)b->ifa_addr;
	const struct sockaddr_in *mask = (const void *)a->ifa_netmask;

	return mask && y && y->sin_family == AF_INET &&
	       ((x->sin_addr.s_addr ^ y->sin_addr.s_addr) & mask->sin_addr.s_addr) == 0;
}

/* One that answers for our address takes what is sent to it, past the program on our interface. */
static void look_at_cards(const struct xr_config *c, const struct here *h, struct xr_findings *f)
{
	const struct ifaddrs *own = h->all;

	while (own && (!is_at(own, &c->nodes[c->self]) || strcmp(own->ifa_name, c->interface)))
		own = own->ifa_next;
	if (!own || own->ifa_addr->sa_family != AF_INET || c->xdp == XR_XDP_OFF)
		return;
	for (const struct ifaddrs *at = h->all; at; at = at->ifa_next)
		if (at->ifa_flags & IFF_UP && !(at->ifa_flags & IFF_LOOPBACK) &&
		    strcmp(at->ifa_name, own->ifa_name) && shares_network(own, at) &&
		    !keeps_to_itself(at->ifa_name)) {
			xr_find(f, XR_UNWISE, "cards",
				"%s has an address in the network of %s, and may take what is sent "
				"to "
				"this node past the program on %s; sysctl -w "
				"net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2",
				at->ifa_name, c->interface, c->interface);
			return;
		}
}

/*
 * ---- the others ----
 */

/* The first or the last address of a subnet that is connected here: they are no host's. */
static bool is_no_host(const struct ifaddrs *at, const struct xr_peer *node)
{
	uint32_t ip, own, mask;

	if (!xr_config_is_ipv4(node) || !at->ifa_addr || !at->ifa_netmask ||
	    at->ifa_addr->sa_family != AF_INET)
		return false;
	memcpy(&ip, node->ip + 12, sizeof(ip));
	own = ((const struct sockaddr_in *)at->ifa_addr)->sin_addr.s_addr;
	mask = ((const struct sockaddr_in *)at->ifa_netmask)->sin_addr.s_addr;
	return (ip & mask) == (own & mask) && __builtin_popcount(mask) < 31 &&
	       (!(ip & ~mask) || (ip | mask) == UINT32_MAX);
}

static void look_at_way(const struct xr_config *c, int node, struct xr_findings *f)
{
	union address own, to;
	socklen_t size = fill(&own, &c->nodes[c->self], 0);
	_cleanup_fd_ int fd = socket(own.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char text[46];

	if (fd < 0 || bind(fd, &own.any, size))
		return;
	fill(&to, &c->nodes[node], c->nodes[node].port);
	if (connect(fd, &to.any, size))
		xr_find(f, XR_UNWISE, "nodes",
			"there is no way to node %d, %s (%m); ip route get %s says more: correct "
			"[nodes] or the routes",
			node, xr_machine_address(&c->nodes[node], text), text);
}

static void look_at_peer(const struct xr_config *c, const struct here *h, int node,
			 enum xr_occasion when, struct xr_findings *f)
{
	const struct xr_peer *peer = &c->nodes[node];
	char text[46];

	xr_machine_address(peer, text);
	for (const struct ifaddrs *at = h->all; at; at = at->ifa_next) {
		if (is_no_host(at, peer)) {
			xr_find(f, XR_WRONG, "nodes",
				"%s, node %d's address, is no host's in the network of %s, but its "
				"first or last; correct [nodes]",
				text, node, at->ifa_name);
			return;
		}
		if (is_at(at, peer) && memcmp(peer->ip, c->nodes[c->self].ip, sizeof(peer->ip)) &&
		    !xr_config_is_loopback(peer)) {
			xr_find(f, XR_UNWISE, "nodes",
				"%s, node %d's address, is on %s of this machine, too: nodes on "
				"one machine die together; correct [nodes], or [self] node",
				text, node, at->ifa_name);
			return;
		}
	}
	if (when == XR_OCCASION_CHECK)
		look_at_way(c, node, f);
}

/*
 * ---- the port ----
 */

/* "8080,9000-9100" holds it. */
static bool is_reserved(uint16_t port)
{
	_cleanup_file_ FILE *f = fopen("/proc/sys/net/ipv4/ip_local_reserved_ports", "re");
	unsigned int first, last;
	char between;

	while (f && fscanf(f, "%u", &first) == 1) {
		last = first;
		between = (char)fgetc(f);
		if (between == '-' && fscanf(f, "%u%c", &last, &between) < 1)
			return false;
		if (port >= first && port <= last)
			return true;
	}
	return false;
}

static void look_at_port(const struct xr_config *c, struct xr_findings *f)
{
	uint16_t port = c->nodes[c->self].port;
	long range[2] = {0};

	if (read_numbers("/proc/sys/net/ipv4/ip_local_port_range", range) && port >= range[0] &&
	    port <= range[1] && !is_reserved(port))
		xr_find(f, XR_UNWISE, "nodes",
			"port %u is one of those that the kernel lends to any program (%ld-%ld), "
			"which may have it when this node starts; choose another, or: sysctl -w "
			"net.ipv4.ip_local_reserved_ports=%u",
			port, range[0], range[1], port);
}

void xr_machine_network(const struct xr_config *c, enum xr_occasion when, struct xr_findings *f)
{
	struct xr_why why;
	struct here h;

	look_here(c, &h);
	if (when == XR_OCCASION_CHECK && xr_machine_is_early(c, &why))
		xr_find(f, XR_WRONG, "address", "%s", why.text);
	if (c->interface[0])
		look_at_interface(c, &h, when, f);
	if (c->interface[0])
		look_at_cards(c, &h, f);
	for (int node = 1; node <= XR_NODE_MAX; node++)
		if (c->nodes[node].used && node != c->self)
			look_at_peer(c, &h, node, when, f);
	look_at_port(c, f);
	freeifaddrs(h.all);
}
