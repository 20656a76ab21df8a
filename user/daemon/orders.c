// SPDX-License-Identifier: GPL-2.0-only
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include "daemon/orders.h"

#define WAIT_MS 2000

int xr_orders_init(struct xr_orders *o, struct xr_why *why)
{
	memset(o, 0, sizeof(*o));
	pthread_mutex_init(&o->turn, NULL);
	o->asked_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	o->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return o->asked_fd < 0 || o->done_fd < 0
		       ? xr_fail(why, -errno, "cannot make an eventfd: %m; raise LimitNOFILE=")
		       : 0;
}

static void wake(int fd)
{
	eventfd_write(fd, 1); /* fails only when it is readable already */
}

static bool withdrawn(struct xr_orders *o)
{
	int asked = XR_ORDER_ASKED;

	return atomic_compare_exchange_strong(&o->state, &asked, XR_ORDER_NONE);
}

int xr_orders_ask(struct xr_orders *o, const struct xr_order *order, struct xr_order_result *result)
{
	struct pollfd done = {.fd = o->done_fd, .events = POLLIN};
	eventfd_t count;
	int err = 0;

	pthread_mutex_lock(&o->turn);
	o->order = *order;
	atomic_store(&o->state, XR_ORDER_ASKED);
	wake(o->asked_fd);
	while (atomic_load(&o->state) != XR_ORDER_DONE) {
		if (poll(&done, 1, WAIT_MS) == 0 && withdrawn(o)) {
			err = -ETIMEDOUT;
			break;
		}
		eventfd_read(o->done_fd, &count);
	}
	if (!err)
		*result = o->result;
	atomic_store(&o->state, XR_ORDER_NONE);
	pthread_mutex_unlock(&o->turn);
	return err;
}

const struct xr_order *xr_orders_take(struct xr_orders *o)
{
	int asked = XR_ORDER_ASKED;
	eventfd_t count;

	eventfd_read(o->asked_fd, &count);
	return atomic_compare_exchange_strong(&o->state, &asked, XR_ORDER_TAKEN) ? &o->order : NULL;
}

void xr_orders_done(struct xr_orders *o, const struct xr_order_result *result)
{
	o->result = *result;
	atomic_store(&o->state, XR_ORDER_DONE);
	wake(o->done_fd);
}
