/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The warden's eyes (rule 20): a thread of ordinary priority, since the kernel may let whoever asks about
 * interfaces wait for seconds, and a warden that waits cannot tell that its engine died. It looks when
 * rtnetlink tells of a change, and every two seconds.
 */
#ifndef XRAFT_LOOKER_H
#define XRAFT_LOOKER_H

#include <pthread.h>
#include <semaphore.h>
#include "daemon/warden.h"

/* What may decide whether an interface takes a program. */
struct xr_interface_seen {
	unsigned int ifindex;
	int mtu, taken;
};

struct xr_looker {
	struct xr_warden *w;
	pthread_t thread;
	bool runs;
	pthread_mutex_t looking; /* for w->nic; a fork needs it, too */
	sem_t began;		 /* the thread has: from then on that mutex tells what it does */
	int netlink_fd, stop_fd;
	uint64_t tried_ns;	       /* to attach, in vain */
	int mtu;		       /* when the program was attached */
	struct xr_interface_seen seen; /* without a program */
};

/* Without it all is as before, and nobody looks: says why. */
int xr_looker_start(struct xr_looker *l, struct xr_warden *w, struct xr_why *why);
void xr_looker_stop(struct xr_looker *l);

/* No look is under way between the two: for a fork, which copies locks as they are. */
void xr_looker_hold(struct xr_looker *l);
void xr_looker_go_on(struct xr_looker *l);

#endif
