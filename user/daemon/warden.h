/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the warden decides: in which order a node starts (rule 6), what is done at the death of an
 * engine, and whether another one follows. Its system calls are process.c's.
 */
#ifndef XRAFT_WARDEN_H
#define XRAFT_WARDEN_H

#include "config/config.h"
#include "daemon/rights.h"
#include "engine/looks.h"
#include "engine/pack.h"
#include "nic/nic.h"

struct xr_warden {
	/* The caller's, before xr_warden_open(); all else is zero by then. */
	struct xr_config config;
	const char *config_path;
	struct xr_user user;	    /* that the engine becomes */
	const struct xr_disk *disk; /* of the journal; NULL: the real one */
	uint32_t journal_blocks;    /* its room; 0: as usual */
	const struct xr_host *host; /* of the outbox: now_ns, send, flush */
	void *world;

	struct xr_looks *looks; /* shared with the engine; not owned */
	struct xr_nic nic;
	struct xr_journal *journal;  /* NULL but while xr_warden_open() looks at it */
	int node_fd;		     /* the lock of this node on this machine, and */
	int lock_fd;		     /* that of the state folder; the engine inherits both */
	bool fresh;		     /* --new, --join: there is no state yet */
	bool made;		     /* then: the journal, */
	bool made_folder;	     /* and the folder that it is in, by this start */
	uint32_t birth;		     /* of the state: drawn with --join (rule 27) */
	uint64_t promise_ns;	     /* rule 6: the largest D ever used */
	uint64_t fenced_ns;	     /* when the views were fenced, from which the promise counts */
	uint64_t heard_ns;	     /* of xr_control, as last seen; 0: never */
	pid_t pid;		     /* its own: engines know it from before they were forked */
	uint32_t starts;	     /* of engines */
	uint64_t pause_ns;	     /* before the last start but the first */
	char died_of[64];	     /* the last engine */
	char name[XR_NAME_SIZE + 4]; /* "demo.1" */

	/* What xr_warden_bury() needs is there before it is needed. */
	struct xr_env env;
	struct xr_outbox outbox;
	struct xr_view *led; /* [nic.maps.ngroups] */
};

/*
 * In rule 6's order: take the locks; see that the state is whole and this node's; make the promise
 * durable; fence what an earlier life left; open the NIC path. `fresh`: --new. After a failure, too,
 * call xr_warden_close().
 */
int xr_warden_open(struct xr_warden *w, bool fresh, struct xr_why *why);
/*
 * Of a first start that was refused, also by what the peers told: the state that it made goes, where
 * nothing was decided in it. So whoever mends the reason can start with --new or --join again.
 */
void xr_warden_take_back(struct xr_warden *w);
/* Gives the locks back. `nic` and `config` stay the caller's. */
void xr_warden_close(struct xr_warden *w);

/* How the NIC path of this node is opened, and attached again. */
struct xr_nic_opts xr_warden_nic_opts(const struct xr_warden *w);

/* Rule 6, for the next engine: also with --new, for what an earlier life promised is not known. */
uint64_t xr_warden_promise_until_ns(const struct xr_warden *w);
/* An engine is about to start. */
void xr_warden_spawned(struct xr_warden *w);

/* The loop has not turned for twice the time after which it counts as hung. */
bool xr_warden_is_hung(struct xr_warden *w, uint64_t waited_since_ns);

/*
 * First of all after the death of the engine's election thread: end its leases, tell the peers.
 * Returns how many groups it led. Waits for no disk, lock or memory.
 */
uint32_t xr_warden_bury(struct xr_warden *w);

struct xr_warden_next {
	bool again;	   /* another engine, */
	uint64_t pause_ns; /* after this pause; */
	int code;	   /* else this exit code */
};

/* Then the whole process is gone; `wait_status` as from waitpid(). */
struct xr_warden_next xr_warden_reaped(struct xr_warden *w, int wait_status, uint64_t lived_ns);

/*
 * Read the file again, and take what may change without a restart (xr_config_take()); `rest`: what
 * differs beyond that (xr_config_differs()). Returns how many groups came, or an error: all stays as
 * it is. A disk that hangs at this moment hides a death of the engine until it is over.
 */
int xr_warden_reload(struct xr_warden *w, struct xr_why *rest, struct xr_why *why);

#endif
