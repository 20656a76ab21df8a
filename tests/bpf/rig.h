/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A test bench for the NIC path: one frame through the loaded XDP program and through the native
 * build of the rules, from the same state, and everything that came of it on each side.
 */
#ifndef XRAFT_TESTS_RIG_H
#define XRAFT_TESTS_RIG_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "frame.h"

#define RIG_GROUPS 128 /* more than a datagram has records */
#define RIG_EVENTS 128
#define RIG_SELF   1

/* Each node's only life, and what a datagram between two of them has to say of lives (rule 17). */
#define RIG_LIFE(node)	(0x9e3779b97f4a7c15ull * (node))
#define RIG_LIVES(a, b) (RIG_LIFE(a) ^ RIG_LIFE(b))

/* All state that the NIC path reads or moves. */
struct world {
	struct xr_group groups[RIG_GROUPS];
	struct xr_acks acks[RIG_GROUPS];
	struct xr_control control;
	struct xr_peer peers[XR_NODE_MAX + 1];
	struct xr_key keys[2];
	__u64 now; /* about when it was made; no map */
};

struct outcome {
	int verdict; /* enum xdp_action */
	__u8 frame[FRAME_MAX];
	__u32 len;
	struct world world;
	struct xr_stats moved; /* how far each counter moved */
	struct xr_event_rec events[RIG_EVENTS];
	__u32 nevents;
};

struct rig {
	struct bpf_object *object;
	struct ring_buffer *ring;
	int prog, stats, peers, keys, sockets;
	struct xr_group *groups; /* these three are the maps themselves */
	struct xr_acks *acks;
	struct xr_control *control;
	struct xr_stats seen; /* counters so far */
	int cpus;
	int socket;	     /* -1: none */
	bool ours;	     /* the socket is the engine's own */
	bool deaf;	     /* leave events in the ring */
	struct outcome *out; /* where events go */
	struct world last;   /* what the maps that are no memory of ours hold */
};

/*
 * A private network namespace, one CPU, the loaded program, the engine's socket. `path` is the
 * object file. 0, or a negative errno with `why`: -EPERM when there are no rights for it.
 */
int rig_open(struct rig *rig, const char *path, struct xr_why *why);
void rig_close(struct rig *rig);

/* A socket on the port, which listens to both families: the engine's own, or somebody else's. */
int rig_socket(struct rig *rig, bool ours);
/* The NIC path is told that rig->socket is the engine's own. */
int rig_socket_tell(struct rig *rig);
void rig_socket_close(struct rig *rig);

/* Nodes 1 ... 4 of one family; 1 ... 3 vote in all groups, and follow node 2 in term 7. */
void world_default(struct world *w, bool ipv6);
/* The same, but node 1 leads, and node 2 has acked of late; known is that it did in term 6. */
void world_lead(struct world *w);

void rig_load(struct rig *rig, const struct world *w);

/* How far each counter has moved since the last time. */
void rig_moved(struct rig *rig, struct xr_stats *moved);

/* Through the program, from the state that is loaded. `began` and `ended` enclose its clock. */
int rig_run_kernel(struct rig *rig, const __u8 *frame, __u32 len, struct outcome *out, __u64 *began,
		   __u64 *ended);

/* Through the native rules, from the state `w`, at the instant `now`. */
void rig_run_native(const struct rig *rig, const struct world *w, const __u8 *frame, __u32 len,
		    __u64 now, struct outcome *out);

/* When the program ran, found in what it did; `otherwise` if it left no trace of the clock. */
__u64 rig_found_now(const struct world *before, const struct outcome *out, __u64 otherwise);

/* Did `now` come from a clock that ran between the two? */
bool rig_between(__u64 began, __u64 now, __u64 ended);

/* NULL if both sides agree in all, else what differs. */
const char *rig_compare(const struct outcome *kernel, const struct outcome *native);

const char *rig_reason(int reason);

#endif
