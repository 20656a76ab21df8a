/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a node says of itself, it has looked at (rule 20). This is the list of what is looked at: the
 * warden and the engine each write what they found, in memory that they share; the engine tells people
 * when something begins and when it ends; the status shows what is so now, and how old the look is.
 */
#ifndef XRAFT_LOOKS_H
#define XRAFT_LOOKS_H

#include <stdatomic.h>
#include "common/common.h"
#include "engine/words.h"
#include "xraft/wire.h"

/*
 * X(name, what is wrong, what to do, what is said when it ends). {what} is what the look found; where
 * that holds "; ", what follows is to be done instead. {node} is the node that it is about,
 * {interface} {port} {pins} {others} are this node's.
 */
#define XR_LOOKS(X)                                                                               \
	X(program, "the XDP program of this node is not on {interface}: {what}",                  \
	  "xraftd attaches it again by itself; find out who takes it off",                        \
	  "the XDP program of this node is on {interface} again")                                 \
	X(fence, "the fence of the virtual addresses is not on {interface}: {what}",              \
	  "xraftd attaches it again by itself; find out who takes it off",                        \
	  "the fence of the virtual addresses is on {interface} again")                           \
	X(interface, "{what}", "see ip link", "{interface} is as it should be again")             \
	X(address, "{what}", "see ip address", "this node's address is on this machine again")    \
	X(cards, "{what}", "see ip address",                                                      \
	  "no other interface takes datagrams for {interface} any more")                          \
	X(pins, "{pins}: {what}", "find out who removes them; xraftd pins its maps again",        \
	  "{pins}: the pins are this node's again")                                               \
	X(addresses, "{what} in xr_peers was changed from outside, and is restored",              \
	  "let nobody but xraftd write to {pins}", "xr_peers is as configured")                   \
	X(records, "{what} in the maps was changed from outside, and is restored",                \
	  "let nobody but xraftd write to {pins}", "the records in the maps are this node's own") \
	X(journal, "{what}", "stop this node, and put its state back",                            \
	  "the journal is in its place")                                                          \
	X(nobody, "{what}", "run xraft resume on one of its voters",                              \
	  "each group has a node again that may lead it")                                         \
	X(peer, "node {node} {what}",                                                             \
	  "is its xraftd running, and does no firewall on the way drop UDP port {port}?",         \
	  "node {node} answers again")                                                            \
	X(input, "a firewall on this machine drops (INPUT) what its card passed up: {what}",      \
	  "allow UDP port {port} from {others}; nft list ruleset shows the rule",                 \
	  "what the card passes up arrives again")                                                \
	X(output, "nothing leaves for node {node}: {what}",                                       \
	  "see ip route get, and nft list ruleset", "datagrams leave for node {node} again")      \
	X(size, "{what} do not arrive at node {node}, and smaller ones do",                       \
	  "find what on the way takes no packets of 1500 bytes (a tunnel, a switch), and let it", \
	  "large datagrams arrive at node {node} again")                                          \
	X(detour, "{what}", "let the others' datagrams come in by {interface}; see ip route",     \
	  "the others' datagrams come in by {interface} again")

enum xr_look_kind {
#define X(name, ...) XR_LOOK_##name,
	XR_LOOKS(X)
#undef X
		XR_LOOK_END,
};

enum xr_look_state { XR_LOOK_NEVER, XR_LOOK_WELL, XR_LOOK_WRONG };

/* One thing, as it was last found. Times are CLOCK_BOOTTIME. */
struct xr_look {
	enum xr_look_state state;
	uint32_t begun;	    /* how often it went wrong */
	uint64_t since_ns;  /* of this state */
	uint64_t looked_ns; /* the last look */
	char what[320];	    /* that is wrong, or was last */
};

struct xr_look_slot {
	_Atomic uint32_t sequence; /* odd while it is being written */
	struct xr_look look;
};

struct xr_looks {
	/* Words of the sentences above; the warden's, before an engine lives. */
	char interface[16], pins[64], others[160];
	uint16_t port;
	/* What changed at the interface: the engine asks anew whether its answers arrive. */
	_Atomic uint32_t path_again;
	/* By what it is about: a node, or 0. Each has one writer, and any readers. */
	struct xr_look_slot of[XR_LOOK_END][XR_NODE_MAX + 1];
	/* Of which people know; the engine's. */
	struct xr_look_told {
		uint32_t begun;
		bool open;
	} told[XR_LOOK_END][XR_NODE_MAX + 1];
};

/* Write down what was found: it is well, or what is wrong. */
void xr_look_well(struct xr_looks *looks, enum xr_look_kind kind, uint8_t node, uint64_t now_ns);
__attribute__((format(printf, 5, 6))) void xr_look_wrong(struct xr_looks *looks,
							 enum xr_look_kind kind, uint8_t node,
							 uint64_t now_ns, const char *fmt, ...);
/* Nobody can look any more. */
void xr_look_forget(struct xr_looks *looks, enum xr_look_kind kind, uint8_t node);
/* In one: `what` is "" where it is well. */
void xr_look_note(struct xr_looks *looks, enum xr_look_kind kind, uint8_t node, uint64_t now_ns,
		  const char *what);

/* False: its writer has died while it wrote, or has stood still for as long; it is as he left it. */
bool xr_look_read(const struct xr_looks *looks, enum xr_look_kind kind, uint8_t node,
		  struct xr_look *out);

/* What the card has passed up for this node's socket, and what of it has come in. */
struct xr_look_arrivals {
	uint64_t passed;     /* when some last came in */
	uint64_t before;     /* at the last look */
	uint64_t received;   /* likewise */
	uint64_t arrived_ns; /* when some were last seen to come in */
	uint64_t looked_ns;
};
/* XR_LOOK_input: between card and socket there is only this machine. */
void xr_look_at_arrivals(struct xr_looks *looks, struct xr_look_arrivals *a, uint64_t passed,
			 uint64_t received, uint64_t now_ns);

/* Bit n: node n does not answer, so that it can neither vote nor lead. NULL: nobody looks. */
uint32_t xr_looks_deaf(const struct xr_looks *looks);

const char *xr_look_name(enum xr_look_kind kind);
/* The sentences. */
void xr_look_says(const struct xr_looks *looks, enum xr_look_kind kind, uint8_t node,
		  const struct xr_look *look, struct xr_text *wrong, struct xr_text *remedy);
void xr_look_ended(const struct xr_looks *looks, enum xr_look_kind kind, uint8_t node,
		   struct xr_text *text);

/* Tell of what began and what ended since the last call; what did both is told as both. */
void xr_looks_tell(struct xr_looks *looks,
		   void (*tell)(void *world, bool wrong, uint8_t node, const char *text),
		   void *world);

#endif
