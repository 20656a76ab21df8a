// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "agent/agent.h"

struct xr_link {
	struct mnl_socket *nl;
	uint32_t sequence;
	unsigned int index;
	int arp_fd, icmp6_fd;
};

static bool is_ipv4(const struct xr_nic_address *a)
{
	return IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)a->key.ip);
}

/*
 * ---- open ----
 */
/* Sockets that outlive the right to open them. Neither receives: protocol 0, and a filter. */
static int open_sockets(struct xr_link *l)
{
	int hops = 255;

	l->arp_fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (l->arp_fd < 0)
		return -errno;
	l->icmp6_fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);
	if (l->icmp6_fd >= 0) { /* a kernel may have no IPv6, and needs none for IPv4 */
		struct icmp6_filter none;

		ICMP6_FILTER_SETBLOCKALL(&none);
		setsockopt(l->icmp6_fd, IPPROTO_ICMPV6, ICMP6_FILTER, &none, sizeof(none));
		setsockopt(l->icmp6_fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops));
	}
	l->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!l->nl || mnl_socket_bind(l->nl, 0, MNL_SOCKET_AUTOPID))
		return -errno;
	return 0;
}

int xr_link_open(struct xr_link **out, struct xr_why *why)
{
	struct xr_link *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return xr_fail(why, -ENOMEM, "no memory");
	l->arp_fd = l->icmp6_fd = -1;
	err = open_sockets(l);
	if (!err) {
		*out = l;
		return 0;
	}
	xr_link_close(l);
	return xr_fail(why, err,
		       "no interface can be given addresses: %s; run as root (CAP_NET_ADMIN, "
		       "CAP_NET_RAW)",
		       strerror(-err));
}

void xr_link_is(struct xr_link *l, unsigned int index)
{
	l->index = index;
}

void xr_link_close(struct xr_link *l)
{
	if (!l)
		return;
	if (l->nl)
		mnl_socket_close(l->nl);
	xr_close_fd(&l->arp_fd);
	xr_close_fd(&l->icmp6_fd);
	free(l);
}

/*
 * ---- add, remove ----
 */
static struct nlmsghdr *put_address(struct xr_link *l, void *room, uint16_t type,
				    const struct xr_nic_address *a)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(room);
	struct ifaddrmsg *address = mnl_nlmsg_put_extra_header(request, sizeof(*address));
	size_t skip = is_ipv4(a) ? 12 : 0;

	request->nlmsg_type = type;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	request->nlmsg_seq = ++l->sequence;
	address->ifa_family = skip ? AF_INET : AF_INET6;
	address->ifa_prefixlen = a->value.prefix;
	address->ifa_index = l->index;
	mnl_attr_put(request, IFA_LOCAL, 16 - skip, a->key.ip + skip);
	mnl_attr_put(request, IFA_ADDRESS, 16 - skip, a->key.ip + skip);
	return request;
}

static int ask(struct xr_link *l, const struct nlmsghdr *request)
{
	char answer[8192];
	ssize_t n = mnl_socket_sendto(l->nl, request, request->nlmsg_len);

	if (n >= 0)
		n = mnl_socket_recvfrom(l->nl, answer, sizeof(answer));
	if (n >= 0)
		n = mnl_cb_run(answer, (size_t)n, request->nlmsg_seq, mnl_socket_get_portid(l->nl),
			       NULL, NULL);
	return n < 0 ? -errno : 0;
}

/*
 * IPv6 without duplicate address detection, which would take a second: the lease says that nobody
 * else has it. Deprecated, so that this machine's own connections do not begin there.
 */
int xr_link_add(struct xr_link *l, const struct xr_nic_address *a)
{
	struct ifa_cacheinfo life = {.ifa_prefered = 0, .ifa_valid = UINT32_MAX};
	char room[256];
	struct nlmsghdr *request = put_address(l, room, RTM_NEWADDR, a);
	int err;

	request->nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
	if (!is_ipv4(a)) {
		mnl_attr_put_u32(request, IFA_FLAGS, IFA_F_NODAD);
		mnl_attr_put(request, IFA_CACHEINFO, sizeof(life), &life);
	}
	err = ask(l, request);
	return err == -EEXIST ? 0 : err ? err : 1;
}

int xr_link_remove(struct xr_link *l, const struct xr_nic_address *a)
{
	char room[256];
	int err = ask(l, put_address(l, room, RTM_DELADDR, a));

	return err == -EADDRNOTAVAIL ? 0 : err ? err : 1;
}

/*
 * ---- announce ----
 */

/* Looked up anew, since bonds and people change it. False: nobody there learns of link addresses. */
static bool read_mac(const struct xr_link *l, uint8_t mac[ETH_ALEN])
{
	struct ifreq request = {0};

	if (!if_indextoname(l->index, request.ifr_name) ||
	    ioctl(l->arp_fd, SIOCGIFHWADDR, &request) ||
	    request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return false;
	memcpy(mac, request.ifr_hwaddr.sa_data, ETH_ALEN);
	return true;
}

/* As RFC 5227 has it, and as a reply: there are switches and hosts that learn from one of the two. */
static int announce_ipv4(const struct xr_link *l, const uint8_t ip[4], const uint8_t *mac)
{
	struct sockaddr_ll all = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ARP),
		.sll_ifindex = (int)l->index,
		.sll_halen = ETH_ALEN,
		.sll_addr = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	};
	struct {
		struct arphdr head;
		uint8_t from_mac[ETH_ALEN], from_ip[4], to_mac[ETH_ALEN], to_ip[4];
	} __attribute__((packed)) arp = {
		.head = {htons(ARPHRD_ETHER), htons(ETH_P_IP), ETH_ALEN, 4, 0},
	};

	memcpy(arp.from_mac, mac, sizeof(arp.from_mac));
	memcpy(arp.from_ip, ip, sizeof(arp.from_ip));
	memcpy(arp.to_ip, ip, sizeof(arp.to_ip));
	for (uint16_t operation = ARPOP_REQUEST; operation <= ARPOP_REPLY; operation++) {
		arp.head.ar_op = htons(operation);
		if (sendto(l->arp_fd, &arp, sizeof(arp), MSG_DONTWAIT, (struct sockaddr *)&all,
			   sizeof(all)) < 0)
			return -errno;
	}
	return 0;
}

/* RFC 4861, 7.2.6: to all nodes, from the address itself, overriding what they know. */
static int announce_ipv6(const struct xr_link *l, const uint8_t ip[16], const uint8_t *mac)
{
	struct sockaddr_in6 all = {.sin6_family = AF_INET6, .sin6_scope_id = l->index};
	struct in6_pktinfo from = {.ipi6_ifindex = l->index};
	struct {
		struct nd_neighbor_advert head;
		struct nd_opt_hdr option;
		uint8_t mac[ETH_ALEN];
	} advert = {
		.head.nd_na_type = ND_NEIGHBOR_ADVERT,
		.head.nd_na_flags_reserved = ND_NA_FLAG_OVERRIDE,
		.option = {ND_OPT_TARGET_LINKADDR, 1},
	};
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(from))];
	} control = {.head = {CMSG_LEN(sizeof(from)), IPPROTO_IPV6, IPV6_PKTINFO}};
	struct iovec data = {&advert, sizeof(advert)};
	struct msghdr message = {.msg_name = &all,
				 .msg_namelen = sizeof(all),
				 .msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};

	inet_pton(AF_INET6, "ff02::1", &all.sin6_addr);
	memcpy(&from.ipi6_addr, ip, sizeof(from.ipi6_addr));
	memcpy(CMSG_DATA(&control.head), &from, sizeof(from));
	memcpy(&advert.head.nd_na_target, ip, sizeof(advert.head.nd_na_target));
	memcpy(advert.mac, mac, sizeof(advert.mac));
	return sendmsg(l->icmp6_fd, &message, MSG_DONTWAIT) < 0 ? -errno : 0;
}

int xr_link_announce(struct xr_link *l, const struct xr_nic_address *a)
{
	uint8_t mac[ETH_ALEN];

	if (!read_mac(l, mac))
		return 0;
	return is_ipv4(a) ? announce_ipv4(l, a->key.ip + 12, mac)
			  : announce_ipv6(l, a->key.ip, mac);
}
