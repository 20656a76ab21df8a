/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A disk for tests, with one folder and a page cache. Writes are volatile until fdatasync, names
 * until the folder's fsync. A power cut lets each unsynced 512-byte sector survive, vanish or tear
 * by itself, or whole pages survive or vanish, and any first part of the unsynced changes to the
 * folder. A failed fdatasync leaves its pages in the cache, marked clean, whether or not they
 * reached the medium, as Linux does. All chance comes from one seed.
 */
#ifndef XRAFT_FAKE_DISK_H
#define XRAFT_FAKE_DISK_H

#include <semaphore.h>
#include <stdatomic.h>

#include "journal/disk.h"

enum fake_op {
	FAKE_OPEN_DIR,
	FAKE_OPEN,
	FAKE_READ,
	FAKE_WRITE,
	FAKE_SYNC,
	FAKE_SYNC_DIR,
	FAKE_RENAME,
	FAKE_UNLINK,
	FAKE_LOCK,
	FAKE_SIZE,
	FAKE_FORGET,
	FAKE_OPS,
	FAKE_ANY = FAKE_OPS, /* only in fail_op */
};

enum fake_luck { /* of unsynced sectors in a power cut */
		 FAKE_MIXED,
		 FAKE_ALL_SURVIVE,
		 FAKE_NONE_SURVIVE,
};

struct fake_state;

struct fake_disk {
	struct xr_disk ops; /* give its address to what is tested */

	atomic_ulong count[FAKE_OPS + 1]; /* calls so far; [FAKE_ANY]: of all kinds */

	/* Faults, set by the test; 0 = never. `at` counts calls from the start, as `count` does. */
	unsigned long crash_at; /* half of this call happens, then nothing works any more */
	enum fake_op fail_op;
	unsigned long fail_at; /* this call of fail_op fails with fail_err, once */
	int fail_err;
	unsigned long lose_write_at; /* this write is confirmed and never reaches the medium */
	bool mapped;		     /* by somebody else: no page can be forgotten */
	bool short_io;		     /* reads and writes do less than asked, or -EINTR */
	enum fake_luck luck;

	/* While `gated`, each fdatasync waits for a post to `gate`; `waiting` counts those. */
	atomic_bool gated;
	atomic_int waiting;
	sem_t gate;

	bool down;
	struct fake_state *state;
};

struct fake_disk *fake_disk_new(uint64_t seed);
void fake_disk_free(struct fake_disk *f);

/* The power goes and comes back: the cache is lost, handles and locks are gone, faults cleared. */
void fake_disk_power_cut(struct fake_disk *f);

/* The process dies, the kernel lives: the cache stays, handles and locks are gone. */
void fake_disk_restart(struct fake_disk *f);

/* A file's medium, to be looked at (false: not that long) or spoilt, the cache with it. */
size_t fake_disk_size(struct fake_disk *f, const char *name);
bool fake_disk_peek(struct fake_disk *f, const char *name, void *buf, size_t bytes, size_t at);
void fake_disk_poke(struct fake_disk *f, const char *name, const void *buf, size_t bytes,
		    size_t at);
void fake_disk_flip(struct fake_disk *f, const char *name, size_t byte, unsigned int bit);
void fake_disk_cut(struct fake_disk *f, const char *name, size_t bytes);

/* Sectors from `at` on cannot be read until they are written anew. */
void fake_disk_spoil(struct fake_disk *f, const char *name, size_t bytes, size_t at);

/* Deterministic chance, also for tests: below `limit`. */
uint64_t fake_rand(uint64_t *seed, uint64_t limit);

#endif
