// SPDX-License-Identifier: GPL-2.0-only
/*
 * The engine between a scripted network, a scripted disk and a clock that stands: what it does in
 * rule 3's order, with the rules and the core as they are.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>
#include "engine/ballot.h"
#include "engine/engine.h"
#include "unit/fake_disk.h"

#define D_US 100000u

static struct xr_engine engine;
static struct xr_group groups[1];
static struct xr_acks acks[1];
static struct xr_control control;
static struct xr_config_group group = {.id = 0, .voters = 0xe, .digest = 77, .name = "g"};
static struct xr_config config = {
	.self = 1,
	.cluster = "t",
	.stall_limit_us = 1000000,
	.min_timeout_us = D_US,
	.max_timeout_us = 2 * D_US,
	.heartbeat_us = D_US / 5,
	.groups = &group,
	.ngroups = 1,
};

/* What the fakes below recorded. */
static struct {
	struct xr_vote votes[8];
	int nvotes;
	struct {
		uint8_t type, to;
		uint64_t echo_ns;
	} sent[16];
	int nsent;
	char said[256];
	uint8_t heir; /* of the last resignation */
	bool exited;
} seen;

static uint64_t now_ns = 100 * NS_PER_S;
static struct xr_datagram incoming[4];
static int nincoming, next_incoming;
static bool disk_done;

/*
 * ---- the world ----
 */
static uint64_t clock_ns(void *world)
{
	(void)world;
	return now_ns;
}

static bool next_datagram(void *world, struct xr_datagram *d)
{
	(void)world;
	if (next_incoming == nincoming)
		return false;
	*d = incoming[next_incoming++];
	return true;
}

static void nothing(void *world)
{
	(void)world;
}

static uint32_t gone(void *world)
{
	(void)world;
	return 0;
}

static void note_sent(void *world, uint8_t to, const void *bytes, size_t size)
{
	const struct xr_wire *h = bytes;

	(void)world, (void)size;
	seen.sent[seen.nsent].type = h->type;
	seen.sent[seen.nsent].to = to;
	seen.sent[seen.nsent++].echo_ns = h->echo_ns;
	if (h->type == XR_RESIGN)
		seen.heir = ((const struct xr_ballot *)(h + 1))->node;
}

static int note_vote(void *world, const struct xr_vote *v)
{
	(void)world;
	seen.votes[seen.nvotes++] = *v;
	return 0;
}

static size_t reap(void *world, struct xr_done *done, size_t max)
{
	(void)world, (void)max;
	if (!disk_done)
		return 0;
	disk_done = false;
	*done = (struct xr_done){.vote = seen.votes[seen.nvotes - 1]};
	return 1;
}

static uint64_t zero(void *world)
{
	(void)world;
	return 0;
}

static int disk_error(void *world, struct xr_why *why)
{
	(void)world, (void)why;
	return 0;
}

static void at(void *world, uint64_t at_ns)
{
	(void)world, (void)at_ns;
}

static void note_report(void *world, const struct xr_report *r)
{
	(void)world;
	if (r->note[0])
		snprintf(seen.said, sizeof(seen.said), "%s", r->note);
}

static void end(void *world, int code)
{
	(void)world, (void)code;
	seen.exited = true;
}

static const struct xr_host host = {
	.now_ns = clock_ns,
	.receive = next_datagram,
	.left = nothing,
	.gone = gone,
	.send = note_sent,
	.flush = nothing,
	.submit = note_vote,
	.kick = nothing,
	.probe = nothing,
	.reap = reap,
	.oldest_ns = zero,
	.disk_error = disk_error,
	.echoes = zero,
	.show = at,
	.report = note_report,
	.arm = at,
	.rest = at,
	.end = end,
	.crash = nothing,
};

/*
 * ---- the stage: node 1 of three, a follower in term 4 that has voted for nobody ----
 */
static int start(void **state)
{
	struct fake_disk *disk = fake_disk_new(1);
	const struct xr_journal_opts opts = {
		.dir = "state", .cluster = "t", .node = 1, .create = true, .disk = &disk->ops};
	struct xr_journal *journal = NULL;
	const struct xr_vote vote = {.term = 4, .digest = group.digest, .name = "g"};
	struct xr_maps maps = {.groups = groups, .acks = acks, .control = &control, .ngroups = 1};
	struct xr_engine *e = &engine;

	(void)state;
	memset(&seen, 0, sizeof(seen));
	memset(groups, 0, sizeof(groups));
	memset(acks, 0, sizeof(acks));
	memset(e, 0, sizeof(*e));
	nincoming = next_incoming = 0;
	control = (struct xr_control){
		.abi = XR_ABI,
		.self = 1,
		.answer = 1,
		.min_timeout_us = D_US,
		.heartbeat_us = D_US / 5,
		.quorum_lapse_us = 2 * D_US,
	};
	e->config = &config;
	e->host = &host;
	for (uint8_t node = 1; node <= 3; node++)
		e->peers[node] = (struct xr_peer){.ip = {[15] = node}, .port = 7007, .used = 1};
	e->keys[0].used = 1;
	assert_int_equal(xr_journal_open(&journal, &opts, NULL), 0);
	assert_int_equal(xr_journal_append(journal, &vote, 1, NULL), 0);
	assert_int_equal(xr_engine_init(e, &maps, journal, 0, NULL), 0);
	xr_journal_close(journal);
	fake_disk_free(disk);
	xr_engine_begin(e);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	xr_engine_free(&engine);
	return 0;
}

/* From node 2, with the header's type, D and time filled in, and perhaps one record. */
static void arrive(struct xr_wire wire, const struct xr_record *rec)
{
	struct xr_datagram *d = &incoming[nincoming++];

	wire.magic = XR_WIRE_MAGIC;
	wire.version = XR_WIRE_VERSION;
	wire.source = 2;
	wire.dest = 1;
	wire.count = rec != NULL;
	*d = (struct xr_datagram){.wire = wire, .size = sizeof(wire), .from.port = 7007};
	if (rec) {
		memcpy(d->bytes + d->size, rec, sizeof(*rec));
		d->size += sizeof(*rec);
	}
	memcpy(d->from.ip, engine.peers[2].ip, 16);
	d->wire.tag = xr_tag(&d->wire, d->bytes + d->size, d->size, &engine.keys[0].sip);
	xr_engine_receive(&engine);
}

static void arrive_heartbeat(uint32_t term, uint32_t min_timeout_us, uint64_t sent_ns)
{
	struct xr_record rec = {.group = 0, .term = term, .digest = group.digest};

	arrive((struct xr_wire){.type = XR_HEARTBEAT,
				.min_timeout_us = min_timeout_us,
				.sent_ns = sent_ns},
	       &rec);
}

static void disk_is_done(void)
{
	disk_done = true;
	xr_engine_durable(&engine);
}

static int sent(uint8_t type)
{
	int n = 0;

	for (int i = 0; i < seen.nsent; i++)
		n += seen.sent[i].type == type;
	return n;
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
	assert_int_equal(groups[0].view.mode, XR_NONE);
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
 * While the disk is busy another datagram of that leader, of an earlier life with a smaller D,
 * comes in late. The ack that waits belongs to the first, and must not be judged by the second.
 */
static void late_ack_is_judged_by_the_largest_d(void **state)
{
	(void)state;
	arrive_heartbeat(5, 2 * D_US, 1000000);
	arrive((struct xr_wire){.type = XR_PATH_ASK, .min_timeout_us = D_US}, NULL);
	assert_int_equal(sent(XR_PATH_TEST), 1);
	disk_is_done();
	assert_int_equal(sent(XR_ACK), 0);
	assert_int_equal(groups[0].contact_ns, 0);
}

/* Rule 2: a word that is not what was last written means that somebody has fenced this process. */
static void fenced_from_outside_it_stops(void **state)
{
	(void)state;
	groups[0].view = (struct xr_view){.term = 4, .leader = 3, .mode = XR_FOLLOW};
	arrive_heartbeat(5, D_US, 1000000);
	assert_true(engine.fenced);
	assert_true(seen.exited);
	assert_int_equal(seen.nvotes, 0);
	assert_int_equal(seen.nsent, 0);
	assert_int_equal(groups[0].view.leader, 3);
	assert_non_null(strstr(seen.said, "fenced"));
}

/* The same between the write and its completion: durable, but neither published nor answered. */
static void fenced_while_the_disk_is_busy(void **state)
{
	(void)state;
	arrive_heartbeat(5, D_US, 1000000);
	groups[0].view = (struct xr_view){.term = 9, .mode = XR_NONE};
	disk_is_done();
	assert_true(engine.fenced);
	assert_int_equal(seen.nsent, 0);
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

static void lead(void)
{
	struct xr_raft *r = &engine.members[0].raft;

	r->role = XR_LEADER;
	r->leader = 1;
	groups[0].view = (struct xr_view){.term = 4, .leader = 1, .mode = XR_LEAD};
	engine.members[0].published.view = groups[0].view;
	control.quorum_lapse_us = 2 * D_US;
	acks[0].echo_ns[3] = now_ns;
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
	lead();
	assert_int_equal(order("g", 7).err, -EINVAL);
	assert_int_equal(order("g", 2).err, -EHOSTDOWN); /* never acked */
	assert_int_equal(order("g", 1).err, 0);		 /* itself: nothing to do */
	assert_int_equal(groups[0].view.mode, XR_LEAD);
	assert_int_equal(seen.nsent, 0);
	assert_int_equal(order("g", 3).term, 4);
	assert_int_equal(groups[0].view.mode, XR_NONE); /* rule 5: the lease ends first */
	assert_int_equal(sent(XR_RESIGN), 2);
	assert_int_equal(seen.heir, 3);
}

/* A poll that the rules pass up: who led in that term, says so, and names the newest acker. */
static void polled_for_an_earlier_leadership_it_resigns(void **state)
{
	struct xr_record rec = {.group = 0, .term = 4, .digest = group.digest};
	struct xr_wire poll = {.type = XR_POLL, .min_timeout_us = D_US, .sent_ns = 1000000};

	(void)state;
	acks[0].echo_ns[3] = 7; /* of that earlier life */
	engine.members[0].raft.vote = 1;
	arrive(poll, &rec);
	assert_int_equal(sent(XR_RESIGN), 1);
	assert_int_equal(seen.sent[0].to, 2);
	assert_int_equal(seen.heir, 3);
	rec.digest++;
	arrive(poll, &rec);
	assert_int_equal(seen.nsent, 1);
}

/* Those that acked the same heartbeat share the groups; one that was away goes last. */
static void heirs_share_the_groups(void **state)
{
	const struct xr_control c = {.self = 1, .heartbeat_us = 100};
	const struct xr_group g = {.voters = 0xe};
	struct xr_acks a = {.echo_ns = {[2] = 950000, [3] = 1000000}};

	(void)state;
	assert_int_equal(xr_heir(&g, &a, &c, 0), 2);
	assert_int_equal(xr_heir(&g, &a, &c, 1), 3);
	a.echo_ns[2] = 949999; /* before the middle between two heartbeats */
	assert_int_equal(xr_heir(&g, &a, &c, 0), 3);
	a.echo_ns[2] = a.echo_ns[3] = 0;
	assert_int_equal(xr_heir(&g, &a, &c, 0), 0);
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
	lead();
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

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
