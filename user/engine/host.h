/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an engine asks of its world, and the whole of it. In a daemon this is daemon/host.c: sockets,
 * the journal's thread, sd-event. In the simulator, the tests and the fuzzers it is memory and
 * virtual time, around the same engine. `world` is the host's own.
 */
#ifndef XRAFT_ENGINE_HOST_H
#define XRAFT_ENGINE_HOST_H

#include "common/common.h"
#include "engine/report.h"
#include "journal/writer.h"
#include "net/datagram.h"

struct xr_host {
	/* CLOCK_BOOTTIME. */
	uint64_t (*now_ns)(void *world);

	/* The next datagram that waits: true, or false. A longer one is cut, and fails its check. */
	bool (*receive)(void *world, struct xr_datagram *d);
	/* Hand over, by xr_engine_left(), what answered datagrams left to be decided (rule 15). */
	void (*left)(void *world);
	/* Bit n: the network said that node n has no socket any more (rule 11). Told once. */
	uint32_t (*gone)(void *world);
	/* A sealed datagram; it may wait for flush() and share a call with others. */
	void (*send)(void *world, uint8_t to, const void *bytes, size_t size);
	void (*flush)(void *world);

	/* As journal/writer.h: hand over a vote, perhaps with an entry, wake the disk for all of them, ask for proof ... */
	int (*submit)(void *world, const struct xr_vote *vote, const struct xr_entry *entry);
	void (*kick)(void *world);
	void (*probe)(void *world);
	/* ... take what is done, when the oldest that is not was submitted, what has failed for good. */
	size_t (*reap)(void *world, struct xr_done *done, size_t max);
	uint64_t (*oldest_ns)(void *world);
	int (*disk_error)(void *world, struct xr_why *why);

	/* How many path tests the NIC path has echoed, ever. */
	uint64_t (*echoes)(void *world);
	/* Four times a second: time to show people something. */
	void (*show)(void *world, uint64_t now_ns);
	void (*report)(void *world, const struct xr_report *r);

	/* Call xr_engine_timer() at that time; the last call counts. */
	void (*arm)(void *world, uint64_t at_ns);
	/* Let others have the CPU for so many nanoseconds. */
	void (*rest)(void *world, uint64_t ns);
	/* No turn follows this one. The process ends with this code. */
	void (*end)(void *world, int code);
	/* Rule 14: end here and now, by abort(). Does not return. */
	void (*crash)(void *world);
};

#endif
