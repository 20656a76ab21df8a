// SPDX-License-Identifier: GPL-2.0-only
/*
 * Members that change, by the core alone (rules 23 to 27): one node, a clock that stands, and all that
 * it hears and has on disk is what a test says.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>
#include "core/raft.h"

#define MS(n) ((uint64_t)(n)*1000000)
#define D_MS  150

#define ID(term, index) ((uint64_t)(term) << 32 | (index))
#define BIT(node)	(1u << (node))
#define ALL		(BIT(1) | BIT(2) | BIT(3))
#define TERM		4

static const struct xr_timing timing = {
	.min_timeout_ns = MS(D_MS), .max_timeout_ns = MS(2 * D_MS), .heartbeat_ns = MS(25)};

static struct xr_raft r;
static const struct xr_peer peers[XR_NODE_MAX + 1] = {[1 ... XR_NODE_MAX] = {.priority = 100}};
static struct xr_update up;
static uint64_t now_ns;

static void step(struct xr_event ev)
{
	ev.now_ns = now_ns;
	xr_raft_step(&r, &ev, &up);
	assert_false(up.two_leaders);
}

static void hear(struct xr_message m)
{
	if (!m.term)
		m.term = r.term;
	step((struct xr_event){.kind = XR_EV_MESSAGE, .message = m});
}

static void look(void)
{
	assert_true(up.what & XR_DO_FENCE);
	step((struct xr_event){.kind = XR_EV_LOOKED});
}

static void durable(void)
{
	assert_true(r.op.writing);
	step((struct xr_event){.kind = XR_EV_DURABLE});
}

/* Node 1, in term 4; its entry, if any, is committed. */
static void start(uint32_t voters, uint32_t learners, uint64_t entry)
{
	r = (struct xr_raft){.self = 1,
			     .timing = &timing,
			     .peers = peers,
			     .voters = voters,
			     .learners = learners,
			     .entry = entry,
			     .committed = entry};
	now_ns = MS(1000);
	xr_raft_start(&r, TERM, 0, now_ns, 0, 77, &up);
}

static void follow(uint8_t leader)
{
	hear((struct xr_message){.type = XR_HEARTBEAT, .node = leader, .sent_ns = 5});
	assert_int_equal(r.leader, leader);
}

/* An entry of this leader, up to the disk. */
static void propose(void)
{
	step((struct xr_event){.kind = XR_EV_PROPOSE});
	assert_true(up.what & XR_DO_TAKE);
}

static void lead(void)
{
	r.role = XR_LEADER;
	r.leader = r.self;
	r.vote = r.self;
}

static void taken(uint32_t voters, uint32_t learners)
{
	step((struct xr_event){.kind = XR_EV_TAKEN,
			       .entry = r.entry_next,
			       .voters = voters,
			       .learners = learners,
			       .message.sent_ns = 9});
}

static void ack(uint8_t from)
{
	hear((struct xr_message){.type = XR_ACK,
				 .node = from,
				 .granted = true,
				 .entry = (uint32_t)(r.entry_next ? r.entry_next : r.entry)});
}

static void append(uint8_t from, uint64_t entry)
{
	hear((struct xr_message){.type = XR_APPEND, .node = from, .entry = entry, .sent_ns = 9});
}

/* What the last step sends of this type, or NULL. */
static const struct xr_message *sent(uint8_t type)
{
	for (int i = 0; i < up.nsend; i++)
		if (up.send[i].type == type)
			return &up.send[i];
	return NULL;
}

/* Its leader has been silent for long. */
static void time_out(void)
{
	assert_int_not_equal(up.timer_ns, UINT64_MAX);
	now_ns += MS(3 * D_MS);
	step((struct xr_event){.kind = XR_EV_TIMER});
	assert_int_equal(r.phase, XR_PREVOTING);
	assert_non_null(sent(XR_PREVOTE));
}

static void grant(uint8_t from, uint8_t type)
{
	hear((struct xr_message){.type = type,
				 .node = from,
				 .term = type == XR_PREVOTE_ANSWER ? r.term + 1 : xr_raft_term(&r),
				 .round = r.round,
				 .granted = true});
}

/*
 * ---- rule 25: voters count from the moment the entry is taken ----
 */

static void new_voters_commit_the_entry(void **state)
{
	(void)state;
	start(ALL, 0, ID(TERM, 1));
	lead();
	propose();
	ack(2);
	taken(ALL | BIT(4), 0);
	assert_int_equal(r.voters, ALL | BIT(4));
	assert_int_equal(r.committed, ID(TERM, 1)); /* two of three, but there are four */
	ack(4);
	assert_int_equal(r.committed, ID(TERM, 2));
	assert_true(up.what & XR_DO_BEAT);
}

static void learners_commit_nothing(void **state)
{
	(void)state;
	start(ALL, 0, ID(TERM, 1));
	lead();
	propose();
	taken(ALL, BIT(4));
	assert_int_equal(r.learners, BIT(4));
	ack(4);
	assert_int_equal(r.committed, ID(TERM, 1));
	assert_true(r.acked & BIT(4)); /* by which it may be promoted */
	ack(2);
	assert_int_equal(r.committed, ID(TERM, 2));
}

/* The entry is taken from the leader, which is gone before it says that it is committed. */
static void new_voters_elect(void **state)
{
	(void)state;
	start(ALL, 0, ID(TERM, 1));
	follow(2);
	append(2, ID(TERM, 2));
	taken(ALL | BIT(4), 0);
	assert_true(up.what & XR_DO_ACK);
	assert_int_equal(up.ack_echo_ns, 9);
	time_out();
	grant(2, XR_PREVOTE_ANSWER);
	assert_int_equal(r.phase, XR_PREVOTING);
	grant(4, XR_PREVOTE_ANSWER);
	look();
	durable();
	grant(2, XR_VOTE_ANSWER);
	assert_int_equal(r.role, XR_CANDIDATE);
	grant(4, XR_VOTE_ANSWER);
	assert_int_equal(r.role, XR_LEADER);
}

/* Until then those before count. */
static void voters_under_way_do_not_count(void **state)
{
	(void)state;
	start(ALL, 0, ID(TERM, 1));
	follow(2);
	append(2, ID(TERM, 2)); /* of four voters */
	time_out();
	grant(2, XR_PREVOTE_ANSWER);
	assert_true(up.what & XR_DO_FENCE);
}

/* It has asked others than those that vote now, and with another entry. */
static void candidate_whose_entry_changes_begins_anew(void **state)
{
	uint32_t round;

	(void)state;
	start(ALL | BIT(4), 0, ID(TERM, 1));
	follow(2);
	append(2, ID(TERM, 2));
	time_out();
	grant(2, XR_PREVOTE_ANSWER);
	round = r.round;
	now_ns += MS(10);
	taken(ALL, 0);
	assert_int_equal(r.phase, XR_IDLE);
	assert_int_equal(r.granted, 0);
	assert_int_equal(r.base_ns, now_ns);
	hear((struct xr_message){.type = XR_PREVOTE_ANSWER,
				 .node = 3,
				 .term = TERM + 1,
				 .round = round,
				 .granted = true});
	assert_false(up.what & XR_DO_FENCE);
	time_out();
	assert_int_equal(sent(XR_PREVOTE)->entry, ID(TERM, 2));
}

/* The same while it waits for votes: those for the older entry elect nobody. */
static void votes_for_the_older_entry_are_over(void **state)
{
	(void)state;
	start(ALL, 0, ID(TERM, 1));
	follow(2);
	append(2, ID(TERM, 2));
	time_out();
	grant(2, XR_PREVOTE_ANSWER);
	look();
	durable();
	assert_int_equal(r.phase, XR_VOTING);
	taken(ALL, 0);
	assert_int_equal(r.role, XR_FOLLOWER);
	grant(2, XR_VOTE_ANSWER);
	assert_int_equal(r.role, XR_FOLLOWER);
	assert_int_equal(r.term, TERM + 1);
	assert_false(up.what & XR_DO_ACK); /* rule 24: nor is it acked in that term */
}

/*
 * ---- rule 27: who campaigns ----
 */

static void resigns_for(uint8_t heir)
{
	hear((struct xr_message){.type = XR_RESIGN, .node = r.leader, .heir = heir});
	assert_true(r.resigned);
}

static void assert_never_campaigns(void)
{
	assert_int_equal(up.timer_ns, UINT64_MAX);
	resigns_for(1);
	assert_false(up.what & XR_DO_FENCE);
	assert_int_equal(up.timer_ns, UINT64_MAX);
}

static void learner_follows_and_never_campaigns(void **state)
{
	(void)state;
	start(ALL & ~BIT(1), BIT(1), 0);
	assert_int_equal(up.timer_ns, UINT64_MAX);
	follow(2);
	assert_true(up.what & XR_DO_ACK);
	append(2, ID(TERM, 1));
	assert_true(up.what & XR_DO_TAKE);
	taken(ALL & ~BIT(1), BIT(1));
	assert_int_equal(up.what & (XR_DO_ACK | XR_DO_SHOW), XR_DO_ACK | XR_DO_SHOW);
	assert_int_not_equal(r.committed, r.entry); /* which changes nothing */
	assert_never_campaigns();
}

/* Voter or learner, but of another birth. */
static void reborn_follows_and_never_campaigns(void **state)
{
	(void)state;
	for (int learner = 0; learner < 2; learner++) {
		start(learner ? ALL & ~BIT(1) : ALL, learner ? BIT(1) : 0, 0);
		r.reborn = true;
		follow(2);
		append(2, ID(TERM, 1));
		assert_true(up.what & XR_DO_TAKE);
		step((struct xr_event){
			.kind = XR_EV_TAKEN, .entry = ID(TERM, 1), .voters = ALL, .reborn = true});
		assert_true(r.reborn);
		assert_never_campaigns();
	}
	start(ALL, 0, 0);
	r.reborn = true;
	follow(2);
	append(2, ID(TERM, 1));
	taken(ALL, 0); /* which names this birth */
	assert_false(r.reborn);
	assert_int_not_equal(up.timer_ns, UINT64_MAX);
	resigns_for(1);
	assert_true(up.what & XR_DO_FENCE);
}

/* By an entry that is committed, of others alone. */
static void removed_never_campaigns(void **state)
{
	(void)state;
	start(ALL & ~BIT(1), 0, ID(TERM, 1));
	assert_int_equal(up.timer_ns, UINT64_MAX);
	follow(2);
	assert_never_campaigns();
}

/* One may vote that its own entry does not name: the candidate may know better (4.2.2). */
static void removed_votes(void **state)
{
	(void)state;
	start(ALL & ~BIT(1), 0, ID(TERM, 1));
	hear((struct xr_message){
		.type = XR_VOTE, .node = 3, .term = TERM + 1, .entry = ID(TERM, 1)});
	look();
	assert_int_equal(up.vote, 3);
	durable();
	assert_true(sent(XR_VOTE_ANSWER)->granted);
}

/*
 * ---- rule 25: a leader that removes itself ----
 */

static void propose_without_itself(void)
{
	start(ALL, 0, ID(TERM, 1));
	lead();
	propose();
	taken(ALL & ~BIT(1), 0);
}

static void removed_leader_leads_until_that_is_committed(void **state)
{
	struct xr_event last = {
		.kind = XR_EV_MESSAGE,
		.heir = 3,
		.message = {.type = XR_ACK, .node = 3, .term = TERM, .granted = true, .entry = 2}};

	(void)state;
	propose_without_itself();
	ack(2);
	assert_int_equal(r.committed, ID(TERM, 1)); /* one of two: it does not count itself */
	assert_int_equal(r.role, XR_LEADER);
	step((struct xr_event){.kind = XR_EV_TIMER, .may_lead = true});
	assert_true(up.what & XR_DO_BEAT);
	assert_int_equal(r.role, XR_LEADER);
	step(last);
	assert_int_equal(r.committed, ID(TERM, 2));
	assert_int_equal(r.role, XR_FOLLOWER);
	assert_true(up.what & XR_DO_FENCE_ONLY);
	assert_int_equal(sent(XR_RESIGN)->heir, 3);
	assert_int_equal(up.report[up.nreport - 1].kind, XR_RAFT_STEPPED_DOWN);
	assert_int_equal(up.report[up.nreport - 1].why.cause, XR_CAUSE_REMOVED);
	assert_int_equal(up.timer_ns, UINT64_MAX);
}

/* Its own disk was the last. */
static void removed_leader_ends_by_its_own_disk(void **state)
{
	(void)state;
	start(ALL, 0, ID(TERM, 1));
	lead();
	propose();
	ack(2);
	ack(3);
	assert_int_equal(r.role, XR_LEADER);
	taken(ALL & ~BIT(1), 0);
	assert_int_equal(r.role, XR_FOLLOWER);
	assert_int_equal(up.report[up.nreport - 1].why.cause, XR_CAUSE_REMOVED);
}

static void lose_quorum(void)
{
	now_ns += MS(2 * D_MS);
	step((struct xr_event){.kind = XR_EV_TIMER});
	assert_int_equal(r.role, XR_FOLLOWER);
}

/* It may be the only one to have that entry: then nobody else can be elected (4.2.2). */
static void who_removed_itself_in_vain_campaigns_again(void **state)
{
	(void)state;
	propose_without_itself();
	lose_quorum();
	time_out();
	assert_int_equal(sent(XR_PREVOTE)->entry, ID(TERM, 2));
	grant(2, XR_PREVOTE_ANSWER);
	assert_int_equal(r.phase, XR_PREVOTING); /* one of two: its own vote is none */
	grant(3, XR_PREVOTE_ANSWER);
	look();
	durable();
	grant(2, XR_VOTE_ANSWER);
	assert_int_equal(r.role, XR_CANDIDATE);
	grant(3, XR_VOTE_ANSWER);
	assert_int_equal(r.role, XR_LEADER);
	assert_int_equal(r.entry_next, ID(TERM + 1, 3)); /* rule 26: the same anew */
	taken(ALL & ~BIT(1), 0);
	ack(2);
	ack(3);
	assert_int_equal(r.role, XR_FOLLOWER);
	assert_int_equal(up.timer_ns, UINT64_MAX);
}

/* The others have committed it meanwhile, and say so. */
static void who_hears_that_it_was_removed_is_quiet(void **state)
{
	(void)state;
	propose_without_itself();
	lose_quorum();
	assert_int_not_equal(up.timer_ns, UINT64_MAX);
	step((struct xr_event){.kind = XR_EV_NEWS, .committed = true});
	assert_int_equal(r.committed, ID(TERM, 2));
	assert_int_equal(up.timer_ns, UINT64_MAX);
}

/*
 * ---- rule 24: what is committed is handed on ----
 */

static void hand(uint32_t term, uint64_t entry)
{
	hear((struct xr_message){.type = XR_HAND_ON, .node = 3, .term = term, .entry = entry});
}

static void handed_entry_is_committed_and_not_acked(void **state)
{
	(void)state;
	start(ALL, 0, ID(TERM - 1, 1));
	follow(2);
	hand(TERM, ID(TERM, 7)); /* by node 3, which leads nobody */
	assert_true(up.what & XR_DO_TAKE);
	assert_int_equal(up.entry, ID(TERM, 7));
	step((struct xr_event){.kind = XR_EV_TAKEN,
			       .entry = ID(TERM, 7),
			       .voters = ALL & ~BIT(1),
			       .handed = true,
			       .agreed = true});
	assert_int_equal(r.committed, ID(TERM, 7));
	assert_int_equal(r.voters, ALL & ~BIT(1));
	assert_false(up.what & XR_DO_ACK);
	assert_int_equal(up.nsend, 0);
	assert_int_equal(up.timer_ns, UINT64_MAX); /* it was removed, and is quiet */
}

static void handed_entry_of_a_newer_term_comes_after_that(void **state)
{
	(void)state;
	start(ALL, 0, ID(TERM - 1, 1));
	hand(TERM + 2, ID(TERM + 2, 7));
	assert_false(up.what & XR_DO_TAKE);
	look();
	assert_int_equal(up.term, TERM + 2);
	assert_int_equal(up.vote, 0);
	hand(TERM + 2, ID(TERM + 2, 7)); /* the disk is busy with that term */
	hand(TERM, ID(TERM, 7));
	assert_false(up.what & XR_DO_TAKE);
	durable();
	assert_int_equal(r.entry_next, 0);
	hand(TERM + 2, ID(TERM + 2, 7));
	assert_true(up.what & XR_DO_TAKE);
}

static void handed_entries_that_are_not_taken(void **state)
{
	(void)state;
	start(ALL, 0, ID(TERM, 5));
	hand(TERM, ID(TERM, 5));
	hand(TERM, ID(TERM, 4));
	hand(TERM, ID(TERM - 1, 9));
	hand(TERM, ID(TERM + 1, 6)); /* nobody has committed that */
	assert_int_equal(r.entry_next, 0);
	lead();
	hand(TERM, ID(TERM, 6)); /* whose entries are its own */
	assert_int_equal(r.entry_next, 0);
	start(ALL, 0, 0);
	follow(2);
	append(2, ID(TERM, 6));
	hand(TERM, ID(TERM, 7)); /* one at a time */
	assert_int_equal(r.entry_next, ID(TERM, 6));
}

static void ask(uint8_t type, uint8_t from, uint64_t entry)
{
	hear((struct xr_message){
		.type = type, .node = from, .term = r.term + (type == XR_PREVOTE), .entry = entry});
}

static void only_what_is_committed_is_handed_on(void **state)
{
	(void)state;
	start(ALL, 0, ID(TERM, 5));
	ask(XR_PREVOTE, 3, ID(TERM, 4));
	assert_int_equal(sent(XR_HAND_ON)->node, 3);
	assert_int_equal(sent(XR_HAND_ON)->term, TERM);
	assert_false(sent(XR_PREVOTE_ANSWER)->granted);
	ask(XR_PREVOTE, 3, ID(TERM, 5));
	assert_null(sent(XR_HAND_ON));
	r.committed = ID(TERM, 4);
	ask(XR_PREVOTE, 3, ID(TERM, 4));
	assert_non_null(sent(XR_PREVOTE_ANSWER));
	assert_null(sent(XR_HAND_ON));
	start(ALL, 0, 0);
	ask(XR_PREVOTE, 3, 0);
	assert_null(sent(XR_HAND_ON));
}

/* Who was removed, and does not know it, acks heartbeats that it asks for. */
static void leader_hands_on_to_who_is_no_member(void **state)
{
	(void)state;
	start(ALL, BIT(5), ID(TERM, 5));
	lead();
	for (uint8_t node = 2; node <= 5; node++) {
		hear((struct xr_message){
			.type = XR_ACK, .node = node, .granted = true, .entry = 5});
		assert_int_equal(sent(XR_HAND_ON) != NULL, node == 4);
		assert_null(sent(XR_APPEND));
	}
	assert_false(r.acked & BIT(4));
	propose(); /* which may name it */
	hear((struct xr_message){.type = XR_ACK, .node = 4, .granted = true, .entry = 5});
	assert_int_equal(sent(XR_APPEND)->node, 4);
	r.committed = ID(TERM, 4);
	r.entry_next = 0;
	hear((struct xr_message){.type = XR_ACK, .node = 4, .granted = true, .entry = 5});
	assert_null(sent(XR_HAND_ON));
}

static void lacks(uint8_t node, uint32_t index)
{
	hear((struct xr_message){.type = XR_ACK, .node = node, .lacking = true, .entry = index});
}

/* Rule 27: as long as they differ, and to whom it names. */
static void who_lacks_the_entry_gets_it(void **state)
{
	(void)state;
	start(ALL, BIT(4), ID(TERM, 5));
	lead();
	lacks(4, 0);
	assert_int_equal(sent(XR_APPEND)->node, 4);
	lacks(4, 4);
	assert_non_null(sent(XR_APPEND));
	lacks(4, 5); /* it has that, and is none by it: its birth is another */
	assert_int_equal(up.nsend, 0);
	lacks(4, XR_COMMITTED | 5);
	assert_int_equal(up.nsend, 0);
	lacks(5, 0);
	assert_int_equal(up.nsend, 0);
	assert_int_equal(r.acked, 0);
	propose();
	lacks(5, 0); /* the engine looks whom that names */
	assert_non_null(sent(XR_APPEND));
	r.entry_next = 0;
	r.term++;
	lacks(4, 0);
	assert_int_equal(up.nsend, 0);
}

/*
 * ---- rule 23: an entry on its way to the disk is there before the vote ----
 */
static void vote_is_refused_against_an_entry_under_way(void **state)
{
	(void)state;
	for (int newer = 0; newer < 2; newer++) {
		uint64_t entry = ID(TERM, newer ? 6 : 5);

		start(ALL, 0, ID(TERM, 5));
		follow(2);
		append(2, ID(TERM, 6));
		assert_int_equal(r.entry_next, ID(TERM, 6));
		ask(XR_PREVOTE, 3, entry);
		assert_int_equal(sent(XR_PREVOTE_ANSWER)->granted, newer);
		hear((struct xr_message){
			.type = XR_VOTE, .node = 3, .term = TERM + 1, .entry = entry});
		look();
		assert_int_equal(up.vote,
				 newer ? 3 : 0); /* 5.1: the term is entered all the same */
		durable();
		assert_int_equal(sent(XR_VOTE_ANSWER)->granted, newer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_voters_commit_the_entry),
		cmocka_unit_test(learners_commit_nothing),
		cmocka_unit_test(new_voters_elect),
		cmocka_unit_test(voters_under_way_do_not_count),
		cmocka_unit_test(candidate_whose_entry_changes_begins_anew),
		cmocka_unit_test(votes_for_the_older_entry_are_over),
		cmocka_unit_test(learner_follows_and_never_campaigns),
		cmocka_unit_test(reborn_follows_and_never_campaigns),
		cmocka_unit_test(removed_never_campaigns),
		cmocka_unit_test(removed_votes),
		cmocka_unit_test(removed_leader_leads_until_that_is_committed),
		cmocka_unit_test(removed_leader_ends_by_its_own_disk),
		cmocka_unit_test(who_removed_itself_in_vain_campaigns_again),
		cmocka_unit_test(who_hears_that_it_was_removed_is_quiet),
		cmocka_unit_test(handed_entry_is_committed_and_not_acked),
		cmocka_unit_test(handed_entry_of_a_newer_term_comes_after_that),
		cmocka_unit_test(handed_entries_that_are_not_taken),
		cmocka_unit_test(only_what_is_committed_is_handed_on),
		cmocka_unit_test(leader_hands_on_to_who_is_no_member),
		cmocka_unit_test(who_lacks_the_entry_gets_it),
		cmocka_unit_test(vote_is_refused_against_an_entry_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
