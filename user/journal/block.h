/* SPDX-License-Identifier: GPL-2.0-only */
/* The journal's blocks: layout, identity, checksum. Pure: no I/O. See journal.c for the format. */
#ifndef XRAFT_JOURNAL_BLOCK_H
#define XRAFT_JOURNAL_BLOCK_H

#include "journal/journal.h"

#define XR_BLOCK_SIZE	 4096u
#define XR_PAIR_SIZE	 (2 * XR_BLOCK_SIZE)
#define XR_BLOCK_VOTES	 127u
#define XR_BLOCK_VERSION 3

enum xr_block_kind {
	XR_BLOCK_HEAD = 'h',
	XR_BLOCK_VOTE = 'v',
	XR_BLOCK_ENTRY = 'e',
	XR_BLOCK_PROMISE = 'p',
	XR_BLOCK_PROBE = 't',
};

/* Every format version keeps these 32 bytes. Numbers are in the machine's byte order. */
struct xr_block_top {
	char magic[3]; /* "xrj" */
	uint8_t kind;  /* enum xr_block_kind */
	uint8_t version;
	uint8_t count;	   /* of records */
	uint16_t back;	   /* pairs of the same batch before this one */
	uint64_t sequence; /* one more with each pair, for ever; of a probe: the last durable one */
	uint64_t identity; /* of cluster name and node id */
	uint64_t checksum; /* of the whole block but itself */
};

/* What the head of a journal file says about it. */
struct xr_block_head {
	uint64_t promise_ns;
	uint32_t pairs;		 /* the file's size */
	uint32_t snapshot_pairs; /* these must be whole */
	uint32_t groups;	 /* records in the snapshot */
	uint32_t birth;		 /* of this state (rule 27) */
	uint8_t node;
	uint8_t spare[7];
	char cluster[XR_JOURNAL_NAME_SIZE];
};

/* One record, as long as its value: xr_entry_size() says where the next one begins. */
struct xr_block_entry {
	struct xr_vote vote;
	struct xr_entry entry;
};

struct xr_block {
	struct xr_block_top top;
	union {
		struct xr_vote votes[XR_BLOCK_VOTES];
		unsigned char entries[XR_BLOCK_VOTES * sizeof(struct xr_vote)];
		struct xr_block_head head;
		uint64_t promise_ns;
		uint64_t probes;
	};
};

_Static_assert(sizeof(struct xr_block_top) == 32, "layout on disk");
_Static_assert(sizeof(struct xr_block) == XR_BLOCK_SIZE, "layout on disk");

/* A 64-bit digest of a journal's owner. `cluster` has at most 15 characters. */
uint64_t xr_block_identity(const char *cluster, uint8_t node);

/* Empty `b` and fill its top, all but the checksum. */
void xr_block_begin(struct xr_block *b, enum xr_block_kind kind, uint64_t identity,
		    uint64_t sequence);

/* Set the checksum: the last thing before a block is written. */
void xr_block_seal(struct xr_block *b);

/* Unchanged since it was sealed; it may be of any owner and any version. */
bool xr_block_intact(struct xr_block *b);

/* Intact, ours and of this version. */
bool xr_block_whole(struct xr_block *b, uint64_t identity);

/* All zero: preallocated, never written. */
bool xr_block_unused(const struct xr_block *b);

#endif
