// SPDX-License-Identifier: GPL-2.0-only
/*
 * Members that change, by a whole engine (rules 25 to 27): node 1 of a group of three, with nodes 4 and 5
 * in [nodes] besides; what arrives, and what is on disk, is what a test says.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>
#include "engine/ballot.h"
#include "engine/engine.h"

#define D_US 100000u
#define D_NS (D_US * NS_PER_US)
#define TERM 4
#define ALL  0xeu /* nodes 1 to 3 */

#define BIT(node)	(1u << (node))
#define LEARNER(node)	(BIT(node) << XR_LEARNER_SHIFT)
#define ID(term, index) ((uint64_t)(term) << 32 | (index))

/* Of node 4 and of this node, where they have one. */
#define BIRTH_4 0x44444444u
#define BIRTH_1 0x11111111u

/* What the engine asks of a journal at its start. */
struct xr_journal {
	struct xr_vote vote;
	struct xr_entry entry;
	uint32_t birth;
};

const struct xr_vote *xr_journal_find(const struct xr_journal *j, uint32_t group)
{
	return group == 0 && j->vote.name[0] ? &j->vote : NULL;
}

uint32_t xr_journal_birth(const struct xr_journal *j)
{
	return j->birth;
}

const struct xr_entry *xr_journal_entry(const struct xr_journal *j, uint32_t group)
{
	return group == 0 && j->entry.id ? &j->entry : NULL;
}

int xr_journal_each(const struct xr_journal *j, int (*visit)(const struct xr_vote *v, void *arg),
		    void *arg)
{
	return j->vote.name[0] ? visit(&j->vote, arg) : 0;
}

static struct xr_config_group group = {.voters = ALL, .digest = 77, .name = "g"};
static struct xr_config config = {
	.self = 1,
	.cluster = "t",
	.stall_limit_us = 1000 * D_US,
	.min_timeout_us = D_US,
	.max_timeout_us = 2 * D_US,
	.heartbeat_us = D_US / 5,
	.groups = &group,
	.ngroups = 1,
};

static struct xr_journal journal;
static struct xr_engine engine;
static struct xr_looks looks;
static struct xr_group g;
static struct xr_acks acks;
static struct xr_peer peers[XR_NODE_MAX + 1];
static struct xr_control control;
static struct xr_maps maps = {
	.groups = &g, .acks = &acks, .peers = peers, .control = &control, .ngroups = 1};

static uint64_t now_ns;
static struct xr_datagram in;
static bool arrives, written;
static struct xr_datagram out[128];
static int nout;
static struct xr_vote submitted;
static uint64_t submitted_entry;
static int nsubmitted;
static char said[512]; /* the newest report of members */

/*
 * ---- the world ----
 */
static uint64_t clock_ns(void *world)
{
	(void)world;
	return now_ns;
}

static bool receive(void *world, struct xr_datagram *d)
{
	bool any = arrives;

	(void)world;
	*d = in;
	arrives = false;
	return any;
}

static uint32_t gone(void *world)
{
	(void)world;
	return 0;
}

static void post(void *world, uint8_t to, const void *bytes, size_t size)
{
	(void)world, (void)to;
	assert_in_range(nout, 0, ARRAY_SIZE(out) - 1);
	out[nout].size = size;
	memcpy(out[nout++].bytes, bytes, size);
}

static int submit(void *world, const struct xr_vote *v, const struct xr_entry *entry)
{
	(void)world;
	submitted = *v;
	submitted_entry = entry ? entry->id : 0;
	nsubmitted++;
	return 0;
}

static size_t reap(void *world, struct xr_done *done, size_t max)
{
	(void)world, (void)max;
	if (!written)
		return 0;
	written = false;
	*done = (struct xr_done){.vote = submitted, .entry = submitted_entry};
	return 1;
}

static uint64_t none(void *world)
{
	(void)world;
	return 0;
}

static int disk_error(void *world, struct xr_why *why)
{
	(void)world, (void)why;
	return 0;
}

static void note_report(void *world, const struct xr_report *r)
{
	(void)world;
	if (r->kind == XR_REPORT_members)
		snprintf(said, sizeof(said), "%s", r->note);
}

static void nothing(void *world)
{
	(void)world;
}

static void at(void *world, uint64_t ns)
{
	(void)world, (void)ns;
}

static void end(void *world, int code)
{
	(void)world;
	fail_msg("ends with %d", code);
}

static void crash(void *world)
{
	end(world, -1);
}

static const struct xr_host host = {
	.now_ns = clock_ns,
	.receive = receive,
	.left = nothing,
	.gone = gone,
	.send = post,
	.flush = nothing,
	.submit = submit,
	.kick = nothing,
	.probe = nothing,
	.reap = reap,
	.oldest_ns = none,
	.disk_error = disk_error,
	.echoes = none,
	.show = at,
	.report = note_report,
	.arm = at,
	.rest = at,
	.end = end,
	.crash = crash,
};

/*
 * ---- the stage ----
 */
static struct xr_member *member(void)
{
	return &engine.members[0];
}

static struct xr_raft *raft(void)
{
	return &member()->raft;
}

static void hear(uint8_t from, struct xr_wire h, const void *bodies, int n, size_t size)
{
	uint64_t life = 0x7000u + from;

	now_ns += NS_PER_US; /* each is later than the one before */
	h.magic = XR_WIRE_MAGIC;
	h.version = XR_WIRE_VERSION;
	h.source = from;
	h.dest = 1;
	h.count = (uint16_t)n;
	h.min_timeout_us = D_US;
	h.sent_ns = now_ns;
	h.lives = life ^ (xr_type_introduces(h.type) ? 0 : control.life);
	in = (struct xr_datagram){
		.wire = h, .size = sizeof(h) + (size_t)n * size, .from.port = 7007};
	memcpy(in.bytes + sizeof(h), bodies, (size_t)n * size);
	memcpy(in.from.ip, engine.peers[from].ip, 16);
	in.wire.tag = xr_tag(&in.wire, in.bytes + in.size, in.size, &engine.keys[0].sip);
	arrives = true;
	nout = 0;
	xr_engine_receive(&engine);
}

/* What was asked is told: who it is, of `birth`. */
static void tell(uint8_t from, uint32_t birth)
{
	const struct xr_fact facts[] = {{XR_FACT_nonce, 0, engine.known[from].nonce},
					{XR_FACT_birth, 0, birth}};

	hear(from, (struct xr_wire){.type = XR_TELL}, facts, 2, sizeof(facts[0]));
}

static void start(const struct xr_entry *entry, uint32_t birth)
{
	struct xr_engine *e = &engine;

	xr_engine_free(e);
	memset(e, 0, sizeof(*e));
	memset(&g, 0, sizeof(g));
	memset(&acks, 0, sizeof(acks));
	memset(peers, 0, sizeof(peers));
	memset(&looks, 0, sizeof(looks));
	journal = (struct xr_journal){.vote = {.term = TERM, .digest = 77, .name = "g"},
				      .birth = birth};
	if (entry)
		journal.entry = *entry;
	g.view = (struct xr_view){.term = TERM, .mode = XR_NONE};
	control = (struct xr_control){.abi = XR_ABI,
				      .self = 1,
				      .answer = 1,
				      .min_timeout_us = D_US,
				      .heartbeat_us = D_US / 5,
				      .quorum_lapse_us = 2 * D_US};
	now_ns = 100 * NS_PER_S;
	arrives = written = false;
	nsubmitted = 0;
	said[0] = '\0';
	e->config = &config;
	e->host = &host;
	e->looks = &looks;
	for (uint8_t node = 1; node <= 5; node++)
		e->peers[node] = (struct xr_peer){
			.ip = {[15] = node}, .port = 7007, .used = node != 1, .priority = 100};
	e->keys[0].used = 1;
	assert_int_equal(xr_engine_init(e, &maps, &journal, 0, NULL), 0);
	nout = 0;
	xr_engine_timer(e);
	for (uint8_t node = 2; node <= 5; node++)
		if (node != 4) /* it is not there yet */
			tell(node, 0);
}

static int free_engine(void **state)
{
	(void)state;
	group.voters = ALL;
	xr_engine_free(&engine);
	memset(&engine, 0, sizeof(engine));
	return 0;
}

static void on_disk(void)
{
	nout = 0;
	written = true;
	xr_engine_durable(&engine);
}

static struct xr_entry entry_of(uint64_t id, uint32_t voters, uint32_t learners)
{
	return (struct xr_entry){
		.id = id, .voters = (uint16_t)voters, .learners = (uint16_t)learners};
}

static void append(uint8_t type, uint8_t from, uint32_t term, struct xr_entry e)
{
	struct xr_append a = {.record = {.term = term,
					 .digest = 77,
					 .entry = type == XR_HAND_ON ? XR_COMMITTED : 0},
			      .entry = e};

	hear(from, (struct xr_wire){.type = type}, &a,
	     (int)(sizeof(a.record) + xr_entry_size(&e)) / 8, 8);
}

static void record(uint8_t type, uint8_t from, uint16_t flags, uint32_t entry)
{
	struct xr_record rec = {.term = TERM, .digest = 77, .flags = flags, .entry = entry};

	hear(from, (struct xr_wire){.type = type, .echo_ns = type == XR_ACK ? now_ns : 0}, &rec, 1,
	     sizeof(rec));
}

static void ballot(uint8_t type, uint8_t from, struct xr_ballot b)
{
	b.digest = 77;
	hear(from, (struct xr_wire){.type = type}, &b, 1, sizeof(b));
}

/* Leads in its term, and the entry that it has, if any, is committed. Nodes 2 and 3 have acked it. */
static void lead(void)
{
	struct xr_raft *r = raft();

	r->role = XR_LEADER;
	r->leader = r->vote = 1;
	r->committed = r->entry;
	g.lead_since_ns = now_ns - NS_PER_S;
	g.view = (struct xr_view){.term = TERM, .leader = 1, .mode = XR_LEAD};
	member()->published.view = g.view;
	g.entry = r->entry ? (uint32_t)r->entry | XR_COMMITTED : 0;
	acks.echo_ns[2] = acks.echo_ns[3] = now_ns;
}

/* As leader of three, with entry 4.1; node 4 has told that it was started to join. */
static void lead_and_meet(void)
{
	struct xr_entry e = entry_of(ID(TERM, 1), ALL, 0);

	start(&e, 0);
	lead();
	tell(4, BIRTH_4);
	assert_true(engine.known[4].introduced);
}

static struct xr_order_result order(enum xr_order_kind kind, uint8_t node)
{
	struct xr_order o = {.kind = kind, .group = "g", .node = node};
	struct xr_order_result r;

	nout = 0;
	xr_engine_order(&engine, &o, &r);
	return r;
}

static void assert_refused(struct xr_order_result r, int err, const char *sentence)
{
	assert_int_equal(r.err, err);
	if (!strstr(r.why.text, sentence))
		fail_msg("\"%s\", not \"%s\"", r.why.text, sentence);
}

/* How many left of this type, for this node, or for all where it is 0. */
static int count(uint8_t type, uint8_t to)
{
	int n = 0;

	for (int i = 0; i < nout; i++)
		n += out[i].wire.type == type && (!to || out[i].wire.dest == to);
	return n;
}

static const void *body(uint8_t type, uint8_t to)
{
	for (int i = nout - 1; i >= 0; i--)
		if (out[i].wire.type == type && (!to || out[i].wire.dest == to))
			return &out[i].wire + 1;
	fail_msg("nothing of type %u for node %u", type, to);
	return NULL;
}

/* Whatever is under way is on disk, and acked by these. */
static void commit(uint8_t a, uint8_t b)
{
	uint64_t id = raft()->entry_next;

	assert_int_not_equal(id, 0);
	on_disk();
	record(XR_ACK, a, XR_ACKED, (uint32_t)id);
	record(XR_ACK, b, XR_ACKED, (uint32_t)id);
	assert_int_equal(raft()->committed, id);
}

/*
 * ---- orders: rules 26 and 27 ----
 */

static void added_promoted_and_removed(void **state)
{
	const struct xr_append *a;

	(void)state;
	lead_and_meet();
	assert_int_equal(order(XR_ORDER_ADD, 4).entry, ID(TERM, 2));
	assert_int_equal(count(XR_APPEND, 0), 3);
	a = body(XR_APPEND, 4);
	assert_int_equal(a->entry.voters, ALL);
	assert_int_equal(a->entry.learners, BIT(4));
	assert_int_equal(a->entry.birth[4], BIRTH_4);
	assert_int_equal(g.members, ALL); /* until it is durable */
	on_disk();
	assert_int_equal(g.members, ALL | LEARNER(4));
	assert_string_equal(said, "voters 1 2 3; learner 4");
	record(XR_ACK, 2, XR_ACKED, 2);
	assert_int_equal(raft()->committed, ID(TERM, 2));
	assert_int_equal(count(XR_HEARTBEAT, 4), 1); /* a learner follows, too */
	record(XR_ACK, 4, XR_ACKED, 2);
	assert_int_equal(order(XR_ORDER_PROMOTE, 4).err, 0);
	on_disk();
	assert_int_equal(g.members, ALL | BIT(4));
	record(XR_ACK, 2, XR_ACKED, 3);
	assert_int_equal(raft()->committed, ID(TERM, 2)); /* two of four */
	record(XR_ACK, 4, XR_ACKED, 3);
	assert_int_equal(raft()->committed, ID(TERM, 3));
	assert_int_equal(order(XR_ORDER_REMOVE, 4).err, 0);
	assert_int_equal(member()->bodies->next.birth[4], 0);
	commit(2, 3);
	assert_int_equal(g.members, ALL);
	assert_string_equal(said, "voters 1 2 3");
}

/* Rule 26: there is nothing of this leader's own term before it. */
static void first_entry_comes_before_the_first_change(void **state)
{
	struct xr_order_result r;

	(void)state;
	start(NULL, 0);
	lead();
	tell(4, BIRTH_4);
	r = order(XR_ORDER_ADD, 4);
	assert_refused(r, -EBUSY, "the first entry of g is under way");
	assert_int_equal(r.entry, ID(TERM, 1));
	assert_int_equal(member()->bodies->next.voters, ALL);
	assert_int_equal(member()->bodies->next.learners, 0);
	assert_refused(order(XR_ORDER_ADD, 4), -EBUSY, "g has an entry under way");
	commit(2, 3);
	assert_string_equal(said, ""); /* as configured */
	assert_int_equal(order(XR_ORDER_ADD, 4).entry, ID(TERM, 2));
}

static void a_value_and_members_stay_with_each_other(void **state)
{
	struct xr_order set = {.kind = XR_ORDER_SET, .group = "g", .size = 2, .value = "hi"};
	struct xr_order_result r;

	(void)state;
	lead_and_meet();
	order(XR_ORDER_ADD, 4);
	commit(2, 3);
	xr_engine_order(&engine, &set, &r);
	assert_int_equal(r.err, 0);
	commit(2, 3);
	assert_int_equal(member()->bodies->now.learners, BIT(4));
	assert_int_equal(member()->bodies->now.birth[4], BIRTH_4);
	order(XR_ORDER_REMOVE, 4);
	commit(2, 3);
	assert_int_equal(g.members, ALL);
	assert_memory_equal(member()->bodies->now.value, "hi", 2);
	assert_int_equal(member()->bodies->now.size, 2);
}

static void refused_to_add(void **state)
{
	(void)state;
	lead_and_meet();
	assert_refused(order(XR_ORDER_ADD, 0), -EINVAL, "there are nodes 1 to 9");
	assert_refused(order(XR_ORDER_ADD, 10), -EINVAL, "there are nodes 1 to 9");
	assert_refused(order(XR_ORDER_ADD, 6), -ENOENT, "node 6 is not in [nodes] here");
	assert_refused(order(XR_ORDER_ADD, 2), -EEXIST, "node 2 is a voter of g already");
	assert_refused(order(XR_ORDER_ADD, 1), -EEXIST, "node 1 is a voter of g already");
	assert_refused(order(XR_ORDER_ADD, 5), -EAGAIN, "node 5 was not started to join");
	engine.known[4].introduced = false;
	assert_refused(order(XR_ORDER_ADD, 4), -EAGAIN, "node 4 does not answer");
	assert_int_equal(nsubmitted, 0);
	engine.known[4].introduced = true;
	order(XR_ORDER_ADD, 4);
	commit(2, 3);
	assert_refused(order(XR_ORDER_ADD, 4), -EEXIST, "node 4 is a learner of g already");
	engine.known[4].facts[XR_FACT_birth - XR_FACT_SELF].value++;
	engine.known[4].introduced = false; /* by an earlier life: it has still to tell */
	assert_refused(order(XR_ORDER_ADD, 4), -EEXIST,
		       "node 4 is a learner of g already, and does not answer: remove it first");
	engine.known[4].introduced = true;
	assert_refused(
		order(XR_ORDER_ADD, 4), -EEXIST,
		"node 4 is a learner of g by an older state, which it has no longer: remove");
}

/* Who waits for a newcomer asks it, instead of waiting for the next question. */
static void who_has_not_answered_is_asked(void **state)
{
	struct xr_entry e = entry_of(ID(TERM, 1), ALL, 0);

	(void)state;
	start(&e, 0);
	lead();
	now_ns += NS_PER_S;
	acks.echo_ns[2] = now_ns;
	engine.known[4].nonce = 0;
	assert_refused(order(XR_ORDER_ADD, 4), -EAGAIN, "node 4 does not answer");
	assert_int_equal(count(XR_ASK, 4), 1);
	assert_refused(order(XR_ORDER_ADD, 4), -EAGAIN, "node 4 does not answer");
	assert_int_equal(count(XR_ASK, 4), 0); /* just now */
	tell(4, BIRTH_4);
	assert_int_equal(order(XR_ORDER_ADD, 4).err, 0);
}

static void refused_to_promote(void **state)
{
	(void)state;
	lead_and_meet();
	assert_refused(order(XR_ORDER_PROMOTE, 2), -EEXIST, "node 2 is a voter of g already");
	assert_refused(order(XR_ORDER_PROMOTE, 4), -ENOENT,
		       "node 4 is no learner of g: add it first");
	order(XR_ORDER_ADD, 4);
	commit(2, 3);
	assert_refused(order(XR_ORDER_PROMOTE, 4), -EAGAIN, "node 4 does not follow yet");
	record(XR_ACK, 4, XR_ACKED, 2);
	engine.known[4].facts[XR_FACT_birth - XR_FACT_SELF].value++;
	assert_refused(order(XR_ORDER_PROMOTE, 4), -EEXIST,
		       "which it has no longer: remove it, and");
	engine.known[4].facts[XR_FACT_birth - XR_FACT_SELF].value--;
	now_ns += 2 * D_NS; /* and then it fell silent */
	acks.echo_ns[2] = acks.echo_ns[3] = now_ns;
	assert_refused(order(XR_ORDER_PROMOTE, 4), -EAGAIN, "node 4 does not follow yet");
	acks.echo_ns[4] = now_ns;
	acks.echo_ns[2] = acks.echo_ns[3] = 0;
	assert_refused(order(XR_ORDER_PROMOTE, 4), -EHOSTDOWN,
		       "2 of the 4 voters that there would be answer, and a majority has to: start "
		       "node 2, 3, or remove");
	engine.deaf = BIT(3); /* answers by its card alone */
	acks.echo_ns[3] = now_ns;
	assert_refused(order(XR_ORDER_PROMOTE, 4), -EHOSTDOWN, "start node 2, 3, or remove");
	engine.deaf = 0;
	assert_int_equal(order(XR_ORDER_PROMOTE, 4).err, 0);
}

static void refused_to_remove(void **state)
{
	struct xr_entry alone = entry_of(ID(TERM, 1), BIT(1), BIT(2));

	(void)state;
	lead_and_meet();
	assert_refused(order(XR_ORDER_REMOVE, 4), -ENOENT, "node 4 is no member of g");
	acks.echo_ns[3] = 0;
	assert_refused(order(XR_ORDER_REMOVE, 2), -EHOSTDOWN,
		       "1 of the 2 voters that there would be");
	assert_refused(order(XR_ORDER_REMOVE, 1), -EHOSTDOWN, "start node 3, or remove");
	assert_int_equal(nsubmitted, 0);
	assert_int_equal(order(XR_ORDER_REMOVE, 3).err, 0); /* the dead one */
	assert_int_equal(count(XR_APPEND, 3), 0);
	start(&alone, 0);
	lead();
	assert_refused(order(XR_ORDER_REMOVE, 1), -EINVAL, "node 1 is the only voter of g");
	assert_int_equal(order(XR_ORDER_REMOVE, 2).err, 0);
}

static void others_than_the_leader_change_nothing(void **state)
{
	struct xr_entry e = entry_of(ID(TERM, 1), ALL, 0);

	(void)state;
	start(&e, 0);
	assert_refused(order(XR_ORDER_ADD, 4), -EPERM,
		       "changes the members of g, and this node knows of none");
	lead();
	raft()->entry = raft()->committed = ID(TERM - 1, 1); /* of the leader before */
	assert_refused(order(XR_ORDER_REMOVE, 2), -EBUSY, "g has an entry under way");
	assert_int_equal(nsubmitted, 0);
}

/*
 * ---- rule 25: to whom it goes ----
 */

static void removing_entry_is_not_sent_to_whom_it_removes(void **state)
{
	(void)state;
	lead_and_meet();
	assert_int_equal(order(XR_ORDER_REMOVE, 3).err, 0);
	assert_int_equal(count(XR_APPEND, 2), 1);
	assert_int_equal(count(XR_APPEND, 3), 0);
	record(XR_ACK, 3, XR_ACKED, 1); /* with what it has: it still acks heartbeats */
	assert_int_equal(nout, 0);
	on_disk();
	record(XR_ACK, 3, XR_ACKED, 1); /* not committed: nor is it handed on */
	assert_int_equal(nout, 0);
	record(XR_ACK, 2, XR_ACKED, 2);
	assert_int_equal(raft()->committed, ID(TERM, 2));
	assert_int_equal(count(XR_HEARTBEAT, 2), 1);
	assert_int_equal(count(XR_HEARTBEAT, 3), 0);
	record(XR_ACK, 3, XR_ACKED, 1);
	assert_int_equal(count(XR_HEARTBEAT, 3), 0);
	assert_int_equal(count(XR_HAND_ON, 3), 1);
	assert_int_equal(((const struct xr_append *)body(XR_HAND_ON, 3))->entry.id, ID(TERM, 2));
}

/* A HAND_ON brings what is committed, also while another is under way. */
static void handed_on_is_what_is_durable(void **state)
{
	(void)state;
	lead_and_meet();
	order(XR_ORDER_ADD, 4);
	assert_int_equal(raft()->entry_next, ID(TERM, 2));
	ballot(XR_PREVOTE, 5, (struct xr_ballot){.term = TERM + 1});
	assert_int_equal(((const struct xr_append *)body(XR_HAND_ON, 5))->entry.id, ID(TERM, 1));
	assert_int_equal(((const struct xr_append *)body(XR_HAND_ON, 5))->entry.voters, ALL);
}

/* What somebody hands to a leader does not commit what that makes itself. */
static void what_a_leader_makes_is_not_handed(void **state)
{
	(void)state;
	lead_and_meet();
	append(XR_HAND_ON, 3, TERM, entry_of(ID(TERM - 1, 9), ALL, 0));
	order(XR_ORDER_ADD, 4);
	on_disk();
	assert_int_equal(raft()->entry, ID(TERM, 2));
	assert_int_equal(raft()->committed, ID(TERM, 1));
}

static void removed_itself_and_resigns(void **state)
{
	const struct xr_ballot *b;

	(void)state;
	lead_and_meet();
	assert_int_equal(order(XR_ORDER_REMOVE, 1).err, 0);
	on_disk();
	assert_non_null(strstr(said, "this node is none of them, and stays quiet"));
	assert_int_equal(g.members, BIT(2) | BIT(3));
	assert_int_equal(g.view.mode, XR_LEAD);
	record(XR_ACK, 2, XR_ACKED, 2);
	assert_int_equal(g.view.mode, XR_LEAD);
	record(XR_ACK, 3, XR_ACKED, 2);
	assert_int_equal(g.view.mode, XR_NONE);
	b = body(XR_RESIGN, 2);
	assert_in_range(b->node, 2, 3);
	assert_int_equal(count(XR_RESIGN, 3), 1);
}

/* A learner hears of a resignation as voters do: it follows the heir the sooner. */
static void learners_hear_resignations(void **state)
{
	struct xr_order o = {.kind = XR_ORDER_STEP_DOWN, .group = "g"};
	struct xr_entry e = entry_of(ID(TERM, 1), ALL, BIT(4));
	struct xr_order_result r;

	(void)state;
	start(&e, 0);
	lead();
	tell(4, BIRTH_4);
	acks.echo_ns[2] = acks.echo_ns[3] = now_ns - D_NS;
	acks.echo_ns[4] = now_ns; /* the newest, and no heir */
	nout = 0;
	xr_engine_order(&engine, &o, &r);
	assert_int_equal(count(XR_RESIGN, 4), 1);
	assert_in_range(((const struct xr_ballot *)body(XR_RESIGN, 4))->node, 2, 3);
	o.heir = 4;
	lead();
	raft()->resigned = false;
	xr_engine_order(&engine, &o, &r);
	assert_refused(r, -EINVAL, "node 4 is no voter of g");
}

/*
 * ---- rule 27: births ----
 */

/* It asks for prevotes, as a voter whose leader is silent. */
static void time_out(void)
{
	now_ns += 3 * D_NS;
	engine.armed_ns = engine.turned_ns = now_ns;
	nout = 0;
	xr_engine_timer(&engine);
}

static struct xr_ballot answer(uint8_t asked, uint32_t term, uint32_t birth, bool granted)
{
	const struct xr_ballot *b = body(asked, 2);

	return (struct xr_ballot){
		.term = term, .round = b->round, .birth = birth, .flags = granted ? XR_GRANTED : 0};
}

static void votes_of_another_birth_are_dropped(void **state)
{
	struct xr_entry e = entry_of(ID(TERM, 1), ALL, 0);
	struct xr_ballot yes;

	(void)state;
	e.birth[2] = BIRTH_4;
	start(&e, 0);
	time_out();
	yes = answer(XR_PREVOTE, TERM + 1, 0, true);
	ballot(XR_PREVOTE_ANSWER, 2, yes); /* a life that had the id before */
	assert_int_equal(engine.stats.drop_birth, 1);
	assert_int_equal(nsubmitted, 0);
	yes.birth = BIRTH_4;
	ballot(XR_PREVOTE_ANSWER, 2, yes);
	assert_int_equal(nsubmitted, 1);
	assert_int_equal(((const struct xr_ballot *)body(XR_VOTE, 2))->birth, 0);
	yes = answer(XR_VOTE, TERM + 1, 7, true);
	on_disk();
	ballot(XR_VOTE_ANSWER, 2, yes);
	assert_int_equal(engine.stats.drop_birth, 2);
	assert_int_equal(acks.term[2], 0);
	assert_int_equal(raft()->role, XR_CANDIDATE);
	yes.birth = BIRTH_4;
	ballot(XR_VOTE_ANSWER, 2, yes);
	assert_int_equal(raft()->role, XR_LEADER);
	assert_int_equal(acks.term[2], TERM + 1);
}

/* What they refuse with is a term, and terms are of no birth. */
static void refusals_and_requests_are_of_any_birth(void **state)
{
	struct xr_entry e = entry_of(ID(TERM, 1), ALL, 0);
	struct xr_ballot no;

	(void)state;
	start(&e, 0);
	time_out();
	no = answer(XR_PREVOTE, TERM + 3, BIRTH_4, false);
	ballot(XR_PREVOTE_ANSWER, 2, no);
	assert_int_equal(engine.stats.drop_birth, 0);
	assert_int_equal(submitted.term, TERM + 3);
	on_disk();
	ballot(XR_VOTE, 3,
	       (struct xr_ballot){.term = TERM + 4, .entry = ID(TERM, 1), .birth = BIRTH_4});
	assert_int_equal(submitted.vote, 3);
	on_disk();
	assert_int_equal(((const struct xr_ballot *)body(XR_VOTE_ANSWER, 3))->flags, XR_GRANTED);
	assert_int_equal(engine.stats.drop_birth, 0);
}

static void ballots_carry_the_birth(void **state)
{
	struct xr_entry e = entry_of(ID(TERM, 1), ALL, 0);

	(void)state;
	e.birth[1] = BIRTH_1;
	start(&e, BIRTH_1);
	assert_int_equal(g.members, ALL);
	time_out();
	assert_int_equal(((const struct xr_ballot *)body(XR_PREVOTE, 2))->birth, BIRTH_1);
	ballot(XR_VOTE, 3, (struct xr_ballot){.term = TERM + 1, .entry = ID(TERM, 1)});
	on_disk();
	assert_int_equal(((const struct xr_ballot *)body(XR_VOTE_ANSWER, 3))->birth, BIRTH_1);
}

/* By the configuration, or by an entry: its own bits only by its own birth. */
static void reborn_is_no_member(void **state)
{
	struct xr_entry e = entry_of(ID(TERM, 1), ALL, 0);

	(void)state;
	start(NULL, BIRTH_1);
	assert_int_equal(g.members, ALL & ~BIT(1));
	assert_true(raft()->reborn);
	start(&e, BIRTH_1);
	assert_int_equal(g.members, ALL & ~BIT(1));
	e.learners = BIT(1);
	e.voters = ALL & ~BIT(1);
	start(&e, BIRTH_1);
	assert_int_equal(g.members, ALL & ~BIT(1));
	e.birth[1] = BIRTH_1;
	start(&e, BIRTH_1);
	assert_int_equal(g.members, (ALL & ~BIT(1)) | LEARNER(1));
	start(&e, 0); /* an older disk that was put back */
	assert_int_equal(g.members, ALL & ~BIT(1));
	start(NULL, 0);
	assert_int_equal(g.members, ALL);
}

/* Where others are the first voters it takes part if it may be named, or is. */
static void others_group_is_joined(void **state)
{
	struct xr_entry e = entry_of(ID(TERM, 1), ALL, 0);

	(void)state;
	group.voters = ALL & ~BIT(1);
	start(NULL, 0);
	assert_int_equal(g.members, 0);
	start(NULL, BIRTH_1);
	assert_int_equal(g.members, ALL & ~BIT(1));
	start(&e, 0);
	assert_int_equal(g.members, ALL);
}

/* It follows, promises nothing, gets the entry that names it, and is one. */
static void newcomer_lacks_the_entry_and_gets_it(void **state)
{
	struct xr_entry e = entry_of(ID(TERM, 2), ALL & ~BIT(1), BIT(1));
	const struct xr_record *rec;

	(void)state;
	e.birth[1] = BIRTH_1;
	start(NULL, BIRTH_1);
	record(XR_HEARTBEAT, 2, 0, XR_COMMITTED | 2);
	rec = body(XR_ACK, 2);
	assert_int_equal(rec->flags, XR_LACKING);
	assert_int_equal(rec->term, TERM);
	assert_int_equal(rec->entry, 0);
	assert_int_equal(g.contact_ns, 0); /* it has not been stamped */
	append(XR_APPEND, 2, TERM, e);
	assert_int_equal(submitted_entry, ID(TERM, 2));
	assert_int_equal(count(XR_ACK, 2), 0);
	on_disk();
	assert_int_equal(g.members, (ALL & ~BIT(1)) | LEARNER(1));
	rec = body(XR_ACK, 2);
	assert_int_equal(rec->flags, XR_ACKED);
	assert_int_equal(rec->entry, 2);
	assert_string_equal(said, "voters 2 3; learner 1");
	record(XR_HEARTBEAT, 2, 0, XR_COMMITTED | 2);
	assert_int_equal(((const struct xr_record *)body(XR_ACK, 2))->flags, XR_ACKED);
	assert_int_equal(raft()->committed, ID(TERM, 2));
}

/* What it has, and is no member by, it names: so that it does not get that again and again. */
static void who_is_no_member_names_what_it_has(void **state)
{
	struct xr_entry e = entry_of(ID(TERM, 2), ALL, 0);
	const struct xr_record *rec;

	(void)state;
	start(NULL, BIRTH_1);
	record(XR_HEARTBEAT, 2, 0, 2);
	append(XR_APPEND, 2, TERM, e); /* of birth 0 */
	on_disk();
	assert_int_equal(g.members, ALL & ~BIT(1));
	rec = body(XR_ACK, 2);
	assert_int_equal(rec->flags, XR_LACKING);
	assert_int_equal(rec->entry, 2);
}

static void who_lacks_it_gets_it_once(void **state)
{
	(void)state;
	lead_and_meet();
	order(XR_ORDER_ADD, 4);
	commit(2, 3);
	acks.echo_ns[4] = 0;
	record(XR_ACK, 4, XR_LACKING, 0);
	assert_int_equal(count(XR_APPEND, 4), 1);
	assert_int_equal(acks.echo_ns[4], 0);
	assert_int_equal(raft()->acked & BIT(4), 0);
	record(XR_ACK, 4, XR_LACKING, 2); /* it has that, by another birth */
	assert_int_equal(nout, 0);
	record(XR_ACK, 5, XR_LACKING, 0); /* whom it does not name */
	assert_int_equal(count(XR_APPEND, 0), 0);
}

/* Rule 18: what an earlier birth has promised, this one has not. */
static void acks_are_forgotten_with_the_birth(void **state)
{
	struct xr_entry e = entry_of(ID(TERM, 1), ALL, 0);

	(void)state;
	start(&e, 0);
	lead();
	acks.term[4] = 3; /* as it was before it was wiped */
	acks.echo_ns[4] = now_ns;
	acks.term[2] = acks.term[3] = TERM;
	tell(4, BIRTH_4);
	assert_int_equal(order(XR_ORDER_ADD, 4).err, 0);
	assert_int_equal(acks.term[4], 3);
	on_disk();
	assert_int_equal(acks.term[4], 0);
	assert_int_equal(acks.echo_ns[4], 0);
	assert_int_equal(acks.term[2], TERM); /* whose birth stays */
	assert_int_not_equal(acks.echo_ns[3], 0);
}

static bool is_told_of_terms(uint8_t from, uint32_t birth)
{
	const struct xr_fact asked[] = {{XR_FACT_nonce, 0, 9}, {XR_FACT_birth, 0, birth}};
	const struct xr_fact *fact;
	bool told = false;

	hear(from, (struct xr_wire){.type = XR_ASK}, asked, 2, sizeof(asked[0]));
	assert_int_equal(count(XR_TELL, from), 1);
	fact = body(XR_TELL, from);
	for (int i = 0; i < ((const struct xr_wire *)fact)[-1].count; i++)
		told |= fact[i].what == XR_FACT_term;
	return told;
}

static void facts_are_told_to_the_birth_that_they_are_of(void **state)
{
	struct xr_entry e = entry_of(ID(TERM, 1), ALL, 0);

	(void)state;
	e.birth[3] = BIRTH_4;
	start(&e, 0);
	acks.term[2] = acks.term[3] = TERM;
	assert_true(is_told_of_terms(2, 0));
	assert_false(is_told_of_terms(2, BIRTH_4));
	assert_true(is_told_of_terms(3, BIRTH_4));
	assert_false(is_told_of_terms(3, 0));
}

static void tells_its_own_birth(void **state)
{
	const struct xr_fact asked = {XR_FACT_nonce, 0, 9}, *fact;
	uint64_t birth = 0;

	(void)state;
	start(NULL, BIRTH_1);
	hear(2, (struct xr_wire){.type = XR_ASK}, &asked, 1, sizeof(asked));
	fact = body(XR_TELL, 2);
	for (int i = 0; i < ((const struct xr_wire *)fact)[-1].count; i++)
		if (fact[i].what == XR_FACT_birth)
			birth = fact[i].value;
	assert_int_equal(birth, BIRTH_1);
}

/*
 * ---- rule 24: handed on ----
 */

/* Removed while it was away, it asks, is told, and stays quiet. */
static void removed_node_learns_of_it(void **state)
{
	struct xr_entry e = entry_of(ID(TERM, 1), ALL, 0);

	(void)state;
	start(&e, 0);
	time_out();
	assert_int_equal(count(XR_PREVOTE, 2), 1);
	append(XR_HAND_ON, 3, TERM, entry_of(ID(TERM, 2), ALL & ~BIT(1), 0));
	assert_int_equal(submitted_entry, ID(TERM, 2));
	on_disk();
	assert_int_equal(nout, 0); /* it acks nothing */
	assert_int_equal(raft()->committed, ID(TERM, 2));
	assert_int_equal(g.members, ALL & ~BIT(1));
	assert_non_null(strstr(said, "this node is none of them"));
	assert_refused(order(XR_ORDER_ADD, 4), -EPERM, "this node is none of its members: ask one");
	time_out();
	assert_int_equal(count(XR_PREVOTE, 0), 0);
}

/* What no group can be is dropped, whoever says so. */
static void entries_of_nobody_are_dropped(void **state)
{
	static const struct {
		uint32_t voters, learners;
	} odd[] = {{0, BIT(2)}, {ALL, BIT(3)}, {ALL | 1, 0}, {ALL, BIT(10)}};

	(void)state;
	start(NULL, 0);
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		append(XR_HAND_ON, 3, TERM, entry_of(ID(TERM, 2), odd[i].voters, odd[i].learners));
		assert_int_equal(nsubmitted, 0);
		assert_int_equal(engine.stats.drop_group, i + 1);
	}
	append(XR_HAND_ON, 3, TERM, entry_of(ID(TERM, 2), ALL | BIT(9), 0));
	assert_int_equal(nsubmitted, 1);
}

#define T(name) cmocka_unit_test_teardown(name, free_engine)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(added_promoted_and_removed),
		T(first_entry_comes_before_the_first_change),
		T(a_value_and_members_stay_with_each_other),
		T(refused_to_add),
		T(who_has_not_answered_is_asked),
		T(refused_to_promote),
		T(refused_to_remove),
		T(others_than_the_leader_change_nothing),
		T(removing_entry_is_not_sent_to_whom_it_removes),
		T(handed_on_is_what_is_durable),
		T(what_a_leader_makes_is_not_handed),
		T(removed_itself_and_resigns),
		T(learners_hear_resignations),
		T(votes_of_another_birth_are_dropped),
		T(refusals_and_requests_are_of_any_birth),
		T(ballots_carry_the_birth),
		T(reborn_is_no_member),
		T(others_group_is_joined),
		T(newcomer_lacks_the_entry_and_gets_it),
		T(who_is_no_member_names_what_it_has),
		T(who_lacks_it_gets_it_once),
		T(acks_are_forgotten_with_the_birth),
		T(facts_are_told_to_the_birth_that_they_are_of),
		T(tells_its_own_birth),
		T(removed_node_learns_of_it),
		T(entries_of_nobody_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
