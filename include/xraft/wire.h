/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The wire: what xraft nodes send each other in UDP datagrams, over IPv4 or IPv6, on one port.
 *
 * A datagram is a header and `count` bodies of one size, little-endian, without implicit padding,
 * a whole number of 64-bit words. Heartbeats, their answers and polls carry records; votes,
 * prevotes and resignations carry vote bodies; introductions and path tests carry facts. An answer
 * to a record has the size of what it answers, so that the NIC path builds it in place.
 * tests/golden/ holds datagrams byte by byte with their meaning.
 */
#ifndef XRAFT_WIRE_H
#define XRAFT_WIRE_H

#include <linux/types.h>

#define XR_WIRE_MAGIC	0x54465258u /* "XRFT" as bytes on the wire */
#define XR_WIRE_VERSION 3
#define XR_PORT		7007

#define XR_NODE_MAX	 9    /* node ids are 1 ... 9 */
#define XR_LEARNER_SHIFT 16   /* of learners beside voters, in one word */
#define XR_DATAGRAM_MAX	 1440 /* 87 records; a 1500-byte IPv6 packet has room for 1452 bytes */
#define XR_VALUE_MAX	 1024 /* bytes that a group agrees on, in its entry */

#define XR_NODES 0x3feu /* bit n: node n */

#define xr_each_node(node) for (__u8 node = 1; (node) <= XR_NODE_MAX; (node)++)

/* Those whose bit is set in `mask`, which is read anew for each. */
#define xr_each_node_of(node, mask)             \
	xr_each_node(node)                      \
		if (!(1u << (node) & (mask))) { \
		} else

/* What follows the header `count` times. */
enum xr_body { XR_BODY_NONE, XR_BODY_FACT, XR_BODY_RECORD, XR_BODY_BALLOT, XR_BODY_WORD };

/* The size of each in 64-bit words. */
#define XR_WORDS_FACT	2
#define XR_WORDS_RECORD 2
#define XR_WORDS_BALLOT 5
#define XR_WORDS_WORD	1 /* of one struct xr_append, which is as long as its value */

enum xr_place { XR_AT_DAEMON, XR_AT_NIC };

/*
 * All that can be said: number, body, what answers it (0: nothing), where it is decided, and the
 * words for people. Each step has a type of its own, so that every chain of answers ends (rule 9).
 *
 * HEARTBEAT is AppendEntries without entries, from leader to follower; an ACK echoes its `sent_ns`.
 * APPEND is AppendEntries with the group's entry, and is acked like a heartbeat once that is durable.
 * A HAND_ON brings an entry to who asks for votes, or acks, without it, from anyone (rule 24).
 * With a POLL an anxious follower asks its leader for a heartbeat. A PREVOTE ("would you vote for
 * me in this term?") changes nothing. RESIGN: "I no longer lead this group in this term".
 * With ASK and TELL nodes introduce themselves (rule 17): who are you, and what do you know of me?
 * PATH: is what a NIC path answers really delivered? TEST (of an asker's NIC path, which asked for
 * it) -> ECHO (by XDP_TX, to the peer's daemon) -> DELIVERED. All of them carry the asker's nonce.
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
	X(XR_ASK, 9, FACT, XR_TELL, DAEMON, "ask")                             \
	X(XR_TELL, 10, FACT, 0, DAEMON, "tell")                                \
	X(XR_PATH_TEST, 11, FACT, XR_PATH_ECHO, NIC, "path test")              \
	X(XR_PATH_ECHO, 12, FACT, XR_PATH_DELIVERED, DAEMON, "path echo")      \
	X(XR_PATH_DELIVERED, 13, FACT, 0, DAEMON, "path delivered")            \
	X(XR_APPEND, 14, WORD, XR_ACK, DAEMON, "append")                       \
	X(XR_HAND_ON, 15, WORD, 0, DAEMON, "hand on")

enum xr_type {
#define X(name, number, body, answer, place, text) name = (number),
	XR_TYPES(X)
#undef X
		XR_TYPE_END,
};

/* 48 bytes. All fields but `tag` are covered by the tag, and so are the bodies. */
struct xr_wire {
	__u32 magic;
	__u8 version;
	__u8 type;   /* enum xr_type */
	__u8 source; /* node id of the sender; with `dest` this is the tag's direction */
	__u8 dest;
	__u16 count;	      /* of bodies */
	__u8 key_id;	      /* which of the two keys made the tag */
	__u8 spare;	      /* zero */
	__u32 min_timeout_us; /* D, the sender's minimum election timeout (rule 5) */
	__u64 sent_ns;	      /* the sender's CLOCK_BOOTTIME */
	__u64 echo_ns;	      /* in an answer: the `sent_ns` of what it answers */
	/*
	 * The lives of sender and receiver, one XOR the other: a datagram is for one life of each
	 * (rule 17). In XR_ASK and XR_TELL the life of the sender alone.
	 */
	__u64 lives;
	__u64 tag; /* SipHash-2-4 over the header before it and all that follows it */
};

/* Flags of a record in an XR_ACK. */
#define XR_ACKED   0x1 /* accepted: contact stamped, no vote for anyone else within D */
#define XR_REFUSED 0x2 /* of an older term; `term` is now the refuser's own */
#define XR_PENDING 0x4 /* not decided here; the daemon was told, ask again (rule 15) */
#define XR_LACKING 0x8 /* no promise: the entry that makes the sender a member is not here yet */

/*
 * `entry` of a record, in half a word: the index of the sender's entry, 0 unless that is of the record's
 * term; and whether it is known to be committed (rules 24 and 25).
 */
#define XR_COMMITTED 0x80000000u
#define XR_INDEX_MAX 0x7fffffffu

/*
 * 16 bytes: one group in a heartbeat, its answer or a poll. A group without entries pays for no
 * more; the entry itself has a body of its own.
 */
struct xr_record {
	__u32 group;
	__u32 term;
	__u16 digest; /* of the group's name and voters (rule 10) */
	__u16 flags;
	__u32 entry; /* index, XR_COMMITTED */
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
	__u64 entry;	  /* id of the candidate's entry, compared as a number; 0: it has none */
	__u32 birth;	  /* of the sender (rule 27) */
	__u32 lift_term;  /* request of an heir: the term that `lift_leader` has resigned */
	__u8 lift_leader; /* 0: nobody resigned */
	__u8 node;	  /* resignation: the heir, 0 none */
	__u8 pad[6];
};

/*
 * What a group agrees on besides its leader: all of it, so that the last entry is the whole log. Ids are
 * compared as numbers. Without its value 56 bytes; on the wire and on disk the value follows, zeroes up
 * to a whole word.
 */
struct xr_entry {
	__u64 id;		      /* term << 32 | index */
	__u16 voters;		      /* bit n: node n */
	__u16 learners;		      /* likewise: they take entries and follow, and have no vote */
	__u16 size;		      /* of the value, in bytes */
	__u16 spare;		      /* zero */
	__u32 birth[XR_NODE_MAX + 1]; /* [node]: of which life; 0: as configured, or no member */
	char value[XR_VALUE_MAX];
};

#define XR_ENTRY_BASE (sizeof(struct xr_entry) - XR_VALUE_MAX)

/*
 * What APPEND and HAND_ON carry: the record names no entry, since it follows; XR_COMMITTED of a HAND_ON
 * says that it is known to be.
 */
struct xr_append {
	struct xr_record record;
	struct xr_entry entry;
};

static inline __u32 xr_entry_term(__u64 id)
{
	return (__u32)(id >> 32);
}

/* One that a leader can have made: index 0 would be named as none. */
static inline int xr_entry_is_made(__u64 id)
{
	return (__u32)id - 1 < XR_INDEX_MAX;
}

/* On the wire and on disk. */
static inline __u32 xr_entry_size(const struct xr_entry *entry)
{
	return XR_ENTRY_BASE + (entry->size + 7u) / 8 * 8;
}

/* As a record of `term` names it. */
static inline __u32 xr_entry_index(__u64 id, __u32 term)
{
	return xr_entry_term(id) == term ? (__u32)id : 0;
}

/*
 * What nodes tell each other when they meet: X(name, number, meaning of `of` and `value`). Those
 * below XR_FACT_SELF belong to the conversation, the others say how the sender is set up.
 */
#define XR_FACTS(X)                                                                           \
	X(nonce, 1, "value: random; the answer repeats it")                                   \
	X(from, 2, "ASK: what do you know of me in the groups from value on?")                \
	X(path, 3, "ASK: test my NIC path, too")                                              \
	X(term, 4, "TELL: in group `of` the asker has acked, voted or led in term value")     \
	X(more, 5, "TELL: of the groups from value on I know more; ask again")                \
	X(vote, 6, "TELL: in group `of` the asker voted for the teller in term value")        \
	X(twice, 7, "TELL: two lives of the asker's node take turns")                         \
	X(entry, 8, "TELL: in group `of` the asker has acked the entry of this id (rule 18)") \
	X(news, 9, "ASK: ask me, what I have told of myself is no longer so")                 \
	X(paused, 10, "TELL: in group `of` the teller stands for no election")                \
	X(min_timeout_us, 16, "of each node's election timeout: the least, D")                \
	X(max_timeout_us, 17, "the most")                                                     \
	X(heartbeat_us, 18, "between heartbeats")                                             \
	X(stall_limit_us, 19, "after which a node that stands still answers nobody")          \
	X(drift_permille, 20, "r of rule 5")                                                  \
	X(groups, 21, "digest of all groups' ids, names and voters")                          \
	X(keys, 22, "bit n of the low half: key n is accepted; high half: key that seals")    \
	X(xdp, 23, "enum xr_nic_mode; next byte: enum xr_tx_path")                            \
	X(value_bytes, 24, "room for a value in the maps")                                    \
	X(birth, 25, "of the sender's state (rule 27)")                                       \
	X(priorities, 26, "digest of all nodes' priorities")                                  \
	X(pauses, 27, "in how many groups it stands for no election")

enum xr_fact_what {
#define X(name, number, text) XR_FACT_##name = (number),
	XR_FACTS(X)
#undef X
		XR_FACT_END,
};

#define XR_FACT_SELF XR_FACT_min_timeout_us

/* 16 bytes. */
struct xr_fact {
	__u32 what; /* enum xr_fact_what; what a receiver does not know it leaves out */
	__u32 of;
	__u64 value;
};

#define XR_FACT_MAX   ((XR_DATAGRAM_MAX - sizeof(struct xr_wire)) / sizeof(struct xr_fact))
#define XR_RECORD_MAX ((XR_DATAGRAM_MAX - sizeof(struct xr_wire)) / sizeof(struct xr_record))
#define XR_BALLOT_MAX ((XR_DATAGRAM_MAX - sizeof(struct xr_wire)) / sizeof(struct xr_ballot))
#define XR_RECORDS    87 /* XR_RECORD_MAX as a plain number, for loops the verifier bounds */

_Static_assert(sizeof(struct xr_wire) == 48, "wire layout");
_Static_assert(sizeof(struct xr_fact) == 8 * XR_WORDS_FACT, "wire layout");
_Static_assert(sizeof(struct xr_record) == 8 * XR_WORDS_RECORD, "wire layout");
_Static_assert(sizeof(struct xr_ballot) == 8 * XR_WORDS_BALLOT, "wire layout");
_Static_assert(XR_ENTRY_BASE == 56, "wire layout");
_Static_assert(sizeof(struct xr_wire) + sizeof(struct xr_append) <= XR_DATAGRAM_MAX,
	       "one datagram");
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

/* Of what names no lives, since they are not known yet. */
static inline int xr_type_introduces(__u8 type)
{
	return type == XR_ASK || type == XR_TELL;
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
#define X(name, number, body, answer, place, text) | (__u64)XR_WORDS_##body << 4 * (number)
	return 8 * xr_type_look(0 XR_TYPES(X), type);
#undef X
}

#endif
