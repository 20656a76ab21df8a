// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What scripts/bench fastpath measures the NIC path against: a bare reflector; the floor, which is
 * the least that an authenticated answer can do (reflector, clock, two SipHash); and the floor with
 * one piece of the NIC path more at a time.
 *
 * A program that is run many times on one frame finds it as the last run left it, and a heartbeat
 * is accepted once. So each run begins with bench_start, which puts the frame back, with times and
 * tag that were never seen, and tail-calls what is measured. Its cost is that of the run that
 * tail-calls bench_nothing.
 */
#include "../../bpf/env.h"
#include "../../bpf/answer.h"
#include "fastpath.h"

XR_MAP_MMAP(bench_setup, 1, struct bench_setup);
XR_MAP_MMAP(bench_fresh, BENCH_FRESH, struct bench_fresh);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} bench_arm SEC(".maps");

SEC("xdp")
int bench_start(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct bench_setup *setup = bpf_map_lookup_elem(&bench_setup, &zero);
	struct bench_fresh *fresh;
	struct xr_wire *wire;
	char *data;

	if (!setup)
		return XDP_ABORTED;
	fresh = bpf_map_lookup_elem(&bench_fresh, &setup->next);
	if (!fresh || setup->len < sizeof(struct ethhdr) || setup->len > sizeof(setup->frame) ||
	    bpf_xdp_store_bytes(ctx, 0, setup->frame, setup->len))
		return XDP_ABORTED;
	if (setup->next == 0)
		setup->began_ns = bpf_ktime_get_ns();
	if (setup->next == setup->last)
		setup->ended_ns = bpf_ktime_get_ns();
	setup->next++;
	data = (char *)(long)ctx->data;
	wire = (void *)(data + (setup->wire_at & 127));
	if ((void *)(wire + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	wire->sent_ns = fresh->sent_ns;
	wire->echo_ns = fresh->echo_ns;
	wire->tag = fresh->tag;
	bpf_tail_call(ctx, &bench_arm, 0);
	return XDP_ABORTED;
}

SEC("xdp")
int bench_nothing(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_TX;
}

/* The other end of the live frames' cable. */
SEC("xdp")
int bench_sink(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct bench_setup *setup = bpf_map_lookup_elem(&bench_setup, &zero);

	(void)ctx;
	if (setup)
		setup->arrived++;
	return XDP_DROP;
}

/*
 * ---- reflector and floor: plain IPv4, no options, a datagram whose length is known ----
 */

/* Addresses and ports change places; the IPv4 checksum stays right. NULL if the frame is short. */
static __always_inline struct xr_wire *reflect(struct xdp_md *ctx, __u32 records)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp = (void *)(ip + 1);
	struct xr_wire *h = (void *)(udp + 1);
	__be32 address;
	__be16 port;

	if ((void *)((struct xr_record *)(h + 1) + records) > (void *)(long)ctx->data_end)
		return NULL;
	xr_answer_eth(eth);
	address = ip->saddr;
	ip->saddr = ip->daddr;
	ip->daddr = address;
	port = udp->source;
	udp->source = udp->dest;
	udp->dest = port;
	udp->check = 0;
	return h;
}

static __always_inline __u64 tag_of(const struct xr_wire *h, __u32 records)
{
	static const struct xr_sip_key key = BENCH_KEY;
	const struct xr_record *rec = (const struct xr_record *)(h + 1);
	struct xr_sip sip;

	xr_tag_begin(&sip, h, &key);
	for (__u32 i = 0; i < records; i++)
		xr_tag_record(&sip, &rec[i]);
	return xr_sip_final(&sip, sizeof(*h) - sizeof(h->tag) + records * sizeof(struct xr_record));
}

/* What may stand between verifying and signing. */
enum piece { SOCKET = 1, DECISION = 2 };

/* View, mark, stamp, second look. */
static __always_inline int decide(const struct xr_wire *h, __u64 now)
{
	__u32 zero = 0;
	struct xr_control *c = bpf_map_lookup_elem(&xr_control, &zero);
	struct xr_group *g = bpf_map_lookup_elem(&xr_groups, &zero);
	__u32 entry;

	return c && g &&
	       xr_rule_heartbeat(g, c, h, (const void *)(h + 1), &entry, now) ==
		       XR_R_heartbeat_answered;
}

/* Turn round, verify, read the clock, sign. */
static __always_inline int floor_with(struct xdp_md *ctx, __u32 records, int pieces)
{
	struct xr_wire *h = reflect(ctx, records);
	__u64 now;

	if (!h || tag_of(h, records) != h->tag)
		return XDP_ABORTED;
	now = bpf_ktime_get_boot_ns();
	if ((pieces & SOCKET && !xr_env_socket()) || (pieces & DECISION && !decide(h, now)))
		return XDP_ABORTED;
	h->echo_ns = h->sent_ns;
	h->sent_ns = now;
	h->tag = tag_of(h, records);
	return XDP_TX;
}

#define BENCH_PROGRAM(name, what)            \
	SEC("xdp")                           \
	int bench_##name(struct xdp_md *ctx) \
	{                                    \
		return what;                 \
	}

BENCH_PROGRAM(reflect, reflect(ctx, 1) ? XDP_TX : XDP_ABORTED)
BENCH_PROGRAM(floor_1, floor_with(ctx, 1, 0))
BENCH_PROGRAM(floor_8, floor_with(ctx, 8, 0))
BENCH_PROGRAM(floor_87, floor_with(ctx, 87, 0))
BENCH_PROGRAM(socket, floor_with(ctx, 1, SOCKET))
BENCH_PROGRAM(decision, floor_with(ctx, 1, SOCKET | DECISION))

SEC("xdp")
int bench_clock(struct xdp_md *ctx)
{
	struct xr_wire *h = reflect(ctx, 1);

	if (!h)
		return XDP_ABORTED;
	h->sent_ns = bpf_ktime_get_boot_ns();
	return XDP_TX;
}

char _license[] SEC("license") = "Dual BSD/GPL";
