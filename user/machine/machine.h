/* SPDX-License-Identifier: GPL-2.0-only */
/* What a configuration meets on this machine: all that does not fit, each with its remedy. */
#ifndef XRAFT_MACHINE_H
#define XRAFT_MACHINE_H

#include "config/config.h"

struct xr_user {
	char name[32];
	uint32_t uid, gid;
	uint32_t readers; /* xr_machine_readers() */
};

/*
 * The user of this name, or xraft where it is "": never another in its place, since the votes will
 * belong to it. For whoever is not root it is himself, since he becomes nobody.
 */
int xr_machine_user(struct xr_user *user, const char *name, struct xr_why *why);

/*
 * The gid of those who may read pins and socket: of the group of this name, or xraft where it is ""
 * and there is one. 0: root alone, as for whoever is not root.
 */
int xr_machine_readers(uint32_t *gid, const char *name, struct xr_why *why);

enum xr_occasion {
	XR_OCCASION_CHECK,	 /* a person asks */
	XR_OCCASION_START,	 /* of a node that has state */
	XR_OCCASION_FIRST_START, /* --new */
};

/*
 * Interface, addresses, users, folders, hooks, limits. A start that finds nothing XR_WRONG can still be
 * refused, but for a reason that cannot be seen from here.
 */
void xr_machine_look(const struct xr_config *c, enum xr_occasion when, struct xr_findings *f);

/*
 * Is the own address, and the interface where XDP needs one, not here yet? At boot both may come
 * late: then a sentence of what is missing.
 */
bool xr_machine_is_early(const struct xr_config *c, struct xr_why *why);

/*
 * A page, without room in front, behind and for its list of fragments: above it drivers that put a
 * frame into a page refuse native XDP.
 */
#define XR_MTU_OF_A_PAGE 3498

/* -1: it cannot be told. */
int xr_machine_mtu(const char *interface);

/* "10.0.0.1", as in the configuration. */
const char *xr_machine_address(const struct xr_peer *node, char text[46]);

/* What the journal of so many groups takes on a disk, at most, with some room. */
uint64_t xr_machine_journal_bytes(const struct xr_config *c);

/* Does all that `upper` sends and receives pass `lower`, by bonds, bridges and VLANs? */
bool xr_machine_is_below(unsigned int lower, unsigned int upper);

/* The steps of xr_machine_look(). */
void xr_machine_network(const struct xr_config *c, enum xr_occasion when, struct xr_findings *f);
void xr_machine_folders(const struct xr_config *c, enum xr_occasion when, struct xr_findings *f);
void xr_machine_agent(const struct xr_config *c, struct xr_findings *f);
void xr_machine_limits(const struct xr_config *c, struct xr_findings *f);

#endif
