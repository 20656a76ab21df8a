/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Turn the headers of a frame round, so that it travels back to where it came from. */
#ifndef XRAFT_BPF_ANSWER_H
#define XRAFT_BPF_ANSWER_H

#include "parse.h"

#define XR_TTL 64

static __always_inline __u16 xr_csum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __always_inline void xr_answer_eth(struct ethhdr *eth)
{
	__u8 mac[ETH_ALEN];

	__builtin_memcpy(mac, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, mac, ETH_ALEN);
}

static __always_inline void xr_answer_ipv4(struct iphdr *ip)
{
	__be32 address = ip->saddr;
	__u16 *half = (__u16 *)ip;
	__u16 ttl = bpf_htons(XR_TTL << 8 | IPPROTO_UDP);

	ip->saddr = ip->daddr;
	ip->daddr = address;
	/* RFC 1624, eqn. 3: only this half-word is another; the addresses' order does not count. */
	ip->check = xr_csum_fold((__u64)(__u16)~ip->check + (__u16)~half[4] + ttl);
	half[4] = ttl;
}

static __always_inline void xr_answer_ipv6(struct ipv6hdr *ip6)
{
	struct in6_addr address = ip6->saddr;

	ip6->saddr = ip6->daddr;
	ip6->daddr = address;
	ip6->hop_limit = XR_TTL;
}

/* One's complement sum of a datagram, which is a whole number of words. */
static __noinline __u64 xr_answer_sum(const struct xr_wire *h, const void *end, __u32 len)
{
	const __u64 *word = (const __u64 *)h;
	__u64 sum = 0;

	for (__u32 i = 0; i < XR_DATAGRAM_MAX / 8 && i < len / 8; i++, word++) {
		if ((const void *)(word + 1) > end)
			break;
		sum += (*word & 0xffffffff) + (*word >> 32);
	}
	return sum;
}

/*
 * A sender on the same machine leaves its UDP checksum partial, so it cannot be patched. IPv4
 * allows none; IPv6 wants it in full.
 */
static __always_inline void xr_answer_udp(struct xr_packet *p, const struct ipv6hdr *ip6)
{
	struct udphdr *udp = p->udp;
	__be16 port = udp->source;
	const __u32 *word;
	__u64 sum;

	udp->source = udp->dest;
	udp->dest = port;
	udp->check = 0;
	if (!ip6)
		return;
	sum = xr_answer_sum(p->wire, p->end, p->len);
	word = (const __u32 *)&ip6->saddr;
	for (int i = 0; i < 8; i++)
		sum += word[i];
	sum += bpf_htons(IPPROTO_UDP) + 2 * (__u64)udp->len; /* pseudo header, and the header's */
	sum += (__u64)udp->source + udp->dest;
	udp->check = xr_csum_fold(sum);
	if (!udp->check)
		udp->check = 0xffff;
}

static __always_inline void xr_answer(struct xr_packet *p)
{
	void *ip = (void *)p->eth + p->ip_at;

	xr_answer_eth(p->eth);
	if (p->ipv6)
		xr_answer_ipv6(ip);
	else
		xr_answer_ipv4(ip);
	xr_answer_udp(p, p->ipv6 ? ip : NULL);
}

#endif
