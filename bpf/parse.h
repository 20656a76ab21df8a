/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From the first byte of a frame to the first byte of a datagram that is for our port. */
#ifndef XRAFT_BPF_PARSE_H
#define XRAFT_BPF_PARSE_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "xraft/rules.h"

struct xr_vlan {
	__be16 tci;
	__be16 proto;
};

#define XR_VLAN_DEPTH 2
#define XR_WIRE_AT_MAX                                                                             \
	(sizeof(struct ethhdr) + XR_VLAN_DEPTH * sizeof(struct xr_vlan) + sizeof(struct ipv6hdr) + \
	 sizeof(struct udphdr))
#define XR_FRAGMENT 0x3fff /* more fragments, or an offset: not the whole datagram */

struct xr_packet {
	struct ethhdr *eth;
	__u32 ip_at;  /* offsets in the frame: of the IP header, */
	__u32 udp_at; /* and of that of UDP */
	__u32 ipv6;   /* else IPv4 */
	struct udphdr *udp;
	struct xr_wire *wire; /* may lie beyond the end: check */
	void *end;
	__u32 len; /* of the UDP payload, by its header */
	struct xr_from from;
	struct xr_from to;
};

enum xr_parsed {
	XR_PARSED_OURS,	 /* UDP to our port, complete */
	XR_PARSED_SHAPE, /* to our port perhaps, but in a form that we leave to the kernel */
	XR_PARSED_OTHER,
};

static __always_inline __u16 xr_parse_eth(struct xr_packet *p)
{
	struct xr_vlan *vlan;
	__be16 proto;

	if ((void *)(p->eth + 1) > p->end)
		return 0;
	proto = p->eth->h_proto;
	p->ip_at = sizeof(*p->eth);
	for (int i = 0; i < XR_VLAN_DEPTH; i++) {
		if (proto != bpf_htons(ETH_P_8021Q) && proto != bpf_htons(ETH_P_8021AD))
			break;
		vlan = (void *)p->eth + p->ip_at;
		if ((void *)(vlan + 1) > p->end)
			return 0;
		proto = vlan->proto;
		p->ip_at += sizeof(*vlan);
	}
	return bpf_ntohs(proto);
}

static __always_inline enum xr_parsed xr_parse_ipv4(struct xr_packet *p)
{
	struct iphdr *ip = (void *)p->eth + p->ip_at;

	if ((void *)(ip + 1) > p->end || ip->protocol != IPPROTO_UDP)
		return XR_PARSED_OTHER;
	if (ip->ihl != 5 || ip->version != 4 || ip->frag_off & bpf_htons(XR_FRAGMENT))
		return XR_PARSED_SHAPE;
	p->ipv6 = 0;
	p->udp_at = p->ip_at + sizeof(*ip);
	p->from.ip[0] = p->to.ip[0] = 0;
	p->from.ip[1] = (__u64)ip->saddr << 32 | 0xffff0000; /* ::ffff:a.b.c.d in memory order */
	p->to.ip[1] = (__u64)ip->daddr << 32 | 0xffff0000;
	return XR_PARSED_OURS;
}

static __always_inline enum xr_parsed xr_parse_ipv6(struct xr_packet *p)
{
	struct ipv6hdr *ip6 = (void *)p->eth + p->ip_at;

	if ((void *)(ip6 + 1) > p->end)
		return XR_PARSED_OTHER;
	if (ip6->nexthdr != IPPROTO_UDP)
		return XR_PARSED_OTHER; /* extension headers, fragments among them: the kernel's */
	p->ipv6 = 1;
	p->udp_at = p->ip_at + sizeof(*ip6);
	__builtin_memcpy(p->from.ip, &ip6->saddr, sizeof(p->from.ip));
	__builtin_memcpy(p->to.ip, &ip6->daddr, sizeof(p->to.ip));
	return XR_PARSED_OURS;
}

/* Lengths are compared with >=: Ethernet pads short frames. */
static __always_inline enum xr_parsed xr_parse(struct xdp_md *ctx, struct xr_packet *p)
{
	enum xr_parsed parsed = XR_PARSED_OTHER;
	__u16 proto;

	p->eth = (void *)(long)ctx->data;
	p->end = (void *)(long)ctx->data_end;
	proto = xr_parse_eth(p);
	if (proto == ETH_P_IP)
		parsed = xr_parse_ipv4(p);
	else if (proto == ETH_P_IPV6)
		parsed = xr_parse_ipv6(p);
	if (parsed != XR_PARSED_OURS)
		return parsed;
	p->udp = (void *)p->eth + p->udp_at;
	if ((void *)(p->udp + 1) > p->end)
		return XR_PARSED_OTHER;
	p->from.port = bpf_ntohs(p->udp->source);
	p->to.port = bpf_ntohs(p->udp->dest);
	p->len = bpf_ntohs(p->udp->len);
	p->len = p->len < sizeof(*p->udp) ? 0 : p->len - sizeof(*p->udp);
	p->wire = (void *)(p->udp + 1);
	return XR_PARSED_OURS;
}

#endif
