/* SPDX-License-Identifier: GPL-2.0-only */
/* From bytes to a node's maps and to a datagram, for the targets that run the rules. */
#ifndef XRAFT_TESTS_FUZZ_STATE_H
#define XRAFT_TESTS_FUZZ_STATE_H

#include "bpf/rig.h"
#include "fuzz.h"

/*
 * A world at `w->now`, with up to seven changes. Times are seconds from now, so that nanoseconds
 * decide nothing: two runs of the rules need not happen at the same instant.
 */
void state_world(struct world *w, struct input *in, __u64 now);

/*
 * What is left of the input is a datagram in `p->d`; `p->payload` tells its size. By the bits of
 * its first two bytes, what stops most datagrams is put right, the tag last.
 */
void state_packet(struct packet *p, const struct world *w, struct input *in);

#endif
