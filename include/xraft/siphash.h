/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * SipHash-2-4 (Aumasson and Bernstein 2012) over whole 64-bit words, written so that the same
 * lines compile for BPF and for userspace. All that we hash is a multiple of eight bytes, so the
 * last block holds only the length. Checked in tests/ against the authors' vectors and libsodium.
 */
#ifndef XRAFT_SIPHASH_H
#define XRAFT_SIPHASH_H

#include <linux/types.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#ifndef __noinline
#define __noinline __attribute__((noinline))
#endif

struct xr_sip_key {
	__u64 k0, k1;
};

struct xr_sip {
	__u64 v0, v1, v2, v3;
};

static __always_inline __u64 xr_sip_rotl(__u64 x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static __always_inline void xr_sip_round(struct xr_sip *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = xr_sip_rotl(s->v1, 13) ^ s->v0;
	s->v3 = xr_sip_rotl(s->v3, 16) ^ s->v2;
	s->v0 = xr_sip_rotl(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = xr_sip_rotl(s->v1, 17) ^ s->v2;
	s->v3 = xr_sip_rotl(s->v3, 21) ^ s->v0;
	s->v2 = xr_sip_rotl(s->v2, 32);
}

static __always_inline void xr_sip_init(struct xr_sip *s, const struct xr_sip_key *key)
{
	s->v0 = key->k0 ^ 0x736f6d6570736575ull;
	s->v1 = key->k1 ^ 0x646f72616e646f6dull;
	s->v2 = key->k0 ^ 0x6c7967656e657261ull;
	s->v3 = key->k1 ^ 0x7465646279746573ull;
}

static __always_inline void xr_sip_word(struct xr_sip *s, __u64 word)
{
	s->v3 ^= word;
	xr_sip_round(s);
	xr_sip_round(s);
	s->v0 ^= word;
}

/* len: bytes hashed so far, a multiple of eight. */
static __always_inline __u64 xr_sip_final(struct xr_sip *s, __u32 len)
{
	xr_sip_word(s, (__u64)len << 56);
	s->v2 ^= 0xff;
	xr_sip_round(s);
	xr_sip_round(s);
	xr_sip_round(s);
	xr_sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

#endif
