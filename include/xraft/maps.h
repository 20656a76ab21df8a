/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The state that the NIC path and the daemon share, pinned under
 * /sys/fs/bpf/xraft/<cluster>-<node>/ and readable with bpftool. All times are CLOCK_BOOTTIME in
 * nanoseconds. Rule 13 says who writes: the engine writes view, lead_since and deadline, and the
 * warden does once the engine is dead; each run that accepts a datagram moves stamps, marks and
 * acks, by compare-exchange; the NIC path counts.
 */
#ifndef XRAFT_MAPS_H
#define XRAFT_MAPS_H

#include <linux/types.h>
#include "xraft/wire.h"
#include "xraft/siphash.h"

#define XR_ABI	      5	 /* of everything in this file; daemon and program compare it at start */
#define XR_NAME_SIZE  16 /* of cluster and group names, with the final NUL */
#define XR_GROUPS_MAX 131072
#define XR_PRIORITY   100 /* of a node of which the configuration says none */
#define XR_BPFFS_DIR  "/sys/fs/bpf/xraft"

enum xr_mode {
	XR_NONE = 0,   /* answers nobody: no leader, or fenced while the daemon decides */
	XR_FOLLOW = 1, /* follows `leader` in `term` */
	XR_LEAD = 2,   /* leads in `term`; `leader` is this node */
} __attribute__((packed));

/* What a node has published about a group: one word, read and written atomically (rule 2). */
struct xr_view {
	__u32 term;
	__u16 spare;
	__u8 leader;
	enum xr_mode mode;
} __attribute__((aligned(8)));

/* What the daemon is doing, for people to see; no rule reads it. */
enum xr_role {
	XR_FOLLOWER = 0,
	XR_CANDIDATE = 1,
	XR_LEADER = 2,
} __attribute__((packed));

/* xr_groups[id]: one cache line a group. */
struct xr_group {
	struct xr_view view;
	__u64 contact_ns;    /* newest accepted heartbeat, by our clock (rule 4) */
	__u64 replay;	     /* newest accepted heartbeat, by the leader's clock (rule 10) */
	__u64 lead_since_ns; /* read before this LEAD was published (rule 5) */
	/*
	 * Bit n: node n votes; bit 16 + n: it is a learner; 0: no such group. As the durable entry
	 * says, or the configuration where there is none; this node's own bits only where the birth
	 * is its own (rule 27).
	 */
	__u32 members;
	__u32 durable_term; /* shown only: the journal is the truth */
	__u16 digest;	    /* of name and voters (rule 10) */
	__u8 voted_for;	    /* shown only: in durable_term, 0 nobody */
	enum xr_role role;  /* shown only */
	/*
	 * The durable entry as a record of the view's term names it (rule 24). The engine writes it;
	 * who accepts a heartbeat adds XR_COMMITTED, by compare-exchange.
	 */
	__u32 entry;
	char name[XR_NAME_SIZE];
} __attribute__((aligned(64)));

/* xr_acks[id], by node id: what each peer has let this node know of itself. */
struct xr_acks {
	__u64 echo_ns[XR_NODE_MAX + 1]; /* the newest `sent_ns` of ours that it has acked */
	/* The newest term in which it acked our heartbeats or gave us its vote (rule 18). */
	__u32 term[XR_NODE_MAX + 1];
	__u32 paused;	/* bit n: node n stands for no election, as it told; this node: on disk */
	__u32 paused_s; /* shown only: since when this one, by CLOCK_REALTIME */
};

/*
 * xr_values[id]: the group's entry, for readers. The engine alone writes it. Each map value has as
 * many bytes behind this as the configuration says (value_bytes).
 */
struct xr_value {
	__u64 sequence;	 /* odd while the rest is being written */
	__u64 id;	 /* of the entry, term << 32 | index; 0: there never was one */
	__u64 committed; /* the newest that is known to be committed */
	__u16 voters;
	__u16 learners;
	__u16 size;  /* of the value; more than there is room for: it is not here */
	__u16 acked; /* of a leader, shown only: bit n: node n has it on disk */
	__u32 birth[XR_NODE_MAX + 1];
};

/* xr_peers[node] */
struct xr_peer {
	__u8 ip[16]; /* IPv6, or IPv4 as ::ffff:a.b.c.d */
	__u16 port;
	__u8 used;
	__u8 priority; /* the higher, the sooner it leads; 0: a witness, which never does */
	__u8 spare[4];
	__u64 lives;	/* of this node and the peer, as in struct xr_wire; 0: not introduced */
	__u64 received; /* datagrams with a valid tag, at the NIC path */
	__u64 answered; /* of these, by XDP_TX */
};

/* xr_addresses[ip]: a virtual address, served only while this node holds its group's lease. */
struct xr_ip {
	__u8 ip[16]; /* as in struct xr_peer */
};

struct xr_address {
	__u32 group;
	__u8 prefix; /* of its network; shown only */
	__u8 spare[3];
};

/* How the NIC path got onto the interface; shown only. */
enum xr_nic_mode {
	XR_NIC_OFF = 0, /* the daemon answers by itself */
	XR_NIC_NATIVE = 1,
	XR_NIC_GENERIC = 2,
} __attribute__((packed));

enum xr_nic_attach {
	XR_ATTACH_NONE = 0,
	XR_ATTACH_SINGLE = 1,	  /* the interface's only XDP program */
	XR_ATTACH_DISPATCHER = 2, /* beside others, by libxdp's dispatcher */
} __attribute__((packed));

/* Is what XDP_TX sends really delivered? */
enum xr_tx_path {
	XR_TX_UNTESTED = 0,
	XR_TX_DELIVERED = 1,
	XR_TX_LOST = 2,
} __attribute__((packed));

/*
 * xr_control[0]. Every ABI has the fields up to `cluster`, so that each version can tell whether
 * maps that another one left behind are this node's.
 */
struct xr_control {
	__u32 abi;   /* XR_ABI */
	__u8 self;   /* node id */
	__u8 answer; /* 0: the NIC path passes everything up (its answers do not arrive) */
	__u16 port;
	char cluster[XR_NAME_SIZE];
	__u64 alive_until_ns; /* the NIC path answers only before it (rule 8) */
	__u64 heard_ns;	      /* when the engine last turned its loop; the warden looks at it */
	__u32 pidns;	      /* inode of the pid namespace that the pids are of; 0: not known */
	__u32 groups;	      /* group ids are 0 ... groups-1 */
	__u32 min_timeout_us; /* D */
	__u32 max_timeout_us;
	__u32 heartbeat_us;
	__u32 stall_limit_us;
	__u32 quorum_lapse_us; /* a leader whose majority is silent for this long stops (rule 12) */
	__u32 drift_permille;  /* r of rule 5 */
	__s32 pid;	       /* of the engine; shown only */
	__s32 warden_pid;      /* of its parent, which restarts it; shown only */
	__u32 ifindex;	       /* in the network namespace `netns` */
	enum xr_nic_mode nic_mode;
	enum xr_nic_attach nic_attach;
	enum xr_tx_path tx_path;
	__u8 spare;
	__u64 pid_start; /* of `pid`, as in /proc/PID/stat; 0: not known. Pids are used again */
	__u64 netns;	 /* inode of the daemon's network namespace; 0: not known */
	__u64 timens;	 /* likewise of its time namespace: in another one clocks differ */
	char interface[16];
	__u64 life;  /* of the engine, random (rule 17); shown only */
	__u32 birth; /* of the state, random; 0: it did not join (rule 27); shown only */
	__u32 padding;
};

/* The fields that every ABI has. */
#define XR_CONTROL_STABLE __builtin_offsetof(struct xr_control, alive_until_ns)

/* xr_key[id & 1]: the two keys accepted at a time. Not pinned, never printed. */
struct xr_key {
	struct xr_sip_key sip;
	__u32 used;
	__u8 id;
	__u8 spare[3];
};

/*
 * Every verdict and its reason. One list makes the counters' names in BTF, their numbers and the
 * explanations that `xraft status --counters` prints.
 */
#define XR_REASONS(X)                                                                            \
	X(heartbeat_answered, "heartbeat records acked")                                         \
	X(heartbeat_refused, "heartbeat records of an older term, refused with the current one") \
	X(heartbeat_withheld,                                                                    \
	  "heartbeat records accepted, not answered: fenced, or stamped later by another run")   \
	X(heartbeat_pending, "heartbeat records left to the daemon by an answered datagram")     \
	X(poll_answered, "polls turned into heartbeats")                                         \
	X(path_answered, "path tests echoed")                                                    \
	X(ack_stamped, "acks stamped")                                                           \
	X(ack_ignored, "acks of another term, or that acknowledge nothing")                      \
	X(pass_heartbeat, "heartbeats of a newer term or another leader, to the daemon")         \
	X(pass_ack, "refusals with a newer term, to the daemon")                                 \
	X(pass_entry, "acks that name another entry than the committed one, to the daemon too")  \
	X(pass_append, "entries, to the daemon")                                                 \
	X(pass_poll, "polls that only the daemon can answer")                                    \
	X(pass_vote, "votes, prevotes, resignations, to the daemon")                             \
	X(pass_fact, "introductions and path tests, to the daemon")                              \
	X(pass_not_alive, "passed up: the daemon did not renew its deadline")                    \
	X(pass_no_socket, "passed up: the daemon's socket is gone")                              \
	X(pass_no_answer, "passed up: answers at the NIC are switched off")                      \
	X(pass_busy, "passed up: it preempted another run on its CPU")                           \
	X(pass_not_ours, "not xraft's: untouched")                                               \
	X(pass_shape, "fragments, or with IP options: untouched")                                \
	X(pass_virtual,                                                                          \
	  "to or from a virtual address, which this node serves: it holds the lease")            \
	X(drop_virtual_in, "to a virtual address, while this node does not hold the lease")      \
	X(drop_virtual_ask, "ARP and neighbour requests for one, likewise")                      \
	X(drop_virtual_out, "from a virtual address, or naming it as ours, likewise")            \
	X(drop_short, "shorter than it says")                                                    \
	X(drop_magic, "on our port, but not xraft's")                                            \
	X(drop_version, "unknown version")                                                       \
	X(drop_type, "unknown type")                                                             \
	X(drop_source, "unknown sender, or not addressed to this node")                          \
	X(drop_address, "not from the sender's configured address")                              \
	X(drop_life, "said by, or to, another life of a node; or not introduced")                \
	X(drop_key, "unknown key id")                                                            \
	X(drop_tag, "wrong tag: another key, or forged")                                         \
	X(drop_group, "unknown group, or the sender is no voter of it")                          \
	X(drop_digest, "another idea of the group's name or voters")                             \
	X(drop_birth, "votes of a node that was wiped, and is a member by its old state")        \
	X(drop_timing, "the leader's minimum election timeout is larger than ours")              \
	X(drop_replay, "heartbeats and others seen before, or overtaken")                        \
	X(events_lost, "events for the daemon that found the ring full")

enum xr_reason {
#define X(name, text) XR_R_##name,
	XR_REASONS(X)
#undef X
		XR_REASON_END,
};

/* xr_stats: [XR_STATS_NIC] counted by the NIC path, [XR_STATS_DAEMON] by the daemon's slow path. */
struct xr_stats {
#define X(name, text) __u64 name;
	XR_REASONS(X)
#undef X
};

#define XR_STATS_NIC	0
#define XR_STATS_DAEMON 1

/* xr_events: what an answered datagram left for the daemon to decide (rule 15). */
struct xr_event_rec {
	struct xr_record record;
	__u64 sent_ns;
	__u32 min_timeout_us;
	__u8 type; /* enum xr_type of the datagram */
	__u8 source;
	__u16 spare;
};

/*
 * Is `a` earlier than `b`? Differences of times are signed: another CPU may have stamped a little
 * after we read the clock, and unsigned that would be an age of centuries.
 */
static __always_inline int xr_before(__u64 a, __u64 b)
{
	return (__s64)(a - b) < 0;
}

/* A view as the word that it is. */
union xr_word {
	struct xr_view view;
	__u64 word;
};

static __always_inline union xr_word xr_view_read(const struct xr_group *g)
{
	union xr_word v;

	v.word = *(const volatile __u64 *)&g->view;
	return v;
}

/* Voters and learners of `members`, bit n: node n. */
static __always_inline __u32 xr_members(__u32 members)
{
	return (members | members >> XR_LEARNER_SHIFT) & 0xffff;
}

/* A voter or a learner. */
static __always_inline int xr_is_member(const struct xr_group *g, __u8 node)
{
	return node <= XR_NODE_MAX && (xr_members(g->members) >> node & 1);
}

_Static_assert(sizeof(struct xr_view) == 8, "one word (rule 2)");
_Static_assert(sizeof(struct xr_group) == 64, "one cache line a group");
_Static_assert(sizeof(struct xr_acks) == 128, "two cache lines a group");
_Static_assert(sizeof(struct xr_value) == 72, "shared layout");
_Static_assert(sizeof(struct xr_peer) == 48, "shared layout");
_Static_assert(sizeof(struct xr_ip) == 16 && sizeof(struct xr_address) == 8, "shared layout");
_Static_assert(sizeof(struct xr_control) == 144, "shared layout");
_Static_assert(sizeof(struct xr_stats) == XR_REASON_END * sizeof(__u64), "a counter a reason");

#endif
