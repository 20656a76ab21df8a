// SPDX-License-Identifier: GPL-2.0-only
/* Timers against the plainest model: an array that is searched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "daemon/timers.h"

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
	struct xr_timers t;
	uint64_t was_ns;

	(void)state;
	assert_int_equal(xr_timers_init(&t, 4), 0);
	xr_timers_set(&t, 2, 30);
	xr_timers_set(&t, 0, 10);
	xr_timers_set(&t, 3, 20);
	assert_int_equal(xr_timers_due(&t, 9, &was_ns), UINT32_MAX);
	assert_int_equal(xr_timers_due(&t, 25, &was_ns), 0);
	assert_int_equal(was_ns, 10);
	assert_int_equal(xr_timers_due(&t, 25, &was_ns), 3);
	assert_int_equal(xr_timers_due(&t, 25, &was_ns), UINT32_MAX);
	assert_int_equal(xr_timers_next_ns(&t), 30);
	xr_timers_free(&t);
}

static void test_never_disarms(void **state)
{
	struct xr_timers t;
	uint64_t was_ns;

	(void)state;
	assert_int_equal(xr_timers_init(&t, 2), 0);
	xr_timers_set(&t, 1, 5);
	xr_timers_set(&t, 1, UINT64_MAX);
	xr_timers_set(&t, 0, UINT64_MAX);
	assert_int_equal(xr_timers_next_ns(&t), UINT64_MAX);
	assert_int_equal(xr_timers_due(&t, UINT64_MAX - 1, &was_ns), UINT32_MAX);
	xr_timers_free(&t);
}

static void test_agrees_with_model(void **state)
{
	uint64_t at[IDS], seed = 42;
	struct xr_timers t;
	uint64_t was_ns;

	(void)state;
	assert_int_equal(xr_timers_init(&t, IDS), 0);
	for (int i = 0; i < IDS; i++)
		at[i] = UINT64_MAX;
	for (int round = 0; round < 100000; round++) {
		uint32_t id, due;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		id = seed >> 32 & (IDS - 1);
		if (seed >> 40 & 3) {
			at[id] = seed >> 50 & 1 ? UINT64_MAX : seed >> 44;
			xr_timers_set(&t, id, at[id]);
		} else if (model_next(at) != UINT64_MAX) {
			due = xr_timers_due(&t, model_next(at), &was_ns);
			assert_true(due < IDS);
			assert_int_equal(at[due], model_next(at));
			assert_int_equal(was_ns, at[due]);
			at[due] = UINT64_MAX;
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
