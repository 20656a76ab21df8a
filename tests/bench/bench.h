/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps of a cluster's nodes, as the benches look at them: read only. */
#ifndef XRAFT_BENCH_H
#define XRAFT_BENCH_H

#include "nic/maps.h"

/* As xr_maps_open(). */
static inline int bench_open(struct xr_maps *maps, const char *cluster, int node,
			     struct xr_why *why)
{
	char dir[256];

	*maps = (struct xr_maps)XR_MAPS_NONE;
	xr_maps_dir(dir, sizeof(dir), cluster, (uint8_t)node);
	return xr_maps_open(maps, dir, false, why);
}

#endif
