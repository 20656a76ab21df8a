// SPDX-License-Identifier: GPL-2.0-only
/*
 * The Raft paper, sentence by sentence (Ongaro and Ousterhout 2014). The names are those of
 * etcd-io/raft's raft_paper_test.go; [5.2] is the paper's section.
 *
 * Most play on a stage: node 1 is real, and the test speaks for all others.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>
#include "unit/cluster.h"

static struct xr_raft *me(struct cluster *c)
{
	return raft_of(c, 1);
}

static struct xr_view view(const struct cluster *c)
{
	return c->node[1].group.view;
}

/* [5.1] "if one server's current term is smaller than the other's, then it updates" */
static void adopts_newer_term(struct cluster *c)
{
	uint32_t newer = me(c)->term + 1;

	cluster_hear(c, 1, say_heartbeat(c, 3, newer));
	assert_int_equal(me(c)->term, newer);
	assert_int_equal(c->node[1].disk.term, newer);
	assert_int_equal(me(c)->role, XR_FOLLOWER);
	assert_int_equal(view(c).leader, 3);
}

static void follower_update_term_from_message(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	stage_follow(c, 2, 1);
	adopts_newer_term(c);
}

/* [5.1] "If a candidate or leader discovers that its term is out of date, it ... reverts" */
static void candidate_update_term_from_message(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	stage_candidate(c);
	adopts_newer_term(c);
}

static void leader_update_term_from_message(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	stage_leader(c);
	adopts_newer_term(c);
}

/* [5.1] "If a server receives a request with a stale term number, it rejects the request." */
static void reject_stale_term_message(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);
	uint64_t contact_ns;

	(void)state;
	cluster_hear(c, 1, say_heartbeat(c, 2, 5));
	contact_ns = c->node[1].group.contact_ns;
	cluster_hear(c, 1, say_heartbeat(c, 3, 4));
	assert_false(cluster_sent(c, 1, 3, XR_ACK)->m.granted);
	assert_int_equal(cluster_sent(c, 1, 3, XR_ACK)->m.term, 5);
	assert_int_equal(c->node[1].group.contact_ns, contact_ns);
	assert_int_equal(view(c).leader, 2);
}

/* [5.2] "When servers start up, they begin as followers." */
static void start_as_follower(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	for (int id = 1; id <= 3; id++) {
		assert_int_equal(raft_of(c, id)->role, XR_FOLLOWER);
		assert_int_equal(c->node[id].group.view.mode, XR_NONE);
	}
}

/* [5.2] "Leaders send periodic heartbeats ... to all followers" */
static void leader_bcast_beat(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	stage_leader(c);
	assert_int_equal(cluster_count(c, 1, 2, XR_HEARTBEAT), 1); /* at once, when elected */
	assert_int_equal(cluster_count(c, 1, 3, XR_HEARTBEAT), 1);
	cluster_forget(c);
	cluster_run_ms(c, 4 * HEARTBEAT_MS);
	assert_int_equal(cluster_count(c, 1, 2, XR_HEARTBEAT), 4);
	assert_int_equal(cluster_count(c, 1, 3, XR_HEARTBEAT), 4);
	assert_int_equal(cluster_sent(c, 1, 2, XR_HEARTBEAT)->m.term, 1);
}

/* [5.2] increments its term, votes for itself, "issues RequestVote RPCs in parallel" */
static void campaigns_in(struct cluster *c, uint32_t term)
{
	assert_int_equal(me(c)->term, term);
	assert_int_equal(me(c)->role, XR_CANDIDATE);
	assert_int_equal(c->node[1].disk.term, term);
	assert_int_equal(c->node[1].disk.vote, 1);
	for (int peer = 2; peer <= 3; peer++)
		assert_int_equal(cluster_sent(c, 1, peer, XR_VOTE)->m.term, term);
	assert_int_equal(view(c).mode, XR_NONE);
}

static void follower_start_election(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	stage_follow(c, 2, 1);
	stage_candidate(c);
	campaigns_in(c, 2);
}

/*
 * [5.2] "If many followers become candidates at the same time, votes could be split ... When this
 * happens, each candidate will time out and start a new election by incrementing its term"
 */
static void candidate_start_new_election(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	stage_candidate(c);
	campaigns_in(c, 1);
	stage_candidate(c);
	campaigns_in(c, 2);
	assert_int_equal(cluster_report(c, 1, XR_REPORT_election_started)->cause, XR_CAUSE_SPLIT);
}

/* [5.2] "A candidate wins ... if it receives votes from a majority ... for the same term" */
static void leader_election_in_one_round_rpc(void **state)
{
	static const struct {
		int nodes;
		const char *answers; /* of nodes 2, 3 ...; + grants, - refuses */
		bool wins;
	} table[] = {
		/* win */
		{1, "", true},
		{3, "++", true},
		{3, "+", true},
		{3, "-+", true},
		{5, "++++", true},
		{5, "+++", true},
		{5, "++", true},
		{5, "--++", true},
		/* lose */
		{3, "--", false},
		{5, "----", false},
		{5, "+---", false},
		/* undecided */
		{3, "", false},
		{5, "+", false},
		{5, "--", false},
		{5, "", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		_cleanup_cluster_ struct cluster *c = cluster_new_stage(table[i].nodes);

		if (table[i].nodes == 1)
			cluster_run_ms(c, MAX_MS + 1);
		else
			stage_candidate(c);
		for (int n = 0; table[i].answers[n]; n++)
			stage_answer(c, n + 2, table[i].answers[n] == '+');
		assert_int_equal(me(c)->role, table[i].wins ? XR_LEADER : XR_CANDIDATE);
		assert_int_equal(view(c).mode, table[i].wins ? XR_LEAD : XR_NONE);
		assert_int_equal(me(c)->term, 1);
	}
}

/* One voter that answers twice is one vote. */
static void a_vote_counts_once(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(5);

	(void)state;
	stage_candidate(c);
	stage_answer(c, 2, true);
	stage_answer(c, 2, true);
	assert_int_equal(me(c)->role, XR_CANDIDATE);
}

/* [5.2] "at most one candidate in a given term, on a first-come-first-served basis" */
static void follower_vote(void **state)
{
	static const struct {
		uint8_t vote, asks;
		bool granted;
	} table[] = {{0, 2, true},  {0, 3, true},  {2, 2, true}, {3, 3, true},
		     {1, 2, false}, {2, 3, false}, {3, 2, false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

		cluster_boot(c, 1, (struct durable){.term = 1, .vote = table[i].vote}, 0);
		cluster_hear(c, 1, say_vote(table[i].asks, 1));
		assert_int_equal(cluster_sent(c, 1, table[i].asks, XR_VOTE_ANSWER)->m.granted,
				 table[i].granted);
		assert_int_equal(c->node[1].disk.vote,
				 table[i].vote ? table[i].vote : table[i].asks);
	}
}

/* [5.2] "If the leader's term is at least as large ... returns to follower state" */
static void candidate_fallback(void **state)
{
	(void)state;
	for (uint32_t ahead = 0; ahead <= 1; ahead++) {
		_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);
		uint32_t term;

		stage_candidate(c);
		term = me(c)->term + ahead;
		cluster_hear(c, 1, say_heartbeat(c, 2, term));
		assert_int_equal(me(c)->role, XR_FOLLOWER);
		assert_int_equal(view(c).mode, XR_FOLLOW);
		assert_int_equal(view(c).leader, 2);
		assert_int_equal(view(c).term, term);
	}
}

/* [5.2] "... otherwise rejects the RPC and continues in candidate state" */
static void candidate_stays_on_smaller_term(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	cluster_boot(c, 1, (struct durable){.term = 4}, 0);
	stage_candidate(c);
	cluster_hear(c, 1, say_heartbeat(c, 2, 4));
	assert_int_equal(me(c)->role, XR_CANDIDATE);
	assert_int_equal(cluster_sent(c, 1, 2, XR_ACK)->m.term, 5);
}

/* [5.2] "election timeouts are chosen randomly from a fixed interval": each value of it is seen */
static void sees_every_timeout(struct cluster *c, void (*again)(struct cluster *))
{
	bool seen[MAX_MS - D_MS + 1] = {0};

	for (int i = 0; i < 4000; i++) {
		uint64_t ns;

		again(c);
		ns = me(c)->timeout_ns;
		assert_in_range(ns, MS(D_MS), MS(MAX_MS));
		seen[ns / NS_PER_MS - D_MS] = true;
	}
	for (int ms = 0; ms < MAX_MS - D_MS; ms++)
		assert_true(seen[ms]);
}

/* A follower draws anew whenever it begins to follow. */
static void follow_once_more(struct cluster *c)
{
	cluster_hear(c, 1, say_heartbeat(c, 2, me(c)->term + 1));
}

static void follower_election_timeout_randomized(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	sees_every_timeout(c, follow_once_more);
}

static void candidate_election_timeout_randomized(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);

	(void)state;
	sees_every_timeout(c, stage_candidate);
}

/* What is drawn is what is waited. */
static void timeout_is_kept(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);
	uint64_t due_ns;

	(void)state;
	stage_follow(c, 2, 1);
	due_ns = c->node[1].group.contact_ns + me(c)->timeout_ns;
	cluster_run_ms(c, (due_ns - c->now_ns - 1) / 1e6);
	assert_int_equal(cluster_count(c, 1, 0, XR_PREVOTE), 0);
	cluster_run_ms(c, 0.01);
	assert_int_equal(cluster_count(c, 1, 0, XR_PREVOTE), 2);
}

/* Of five timeouts, is there more than one in the tenth of the range where the first falls? */
static bool conflict(const struct cluster *c)
{
	uint64_t tick = MS(MAX_MS - D_MS) / 10, first = UINT64_MAX;
	int count = 0;

	for (int id = 1; id <= c->n; id++)
		if (raft_of(c, id)->timeout_ns / tick < first)
			first = raft_of(c, id)->timeout_ns / tick;
	for (int id = 1; id <= c->n; id++)
		count += raft_of(c, id)->timeout_ns / tick == first;
	return count > 1;
}

/* [5.2] "in most cases only a single server will time out" */
static void followers_election_timeout_nonconflict(void **state)
{
	int conflicts = 0;

	(void)state;
	for (int round = 0; round < 1000; round++) {
		_cleanup_cluster_ struct cluster *c = cluster_new_seeded(5, round);

		conflicts += conflict(c);
	}
	assert_in_range(conflicts, 1, 300);
}

static bool all_campaign(const struct cluster *c)
{
	for (int id = 1; id <= c->n; id++)
		if (raft_of(c, id)->role != XR_CANDIDATE)
			return false;
	return true;
}

/* [5.2] each candidate restarts its timeout at the start of an election */
static void candidates_election_timeout_nonconflict(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(5);
	int conflicts = 0;

	(void)state;
	for (int round = 0; round < 1000; round++) {
		c->loss_permille = 0;
		for (int id = 1; id <= 5; id++)
			cluster_boot(c, id, (struct durable){.term = round + 1}, 0);
		cluster_run_ms(c, 1); /* they introduce themselves */
		c->loss_permille = 1000;
		/* Each has heard another leader resign, and is its heir. */
		for (int id = 1; id <= 5; id++)
			cluster_deliver(c, id, say_resign(id % 5 + 1, round + 1, id));
		assert_true(all_campaign(c));
		conflicts += conflict(c);
	}
	assert_in_range(conflicts, 1, 300);
}

static uint64_t entry_id(uint32_t term, uint32_t index)
{
	return (uint64_t)term << 32 | index;
}

/* [5.4.1] "the RPC includes information about the candidate's log" */
static void vote_request(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);
	static const uint8_t types[] = {XR_VOTE, XR_PREVOTE};
	const struct xr_message *m;

	(void)state;
	me(c)->entry = entry_id(2, 7);
	stage_candidate(c);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		m = &cluster_sent(c, 1, 3, types[i])->m;
		assert_int_equal(m->term, 1);
		assert_int_equal(m->entry, entry_id(2, 7));
	}
}

/* [5.4.1] "the voter denies its vote if its own log is more up-to-date", as (term, index) */
static void voter(void **state)
{
	static const struct {
		uint32_t my_term, my_index, term, index;
		bool granted;
	} table[] = {
		{1, 1, 1, 1, true},  {1, 1, 1, 2, true},  {1, 2, 1, 1, false},
		{1, 1, 2, 1, true},  {1, 2, 2, 1, true},  {1, 1, 2, 2, true},
		{2, 1, 1, 1, false}, {2, 1, 1, 2, false}, {2, 2, 1, 1, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		for (uint8_t type = XR_VOTE; type; type = type == XR_VOTE ? XR_PREVOTE : 0) {
			_cleanup_cluster_ struct cluster *c = cluster_new_stage(3);
			struct xr_message m = say_vote(2, 3);

			m.type = type;
			m.entry = entry_id(table[i].term, table[i].index);
			me(c)->entry = entry_id(table[i].my_term, table[i].my_index);
			cluster_hear(c, 1, m);
			m = cluster_sent(c, 1, 2, xr_type_answer(type))->m;
			assert_int_equal(m.granted, table[i].granted);
			assert_int_equal(c->node[1].disk.vote,
					 type == XR_VOTE && table[i].granted ? 2 : 0);
		}
}

/*
 * The entry, in place of a log (rules 22 to 26), by the core alone: whoever calls it does not ask twice,
 * and if he did.
 */
static struct xr_update step(struct xr_raft *r, struct xr_event ev)
{
	static const struct xr_timing timing = {
		.min_timeout_ns = MS(D_MS), .max_timeout_ns = MS(2 * D_MS), .heartbeat_ns = MS(1)};
	struct xr_update up;

	r->timing = &timing;
	ev.now_ns = MS(1000);
	xr_raft_step(r, &ev, &up);
	return up;
}

static void propose(struct xr_raft *r, uint64_t id)
{
	struct xr_update up = step(r, (struct xr_event){.kind = XR_EV_PROPOSE});

	assert_int_equal(up.what & XR_DO_TAKE, id ? XR_DO_TAKE : 0);
	assert_int_equal(up.entry, id);
	assert_int_equal(up.nsend, id ? 1 : 0);
}

static const struct xr_peer peers[XR_NODE_MAX + 1] = {[1 ... XR_NODE_MAX] = {.priority = 100}};

static void one_entry_is_under_way(void **state)
{
	struct xr_raft r = {.role = XR_LEADER,
			    .leader = 1,
			    .self = 1,
			    .term = 4,
			    .voters = 0xe,
			    .peers = peers};
	struct xr_event taken = {.kind = XR_EV_TAKEN, .entry = entry_id(4, 1), .voters = 0xe};
	struct xr_event acked = {
		.kind = XR_EV_MESSAGE,
		.message = {.type = XR_ACK, .node = 2, .term = 4, .granted = true}};

	(void)state;
	r.role = XR_FOLLOWER;
	propose(&r, 0);
	r.role = XR_LEADER;
	propose(&r, entry_id(4, 1));
	propose(&r, 0);
	taken.entry++;
	step(&r, taken); /* which nobody asked for */
	assert_int_equal(r.entry, 0);
	taken.entry--;
	step(&r, taken);
	assert_int_equal(r.entry, entry_id(4, 1));
	propose(&r, 0);
	acked.message.entry = 1;
	assert_true(step(&r, acked).what & XR_DO_SHOW);
	assert_int_equal(r.committed, entry_id(4, 1));
	assert_false(step(&r, acked).what & XR_DO_SHOW); /* once */
	propose(&r, entry_id(4, 2));
	r.entry_next = 0;
	r.term = 5; /* what is of an older term is not enough, committed or not */
	propose(&r, 0);
	r.entry = r.committed = entry_id(5, XR_INDEX_MAX);
	propose(&r, 0);
}

/* An APPEND that is taken moves no timer of an election, and no vote. */
static void follower_takes_an_entry(void **state)
{
	struct xr_raft r = {
		.leader = 2, .self = 1, .term = 4, .voters = 0xe, .vote = 2, .peers = peers};
	struct xr_event ev = {.kind = XR_EV_MESSAGE,
			      .message = {.type = XR_APPEND, .node = 2, .term = 4}};
	struct xr_update up;

	(void)state;
	r.entry = entry_id(3, 9);
	ev.message.entry = entry_id(4, 10);
	up = step(&r, ev);
	assert_int_equal(up.what, XR_DO_TAKE);
	assert_int_equal(up.entry, entry_id(4, 10));
	assert_int_equal(r.entry, entry_id(3, 9));
	up = step(&r, (struct xr_event){
			      .kind = XR_EV_TAKEN, .entry = entry_id(4, 10), .message.sent_ns = 7});
	assert_int_equal(up.what, XR_DO_SHOW | XR_DO_ACK);
	assert_int_equal(up.ack_to, 2);
	assert_int_equal(up.ack_echo_ns, 7);
	assert_int_equal(r.vote, 2);
	assert_int_equal(r.committed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follower_update_term_from_message),
		cmocka_unit_test(candidate_update_term_from_message),
		cmocka_unit_test(leader_update_term_from_message),
		cmocka_unit_test(reject_stale_term_message),
		cmocka_unit_test(start_as_follower),
		cmocka_unit_test(leader_bcast_beat),
		cmocka_unit_test(follower_start_election),
		cmocka_unit_test(candidate_start_new_election),
		cmocka_unit_test(leader_election_in_one_round_rpc),
		cmocka_unit_test(a_vote_counts_once),
		cmocka_unit_test(follower_vote),
		cmocka_unit_test(candidate_fallback),
		cmocka_unit_test(candidate_stays_on_smaller_term),
		cmocka_unit_test(follower_election_timeout_randomized),
		cmocka_unit_test(candidate_election_timeout_randomized),
		cmocka_unit_test(timeout_is_kept),
		cmocka_unit_test(followers_election_timeout_nonconflict),
		cmocka_unit_test(candidates_election_timeout_nonconflict),
		cmocka_unit_test(vote_request),
		cmocka_unit_test(voter),
		cmocka_unit_test(one_entry_is_under_way),
		cmocka_unit_test(follower_takes_an_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
