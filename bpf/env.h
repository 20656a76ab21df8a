/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps, and rules.h's way to them in the kernel. */
#ifndef XRAFT_BPF_ENV_H
#define XRAFT_BPF_ENV_H

#include "parse.h"

#define XR_MAP(name, map_type, entries, value_type) \
	struct {                                    \
		__uint(type, map_type);             \
		__uint(max_entries, entries);       \
		__type(key, __u32);                 \
		__type(value, value_type);          \
	} name SEC(".maps")

#define XR_MAP_MMAP(name, entries, value_type)     \
	struct {                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);  \
		__uint(max_entries, entries);      \
		__uint(map_flags, BPF_F_MMAPABLE); \
		__type(key, __u32);                \
		__type(value, value_type);         \
	} name SEC(".maps")

XR_MAP_MMAP(xr_groups, 1, struct xr_group); /* the loader sets how many groups there are */
XR_MAP_MMAP(xr_acks, 1, struct xr_acks);
XR_MAP_MMAP(xr_control, 1, struct xr_control);
XR_MAP_MMAP(xr_peers, XR_NODE_MAX + 1, struct xr_peer);
XR_MAP_MMAP(xr_values, 1, struct xr_value); /* and how much room for a value */
XR_MAP(xr_stats, BPF_MAP_TYPE_PERCPU_ARRAY, 2, struct xr_stats);
XR_MAP(xr_key, BPF_MAP_TYPE_ARRAY, 2, struct xr_key);

/*
 * One run at a time: where softirqs are threads (PREEMPT_RT) a run may be preempted, and another begin
 * on its CPU. Each would then read what the other noted of its own records.
 */
struct xr_desk {
	struct xr_run run;
	__u32 taken;
};

XR_MAP(xr_run, BPF_MAP_TYPE_PERCPU_ARRAY, 1, struct xr_desk);

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
} xr_events SEC(".maps");

/* The engine puts its own socket here; the kernel takes it out when the socket is closed. */
XR_MAP(xr_socket, BPF_MAP_TYPE_SOCKMAP, 1, __u64);

/* Filled in once a frame, so that each map is looked up once. */
struct xr_env {
	struct xdp_md *ctx;
	__u32 wire_at; /* offset of the datagram in the frame */
	struct xr_control *control;
	struct xr_stats *stats;
	struct xr_desk *desk;
};

static __always_inline struct xr_group *xr_env_group(struct xr_env *env, __u32 id)
{
	(void)env;
	return bpf_map_lookup_elem(&xr_groups, &id);
}

static __always_inline struct xr_acks *xr_env_acks(struct xr_env *env, __u32 id)
{
	(void)env;
	return bpf_map_lookup_elem(&xr_acks, &id);
}

static __always_inline struct xr_peer *xr_env_peer(struct xr_env *env, __u32 node)
{
	(void)env;
	return bpf_map_lookup_elem(&xr_peers, &node);
}

static __always_inline struct xr_key *xr_env_key(struct xr_env *env, __u32 slot)
{
	(void)env;
	return bpf_map_lookup_elem(&xr_key, &slot);
}

static __always_inline struct xr_control *xr_env_control(struct xr_env *env)
{
	return env->control;
}

static __always_inline struct xr_run *xr_env_run(struct xr_env *env)
{
	return &env->desk->run;
}

static __always_inline void xr_env_count(struct xr_env *env, enum xr_reason reason)
{
	if ((__u32)reason < XR_REASON_END)
		((__u64 *)env->stats)[reason]++;
}

static __always_inline void xr_env_report(struct xr_env *env, const struct xr_wire *h,
					  const struct xr_record *rec)
{
	struct xr_event_rec *event = bpf_ringbuf_reserve(&xr_events, sizeof(*event), 0);

	if (!event) {
		xr_env_count(env, XR_R_events_lost);
		return;
	}
	event->record = *rec;
	event->sent_ns = h->sent_ns;
	event->min_timeout_us = h->min_timeout_us;
	event->type = h->type;
	event->source = h->source;
	event->spare = 0;
	bpf_ringbuf_submit(event, 0);
}

/*
 * A global function, which the verifier proves once and not anew for each way that leads to it.
 * Hence its arguments: a packet's pointers cannot be handed over.
 */
__noinline __u64 xr_nic_tag(struct xdp_md *ctx, __u32 wire_at, __u32 len,
			    const struct xr_sip_key *key)
{
	if (!key || wire_at > XR_WIRE_AT_MAX)
		return 0;
	return xr_tag((void *)(long)ctx->data + wire_at, (void *)(long)ctx->data_end, len, key);
}

static __always_inline __u64 xr_env_tag(struct xr_env *env, const struct xr_wire *h,
					const void *end, __u32 len, const struct xr_sip_key *key)
{
	(void)h, (void)end;
	return xr_nic_tag(env->ctx, env->wire_at, len, key);
}

static __always_inline void xr_env_each(__u32 count, xr_step step, void *arg)
{
	/* Merged with another it has two callbacks, and the kernel inlines only calls with one. */
	__attribute__((nomerge)) bpf_loop(count, step, arg, 0);
}

/* Is the engine's own socket still open (rule 8)? */
static __always_inline int xr_env_socket(void)
{
	__u32 zero = 0;
	struct bpf_sock *sk = bpf_map_lookup_elem(&xr_socket, &zero);

	if (!sk)
		return 0;
	bpf_sk_release(sk);
	return 1;
}

static __always_inline enum xr_reason xr_env_may_answer(struct xr_env *env, const struct xr_wire *h,
							__u64 now)
{
	if (!xr_before(now, env->control->alive_until_ns))
		return XR_R_pass_not_alive;
	if (!xr_env_socket())
		return XR_R_pass_no_socket;
	if (!env->control->answer && h->type != XR_PATH_TEST)
		return XR_R_pass_no_answer;
	return XR_REASON_END;
}

#endif
