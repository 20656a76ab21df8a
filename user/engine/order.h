/* SPDX-License-Identifier: GPL-2.0-only */
/* What people ask of an engine. */
#ifndef XRAFT_ENGINE_ORDER_H
#define XRAFT_ENGINE_ORDER_H

#include "common/common.h"
#include "engine/introduce.h"
#include "xraft/maps.h"

enum xr_order_kind {
	/* "Lead no longer": in one group or, where its name is "", in all; `heir` first, 0: any. */
	XR_ORDER_STEP_DOWN,
	XR_ORDER_ASK,  /* ask all peers again how they are */
	XR_ORDER_TELL, /* and tell what they have told: `known` of the result */
};

struct xr_order {
	enum xr_order_kind kind;
	char group[XR_NAME_SIZE];
	uint8_t heir;
};

struct xr_order_result {
	int err; /* 0; -ENOENT no such group; -EPERM not the leader; -EINVAL; -EHOSTDOWN the heir */
	uint32_t groups, term; /* that it led until now; the term of the last of them */
	struct xr_acquaintance known[XR_NODE_MAX + 1]; /* by node; of this one only its facts */
	struct xr_why why;
};

#endif
