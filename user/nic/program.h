/* SPDX-License-Identifier: GPL-2.0-only */
/* Which XDP programs there are, and whose: told by the maps that a program uses, not by its name. */
#ifndef XRAFT_PROGRAM_H
#define XRAFT_PROGRAM_H

#include "nic/nic.h"

#define XR_PROGRAMS_MAX 64 /* that are told apart */

struct xr_program {
	uint32_t id;
	char name[16];
	/* Where it is attached in this network namespace; 0: elsewhere, or only held by a process. */
	unsigned int ifindex;
	enum xr_nic_mode mode;
	bool dispatched; /* by libxdp's dispatcher, beside others */
	/* Of xraft's alone. A start that ended early has left no cluster ("") and no node (0). */
	bool xraft;
	char cluster[XR_NAME_SIZE];
	uint8_t node;
	uint32_t control_id, groups_id, acks_id, peers_id; /* its maps; 0: it has no such */
};

struct xr_programs {
	struct xr_program all[XR_PROGRAMS_MAX];
	size_t n;
};

/* What a program is; whose, if it has one of our names. -errno: it cannot be read. */
int xr_program_read(int fd, struct xr_program *p);

/* Those attached to one interface. -EPERM: no right to look. */
int xr_programs_on(struct xr_programs *found, unsigned int ifindex);

/*
 * Those of this machine that are this node's, its fence's (user/nic/address.h) with an ifindex of 0; with a cluster of NULL all of xraft's. -EPERM: no right
 * to look.
 */
int xr_programs_of(struct xr_programs *found, const char *cluster, unsigned int node);

/*
 * libxdp's pins of a program on an interface that is gone, which nobody else takes away: for who knows that
 * it is in no other network namespace. Returns how many there were.
 */
int xr_program_forget(uint32_t id);

bool xr_program_is(const struct xr_program *p, const char *cluster, unsigned int node);

/* "the XDP program of node 2 of cluster demo (id 7)", "the XDP program NAME (id 7)" */
void xr_program_says(const struct xr_program *p, char *text, size_t size);

/* What to do where the kernel refuses to take one off. */
const char *xr_program_remedy(int err);

/* Does an engine renew its record? Looks for 0.6 s; an engine turns its loop four times a second. */
bool xr_program_lives(const struct xr_program *p);

/*
 * Fence the maps of a program of ours as xr_nic_fence() does; -EPROTO: they are of another ABI.
 */
int xr_program_fence(const struct xr_program *p, struct xr_why *why);

/*
 * Let a program that nobody can take off pass everything: for whatever version of xraft. Its maps
 * are nobody's after this.
 */
int xr_program_mute(const struct xr_program *p);

#endif
