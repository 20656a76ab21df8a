/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What people ask of the election thread, by way of the API's threads. These take turns and wait;
 * the election thread finds an order by its eventfd, carries it out and goes on: it takes no lock.
 */
#ifndef XRAFT_ORDERS_H
#define XRAFT_ORDERS_H

#include <pthread.h>
#include <stdatomic.h>
#include "engine/order.h"

enum xr_order_state { XR_ORDER_NONE, XR_ORDER_ASKED, XR_ORDER_TAKEN, XR_ORDER_DONE };

struct xr_orders {
	pthread_mutex_t turn; /* of the API's threads among themselves */
	_Atomic int state;
	struct xr_order order;
	struct xr_order_result result;
	int asked_fd, done_fd;
};

int xr_orders_init(struct xr_orders *o, struct xr_why *why);

/* For an API thread: waits up to two seconds. -ETIMEDOUT: the election thread did not take it. */
int xr_orders_ask(struct xr_orders *o, const struct xr_order *order,
		  struct xr_order_result *result);

/* For the election thread: the order that waits, or NULL; then its result. */
const struct xr_order *xr_orders_take(struct xr_orders *o);
void xr_orders_done(struct xr_orders *o, const struct xr_order_result *result);

#endif
