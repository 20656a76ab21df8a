/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames for the NIC path's tests: wrapping a datagram, and a second reading and turning of a
 * frame, byte by byte, that shares no line with bpf/parse.h and bpf/answer.h.
 */
#ifndef XRAFT_TESTS_FRAME_H
#define XRAFT_TESTS_FRAME_H

#include "common/common.h"
#include "net/env.h"

#define FRAME_MAX   2048
#define FRAME_VLANS 3
#define FRAME_TTL   17 /* of what we send; an answer has 64 */

/* One datagram with room for the largest, and how to wrap it. */
struct packet {
	struct {
		struct xr_wire h;
		union {
			struct xr_record rec[XR_RECORDS + 1];
			struct xr_ballot bal[XR_BALLOT_MAX + 1];
			struct xr_fact fact[XR_FACT_MAX + 1];
		};
	} d;
	int payload;  /* bytes of `d` that are sent; -1: as many as its header says */
	int udp_len;  /* -1: the truth */
	int unsealed; /* leave the tag alone */
	bool ipv6;
	__u8 from, to; /* last byte of the addresses */
	__u16 from_port, to_port;
	__u16 vlan[FRAME_VLANS]; /* tag protocols, outermost first; 0 ends them */
	int options;		 /* bytes of IPv4 options */
	__u16 fragment;		 /* IPv4 flags and offset */
	int extension;		 /* IPv6: number of an eight-byte extension header; 0 none */
	int padding;

	__u8 frame[FRAME_MAX];
	__u32 len;
	__u32 at; /* where the datagram begins */
};

/* What a frame is, found by reading it. */
struct reading {
	enum { READ_OTHER, READ_SHAPE, READ_UDP } what;
	bool ipv6;
	__u32 ip_at, udp_at, wire_at;
	__u32 len; /* of the datagram, by the UDP header */
	struct xr_from from, to;
};

/* SipHash-2-4 by libsodium over the datagram without its tag; not xr_tag(). */
__u64 frame_tag(const void *datagram, __u32 len, const struct xr_sip_key *key);

/* Seal `p->d` with the key that its header names, and wrap it. */
void frame_build(struct packet *p, const struct xr_key *keys);

void frame_read(const __u8 *frame, __u32 len, struct reading *r);

/* Turn a frame round, as if its datagram had become the answer already. */
void frame_turn(__u8 *frame, const struct reading *r);

/* The Internet checksum of some bytes, and of an IPv6 frame's UDP part with its pseudo header. */
__u16 frame_csum(const __u8 *bytes, __u32 len, __u32 sum);
__u16 frame_csum_udp6(const __u8 *frame, const struct reading *r);

#endif
