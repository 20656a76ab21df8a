// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The NIC path: parse, verify and decide (include/xraft/rules.h), answer. It says again, at line
 * rate, what the daemon has decided and made durable; all else goes up to the daemon.
 */
#include <stddef.h>
#include "env.h"
#include "address.h"
#include "answer.h"
#include <xdp/xdp_helpers.h>

/* Where a dispatcher runs several programs, we come early and let the others see what we pass. */
struct {
	__uint(priority, 10);
	__uint(XDP_PASS, 1);
} XDP_RUN_CONFIG(xr_nic);

/* The addresses are compared so that a router or a bridge can carry other people's xraft. */
static __always_inline int xr_for_us(struct xr_env *env, const struct xr_packet *p)
{
	struct xr_peer *self = xr_env_peer(env, env->control->self);

	return p->to.port == env->control->port && self && p->to.ip[0] == ((__u64 *)self->ip)[0] &&
	       p->to.ip[1] == ((__u64 *)self->ip)[1];
}

/* The kernel's, unless it is to a virtual address that this node may not serve now. */
static __always_inline int xr_not_ours(struct xr_env *env, struct xr_packet *p,
				       enum xr_reason otherwise)
{
	enum xr_reason reason = xr_fence(env->control, p, XR_IN);

	if (reason == XR_REASON_END)
		reason = otherwise;
	xr_env_count(env, reason);
	return reason == otherwise || reason == XR_R_pass_virtual ? XDP_PASS : XDP_DROP;
}

static __always_inline enum xr_verdict xr_alone(struct xr_env *env, struct xr_packet *p)
{
	enum xr_verdict verdict;

	if (__sync_lock_test_and_set(&env->desk->taken, 1)) {
		xr_env_count(env, XR_R_pass_busy);
		return XR_PASS; /* the daemon has what it needs of its own */
	}
	verdict = xr_rules_run(env, p->wire, p->end, p->len, &p->from, bpf_ktime_get_boot_ns());
	__asm__ volatile("" ::: "memory"); /* for the compiler: the desk is this CPU's alone */
	*(volatile __u32 *)&env->desk->taken = 0;
	return verdict;
}

SEC("xdp")
int xr_nic(struct xdp_md *ctx)
{
	struct xr_packet packet = {};
	struct xr_env env = {.ctx = ctx};
	enum xr_parsed parsed;
	__u32 zero = 0;

	env.control = bpf_map_lookup_elem(&xr_control, &zero);
	env.stats = bpf_map_lookup_elem(&xr_stats, &zero);
	env.desk = bpf_map_lookup_elem(&xr_run, &zero);
	if (!env.control || !env.stats || !env.desk)
		return XDP_PASS;

	parsed = xr_parse(ctx, &packet);
	if (parsed == XR_PARSED_SHAPE)
		return xr_not_ours(&env, &packet, XR_R_pass_shape);
	if (parsed == XR_PARSED_OTHER || !xr_for_us(&env, &packet))
		return xr_not_ours(&env, &packet, XR_R_pass_not_ours);
	env.wire_at = packet.udp_at + sizeof(*packet.udp);
	switch (xr_alone(&env, &packet)) {
	case XR_DROP:
		return XDP_DROP;
	case XR_TX:
		xr_answer(&packet);
		return XDP_TX;
	default:
		return XDP_PASS;
	}
}

char _license[] SEC("license") = "Dual BSD/GPL";
