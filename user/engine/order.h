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
	XR_ORDER_SET, /* make `value` the group's, if its entry is still `if_id` where that is asked */
	/* Make `node` a learner, a voter, no member: rule 26, one at a time. */
	XR_ORDER_ADD,
	XR_ORDER_PROMOTE,
	XR_ORDER_REMOVE,
	/* "Stand for no election", until resumed: in one group or, where its name is "", in all. */
	XR_ORDER_PAUSE,
	XR_ORDER_RESUME,
	XR_ORDER_ASK,  /* ask all peers again how they are */
	XR_ORDER_TELL, /* and tell what they have told: `known` of the result */
};

struct xr_order {
	enum xr_order_kind kind;
	char group[XR_NAME_SIZE];
	uint8_t heir;
	uint8_t node;
	bool conditional;
	uint64_t if_id;
	uint16_t size;
	char value[XR_VALUE_MAX];
	uint32_t at_s; /* PAUSE: now, by CLOCK_REALTIME */
	char who[40];  /* PAUSE, RESUME: asks, for people */
};

struct xr_order_result {
	/*
	 * 0; -ENOENT no such group; -EPERM not the leader; -EINVAL; -EHOSTDOWN the heir; -EBUSY an entry
	 * is under way; -ESTALE another entry than `if_id`; -EOVERFLOW there can be no further ones;
	 * -EEXIST it is that already; -EAGAIN a learner lags
	 */
	int err;
	uint64_t entry;	       /* the id that the value got: it is on its way */
	uint32_t groups, term; /* that it led until now; the term of the last of them */
	uint32_t changed;      /* groups that are on their way to be paused or resumed */
	struct xr_acquaintance known[XR_NODE_MAX + 1]; /* by node; of this one only its facts */
	struct xr_why why;
};

#endif
