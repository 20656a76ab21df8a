// SPDX-License-Identifier: GPL-2.0-only
#include "journal/block.h"

#include <sodium.h>
#include <string.h>

/* No secret: the checksum is against accidents. To write the state folder is to own the node. */
static const unsigned char journal_key[crypto_shorthash_KEYBYTES] = "xraft journal 1";

_Static_assert(crypto_shorthash_BYTES == sizeof(uint64_t), "SipHash-2-4");

static uint64_t hash(const void *data, size_t bytes)
{
	unsigned char out[crypto_shorthash_BYTES];
	uint64_t value;

	crypto_shorthash(out, data, bytes, journal_key);
	memcpy(&value, out, sizeof(value));
	return value;
}

/* The block is ours to scribble on: its checksum counts as zero while it is computed. */
static uint64_t checksum(struct xr_block *b)
{
	uint64_t stored = b->top.checksum, sum;

	b->top.checksum = 0;
	sum = hash(b, sizeof(*b));
	b->top.checksum = stored;
	return sum;
}

uint64_t xr_block_identity(const char *cluster, uint8_t node)
{
	char who[XR_JOURNAL_NAME_SIZE + 1] = "";

	strncpy(who, cluster, XR_JOURNAL_NAME_SIZE - 1);
	who[XR_JOURNAL_NAME_SIZE] = (char)node;
	return hash(who, sizeof(who));
}

void xr_block_begin(struct xr_block *b, enum xr_block_kind kind, uint64_t identity,
		    uint64_t sequence)
{
	memset(b, 0, sizeof(*b));
	memcpy(b->top.magic, "xrj", sizeof(b->top.magic));
	b->top.kind = (uint8_t)kind;
	b->top.version = XR_BLOCK_VERSION;
	b->top.sequence = sequence;
	b->top.identity = identity;
}

void xr_block_seal(struct xr_block *b)
{
	b->top.checksum = checksum(b);
}

bool xr_block_intact(struct xr_block *b)
{
	return !memcmp(b->top.magic, "xrj", sizeof(b->top.magic)) && b->top.checksum == checksum(b);
}

bool xr_block_whole(struct xr_block *b, uint64_t identity)
{
	return b->top.version == XR_BLOCK_VERSION && b->top.identity == identity &&
	       b->top.count <= XR_BLOCK_VOTES && xr_block_intact(b);
}

bool xr_block_unused(const struct xr_block *b)
{
	const char *bytes = (const char *)b;

	return !bytes[0] && !memcmp(bytes, bytes + 1, sizeof(*b) - 1);
}
