/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What bench_fastpath and its BPF programs share. */
#ifndef XRAFT_BENCH_FASTPATH_H
#define XRAFT_BENCH_FASTPATH_H

#define BENCH_FRESH 16384 /* runs in a row, each with a datagram of its own */
#define BENCH_FRAME 1536

/* As the rig has it: its first key. */
/* clang-format off */
#define BENCH_KEY {0x1111, 0x2222}
/* clang-format on */

/* What differs between one datagram and the next: where it lies in struct xr_wire. */
struct bench_fresh {
	__u64 sent_ns;
	__u64 echo_ns;
	__u64 tag;
};

struct bench_setup {
	__u32 next; /* index of the next run's datagram */
	__u32 len;  /* of the frame */
	__u32 wire_at;
	__u32 last;	/* index of the last run */
	__u64 began_ns; /* the first run */
	__u64 ended_ns; /* all runs but the last */
	__u64 arrived;	/* live frames at the other end */
	__u8 frame[BENCH_FRAME];
};

#endif
