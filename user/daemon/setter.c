// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "daemon/setter.h"
#include "lib/value.h"

#define BUSY_NS	  (2 * NS_PER_S)
#define COMMIT_NS (5 * NS_PER_S)
#define LOOK_NS	  20000 /* beside a timer's slack of 50 us */

bool xr_set_read_id(const char *text, uint64_t *id)
{
	unsigned long term, index = 0;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	term = strtoul(text, &end, 10);
	if (*end == '.' && end[1] >= '0' && end[1] <= '9')
		index = strtoul(end + 1, &end, 10);
	*id = (uint64_t)term << 32 | index;
	return !*end && term <= UINT32_MAX && index <= XR_INDEX_MAX && !term == !index;
}

static void rest(long ns)
{
	nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

static int ask(struct xr_orders *orders, const struct xr_order *order, struct xr_set *set,
	       struct xr_why *why)
{
	struct xr_order_result result = {0};
	uint64_t began_ns = xr_now_ns();
	int err;

	if (!orders)
		return xr_fail(why, -ETIMEDOUT, "the election thread does not turn");
	do {
		if (result.err)
			rest(NS_PER_MS);
		err = xr_orders_ask(orders, order, &result);
		if (err)
			return xr_fail(why, err, "the election thread does not turn");
	} while ((result.err == -EBUSY || result.err == -EAGAIN) &&
		 xr_now_ns() - began_ns < BUSY_NS);
	if (result.err)
		return xr_fail(why, result.err, "%s", result.why.text);
	set->entry = result.entry;
	return 0;
}

/* A fence for a moment is no loss: the role is what the engine did last. */
static bool is_lost(const struct xr_group *g, uint64_t entry)
{
	union xr_word v = xr_view_read(g);

	return v.view.term > xr_entry_term(entry) || v.view.mode == XR_FOLLOW ||
	       *(const volatile enum xr_role *)&g->role != XR_LEADER;
}

/*
 * Rule 26: in its term a further entry is made only once this one is committed. One of a newer term may
 * hold the same value, or not.
 */
static int await(const struct xr_maps *m, size_t id, const struct xr_order *order,
		 const struct xr_set *set, struct xr_why *why)
{
	const char *tells = order->kind == XR_ORDER_SET ? "xraft get" : "xraft member list";
	uint64_t until_ns = xr_now_ns() + COMMIT_NS, committed;
	struct xr_entry entry;

	while (xr_now_ns() < until_ns) {
		bool lost = is_lost(&m->groups[id],
				    set->entry); /* what it committed before is seen */
		int err = xr_value_read(m, id, &entry, &committed);

		if (err && err != -EMSGSIZE && err != -ENOENT)
			return xr_fail(why, err, "the value cannot be read: %s", strerror(-err));
		if (!err && (committed == set->entry ||
			     (entry.id > set->entry &&
			      xr_entry_term(entry.id) == xr_entry_term(set->entry))))
			return 0;
		if (lost)
			return xr_fail(why, -ECANCELED,
				       "this node lost the leadership of %s before a majority had "
				       "entry %u.%u: the next leader may keep that, or the "
				       "one before; %s tells which",
				       order->group, xr_entry_term(set->entry),
				       (uint32_t)set->entry, tells);
		rest(LOOK_NS);
	}
	return xr_fail(
		why, -ETIMEDOUT,
		"no majority has acked entry %u.%u of %s in 5 s; it may be committed yet, once one "
		"can be reached, unless another leader comes first: %s tells",
		xr_entry_term(set->entry), (uint32_t)set->entry, order->group, tells);
}

int xr_set_value(const struct xr_maps *m, struct xr_orders *orders, const struct xr_order *order,
		 struct xr_set *set, struct xr_why *why)
{
	uint64_t began_ns = xr_now_ns();
	int err = ask(orders, order, set, why);
	size_t id;

	if (err)
		return err;
	id = xr_maps_group(m, order->group);
	if (id == m->ngroups)
		return xr_fail(why, -ENOENT, "there is no group %s here", order->group);
	err = await(m, id, order, set, why);
	set->took_ns = xr_now_ns() - began_ns;
	return err;
}
