// SPDX-License-Identifier: GPL-2.0-only
/*
 * Is there a leader wherever there can be one, and soon? Networks that are cut one way at random,
 * and disks that are slower than the election timeout. test_liveness FROM TO: other seeds.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "unit/cluster.h"

static uint64_t first_seed = 1, last_seed = 400;

static int below(struct cluster *c, int n)
{
	return (int)(cluster_random(c) % n);
}

static bool both_ways(const struct cluster *c, int a, int b)
{
	return !c->cut[a][b] && !c->cut[b][a];
}

/* Rule 18: has a majority told, or could it, what it knows of this node? */
static bool may_vote(const struct cluster *c, int id)
{
	int count = 0;

	for (int other = 1; other <= c->n; other++)
		count += !(c->node[id].engine->strangers >> other & 1) ||
			 (c->node[other].up && both_ways(c, id, other));
	return count > c->n / 2;
}

/* Could it lead: does it reach a majority of all, that are up and may vote, both ways? */
static bool is_capable(const struct cluster *c, int id)
{
	int count = 0;

	for (int other = 1; other <= c->n; other++)
		count += c->node[other].up && both_ways(c, id, other) && may_vote(c, other);
	return c->node[id].up && may_vote(c, id) && count > c->n / 2;
}

static bool any_is_capable(const struct cluster *c)
{
	for (int id = 1; id <= c->n; id++)
		if (is_capable(c, id))
			return true;
	return false;
}

/* The node whose lease holds, and that a majority follows which it reaches; or 0. */
static int holder(const struct cluster *c)
{
	for (int id = 1; id <= c->n; id++) {
		int count = 1;

		for (int other = 1; other <= c->n; other++)
			count += cluster_follows(c, other, id) && both_ways(c, id, other);
		if (cluster_lease(c, id) && count > c->n / 2)
			return id;
	}
	return 0;
}

static int await_holder(struct cluster *c, double ms)
{
	uint64_t until_ns = c->now_ns + MS(ms);

	while (!holder(c) && c->now_ns < until_ns)
		cluster_run_ms(c, 5);
	return holder(c);
}

static void cut_at_random(struct cluster *c)
{
	static const int permille[] = {100, 200, 300, 400, 550};
	int p = permille[below(c, ARRAY_SIZE(permille))];

	for (int a = 1; a <= c->n; a++)
		for (int b = 1; b <= c->n; b++)
			c->cut[a][b] = a != b && below(c, 1000) < p;
}

/* Some of the nodes have slow disks, some crash, and the network changes several times. */
static void disturb(struct cluster *c)
{
	c->jitter_ns = below(c, 3) ? 0 : MS(3);
	for (int id = 1; id <= c->n; id++)
		if (below(c, 4) == 0)
			c->node[id].disk_delay_ns = MS(1 + below(c, 60));
	for (int rounds = below(c, 4); rounds > 0; rounds--) {
		int id = 1 + below(c, c->n);

		c->loss_permille = below(c, 2) ? 0 : below(c, 400);
		cut_at_random(c);
		cluster_run_ms(c, 20 + below(c, 900));
		if (below(c, 6) == 0 && c->node[id].up)
			cluster_crash(c, id);
		else if (!c->node[id].up)
			cluster_restart(c, id);
	}
	c->loss_permille = 0;
}

/* True: it has a leader within 30 s, whom no other replaces. `*late`: but not within three timeouts. */
static bool settles(struct cluster *c, bool *late)
{
	uint64_t late_ns = c->now_ns + MS(3 * MAX_MS);
	int leader;

	/* An election that has its prevotes from before the calm may replace who leads by then. */
	cluster_run_ms(c, MAX_MS);
	leader = await_holder(c, 30000);
	*late = c->now_ns > late_ns;
	for (int i = 0; i < 300 && leader; i++) {
		cluster_run_ms(c, 20);
		if (holder(c) && holder(c) != leader)
			return false;
	}
	return leader;
}

static void one_way_cuts(void **state)
{
	static const int sizes[] = {3, 5, 5, 4, 7};
	int graphs = 0, nlate = 0;

	(void)state;
	for (uint64_t seed = first_seed; seed <= last_seed; seed++) {
		int n = sizes[seed % ARRAY_SIZE(sizes)];
		_cleanup_cluster_ struct cluster *c = cluster_new_seeded(n, seed);
		bool late;

		disturb(c);
		cut_at_random(c);
		if (!any_is_capable(c))
			continue;
		if (!settles(c, &late))
			fail_msg("seed %llu: no leader, or two", (unsigned long long)seed);
		graphs++;
		nlate += late;
	}
	assert_in_range(nlate, 0, graphs / 1000);
}

/* Candidate and voters write at the same time, so that one write is all that an election takes. */
static void slow_disks(void **state)
{
	static const int disk_ms[] = {1, 100, 300, 500, 1000, 3000};

	(void)state;
	for (size_t i = 0; i < 4 * ARRAY_SIZE(disk_ms); i++)
		for (uint64_t seed = first_seed; seed <= first_seed + (last_seed - first_seed) / 10;
		     seed++) {
			int nodes = i % 2 ? 3 : 5, loss_permille = i / 2 % 2 ? 300 : 0;
			_cleanup_cluster_ struct cluster *c = cluster_new_seeded(nodes, seed);
			double ms = disk_ms[i / 4];

			c->loss_permille = loss_permille;
			for (int id = 1; id <= nodes; id++) {
				c->node[id].disk_delay_ns = MS(ms);
				c->node[id].config.stall_limit_us = (STALL_MS + 4 * ms) * 1000;
			}
			if (!await_holder(c, loss_permille ? 60000 : ms + MAX_MS + 5))
				fail_msg("seed %llu: %d nodes, loss %d, disk %g ms: no leader",
					 (unsigned long long)seed, nodes, loss_permille, ms);
		}
}

/* Terms that are leaps from each other: a majority that can meet finds one all the same (rule 14). */
static void spread_terms(void **state)
{
	(void)state;
	for (uint64_t seed = first_seed; seed <= first_seed + (last_seed - first_seed) / 4;
	     seed++) {
		int n = 2 + seed % 6, down;
		_cleanup_cluster_ struct cluster *c = cluster_new_seeded(n, seed);

		down = below(c, (n + 1) / 2);
		for (int id = 1; id <= n; id++)
			cluster_crash(c, id);
		for (int id = 1; id <= n - down; id++) {
			struct durable d = {.term = below(c, 6) * 3 * XR_TERM_LEAP / 2 +
						    below(c, 9)};

			cluster_boot(c, id, d, c->now_ns);
		}
		if (!await_holder(c, n * 20 * MAX_MS))
			fail_msg("seed %llu: %d of %d nodes: no leader", (unsigned long long)seed,
				 n - down, n);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_way_cuts),
		cmocka_unit_test(slow_disks),
		cmocka_unit_test(spread_terms),
	};

	if (argc > 2) {
		first_seed = strtoull(argv[1], NULL, 10);
		last_seed = strtoull(argv[2], NULL, 10);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
