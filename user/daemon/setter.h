/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An entry made for somebody who waits until it is committed: what an API thread does for `xraft set`
 * and `xraft member`.
 */
#ifndef XRAFT_SETTER_H
#define XRAFT_SETTER_H

#include "daemon/orders.h"
#include "nic/maps.h"

struct xr_set {
	uint64_t entry; /* that holds the value */
	uint64_t took_ns;
};

/* "7.12", or "0": none. False: it is no id. */
bool xr_set_read_id(const char *text, uint64_t *id);

/*
 * XR_ORDER_SET, or one of members, by the election thread; while another entry is under way, or a
 * learner lags, it is tried again for two seconds. Then waits for as long as five more. 0: committed. Errors, with a sentence: those of
 * struct xr_order_result; -ETIMEDOUT: no majority has it yet; -ECANCELED: this node lost the
 * leadership first. After these two set->entry tells what may yet be committed; else it is 0.
 */
int xr_set_value(const struct xr_maps *m, struct xr_orders *orders, const struct xr_order *order,
		 struct xr_set *set, struct xr_why *why);

#endif
