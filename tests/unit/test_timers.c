// SPDX-License-Identifier: GPL-2.0-only
/* Timers against the plainest model: an array that is searched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "engine/timers.h"

#define IDS 256 /* of four blocks */

static uint64_t model_next(const uint64_t *at)
{
	uint64_t next = UINT64_MAX;

	for (int i = 0; i < IDS; i++)
		if (at[i] < next)
			next = at[i];
	return next;
}

static void test_fires_in_order(void **state)
{
	const uint32_t far = 2 * XR_TIMERS_BLOCK;
	struct xr_timers t;
	struct xr_due due[XR_TIMERS_BLOCK];

	(void)state;
	assert_int_equal(xr_timers_init(&t, far + 1), 0);
	xr_timers_set(&t, 2, 30);
	xr_timers_set(&t, 0, 10);
	xr_timers_set(&t, 3, 20);
	xr_timers_set(&t, far, 15);
	assert_int_equal(xr_timers_due(&t, 9, due), 0);
	assert_int_equal(xr_timers_due(&t, 25, due), 2);
	assert_int_equal(due[0].id, 0);
	assert_int_equal(due[0].at_ns, 10);
	assert_int_equal(due[1].id, 3);
	assert_int_equal(due[1].at_ns, 20);
	assert_int_equal(xr_timers_due(&t, 25, due), 1);
	assert_int_equal(due[0].id, far);
	assert_int_equal(xr_timers_due(&t, 25, due), 0);
	assert_int_equal(xr_timers_next_ns(&t), 30);
	xr_timers_free(&t);
}

static void test_never_disarms(void **state)
{
	struct xr_timers t;
	struct xr_due due[XR_TIMERS_BLOCK];

	(void)state;
	assert_int_equal(xr_timers_init(&t, 2), 0);
	xr_timers_set(&t, 1, 5);
	xr_timers_set(&t, 1, UINT64_MAX);
	xr_timers_set(&t, 0, UINT64_MAX);
	assert_int_equal(xr_timers_next_ns(&t), UINT64_MAX);
	assert_int_equal(xr_timers_due(&t, UINT64_MAX - 1, due), 0);
	xr_timers_free(&t);
}

/* It must be all that is due in one block, and the earliest of all must be among it. */
static void take(uint64_t *at, const struct xr_due *due, uint32_t n, uint64_t now_ns)
{
	uint32_t first = due[0].id / XR_TIMERS_BLOCK * XR_TIMERS_BLOCK, expected = 0;
	uint64_t earliest = model_next(at), seen = UINT64_MAX;

	for (uint32_t id = first; id < first + XR_TIMERS_BLOCK; id++)
		expected += at[id] <= now_ns;
	assert_int_equal(n, expected);
	for (uint32_t i = 0; i < n; i++) {
		assert_in_range(due[i].id, first, first + XR_TIMERS_BLOCK - 1);
		assert_int_equal(due[i].at_ns, at[due[i].id]);
		if (due[i].at_ns < seen)
			seen = due[i].at_ns;
		at[due[i].id] = UINT64_MAX;
	}
	assert_int_equal(seen, earliest);
}

static void test_agrees_with_model(void **state)
{
	uint64_t at[IDS], seed = 42;
	struct xr_timers t;
	struct xr_due due[XR_TIMERS_BLOCK];

	(void)state;
	assert_int_equal(xr_timers_init(&t, IDS), 0);
	for (int i = 0; i < IDS; i++)
		at[i] = UINT64_MAX;
	for (int round = 0; round < 100000; round++) {
		uint32_t id;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		id = seed >> 32 & (IDS - 1);
		if (seed >> 40 & 3) {
			at[id] = seed >> 50 & 1 ? UINT64_MAX : seed >> 44;
			xr_timers_set(&t, id, at[id]);
		} else if (model_next(at) != UINT64_MAX) {
			uint64_t now_ns = model_next(at) + (seed >> 60);

			take(at, due, xr_timers_due(&t, now_ns, due), now_ns);
		}
		assert_int_equal(xr_timers_next_ns(&t), model_next(at));
	}
	xr_timers_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fires_in_order),
		cmocka_unit_test(test_never_disarms),
		cmocka_unit_test(test_agrees_with_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
