/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Fenced virtual addresses (rule 21). A frame to or from one passes only while this node holds the lease of
 * its group, by the maps and the clock alone: whatever userspace does, two nodes never serve one
 * address at once. ARP and neighbour discovery for it are told by the address that they ask for or
 * name. What another node announces of it passes in, so that our own neighbour table learns of it.
 */
#ifndef XRAFT_BPF_ADDRESS_H
#define XRAFT_BPF_ADDRESS_H

#include <linux/icmpv6.h>
#include <linux/pkt_cls.h>
#include "env.h"

/* Set by the loader; without addresses the verifier takes the code below out of the programs. */
const volatile __u8 xr_has_addresses = 0;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct xr_ip);
	__type(value, struct xr_address);
} xr_addresses SEC(".maps"); /* the loader makes it, so that it is filled before anything runs */

enum xr_way { XR_IN, XR_OUT };

struct xr_arp { /* for Ethernet and IPv4 */
	__be16 hardware, protocol;
	__u8 hardware_size, protocol_size;
	__be16 operation;
	__u8 from_mac[ETH_ALEN], from_ip[4], to_mac[ETH_ALEN], to_ip[4];
};

struct xr_nd { /* a neighbour solicitation or advertisement, straight after the IPv6 header */
	struct ipv6hdr ip6;
	struct icmp6hdr icmp;
	struct in6_addr target;
};

#define XR_NS 135
#define XR_NA 136

/* A full barrier: an atomic operation that returns a value is one on every architecture. */
static __always_inline void xr_barrier(void)
{
	__u64 word = 0, was = __sync_fetch_and_add(&word, 1);

	asm volatile("" : : "r"(was));
}

/* Rule 16's reader: the view, then what the lease rests on and the clock, then the view again. */
static __always_inline int xr_holds_lease(const struct xr_control *c, __u32 id)
{
	const struct xr_group *g = bpf_map_lookup_elem(&xr_groups, &id);
	const struct xr_acks *acks = bpf_map_lookup_elem(&xr_acks, &id);
	union xr_word view;
	int held;
	__u64 now;

	if (!g || !acks)
		return 0;
	view = xr_view_read(g);
	if (view.view.mode != XR_LEAD)
		return 0;
	xr_barrier();
	now = bpf_ktime_get_boot_ns();
	held = xr_before(now, *(const volatile __u64 *)&c->alive_until_ns) &&
	       xr_quorum_fresh(g, acks, c->self, now, xr_lease_ns(c));
	xr_barrier();
	return held && xr_view_read(g).word == view.word;
}

/* XR_REASON_END: this is no virtual address. A function of its own: the verifier proves it once. */
static __noinline enum xr_reason xr_fence_ip(const struct xr_control *c, const struct xr_ip *ip,
					     enum xr_reason drop)
{
	const struct xr_address *a = bpf_map_lookup_elem(&xr_addresses, ip);

	if (!a)
		return XR_REASON_END;
	return xr_holds_lease(c, a->group) ? XR_R_pass_virtual : drop;
}

static __always_inline enum xr_reason xr_fence_ip4(const struct xr_control *c, __be32 ip,
						   enum xr_reason drop)
{
	__u64 word[2] = {0, (__u64)ip << 32 | 0xffff0000}; /* as in xr_parse_ipv4() */
	struct xr_ip key;

	__builtin_memcpy(&key, word, sizeof(key));
	return xr_fence_ip(c, &key, drop);
}

static __always_inline enum xr_reason xr_fence_ip6(const struct xr_control *c,
						   const struct in6_addr *ip, enum xr_reason drop)
{
	struct xr_ip key;

	__builtin_memcpy(&key, ip, sizeof(key));
	return xr_fence_ip(c, &key, drop);
}

/* Whoever announces an address as his own asks nobody. */
static __always_inline enum xr_reason xr_fence_arp(const struct xr_control *c,
						   const struct xr_arp *arp, enum xr_way way)
{
	__be32 from, to;

	if (arp->protocol != bpf_htons(ETH_P_IP) || arp->hardware_size != ETH_ALEN ||
	    arp->protocol_size != sizeof(from))
		return XR_REASON_END;
	__builtin_memcpy(&from, arp->from_ip, sizeof(from));
	__builtin_memcpy(&to, arp->to_ip, sizeof(to));
	if (way == XR_OUT)
		return xr_fence_ip4(c, from, XR_R_drop_virtual_out);
	return from == to ? XR_REASON_END : xr_fence_ip4(c, to, XR_R_drop_virtual_ask);
}

static __always_inline enum xr_reason xr_fence_ipv6(const struct xr_control *c,
						    const struct ipv6hdr *ip6, const void *end,
						    enum xr_way way)
{
	const struct xr_nd *nd = (const void *)ip6;
	enum xr_reason reason = xr_fence_ip6(c, way == XR_OUT ? &ip6->saddr : &ip6->daddr,
					     way == XR_OUT ? XR_R_drop_virtual_out
							   : XR_R_drop_virtual_in);

	if (reason != XR_REASON_END || (const void *)(nd + 1) > end ||
	    ip6->nexthdr != IPPROTO_ICMPV6)
		return reason;
	if (way == XR_IN && nd->icmp.icmp6_type == XR_NS)
		return xr_fence_ip6(c, &nd->target, XR_R_drop_virtual_ask);
	if (way == XR_OUT && nd->icmp.icmp6_type == XR_NA)
		return xr_fence_ip6(c, &nd->target, XR_R_drop_virtual_out);
	return XR_REASON_END;
}

/* XR_REASON_END: no business of ours; XR_R_pass_virtual: served; else the reason to drop it. */
static __always_inline enum xr_reason xr_fence(const struct xr_control *c, struct xr_packet *p,
					       enum xr_way way)
{
	const void *at;
	__u16 proto;

	if (!xr_has_addresses)
		return XR_REASON_END;
	proto = xr_parse_eth(p);
	at = (const void *)p->eth + p->ip_at;
	if (proto == ETH_P_IP && at + sizeof(struct iphdr) <= p->end) {
		const struct iphdr *ip = at;

		return way == XR_OUT ? xr_fence_ip4(c, ip->saddr, XR_R_drop_virtual_out)
				     : xr_fence_ip4(c, ip->daddr, XR_R_drop_virtual_in);
	}
	if (proto == ETH_P_ARP && at + sizeof(struct xr_arp) <= p->end)
		return xr_fence_arp(c, at, way);
	if (proto == ETH_P_IPV6 && at + sizeof(struct ipv6hdr) <= p->end)
		return xr_fence_ipv6(c, at, p->end, way);
	return XR_REASON_END;
}

#define XR_FENCE_READS \
	(sizeof(struct ethhdr) + XR_VLAN_DEPTH * sizeof(struct xr_vlan) + sizeof(struct xr_nd))

/* For clsact, whose next program then has its turn. */
static __always_inline int xr_fence_skb(struct __sk_buff *skb, enum xr_way way)
{
	struct xr_packet p = {};
	struct xr_env env = {};
	enum xr_reason reason;
	__u32 zero = 0;

	env.control = bpf_map_lookup_elem(&xr_control, &zero);
	env.stats = bpf_map_lookup_elem(&xr_stats, &zero);
	if (!env.control || !env.stats)
		return TC_ACT_UNSPEC;
	if (skb->data + XR_FENCE_READS > skb->data_end) /* the rest may lie in other pages */
		bpf_skb_pull_data(skb, skb->len < XR_FENCE_READS ? skb->len : XR_FENCE_READS);
	p.eth = (void *)(long)skb->data;
	p.end = (void *)(long)skb->data_end;
	reason = xr_fence(env.control, &p, way);
	xr_env_count(&env, reason);
	return reason == XR_REASON_END || reason == XR_R_pass_virtual ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}

/* What this machine sends as a virtual address. */
SEC("tc")
int xr_fence_out(struct __sk_buff *skb)
{
	return xr_fence_skb(skb, XR_OUT);
}

/* What it receives, where there is no XDP program to look at it. */
SEC("tc")
int xr_fence_in(struct __sk_buff *skb)
{
	return xr_fence_skb(skb, XR_IN);
}

#endif
