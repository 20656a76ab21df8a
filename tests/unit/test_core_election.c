// SPDX-License-Identifier: GPL-2.0-only
/*
 * Elections as stories. Names are those of the public suites where the idea comes from one:
 * etcd-io/raft raft_test.go, cowsql/raft test_election.c, hashicorp/raft raft_test.go; then
 * our rules by number. PreVote and CheckQuorum are always on.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>
#include "unit/cluster.h"

static struct xr_view view(const struct cluster *c, int id)
{
	return c->node[id].group.view;
}

static enum xr_cause cause(const struct cluster *c, int id, enum xr_report_kind kind)
{
	const struct xr_report *r = cluster_report(c, id, kind);

	return r ? r->cause : XR_CAUSE_NONE;
}

/* The leader resigns in favour of `heir`. */
static void transfer(struct cluster *c, int heir)
{
	assert_int_equal(cluster_order(c, cluster_leader(c), heir).err, 0);
}

#define LATE_MS (D_MS / 2) /* then a loop takes itself for late */

/* Did the leader and its term stay for `ms`? */
static void leads_undisturbed(struct cluster *c, int leader, double ms)
{
	uint32_t term = raft_of(c, leader)->term;

	cluster_run_ms(c, ms);
	assert_int_equal(cluster_leader(c), leader);
	assert_int_equal(raft_of(c, leader)->term, term);
}

/* `to`'s answer to a (Pre)RequestVote. */
static struct xr_message ask(struct cluster *c, int to, struct xr_message m)
{
	cluster_hear(c, to, m);
	assert_non_null(cluster_sent(c, to, m.node, m.type + 1));
	return cluster_sent(c, to, m.node, m.type + 1)->m;
}

/*
 * ---- etcd: electing ----
 */

static void leader_election(void **state)
{
	static const struct {
		int nodes, down;
		bool elects;
	} table[] = {{1, 0, true}, {3, 0, true},  {3, 1, true}, {3, 2, false},
		     {5, 2, true}, {5, 3, false}, {4, 1, true}, {4, 2, false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		_cleanup_cluster_ struct cluster *c = cluster_new(table[i].nodes);

		for (int id = 0; id < table[i].down; id++)
			cluster_crash(c, c->n - id);
		cluster_run_ms(c, 3000);
		assert_int_equal(cluster_leader(c) != 0, table[i].elects);
		if (!table[i].elects) /* PreVote: who cannot win does not raise its term */
			assert_int_equal(raft_of(c, 1)->term, 0);
	}
}

static void leader_cycle(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);
	uint32_t term = 1;

	(void)state;
	cluster_elect(c, 3);
	for (int turn = 0; turn < 6; turn++) {
		int heir = turn % 3 + 1;

		transfer(c, heir);
		cluster_run_ms(c, 2);
		assert_int_equal(cluster_leader(c), heir);
		assert_int_equal(raft_of(c, heir)->term, ++term);
	}
}

static void single_node_candidate(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(1);

	(void)state;
	cluster_run_ms(c, MAX_MS + 1);
	leads_undisturbed(c, 1, 1000);
	assert_int_equal(raft_of(c, 1)->term, 1);
}

static void two_voters(void **state) /* cowsql */
{
	_cleanup_cluster_ struct cluster *c = cluster_new(2);

	(void)state;
	cluster_elect(c, 2);
	leads_undisturbed(c, 2, 1000);
}

enum any_state { FOLLOWER, PRECANDIDATE, CANDIDATE, LEADER, ANY_STATES };

static struct cluster *node_in(enum any_state s)
{
	struct cluster *c = cluster_new_stage(3);

	if (s == FOLLOWER) {
		stage_follow(c, 3, 1);
		cluster_set_timeout(c, 1, NEVER_MS); /* long ago */
		cluster_run_ms(c, MAX_MS + 1);
	}
	if (s == PRECANDIDATE)
		stage_time_out(c);
	if (s == CANDIDATE)
		stage_candidate(c);
	if (s == LEADER)
		stage_leader(c); /* nobody acks: no lease yet */
	return c;
}

static void vote_from_any_state(void **state)
{
	(void)state;
	for (enum any_state s = 0; s < ANY_STATES; s++) {
		_cleanup_cluster_ struct cluster *c = node_in(s);
		uint32_t newer = raft_of(c, 1)->term + 1;

		assert_true(ask(c, 1, say_vote(2, newer)).granted);
		assert_int_equal(c->node[1].disk.term, newer);
		assert_int_equal(c->node[1].disk.vote, 2);
		assert_int_equal(raft_of(c, 1)->role, XR_FOLLOWER);
		assert_int_equal(view(c, 1).mode, XR_NONE);
	}
}

static void pre_vote_from_any_state(void **state)
{
	(void)state;
	for (enum any_state s = 0; s < ANY_STATES; s++) {
		_cleanup_cluster_ struct cluster *c = node_in(s);
		struct xr_raft before = *raft_of(c, 1);
		union xr_word published = xr_view_read(&c->node[1].group);
		int writes = c->node[1].writes, fences = c->node[1].fences;
		struct xr_message m;

		cluster_deliver(c, 1, say_prevote(2, before.term + 1));
		m = cluster_sent(c, 1, 2, XR_PREVOTE_ANSWER)->m;
		assert_true(m.granted);
		assert_int_equal(m.term, before.term + 1);
		before.met = raft_of(c, 1)->met; /* but that node 2 is there */
		assert_memory_equal(raft_of(c, 1), &before, sizeof(before));
		assert_int_equal(xr_view_read(&c->node[1].group).word, published.word);
		assert_int_equal(c->node[1].writes, writes);
		assert_int_equal(c->node[1].fences, fences);
	}
}

/* Both win their prevote, as those are not exclusive; the vote is. */
static void dueling_candidates(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);
	int leader, loser;

	(void)state;
	cluster_cut_both(c, 1, 3);
	cluster_set_timeout(c, 1, 10);
	cluster_set_timeout(c, 3, 10.01);
	cluster_set_timeout(c, 2, NEVER_MS);
	cluster_run_ms(c, 12);
	leader = cluster_leader(c);
	loser = leader == 1 ? 3 : 1;
	assert_int_equal(raft_of(c, leader)->term, 1);
	assert_int_equal(raft_of(c, loser)->role, XR_CANDIDATE);
	assert_int_equal(raft_of(c, loser)->term, 1);
	cluster_heal(c);
	leads_undisturbed(c, leader, 1000);
	assert_true(cluster_follows(c, loser, leader));
}

/* The prevote's loser keeps its term, so it comes back without a stir. */
static void dueling_pre_candidates(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	cluster_cut_both(c, 1, 3);
	cluster_set_timeout(c, 1, 10);
	cluster_set_timeout(c, 3, 20);
	cluster_set_timeout(c, 2, NEVER_MS);
	cluster_run_ms(c, 1000);
	assert_int_equal(cluster_leader(c), 1);
	assert_int_equal(raft_of(c, 3)->phase, XR_PREVOTING);
	assert_int_equal(raft_of(c, 3)->term, 1); /* the winner's, by 2's refusal */
	cluster_heal(c);
	leads_undisturbed(c, 1, 1000);
	assert_true(cluster_follows(c, 3, 1));
}

static void cut_off_when_it_fences(struct cluster *c, struct node *n)
{
	cluster_isolate(c, n->id);
	c->on_fence = NULL;
}

static void candidate_concede(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	c->on_fence = cut_off_when_it_fences; /* its RequestVotes are lost */
	cluster_set_timeout(c, 1, 10);
	cluster_set_timeout(c, 2, 20);
	cluster_run_ms(c, 30);
	assert_int_equal(raft_of(c, 1)->role, XR_CANDIDATE);
	assert_int_equal(cluster_leader(c), 2);
	cluster_heal(c);
	cluster_run_ms(c, 2 * HEARTBEAT_MS);
	assert_true(cluster_follows(c, 1, 2));
	assert_int_equal(raft_of(c, 1)->term, 1);
}

static void old_messages(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	cluster_elect(c, 1);
	transfer(c, 2);
	cluster_run_ms(c, 5);
	transfer(c, 1);
	cluster_run_ms(c, 5);
	assert_int_equal(raft_of(c, 1)->term, 3);
	cluster_hear(c, 3, say_heartbeat(c, 2, 2)); /* from its time as leader */
	cluster_hear(c, 1, say_heartbeat(c, 2, 2));
	assert_true(cluster_follows(c, 3, 1));
	leads_undisturbed(c, 1, 500);
}

static void step_ignore_old_term_msg(void **state)
{
	static const enum xr_type types[] = {XR_HEARTBEAT,	XR_ACK,		XR_POLL,
					     XR_VOTE,		XR_VOTE_ANSWER, XR_PREVOTE,
					     XR_PREVOTE_ANSWER, XR_RESIGN};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);
		struct xr_message m = say_vote(2, 3);
		struct xr_raft before;

		stage_follow(c, 2, 4);
		before = *raft_of(c, 1);
		m.type = types[i];
		m.granted = true;
		m.round = before.round;
		m.sent_ns = c->now_ns;
		cluster_deliver(c, 1, m);
		before.met = raft_of(c, 1)->met;
		assert_memory_equal(raft_of(c, 1), &before, sizeof(before));
		assert_int_equal(view(c, 1).mode, XR_FOLLOW);
		assert_int_equal(c->node[1].fences, 1); /* that of stage_follow() */
	}
}

static void trouble(struct cluster *c)
{
	int id = 1 + cluster_random(c) % c->n, other = 1 + cluster_random(c) % c->n;

	switch (cluster_random(c) % 6) {
	case 0:
		cluster_crash(c, id);
		break;
	case 1:
		cluster_isolate(c, id);
		break;
	case 2:
		cluster_cut(c, id, other);
		break;
	case 3:
		c->node[id].paused = true;
		break;
	case 4:
		c->node[id].disk_delay_ns = MS(cluster_random(c) % 40 + 0.2);
		break;
	default:
		cluster_heal(c);
	}
	for (int n = 1; n <= c->n; n++) {
		if (c->node[n].paused && cluster_random(c) % 3 == 0)
			c->node[n].paused = false;
		if (!c->node[n].up && cluster_random(c) % 3 == 0)
			cluster_restart(c, n);
	}
}

static void calm(struct cluster *c)
{
	cluster_heal(c);
	c->loss_permille = 0;
	for (int id = 1; id <= c->n; id++) {
		c->node[id].disk_delay_ns = MS(0.2);
		if (c->node[id].paused)
			c->node[id].paused = false;
		if (!c->node[id].up)
			cluster_restart(c, id);
	}
}

/* Illegal moves abort: check_role() and the rest of cluster.c, in a storm that ends. */
static void state_transition(void **state)
{
	(void)state;
	for (int seed = 0; seed < 24; seed++) {
		_cleanup_cluster_ struct cluster *c = cluster_new_seeded(3 + seed % 3, seed);

		c->loss_permille = 100;
		c->twice_permille = 100;
		c->jitter_ns = MS(4);
		for (int i = 0; i < 200; i++) {
			trouble(c);
			cluster_run_ms(c, cluster_random(c) % 200);
		}
		calm(c);
		cluster_run_ms(c, 3000);
		leads_undisturbed(c, cluster_await_leader(c, 1), 2000);
	}
}

static void all_server_stepdown(void **state)
{
	(void)state;
	for (enum any_state s = 0; s < ANY_STATES; s++)
		for (int vote = 0; vote <= 1; vote++) {
			_cleanup_cluster_ struct cluster *c = node_in(s);

			cluster_hear(c, 1, vote ? say_vote(2, 3) : say_heartbeat(c, 2, 3));
			assert_int_equal(raft_of(c, 1)->role, XR_FOLLOWER);
			assert_int_equal(raft_of(c, 1)->term, 3);
			assert_int_equal(raft_of(c, 1)->leader, vote ? 0 : 2);
		}
}

static void candidate_self_vote_after_lost_election(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	c->node[1].disk_delay_ns = MS(20);
	stage_candidate(c);
	cluster_hear(c, 1, say_heartbeat(c, 2, 1)); /* lost, while the own vote is on its way */
	cluster_run_ms(c, 20);
	stage_answer(c, 3, true);
	assert_int_equal(c->node[1].disk.vote, 1);
	assert_int_equal(raft_of(c, 1)->role, XR_FOLLOWER);
	assert_int_equal(view(c, 1).leader, 2);
}

/*
 * ---- etcd: CheckQuorum ----
 */

static void leader_stepdown_when_quorum_active(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	cluster_elect(c, 1);
	cluster_forget(c);
	leads_undisturbed(c, 1, 5000);
	assert_int_equal(cluster_count(c, 0, 0, XR_PREVOTE), 0);
	assert_int_equal(cluster_count(c, 0, 0, XR_POLL), 0); /* a quiet cluster never polls */
}

static void leader_stepdown_when_quorum_lost(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	cluster_elect(c, 1);
	cluster_run_ms(c, 2 * MAX_MS);
	cluster_isolate(c, 1);
	cluster_run_ms(c, MAX_MS + HEARTBEAT_MS);
	assert_int_equal(raft_of(c, 1)->role, XR_FOLLOWER);
	assert_int_equal(view(c, 1).mode, XR_NONE);
}

static void leader_superseding_with_check_quorum(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	cluster_elect(c, 1);
	cluster_cut_both(c, 1, 3); /* 2 still hears 1, and refuses 3 */
	leads_undisturbed(c, 1, 1000);
	cluster_isolate(c, 1); /* now it does not */
	cluster_run_ms(c, 1000);
	assert_int_not_equal(cluster_leader(c), 1);
	cluster_heal(c);
	leads_undisturbed(c, cluster_await_leader(c, 100), 1000);
	assert_true(cluster_follows(c, 1, cluster_leader(c)));
}

/* A node of a higher term is not left out for ever: its refusals make the leader make way. */
static void free_stuck_candidate_with_check_quorum(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	cluster_elect(c, 1);
	cluster_crash(c, 3);
	cluster_boot(c, 3, (struct durable){.term = 5, .vote = 3}, 0);
	cluster_run_ms(c, 1000);
	assert_in_range(raft_of(c, cluster_await_leader(c, 1))->term, 6, 7);
	for (int id = 1; id <= 3; id++)
		assert_true(id == cluster_leader(c) || cluster_follows(c, id, cluster_leader(c)));
}

static void disruptive_follower(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);
	struct xr_message refusal = {.type = XR_ACK, .node = 3, .term = 2};

	(void)state;
	stage_leader(c);
	cluster_hear(c, 1, refusal);
	assert_int_equal(raft_of(c, 1)->role, XR_FOLLOWER);
	assert_int_equal(raft_of(c, 1)->term, 2);
	assert_int_equal(cause(c, 1, XR_REPORT_stepped_down), XR_CAUSE_NEWER_TERM);
}

/* It does not hear the leader any more, but all others do. */
static void disruptive_follower_pre_vote(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	cluster_elect(c, 1);
	cluster_cut(c, 1, 3);
	leads_undisturbed(c, 1, 3000);
	assert_int_equal(raft_of(c, 3)->term, 1);
	assert_true(cluster_count(c, 3, 1, XR_PREVOTE) > 1);
}

static void pre_vote_with_check_quorum(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	cluster_elect(c, 1);
	cluster_isolate(c, 1);
	cluster_set_timeout(c, 2, D_MS / 2.0); /* too early: 3 heard the leader within D */
	cluster_run_ms(c, D_MS * 0.7);
	assert_int_equal(cluster_leader(c), 1);
	cluster_run_ms(c, MAX_MS);
	assert_int_not_equal(cluster_await_leader(c, 1), 1);
}

static void pre_vote_with_split_vote(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	cluster_elect(c, 1);
	cluster_crash(c, 1);
	cluster_set_timeout(c, 2, MAX_MS);
	cluster_set_timeout(c, 3, MAX_MS);
	cluster_run_ms(c, MAX_MS + 2);
	assert_int_equal(cluster_leader(c), 0);
	assert_int_equal(raft_of(c, 2)->role, XR_CANDIDATE);
	assert_int_equal(raft_of(c, 3)->role, XR_CANDIDATE);
	assert_int_equal(raft_of(c, 2)->term, 2);
	assert_int_equal(raft_of(c, 3)->term, 2);
	assert_true(raft_of(c, cluster_await_leader(c, 3 * MAX_MS))->term > 2);
}

/*
 * The voters' disks are slower than the election timeout. Term after term, each with another write,
 * would get nobody elected: the candidate waits in this one, and asks again.
 */
static void slow_voters_cost_no_term(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	stage_candidate(c);
	cluster_run_ms(c, 5 * MAX_MS);
	assert_int_equal(raft_of(c, 1)->role, XR_CANDIDATE);
	assert_int_equal(raft_of(c, 1)->term, 1);
	assert_int_equal(c->node[1].writes, 1);
	assert_true(cluster_count(c, 1, 2, XR_VOTE) > 5);
	stage_answer(c, 2, true);
	assert_int_equal(raft_of(c, 1)->role, XR_LEADER);
}

/* The third node's vote comes a little after the own one, and each disk is as slow. */
static void slow_disks_do_not_split_again(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	for (int id = 1; id <= 3; id++)
		c->node[id].disk_delay_ns = MS(2 * MAX_MS);
	cluster_set_timeout(c, 1, 10);
	cluster_set_timeout(c, 2, 10.01);
	cluster_await_leader(c, 2 * MAX_MS + 12);
	assert_int_equal(raft_of(c, 1)->term, 1);
}

/* Who has a vote on its way to the disk could not give another one. */
static void writing_voter_grants_no_prevote(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	c->node[1].disk_delay_ns = MS(20);
	cluster_deliver(c, 1, say_vote(2, 1));
	cluster_deliver(c, 1, say_prevote(3, 2));
	assert_false(cluster_sent(c, 1, 3, XR_PREVOTE_ANSWER)->m.granted);
	cluster_run_ms(c, 21);
	cluster_deliver(c, 1, say_prevote(3, 2));
	assert_true(cluster_sent(c, 1, 3, XR_PREVOTE_ANSWER)->m.granted);
}

/* Only the node left behind may time out; a refused prevote tells it the term that it needs. */
static void node_with_smaller_term_can_complete_election(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	cluster_crash(c, 1);
	cluster_boot(c, 2, (struct durable){.term = 4, .vote = 1}, 0);
	cluster_elect(c, 3);
	assert_int_equal(raft_of(c, 3)->term, 5);
}

/*
 * ---- etcd, hashicorp: resignation and heir ----
 */

static void transfer_to_up_to_date_node(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(5);

	(void)state;
	cluster_elect(c, 1);
	transfer(c, 4);
	cluster_run_ms(c, 1); /* one round trip and two disks: nobody waits, nobody is sticky */
	assert_int_equal(cluster_leader(c), 4);
	assert_int_equal(cause(c, 4, XR_REPORT_elected), XR_CAUSE_RESIGNED);
	leads_undisturbed(c, 4, 1000);
}

static void transfer_to_self(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	cluster_elect(c, 1);
	transfer(c, 1); /* nothing to do */
	leads_undisturbed(c, 1, 1000);
}

static void transfer_to_non_existing_node(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	cluster_elect(c, 1);
	assert_int_equal(cluster_order(c, 1, 9).err, -EINVAL);
	leads_undisturbed(c, 1, 1000);
}

/*
 * The leader is back before anyone missed it, and leads no more: it says so to who polls it, and
 * names the one that acked it last.
 */
static void restarted_leader_resigns_when_polled(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);
	uint64_t began_ns;

	(void)state;
	cluster_elect(c, 1);
	cluster_cut(c, 1, 2);
	cluster_run_ms(c, 2 * HEARTBEAT_MS + 1);
	cluster_heal(c);
	began_ns = c->now_ns;
	cluster_crash(c, 1);
	cluster_restart(c, 1);
	assert_int_equal(cluster_await_leader(c, D_MS), 3);
	assert_true(c->now_ns - began_ns < MS(D_MS));
	assert_int_equal(cluster_sent(c, 1, 0, XR_RESIGN)->m.term, 1);
	assert_int_equal(raft_of(c, 1)->term, 2); /* it kept its promise, and follows */
}

/* It may yet win the term for which it is polled: no resignation. */
static void candidate_does_not_resign_when_polled(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);
	struct xr_message poll = {.type = XR_POLL, .node = 2, .term = 1};

	(void)state;
	stage_candidate(c);
	cluster_deliver(c, 1, poll);
	assert_null(cluster_sent(c, 1, 2, XR_RESIGN));
	stage_answer(c, 2, true);
	assert_int_equal(raft_of(c, 1)->role, XR_LEADER);
	cluster_deliver(c, 1, poll);
	assert_null(cluster_sent(c, 1, 2, XR_RESIGN));
}

/* The heir is dead: the others elect among themselves, after D and a quarter of their usual time. */
static void transfer_timeout(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	cluster_elect(c, 1);
	cluster_crash(c, 2);
	transfer(c, 2);
	cluster_await_leader(c, D_MS + MAX_MS / 4 + 5);
}

static void transfer_receive_higher_term_vote(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	cluster_elect(c, 1);
	cluster_isolate(c, 2);
	transfer(c, 2);
	assert_true(ask(c, 1, say_vote(3, 2)).granted); /* not sticky to itself */
	assert_int_equal(raft_of(c, 1)->term, 2);
}

static void second_transfer_to_another_node(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(4);

	(void)state;
	cluster_elect(c, 1);
	cluster_crash(c, 2);
	transfer(c, 2);
	cluster_await_leader(c, MAX_MS);
	cluster_run_ms(c, 1);
	transfer(c, cluster_leader(c) == 3 ? 4 : 3);
	cluster_run_ms(c, 2);
	assert_in_range(cluster_leader(c), 3, 4);
}

/* Only the leader that a node follows can resign. */
static void transfer_non_member(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	stage_follow(c, 2, 1);
	cluster_hear(c, 1, say_resign(3, 1, 1));
	cluster_hear(c, 1, say_resign(2, 2, 1));
	assert_int_equal(view(c, 1).mode, XR_FOLLOW);
	assert_int_equal(raft_of(c, 1)->term, 1);
}

static void leadership_transfer_in_progress(void **state) /* hashicorp */
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	cluster_elect(c, 1);
	transfer(c, 2);
	assert_int_equal(cluster_order(c, 1, 2).err, -EPERM); /* once more */
	assert_int_equal(cluster_count(c, 1, 2, XR_RESIGN), 1);
	cluster_run_ms(c, 2);
	assert_int_equal(cluster_leader(c), 2);
}

/* It carries what the resignation said, for exactly that leader and term. */
static void heirs_request_overtakes_resignation(void **state)
{
	static const struct {
		uint32_t asks;
		uint8_t leader;
		uint32_t term;
		bool granted;
	} table[] = {{5, 2, 4, true},
		     {6, 2, 4, false},
		     {5, 2, 3, false},
		     {5, 3, 4, false},
		     {5, 0, 4, false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);
		struct xr_message m = say_vote(3, table[i].asks);

		stage_follow(c, 2, 4);
		m.lift_leader = table[i].leader;
		m.lift_term = table[i].term;
		assert_int_equal(ask(c, 1, m).granted, table[i].granted);
	}
}

static void heir_says_who_resigned(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	stage_follow(c, 2, 1);
	cluster_hear(c, 1, say_resign(2, 1, 1));
	assert_int_equal(cluster_sent(c, 1, 3, XR_VOTE)->m.lift_leader, 2);
	assert_int_equal(cluster_sent(c, 1, 3, XR_VOTE)->m.lift_term, 1);
}

static void resigned_leader_is_not_followed_again(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	stage_follow(c, 2, 1);
	cluster_hear(c, 1, say_resign(2, 1, 3));
	cluster_hear(c, 1, say_heartbeat(c, 2, 1)); /* it was late */
	assert_int_equal(view(c, 1).mode, XR_NONE);
}

/*
 * ---- cowsql ----
 */

static void grant_again(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	assert_true(ask(c, 1, say_vote(2, 1)).granted);
	cluster_forget(c);
	assert_true(ask(c, 1, say_vote(2, 1)).granted);
	assert_int_equal(c->node[1].writes, 1);
}

static void wait_quorum(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(5);

	(void)state;
	stage_candidate(c);
	stage_answer(c, 2, true);
	assert_int_equal(raft_of(c, 1)->role, XR_CANDIDATE);
	cluster_forget(c);
	cluster_run_ms(c, D_MS / 3); /* it asks again, but not those that have answered */
	assert_true(cluster_count(c, 1, 5, XR_VOTE) > 0);
	assert_int_equal(cluster_count(c, 1, 2, XR_VOTE), 0);
	stage_answer(c, 5, true);
	assert_int_equal(raft_of(c, 1)->role, XR_LEADER);
}

static void reject_if_term_lower(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);
	struct xr_message m;

	(void)state;
	cluster_boot(c, 1, (struct durable){.term = 3}, 0);
	m = ask(c, 1, say_vote(2, 2));
	assert_false(m.granted);
	assert_int_equal(m.term, 3);
	m = ask(c, 1, say_prevote(2, 3)); /* a prevote asks for a term to come */
	assert_false(m.granted);
	assert_int_equal(m.term, 3);
}

static void reject_if_has_leader(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	stage_follow(c, 2, 1);
	assert_false(ask(c, 1, say_prevote(3, 2)).granted);
	assert_false(ask(c, 1, say_vote(3, 2)).granted);
	assert_int_equal(cause(c, 1, XR_REPORT_vote_refused), XR_CAUSE_HAS_LEADER);
	assert_int_equal(view(c, 1).mode, XR_FOLLOW);
}

static void reject_if_already_voted(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	assert_true(ask(c, 1, say_vote(2, 1)).granted);
	assert_false(ask(c, 1, say_vote(3, 1)).granted);
	assert_int_equal(cause(c, 1, XR_REPORT_vote_refused), XR_CAUSE_VOTED);
	assert_int_equal(c->node[1].disk.vote, 2);
}

/* Who is no member by this node's idea may be one by a newer (4.2.2): it is judged as all others are. */
static void grant_to_who_is_no_voter_here(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(4);

	(void)state;
	raft_of(c, 1)->voters = c->node[1].group.members = 0xe; /* 1, 2 and 3 */
	assert_true(ask(c, 1, say_prevote(4, 1)).granted);
	assert_true(ask(c, 1, say_vote(4, 1)).granted);
	assert_int_equal(c->node[1].disk.vote, 4);
	stage_follow(c, 2, 2); /* and is no less refused: a removed node disturbs nobody */
	assert_false(ask(c, 1, say_prevote(4, 3)).granted);
	assert_false(ask(c, 1, say_vote(4, 3)).granted);
	assert_int_equal(cause(c, 1, XR_REPORT_vote_refused), XR_CAUSE_HAS_LEADER);
	assert_int_equal(c->node[1].disk.term, 2);
}

static void receive_reject_result(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);
	struct xr_message m;

	(void)state;
	stage_candidate(c);
	stage_answer(c, 2, false);
	assert_int_equal(raft_of(c, 1)->role, XR_CANDIDATE);
	m = say_answer(c, 3, 1, false);
	m.term = 8;
	cluster_hear(c, 1, m);
	assert_int_equal(raft_of(c, 1)->role, XR_FOLLOWER);
	assert_int_equal(raft_of(c, 1)->term, 8);
	assert_int_equal(c->node[1].disk.vote, 0);
}

static void crash_when_it_fences(struct cluster *c, struct node *n)
{
	n->paused = true; /* crash once the step is over */
	cluster_isolate(c, n->id);
	c->on_fence = NULL;
}

static void pre_vote_with_candidate_crash(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	c->on_fence = crash_when_it_fences;
	cluster_set_timeout(c, 1, 10);
	cluster_run_ms(c, 15);
	cluster_crash(c, 1);
	assert_int_not_equal(cluster_await_leader(c, 2 * MAX_MS), 1);
	cluster_heal(c);
	cluster_restart(c, 1);
	leads_undisturbed(c, cluster_leader(c), 1000);
	assert_true(cluster_follows(c, 1, cluster_leader(c)));
}

/* Answers carry phase, term and round; one that comes late counts for nothing. */
static void pre_vote_no_stale_votes(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);
	struct xr_message late;

	(void)state;
	stage_time_out(c);
	late = say_answer(c, 2, 1, true);
	stage_time_out(c); /* another round, the same term */
	assert_int_equal(cluster_sent(c, 1, 2, XR_PREVOTE)->m.term, late.term);
	cluster_hear(c, 1, late);
	assert_int_equal(raft_of(c, 1)->role, XR_FOLLOWER);
	assert_int_equal(c->node[1].fences, 0);
}

static void pre_vote_is_no_vote(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(5);
	struct xr_message m;

	(void)state;
	stage_candidate(c); /* by prevotes of 2 and 3 */
	for (int peer = 2; peer <= 5; peer++) {
		m = say_answer(c, peer, 1, true);
		m.type = XR_PREVOTE_ANSWER;
		cluster_hear(c, 1, m);
	}
	assert_int_equal(raft_of(c, 1)->role, XR_CANDIDATE);
}

static void vote_of_an_older_term_does_not_count(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);
	struct xr_message late;

	(void)state;
	stage_candidate(c);
	late = say_answer(c, 2, 1, true);
	stage_candidate(c);
	cluster_hear(c, 1, late);
	assert_int_equal(raft_of(c, 1)->role, XR_CANDIDATE);
}

/*
 * ---- hashicorp ----
 */

static void pre_vote_avoid_election_with_partition(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(5);

	(void)state;
	cluster_elect(c, 1);
	cluster_isolate(c, 5);
	leads_undisturbed(c, 1, 2000);
	cluster_heal(c);
	leads_undisturbed(c, 1, 2000);
	assert_true(cluster_follows(c, 5, 1));
}

static void verify_leader_partial_connect(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(5);

	(void)state;
	cluster_elect(c, 1);
	cluster_cut_both(c, 1, 4);
	cluster_cut_both(c, 1, 5);
	leads_undisturbed(c, 1, 2000);
	assert_true(cluster_lease(c, 1));
	cluster_cut_both(c, 1, 3);
	cluster_run_ms(c, MAX_MS + HEARTBEAT_MS + 1);
	assert_int_not_equal(view(c, 1).mode, XR_LEAD);
	assert_int_not_equal(cluster_await_leader(c, 2 * MAX_MS), 1);
}

static void restart_follower_long_initial_heartbeat(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	cluster_elect(c, 1);
	cluster_crash(c, 3);
	leads_undisturbed(c, 1, 1000);
	cluster_restart(c, 3);
	leads_undisturbed(c, 1, 2000);
	assert_true(cluster_follows(c, 3, 1));
}

/*
 * ---- rule 3: decide, fence, look again, persist, publish, reply ----
 */

static void refused_request_never_fences(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);
	int fences;

	(void)state;
	stage_follow(c, 2, 1);
	fences = c->node[1].fences;
	for (uint32_t term = 0; term < 9; term++) {
		cluster_hear(c, 1, say_prevote(3, term));
		cluster_hear(c, 1, say_vote(3, term));
	}
	assert_int_equal(c->node[1].fences, fences);
	assert_int_equal(raft_of(c, 1)->term, 1); /* rule 12: nor does it raise the term */
}

/* A run of the NIC path that was under way when the view was fenced. */
static void stamp_in_flight(struct cluster *c, struct node *n)
{
	n->group.contact_ns = c->now_ns;
}

static void second_look_restores_at_vote(void **state)
{
	_cleanup_cluster_ struct cluster *c = node_in(FOLLOWER);
	union xr_word before = xr_view_read(&c->node[1].group);
	int writes = c->node[1].writes;

	(void)state;
	c->on_fence = stamp_in_flight;
	assert_false(ask(c, 1, say_vote(2, 2)).granted);
	assert_int_equal(c->node[1].restores, 1);
	assert_int_equal(c->node[1].writes, writes);
	assert_int_equal(xr_view_read(&c->node[1].group).word, before.word);
}

static void second_look_restores_at_own_vote(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);
	int writes;

	(void)state;
	stage_follow(c, 2, 1);
	writes = c->node[1].writes;
	stage_time_out(c);
	c->on_fence = stamp_in_flight;
	stage_answer(c, 3, true);
	assert_int_equal(c->node[1].restores, 1);
	assert_int_equal(c->node[1].writes, writes);
	assert_int_equal(view(c, 1).mode, XR_FOLLOW);
	assert_int_equal(cluster_count(c, 1, 0, XR_VOTE), 0);
}

static void second_look_restores_at_newer_term(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);
	struct xr_message m;

	(void)state;
	stage_follow(c, 2, 1);
	stage_time_out(c);
	c->on_fence = stamp_in_flight;
	m = say_answer(c, 3, 1, false);
	m.term = 8;
	cluster_hear(c, 1, m);
	assert_int_equal(c->node[1].restores, 1);
	assert_int_equal(raft_of(c, 1)->term, 1);
}

static void ack_in_flight(struct cluster *c, struct node *n)
{
	n->acks.echo_ns[2] = c->now_ns;
}

static void second_look_sees_own_lease(void **state)
{
	_cleanup_cluster_ struct cluster *c = node_in(LEADER);

	(void)state;
	c->on_fence = ack_in_flight;
	assert_false(ask(c, 1, say_vote(3, 2)).granted);
	assert_int_equal(view(c, 1).mode, XR_LEAD);
	assert_int_equal(raft_of(c, 1)->role, XR_LEADER);
}

/* Its election has waited already. */
static void newer_leader_needs_no_look(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	stage_follow(c, 2, 1);
	c->on_fence = stamp_in_flight;
	stage_follow(c, 3, 2);
	assert_int_equal(c->node[1].restores, 0);
	assert_true(cluster_sent(c, 1, 3, XR_ACK)->m.granted);
	assert_int_equal(c->node[1].fences, 2);
}

static void no_grant_within_d_of_contact(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);
	uint64_t until_ns;

	(void)state;
	stage_follow(c, 2, 1);
	cluster_set_timeout(c, 1, NEVER_MS);
	until_ns = c->node[1].group.contact_ns + MS(D_MS);
	cluster_run_ms(c, (until_ns - c->now_ns - 1) / 1e6);
	assert_int_equal(c->now_ns, until_ns - 1);
	cluster_deliver(c, 1, say_prevote(3, 2));
	assert_false(cluster_sent(c, 1, 3, XR_PREVOTE_ANSWER)->m.granted);
	assert_false(ask(c, 1, say_vote(3, 2)).granted);
	assert_true(ask(c, 1, say_vote(3, 2)).granted); /* a millisecond later */
}

static void no_grant_while_lease_holds(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	cluster_elect(c, 1);
	cluster_run_ms(c, 1);
	assert_true(cluster_lease(c, 1));
	assert_false(ask(c, 1, say_vote(3, 2)).granted);
	assert_int_equal(cause(c, 1, XR_REPORT_vote_refused), XR_CAUSE_LEASE);
	leads_undisturbed(c, 1, 100);
}

static void reply_waits_for_disk(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	c->node[1].disk_delay_ns = MS(10);
	cluster_hear(c, 1, say_vote(2, 1));
	assert_null(cluster_sent(c, 1, 2, XR_VOTE_ANSWER));
	/* It counts as cast for refusing others, though. */
	assert_false(ask(c, 1, say_vote(3, 1)).granted);
	cluster_run_ms(c, 10);
	assert_true(cluster_sent(c, 1, 2, XR_VOTE_ANSWER)->m.granted);
}

static void own_vote_counts_once_durable(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	c->node[1].disk_delay_ns = MS(10);
	stage_candidate(c); /* the request left, the own vote is still being written */
	stage_answer(c, 2, true);
	assert_int_not_equal(view(c, 1).mode, XR_LEAD);
	cluster_run_ms(c, 10);
	assert_int_equal(view(c, 1).mode, XR_LEAD);
}

static void hung_disk_elects_nobody(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	c->node[1].disk_delay_ns = UINT64_MAX;
	stage_candidate(c);
	stage_answer(c, 2, true);
	stage_answer(c, 3, true);
	cluster_run_ms(c, 5000);
	assert_int_equal(view(c, 1).mode, XR_NONE);
	assert_int_equal(c->node[1].writes, 1);
}

/*
 * ---- rules 5 and 6: resignation and promise ----
 */

static void never_leads_again_in_a_resigned_term(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(5);

	(void)state;
	stage_leader(c);
	assert_int_equal(cluster_order(c, 1, 0).err, 0);
	assert_int_equal(view(c, 1).mode, XR_NONE);
	stage_answer(c, 4, true); /* late votes of that term */
	stage_answer(c, 5, true);
	assert_int_equal(view(c, 1).mode, XR_NONE);
	assert_int_equal(raft_of(c, 1)->role, XR_FOLLOWER);
}

static void promises_when_it_starts(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	cluster_restart(c, 1);
	cluster_set_timeout(c, 1, NEVER_MS);
	cluster_run_ms(c, D_MS - 2);
	assert_false(ask(c, 1, say_vote(2, 1)).granted);
	assert_int_equal(cause(c, 1, XR_REPORT_vote_refused), XR_CAUSE_PROMISE);
	cluster_run_ms(c, 2);
	assert_true(ask(c, 1, say_vote(2, 1)).granted);
}

/* An engine that used a larger D before promises for that one, and keeps it for itself too. */
static void promise_holds_for_the_own_vote(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	cluster_boot(c, 1, (struct durable){.term = 1}, c->now_ns + MS(2000));
	cluster_run_ms(c, 1999);
	assert_int_equal(cluster_count(c, 1, 0, XR_PREVOTE), 0);
	stage_candidate(c);
}

static void only_a_resignation_of_the_durable_term_lifts_the_promise(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	cluster_boot(c, 1, (struct durable){.term = 4}, c->now_ns + MS(D_MS));
	cluster_hear(c, 1, say_resign(2, 3, 3));
	assert_false(ask(c, 1, say_vote(3, 5)).granted);
	cluster_hear(c, 1, say_resign(2, 5, 3));
	assert_false(ask(c, 1, say_vote(3, 5)).granted);
	cluster_hear(c, 1, say_resign(2, 4, 3));
	assert_true(ask(c, 1, say_vote(3, 5)).granted);
}

/*
 * ---- rule 11: ask before acting ----
 */

/* The NIC path answers; the daemon learns of it only when its timer has fired. */
static void timer_reads_the_contact_again(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	stage_follow(c, 2, 1);
	for (int beat = 0; beat < 100; beat++) {
		cluster_run_ms(c, HEARTBEAT_MS);
		cluster_deliver(c, 1, say_heartbeat(c, 2, 1));
		assert_true(cluster_sent(c, 1, 2, XR_ACK)->m.granted);
	}
	assert_int_equal(cluster_count(c, 1, 0, XR_PREVOTE), 0);
	assert_int_equal(c->node[1].fences, 1);
}

/* Another leads by now, as a heartbeat says that waits in the socket. */
static void timer_reads_the_socket_first(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	stage_follow(c, 2, 1);
	cluster_set_timeout(c, 1, D_MS + 10);
	c->node[1].paused = true;
	cluster_run_ms(c, D_MS + 20);
	cluster_deliver(c, 1, say_heartbeat(c, 3, 2));
	c->node[1].paused = false;
	cluster_run_ms(c, 1);
	assert_int_equal(view(c, 1).leader, 3);
	assert_int_equal(cluster_count(c, 1, 0, XR_PREVOTE), 0);
}

static void polls_before_it_elects(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	stage_follow(c, 2, 1);
	stage_time_out(c);
	assert_true(cluster_count(c, 1, 2, XR_POLL) >= 1);
	assert_true(cluster_sent(c, 1, 2, XR_POLL)->at_ns <
		    cluster_sent(c, 1, 3, XR_PREVOTE)->at_ns);
}

/* Its NIC path answers their polls, so nobody takes the leader for dead. */
static void starved_leader_is_kept(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	cluster_elect(c, 1);
	c->node[1].paused = true;
	leads_undisturbed(c, 1, 900);
	assert_true(cluster_lease(c, 1));
	c->node[1].paused = false;
	leads_undisturbed(c, 1, 900);
}

/* Once it had to ask, it asks after half of D: one poll may fail, and the lease never ends. */
static void starved_leader_is_polled_earlier(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	cluster_elect(c, 1);
	c->node[1].paused = true;
	cluster_run_ms(c, D_MS);
	cluster_forget(c);
	for (int i = 0; i < 800; i++) {
		cluster_run_ms(c, 1);
		assert_true(cluster_lease(c, 1));
	}
	assert_in_range(cluster_count(c, 2, 1, XR_POLL), 800 / (D_MS / 2) - 1,
			800 / (D_MS / 2) + 1);
	c->node[1].paused = false;
	cluster_run_ms(c, HEARTBEAT_MS);
	cluster_forget(c);
	cluster_run_ms(c, 900);
	assert_int_equal(cluster_count(c, 2, 1, XR_POLL), 0);
}

/* Who slept itself gives the leader the time to answer a poll. */
static void sleeper_suspects_itself(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	stage_follow(c, 2, 1);
	c->node[1].paused = true;
	cluster_run_ms(c, 2000);
	c->node[1].paused = false;
	cluster_run_ms(c, 1);
	assert_int_equal(cluster_count(c, 1, 0, XR_PREVOTE), 0);
	assert_int_equal(cluster_count(c, 1, 2, XR_POLL), 1);
	cluster_run_ms(c, D_MS); /* but not for ever */
	assert_true(cluster_count(c, 1, 3, XR_PREVOTE) >= 1);
}

/* Also with a hint from before it slept, which would have it ask, and ask, until time has passed. */
static void sleeper_with_a_hint_asks_once(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	stage_follow(c, 2, 1);
	raft_of(c, 1)->timeout_ns = MS(MAX_MS);
	cluster_hint(c, 1, 2);
	c->node[1].paused = true;
	cluster_run_ms(c, D_MS + 50);
	c->node[1].paused = false;
	cluster_run_ms(c, 1);
	assert_int_equal(cluster_count(c, 1, 0, XR_PREVOTE), 0);
	assert_int_equal(cluster_count(c, 1, 2, XR_POLL), 1);
}

/* A loop that never keeps up still gets to its election: the grace is given once for a contact. */
static void sleeper_has_grace_once(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	c->node[1].lag_ns = MS(LATE_MS);
	stage_follow(c, 2, 1);
	cluster_run_ms(c, MAX_MS + D_MS);
	assert_true(cluster_count(c, 1, 3, XR_PREVOTE) >= 1);
}

/* The leader was only late. */
static void heartbeat_ends_a_prevote(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	stage_follow(c, 2, 1);
	stage_time_out(c);
	cluster_run_ms(c, 1);
	cluster_deliver(c, 1, say_heartbeat(c, 2, 1));
	cluster_run_ms(c, 50);
	assert_int_equal(raft_of(c, 1)->phase, XR_IDLE);
	assert_int_equal(cluster_count(c, 1, 3, XR_PREVOTE), 1);
	assert_int_equal(view(c, 1).mode, XR_FOLLOW);
}

/* [5.2] "remains in follower state as long as it receives valid RPCs from a ... candidate" */
static void only_a_granted_vote_puts_the_timer_off(void **state)
{
	(void)state;
	for (int granted = 0; granted <= 1; granted++) {
		_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

		cluster_boot(c, 1, (struct durable){.term = 4}, 0);
		cluster_set_timeout(c, 1, 20);
		assert_int_equal(ask(c, 1, say_vote(2, granted ? 5 : 3)).granted, granted);
		cluster_run_ms(c, D_MS - 2);
		assert_int_equal(cluster_count(c, 1, 3, XR_PREVOTE) == 0, granted);
	}
}

/*
 * ---- rule 12: a leader that cannot lead stops ----
 */

/* It led until a moment ago: that is what the log says, and not that it has heard nobody at all. */
static void cause_after_leading_is_no_start(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);
	const struct xr_report *r;

	(void)state;
	cluster_elect(c, 1);
	c->node[1].reported[XR_REPORT_prevote_started] = false;
	cluster_cut_both(c, 1, 2);
	cluster_cut_both(c, 1, 3);
	while (!(r = cluster_report(c, 1, XR_REPORT_prevote_started)))
		cluster_run_ms(c, 1);
	assert_int_equal(cause(c, 1, XR_REPORT_stepped_down), XR_CAUSE_QUORUM_LOST);
	assert_int_equal(r->cause, XR_CAUSE_NO_LEADER);
	assert_true(r->cause_ns <= MS(MAX_MS + 1));
}

static void quorum_lost_is_fenced_resigned_and_explained(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	cluster_elect(c, 1);
	cluster_crash(c, 2);
	cluster_crash(c, 3);
	cluster_run_ms(c, MAX_MS + HEARTBEAT_MS);
	assert_int_equal(view(c, 1).mode, XR_NONE);
	assert_int_equal(view(c, 1).term, 1);
	assert_int_equal(cluster_count(c, 1, 2, XR_RESIGN), 1); /* cluster.c: fenced before */
	assert_int_equal(cause(c, 1, XR_REPORT_stepped_down), XR_CAUSE_QUORUM_LOST);
}

/* Nobody has acked yet, and nobody ever will. */
static void new_leader_has_a_grace(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	stage_leader(c);
	cluster_run_ms(c, D_MS);
	assert_int_equal(view(c, 1).mode, XR_LEAD);
	assert_false(cluster_lease(c, 1));
	cluster_run_ms(c, MAX_MS - D_MS + HEARTBEAT_MS);
	assert_int_equal(view(c, 1).mode, XR_NONE);
}

/* Nobody polled, nobody acked, since nobody had the CPU. A host that stops a machine does that. */
static void all_slept_and_nobody_is_replaced(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	cluster_elect(c, 1);
	cluster_run_ms(c, 2 * MAX_MS);
	for (int id = 1; id <= 3; id++)
		c->node[id].paused = true;
	cluster_run_ms(c, 2 * MAX_MS);
	for (int id = 1; id <= 3; id++)
		c->node[id].paused = false;
	leads_undisturbed(c, 1, 1000);
	assert_int_equal(raft_of(c, 1)->term, 1);
}

/* The quorum of a leader that slept has D to answer, and no more, however often it sleeps. */
static void sleeping_leader_has_grace_once(void **state)
{
	(void)state;
	for (int keeps_up = 0; keeps_up <= 1; keeps_up++) {
		_cleanup_cluster_ struct cluster *c = cluster_new(3);

		cluster_elect(c, 1);
		cluster_crash(c, 2);
		cluster_crash(c, 3);
		c->node[1].paused = true;
		cluster_run_ms(c, 2 * MAX_MS);
		c->node[1].paused = false;
		cluster_run_ms(c, HEARTBEAT_MS);
		assert_int_equal(view(c, 1).mode, XR_LEAD);
		assert_false(cluster_lease(c, 1));
		c->node[1].lag_ns = keeps_up ? 0 : MS(LATE_MS);
		cluster_run_ms(c, D_MS + (keeps_up ? 0 : HEARTBEAT_MS + LATE_MS));
		assert_int_equal(view(c, 1).mode, XR_NONE);
	}
}

/* A quiet leader finds out, too, by a probe; from then on it neither leads nor acks (rule 8). */
static void hung_disk_stops_a_leader(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	cluster_elect(c, 1);
	c->node[1].disk_delay_ns = UINT64_MAX;
	cluster_run_ms(c, 2 * STALL_MS);
	assert_int_equal(view(c, 1).mode, XR_NONE);
	assert_int_equal(cause(c, 1, XR_REPORT_stepped_down), XR_CAUSE_DISK);
	assert_int_not_equal(cluster_await_leader(c, 1), 1);
}

/* In the durable term it would not even have to write. */
static void hung_disk_acks_nobody(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	cluster_boot(c, 1, (struct durable){.term = 1}, 0);
	c->node[1].disk_delay_ns = UINT64_MAX;
	cluster_run_ms(c, 2 * STALL_MS);
	cluster_hear(c, 1, say_heartbeat(c, 2, 1));
	assert_null(cluster_sent(c, 1, 2, XR_ACK));
}

/* Its NIC path answers for the stall limit, and no longer. When it wakes it says why it stops. */
static void leader_that_stood_still_is_replaced(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	cluster_elect(c, 1);
	c->node[1].paused = true;
	cluster_run_ms(c, STALL_MS + D_MS + MAX_MS);
	assert_int_not_equal(cluster_await_leader(c, 1), 1);
	c->node[1].paused = false;
	cluster_run_ms(c, 1);
	assert_int_equal(cause(c, 1, XR_REPORT_stepped_down), XR_CAUSE_STALLED);
	assert_true(cluster_follows(c, 1, cluster_leader(c)));
}

/* It made its way for a candidate: it must not send a rival against the one it votes for. */
static void leader_that_votes_names_no_rival(void **state)
{
	_cleanup_cluster_ struct cluster *c = node_in(LEADER);

	(void)state;
	cluster_hear(c, 1, say_ack(c, 3, 1));
	cluster_run_ms(c, D_MS);
	assert_true(ask(c, 1, say_vote(2, 2)).granted);
	assert_int_not_equal(cluster_sent(c, 1, 3, XR_RESIGN)->m.heir, 3);
}

/*
 * ---- rule 14: impossible things ----
 */

/*
 * ---- rule 11: hints ----
 */
static int prevotes(struct cluster *c)
{
	return cluster_count(c, 1, 3, XR_PREVOTE);
}

/* The first survivor asks when D has passed, not before, and not a whole random timeout later. */
static void hint_brings_the_prevote_forward(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	stage_follow(c, 2, 1);
	cluster_set_timeout(c, 1, MAX_MS);
	cluster_run_ms(c, 20);
	cluster_hint(c, 1, 2);
	cluster_run_ms(c, D_MS - 20);
	assert_int_equal(prevotes(c), 0);
	cluster_run_ms(c, D_MS / 20.0);
	assert_int_equal(prevotes(c), 1);
	assert_int_equal(cause(c, 1, XR_REPORT_prevote_started), XR_CAUSE_GONE);
	assert_int_equal(raft_of(c, 1)->term, 1); /* a hint is no vote */
	assert_int_equal(cluster_count(c, 1, 0, XR_VOTE), 0);
}

/* Leader 1: the survivors 2 and 3 do not ask at the same instant. */
static void hinted_survivors_go_by_rank(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	cluster_elect(c, 1);
	cluster_run_ms(c, HEARTBEAT_MS);
	cluster_set_timeout(c, 2, MAX_MS);
	cluster_set_timeout(c, 3, MAX_MS);
	cluster_crash(c, 1);
	cluster_hint(c, 2, 1);
	cluster_hint(c, 3, 1);
	cluster_run_ms(c, 1.2 * D_MS + 20);
	assert_int_equal(cluster_leader(c), 2);
	assert_int_equal(cluster_count(c, 3, 2, XR_PREVOTE), 0);
	assert_int_equal(raft_of(c, 2)->term, 2);
}

/* Likewise, but node 3 has the higher priority. */
static void hinted_survivors_go_by_priority(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	for (int id = 1; id <= 3; id++)
		cluster_set_priority(c, id, 3, XR_PRIORITY + 1);
	cluster_elect(c, 1);
	cluster_run_ms(c, HEARTBEAT_MS);
	cluster_set_timeout(c, 2, MAX_MS);
	cluster_set_timeout(c, 3, MAX_MS);
	cluster_crash(c, 1);
	cluster_hint(c, 2, 1);
	cluster_hint(c, 3, 1);
	cluster_run_ms(c, 1.2 * D_MS + 20);
	assert_int_equal(cluster_leader(c), 3);
	assert_int_equal(raft_of(c, 3)->term, 2);
}

/* It votes, it is no heir, and alone with its like it waits for ever. */
static void witness_never_stands(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	for (int id = 1; id <= 3; id++)
		cluster_set_priority(c, id, 3, 0);
	cluster_elect(c, 1);
	cluster_run_ms(c, 5 * MAX_MS);
	cluster_crash(c, 1);
	cluster_run_ms(c, 5 * MAX_MS);
	assert_int_equal(cluster_leader(c), 2);
	cluster_crash(c, 2);
	cluster_run_ms(c, 20 * MAX_MS);
	assert_int_equal(cluster_leader(c), 0);
	assert_int_equal(cluster_count(c, 3, 0, XR_PREVOTE), 0);
	assert_int_equal(cluster_count(c, 3, 0, XR_VOTE), 0);
	cluster_restart(c, 1);
	cluster_run_ms(c, 10 * MAX_MS);
	assert_int_equal(cluster_leader(c), 1);
}

static void hint_about_another_is_nothing(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	stage_follow(c, 2, 1);
	cluster_set_timeout(c, 1, MAX_MS);
	cluster_hint(c, 1, 3);
	cluster_run_ms(c, 1.5 * D_MS);
	assert_int_equal(prevotes(c), 0);
}

/* The leader lives: its next heartbeat makes the hint void. */
static void heartbeat_makes_a_hint_void(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	stage_follow(c, 2, 1);
	cluster_set_timeout(c, 1, MAX_MS);
	cluster_hint(c, 1, 2);
	cluster_run_ms(c, 10);
	c->node[1].group.contact_ns = c->now_ns; /* as the NIC path stamps it */
	cluster_run_ms(c, 1.5 * D_MS);
	assert_int_equal(prevotes(c), 0);
}

/* Rule 6 is stronger than a hint. */
static void hint_waits_for_the_promise(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	cluster_boot(c, 1, (struct durable){.term = 1}, c->now_ns + MS(3 * D_MS));
	stage_follow(c, 2, 1);
	cluster_hint(c, 1, 2);
	cluster_run_ms(c, 2.5 * D_MS);
	assert_int_equal(prevotes(c), 0);
}

static void two_leaders_in_a_term_stop_a_follower(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	stage_follow(c, 2, 1);
	c->expect_two_leaders = true;
	cluster_hear(c, 1, say_heartbeat(c, 3, 1));
	assert_int_equal(c->two_leaders, 1);
}

static void two_leaders_in_a_term_stop_a_leader(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	stage_leader(c);
	c->expect_two_leaders = true;
	cluster_hear(c, 1, say_heartbeat(c, 3, 1));
	assert_int_equal(c->two_leaders, 1);
}

static void two_leaders_heard_while_the_disk_is_busy(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	c->expect_two_leaders = true;
	cluster_deliver(c, 1, say_heartbeat(c, 2, 1));
	cluster_deliver(c, 1, say_heartbeat(c, 3, 1));
	assert_int_equal(c->two_leaders, 1);
}

static void older_leader_heard_while_the_disk_is_busy_is_not_followed(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	stage_follow(c, 2, 1);
	cluster_hear(c, 1, say_resign(2, 1, 3));
	cluster_deliver(c, 1, say_vote(3, 2));
	cluster_deliver(c, 1, say_heartbeat(c, 2, 1));
	cluster_run_ms(c, 1);
	assert_int_equal(c->node[1].disk.vote, 3);
	assert_int_equal(c->node[1].group.view.term, 2);
	assert_int_equal(c->node[1].group.view.mode, XR_NONE);
}

static void term_leap_is_refused_and_reported(void **state)
{
	static const enum xr_type types[] = {XR_HEARTBEAT, XR_VOTE, XR_PREVOTE};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);
		struct xr_message m = say_vote(2, 1 + XR_TERM_LEAP);

		m.type = types[i];
		cluster_hear(c, 1, m);
		assert_int_equal(c->node[1].fences, 0);
		assert_int_equal(raft_of(c, 1)->term, 0);
		assert_int_equal(cause(c, 1, XR_REPORT_vote_refused), XR_CAUSE_LEAP);
	}
}

static void term_leap_in_an_answer_is_refused_and_reported(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);
	struct xr_message m;

	(void)state;
	stage_candidate(c);
	m = say_answer(c, 2, 1, false);
	m.term = 2 + XR_TERM_LEAP;
	cluster_hear(c, 1, m);
	assert_int_equal(raft_of(c, 1)->term, 1);
	assert_int_equal(cause(c, 1, XR_REPORT_vote_refused), XR_CAUSE_LEAP);
}

static void largest_leap_is_taken(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	assert_true(ask(c, 1, say_vote(2, XR_TERM_LEAP)).granted);
}

/* The largest term that two of three have reached, and what is no leap from there. */
static void leap_of_a_majority_is_followed(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	assert_false(ask(c, 1, say_vote(2, 2 * XR_TERM_LEAP)).granted);
	assert_false(ask(c, 1, say_vote(3, 4 * XR_TERM_LEAP)).granted);
	assert_int_equal(c->node[1].fences, 0);
	assert_true(ask(c, 1, say_vote(2, 2 * XR_TERM_LEAP)).granted);
	assert_int_equal(raft_of(c, 1)->term, 2 * XR_TERM_LEAP);
	/* Two of the others have it by now, but only one of them is beyond. */
	assert_false(ask(c, 1, say_vote(3, 4 * XR_TERM_LEAP)).granted);
}

/* Of a majority that meets and finds no leader, but not of fewer, and not where there is a leader. */
static void leap_is_followed_where_a_majority_is_stuck(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(5);
	double alone_ms = 8 * MAX_MS;
	struct xr_message far = say_vote(2, 2 * XR_TERM_LEAP);

	(void)state;
	raft_of(c, 1)->round = 7;
	assert_false(ask(c, 1, far).granted);
	cluster_run_ms(c, alone_ms + 1);
	assert_false(ask(c, 1, far).granted); /* two of five */
	cluster_hear(c, 1, say_prevote(3, 1));
	assert_true(ask(c, 1, far).granted);

	stage_follow(c, 4, 2 * XR_TERM_LEAP + 1);
	cluster_run_ms(c, alone_ms - 10);
	cluster_hear(c, 1, say_prevote(3, 1));
	far = say_vote(2, 4 * XR_TERM_LEAP);
	assert_false(ask(c, 1, far).granted);
	cluster_run_ms(c, 20);
	assert_true(ask(c, 1, far).granted);
}

/* A leader that makes way for a newer term has promised it to nobody: its heir may have it. */
static void term_being_written_is_refused_to_nobody(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);
	struct xr_message refusal;

	(void)state;
	stage_leader(c);
	refusal = say_ack(c, 2, 1);
	refusal.granted = false;
	refusal.term = raft_of(c, 1)->term + 1;
	cluster_deliver(c, 1, refusal);
	assert_true(raft_of(c, 1)->op.writing);
	cluster_forget(c);
	cluster_deliver(c, 1, say_vote(3, refusal.term));
	assert_null(cluster_sent(c, 1, 3, XR_VOTE_ANSWER));
	cluster_run_ms(c, 1);
	assert_true(ask(c, 1, say_vote(3, refusal.term)).granted);
}

/* Nobody goes first, so there is nobody to wait for. */
static void without_an_heir_nobody_waits(void **state)
{
	(void)state;
	for (int heir = 0; heir <= 3; heir += 3) {
		_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

		stage_follow(c, 2, 1);
		cluster_forget(c);
		cluster_hear(c, 1, say_resign(2, 1, heir));
		cluster_run_ms(c, (MAX_MS - D_MS) / 4.0 + 1);
		assert_int_equal(cluster_count(c, 1, 3, XR_PREVOTE) > 0, !heir);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(leader_election),
	cmocka_unit_test(leader_cycle),
	cmocka_unit_test(single_node_candidate),
	cmocka_unit_test(two_voters),
	cmocka_unit_test(vote_from_any_state),
	cmocka_unit_test(pre_vote_from_any_state),
	cmocka_unit_test(dueling_candidates),
	cmocka_unit_test(dueling_pre_candidates),
	cmocka_unit_test(candidate_concede),
	cmocka_unit_test(old_messages),
	cmocka_unit_test(step_ignore_old_term_msg),
	cmocka_unit_test(state_transition),
	cmocka_unit_test(all_server_stepdown),
	cmocka_unit_test(candidate_self_vote_after_lost_election),
	cmocka_unit_test(leader_stepdown_when_quorum_active),
	cmocka_unit_test(leader_stepdown_when_quorum_lost),
	cmocka_unit_test(leader_superseding_with_check_quorum),
	cmocka_unit_test(free_stuck_candidate_with_check_quorum),
	cmocka_unit_test(disruptive_follower),
	cmocka_unit_test(disruptive_follower_pre_vote),
	cmocka_unit_test(pre_vote_with_check_quorum),
	cmocka_unit_test(pre_vote_with_split_vote),
	cmocka_unit_test(slow_voters_cost_no_term),
	cmocka_unit_test(slow_disks_do_not_split_again),
	cmocka_unit_test(writing_voter_grants_no_prevote),
	cmocka_unit_test(node_with_smaller_term_can_complete_election),
	cmocka_unit_test(transfer_to_up_to_date_node),
	cmocka_unit_test(transfer_to_self),
	cmocka_unit_test(transfer_to_non_existing_node),
	cmocka_unit_test(transfer_timeout),
	cmocka_unit_test(restarted_leader_resigns_when_polled),
	cmocka_unit_test(candidate_does_not_resign_when_polled),
	cmocka_unit_test(transfer_receive_higher_term_vote),
	cmocka_unit_test(second_transfer_to_another_node),
	cmocka_unit_test(transfer_non_member),
	cmocka_unit_test(leadership_transfer_in_progress),
	cmocka_unit_test(heirs_request_overtakes_resignation),
	cmocka_unit_test(heir_says_who_resigned),
	cmocka_unit_test(resigned_leader_is_not_followed_again),
	cmocka_unit_test(grant_again),
	cmocka_unit_test(wait_quorum),
	cmocka_unit_test(reject_if_term_lower),
	cmocka_unit_test(reject_if_has_leader),
	cmocka_unit_test(reject_if_already_voted),
	cmocka_unit_test(grant_to_who_is_no_voter_here),
	cmocka_unit_test(receive_reject_result),
	cmocka_unit_test(pre_vote_with_candidate_crash),
	cmocka_unit_test(pre_vote_no_stale_votes),
	cmocka_unit_test(pre_vote_is_no_vote),
	cmocka_unit_test(vote_of_an_older_term_does_not_count),
	cmocka_unit_test(pre_vote_avoid_election_with_partition),
	cmocka_unit_test(verify_leader_partial_connect),
	cmocka_unit_test(restart_follower_long_initial_heartbeat),
	cmocka_unit_test(refused_request_never_fences),
	cmocka_unit_test(second_look_restores_at_vote),
	cmocka_unit_test(second_look_restores_at_own_vote),
	cmocka_unit_test(second_look_restores_at_newer_term),
	cmocka_unit_test(second_look_sees_own_lease),
	cmocka_unit_test(newer_leader_needs_no_look),
	cmocka_unit_test(no_grant_within_d_of_contact),
	cmocka_unit_test(no_grant_while_lease_holds),
	cmocka_unit_test(reply_waits_for_disk),
	cmocka_unit_test(own_vote_counts_once_durable),
	cmocka_unit_test(hung_disk_elects_nobody),
	cmocka_unit_test(never_leads_again_in_a_resigned_term),
	cmocka_unit_test(promises_when_it_starts),
	cmocka_unit_test(promise_holds_for_the_own_vote),
	cmocka_unit_test(only_a_resignation_of_the_durable_term_lifts_the_promise),
	cmocka_unit_test(timer_reads_the_contact_again),
	cmocka_unit_test(timer_reads_the_socket_first),
	cmocka_unit_test(polls_before_it_elects),
	cmocka_unit_test(starved_leader_is_kept),
	cmocka_unit_test(starved_leader_is_polled_earlier),
	cmocka_unit_test(sleeper_suspects_itself),
	cmocka_unit_test(sleeper_with_a_hint_asks_once),
	cmocka_unit_test(sleeper_has_grace_once),
	cmocka_unit_test(heartbeat_ends_a_prevote),
	cmocka_unit_test(only_a_granted_vote_puts_the_timer_off),
	cmocka_unit_test(cause_after_leading_is_no_start),
	cmocka_unit_test(quorum_lost_is_fenced_resigned_and_explained),
	cmocka_unit_test(new_leader_has_a_grace),
	cmocka_unit_test(all_slept_and_nobody_is_replaced),
	cmocka_unit_test(sleeping_leader_has_grace_once),
	cmocka_unit_test(hung_disk_stops_a_leader),
	cmocka_unit_test(hung_disk_acks_nobody),
	cmocka_unit_test(leader_that_stood_still_is_replaced),
	cmocka_unit_test(leader_that_votes_names_no_rival),
	cmocka_unit_test(hint_brings_the_prevote_forward),
	cmocka_unit_test(hinted_survivors_go_by_priority),
	cmocka_unit_test(witness_never_stands),
	cmocka_unit_test(hinted_survivors_go_by_rank),
	cmocka_unit_test(hint_about_another_is_nothing),
	cmocka_unit_test(heartbeat_makes_a_hint_void),
	cmocka_unit_test(hint_waits_for_the_promise),
	cmocka_unit_test(two_leaders_in_a_term_stop_a_follower),
	cmocka_unit_test(two_leaders_in_a_term_stop_a_leader),
	cmocka_unit_test(two_leaders_heard_while_the_disk_is_busy),
	cmocka_unit_test(older_leader_heard_while_the_disk_is_busy_is_not_followed),
	cmocka_unit_test(term_leap_is_refused_and_reported),
	cmocka_unit_test(term_leap_in_an_answer_is_refused_and_reported),
	cmocka_unit_test(largest_leap_is_taken),
	cmocka_unit_test(leap_of_a_majority_is_followed),
	cmocka_unit_test(leap_is_followed_where_a_majority_is_stuck),
	cmocka_unit_test(term_being_written_is_refused_to_nobody),
	cmocka_unit_test(without_an_heir_nobody_waits),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
