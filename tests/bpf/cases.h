/* SPDX-License-Identifier: GPL-2.0-only */
/* One line a packet: what differs from the default heartbeat, and all that must come of it. */
#ifndef XRAFT_TESTS_CASES_H
#define XRAFT_TESTS_CASES_H

#include "rig.h"

#define CASE_SENT    (500 * NS_PER_S) /* by the sender's clock, unrelated to ours */
#define CASE_SETS    8
#define CASE_MOVED   6
#define CASE_RECORDS 8

/* A field that differs from the default; the value is in host order, as the structs are. */
struct case_set {
	enum { SET_NOTHING, SET_PACKET, SET_WORLD, SET_FRAME } where;
	unsigned offset, size;
	bool from_now; /* the value is added to the world's clock */
	__u64 value;
};

/* A bit for each group. */
typedef unsigned __int128 case_groups;

_Static_assert(RIG_GROUPS <= 8 * sizeof(case_groups), "a bit for each group");

enum case_role { FOLLOWS, LEADS };
enum case_family { BOTH, IPV4, IPV6 };
enum case_socket { OURS, NO_SOCKET, FOREIGN };

struct nic_case {
	const char *name;
	enum case_role role; /* of node 1, which receives it from node 2 */
	enum case_family family;
	enum case_socket socket;
	unsigned records; /* for groups 0 ... n-1; else one */
	struct case_set set[CASE_SETS];
	int verdict; /* enum xdp_action */
	struct {
		enum xr_reason reason;
		unsigned count;
	} moved[CASE_MOVED];	   /* these counters and no others; a count of 0 ends them */
	case_groups stamped;	   /* bit n: contact and mark of group n moved */
	case_groups marked;	   /* bit n: only the mark did */
	case_groups acked;	   /* bit n: the sender's ack in group n moved to the echo */
	case_groups known;	   /* bit n: only the term that is known of it did */
	case_groups noted;	   /* bit n: the entry of group n is known to be committed now */
	__u16 flags[CASE_RECORDS]; /* of the first records of an answer */
	__u32 entry;		   /* of the first; the others name none */
	unsigned events;
};

extern const struct nic_case nic_cases[];
extern const unsigned nic_ncases;

/* The state and the frame of a case. The socket is the caller's. */
void case_prepare(const struct nic_case *c, bool ipv6, struct world *w, struct packet *p);

#endif
