/* SPDX-License-Identifier: GPL-2.0-only */
/* rules.h's way to the maps in userspace: they are arrays in memory. */
#ifndef XRAFT_NET_ENV_H
#define XRAFT_NET_ENV_H

#include <stddef.h>
#include "xraft/rules.h"

struct xr_env {
	struct xr_group *groups;
	struct xr_acks *acks;
	__u32 ngroups;
	struct xr_control *control;
	struct xr_peer *peers;	/* [XR_NODE_MAX + 1] */
	struct xr_key *keys;	/* [2], by id & 1 */
	struct xr_stats *stats; /* the daemon's own counters */
	struct xr_run run;
	/* Rule 15: what an answered datagram left to be decided. Reset by the caller. */
	struct xr_event_rec pending[XR_RECORDS];
	__u32 npending;
};

static __always_inline struct xr_group *xr_env_group(struct xr_env *env, __u32 id)
{
	return id < env->ngroups ? &env->groups[id] : NULL;
}

static __always_inline struct xr_acks *xr_env_acks(struct xr_env *env, __u32 id)
{
	return id < env->ngroups ? &env->acks[id] : NULL;
}

static __always_inline struct xr_peer *xr_env_peer(struct xr_env *env, __u32 node)
{
	return node <= XR_NODE_MAX ? &env->peers[node] : NULL;
}

static __always_inline struct xr_key *xr_env_key(struct xr_env *env, __u32 slot)
{
	return slot < 2 ? &env->keys[slot] : NULL;
}

static __always_inline struct xr_control *xr_env_control(struct xr_env *env)
{
	return env->control;
}

static __always_inline struct xr_run *xr_env_run(struct xr_env *env)
{
	return &env->run;
}

static __always_inline void xr_env_count(struct xr_env *env, enum xr_reason reason)
{
	((__u64 *)env->stats)[reason]++;
}

static __always_inline void xr_env_report(struct xr_env *env, const struct xr_wire *h,
					  const struct xr_record *rec)
{
	env->pending[env->npending++] = (struct xr_event_rec){
		.record = *rec,
		.sent_ns = h->sent_ns,
		.min_timeout_us = h->min_timeout_us,
		.type = h->type,
		.source = h->source,
	};
}

static __always_inline __u64 xr_env_tag(struct xr_env *env, const struct xr_wire *h,
					const void *end, __u32 len, const struct xr_sip_key *key)
{
	(void)env;
	return xr_tag(h, end, len, key);
}

static __always_inline void xr_env_each(__u32 count, xr_step step, void *arg)
{
	for (__u32 i = 0; i < count; i++)
		if (step(i, arg))
			break;
}

/* Rule 8: the process that runs this is alive, but its loop or its disk may not be. */
static __always_inline enum xr_reason xr_env_may_answer(struct xr_env *env, const struct xr_wire *h,
							__u64 now)
{
	(void)h;
	if ((__s64)(env->control->alive_until_ns - now) <= 0)
		return XR_R_pass_not_alive;
	return XR_REASON_END;
}

#endif
