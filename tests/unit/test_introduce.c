// SPDX-License-Identifier: GPL-2.0-only
/* Rules 17 and 18: whom a node believes, what it tells, and what it ends for. */
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>
#include "unit/cluster.h"

/* Of node 2, beside the one that the stage gives it. */
#define OTHER_LIFE 0x1f00d

static struct xr_datagram told, asked; /* the newest that left node 1 */
static int ntold, nasked;

static void note(struct cluster *c, const struct xr_datagram *d)
{
	(void)c;
	if (d->wire.type == XR_TELL) {
		told = *d;
		ntold++;
	} else if (d->wire.type == XR_ASK) {
		asked = *d;
		nasked++;
	}
}

static const struct xr_fact *find(const struct xr_datagram *d, uint32_t what)
{
	const struct xr_fact *fact = (const struct xr_fact *)(&d->wire + 1);

	for (int i = 0; i < d->wire.count; i++)
		if (fact[i].what == what)
			return &fact[i];
	return NULL;
}

static struct xr_engine *engine(const struct cluster *c)
{
	return c->node[1].engine;
}

static struct cluster *new_stage(int n)
{
	struct cluster *c = cluster_new_stage(n);

	c->mute = true;
	c->on_send = note;
	ntold = nasked = 0;
	return c;
}

/* It knows nobody, and has asked all. */
static struct cluster *new_strange_stage(int n)
{
	struct cluster *c = new_stage(n);

	cluster_restart(c, 1);
	cluster_set_timeout(c, 1, NEVER_MS);
	cluster_run_ms(c, 0.5);
	assert_int_equal(nasked, n - 1);
	return c;
}

static void ask(struct cluster *c, uint8_t from, uint64_t life, uint64_t nonce)
{
	const struct xr_fact fact = {XR_FACT_nonce, 0, nonce};

	cluster_facts(c, (struct xr_wire){.type = XR_ASK, .source = from, .dest = 1, .lives = life},
		      &fact, 1);
}

/* The open question's answer, with one more fact, if it is one. */
static void tell(struct cluster *c, uint8_t from, uint64_t life, struct xr_fact fact)
{
	const struct xr_fact facts[] = {{XR_FACT_nonce, 0, engine(c)->known[from].nonce}, fact};

	assert_true(facts[0].value != 0);
	cluster_facts(c,
		      (struct xr_wire){.type = XR_TELL, .source = from, .dest = 1, .lives = life},
		      facts, fact.what ? 2 : 1);
}

/* It asks, and is told so. */
static void told_when_asked(struct cluster *c, uint8_t from, uint64_t life, struct xr_fact fact)
{
	xr_introduce_ask(engine(c), from, false);
	tell(c, from, life, fact);
}

static const struct xr_fact nothing;

static uint64_t dropped(const struct cluster *c)
{
	return engine(c)->stats.drop_replay;
}

static const char *note_of(const struct cluster *c, enum xr_report_kind kind)
{
	const struct xr_report *r = cluster_report(c, 1, kind);

	return r ? r->note : "";
}

/*
 * ---- asked ----
 */
static void ask_is_answered_with_its_nonce(void **state)
{
	_cleanup_cluster_ struct cluster *c = new_stage(3);

	(void)state;
	ask(c, 2, 0, 77);
	assert_int_equal(ntold, 1);
	assert_int_equal(told.wire.dest, 2);
	assert_int_equal(told.wire.lives, c->node[1].control.life);
	assert_int_equal(find(&told, XR_FACT_nonce)->value, 77);
	assert_int_equal(find(&told, XR_FACT_min_timeout_us)->value, D_MS * 1000);
	assert_int_equal(find(&told, XR_FACT_heartbeat_us)->value, HEARTBEAT_MS * 1000);
	assert_null(find(&told, XR_FACT_term));
	assert_null(find(&told, XR_FACT_twice));
	assert_int_equal(nasked, 0); /* that life is known */
}

/* Which entry it has acked, to the leader; whoever leads no longer knows nothing of it. */
static void tells_of_the_entry_that_the_asker_has(void **state)
{
	_cleanup_cluster_ struct cluster *c = new_stage(3);
	struct xr_raft *r;

	(void)state;
	stage_leader(c);
	r = &engine(c)->members[0].raft;
	r->entry = (uint64_t)r->term << 32 | 6;
	r->acked = 1 << 1 | 1 << 2;
	ask(c, 2, 0, 77);
	assert_int_equal(find(&told, XR_FACT_entry)->value, r->entry);
	assert_int_equal(find(&told, XR_FACT_entry)->of, 0);
	ask(c, 3, 0, 78);
	assert_null(find(&told, XR_FACT_entry));
	r->entry_next = r->entry + 1; /* what it is of: the newer one */
	ask(c, 2, 0, 79);
	assert_int_equal(find(&told, XR_FACT_entry)->value, r->entry_next);
	r->entry = r->entry_next = 0;
	stage_follow(c, 3, r->term + 1);
	ask(c, 2, 0, 80);
	assert_null(find(&told, XR_FACT_entry));
}

/* Rule 18: that it led, acked or voted. */
static void tells_what_it_knows_of_the_asker(void **state)
{
	_cleanup_cluster_ struct cluster *c = new_stage(3);

	(void)state;
	stage_follow(c, 2, 3);
	ask(c, 3, 0, 77);
	assert_null(find(&told, XR_FACT_term));
	ask(c, 2, 0, 78);
	assert_int_equal(find(&told, XR_FACT_term)->value, 3);
	stage_leader(c); /* by the vote of node 2 */
	ask(c, 2, 0, 79);
	assert_int_equal(find(&told, XR_FACT_vote)->value, 4);
	assert_int_equal(find(&told, XR_FACT_term)->value, 4);
	ask(c, 3, 0, 78);
	assert_null(find(&told, XR_FACT_term));
	cluster_run_ms(c, HEARTBEAT_MS);
	cluster_hear(c, 1, say_ack(c, 3, 1));
	ask(c, 3, 0, 79);
	assert_int_equal(find(&told, XR_FACT_term)->value, 4);
}

/* Who votes while our own vote is on its way to the disk has voted in the term that is being written. */
static void tells_of_votes_while_its_own_is_written(void **state)
{
	_cleanup_cluster_ struct cluster *c = new_stage(3);

	(void)state;
	stage_follow(c, 2, 3);
	c->node[1].disk_delay_ns = UINT64_MAX;
	stage_candidate(c);
	stage_answer(c, 2, true);
	assert_true(raft_of(c, 1)->op.writing);
	ask(c, 2, 0, 79);
	assert_int_equal(find(&told, XR_FACT_vote)->value, 4);
}

/* After a reload it tells the digest of the groups that there are then. */
static void tells_of_groups_as_reloaded(void **state)
{
	_cleanup_cluster_ struct cluster *c = new_stage(3);
	uint64_t before;

	(void)state;
	ask(c, 2, 0, 77);
	before = find(&told, XR_FACT_groups)->value;
	xr_engine_take(engine(c), engine(c)->peers, engine(c)->config->groups, 0);
	ask(c, 2, 0, 78);
	assert_int_not_equal(find(&told, XR_FACT_groups)->value, before);
}

static struct xr_peer nodes[XR_NODE_MAX + 1];

static void reload_nodes(struct cluster *c)
{
	xr_engine_take(engine(c), nodes, engine(c)->config->groups, 0);
}

/* Rules 17 and 18: what it has told, and which life it is, holds wherever it is. */
static void moved_node_is_asked_and_still_known(void **state)
{
	_cleanup_cluster_ struct cluster *c = new_stage(3);
	uint64_t lives = c->node[1].peers[2].lives;

	(void)state;
	memcpy(nodes, engine(c)->peers, sizeof(nodes));
	nodes[2].port++;
	reload_nodes(c);
	cluster_run_ms(c, 0.1);
	assert_int_equal(engine(c)->peers[2].port, nodes[2].port);
	assert_int_equal(engine(c)->peers[2].lives, lives);
	assert_int_equal(c->node[1].peers[2].lives, lives);
	assert_int_equal(engine(c)->strangers, 0);
	assert_true(nasked >= 1);
	assert_non_null(find(&asked, XR_FACT_news));
	assert_non_null(
		strstr(note_of(c, XR_REPORT_reloaded), "0 new group(s), 1 changed node(s)"));
}

/* Rule 18: what a newcomer knows of this node it has not told yet. */
static void new_node_is_a_stranger(void **state)
{
	_cleanup_cluster_ struct cluster *c = new_stage(3);

	(void)state;
	memcpy(nodes, engine(c)->peers, sizeof(nodes));
	nodes[4] = nodes[3];
	nodes[4].ip[15]++;
	nodes[4].lives = 0;
	c->node[1].peers[4] = c->node[1].config.nodes[4] = nodes[4]; /* the warden's work */
	reload_nodes(c);
	cluster_run_ms(c, 0.1);
	assert_int_equal(engine(c)->strangers, 1 << 4);
	assert_int_equal(asked.wire.dest, 4);
	tell(c, 4, OTHER_LIFE, nothing);
	assert_int_equal(engine(c)->strangers, 0);
	assert_int_equal(c->node[1].peers[4].lives, c->node[1].control.life ^ OTHER_LIFE);
}

/* Its address means "this machine" by then. */
static void node_left_out_is_sent_nothing(void **state)
{
	_cleanup_cluster_ struct cluster *c = new_stage(3);
	uint64_t lives = c->node[1].peers[2].lives;

	(void)state;
	memcpy(nodes, engine(c)->peers, sizeof(nodes));
	memset(&nodes[2], 0, sizeof(nodes[2]));
	reload_nodes(c);
	assert_int_equal(engine(c)->peers[2].lives, 0);
	assert_int_equal(c->node[1].peers[2].lives, 0);
	assert_int_equal(engine(c)->known[2].ask_ns, UINT64_MAX);
	assert_non_null(strstr(note_of(c, XR_REPORT_warning),
			       "node 2 is left out of [nodes] and is a member of 1 group(s)"));
	nodes[2] = nodes[3];
	nodes[2].port++;
	reload_nodes(c);
	assert_int_equal(engine(c)->peers[2].lives, lives);
	assert_int_equal(engine(c)->strangers, 0);
}

static void unknown_life_leads_to_a_question_and_no_more(void **state)
{
	_cleanup_cluster_ struct cluster *c = new_stage(3);
	uint64_t lives = c->node[1].peers[2].lives, before = dropped(c);

	(void)state;
	ask(c, 2, OTHER_LIFE, 77);
	assert_int_equal(ntold, 1);
	assert_int_equal(nasked, 1);
	assert_int_equal(asked.wire.dest, 2);
	assert_true(find(&asked, XR_FACT_nonce)->value != 0);
	assert_int_equal(c->node[1].peers[2].lives, lives);
	assert_int_equal(engine(c)->peers[2].lives, lives);
	assert_true(engine(c)->known[2].introduced);
	tell(c, 2, OTHER_LIFE, nothing); /* it is true */
	assert_int_equal(c->node[1].peers[2].lives, c->node[1].control.life ^ OTHER_LIFE);
	assert_int_equal(engine(c)->known[2].life, OTHER_LIFE);
	assert_int_equal(dropped(c), before);
}

/* Who floods it with what it does not know makes it neither tell nor ask as often. */
static void hints_are_few(void **state)
{
	_cleanup_cluster_ struct cluster *c = new_stage(3);
	uint64_t before = dropped(c);

	(void)state;
	for (int i = 0; i < 100; i++) {
		ask(c, 2, OTHER_LIFE + i, i);
		cluster_run_ms(c, 0.05);
	}
	/* Five milliseconds, so five times. */
	assert_in_range(ntold, 1, 6);
	assert_in_range(nasked, 1, 6); /* nobody tells, so it asks again */
	assert_int_equal(dropped(c), before + 100 - ntold);
}

static void ask_sent(struct cluster *c, uint64_t life, uint64_t sent_ns)
{
	const struct xr_fact fact = {XR_FACT_nonce, 0, 77};
	const struct xr_wire h = {
		.type = XR_ASK, .source = 2, .dest = 1, .lives = life, .sent_ns = sent_ns};

	cluster_facts(c, h, &fact, 1);
}

/* Of a known life once; and the clock of the next one may be behind that of the last. */
static void recorded_ask_is_answered_once(void **state)
{
	_cleanup_cluster_ struct cluster *c = new_stage(3);
	uint64_t before = dropped(c);

	(void)state;
	ask_sent(c, 0, 1000);
	ask_sent(c, 0, 1000);
	ask_sent(c, 0, 999);
	assert_int_equal(ntold, 1);
	assert_int_equal(dropped(c), before + 2);
	told_when_asked(c, 2, OTHER_LIFE, nothing);
	ask_sent(c, OTHER_LIFE, 5);
	assert_int_equal(ntold, 2);
}

/*
 * ---- told ----
 */
static void only_the_answer_to_an_open_question_is_believed(void **state)
{
	_cleanup_cluster_ struct cluster *c = new_strange_stage(3);
	struct xr_wire h = {.type = XR_TELL, .source = 2, .dest = 1, .lives = OTHER_LIFE};
	struct xr_fact fact = {XR_FACT_nonce, 0, engine(c)->known[2].nonce + 1};
	uint64_t before = dropped(c);

	(void)state;
	cluster_facts(c, h, &fact, 1);
	fact.value = 0;
	cluster_facts(c, h, &fact, 1);
	fact.what = XR_FACT_xdp; /* no nonce at all */
	cluster_facts(c, h, &fact, 1);
	fact = (struct xr_fact){XR_FACT_nonce, 0, engine(c)->known[3].nonce}; /* another's */
	cluster_facts(c, h, &fact, 1);
	assert_int_equal(dropped(c), before + 4);
	assert_int_equal(engine(c)->strangers, 1 << 2 | 1 << 3);
	assert_int_equal(c->node[1].peers[2].lives, 0);
	assert_int_equal(engine(c)->known[2].life, 0);
	fact.value = engine(c)->known[2].nonce;
	tell(c, 2, 5, nothing);
	assert_int_equal(engine(c)->strangers, 1 << 3);
	assert_int_equal(engine(c)->known[2].life, 5);
	cluster_facts(c, h, &fact, 1); /* answered already */
	assert_int_equal(dropped(c), before + 5);
	assert_int_equal(engine(c)->known[2].life, 5);
	assert_int_equal(c->node[1].peers[2].lives, c->node[1].control.life ^ 5);
}

/* Started together, and so far away that each asks several times before it is told anything. */
static void far_peers_meet(void **state)
{
	_cleanup_cluster_ struct cluster *c = cluster_new(3);

	(void)state;
	c->delay_ns = 50 * NS_PER_MS;
	for (int id = 1; id <= 3; id++)
		cluster_crash(c, id);
	cluster_run_ms(c, 1000); /* nothing of their former lives is under way */
	c->on_send = note;
	nasked = 0;
	for (int id = 1; id <= 3; id++) {
		cluster_restart(c, id);
		cluster_set_timeout(c, id, NEVER_MS);
	}
	cluster_run_ms(c, 110); /* a round trip, and some */
	for (int id = 1; id <= 3; id++)
		assert_int_equal(c->node[id].engine->strangers, 0);
	assert_in_range(nasked, 6, 6 * 12); /* each of the other two: they are no storm */
}

/* A question that nobody answers for long is another: what was said to it then is no news. */
static void open_question_ends(void **state)
{
	_cleanup_cluster_ struct cluster *c = new_strange_stage(3);
	uint64_t nonce = engine(c)->known[2].nonce;

	(void)state;
	cluster_run_ms(c, 1000);
	assert_true(nasked > 2);
	assert_int_equal(engine(c)->known[2].nonce, nonce);
	cluster_run_ms(c, 3000);
	assert_int_not_equal(engine(c)->known[2].nonce, nonce);
}

static void asks_until_all_is_told(void **state)
{
	_cleanup_cluster_ struct cluster *c = new_strange_stage(3);

	(void)state;
	assert_int_equal(find(&asked, XR_FACT_from)->value, 0);
	for (uint64_t from = 50; from <= 100; from += 50) {
		tell(c, 2, 0, (struct xr_fact){XR_FACT_more, 0, from});
		assert_int_equal(asked.wire.dest, 2);
		assert_int_equal(find(&asked, XR_FACT_from)->value, from);
		assert_true(engine(c)->strangers >> 2 & 1);
		assert_false(engine(c)->known[2].introduced);
	}
	tell(c, 2, 0, nothing);
	assert_int_equal(nasked, 4);
	assert_int_equal(engine(c)->strangers, 1 << 3);
	assert_true(engine(c)->known[2].introduced);
	told_when_asked(c, 2, OTHER_LIFE, (struct xr_fact){XR_FACT_more, 0, 7}); /* began anew */
	assert_int_equal(find(&asked, XR_FACT_from)->value, 7);
	assert_false(engine(c)->known[2].introduced);
}

static bool grants(struct cluster *c, uint32_t term)
{
	const struct sent *s;

	cluster_hear(c, 1, say_vote(2, term));
	s = cluster_sent(c, 1, 2, XR_VOTE_ANSWER);
	assert_non_null(s);
	return s->m.granted;
}

static void votes_once_a_majority_has_told(void **state)
{
	_cleanup_cluster_ struct cluster *c = new_strange_stage(5);

	(void)state;
	cluster_run_ms(c, D_MS); /* the promise */
	tell(c, 2, 0, nothing);
	assert_false(grants(c, 1));
	assert_int_equal(cluster_report(c, 1, XR_REPORT_vote_refused)->cause, XR_CAUSE_STRANGER);
	assert_int_equal(c->node[1].disk.term, 0);
	tell(c, 3, 0, (struct xr_fact){XR_FACT_more, 0, 9}); /* not all it knows */
	assert_false(grants(c, 1));
	tell(c, 3, 0, nothing);
	assert_true(grants(c, 1));
	assert_int_equal(c->node[1].disk.vote, 2);
}

/* Nor for itself, also where it is an heir. */
static void stranger_does_not_campaign(void **state)
{
	_cleanup_cluster_ struct cluster *c = new_strange_stage(5);

	(void)state;
	cluster_run_ms(c, D_MS);
	tell(c, 2, 0, nothing);
	cluster_hear(c, 1, say_heartbeat(c, 2, 1));
	cluster_hear(c, 1, say_resign(2, 1, 1));
	assert_int_equal(cluster_count(c, 1, 0, XR_VOTE), 0);
	assert_int_equal(c->node[1].disk.term, 1);
	tell(c, 3, 0, nothing);
	stage_time_out(c);
	stage_answer(c, 2, true);
	stage_answer(c, 3, true);
	assert_true(cluster_count(c, 1, 0, XR_VOTE) > 0);
}

/*
 * ---- what it ends for ----
 */
static void assert_ended(struct cluster *c)
{
	assert_true(c->node[1].ended);
	assert_int_equal(c->node[1].group.view.mode, XR_NONE);
	assert_int_equal(c->node[1].control.alive_until_ns, 0);
	assert_true(engine(c)->over);
	/* Were it called again: the cluster fails for whatever leaves who has ended. */
	xr_engine_receive(engine(c));
	xr_engine_timer(engine(c));
	xr_engine_stop(engine(c), XR_CAUSE_SHUTDOWN);
}

/* A node that knows more of it than its journal: it leads no more, says so, and ends. */
static void told_a_newer_term_it_ends(void **state)
{
	_cleanup_cluster_ struct cluster *c = new_stage(3);

	(void)state;
	stage_leader(c);
	told_when_asked(c, 3, 0, (struct xr_fact){XR_FACT_term, 0, 1}); /* as it knows itself */
	told_when_asked(c, 3, 0, (struct xr_fact){XR_FACT_term, 7, 9}); /* of no group of its */
	assert_false(c->node[1].ended);
	c->expect_end = true;
	assert_int_equal(cluster_count(c, 1, 0, XR_RESIGN), 0);
	told_when_asked(c, 3, 0, (struct xr_fact){XR_FACT_term, 0, 2});
	assert_int_equal(cluster_count(c, 1, 0, XR_RESIGN), 2);
	assert_non_null(strstr(note_of(c, XR_REPORT_error), "in term 2"));
	assert_non_null(strstr(note_of(c, XR_REPORT_error), "ends with term 1"));
	assert_ended(c);
}

/* In the term that its journal ends with, but with another vote. */
static void told_of_a_vote_that_is_forgotten_it_ends(void **state)
{
	_cleanup_cluster_ struct cluster *c = new_stage(3);
	uint32_t term;

	(void)state;
	stage_follow(c, 3, 2);
	term = engine(c)->members[0].raft.term;
	c->expect_end = true;
	told_when_asked(c, 3, 0, (struct xr_fact){XR_FACT_vote, 0, term - 1});
	assert_false(c->node[1].ended); /* of an older term nobody knows any more */
	told_when_asked(c, 2, 0, (struct xr_fact){XR_FACT_vote, 0, term});
	assert_non_null(strstr(note_of(c, XR_REPORT_error), "has known this node in term"));
	assert_true(c->node[1].ended);
}

/* Rule 18, of what it has acked to its leader. */
static void told_of_an_entry_that_is_forgotten_it_ends(void **state)
{
	_cleanup_cluster_ struct cluster *c = new_stage(3);
	struct xr_raft *r;

	(void)state;
	stage_follow(c, 3, 2);
	r = &engine(c)->members[0].raft;
	r->entry = (uint64_t)r->term << 32 | 6;
	told_when_asked(c, 3, 0,
			(struct xr_fact){XR_FACT_entry, 0, r->entry}); /* as it knows itself */
	told_when_asked(c, 3, 0, (struct xr_fact){XR_FACT_entry, 0, r->entry - 1});
	told_when_asked(c, 3, 0,
			(struct xr_fact){XR_FACT_entry, 7, r->entry + 1}); /* no group of its */
	assert_false(c->node[1].ended);
	c->expect_end = true;
	told_when_asked(c, 2, 0, (struct xr_fact){XR_FACT_entry, 0, r->entry + 1});
	assert_non_null(strstr(note_of(c, XR_REPORT_error), "with an entry of index 7, "));
	assert_non_null(strstr(note_of(c, XR_REPORT_error), ".6: it is older than its promises"));
	assert_true(c->node[1].ended);
}

static void told_that_it_runs_twice_it_ends(void **state)
{
	_cleanup_cluster_ struct cluster *c = new_stage(3);

	(void)state;
	c->expect_end = true;
	told_when_asked(c, 2, 0, (struct xr_fact){.what = XR_FACT_twice});
	assert_non_null(strstr(note_of(c, XR_REPORT_error), "node 2 hears two"));
	assert_ended(c);
}

static void life_that_comes_back_is_one_of_two(void **state)
{
	_cleanup_cluster_ struct cluster *c = new_stage(3);
	uint64_t life = c->node[2].control.life;

	(void)state;
	told_when_asked(c, 2, OTHER_LIFE, nothing); /* a restart */
	ask(c, 2, OTHER_LIFE, 77);
	assert_null(find(&told, XR_FACT_twice));
	assert_null(cluster_report(c, 1, XR_REPORT_error));
	told_when_asked(c, 2, life, nothing);
	assert_non_null(strstr(note_of(c, XR_REPORT_error), "node 2 runs twice"));
	ask(c, 2, life, 77);
	assert_non_null(find(&told, XR_FACT_twice));
	cluster_run_ms(c, 20);
	assert_true(engine(c)->known[2].ask_ns != UINT64_MAX); /* until both have heard of it */
	ask(c, 2, OTHER_LIFE, 77);
	assert_non_null(find(&told, XR_FACT_twice));
	assert_non_null(find(&asked, XR_FACT_twice)); /* so that it asks, and believes it */
	cluster_forget(c);
	tell(c, 2, OTHER_LIFE, nothing);
	assert_null(cluster_report(c, 1, XR_REPORT_error)); /* once */
	ask(c, 3, 0, 77);
	assert_null(find(&told, XR_FACT_twice));
	told_when_asked(c, 2, 0x600d, nothing); /* both have ended */
	ask(c, 2, 0x600d, 77);
	assert_null(find(&told, XR_FACT_twice));
}

/* Who asks us, and says that it hears two of us, is asked. */
static void asked_with_twice_it_asks(void **state)
{
	_cleanup_cluster_ struct cluster *c = new_stage(3);
	const struct xr_fact facts[] = {{XR_FACT_nonce, 0, 77}, {.what = XR_FACT_twice}};

	(void)state;
	cluster_facts(c, (struct xr_wire){.type = XR_ASK, .source = 2, .dest = 1}, facts, 2);
	assert_false(c->node[1].ended); /* that was no answer */
	assert_int_equal(nasked, 1);
	assert_int_equal(asked.wire.dest, 2);
}

/*
 * ---- how others are set up ----
 */
static void differences_are_said_once(void **state)
{
	static const struct {
		uint32_t what;
		uint64_t value, ours;
		const char *says;
	} cases[] = {
		{XR_FACT_max_timeout_us, 7, MAX_MS * 1000, "longest election timeout"},
		{XR_FACT_heartbeat_us, 7, HEARTBEAT_MS * 1000, "heartbeat"},
		{XR_FACT_drift_permille, 7, 100, "drift_permille is 7 there, 100 here"},
		{XR_FACT_keys, 6ull << 32 | 1 << 6, 1, "keys that are accepted"},
	};
	_cleanup_cluster_ struct cluster *c = new_stage(3);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct xr_fact fact = {cases[i].what, 0, cases[i].value};

		told_when_asked(c, 2, 0, fact);
		assert_non_null(strstr(note_of(c, XR_REPORT_warning), cases[i].says));
		cluster_forget(c);
		told_when_asked(c, 2, 0, fact);
		assert_null(cluster_report(c, 1, XR_REPORT_warning));
		fact.value = cases[i].ours;
		told_when_asked(c, 2, 0, fact);
		assert_non_null(strstr(note_of(c, XR_REPORT_warning), "as this one again"));
		cluster_forget(c);
		told_when_asked(c, 2, 0, fact);
		assert_null(cluster_report(c, 1, XR_REPORT_warning));
	}
}

int main(void)
{
#define T(name) cmocka_unit_test(name)
	const struct CMUnitTest tests[] = {
		T(ask_is_answered_with_its_nonce),
		T(tells_what_it_knows_of_the_asker),
		T(tells_of_the_entry_that_the_asker_has),
		T(tells_of_votes_while_its_own_is_written),
		T(tells_of_groups_as_reloaded),
		T(moved_node_is_asked_and_still_known),
		T(new_node_is_a_stranger),
		T(node_left_out_is_sent_nothing),
		T(unknown_life_leads_to_a_question_and_no_more),
		T(hints_are_few),
		T(recorded_ask_is_answered_once),
		T(only_the_answer_to_an_open_question_is_believed),
		T(far_peers_meet),
		T(open_question_ends),
		T(asks_until_all_is_told),
		T(votes_once_a_majority_has_told),
		T(stranger_does_not_campaign),
		T(told_a_newer_term_it_ends),
		T(told_of_a_vote_that_is_forgotten_it_ends),
		T(told_of_an_entry_that_is_forgotten_it_ends),
		T(told_that_it_runs_twice_it_ends),
		T(life_that_comes_back_is_one_of_two),
		T(asked_with_twice_it_asks),
		T(differences_are_said_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
