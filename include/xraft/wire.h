/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The wire: what xraft nodes send each other in UDP datagrams, over IPv4 or IPv6, on one port.
 *
 * A datagram is a header and `count` bodies of one size, little-endian, without implicit padding,
 * a whole number of 64-bit words. Heartbeats, their answers and polls carry records; votes,
 * prevotes and resignations carry vote bodies. An answer has the size of what it answers, so that
 * the NIC path builds it in place. tests/golden/ holds datagrams byte by byte with their meaning.
 */
#ifndef XRAFT_WIRE_H
#define XRAFT_WIRE_H

#include <linux/types.h>

#define XR_WIRE_MAGIC	0x54465258u /* "XRFT" as bytes on the wire */
#define XR_WIRE_VERSION 1
#define XR_PORT		7007

#define XR_NODE_MAX	9    /* node ids are 1 ... 9 */
#define XR_DATAGRAM_MAX 1432 /* UDP payload of a 1500-byte IPv6 packet, in whole words */

#define xr_each_node(node) for (__u8 node = 1; (node) <= XR_NODE_MAX; (node)++)

/* Those whose bit is set in `mask`, which is read anew for each. */
#define xr_each_node_of(node, mask)             \
	xr_each_node(node)                      \
		if (!(1u << (node) & (mask))) { \
		} else

/* What follows the header `count` times, and its size in 64-bit words. */
enum xr_body {
	XR_BODY_NONE = 0,
	XR_BODY_RECORD = 3,
	XR_BODY_BALLOT = 5,
};

enum xr_place { XR_AT_DAEMON, XR_AT_NIC };

/*
 * All that can be said: number, body, what answers it (0: nothing), where it is decided, and the
 * words for people. Each step has a type of its own, so that every chain of answers ends (rule 9).
 *
 * HEARTBEAT is AppendEntries without entries, from leader to follower; an ACK echoes its `sent_ns`.
 * With a POLL an anxious follower asks its leader for a heartbeat. A PREVOTE ("would you vote for
 * me in this term?") changes nothing. RESIGN: "I no longer lead this group in this term".
 * PATH: is what a NIC path answers really delivered? ASK (to a peer's daemon) -> TEST (back to the
 * asker's NIC path) -> ECHO (by XDP_TX, to the peer's daemon) -> DELIVERED.
 */
#define XR_TYPES(X)                                                            \
	X(XR_HEARTBEAT, 1, RECORD, XR_ACK, NIC, "heartbeat")                   \
	X(XR_ACK, 2, RECORD, 0, NIC, "ack")                                    \
	X(XR_POLL, 3, RECORD, XR_HEARTBEAT, NIC, "poll")                       \
	X(XR_VOTE, 4, BALLOT, XR_VOTE_ANSWER, DAEMON, "vote request")          \
	X(XR_VOTE_ANSWER, 5, BALLOT, 0, DAEMON, "vote answer")                 \
	X(XR_PREVOTE, 6, BALLOT, XR_PREVOTE_ANSWER, DAEMON, "prevote request") \
	X(XR_PREVOTE_ANSWER, 7, BALLOT, 0, DAEMON, "prevote answer")           \
	X(XR_RESIGN, 8, BALLOT, 0, DAEMON, "resignation")                      \
	X(XR_PATH_ASK, 9, NONE, XR_PATH_TEST, DAEMON, "path ask")              \
	X(XR_PATH_TEST, 10, NONE, XR_PATH_ECHO, NIC, "path test")              \
	X(XR_PATH_ECHO, 11, NONE, XR_PATH_DELIVERED, DAEMON, "path echo")      \
	X(XR_PATH_DELIVERED, 12, NONE, 0, DAEMON, "path delivered")

enum xr_type {
#define X(name, number, body, answer, place, text) name = (number),
	XR_TYPES(X)
#undef X
		XR_TYPE_END,
};

/* 40 bytes. All fields but `tag` are covered by the tag, and so are the bodies. */
struct xr_wire {
	__u32 magic;
	__u8 version;
	__u8 type;   /* enum xr_type */
	__u8 source; /* node id of the sender; with `dest` this is the tag's direction */
	__u8 dest;
	__u16 count;	      /* of records or vote bodies; 0 for types without */
	__u8 key_id;	      /* which of the two keys made the tag */
	__u8 spare;	      /* zero */
	__u32 min_timeout_us; /* D, the sender's minimum election timeout (rule 5) */
	__u64 sent_ns;	      /* the sender's CLOCK_BOOTTIME */
	__u64 echo_ns;	      /* in an answer: the `sent_ns` of what it answers */
	__u64 tag;	      /* SipHash-2-4 over the header before it and all that follows it */
};

/* Flags of a record in an XR_ACK. */
#define XR_ACKED   0x1 /* accepted: contact stamped, no vote for anyone else within D */
#define XR_REFUSED 0x2 /* of an older term; `term` is now the refuser's own */
#define XR_PENDING 0x4 /* not decided here; the daemon was told, ask again (rule 15) */

/* 24 bytes: one group in a heartbeat, its answer or a poll. */
struct xr_record {
	__u32 group;
	__u32 term;
	__u16 digest; /* of the group's name and voters (rule 10) */
	__u16 flags;
	__u32 spare;
	__u64 commit; /* commit index; 0 until there is a log */
};

/* Flags of a vote body. */
#define XR_GRANTED 0x1

/*
 * 40 bytes: one group in RequestVote, PreVote, their answers, or a resignation.
 * Request: `term` is the term asked for. Answer to RequestVote: the voter's term. Answer to
 * PreVote: the request's term when granted, else the voter's own (etcd#8243: without it a node
 * left behind stays leaderless for ever). Resignation: the term resigned; `node` is the heir.
 */
struct xr_ballot {
	__u32 group;
	__u32 term;
	__u16 digest;
	__u16 flags;
	__u32 round;	  /* of the PreVote or vote; an answer repeats it */
	__u64 last_index; /* of the candidate's log, compared as (last_term, last_index) */
	__u32 last_term;
	__u32 lift_term;  /* request of an heir: the term that `lift_leader` has resigned */
	__u8 lift_leader; /* 0: nobody resigned */
	__u8 node;	  /* resignation: the heir, 0 none */
	__u8 pad[6];
};

#define XR_RECORD_MAX ((XR_DATAGRAM_MAX - sizeof(struct xr_wire)) / sizeof(struct xr_record))
#define XR_BALLOT_MAX ((XR_DATAGRAM_MAX - sizeof(struct xr_wire)) / sizeof(struct xr_ballot))
#define XR_RECORDS    58 /* XR_RECORD_MAX as a plain number, for loops the verifier bounds */

_Static_assert(sizeof(struct xr_wire) == 40, "wire layout");
_Static_assert(sizeof(struct xr_record) == 8 * XR_BODY_RECORD, "wire layout");
_Static_assert(sizeof(struct xr_ballot) == 8 * XR_BODY_BALLOT, "wire layout");
_Static_assert(XR_RECORD_MAX == XR_RECORDS, "one datagram, one full MTU");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "fields are used as they are sent");

/*
 * A column of the list is a word of four bits a type: no branch and no table, so that the verifier
 * walks one way. What is no type has 0.
 */
static inline __u8 xr_type_look(__u64 column, __u8 type)
{
	_Static_assert(XR_TYPE_END <= 16, "four bits a type");
	return type < XR_TYPE_END ? column >> 4 * type & 15 : 0;
}

static inline enum xr_body xr_type_body(__u8 type)
{
#define X(name, number, body, answer, place, text) | (__u64)XR_BODY_##body << 4 * (number)
	return (enum xr_body)xr_type_look(0 XR_TYPES(X), type);
#undef X
}

/* What a datagram of this type is answered with, or 0. */
static inline __u8 xr_type_answer(__u8 type)
{
#define X(name, number, body, answer, place, text) | (__u64)(answer) << 4 * (number)
	return xr_type_look(0 XR_TYPES(X), type);
#undef X
}

static inline enum xr_place xr_type_place(__u8 type)
{
#define X(name, number, body, answer, place, text) | (__u64)XR_AT_##place << 4 * (number)
	return (enum xr_place)xr_type_look(0 XR_TYPES(X), type);
#undef X
}

static inline const char *xr_type_text(__u8 type)
{
	switch (type) {
#define X(name, number, body, answer, place, text) \
	case number:                               \
		return text;
		XR_TYPES(X)
#undef X
	}
	return "?";
}

/* Size of one body of a datagram of this type in bytes; 0 for those that have none. */
static inline __u32 xr_wire_body_size(__u8 type)
{
	return 8 * xr_type_body(type);
}

#endif
