/* SPDX-License-Identifier: GPL-2.0-only */
/* What would this kernel do? It is asked, and nothing stays of it. */
#ifndef XRAFT_TRY_H
#define XRAFT_TRY_H

#include "common/common.h"

/* Load the NIC path's program, with maps of its own, and attach it nowhere. */
int xr_try_load(struct xr_why *why);

/*
 * Attach a program that passes all, natively, and take it off again: some drivers take the link
 * down for it. -EBUSY: something is attached there, and nothing was done.
 */
int xr_try_native(unsigned int ifindex, struct xr_why *why);

#endif
