// SPDX-License-Identifier: GPL-2.0-only
/*
 * The engine between a scripted network, a scripted disk and a clock that stands: what it does in
 * rule 3's order, with the rules and the core as they are. No line of it may be left out or turned
 * round unseen (sim/bugs.h).
 */
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>
#include "engine/ballot.h"
#include "engine/engine.h"
#include "unit/fake_disk.h"

#define D_US		 100000u
#define D_NS		 (D_US * NS_PER_US)
#define STALL_NS	 (10 * D_NS)
#define PROMISE_UNTIL_NS 17 /* long ago */

/*
 * Groups by id: two in term 4; one of other nodes; one whose id has state under another name; one
 * that has state but is not configured, and one with neither, which both come by reload.
 */
enum { G, H, OTHERS, RENAMED, AWAY, NEW, GROUPS };
static struct xr_config_group all[GROUPS] = {
	{.id = G, .voters = 0xe, .digest = 77, .name = "g"},
	{.id = H, .voters = 0xe, .digest = 78, .name = "h"},
	{.id = OTHERS, .voters = 0xc, .digest = 79, .name = "others"},
	{.id = RENAMED, .voters = 0xe, .digest = 80, .name = "renamed"},
	{.id = AWAY, .voters = 0xe, .digest = 81, .name = "away"},
	{.id = NEW, .voters = 0xe, .digest = 82, .name = "new"},
};

static struct fake_disk *disk;
static struct xr_journal *journal;
static struct xr_engine engine;
static struct xr_looks looks;
static struct xr_group groups[GROUPS];
static struct xr_acks acks[GROUPS];
static struct xr_peer peers[XR_NODE_MAX + 1];
static struct xr_control control;
static struct {
	struct xr_value v;
	char value[16];
} values[GROUPS];
static struct xr_config config = {
	.self = 1,
	.cluster = "t",
	.stall_limit_us = 10 * D_US,
	.min_timeout_us = D_US,
	.max_timeout_us = 2 * D_US,
	.heartbeat_us = D_US / 5,
	.groups = all,
	.ngroups = AWAY,
};

/* What the fakes below recorded. */
static struct {
	struct xr_vote votes[8];
	const struct xr_entry *entries[8]; /* that came with each; NULL: none */
	int nvotes;
	struct {
		uint8_t type, to;
		int bodies;
		uint64_t echo_ns;
	} sent[64];
	int nsent;
	struct xr_record record; /* the last one */
	struct xr_ballot ballot;
	struct xr_append append;
	char said[512];
	char wrong[512];      /* the last of rule 20, */
	int nwrong, nwell;    /* and how many */
	int asked;	      /* how many were, by pass() */
	char calls[64];	      /* in order: submit, kick, probe, end, crash, say */
	uint64_t deadline_ns; /* when it last said something */
	uint64_t armed_ns;
	uint8_t heir;  /* of the last resignation */
	uint64_t told; /* the entry that is committed */
	bool exited, led_since_ever, stalled;
	enum xr_cause cause; /* of the last report that has one */
	uint64_t cause_ns;
} seen;

/* What they are to do. */
static struct {
	uint64_t echoes, oldest_ns;
	int submit_err, disk_err, write_err;
	uint32_t gone;
	bool left;    /* there is something in xr_events */
	int stamp_at; /* that reading of the clock after the last datagram a contact is stamped */
	bool flood;   /* the last datagram that is queued comes again and again, each 10 us */
} todo;

static uint64_t now_ns = 100 * NS_PER_S;
static struct xr_datagram incoming[32];
static int nincoming, next_incoming;
static bool disk_done;
static uint8_t source = 2; /* of what arrives */

/*
 * ---- the world ----
 */
static void call(char what)
{
	seen.calls[strlen(seen.calls)] = what;
}

static uint64_t clock_ns(void *world)
{
	(void)world;
	if (todo.stamp_at && next_incoming == nincoming && !--todo.stamp_at)
		groups[G].contact_ns = now_ns;
	if (groups[G].view.mode == XR_LEAD && !groups[G].lead_since_ns)
		seen.led_since_ever = true;
	return now_ns;
}

static bool next_datagram(void *world, struct xr_datagram *d)
{
	(void)world;
	if (todo.flood) {
		now_ns += 10 * NS_PER_US;
		*d = incoming[nincoming - 1];
		return true;
	}
	if (next_incoming == nincoming)
		return false;
	*d = incoming[next_incoming++];
	return true;
}

static void left(void *world)
{
	struct xr_event_rec rec = {
		.type = XR_HEARTBEAT,
		.source = 2,
		.min_timeout_us = D_US,
		.record = {.group = G, .term = 5, .digest = 77},
	};

	(void)world;
	if (todo.left)
		xr_engine_left(&engine, &rec);
	todo.left = false;
}

static void nothing(void *world)
{
	(void)world;
}

static uint32_t gone(void *world)
{
	uint32_t nodes = todo.gone;

	(void)world;
	todo.gone = 0;
	return nodes;
}

static uint64_t life_of(uint8_t node)
{
	return 0x7000 + node;
}

/* Rules 10 and 17, of all that leaves. */
static void note_sent(void *world, uint8_t to, const void *bytes, size_t size)
{
	const struct xr_wire *h = bytes;
	const struct xr_key *key = &engine.keys[engine.outbox.key_slot];
	const void *body = h + 1;

	(void)world;
	assert_int_equal(h->dest, to);
	assert_int_equal(h->key_id, key->id);
	assert_int_equal(h->tag, xr_tag(h, (const char *)bytes + size, size, &key->sip));
	assert_int_equal(h->min_timeout_us, D_US);
	if (xr_type_body(h->type) == XR_BODY_RECORD)
		assert_int_equal(h->sent_ns, now_ns);
	else /* rule 17: later than the one before, also by a clock that stands */
		assert_in_range(h->sent_ns, now_ns, now_ns + 100);
	assert_int_equal(h->lives,
			 xr_type_introduces(h->type) ? control.life : control.life ^ life_of(to));
	assert_in_range(seen.nsent, 0, ARRAY_SIZE(seen.sent) - 1);
	seen.sent[seen.nsent].type = h->type;
	seen.sent[seen.nsent].to = to;
	seen.sent[seen.nsent].bodies = h->count ? h->count : 1;
	seen.sent[seen.nsent++].echo_ns = h->echo_ns;
	if (xr_type_body(h->type) == XR_BODY_RECORD)
		seen.record = ((const struct xr_record *)body)[h->count - 1];
	if (xr_type_body(h->type) == XR_BODY_BALLOT)
		seen.ballot = ((const struct xr_ballot *)body)[h->count - 1];
	if (h->type == XR_APPEND) {
		seen.sent[seen.nsent - 1].bodies = 1;
		assert_int_equal(h->count * 8, sizeof(struct xr_record) + xr_entry_size(body + 16));
		memcpy(&seen.append, body, h->count * 8u);
	}
	if (h->type == XR_RESIGN)
		seen.heir = seen.ballot.node;
}

static int note_vote(void *world, const struct xr_vote *v, const struct xr_entry *entry)
{
	(void)world;
	call('s');
	seen.entries[seen.nvotes] = entry;
	seen.votes[seen.nvotes++] = *v;
	return todo.submit_err;
}

static void kick(void *world)
{
	(void)world;
	call('k');
}

static void probe(void *world)
{
	(void)world;
	call('p');
}

static size_t reap(void *world, struct xr_done *done, size_t max)
{
	(void)world, (void)max;
	if (!disk_done || !seen.nvotes)
		return 0;
	disk_done = false;
	*done = (struct xr_done){
		.vote = seen.votes[seen.nvotes - 1],
		.entry = seen.entries[seen.nvotes - 1] ? seen.entries[seen.nvotes - 1]->id : 0,
		.err = todo.write_err};
	return 1;
}

static uint64_t oldest(void *world)
{
	(void)world;
	return todo.oldest_ns;
}

static uint64_t echoes(void *world)
{
	(void)world;
	return todo.echoes;
}

static int disk_error(void *world, struct xr_why *why)
{
	(void)world;
	return todo.disk_err ? xr_fail(why, todo.disk_err, "broken") : 0;
}

static void at(void *world, uint64_t at_ns)
{
	(void)world, (void)at_ns;
}

static void arm(void *world, uint64_t at_ns)
{
	(void)world;
	seen.armed_ns = at_ns;
}

static void note_report(void *world, const struct xr_report *r)
{
	(void)world;
	seen.nwrong += r->kind == XR_REPORT_wrong;
	seen.nwell += r->kind == XR_REPORT_well;
	if (r->kind == XR_REPORT_wrong)
		snprintf(seen.wrong, sizeof(seen.wrong), "%s", r->note);
	if (r->kind == XR_REPORT_stalled)
		seen.stalled = true;
	if (r->kind == XR_REPORT_committed)
		seen.told = r->entry;
	if (r->cause) {
		seen.cause = r->cause;
		seen.cause_ns = r->cause_ns;
	}
	if (!r->note[0])
		return;
	snprintf(seen.said, sizeof(seen.said), "%s", r->note);
	seen.deadline_ns = control.alive_until_ns;
}

static void end(void *world, int code)
{
	(void)world;
	call(code ? 'E' : 'e');
	seen.exited = true;
}

static void crash(void *world)
{
	(void)world;
	call('c');
	assert_int_equal(control.alive_until_ns, 0);
	assert_int_equal(groups[G].view.mode, XR_NONE);
}

static const struct xr_host host = {
	.now_ns = clock_ns,
	.receive = next_datagram,
	.left = left,
	.gone = gone,
	.send = note_sent,
	.flush = nothing,
	.submit = note_vote,
	.kick = kick,
	.probe = probe,
	.reap = reap,
	.oldest_ns = oldest,
	.disk_error = disk_error,
	.echoes = echoes,
	.show = at,
	.report = note_report,
	.arm = arm,
	.rest = at,
	.end = end,
	.crash = crash,
};

/*
 * ---- the stage: node 1 of three, a follower in term 4 that has voted for nobody ----
 */

/* What an earlier cluster, and an earlier life, left in the maps. */
static void leave_maps(void)
{
	memset(groups, 0, sizeof(groups));
	memset(acks, 0, sizeof(acks));
	memset(values, 0, sizeof(values));
	for (int id = 0; id < GROUPS; id++)
		groups[id].replay = 7;
	groups[G].view = (struct xr_view){.term = 4, .leader = 2, .mode = XR_FOLLOW};
	groups[AWAY].members = 0xe;
	control = (struct xr_control){
		.abi = XR_ABI,
		.self = 1,
		.answer = 1,
		.nic_mode = XR_NIC_OFF,
		.min_timeout_us = D_US,
		.heartbeat_us = D_US / 5,
		.quorum_lapse_us = 2 * D_US,
	};
}

static int write_journal(void **state)
{
	static const struct xr_vote votes[] = {
		{.group = G, .term = 4, .digest = 77, .name = "g"},
		{.group = H, .term = 4, .digest = 78, .name = "h"},
		{.group = RENAMED, .term = 4, .vote = 3, .digest = 1, .name = "old"},
		{.group = AWAY, .term = 4, .vote = 3, .digest = 81, .name = "away"},
	};
	const struct xr_journal_opts opts = {
		.dir = "state", .cluster = "t", .node = 1, .create = true, .disk = &disk->ops};

	(void)state;
	assert_int_equal(xr_journal_open(&journal, &opts, NULL), 0);
	assert_int_equal(xr_journal_append(journal, votes, NULL, ARRAY_SIZE(votes), NULL), 0);
	return 0;
}

static struct xr_maps maps = {.groups = groups,
			      .acks = acks,
			      .peers = peers,
			      .control = &control,
			      .values = values,
			      .value_size = sizeof(values[0]),
			      .ngroups = GROUPS};

/* From `source`, with `n` bodies of `size`; the header names the type and what else matters. */
static void queue(struct xr_wire wire, const void *bodies, int n, size_t size)
{
	struct xr_datagram *d = &incoming[nincoming++];

	wire.magic = XR_WIRE_MAGIC;
	wire.version = XR_WIRE_VERSION;
	wire.source = source;
	wire.dest = 1;
	wire.count = n;
	if (!wire.min_timeout_us)
		wire.min_timeout_us = D_US;
	wire.lives = life_of(source) ^ (xr_type_introduces(wire.type) ? 0 : control.life);
	*d = (struct xr_datagram){.wire = wire, .size = sizeof(wire) + n * size, .from.port = 7007};
	memcpy(d->bytes + sizeof(wire), bodies, n * size);
	memcpy(d->from.ip, engine.peers[source].ip, 16);
	d->wire.tag = xr_tag(&d->wire, d->bytes + d->size, d->size, &engine.keys[0].sip);
}

static void arrive_fact(struct xr_wire wire, uint64_t nonce)
{
	const struct xr_fact fact = {XR_FACT_nonce, 0, nonce};

	queue(wire, &fact, 1, sizeof(fact));
	xr_engine_receive(&engine);
}

/* It asks all, and all tell. */
static void introduce(void)
{
	xr_engine_timer(&engine);
	for (source = 2; source <= 4; source++)
		arrive_fact((struct xr_wire){.type = XR_TELL}, engine.known[source].nonce);
	source = 2;
	assert_int_equal(engine.strangers, 0);
}

static int start(void **state)
{
	struct xr_engine *e = &engine;

	(void)state;
	memset(e, 0, sizeof(*e));
	nincoming = next_incoming = 0;
	source = 2;
	memset(&todo, 0, sizeof(todo));
	leave_maps();
	e->config = &config;
	e->host = &host;
	memset(&looks, 0, sizeof(looks));
	e->looks = &looks;
	for (uint8_t node = 1; node <= 4; node++)
		e->peers[node] = (struct xr_peer){
			.ip = {[15] = node}, .port = 7007, .used = 1, .priority = XR_PRIORITY};
	e->keys[0].used = 1;
	assert_int_equal(xr_engine_init(e, &maps, journal, PROMISE_UNTIL_NS, NULL), 0);
	xr_engine_begin(e);
	introduce();
	memset(&seen, 0, sizeof(seen));
	return 0;
}

static int stop(void **state)
{
	(void)state;
	xr_engine_free(&engine);
	return 0;
}

static void arrive(struct xr_wire wire, const struct xr_record *rec, int n)
{
	queue(wire, rec, n, sizeof(*rec));
	xr_engine_receive(&engine);
}

static void arrive_heartbeat(uint32_t term, uint32_t min_timeout_us, uint64_t sent_ns)
{
	struct xr_record rec = {.group = G, .term = term, .digest = 77};

	arrive((struct xr_wire){.type = XR_HEARTBEAT,
				.min_timeout_us = min_timeout_us,
				.sent_ns = sent_ns},
	       &rec, 1);
}

static void arrive_ballot(uint8_t type, struct xr_ballot b)
{
	b.digest += 77;
	queue((struct xr_wire){.type = type}, &b, 1, sizeof(b));
	xr_engine_receive(&engine);
}

static void disk_is_done(void)
{
	disk_done = true;
	xr_engine_durable(&engine);
}

static void follow(uint32_t term)
{
	arrive_heartbeat(term, D_US, 1000000);
	disk_is_done();
	memset(&seen, 0, sizeof(seen));
}

/* How many bodies of this type. */
static int sent(uint8_t type)
{
	int n = 0;

	for (int i = 0; i < seen.nsent; i++)
		n += seen.sent[i].type == type ? seen.sent[i].bodies : 0;
	return n;
}

static void assert_view(uint32_t term, uint8_t leader, enum xr_mode mode)
{
	assert_int_equal(groups[G].view.term, term);
	assert_int_equal(groups[G].view.leader, leader);
	assert_int_equal(groups[G].view.mode, mode);
}

/*
 * ---- the tests ----
 */

/* A newer leader: nothing leaves before its term is durable, then the ack echoes what asked. */
static void acks_a_new_leader_once_its_term_is_durable(void **state)
{
	(void)state;
	arrive_heartbeat(5, D_US, 1000000);
	assert_int_equal(seen.nvotes, 1);
	assert_int_equal(seen.votes[0].term, 5);
	assert_int_equal(sent(XR_ACK), 0);
	assert_view(4, 0, XR_NONE); /* rule 3: the term stays */
	assert_string_equal(seen.calls, "sk");
	disk_is_done();
	assert_int_equal(sent(XR_ACK), 1);
	assert_int_equal(seen.sent[0].to, 2);
	assert_int_equal(seen.sent[0].echo_ns, 1000000);
	assert_true(groups[0].contact_ns != 0); /* rule 4: stamped first */
	assert_int_equal(groups[0].view.mode, XR_FOLLOW);
}

/* Rule 5: heartbeats of a leader with a larger D than ours are not answered, late or not. */
static void late_ack_is_withheld_from_a_larger_d(void **state)
{
	(void)state;
	arrive_heartbeat(5, 2 * D_US, 1000000);
	disk_is_done();
	assert_int_equal(sent(XR_ACK), 0);
	assert_int_equal(groups[0].contact_ns, 0);
	assert_int_equal(engine.stats.drop_timing, 1);
}

/*
 * While the disk is busy another datagram of that leader, sealed before its D grew, comes in
 * late. The ack that waits belongs to the first, and must not be judged by the second.
 */
static void late_ack_is_judged_by_the_largest_d(void **state)
{
	(void)state;
	arrive_heartbeat(5, 2 * D_US, 1000000);
	arrive_fact((struct xr_wire){.type = XR_ASK, .min_timeout_us = D_US}, 5);
	assert_true(sent(XR_TELL) > 0);
	disk_is_done();
	assert_int_equal(sent(XR_ACK), 0);
	assert_int_equal(groups[0].contact_ns, 0);
}

/* Rule 2: a word that is not what was last written means that somebody has fenced this process. */
static void fenced_from_outside_it_stops(void **state)
{
	(void)state;
	groups[0].view = (struct xr_view){.term = 4, .leader = 3, .mode = XR_FOLLOW};
	/* What it had packed by then does not leave either. */
	xr_outbox_record(&engine.outbox, 3, XR_ACK, 1, &(struct xr_record){0});
	arrive_heartbeat(5, D_US, 1000000);
	assert_true(engine.over);
	assert_true(seen.exited);
	assert_int_equal(seen.nvotes, 0);
	assert_int_equal(seen.nsent, 0);
	assert_int_equal(groups[0].view.leader, 3);
	assert_non_null(strstr(seen.said, "fenced"));
	assert_string_equal(seen.calls, "E");
}

/* The same between the write and its completion: durable, but neither published nor answered. */
static void fenced_while_the_disk_is_busy(void **state)
{
	(void)state;
	arrive_ballot(XR_VOTE, (struct xr_ballot){.term = 5});
	assert_int_equal(seen.nvotes, 1);
	groups[0].view = (struct xr_view){.term = 9, .mode = XR_NONE};
	disk_is_done();
	assert_true(engine.over);
	assert_int_equal(seen.nsent, 0);
	assert_int_equal(engine.outbox.begun[2], 0); /* nor is anything packed */
	assert_int_equal(groups[0].view.term, 9);
}

/*
 * ---- orders ----
 */
static struct xr_order_result order(const char *name, uint8_t heir)
{
	struct xr_order o = {.heir = heir};
	struct xr_order_result r;

	snprintf(o.group, sizeof(o.group), "%s", name);
	xr_engine_order(&engine, &o, &r);
	return r;
}

/* From node 3 it has had an ack just now. */
static void lead(uint32_t id)
{
	struct xr_raft *r = &engine.members[id].raft;

	r->role = XR_LEADER;
	r->leader = 1;
	groups[id].view = (struct xr_view){.term = 4, .leader = 1, .mode = XR_LEAD};
	groups[id].lead_since_ns = 1;
	engine.members[id].published.view = groups[id].view;
	acks[id].echo_ns[3] = now_ns;
}

static void orders_to_others_than_the_leader_are_refused(void **state)
{
	(void)state;
	assert_int_equal(order("nope", 2).err, -ENOENT);
	assert_int_equal(order("g", 2).err, -EPERM);
	assert_int_equal(order("", 0).groups, 0);
	assert_int_equal(seen.nsent, 0);
}

static void hands_over_only_to_a_voter_that_is_there(void **state)
{
	(void)state;
	lead(G);
	assert_int_equal(order("g", 7).err, -EINVAL);
	assert_int_equal(order("g", 2).err, -EHOSTDOWN); /* never acked */
	assert_int_equal(order("g", 1).err, 0);		 /* itself: nothing to do */
	assert_int_equal(groups[0].view.mode, XR_LEAD);
	assert_int_equal(seen.nsent, 0);
	acks[G].echo_ns[2] = now_ns - D_NS; /* node 3 is fresher, but was not asked for */
	assert_int_equal(order("g", 2).term, 4);
	assert_int_equal(groups[0].view.mode, XR_NONE); /* rule 5: the lease ends first */
	assert_int_equal(sent(XR_RESIGN), 2);
	assert_int_equal(seen.heir, 2);
}

/* A poll that the rules pass up: who led in that term, says so, and names the newest acker. */
static void polled_for_an_earlier_leadership_it_resigns(void **state)
{
	struct xr_record rec = {.group = 0, .term = 4, .digest = 77};
	struct xr_wire poll = {.type = XR_POLL, .min_timeout_us = D_US, .sent_ns = 1000000};

	(void)state;
	acks[0].echo_ns[3] = 7; /* of that earlier life */
	engine.members[0].raft.vote = 1;
	arrive(poll, &rec, 1);
	assert_int_equal(sent(XR_RESIGN), 1);
	assert_int_equal(seen.sent[0].to, 2);
	assert_int_equal(seen.heir, 3);
	rec.digest++;
	poll.sent_ns++;
	arrive(poll, &rec, 1);
	assert_int_equal(seen.nsent, 1);
}

/* Those that acked the same heartbeat share the groups; one that was away goes last. */
static void heirs_share_the_groups(void **state)
{
	const struct xr_control c = {.self = 1, .heartbeat_us = 100};
	const struct xr_group g = {.members = 0xe};
	struct xr_acks a = {.echo_ns = {[2] = 950000, [3] = 1000000}};

	(void)state;
	assert_int_equal(xr_heir(&g, &a, &c, engine.peers, 0, 0), 2);
	assert_int_equal(xr_heir(&g, &a, &c, engine.peers, 0, 1), 3);
	assert_int_equal(xr_heir(&g, &a, &c, engine.peers, 1 << 3, 1),
			 2); /* whose card acks in vain */
	assert_int_equal(xr_heir(&g, &a, &c, engine.peers, 1 << 3 | 1 << 2, 1), 0);
	a.echo_ns[2] = 949999; /* before the middle between two heartbeats */
	assert_int_equal(xr_heir(&g, &a, &c, engine.peers, 0, 0), 3);
	a.echo_ns[2] = a.echo_ns[3] = 0;
	assert_int_equal(xr_heir(&g, &a, &c, engine.peers, 0, 0), 0);
}

/* Of those the highest goes first, however fresh the others; witnesses and the paused do not. */
static void heirs_go_by_priority(void **state)
{
	const struct xr_control c = {.self = 1, .heartbeat_us = 100};
	const struct xr_group g = {.members = 0xe};
	struct xr_acks a = {.echo_ns = {[2] = 950000, [3] = 1000000}};

	(void)state;
	engine.peers[2].priority++;
	assert_int_equal(xr_heir(&g, &a, &c, engine.peers, 0, 1), 2);
	a.paused = 1 << 2;
	assert_int_equal(xr_heir(&g, &a, &c, engine.peers, 0, 0), 3);
	a.paused = 0;
	engine.peers[3].priority = 0;
	a.echo_ns[2] = 1; /* a witness' ack is no measure */
	assert_int_equal(xr_heir(&g, &a, &c, engine.peers, 0, 1), 2);
	a.echo_ns[2] = 0;
	assert_int_equal(xr_heir(&g, &a, &c, engine.peers, 0, 0), 0);
}

/*
 * ---- who stands: pauses, and failback ----
 */
/* How many questions. */
static int asked(void)
{
	int n = 0;

	for (int i = 0; i < seen.nsent; i++)
		n += seen.sent[i].type == XR_ASK;
	return n;
}

static struct xr_order_result order_pause(const char *name, bool pause)
{
	struct xr_order o = {
		.kind = pause ? XR_ORDER_PAUSE : XR_ORDER_RESUME, .at_s = 1000, .who = "root"};
	struct xr_order_result r;

	snprintf(o.group, sizeof(o.group), "%s", name);
	xr_engine_order(&engine, &o, &r);
	return r;
}

/* Time passes for the election timer; how many prevotes that brings. */
static int prevotes_in_time(void)
{
	memset(&seen, 0, sizeof(seen));
	now_ns += 3 * D_NS;
	xr_engine_timer(&engine);
	return sent(XR_PREVOTE);
}

static void pause_counts_once_it_is_durable(void **state)
{
	(void)state;
	assert_int_equal(order_pause("nope", true).err, -ENOENT);
	assert_int_equal(order_pause("g", true).changed, 1);
	assert_int_equal(order_pause("g", true).changed, 0); /* it is on its way */
	assert_int_equal(seen.nvotes, 1);
	assert_int_equal(seen.votes[0].term, 4);
	assert_int_equal(seen.votes[0].paused_s, 1000);
	assert_non_null(strchr(seen.calls, 'k'));
	assert_false(engine.members[G].raft.paused);
	assert_int_equal(acks[G].paused, 0);
	disk_is_done();
	assert_true(engine.members[G].raft.paused);
	assert_int_equal(acks[G].paused, 1 << 1);
	assert_int_equal(acks[G].paused_s, 1000);
	assert_string_equal(seen.said, "asked by root");
	assert_int_equal(asked(), 3);		 /* others are to ask, and to hear of it */
	assert_int_equal(prevotes_in_time(), 2); /* of the other group */
	assert_int_equal(order_pause("", false).changed, 1);
	disk_is_done();
	assert_int_equal(acks[G].paused | acks[G].paused_s, 0);
	assert_int_equal(prevotes_in_time(), 4);
}

/* Rule 7: what it writes meanwhile says the same of the vote, and the vote of the pause. */
static void pause_and_vote_are_one_record(void **state)
{
	(void)state;
	arrive_ballot(XR_VOTE, (struct xr_ballot){.term = 5});
	order_pause("g", true);
	assert_int_equal(seen.nvotes, 2);
	assert_int_equal(seen.votes[1].term, 5);
	assert_int_equal(seen.votes[1].vote, 2);
	disk_is_done();
	arrive_ballot(XR_VOTE, (struct xr_ballot){.term = 6});
	assert_int_equal(seen.votes[2].paused_s, 1000);
}

/* Rule 3: a pause that was asked for before the vote says nothing of the vote when it is durable. */
static void durable_pause_is_no_durable_vote(void **state)
{
	(void)state;
	order_pause("g", true);
	arrive_ballot(XR_VOTE, (struct xr_ballot){.term = 5});
	assert_int_equal(seen.nvotes, 2);
	seen.nvotes = 1;
	disk_is_done();
	assert_true(engine.members[G].raft.paused);
	assert_int_equal(sent(XR_VOTE_ANSWER), 0);
	seen.nvotes = 2;
	disk_is_done();
	assert_int_equal(sent(XR_VOTE_ANSWER), 1);
}

static void paused_leader_hands_over(void **state)
{
	(void)state;
	lead(G);
	assert_int_equal(order_pause("g", true).groups, 1);
	assert_int_equal(groups[G].view.mode, XR_LEAD);
	disk_is_done();
	assert_int_equal(groups[G].view.mode, XR_NONE);
	assert_int_equal(sent(XR_RESIGN), 2);
	assert_int_equal(seen.heir, 3);
	assert_int_equal(seen.cause, XR_CAUSE_PAUSED);
	assert_string_equal(seen.said, "asked by root; it hands over to node 3");
	memset(&seen, 0, sizeof(seen));
	lead(H);
	acks[H].echo_ns[3] = 0;
	order_pause("h", true);
	disk_is_done();
	assert_non_null(strstr(seen.said, "no other node that it hears may lead"));
	assert_int_equal(groups[H].view.mode, XR_NONE);
}

/* What it asked for is void: neither the own vote on disk nor others' make it leader. */
static void paused_candidate_gives_up(void **state)
{
	struct xr_raft *r = &engine.members[G].raft;

	(void)state;
	arrive_ballot(XR_RESIGN, (struct xr_ballot){.term = 4, .node = 1});
	assert_int_equal(sent(XR_VOTE), 2);
	arrive_ballot(XR_VOTE_ANSWER,
		      (struct xr_ballot){.term = 5, .round = r->round, .flags = XR_GRANTED});
	order_pause("g", true);
	assert_int_equal(seen.nvotes, 2);
	disk_is_done();
	assert_int_equal(r->phase, XR_IDLE);
	assert_int_equal(groups[G].view.mode, XR_NONE);
	arrive_ballot(XR_VOTE_ANSWER,
		      (struct xr_ballot){.term = 5, .round = r->round, .flags = XR_GRANTED});
	assert_int_equal(groups[G].view.mode, XR_NONE);
	/* Nor does its leader make it candidate. */
	r->leader = 2;
	arrive_ballot(XR_RESIGN, (struct xr_ballot){.term = 5, .node = 1});
	assert_int_equal(seen.nvotes, 2);
}

static void restart(void)
{
	xr_engine_free(&engine);
	start(NULL);
}

static void pause_outlives_a_restart(void **state)
{
	struct xr_vote vote = {
		.group = G, .term = 4, .digest = 77, .name = "g", .paused_s = 1764248893};

	(void)state;
	assert_int_equal(xr_journal_append(journal, &vote, NULL, 1, NULL), 0);
	restart();
	assert_true(engine.members[G].raft.paused);
	assert_int_equal(acks[G].paused, 1 << 1);
	assert_int_equal(engine.pauses, 1);
	assert_int_equal(prevotes_in_time(), 2);
	arrive_ballot(XR_VOTE, (struct xr_ballot){.term = 5});
	assert_int_equal(seen.votes[0].paused_s, 1764248893);
	vote.paused_s = 0;
	assert_int_equal(xr_journal_append(journal, &vote, NULL, 1, NULL), 0);
}

static void tell_facts(const struct xr_fact *more, int n)
{
	struct xr_fact fact[4] = {{XR_FACT_nonce, 0, 0}};

	xr_introduce_ask(&engine, 3, false);
	fact[0].value = engine.known[3].nonce;
	memcpy(fact + 1, more, n * sizeof(*more));
	source = 3;
	queue((struct xr_wire){.type = XR_TELL}, fact, n + 1, sizeof(fact[0]));
	xr_engine_receive(&engine);
	source = 2;
}

/* As it tells, so it is: in which groups, and until it tells otherwise. */
static void others_tell_of_their_pauses(void **state)
{
	const struct xr_fact facts[] = {{.what = XR_FACT_paused, .of = H},
					{.what = XR_FACT_paused, .of = GROUPS}};

	(void)state;
	tell_facts(facts, 2);
	assert_int_equal(acks[G].paused, 0);
	assert_int_equal(acks[H].paused, 1 << 3);
	lead(H);
	assert_non_null(strstr(order("h", 3).why.text, "node 3 is paused"));
	assert_int_equal(groups[H].view.mode, XR_LEAD);
	tell_facts(facts, 0);
	assert_int_equal(acks[H].paused, 0);
	assert_int_equal(order("h", 3).err, 0);
	assert_int_equal(groups[H].view.mode, XR_NONE);
}

/* A peer that has news is asked, though its life is known. */
static void news_are_asked_for(void **state)
{
	struct xr_fact fact[] = {{XR_FACT_nonce, 0, 5}, {XR_FACT_news, 0, 0}};
	struct xr_wire ask = {.type = XR_ASK, .sent_ns = 1000000};

	(void)state;
	queue(ask, fact, 1, sizeof(fact[0]));
	xr_engine_receive(&engine);
	assert_int_equal(asked(), 0);
	ask.sent_ns++;
	queue(ask, fact, 2, sizeof(fact[0]));
	xr_engine_receive(&engine);
	assert_int_equal(asked(), 1);
}

static void witness_is_handed_nothing(void **state)
{
	(void)state;
	lead(G);
	engine.peers[3].priority = 0;
	assert_int_equal(order("g", 3).err, -EPERM);
	assert_non_null(strstr(order("g", 3).why.text, "node 3 is a witness"));
	assert_int_equal(groups[G].view.mode, XR_LEAD);
}

static void nobody_left_to_lead_is_told(void **state)
{
	(void)state;
	engine.peers[2].priority = 0;
	acks[G].paused = acks[H].paused = 1 << 1 | 1 << 3;
	engine.pauses = 2;
	xr_look_around(&engine, now_ns);
	assert_non_null(strstr(seen.wrong, "all voters of h that are no witnesses are paused"));
	acks[H].paused = 0;
	xr_look_around(&engine, now_ns);
	assert_int_equal(engine.nobodys, 1);
	acks[G].paused = engine.pauses = 0;
	seen.nwell = 0;
	xr_look_around(&engine, now_ns);
	assert_int_equal(seen.nwell, 1);
}

/* A look at the group each quarter of a second, node 3 acking. Returns whether this node still leads. */
static bool leads_after(int looks)
{
	while (looks--) {
		now_ns += NS_PER_S / 4;
		acks[G].echo_ns[3] = acks[G].echo_ns[3] ? now_ns : 0;
		engine.turned_ns = now_ns;
		xr_stand_look(&engine, &engine.members[G], now_ns);
	}
	return groups[G].view.mode == XR_LEAD;
}

static void failback_waits_for_a_node_that_is_well(void **state)
{
	(void)state;
	config.failback_ms = 1000;
	lead(G);
	assert_true(leads_after(9)); /* an equal */
	engine.peers[3].priority++;
	assert_true(leads_after(4));
	acks[G].echo_ns[3] = 0; /* a break */
	assert_true(leads_after(4));
	acks[G].echo_ns[3] = now_ns;
	assert_true(leads_after(4));
	acks[G].paused = 1 << 3;
	assert_true(leads_after(9));
	acks[G].paused = 0;
	assert_true(leads_after(4));
	engine.known[3].life++; /* it has restarted */
	assert_true(leads_after(4));
	engine.deaf = 1 << 3;
	assert_true(leads_after(9));
	engine.deaf = 0;
	assert_true(leads_after(4));
	memset(&seen, 0, sizeof(seen));
	assert_false(leads_after(1));
	xr_outbox_flush(&engine.outbox);
	assert_int_equal(seen.heir, 3);
	assert_int_equal(seen.cause, XR_CAUSE_FAILBACK);
	assert_int_equal(seen.cause_ns, NS_PER_S);
	/* Once: if it leads again it waits as long again. */
	engine.members[G].raft.term = 6;
	lead(G);
	assert_true(leads_after(4));
	assert_false(leads_after(1));
	config.failback_ms = 0;
	lead(G);
	assert_true(leads_after(9));
}

/*
 * ---- timers that need no step ----
 */

/* Is there nothing to decide for what is due at `at_ns`, `now_ns`? */
static bool quiet_at(uint64_t at_ns, uint64_t by_ns)
{
	const struct xr_due due = {.at_ns = at_ns};
	bool quiet;

	seen.nsent = 0;
	quiet = !xr_group_timers(&engine, &due, 1, by_ns, false);
	xr_outbox_flush(&engine.outbox);
	return quiet;
}

static void follower_that_heard_its_leader_is_quiet(void **state)
{
	uint64_t contact_ns, patience_ns = D_US * NS_PER_US * 4 / 5;

	(void)state;
	assert_int_equal(engine.quiet[0].us, 0); /* it follows nobody yet */
	arrive_heartbeat(5, D_US, 1000000);
	assert_int_equal(engine.quiet[0].us, 0); /* the disk is busy */
	disk_is_done();
	contact_ns = groups[0].contact_ns;
	assert_true(quiet_at(contact_ns, contact_ns + patience_ns - 1));
	assert_int_equal(xr_timers_next_ns(&engine.timers), contact_ns + patience_ns);
	engine.members[0].raft.base_ns = groups[0].contact_ns -= patience_ns;
	assert_false(quiet_at(contact_ns, contact_ns));
	assert_int_equal(sent(XR_POLL), 1);
	assert_int_equal(engine.quiet[0].us, 0); /* overdue: each timer is looked at */
}

/* As it would beat with a step: at the same instants, and no longer than it may lead (rule 12). */
static void leader_that_may_lead_is_quiet(void **state)
{
	uint64_t gap_ns = D_US * NS_PER_US / 5, at_ns;

	(void)state;
	lead(G);
	assert_false(quiet_at(0, now_ns));
	at_ns = xr_timers_next_ns(&engine.timers);
	assert_true(quiet_at(at_ns, at_ns + 1));
	assert_int_equal(sent(XR_HEARTBEAT), 2);
	assert_int_equal(xr_timers_next_ns(&engine.timers), at_ns + gap_ns);
	/* An event between two heartbeats neither brings the next one forward nor puts it off. */
	xr_group_step(&engine, 0, &(struct xr_event){.kind = XR_EV_HINT, .message.node = 2});
	assert_int_equal(xr_timers_next_ns(&engine.timers), at_ns + gap_ns);
	assert_false(quiet_at(at_ns, at_ns + gap_ns)); /* one was left out */
	acks[0].echo_ns[3] = 0;
	groups[0].lead_since_ns = 1;
	assert_false(quiet_at(at_ns, at_ns + 1));
	assert_int_equal(sent(XR_HEARTBEAT), 0);
	assert_int_equal(sent(XR_RESIGN), 2);
}

/* Contact comes between the two looks of rule 3: the same word stands there again. */
static void stamped_after_the_fence_it_is_restored(void **state)
{
	union xr_word before;

	(void)state;
	follow(5);
	before = xr_view_read(&groups[G]);
	for (uint8_t type = XR_VOTE; type <= XR_PREVOTE_ANSWER; type += 3) { /* for 6; of term 6 */
		now_ns += 2 * D_NS;
		todo.stamp_at = 2; /* the first look's, which has read the contact by then */
		source = 3;
		arrive_ballot(type, (struct xr_ballot){.term = 6});
		assert_int_equal(todo.stamp_at, 0);
		assert_int_equal(groups[G].contact_ns, now_ns);
		assert_int_equal(seen.nvotes, 0);
		assert_true(xr_view_read(&groups[G]).word == before.word);
	}
	assert_int_equal(sent(XR_VOTE_ANSWER), 1);
	assert_int_equal(seen.ballot.flags, 0);
}

/* Rule 3: the heir's word is bound to one leader and one term. */
static void lift_is_for_the_next_term_alone(void **state)
{
	(void)state;
	follow(5);
	source = 3;
	arrive_ballot(XR_VOTE, (struct xr_ballot){.term = 7, .lift_term = 5, .lift_leader = 2});
	assert_int_equal(seen.nvotes, 0);
	arrive_ballot(XR_VOTE, (struct xr_ballot){.term = 6, .lift_term = 5, .lift_leader = 2});
	assert_int_equal(seen.nvotes, 1);
}

/* The timer of G has come, and the loop is not late for it. */
static void time_out(uint64_t passed_ns)
{
	now_ns += passed_ns;
	for (uint32_t id = H; id < GROUPS; id++)
		xr_timers_set(&engine.timers, id, UINT64_MAX);
	engine.armed_ns = engine.turned_ns = now_ns;
	xr_engine_timer(&engine);
}

static void grant(uint8_t from, uint8_t type, uint32_t round, uint16_t flags)
{
	source = from;
	arrive_ballot(type, (struct xr_ballot){.term = 5, .round = round, .flags = flags});
}

/* Silence, PreVote, vote, LEAD: what leaves, what is written and what readers see, in order. */
static void elected(void **state)
{
	(void)state;
	time_out(2 * D_NS);
	assert_int_equal(sent(XR_PREVOTE), 2);
	grant(2, XR_PREVOTE_ANSWER, seen.ballot.round, XR_GRANTED);
	assert_int_equal(seen.votes[0].term, 5);
	assert_int_equal(seen.votes[0].vote, 1);
	assert_int_equal(sent(XR_VOTE), 2);
	grant(2, XR_VOTE_ANSWER, seen.ballot.round, 0);
	time_out(D_NS); /* who has answered is not asked again */
	assert_int_equal(sent(XR_VOTE), 3);
	disk_is_done();
	grant(3, XR_VOTE_ANSWER, seen.ballot.round - 1, XR_GRANTED); /* for an earlier life */
	assert_view(5, 0, XR_NONE);
	groups[G].lead_since_ns = 0;
	grant(3, XR_VOTE_ANSWER, seen.ballot.round, XR_GRANTED);
	assert_view(5, 1, XR_LEAD);
	assert_int_equal(groups[G].lead_since_ns, now_ns);
	assert_false(seen.led_since_ever); /* rule 5: nobody saw that LEAD without its time */
	assert_int_equal(sent(XR_HEARTBEAT), 2);
	assert_int_equal(seen.record.term, 5);
	assert_int_equal(seen.record.digest, 77);
	assert_int_equal(groups[G].durable_term, 5);
	assert_int_equal(groups[G].voted_for, 1);
}

/* The leader is heard between the two looks at the own vote: the campaign is over. */
static void campaign_is_given_up(void **state)
{
	(void)state;
	follow(4);
	time_out(3 * D_NS);
	todo.stamp_at = 2;
	grant(3, XR_PREVOTE_ANSWER, seen.ballot.round, XR_GRANTED);
	assert_int_equal(todo.stamp_at, 0);
	assert_view(4, 2, XR_FOLLOW);
	assert_int_equal(sent(XR_VOTE), 0);
	assert_int_equal(engine.members[G].raft.phase, XR_IDLE);
}

/*
 * ---- what a leader looks at ----
 */

/* Rule 12: with its lease it refuses votes, without it no longer. */
static void votes_once_its_lease_is_over(void **state)
{
	(void)state;
	lead(G);
	now_ns += D_NS - 1;
	arrive_ballot(XR_VOTE, (struct xr_ballot){.term = 5});
	assert_int_equal(seen.nvotes, 0);
	now_ns++;
	arrive_ballot(XR_VOTE, (struct xr_ballot){.term = 5});
	assert_int_equal(seen.nvotes, 1);
	assert_int_equal(seen.votes[0].vote, 2);
}

/* Rule 11: who is late by half of D itself asks first; who was in time steps down. */
static void late_leader_asks_first(void **state)
{
	for (int late = 1; late >= 0; late--) {
		stop(state);
		start(state);
		lead(G);
		acks[G].echo_ns[3] = 0;
		xr_timers_set(&engine.timers, G, now_ns);
		engine.armed_ns = now_ns - D_NS / 2 + !late;
		xr_engine_timer(&engine);
		assert_int_equal(sent(XR_HEARTBEAT), late ? 2 : 0);
		assert_int_equal(sent(XR_RESIGN), late ? 0 : 2);
	}
}

/* Rule 5: an ack counts from what this leadership has sent, and by now has. */
static void acks_count_from_lead_since_to_now(void **state)
{
	static const struct {
		int64_t echo_ns; /* from now */
		bool counts;
	} cases[] = {{1, false}, {-D_NS - 1, false}, {-D_NS, true}, {0, true}};
	struct xr_record rec = {.group = G, .term = 4, .digest = 77, .flags = XR_ACKED};

	(void)state;
	lead(G);
	groups[G].lead_since_ns = now_ns - D_NS;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		acks[G].echo_ns[2] = 0;
		arrive((struct xr_wire){.type = XR_ACK, .echo_ns = now_ns + cases[i].echo_ns}, &rec,
		       1);
		assert_int_equal(acks[G].echo_ns[2],
				 cases[i].counts ? now_ns + cases[i].echo_ns : 0);
	}
}

static void polled_without_its_quorum_it_is_silent(void **state)
{
	struct xr_record rec = {.group = G, .term = 4, .digest = 77};

	(void)state;
	lead(G);
	arrive((struct xr_wire){.type = XR_POLL, .sent_ns = 1}, &rec, 1);
	assert_int_equal(sent(XR_HEARTBEAT), 1);
	acks[G].echo_ns[3] = 0;
	arrive((struct xr_wire){.type = XR_POLL, .sent_ns = 1}, &rec, 1);
	assert_int_equal(seen.nsent, 1);
}

/*
 * ---- datagrams of several groups ----
 */

/* Nothing was stamped: it goes up as it is, and each record is decided by itself. */
static void refuses_one_and_follows_another(void **state)
{
	const struct xr_record recs[] = {{.group = G, .term = 5, .digest = 77},
					 {.group = H, .term = 3, .digest = 78}};

	(void)state;
	arrive((struct xr_wire){.type = XR_HEARTBEAT, .sent_ns = 1}, recs, 2);
	assert_int_equal(seen.nvotes, 1);
	assert_int_equal(sent(XR_ACK), 1);
	assert_int_equal(seen.record.group, H);
	assert_int_equal(seen.record.flags, XR_REFUSED);
	assert_int_equal(seen.record.term, 4);
}

/* Rule 15: one was stamped, so the datagram is answered, and the other decided once. */
static void answers_one_and_decides_another(void **state)
{
	const struct xr_record recs[] = {{.group = G, .term = 5, .digest = 77},
					 {.group = H, .term = 5, .digest = 78}};

	(void)state;
	follow(5);
	arrive((struct xr_wire){.type = XR_HEARTBEAT, .sent_ns = 2000000}, recs, 2);
	assert_int_equal(sent(XR_ACK), 2); /* in one datagram, with its last record pending */
	assert_int_equal(seen.record.flags, XR_PENDING);
	assert_int_equal(seen.nvotes, 1);
	assert_int_equal(seen.votes[0].group, H);
	disk_is_done();
	assert_int_equal(sent(XR_ACK), 3);
	arrive_fact((struct xr_wire){.type = XR_ASK}, 5);
	assert_int_equal(engine.stats.drop_replay, 0);
}

/* A poll's record that the leader could not answer is no heartbeat. */
static void pending_records_are_not_stamped(void **state)
{
	struct xr_record rec = {.group = G, .term = 5, .digest = 77, .flags = XR_PENDING};
	uint64_t contact_ns;

	(void)state;
	follow(5);
	contact_ns = groups[G].contact_ns;
	now_ns++;
	arrive((struct xr_wire){.type = XR_HEARTBEAT, .sent_ns = 2000000}, &rec, 1);
	assert_int_equal(groups[G].contact_ns, contact_ns);
	assert_int_equal(seen.nsent, 0);
}

static void takes_what_the_nic_path_left(void **state)
{
	(void)state;
	todo.left = true;
	xr_engine_receive(&engine);
	assert_int_equal(seen.nvotes, 1);
}

/* Beside a refusal that goes up: an ack, and a refusal by who takes the group for another. */
static void of_acks_only_refusals_enter_a_term(void **state)
{
	struct xr_record recs[] = {
		{.group = G, .term = 9, .digest = 77, .flags = XR_ACKED, .entry = 5},
		{.group = G, .term = 6, .digest = 77, .flags = XR_REFUSED}};

	for (int stranger = 0; stranger < 2; stranger++) {
		if (stranger)
			recs[0] = (struct xr_record){
				.group = G, .term = 9, .digest = 1, .flags = XR_REFUSED};
		lead(G);
		arrive((struct xr_wire){.type = XR_ACK, .echo_ns = now_ns}, recs, 2);
		assert_int_equal(seen.nvotes, 1);
		assert_int_equal(seen.votes[0].term, 6);
		stop(state);
		start(state);
	}
}

/*
 * ---- rule 10, rule 8: who is not listened to, and when ----
 */
static void ballots_of_strangers_are_counted(void **state)
{
	(void)state;
	arrive_ballot(XR_PREVOTE, (struct xr_ballot){.group = OTHERS, .term = 5, .digest = 2});
	assert_int_equal(engine.stats.drop_group, 1);
	arrive_ballot(XR_PREVOTE, (struct xr_ballot){.term = 5, .digest = 1});
	assert_int_equal(engine.stats.drop_digest, 1);
	engine.peers[2].port++; /* it speaks from another port than is configured */
	arrive_ballot(XR_PREVOTE, (struct xr_ballot){.term = 5});
	assert_int_equal(engine.stats.drop_address, 1);
	assert_int_equal(seen.nsent, 0);
	arrive_ballot(XR_RESIGN, (struct xr_ballot){.term = 4}); /* as its warden does */
	assert_true(engine.members[G].raft.resigned);
}

static void after_the_deadline_it_is_silent(void **state)
{
	(void)state;
	arrive_heartbeat(5, D_US, 1000000);
	todo.oldest_ns = now_ns - 2 * STALL_NS;
	disk_is_done();
	assert_view(5, 2, XR_FOLLOW);
	assert_true(control.alive_until_ns < now_ns);
	assert_int_equal(seen.nsent, 0);
	assert_int_equal(groups[G].contact_ns, 0);
	arrive_heartbeat(6, D_US, 2000000);
	assert_int_equal(seen.nvotes, 1);
}

static void key_that_was_taken_out_is_unknown(void **state)
{
	const struct xr_key keys[] = {{.id = 3, .used = 1, .sip = {5, 6}}};

	(void)state;
	xr_engine_keys(&engine, keys, 1);
	arrive_fact((struct xr_wire){.type = XR_ASK}, 5); /* sealed with key 0 */
	assert_int_equal(engine.stats.drop_key, 1);
	xr_path_asked(&engine, 2, 5); /* note_sent() looks at its tag */
	assert_int_equal(engine.outbox.key_slot, 1);
}

/*
 * ---- groups ----
 */
static void takes_part_where_state_and_voters_agree(void **state)
{
	(void)state;
	assert_false(engine.over);
	assert_view(4, 0, XR_NONE);
	for (uint32_t id = 0; id < GROUPS; id++)
		assert_int_equal(groups[id].members, id <= H ? 0xe : 0);
	assert_int_equal(groups[OTHERS].digest, 79); /* it knows their name */
	assert_int_equal(engine.members[OTHERS].raft.voters, 0);
	assert_int_equal(engine.members[G].raft.promise_until_ns, PROMISE_UNTIL_NS);
	assert_int_equal(groups[G].replay, 7);
}

static void reload_brings_only_what_has_no_state(void **state)
{
	(void)state;
	lead(G);
	xr_engine_take(&engine, engine.peers, all, GROUPS);
	assert_non_null(strstr(seen.said, "1 new group(s)"));
	assert_int_equal(engine.members[G].raft.role, XR_LEADER);
	assert_int_equal(groups[AWAY].members, 0);
	assert_int_equal(groups[NEW].members, 0xe);
	assert_int_equal(groups[NEW].replay, 0); /* rule 10: of another cluster's term 1 */
}

/*
 * ---- ends ----
 */
static void two_leaders_in_a_term_are_a_crash(void **state)
{
	(void)state;
	follow(5);
	source = 3;
	arrive_heartbeat(5, D_US, 2000000);
	assert_int_equal(seen.calls[0], 'c');
	assert_non_null(strstr(seen.said, "TWO LEADERS IN TERM 5"));
}

static void steps_down_everywhere(void **state)
{
	(void)state;
	lead(G);
	lead(H);
	assert_int_equal(order("", 0).groups, 2);
	assert_int_equal(groups[G].view.mode, XR_NONE);
	assert_int_equal(groups[H].view.mode, XR_NONE);
	assert_int_equal(sent(XR_RESIGN), 4);
	assert_int_equal(seen.nsent, 2); /* one datagram a peer */
}

static void stops_in_order(void **state)
{
	(void)state;
	lead(G);
	xr_engine_stop(&engine, XR_CAUSE_SHUTDOWN);
	assert_int_equal(sent(XR_RESIGN), 2);
	assert_int_equal(control.alive_until_ns, 0);
	assert_string_equal(seen.calls, "e");
}

/*
 * ---- disk and loop ----
 */

/* Rule 7: not durable, not published, and no further vote. */
static void write_that_failed_is_the_end(void **state)
{
	(void)state;
	arrive_heartbeat(5, D_US, 1000000);
	todo.write_err = todo.disk_err = -EIO;
	disk_is_done();
	assert_view(4, 0, XR_NONE);
	assert_string_equal(seen.calls, "skE");
	assert_string_equal(seen.said, "broken");
}

static void vote_that_is_not_taken_is_the_end(void **state)
{
	(void)state;
	todo.submit_err = -ENOBUFS;
	arrive_heartbeat(5, D_US, 1000000);
	xr_engine_receive(&engine);
	assert_string_equal(seen.calls, "skE");
}

static void hung_disk_ends_the_leadership(void **state)
{
	(void)state;
	lead(G);
	todo.oldest_ns = now_ns - STALL_NS + 1;
	xr_engine_receive(&engine);
	assert_int_equal(seen.nsent, 0);
	todo.oldest_ns--;
	xr_engine_receive(&engine);
	assert_int_equal(sent(XR_RESIGN), 2);
	assert_int_equal(control.alive_until_ns, now_ns);
}

/* Rule 12: it may have been led by another meanwhile. Nobody is answered before it has resigned. */
static void stall_ends_the_leadership(void **state)
{
	(void)state;
	lead(G);
	now_ns += STALL_NS;
	acks[G].echo_ns[3] = now_ns;
	xr_engine_receive(&engine);
	assert_int_equal(sent(XR_RESIGN), 2);
	assert_non_null(strstr(seen.said, "stood still"));
	assert_int_equal(seen.deadline_ns, now_ns);
	assert_int_equal(control.alive_until_ns, now_ns + STALL_NS);
}

/* Rule 8: nothing to do is no reason not to renew the deadline, or not to try the disk. */
static void quiet_node_wakes_and_probes(void **state)
{
	(void)state;
	for (uint32_t id = 0; id < GROUPS; id++)
		xr_timers_set(&engine.timers, id, UINT64_MAX);
	now_ns += STALL_NS / 2 + 1;
	xr_engine_receive(&engine);
	assert_string_equal(seen.calls, "p");
	assert_int_equal(seen.armed_ns, now_ns + STALL_NS / 4);
	seen.armed_ns = 0;
	xr_engine_timer(&engine); /* too early, by the host's clock */
	assert_int_equal(seen.armed_ns, now_ns + STALL_NS / 4);
	engine.path.next_ns = now_ns + 1;
	xr_engine_receive(&engine);
	assert_int_equal(seen.armed_ns, now_ns + 1);
}

/* Rule 11: a heartbeat that waits in the socket is read before its absence is acted on. */
static void timer_asks_the_socket_first(void **state)
{
	struct xr_record rec = {.group = G, .term = 5, .digest = 77};

	(void)state;
	follow(5);
	queue((struct xr_wire){.type = XR_HEARTBEAT, .sent_ns = 2000000}, &rec, 1, sizeof(rec));
	time_out(3 * D_NS);
	assert_int_equal(sent(XR_ACK), 1);
	assert_int_equal(seen.nsent, 1);
}

/* What is said of a silence begins with this leader: a contact belongs to its term. */
static void silence_is_this_leaders(void **state)
{
	(void)state;
	follow(5);
	now_ns += D_NS / 2;
	source = 3;
	arrive_ballot(XR_VOTE, (struct xr_ballot){.term = 6});
	assert_int_equal(seen.cause, XR_CAUSE_HAS_LEADER);
	assert_int_equal(seen.cause_ns, D_NS / 2);
	arrive_heartbeat(6, 2 * D_US, 1000000); /* of a larger D: it is followed, and not stamped */
	disk_is_done();
	arrive_ballot(XR_VOTE, (struct xr_ballot){.term = 7});
	assert_int_equal(seen.cause, XR_CAUSE_HAD_LEADER);
	now_ns += D_NS;
	time_out(2 * D_NS);
	assert_int_equal(sent(XR_PREVOTE), 2);
	assert_int_equal(seen.cause, XR_CAUSE_SILENCE);
	assert_int_equal(seen.cause_ns, 3 * D_NS);
}

/* Old requests, again and again, for as long as anyone likes. */
static void begin_flood(void)
{
	struct xr_ballot b = {.term = 1, .digest = 77};

	source = 3;
	queue((struct xr_wire){.type = XR_PREVOTE}, &b, 1, sizeof(b));
	todo.flood = true;
}

/* Rules 8 and 11: what arrives takes a part of each turn, and no timer waits for its end. */
static void flood_keeps_no_timer_waiting(void **state)
{
	uint64_t due_ns, began_ns;

	(void)state;
	follow(5);
	due_ns = engine.armed_ns;
	begin_flood();
	while (!sent(XR_POLL)) {
		assert_true(xr_before(now_ns, due_ns + D_NS / 2));
		seen.nsent = 0;
		began_ns = now_ns;
		xr_engine_receive(&engine);
		assert_true(now_ns - began_ns <= D_NS / 4);
		assert_int_equal(control.alive_until_ns, began_ns + STALL_NS);
	}
	assert_false(seen.stalled);
	/* It is not the CPU that was missing. */
	engine.armed_ns = now_ns - D_NS;
	engine.turned_ns = now_ns - D_NS;
	engine.ended_ns = now_ns;
	xr_engine_receive(&engine);
	assert_true(seen.stalled);
	assert_non_null(strstr(seen.said, "its last turn took 100 ms, with"));
	assert_null(strstr(seen.said, "CPU"));
}

/* Rule 8: a turn that leaves its timer waiting proves nothing. */
static void deadline_waits_for_the_timer(void **state)
{
	uint64_t alive_until_ns = control.alive_until_ns;

	(void)state;
	now_ns = engine.armed_ns;
	xr_engine_durable(&engine);
	assert_int_equal(control.alive_until_ns, alive_until_ns);
	xr_engine_timer(&engine);
	assert_int_equal(control.alive_until_ns, now_ns + STALL_NS);
}

/* One answer for all repetitions of a question that a turn finds. */
static void repeated_question_is_answered_once(void **state)
{
	struct xr_ballot b = {.term = 1, .digest = 77, .round = 7};

	(void)state;
	for (int i = 0; i < 20; i++)
		queue((struct xr_wire){.type = XR_PREVOTE}, &b, 1, sizeof(b));
	b.round++;
	queue((struct xr_wire){.type = XR_PREVOTE}, &b, 1, sizeof(b));
	xr_engine_receive(&engine);
	assert_int_equal(sent(XR_PREVOTE_ANSWER), 2);
	xr_engine_receive(&engine);
	assert_int_equal(sent(XR_PREVOTE_ANSWER), 2);
}

static void dead_socket_is_a_hint(void **state)
{
	(void)state;
	follow(5);
	todo.gone = 1 << 3; /* no leader */
	xr_engine_receive(&engine);
	assert_int_equal(engine.members[G].raft.hint_ns, 0);
	todo.gone = 1 << 2;
	now_ns++;
	xr_engine_receive(&engine);
	assert_int_equal(engine.members[G].raft.hint_ns, now_ns);
}

/*
 * ---- packing, and the path ----
 */
static void acks_share_a_datagram_only_with_their_echo(void **state)
{
	const struct xr_record rec = {.group = G};

	(void)state;
	for (uint64_t echo_ns = 1; echo_ns <= 2; echo_ns++)
		for (int i = 0; i < 2; i++)
			xr_outbox_record(&engine.outbox, 2, XR_ACK, echo_ns, &rec);
	xr_outbox_flush(&engine.outbox);
	assert_int_equal(seen.nsent, 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(seen.sent[i].bodies, 2);
		assert_int_equal(seen.sent[i].echo_ns, i + 1);
	}
}

/* What the daemon itself would echo proves nothing of the NIC path. */
static void path_tests_are_the_nic_paths_to_echo(void **state)
{
	(void)state;
	arrive_fact((struct xr_wire){.type = XR_PATH_TEST}, 5);
	assert_int_equal(seen.nsent, 0);
	arrive_fact((struct xr_wire){.type = XR_PATH_ECHO}, 5);
	assert_int_equal(sent(XR_PATH_DELIVERED), 1);
}

static void path_whose_echoes_nobody_sees_is_lost(void **state)
{
	(void)state;
	engine.path.next_ns = 0;
	todo.echoes = 100; /* of a life before */
	for (int i = 0; i < 3; i++) {
		xr_path_look(&engine, now_ns);
		xr_path_look(&engine, now_ns); /* not yet again */
		now_ns += NS_PER_S;
		engine.known[2].told_ns = now_ns; /* it does hear the others */
		todo.echoes += 2;
		assert_int_equal(control.answer, 1);
	}
	assert_int_equal(asked(), 9);
	xr_path_look(&engine, now_ns);
	assert_int_equal(control.answer, 0);
	assert_int_equal(control.tx_path, XR_TX_LOST);
	arrive_fact((struct xr_wire){.type = XR_PATH_DELIVERED},
		    engine.known[2].path_nonce + 1); /* of another question */
	assert_int_equal(control.answer, 0);
	arrive_fact((struct xr_wire){.type = XR_PATH_DELIVERED}, engine.known[2].path_nonce);
	assert_int_equal(control.answer, 1);
	assert_int_equal(control.tx_path, XR_TX_DELIVERED);
	now_ns += 59 * NS_PER_S;
	xr_path_look(&engine, now_ns);
	assert_int_equal(asked(), 12);
	now_ns += NS_PER_S; /* who knows whether that is still so? */
	xr_path_look(&engine, now_ns);
	assert_int_equal(asked(), 15);
	assert_int_equal(control.answer, 1);
}

/* Nobody's word reaches a daemon behind a firewall: what its card answers need not be lost. */
static void who_is_deaf_does_not_doubt_the_path(void **state)
{
	(void)state;
	engine.path.next_ns = 0;
	for (int i = 0; i < 9; i++) {
		xr_path_look(&engine, now_ns);
		now_ns += NS_PER_S;
		todo.echoes += 2;
	}
	assert_int_equal(control.answer, 1);
	assert_int_not_equal(control.tx_path, XR_TX_LOST);
	engine.known[2].told_ns = now_ns + NS_PER_S - 1;
	now_ns += NS_PER_S;
	xr_path_look(&engine, now_ns); /* its first words are not of the echoes before them */
	assert_int_equal(control.answer, 1);
}

/* What could have ended it has happened: the question is put again, once the dust settles. */
static void path_is_tested_again_after_a_doubt(void **state)
{
	(void)state;
	control.nic_mode = XR_NIC_NATIVE;
	follow(5);
	engine.path.next_ns = now_ns + 60 * NS_PER_S; /* it was tested */
	engine.path.asked = 0;
	assert_int_equal(engine.known[2].ask_ns, UINT64_MAX);
	time_out(3 * D_NS);
	assert_int_equal(sent(XR_PREVOTE), 2);
	assert_int_equal(engine.path.next_ns, now_ns + 4 * D_NS); /* twice the longest timeout */
	assert_int_equal(engine.known[2].ask_ns, now_ns + 4 * D_NS);
	assert_int_equal(asked(), 0);
	now_ns += 4 * D_NS;
	control.answer = 0;
	xr_engine_timer(&engine);
	assert_true(asked() >= 3);
	arrive_fact((struct xr_wire){.type = XR_PATH_DELIVERED}, engine.known[2].path_nonce);
	assert_int_equal(control.answer, 1);
	control.answer = 0;
	arrive_fact((struct xr_wire){.type = XR_PATH_DELIVERED}, 0); /* nothing is asked now */
	assert_int_equal(control.answer, 0);
}

/*
 * ---- rules 17 and 18 ----
 */

/* Whatever the daemon decides, it takes up once. */
static void recorded_ballots_and_polls_are_taken_up_once(void **state)
{
	static const uint8_t types[] = {XR_VOTE,   XR_VOTE_ANSWER, XR_PREVOTE, XR_PREVOTE_ANSWER,
					XR_RESIGN, XR_POLL,	   XR_ACK};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct xr_ballot b = {.group = G, .term = 4, .digest = 77};
		struct xr_record rec = {.group = G, .term = 9, .digest = 77, .flags = XR_REFUSED};
		bool ballot = xr_type_body(types[i]) == XR_BODY_BALLOT;
		struct xr_wire h = {.type = types[i]};

		if (types[i] == XR_POLL)
			rec.term = 4;
		if (types[i] == XR_ACK) /* refusals are for who leads */
			lead(G);
		engine.stats.drop_replay = 0;
		for (uint64_t sent_ns = 9; sent_ns >= 8; sent_ns--) /* again; and overtaken */
			for (int again = 0; again < 2; again++) {
				h.sent_ns = sent_ns;
				queue(h, ballot ? (void *)&b : &rec, 1,
				      ballot ? sizeof(b) : sizeof(rec));
				xr_engine_receive(&engine);
			}
		if (engine.stats.drop_replay != 3)
			fail_msg("%s: %u of 3 dropped", xr_type_text(types[i]),
				 (unsigned int)engine.stats.drop_replay);
	}
}

/* Rule 18: what was published was durable; the state that does not know it is an older one. */
static void state_older_than_its_own_maps_is_refused(void **state)
{
	struct xr_why why = {0};

	stop(state);
	groups[G].view = (struct xr_view){.term = 9, .mode = XR_NONE};
	memset(engine.known, 0, sizeof(engine.known));
	assert_int_equal(xr_engine_init(&engine, &maps, journal, PROMISE_UNTIL_NS, &why), -ESTALE);
	assert_non_null(strstr(why.text, "g: "));
	assert_non_null(strstr(why.text, "term 9"));
	assert_non_null(strstr(why.text, "term 4"));
}

/*
 * ---- entries: rules 22 to 26 ----
 */

static uint64_t id_of(uint32_t term, uint32_t index)
{
	return (uint64_t)term << 32 | index;
}

static struct xr_entry entry(uint64_t id, const char *value)
{
	struct xr_entry e = {.id = id, .voters = 0xe, .size = (uint16_t)strlen(value)};

	memcpy(e.value, value, e.size);
	return e;
}

/* Of `size` bytes, or as large as it says. */
static void arrive_append(uint32_t term, struct xr_entry e, uint64_t sent_ns, size_t size)
{
	struct xr_append a = {.record = {.group = G, .term = term, .digest = 77}, .entry = e};
	struct xr_wire h = {.type = XR_APPEND, .sent_ns = sent_ns};

	now_ns++; /* of two stamps of one moment only one is acked */
	queue(h, &a, (int)((size ? size : sizeof(a.record) + xr_entry_size(&e)) / 8), 8);
	xr_engine_receive(&engine);
}

static void arrive_ack(uint8_t from, uint32_t named)
{
	struct xr_record rec = {.group = G,
				.term = groups[G].view.term,
				.digest = 77,
				.flags = XR_ACKED,
				.entry = named};

	now_ns += 100; /* each is sent later than the one before */
	source = from;
	arrive((struct xr_wire){.type = XR_ACK, .sent_ns = now_ns, .echo_ns = now_ns}, &rec, 1);
	source = 2;
}

static struct xr_order_result set_if(const char *name, const char *value, const uint64_t *if_id)
{
	struct xr_order o = {.kind = XR_ORDER_SET,
			     .conditional = if_id,
			     .if_id = if_id ? *if_id : 0,
			     .size = (uint16_t)strlen(value)};
	struct xr_order_result r;

	snprintf(o.group, sizeof(o.group), "%s", name);
	memcpy(o.value, value, o.size);
	xr_engine_order(&engine, &o, &r);
	return r;
}

static struct xr_order_result set(const char *value)
{
	return set_if("g", value, NULL);
}

static void assert_shown(uint64_t id, uint64_t committed, const char *value)
{
	assert_int_equal(values[G].v.sequence & 1, 0);
	assert_int_equal(values[G].v.id, id);
	assert_int_equal(values[G].v.committed, committed);
	assert_int_equal(values[G].v.size, strlen(value));
	assert_memory_equal(values[G].value, value, strlen(value));
}

/* Rules 22, 25 and 26: made, durable, acked by a majority; and until then no other. */
static void leader_commits_what_a_majority_has(void **state)
{
	(void)state;
	lead(G);
	assert_int_equal(set("one").entry, id_of(4, 1));
	assert_string_equal(seen.calls, "sk");
	assert_int_equal(seen.votes[0].term, 4); /* one record with term and vote */
	assert_int_equal(seen.votes[0].vote, 0);
	assert_int_equal(seen.entries[0]->id, id_of(4, 1));
	assert_int_equal(seen.entries[0]->voters, 0xe);
	assert_int_equal(sent(XR_APPEND), 2); /* the others write it meanwhile */
	assert_int_equal(seen.append.entry.id, id_of(4, 1));
	assert_string_equal(seen.append.entry.value, "one");
	assert_int_equal(groups[G].entry, 0);
	arrive_ack(2, 1);
	arrive_ack(3, 1); /* who has it already: but the leader names it when it is durable here */
	assert_int_equal(groups[G].entry, 0);
	assert_int_equal(sent(XR_HEARTBEAT), 0);
	assert_shown(0, 0, "");
	disk_is_done();
	assert_int_equal(groups[G].entry, XR_COMMITTED | 1);
	assert_shown(id_of(4, 1), id_of(4, 1), "one");
	assert_int_equal(sent(XR_HEARTBEAT), 2); /* the others know at once */
	assert_int_equal(seen.record.entry, XR_COMMITTED | 1);
	assert_int_equal(seen.told, id_of(4, 1));
	seen.nsent = 0;
	assert_int_equal(set("two").entry, id_of(4, 2));
	disk_is_done();
	assert_int_equal(groups[G].entry, 2);
	assert_shown(id_of(4, 2), id_of(4, 1), "two");
	assert_int_equal(set("three").err, -EBUSY);
	assert_int_equal(sent(XR_HEARTBEAT), 0);
	arrive_ack(3, 2);
	assert_int_equal(groups[G].entry, XR_COMMITTED | 2);
	assert_int_equal(set("three").entry, id_of(4, 3));
}

/* Who acks without it gets it again; and again, since an APPEND may be lost. A stranger's counts not. */
static void who_lacks_the_entry_gets_it_again(void **state)
{
	(void)state;
	lead(G);
	set("one");
	arrive_ack(2, 0); /* both may have it on their way to the disk */
	assert_int_equal(sent(XR_APPEND), 2);
	disk_is_done();
	arrive_ack(2, 0);
	arrive_ack(3, XR_COMMITTED | 7);
	assert_int_equal(sent(XR_APPEND), 4);
	assert_int_equal(seen.sent[seen.nsent - 1].to, 3);
	assert_int_equal(groups[G].entry, 1);
	arrive_ack(4, 1); /* no voter */
	assert_int_equal(groups[G].entry, 1);
	arrive_ack(2, 1);
	assert_int_equal(groups[G].entry, XR_COMMITTED | 1);
	arrive_ack(3, 0);
	assert_int_equal(sent(XR_APPEND), 5);
	arrive_ack(3, 1);
	arrive_ack(3, XR_COMMITTED | 1);
	assert_int_equal(sent(XR_APPEND), 5);
}

/* Nobody has set one: whatever an ack says, there is nothing to send. */
static void who_has_no_entry_sends_none(void **state)
{
	(void)state;
	lead(G);
	arrive_ack(2, 5);
	arrive_ack(3, XR_COMMITTED | 5);
	assert_int_equal(seen.nsent, 0);
	assert_int_equal(groups[G].entry, 0);
}

/* What is acked is of this term: a late ack of another says nothing (5.4.2). */
static void acks_of_another_term_commit_nothing(void **state)
{
	struct xr_record recs[] = {
		{.group = G, .term = 3, .digest = 77, .flags = XR_ACKED, .entry = 1},
		{.group = G, .term = 4, .digest = 77, .flags = XR_PENDING, .entry = 1},
		{.group = G, .term = 4, .digest = 78, .flags = XR_ACKED, .entry = 1},
		{.group = G, .term = 4, .digest = 77, .flags = XR_ACKED}, /* for which it goes up */
	};

	(void)state;
	lead(G);
	set("one");
	disk_is_done();
	arrive((struct xr_wire){.type = XR_ACK, .sent_ns = 5, .echo_ns = now_ns}, recs, 4);
	assert_int_equal(sent(XR_APPEND), 3);
	assert_int_equal(groups[G].entry, 1);
}

/* Rule 24: only then it is named, in the record and in the ack, which echoes the APPEND. */
static void entry_is_durable_before_it_is_acked(void **state)
{
	(void)state;
	follow(5);
	arrive_append(5, entry(id_of(5, 3), "hello"), 2000000, 0);
	assert_string_equal(seen.calls, "sk");
	assert_int_equal(seen.votes[0].term, 5);
	assert_int_equal(seen.votes[0].vote, 0);
	assert_int_equal(seen.entries[0]->id, id_of(5, 3));
	assert_int_equal(sent(XR_ACK), 0);
	assert_int_equal(groups[G].entry, 0);
	assert_shown(0, 0, "");
	assert_view(5, 2, XR_FOLLOW); /* no fence: it is no vote */
	disk_is_done();
	assert_int_equal(groups[G].entry, 3);
	assert_shown(id_of(5, 3), 0, "hello");
	assert_int_equal(sent(XR_ACK), 1);
	assert_int_equal(seen.record.flags, XR_ACKED);
	assert_int_equal(seen.record.entry, 3);
	assert_int_equal(seen.sent[seen.nsent - 1].echo_ns, 2000000);
	arrive_append(5, entry(id_of(5, 3), "hello"), 3000000, 0); /* again: acked again */
	assert_int_equal(sent(XR_ACK), 2);
	assert_int_equal(seen.nvotes, 1);
}

/* Between taking it and the disk it takes no other: that comes again. */
static void one_entry_at_a_time_is_written(void **state)
{
	(void)state;
	follow(5);
	arrive_append(5, entry(id_of(5, 3), "first"), 2000000, 0);
	arrive_append(5, entry(id_of(5, 4), "second"), 3000000, 0);
	assert_int_equal(seen.nvotes, 1);
	disk_is_done();
	assert_shown(id_of(5, 3), 0, "first");
	arrive_append(5, entry(id_of(5, 4), "second"), 4000000, 0);
	disk_is_done();
	assert_shown(id_of(5, 4), 0, "second");
}

static void only_newer_entries_are_taken(void **state)
{
	(void)state;
	follow(5);
	arrive_append(5, entry(id_of(5, 3), "three"), 2000000, 0);
	disk_is_done();
	memset(&seen, 0, sizeof(seen));
	arrive_append(5, entry(id_of(5, 2), "older"), 3000000, 0);
	arrive_append(4, entry(id_of(4, 9), "of an older term"), 4000000, 0);
	arrive_append(5, entry(id_of(4, 9), "not its own"), 5000000, 0);
	arrive_append(5, entry(id_of(6, 1), "nor of a later one"), 6000000, 0);
	source = 3; /* who does not lead */
	arrive_append(4, entry(id_of(4, 9), "by another"), 7000000, 0);
	arrive_append(5, entry(id_of(5, 9), "though it says so"), 8000000, 0);
	source = 2;
	assert_int_equal(seen.nvotes, 0);
	assert_shown(id_of(5, 3), 0, "three");
	assert_int_equal(groups[G].entry, 3);
}

/* As it says it is long, and of voters that can be; else it is counted, and no more. */
static void entries_that_cannot_be_are_dropped(void **state)
{
	const size_t whole = sizeof(struct xr_record) + XR_ENTRY_BASE + 8;
	struct xr_entry e = entry(id_of(5, 1), "hello");

	(void)state;
	follow(5);
	engine.stats.drop_group = 0;
	arrive_append(5, e, 1100000, whole - 8);
	arrive_append(5, e, 1200000, whole + 8);
	arrive_append(5, e, 1300000, sizeof(struct xr_record));
	arrive_append(5, e, 1400000, 8);
	e.size = XR_VALUE_MAX + 1;
	arrive_append(5, e, 1500000, sizeof(struct xr_append));
	e.size = 5;
	e.voters = 0;
	arrive_append(5, e, 1600000, 0);
	e.voters = 0xf; /* there is no node 0 */
	arrive_append(5, e, 1650000, 0);
	e.voters = 0xe;
	e.learners = 1 << 3; /* who is a voter */
	arrive_append(5, e, 1700000, 0);
	e.learners = 0;
	e.id = id_of(5, 0); /* which a record would name as none */
	arrive_append(5, e, 1710000, 0);
	e.id = id_of(5, XR_COMMITTED | 1);
	arrive_append(5, e, 1720000, 0);
	assert_int_equal(engine.stats.drop_group, 10);
	assert_int_equal(seen.nvotes, 0);
	e.id = id_of(5, 1);
	arrive_append(5, e, 1800000, whole);
	assert_int_equal(seen.nvotes, 1);
}

/* Its heartbeat has been lost: the term first, and the ack of that asks for the entry again. */
static void append_of_a_newer_leader_is_followed(void **state)
{
	(void)state;
	arrive_append(6, entry(id_of(6, 1), "new"), 1000000, 0);
	assert_int_equal(seen.nvotes, 1);
	assert_int_equal(seen.votes[0].term, 6);
	assert_null(seen.entries[0]);
	disk_is_done();
	assert_view(6, 2, XR_FOLLOW);
	assert_int_equal(sent(XR_ACK), 1);
	assert_int_equal(seen.record.entry, 0);
	arrive_append(6, entry(id_of(6, 1), "new"), 2000000, 0);
	disk_is_done();
	assert_int_equal(seen.record.entry, 1);
	assert_int_equal(groups[G].entry, 1);
}

/* Rule 24: an index says nothing of an entry of another term. Readers have it all the same. */
static void entry_of_an_older_term_is_not_named(void **state)
{
	(void)state;
	follow(5);
	arrive_append(5, entry(id_of(5, 3), "three"), 2000000, 0);
	disk_is_done();
	groups[G].entry |= XR_COMMITTED; /* the NIC path has heard so */
	follow(6);
	assert_view(6, 2, XR_FOLLOW);
	assert_int_equal(groups[G].entry, 0);
	assert_int_equal(values[G].v.id, id_of(5, 3));
	now_ns++;
	arrive_heartbeat(6, D_US, 3000000);
	assert_int_equal(seen.record.flags, XR_ACKED);
	assert_int_equal(seen.record.entry, 0);
	/* A vote for another says which it is. */
	now_ns += 3 * D_NS;
	time_out(D_NS);
	assert_int_equal(seen.ballot.entry, id_of(5, 3));
}

static void hear_that_it_is_committed(uint32_t said, uint64_t sent_ns)
{
	struct xr_record rec = {.group = G, .term = 5, .digest = 77, .entry = said};

	now_ns++;
	arrive((struct xr_wire){.type = XR_HEARTBEAT, .sent_ns = sent_ns}, &rec, 1);
}

/* Rule 25: of exactly the entry that it has; people hear of it once. */
static void follower_learns_that_it_is_committed(void **state)
{
	(void)state;
	follow(5);
	arrive_append(5, entry(id_of(5, 3), "three"), 2000000, 0);
	disk_is_done();
	hear_that_it_is_committed(3, 3000000);
	hear_that_it_is_committed(XR_COMMITTED | 4, 4000000);
	hear_that_it_is_committed(XR_COMMITTED | 2, 5000000);
	groups[G].entry = XR_COMMITTED | 9; /* as somebody has written over it */
	arrive_append(5, entry(id_of(5, 3), "three"), 5500000, 0);
	groups[G].entry = 3;
	assert_shown(id_of(5, 3), 0, "three");
	assert_int_equal(seen.said[0], 0);
	hear_that_it_is_committed(XR_COMMITTED | 3, 6000000);
	assert_shown(id_of(5, 3), id_of(5, 3), "three");
	assert_int_equal(seen.told, id_of(5, 3));
	assert_int_equal(seen.record.entry, XR_COMMITTED | 3);
	seen.said[0] = '\0';
	hear_that_it_is_committed(XR_COMMITTED | 3, 7000000);
	arrive_append(5, entry(id_of(5, 3), "three"), 7500000, 0);
	assert_int_equal(seen.said[0], 0);
	/* The next one is another. */
	arrive_append(5, entry(id_of(5, 4), "four"), 8000000, 0);
	disk_is_done();
	assert_shown(id_of(5, 4), id_of(5, 3), "four");
	assert_int_equal(groups[G].entry, 4);
}

/* Elected by node 3, in the term after that of node 2. */
static void succeed(uint32_t term)
{
	struct xr_ballot yes = {.term = term, .flags = XR_GRANTED};

	time_out(3 * D_NS);
	source = 3;
	yes.round = seen.ballot.round;
	arrive_ballot(XR_PREVOTE_ANSWER, yes);
	disk_is_done();
	yes.round = seen.ballot.round;
	arrive_ballot(XR_VOTE_ANSWER, yes);
	source = 2;
	assert_view(term, 1, XR_LEAD);
}

/* Rule 26: the same, in its own term; what it has of its predecessor is committed with that. */
static void leader_makes_the_entry_before_anew(void **state)
{
	(void)state;
	follow(5);
	arrive_append(5, entry(id_of(5, 3), "three"), 2000000, 0);
	disk_is_done();
	arrive_append(5, entry(id_of(5, 2), "late"), 3000000, 0);
	memset(&seen, 0, sizeof(seen));
	succeed(6);
	assert_int_equal(seen.ballot.entry, id_of(5, 3)); /* rule 23 */
	assert_int_equal(seen.entries[seen.nvotes - 1]->id, id_of(6, 4));
	assert_string_equal(seen.entries[seen.nvotes - 1]->value, "three");
	assert_int_equal(sent(XR_APPEND), 2);
	assert_int_equal(seen.append.entry.id, id_of(6, 4));
	assert_int_equal(set("mine").err, -EBUSY);
	disk_is_done();
	assert_shown(id_of(6, 4), 0, "three");
	assert_int_equal(set("mine").err, -EBUSY);
	arrive_ack(3, 4);
	assert_shown(id_of(6, 4), id_of(6, 4), "three");
	assert_int_equal(set("mine").entry, id_of(6, 5));
}

/* All others have it first: but what they have is committed when it is durable here, and no entry before. */
static void entry_anew_waits_for_the_own_disk(void **state)
{
	(void)state;
	follow(5);
	arrive_append(5, entry(id_of(5, 3), "three"), 2000000, 0);
	disk_is_done();
	memset(&seen, 0, sizeof(seen));
	succeed(6);
	arrive_ack(2, 4);
	arrive_ack(3, 4);
	assert_shown(id_of(5, 3), 0, "three");
	disk_is_done();
	assert_shown(id_of(6, 4), id_of(6, 4), "three");
}

/* An entry that is still on its way when its leader is gone: neither named nor acked in the next term. */
static void entry_that_comes_late_is_not_acked(void **state)
{
	(void)state;
	follow(5);
	arrive_append(5, entry(id_of(5, 3), "late"), 2000000, 0);
	engine.members[G].raft.term = 6; /* as if that had been written meanwhile */
	engine.members[G].published.view.term = groups[G].view.term = 6;
	disk_is_done();
	assert_int_equal(sent(XR_ACK), 0);
	assert_int_equal(groups[G].entry, 0);
	assert_int_equal(engine.members[G].raft.entry, id_of(5, 3)); /* but compared by each vote */
}

/* Whom one asks, and with what: each refusal has its number, and says what to do. */
static void orders_that_set_no_value(void **state)
{
	const uint64_t none = 0, first = id_of(4, 1);
	struct xr_order_result r = set_if("nope", "x", NULL);

	(void)state;
	assert_int_equal(r.err, -ENOENT);
	assert_string_equal(r.why.text, "there is no group nope here");
	r = set("x");
	assert_int_equal(r.err, -EPERM);
	assert_string_equal(
		r.why.text,
		"its leader sets the value of g, and this node knows of none: try again once "
		"xraft status shows one");
	follow(5);
	r = set("x");
	assert_int_equal(r.err, -EPERM);
	assert_string_equal(
		r.why.text,
		"its leader sets the value of g, and node 2 leads: run xraft -n t.2 set there");
	stop(state);
	start(state);
	lead(G);
	r = set("seventeen letters");
	assert_int_equal(r.err, -EINVAL);
	assert_non_null(strstr(r.why.text, "has 17 bytes, and there is room for 16"));
	r = set_if("g", "x", &first);
	assert_int_equal(r.err, -ESTALE);
	assert_non_null(strstr(r.why.text, "the id of none is 0"));
	assert_int_equal(seen.nvotes, 0);
	assert_int_equal(seen.nsent, 0);
	assert_int_equal(set_if("g", "sixteen letters!", &none).err, 0);
	disk_is_done();
	r = set_if("g", "x", &none);
	assert_int_equal(r.err, -ESTALE);
	assert_non_null(strstr(r.why.text, "the entry of g is 4.1 by now"));
	r = set_if("g", "x", &first);
	assert_int_equal(r.err, -EBUSY);
	assert_non_null(strstr(r.why.text, "no majority has yet"));
	arrive_ack(3, 1);
	engine.members[G].raft.entry = engine.members[G].raft.committed = id_of(4, XR_INDEX_MAX);
	r = set("x");
	assert_int_equal(r.err, -EOVERFLOW);
	assert_non_null(strstr(r.why.text, "can have no more"));
}

/* Who was given more room than a node has keeps all of it; only its readers do not see it. */
static void value_that_has_no_room_is_kept(void **state)
{
	(void)state;
	follow(5);
	arrive_append(5, entry(id_of(5, 1), "more than sixteen letters"), 2000000, 0);
	disk_is_done();
	assert_int_equal(sent(XR_ACK), 1);
	assert_int_equal(values[G].v.size, 25);
	assert_int_equal(values[G].value[0], 0);
	assert_int_equal(values[H].v.sequence, 0);
	succeed(6);
	assert_string_equal(seen.append.entry.value, "more than sixteen letters");
}

/* Alone it is its own majority. */
static void alone_it_commits_by_its_own_disk(void **state)
{
	(void)state;
	lead(G);
	engine.members[G].raft.voters = groups[G].members = 1 << 1;
	set("one");
	assert_int_equal(sent(XR_APPEND), 0);
	assert_shown(0, 0, "");
	disk_is_done();
	assert_shown(id_of(4, 1), id_of(4, 1), "one");
}

/* ---- over a start ---- */

static void write_entry(const struct xr_entry *e, uint32_t term)
{
	const struct xr_vote v = {.group = H, .term = term, .digest = 78, .name = "h"};

	assert_int_equal(xr_journal_append(journal, &v, &e, 1, NULL), 0);
}

/* H, since the others' journal is as write_journal() has it. What a life has shown as committed is so. */
static void start_has_the_entry(void **state)
{
	struct xr_entry e = entry(id_of(4, 7), "seven");

	stop(state);
	write_entry(&e, 4);
	start(state);
	assert_int_equal(engine.members[H].raft.entry, id_of(4, 7));
	assert_int_equal(engine.members[H].raft.committed, 0);
	assert_int_equal(groups[H].entry, 7);
	assert_int_equal(values[H].v.id, id_of(4, 7));
	assert_memory_equal(values[H].value, "seven", 5);
	assert_int_equal(values[G].v.id, 0);
	stop(state);
	memset(&engine, 0, sizeof(engine));
	engine.config = &config;
	engine.host = &host;
	engine.looks = &looks;
	values[H].v.committed = id_of(4, 7);
	values[H].v.sequence = 3;     /* it died as it wrote */
	values[G].v.id = id_of(2, 2); /* of an earlier cluster */
	assert_int_equal(xr_engine_init(&engine, &maps, journal, PROMISE_UNTIL_NS, NULL), 0);
	assert_int_equal(engine.members[H].raft.committed, id_of(4, 7));
	assert_int_equal(values[H].v.committed, id_of(4, 7));
	assert_int_equal(values[H].v.sequence, 4);
	assert_int_equal(groups[H].entry, XR_COMMITTED | 7);
	assert_int_equal(values[G].v.id, 0);
}

/* Rule 18: in the term that the journal ends with it has named a newer one than the journal has. */
static void entry_that_its_own_maps_know_is_missed(void **state)
{
	struct xr_why why = {0};

	stop(state);
	groups[G].view = (struct xr_view){.term = 4, .mode = XR_NONE};
	groups[G].entry = XR_COMMITTED | 2;
	memset(engine.known, 0, sizeof(engine.known));
	assert_int_equal(xr_engine_init(&engine, &maps, journal, PROMISE_UNTIL_NS, &why), -ESTALE);
	assert_non_null(strstr(why.text, "g: "));
	assert_non_null(strstr(why.text, "term 4, entry 2,"));
	xr_engine_free(&engine);
	memset(&engine, 0, sizeof(engine));
	engine.config = &config;
	engine.host = &host;
	engine.looks = &looks;
	groups[G].view.term = 3; /* of an older term: that has been left behind */
	assert_int_equal(xr_engine_init(&engine, &maps, journal, PROMISE_UNTIL_NS, &why), 0);
}

/*
 * ---- what it says of itself (rule 20) ----
 */

/* So long turns without anything but the timer. */
static void pass(uint64_t ns)
{
	for (uint64_t end_ns = now_ns + ns; now_ns < end_ns;) {
		now_ns += 260 * NS_PER_MS;
		seen.nsent = 0;
		seen.calls[0] = '\0';
		xr_engine_timer(&engine);
		seen.asked += asked();
	}
}

static void record_that_was_zeroed_is_put_back(void **state)
{
	(void)state;
	follow(5);
	memset(&groups[G], 0, sizeof(groups[G]));
	arrive_fact((struct xr_wire){.type = XR_ASK}, 0); /* whatever comes: nobody votes */
	now_ns += 260 * NS_PER_MS;
	xr_engine_receive(&engine);
	assert_view(5, 2, XR_FOLLOW);
	assert_int_equal(groups[G].members, 0xe);
	assert_int_equal(groups[G].digest, 77);
	assert_string_equal(groups[G].name, "g");
	assert_int_equal(groups[G].contact_ns, now_ns); /* rule 3: a leader was heard */
	assert_int_equal(seen.nwrong, 1);
	assert_non_null(strstr(seen.wrong, "the record of g (group 0) in the maps"));
	pass(3 * NS_PER_S);
	assert_int_equal(seen.nwell, 1);
	assert_false(seen.exited);
}

/* Before it is missed: in the very step that would decide by it. */
static void nobody_gets_a_vote_by_a_zeroed_record(void **state)
{
	(void)state;
	follow(5);
	memset(&groups[G], 0, sizeof(groups[G]));
	xr_group_message(&engine, G, &(struct xr_message){.type = XR_VOTE, .node = 3, .term = 6});
	assert_int_equal(seen.nvotes, 0);
	assert_view(5, 2, XR_FOLLOW);
	assert_int_equal(groups[G].contact_ns, now_ns);
}

/* Rule 5: acks from before count no more. */
static void leader_whose_record_was_zeroed_leads_on_without_old_acks(void **state)
{
	(void)state;
	lead(G);
	acks[G].echo_ns[2] = now_ns;
	now_ns += NS_PER_MS;
	memset(&groups[G], 0, sizeof(groups[G]));
	now_ns += 260 * NS_PER_MS;
	engine.turned_ns = now_ns; /* not a stall */
	xr_look_around(&engine, now_ns);
	assert_int_equal(groups[G].view.mode, XR_LEAD);
	assert_int_equal(groups[G].lead_since_ns, now_ns);
	assert_true(xr_before(acks[G].echo_ns[2], groups[G].lead_since_ns));
}

/* Rule 2: what may be a fence is one, whatever else was written over. */
static void fence_is_not_undone(void **state)
{
	(void)state;
	follow(5);
	groups[G].members = groups[G].digest = 0; /* by a start over these maps */
	groups[G].view = (struct xr_view){.term = 5, .mode = XR_NONE};
	now_ns += 260 * NS_PER_MS;
	xr_look_around(&engine, now_ns);
	assert_view(5, 0, XR_NONE);
}

static void control_that_was_zeroed_is_put_back(void **state)
{
	struct xr_control before;

	(void)state;
	pass(NS_PER_S);
	before = control;
	memset(&control, 0, sizeof(control));
	memset(&seen, 0, sizeof(seen));
	pass(260 * NS_PER_MS);
	assert_int_equal(control.self, 1);
	assert_int_equal(control.abi, XR_ABI);
	assert_int_equal(control.min_timeout_us, before.min_timeout_us);
	assert_true(xr_before(now_ns, control.alive_until_ns));
	assert_non_null(strstr(seen.wrong, "xr_control in the maps"));
}

/* The silent are asked, told of once, and once more when they are back. */
static void silence_of_a_peer_is_told_once(void **state)
{
	(void)state;
	source = 3;
	for (int i = 0; i < 40; i++) {
		pass(260 * NS_PER_MS);
		seen.nsent = 0;
		nincoming = next_incoming = 0;
		arrive_fact((struct xr_wire){.type = XR_PATH_DELIVERED}, 0);
		source = source == 3 ? 4 : 3;
	}
	assert_int_equal(seen.nwrong, 1);
	assert_non_null(strstr(seen.wrong, "node 2 has answered nothing"));
	source = 2;
	arrive_fact((struct xr_wire){.type = XR_PATH_DELIVERED}, 0);
	pass(260 * NS_PER_MS);
	assert_int_equal(seen.nwell, 1);
	assert_int_equal(seen.nwrong, 1);
}

/* The NIC path stamps while the look goes on: that is no silence of centuries. */
static void stamp_of_this_moment_is_no_silence(void **state)
{
	(void)state;
	follow(5);
	pass(NS_PER_S);
	seen.nwrong = 0;
	groups[G].contact_ns = now_ns + 260 * NS_PER_MS + 1;
	pass(260 * NS_PER_MS);
	assert_int_equal(seen.nwrong, 0);
}

static void tell(uint8_t node)
{
	nincoming = next_incoming = 0;
	source = node;
	arrive_fact((struct xr_wire){.type = XR_TELL}, engine.known[node].nonce);
	source = 2;
}

/* All answer but node 2, where large datagrams get lost: it answers the small one that follows. */
static void ask_large(bool arrives)
{
	for (int turns = 0; !engine.known[2].large_open; turns++) {
		assert_in_range(turns, 0, 20);
		pass(1);
		for (uint8_t node = 2; node <= 4; node++)
			if (engine.known[node].nonce && !engine.known[2].large_open)
				tell(node);
	}
	tell(3);
	tell(4);
	if (!arrives)
		pass(1);
	tell(2);
}

/* Heartbeats of many groups go together: where only large datagrams are lost, it is said. */
static void path_that_loses_large_datagrams_is_told(void **state)
{
	struct xr_config many = config;

	(void)state;
	many.ngroups = GROUPS;
	engine.config = &many;
	engine.path.next_ns = UINT64_MAX;
	for (int i = 0; i < 4; i++)
		ask_large(false);
	ask_large(true); /* chance */
	for (int i = 0; i < 5; i++) {
		assert_int_equal(seen.nwrong, 0);
		ask_large(false);
	}
	pass(260 * NS_PER_MS);
	assert_int_equal(seen.nwrong, 1);
	assert_non_null(strstr(seen.wrong, "bytes do not arrive at node 2, and smaller ones do"));
	ask_large(true);
	pass(260 * NS_PER_MS);
	assert_int_equal(seen.nwell, 1);
	engine.config = &config;
}

static void only_the_silent_are_asked(void **state)
{
	(void)state;
	engine.path.next_ns = UINT64_MAX; /* of its answers nobody asks, */
	follow(5);			  /* nor for want of a leader */
	groups[G].contact_ns = now_ns + 9 * NS_PER_S;
	pass(2 * NS_PER_S);
	assert_true(seen.asked >= 3); /* three peers */
	introduce();
	seen.asked = 0;
	for (int i = 0; i < 8; i++) {
		nincoming = next_incoming = 0;
		for (source = 2; source <= 4; source++)
			arrive_fact((struct xr_wire){.type = XR_PATH_DELIVERED}, 0);
		pass(260 * NS_PER_MS);
	}
	source = 2;
	assert_int_equal(seen.asked, 0);
}

/* Who was stopped for a minute has heard nobody for a minute, and says nothing of them. */
static void own_pause_is_no_silence_of_others(void **state)
{
	(void)state;
	follow(5);
	pass(NS_PER_S);
	now_ns += 60 * NS_PER_S;
	seen.nwrong = 0;
	xr_look_around(&engine, now_ns);
	assert_int_equal(seen.nwrong, 0);
}

/* One that asks, asks in vain, and sends whatever it likes may be deaf. */
static void only_answers_show_that_a_peer_hears(void **state)
{
	(void)state;
	for (int i = 0; i < 40; i++) {
		nincoming = next_incoming = 0;
		for (source = 3; source <= 4; source++)
			arrive_fact((struct xr_wire){.type = XR_PATH_DELIVERED}, 0);
		source = 2;
		arrive_fact((struct xr_wire){.type = XR_ASK}, 0);
		arrive_fact((struct xr_wire){.type = XR_PATH_ECHO}, 0); /* its card's */
		pass(260 * NS_PER_MS);
	}
	assert_int_equal(seen.nwrong, 1);
	assert_non_null(strstr(seen.wrong, "node 2 has answered nothing"));
}

static void who_is_deaf_does_not_judge(void **state)
{
	(void)state;
	xr_look_wrong(&looks, XR_LOOK_input, 0, now_ns, "all of 7");
	pass(10 * NS_PER_S);
	assert_int_equal(seen.nwrong, 1);
	assert_non_null(strstr(seen.wrong, "a firewall on this machine"));
	xr_look_well(&looks, XR_LOOK_input, 0, now_ns);
	pass(NS_PER_S); /* that nobody was heard until now was his own fault */
	assert_int_equal(seen.nwrong, 1);
	pass(10 * NS_PER_S);
	assert_int_equal(seen.nwrong, 4);
}

/* Its card acks; no datagram of its daemon arrives. */
static void deaf_peer_is_told(void **state)
{
	(void)state;
	lead(G);
	for (int i = 0; i < 120; i++) {
		nincoming = next_incoming = 0;
		for (source = 3; source <= 4; source++)
			arrive_fact((struct xr_wire){.type = XR_PATH_DELIVERED}, 0);
		acks[G].echo_ns[2] = acks[G].echo_ns[3] = now_ns;
		now_ns += D_NS / 2;
		seen.nsent = 0;
		seen.calls[0] = '\0';
		xr_engine_timer(&engine);
	}
	source = 2;
	assert_int_equal(seen.nwrong, 1);
	assert_non_null(
		strstr(seen.wrong, "node 2 answers heartbeats by its card, and its daemon"));
	acks[G].echo_ns[2] = now_ns;
	assert_int_equal(order("g", 2).err, -EHOSTDOWN);
	acks[G].echo_ns[3] = now_ns - 1;
	assert_int_equal(order("", 0).err, 0);
	assert_int_equal(seen.heir, 3);
}

#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
static const struct CMUnitTest tests[] = {
	T(acks_a_new_leader_once_its_term_is_durable),
	T(late_ack_is_withheld_from_a_larger_d),
	T(late_ack_is_judged_by_the_largest_d),
	T(fenced_from_outside_it_stops),
	T(fenced_while_the_disk_is_busy),
	T(orders_to_others_than_the_leader_are_refused),
	T(hands_over_only_to_a_voter_that_is_there),
	T(polled_for_an_earlier_leadership_it_resigns),
	T(heirs_share_the_groups),
	T(follower_that_heard_its_leader_is_quiet),
	T(leader_that_may_lead_is_quiet),
	T(stamped_after_the_fence_it_is_restored),
	T(lift_is_for_the_next_term_alone),
	T(elected),
	T(campaign_is_given_up),
	T(votes_once_its_lease_is_over),
	T(late_leader_asks_first),
	T(acks_count_from_lead_since_to_now),
	T(polled_without_its_quorum_it_is_silent),
	T(refuses_one_and_follows_another),
	T(answers_one_and_decides_another),
	T(pending_records_are_not_stamped),
	T(takes_what_the_nic_path_left),
	T(of_acks_only_refusals_enter_a_term),
	T(ballots_of_strangers_are_counted),
	T(after_the_deadline_it_is_silent),
	T(key_that_was_taken_out_is_unknown),
	T(takes_part_where_state_and_voters_agree),
	T(reload_brings_only_what_has_no_state),
	T(two_leaders_in_a_term_are_a_crash),
	T(steps_down_everywhere),
	T(stops_in_order),
	T(write_that_failed_is_the_end),
	T(vote_that_is_not_taken_is_the_end),
	T(hung_disk_ends_the_leadership),
	T(stall_ends_the_leadership),
	T(quiet_node_wakes_and_probes),
	T(timer_asks_the_socket_first),
	T(silence_is_this_leaders),
	T(flood_keeps_no_timer_waiting),
	T(deadline_waits_for_the_timer),
	T(repeated_question_is_answered_once),
	T(dead_socket_is_a_hint),
	T(acks_share_a_datagram_only_with_their_echo),
	T(path_tests_are_the_nic_paths_to_echo),
	T(path_whose_echoes_nobody_sees_is_lost),
	T(heirs_go_by_priority),
	T(pause_counts_once_it_is_durable),
	T(pause_and_vote_are_one_record),
	T(durable_pause_is_no_durable_vote),
	T(paused_leader_hands_over),
	T(paused_candidate_gives_up),
	T(pause_outlives_a_restart),
	T(others_tell_of_their_pauses),
	T(news_are_asked_for),
	T(witness_is_handed_nothing),
	T(nobody_left_to_lead_is_told),
	T(failback_waits_for_a_node_that_is_well),
	T(who_is_deaf_does_not_doubt_the_path),
	T(path_is_tested_again_after_a_doubt),
	T(recorded_ballots_and_polls_are_taken_up_once),
	T(state_older_than_its_own_maps_is_refused),
	T(leader_commits_what_a_majority_has),
	T(who_lacks_the_entry_gets_it_again),
	T(who_has_no_entry_sends_none),
	T(acks_of_another_term_commit_nothing),
	T(entry_is_durable_before_it_is_acked),
	T(one_entry_at_a_time_is_written),
	T(only_newer_entries_are_taken),
	T(entries_that_cannot_be_are_dropped),
	T(append_of_a_newer_leader_is_followed),
	T(entry_of_an_older_term_is_not_named),
	T(follower_learns_that_it_is_committed),
	T(leader_makes_the_entry_before_anew),
	T(entry_anew_waits_for_the_own_disk),
	T(entry_that_comes_late_is_not_acked),
	T(orders_that_set_no_value),
	T(value_that_has_no_room_is_kept),
	T(alone_it_commits_by_its_own_disk),
	T(entry_that_its_own_maps_know_is_missed),
	T(record_that_was_zeroed_is_put_back),
	T(nobody_gets_a_vote_by_a_zeroed_record),
	T(leader_whose_record_was_zeroed_leads_on_without_old_acks),
	T(fence_is_not_undone),
	T(control_that_was_zeroed_is_put_back),
	T(silence_of_a_peer_is_told_once),
	T(stamp_of_this_moment_is_no_silence),
	T(own_pause_is_no_silence_of_others),
	T(path_that_loses_large_datagrams_is_told),
	T(only_the_silent_are_asked),
	T(only_answers_show_that_a_peer_hears),
	T(who_is_deaf_does_not_judge),
	T(deaf_peer_is_told),
	T(start_has_the_entry), /* the last: the journal has it from here on */
};

int main(void)
{
	int failed;

	disk = fake_disk_new(1);
	failed = cmocka_run_group_tests(tests, write_journal, NULL);
	xr_journal_close(journal);
	fake_disk_free(disk);
	return failed;
}
