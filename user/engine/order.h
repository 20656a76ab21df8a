/* SPDX-License-Identifier: GPL-2.0-only */
/* What people ask of an engine. */
#ifndef XRAFT_ENGINE_ORDER_H
#define XRAFT_ENGINE_ORDER_H

#include "common/common.h"
#include "xraft/maps.h"

/* "Lead no longer": in one group or, where its name is "", in all; `heir` goes first, 0: any. */
struct xr_order {
	char group[XR_NAME_SIZE];
	uint8_t heir;
};

struct xr_order_result {
	int err; /* 0; -ENOENT no such group; -EPERM not the leader; -EINVAL; -EHOSTDOWN the heir */
	uint32_t groups, term; /* that it led until now; the term of the last of them */
	struct xr_why why;
};

#endif
