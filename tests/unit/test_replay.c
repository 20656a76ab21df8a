// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rule 17: a recording of all that was said, sent again in any order after any restart, changes
 * nothing. test_replay MILLIONS: so many million replays over a hundred restarts.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "unit/cluster.h"

#define NODES	 3
#define RESTARTS 100
#define BATCH	 500
#define MOST	 (1 << 18) /* recorded */
#define SETTLED	 MS(10)	   /* by then it has arrived */

static uint64_t replays = 200000;

struct recorded {
	uint64_t at_ns;
	uint16_t size;
	bool met; /* its receiver knew its sender: it was heard, and not only sent */
	uint8_t *bytes;
};

static struct recorded *tape;
static size_t ntape;
static bool replaying; /* what that elicits is not recorded */
static uint64_t counts[XR_REASON_END], by_type[XR_TYPE_END];

static bool knows(const struct cluster *c, const struct xr_wire *h)
{
	return xr_type_introduces(h->type) || c->node[h->dest].peers[h->source].lives == h->lives;
}

static void record(struct cluster *c, const struct xr_datagram *d)
{
	struct recorded *r = &tape[ntape];

	if (replaying || ntape == MOST)
		return;
	*r = (struct recorded){c->now_ns, d->size, knows(c, &d->wire), malloc(d->size)};
	assert_non_null(r->bytes);
	memcpy(r->bytes, d->bytes, d->size);
	ntape++;
}

/* All of a node that a replay must leave as it is. */
struct held {
	struct xr_group group;
	struct xr_acks acks;
	struct durable disk;
	uint64_t submitted_ns, life, lives[NODES + 1], lifes[NODES + 1];
	uint32_t term, strangers;
	uint8_t vote, role, phase, leader, answer, tx_path;
	bool up;
};

static void hold(const struct node *n, struct held *h)
{
	const struct xr_raft *r = &n->engine->members[0].raft;

	memset(h, 0, sizeof(*h));
	h->group = n->group;
	h->acks = n->acks;
	h->disk = n->disk;
	h->submitted_ns = n->submitted_ns;
	h->life = n->control.life;
	for (int id = 1; id <= NODES; id++) {
		h->lives[id] = n->peers[id].lives;
		h->lifes[id] = n->engine->known[id].life;
	}
	h->term = r->term;
	h->strangers = n->engine->strangers;
	h->vote = r->vote;
	h->role = r->role;
	h->phase = r->phase;
	h->leader = r->leader;
	h->answer = n->control.answer;
	h->tx_path = n->control.tx_path;
	h->up = n->up;
}

static void add_counts(const struct node *n, int64_t sign)
{
	const uint64_t *nic = (const uint64_t *)&n->stats;
	const uint64_t *slow = (const uint64_t *)&n->engine->stats;

	for (int i = 0; i < XR_REASON_END; i++)
		counts[i] += sign * (nic[i] + slow[i]);
}

/* One that was sent, and not heard before its receiver knew the sender, is not a replay yet. */
static const struct recorded *any(struct cluster *c, struct xr_datagram *d)
{
	for (;;) {
		const struct recorded *r = &tape[cluster_random(c) % ntape];

		d->size = r->size;
		memcpy(d->bytes, r->bytes, r->size);
		if (r->at_ns + SETTLED <= c->now_ns && (r->met || !knows(c, &d->wire)))
			return r;
	}
}

static void replay(struct cluster *c)
{
	static struct xr_datagram d;
	const struct recorded *r = any(c, &d);
	const struct xr_wire *h = &d.wire;
	struct node *n = &c->node[h->dest];
	struct held before, after;

	hold(n, &before);
	add_counts(n, -1);
	replaying = true;
	cluster_replay(c, &d);
	replaying = false;
	add_counts(n, 1);
	hold(n, &after);
	by_type[h->type]++;
	if (memcmp(&before, &after, sizeof(before)))
		fail_msg("a replayed %s from node %u to node %u, %llu us old, of term %u, changes "
			 "node %u: term %u to %u, vote %u to %u, view %u.%u.%u to %u.%u.%u, "
			 "contact %lld, mark %llx to %llx",
			 xr_type_text(h->type), h->source, h->dest,
			 (unsigned long long)(c->now_ns - r->at_ns) / 1000,
			 ((const struct xr_record *)(h + 1))->term, n->id, before.term, after.term,
			 before.vote, after.vote, before.group.view.term, before.group.view.leader,
			 before.group.view.mode, after.group.view.term, after.group.view.leader,
			 after.group.view.mode,
			 (long long)(after.group.contact_ns - before.group.contact_ns),
			 (unsigned long long)before.group.replay,
			 (unsigned long long)after.group.replay);
}

/* Between them the cluster runs on. */
static void replay_some(struct cluster *c, uint64_t n, double most_ms)
{
	for (uint64_t i = 0; i < n; i++) {
		if (i % BATCH == 0)
			cluster_run_ms(c, i ? most_ms * (cluster_random(c) % 1000) / 1000 : 0);
		replay(c);
	}
}

/* As after a crash of the daemon, or of the machine; of one, or of all. */
static void restart(struct cluster *c)
{
	int first = 1 + (int)(cluster_random(c) % NODES), last = first;

	if (cluster_random(c) % 10 == 0) {
		first = 1;
		last = NODES;
	}
	for (int id = first; id <= last; id++)
		cluster_crash(c, id);
	if (cluster_random(c) % 2)
		cluster_run_ms(c, (double)(cluster_random(c) % 500));
	for (int id = first; id <= last; id++) {
		struct node *n = &c->node[id];

		n->control.answer = 0;
		n->control.tx_path = XR_TX_UNTESTED;
		if (cluster_random(c) % 2)
			cluster_restart(c, id);
		else
			cluster_boot(c, id, n->disk, c->now_ns + MS(D_MS));
	}
}

static void print_counts(void)
{
	static const struct {
		const char *name, *text;
	} reasons[] = {
#define X(name, text) {#name, text},
		XR_REASONS(X)
#undef X
	};

	for (int type = 1; type < XR_TYPE_END; type++)
		print_message("%9llu of %s\n", (unsigned long long)by_type[type],
			      xr_type_text(type));
	for (int i = 0; i < XR_REASON_END; i++)
		if (counts[i])
			print_message("%9llu %s: %s\n", (unsigned long long)counts[i],
				      reasons[i].name, reasons[i].text);
}

static void recordings_change_nothing(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(NODES);
	uint64_t each = replays / RESTARTS;
	size_t done = 0;

	(void)state;
	tape = calloc(MOST, sizeof(*tape));
	assert_non_null(tape);
	c->on_send = record;
	for (int id = 1; id <= NODES; id++) {
		c->node[id].control.nic_mode = XR_NIC_NATIVE;
		c->node[id].control.answer = 0;
		cluster_restart(c, id);
	}
	cluster_await_leader(c, 3000);
	cluster_run_ms(c, 500);
	for (int i = 0; i < RESTARTS; i++) {
		int leader;
		uint32_t term;

		restart(c);
		replay_some(c, each / 2, 2); /* from the first instant on */
		cluster_await_leader(c, 3000);
		cluster_run_ms(c, 2 * MAX_MS);
		leader = cluster_leader(c);
		term = c->node[leader].group.view.term;
		replay_some(c, each - each / 2, 5);
		cluster_run_ms(c, MAX_MS);
		assert_int_equal(cluster_leader(c), leader);
		assert_int_equal(c->node[leader].group.view.term, term);
		for (int id = 1; id <= NODES; id++) {
			assert_true(id == leader || cluster_follows(c, id, leader));
			assert_int_equal(c->node[id].control.answer, 1);
		}
		done += each;
	}
	print_message("%zu replays of %zu recorded datagrams over %d restarts, up to term %u:\n",
		      done, ntape, RESTARTS, c->node[cluster_leader(c)].group.view.term);
	print_counts();
	for (size_t i = 0; i < ntape; i++)
		free(tape[i].bytes);
	free(tape);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recordings_change_nothing),
	};

	if (argc > 1)
		replays = (uint64_t)(strtod(argv[1], NULL) * 1e6);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
