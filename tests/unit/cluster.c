// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>
#include "engine/ballot.h"
#include "unit/cluster.h"

#define GROUP	 "g"
#define DIGEST	 0x7e57
#define RTT_HALF MS(0.1)
#define FOREVER	 UINT64_MAX
#define MEET_NS	 MS(1) /* in which they have all told who they are */

#define CHECK(ok, ...)                         \
	do {                                   \
		if (!(ok))                     \
			fail_msg(__VA_ARGS__); \
	} while (0)

static const struct xr_key key = {.sip = {7, 9}, .used = 1};

static struct node *acting; /* whose turn it is */

uint64_t cluster_random(struct cluster *c)
{
	uint64_t x = c->seed += 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

struct xr_raft *raft_of(const struct cluster *c, int id)
{
	return &c->node[id].engine->members[0].raft;
}

/*
 * ---- what must hold ----
 */

static uint8_t *leader_in(struct cluster *c, uint32_t term)
{
	int slot = term * 2654435769u >> 20; /* Knuth's multiplicative hash, to 12 bits */

	_Static_assert(CLUSTER_TERMS == 1 << 12, "as many slots");
	if (c->leads[slot].term != term)
		c->leads[slot].node = 0;
	c->leads[slot].term = term;
	return &c->leads[slot].node;
}

/* Nothing is published that the disk does not know, nor a second leader of a term. */
static void check_view(struct node *n)
{
	struct xr_view view = xr_view_read(&n->group).view;
	uint8_t *leads = leader_in(n->c, view.term);

	CHECK(view.term >= n->seen.view.term, "node %d: its view went back", n->id);
	n->seen = xr_view_read(&n->group);
	if (view.mode == XR_NONE)
		return;
	CHECK(view.term == n->disk.term, "node %d: published before it is durable", n->id);
	CHECK(!n->submitted_ns, "node %d: published while a newer vote is being written", n->id);
	if (view.mode == XR_FOLLOW)
		return;
	CHECK(n->disk.vote == n->id && view.leader == n->id, "node %d: leads without own vote",
	      n->id);
	CHECK(view.term != n->resigned_term, "node %d: leads again in term %u", n->id, view.term);
	CHECK(!*leads || *leads == n->id, "two leaders in term %u", view.term);
	CHECK(*leads || n->group.lead_since_ns == n->c->now_ns,
	      "node %d: LEAD is published before lead_since", n->id);
	*leads = n->id;
}

/* 5.2, figure 4: a leader was a candidate, and becomes nothing but a follower. */
static void check_role(const struct node *n, enum xr_role before)
{
	const struct xr_raft *r = raft_of(n->c, n->id);

	CHECK(!(before == XR_FOLLOWER && r->role == XR_LEADER), "node %d: never campaigned", n->id);
	CHECK(!(before == XR_LEADER && r->role == XR_CANDIDATE), "node %d: leader campaigns",
	      n->id);
	CHECK(r->term == n->disk.term && r->vote == n->disk.vote, "node %d: core and disk disagree",
	      n->id);
}

static void check_leases(const struct cluster *c)
{
	int holders = 0;

	for (int id = 1; id <= c->n; id++)
		holders += cluster_lease(c, id);
	CHECK(holders <= 1, "%d valid leases", holders);
}

static void check_submit(const struct node *n, const struct xr_vote *v)
{
	CHECK(!n->submitted_ns, "node %d: two writes at once", n->id);
	CHECK(xr_view_read(&n->group).view.mode == XR_NONE, "node %d: writes unfenced", n->id);
	CHECK(v->term > n->disk.term ||
		      (v->term == n->disk.term && (!n->disk.vote || v->vote == n->disk.vote)),
	      "node %d: vote of term %u changes", n->id, v->term);
}

/*
 * What must hold for whatever leaves a node: nothing is promised that the disk does not know. An ack
 * may leave while a newer term is being written, but with a vote only if its leader has resigned.
 */
static void check_leaves(const struct node *n, const struct sent *s)
{
	const struct xr_raft *r = raft_of(n->c, n->id);
	bool votes = n->submitted_ns && n->writing.vote && !r->resigned && !r->op.lifted;
	uint32_t term = s->m.term;

	if (s->m.type == XR_HEARTBEAT)
		CHECK(*leader_in(n->c, term) == n->id, "node %d: beats without leading", n->id);
	if (s->m.type == XR_ACK && s->m.granted)
		CHECK(n->disk.term == term && !votes, "node %d acks term %u, durable is %u", n->id,
		      term, n->disk.term);
	if (s->m.type == XR_VOTE_ANSWER && s->m.granted)
		CHECK(n->disk.term == term && n->disk.vote == s->to,
		      "node %d grants node %d term %u before that is durable", n->id, s->to, term);
	if (s->m.type == XR_VOTE)
		CHECK((n->disk.term == term && n->disk.vote == n->id) ||
			      (n->submitted_ns && n->writing.term == term &&
			       n->writing.vote == n->id),
		      "node %d campaigns for term %u without its own vote", n->id, term);
	if (s->m.type == XR_RESIGN)
		CHECK(xr_view_read(&n->group).view.mode == XR_NONE ||
			      xr_view_read(&n->group).view.term > term,
		      "node %d resigns before it has fenced", n->id);
}

/* Once a decision, between its fence and its second look, here and in on_fence(). */
static void watch_decision(struct node *n)
{
	const struct xr_op *op = &raft_of(n->c, n->id)->op;
	bool undecided = op->kind != XR_OP_NONE && !op->writing;

	n->restores += n->deciding && op->kind == XR_OP_NONE;
	if (!undecided) {
		n->deciding = false;
	} else if (!n->deciding && xr_view_read(&n->group).view.mode == XR_NONE) {
		n->deciding = true;
		n->fences++;
		if (n->c->on_fence)
			n->c->on_fence(n->c, n);
	}
}

/* XR_PAUSE, in the engine and in the rules. */
void sim_pause(void)
{
	if (!acting)
		return;
	check_view(acting);
	watch_decision(acting);
}

/*
 * ---- the network ----
 */

static bool is_record(const struct xr_wire *h)
{
	return xr_type_body(h->type) == XR_BODY_RECORD;
}

/* An XR_ACK that is not granted refuses. */
static struct xr_message decode(const struct xr_wire *h, int i)
{
	const struct xr_record *rec = (const struct xr_record *)(h + 1) + i;

	if (xr_type_body(h->type) == XR_BODY_FACT)
		return (struct xr_message){.type = h->type, .node = h->source};
	if (!is_record(h))
		return xr_ballot_message(h, (const struct xr_ballot *)(h + 1) + i);
	return (struct xr_message){.type = h->type,
				   .node = h->source,
				   .term = rec->term,
				   .granted = h->type == XR_ACK && rec->flags & XR_ACKED};
}

/* Later than all that a test has said for a node: said again it is no replay (rule 17). */
static uint64_t later_ns(struct cluster *c)
{
	c->said_ns = c->said_ns < c->now_ns ? c->now_ns : c->said_ns + 1;
	return c->said_ns;
}

/* What `m.node` would say to `to`. */
static struct xr_datagram encode(struct cluster *c, int to, const struct xr_message *m)
{
	bool is_beat = m->type == XR_HEARTBEAT;
	struct xr_datagram d = {
		.wire =
			{
				.magic = XR_WIRE_MAGIC,
				.version = XR_WIRE_VERSION,
				.type = m->type,
				.source = m->node,
				.dest = to,
				.count = 1,
				.min_timeout_us = D_MS * 1000,
				.sent_ns = is_beat && m->sent_ns ? m->sent_ns : later_ns(c),
				.echo_ns = is_beat ? 0 : m->sent_ns,
				.lives = c->node[to].peers[m->node].lives, /* those it knows */
			},
		.size = sizeof(d.wire) + xr_wire_body_size(m->type),
	};
	struct xr_record rec = {.term = m->term, .digest = DIGEST};
	struct xr_ballot ballot = xr_ballot_of(m, 0, DIGEST, 0);

	if (m->type == XR_ACK)
		rec.flags = m->granted ? XR_ACKED : XR_REFUSED;
	memcpy(&d.wire + 1, is_record(&d.wire) ? (void *)&rec : &ballot, d.size - sizeof(d.wire));
	d.wire.tag = xr_tag(&d.wire, d.bytes + d.size, d.size, &key.sip);
	return d;
}

/* Behind those that are due no later. */
static void enqueue(struct packet **at, const struct xr_datagram *d, uint64_t due_ns)
{
	struct packet *p = malloc(sizeof(*p));

	assert_non_null(p);
	while (*at && (*at)->due_ns <= due_ns)
		at = &(*at)->next;
	*p = (struct packet){.next = *at, .due_ns = due_ns, .d = *d};
	*at = p;
}

static void take_first(struct packet **at, struct xr_datagram *d)
{
	struct packet *p = *at;

	*d = p->d;
	*at = p->next;
	free(p);
}

static void forget(struct packet **at)
{
	struct xr_datagram d;

	while (*at)
		take_first(at, &d);
}

static bool chance(struct cluster *c, int permille)
{
	return permille && (int)(cluster_random(c) % 1000) < permille;
}

static uint64_t travel_ns(struct cluster *c)
{
	return c->delay_ns + (c->jitter_ns ? cluster_random(c) % c->jitter_ns : 0);
}

static void remember(struct node *n, const struct xr_wire *h)
{
	struct cluster *c = n->c;

	for (int i = 0; i < (xr_type_body(h->type) == XR_BODY_FACT ? 1 : h->count); i++) {
		struct sent *s = &c->trace[c->ntrace++ % CLUSTER_TRACE];

		*s = (struct sent){h->sent_ns, h->source, h->dest, decode(h, i)};
		check_leaves(n, s);
	}
}

/* Who is on the stage only by what the test says for him tells his life, and nothing of ours. */
static void stage_tell(struct cluster *c, const struct xr_datagram *asked)
{
	const struct node *n = &c->node[asked->wire.dest];
	struct xr_datagram d = *asked;

	d.wire.type = XR_TELL;
	d.wire.source = n->id;
	d.wire.dest = asked->wire.source;
	d.wire.count = 1; /* the nonce, which goes first */
	d.wire.sent_ns = later_ns(c);
	d.wire.lives = n->control.life;
	d.size = sizeof(d.wire) + sizeof(struct xr_fact);
	d.wire.tag = xr_tag(&d.wire, d.bytes + d.size, d.size, &key.sip);
	enqueue(&c->packets, &d, c->now_ns + 2 * c->delay_ns);
}

static void send_datagram(struct node *n, const struct xr_datagram *d)
{
	struct cluster *c = n->c;

	check_view(n);
	CHECK(!n->ended, "node %d has ended, and speaks", n->id);
	remember(n, &d->wire);
	if (c->on_send)
		c->on_send(c, d);
	if (c->staged && !c->mute && d->wire.type == XR_ASK)
		stage_tell(c, d);
	if (c->cut[d->wire.source][d->wire.dest] || chance(c, c->loss_permille))
		return;
	enqueue(&c->packets, d, c->now_ns + travel_ns(c));
	if (chance(c, c->twice_permille))
		enqueue(&c->packets, d, c->now_ns + 3 * travel_ns(c));
}

/*
 * ---- the engine's host ----
 */

static uint64_t host_now_ns(void *world)
{
	return ((struct node *)world)->c->now_ns;
}

static bool host_receive(void *world, struct xr_datagram *d)
{
	struct node *n = world;

	if (!n->inbox)
		return false;
	take_first(&n->inbox, d);
	return true;
}

static uint32_t host_gone(void *world)
{
	struct node *n = world;
	uint32_t gone = n->gone;

	n->gone = 0;
	return gone;
}

static void host_send(void *world, uint8_t to, const void *bytes, size_t size)
{
	struct xr_datagram d = {.size = size};

	memcpy(d.bytes, bytes, size);
	CHECK(d.wire.dest == to, "a datagram for node %d goes to node %d", d.wire.dest, to);
	send_datagram(world, &d);
}

/* Votes and probes wait for each other, as under journal/writer.h. */
static void host_kick(void *world)
{
	struct node *n = world;

	if (n->written_ns || (!n->submitted_ns && !n->probed_ns))
		return;
	n->wrote_vote = n->submitted_ns;
	n->written_ns = n->disk_delay_ns == FOREVER ? FOREVER : n->c->now_ns + n->disk_delay_ns;
}

/* No value is ever set here: entries are test_engine's and the simulator's. */
static int host_submit(void *world, const struct xr_vote *v, const struct xr_entry *entry)
{
	struct node *n = world;

	CHECK(!entry, "node %d: an entry", n->id);
	check_submit(n, v);
	n->writing = (struct durable){.term = v->term, .vote = v->vote};
	n->submitted_ns = n->c->now_ns;
	n->writes++;
	return 0;
}

static void host_probe(void *world)
{
	struct node *n = world;

	if (!n->probed_ns)
		n->probed_ns = n->c->now_ns;
	host_kick(n);
}

static size_t host_reap(void *world, struct xr_done *done, size_t max)
{
	struct node *n = world;

	(void)max;
	if (!n->done)
		return 0;
	n->done = false;
	*done = (struct xr_done){.vote = {.term = n->disk.term, .vote = n->disk.vote}};
	return 1;
}

static uint64_t host_oldest_ns(void *world)
{
	const struct node *n = world;

	if (n->submitted_ns && n->probed_ns)
		return n->submitted_ns < n->probed_ns ? n->submitted_ns : n->probed_ns;
	return n->submitted_ns | n->probed_ns;
}

static int host_disk_error(void *world, struct xr_why *why)
{
	(void)world, (void)why;
	return 0;
}

static void host_report(void *world, const struct xr_report *r)
{
	struct node *n = world;

	n->report[r->kind] = *r;
	n->reported[r->kind] = true;
}

static void host_arm(void *world, uint64_t at_ns)
{
	((struct node *)world)->timer_ns = at_ns;
}

static void host_end(void *world, int code)
{
	struct node *n = world;

	n->ended = true;
	CHECK(!n->control.alive_until_ns, "node %d ends, and its NIC path answers on", n->id);
	if (!n->c->expect_end || code != 1)
		fail_msg("node %d ends itself with %d: %s", n->id, code,
			 n->report[XR_REPORT_error].note);
}

static void host_crash(void *world)
{
	struct node *n = world;
	struct cluster *c = n->c;

	CHECK(c->expect_two_leaders, "node %d saw two leaders in a term", n->id);
	c->two_leaders = n->id;
	cluster_crash(c, n->id);
	longjmp(c->crash, 1);
}

static void nothing(void *world)
{
	(void)world;
}

static uint64_t none(void *world)
{
	(void)world;
	return 0;
}

static void nothing_at(void *world, uint64_t ns)
{
	(void)world, (void)ns;
}

static const struct xr_host host = {
	.now_ns = host_now_ns,
	.receive = host_receive,
	.left = nothing, /* no datagram holds two groups */
	.gone = host_gone,
	.send = host_send,
	.flush = nothing,
	.submit = host_submit,
	.kick = host_kick,
	.probe = host_probe,
	.reap = host_reap,
	.oldest_ns = host_oldest_ns,
	.disk_error = host_disk_error,
	.echoes = none,
	.show = nothing_at,
	.report = host_report,
	.arm = host_arm,
	.rest = nothing_at,
	.end = host_end,
	.crash = host_crash,
};

/*
 * ---- one node ----
 */

static void turn(struct node *n, void (*what)(struct xr_engine *e))
{
	enum xr_role before = raft_of(n->c, n->id)->role;

	acting = n;
	if (!setjmp(n->c->crash))
		what(n->engine);
	acting = NULL;
	check_view(n);
	if (n->ended && n->up)
		cluster_crash(n->c, n->id);
	if (n->up)
		check_role(n, before);
	check_leases(n->c);
}

static void nic_receive(struct cluster *c, struct xr_datagram *d)
{
	struct node *n = &c->node[d->wire.dest];
	enum xr_verdict verdict;

	if (!n->up)
		return;
	memcpy(d->from.ip, n->config.nodes[d->wire.source].ip, sizeof(d->from.ip));
	d->from.port = XR_PORT;
	verdict = xr_rules_run(&n->nic, &d->wire, d->bytes + d->size, d->size, &d->from, c->now_ns);
	CHECK(!n->nic.npending, "no datagram holds two groups");
	if (verdict == XR_TX)
		send_datagram(n, d);
	if (verdict == XR_PASS)
		enqueue(&n->inbox, d, c->now_ns);
	if (n->inbox && !n->paused)
		turn(n, xr_engine_receive);
}

/* Of a journal, what the engine asks at its start. Term 0: nothing was ever written. */
struct xr_journal {
	struct xr_vote vote;
};

const struct xr_vote *xr_journal_find(const struct xr_journal *j, uint32_t group)
{
	return group == 0 && j->vote.term ? &j->vote : NULL;
}

uint32_t xr_journal_birth(const struct xr_journal *j)
{
	(void)j;
	return 0;
}

const struct xr_entry *xr_journal_entry(const struct xr_journal *j, uint32_t group)
{
	(void)j, (void)group;
	return NULL;
}

int xr_journal_each(const struct xr_journal *j, int (*visit)(const struct xr_vote *v, void *arg),
		    void *arg)
{
	return j->vote.term ? visit(&j->vote, arg) : 0;
}

static void free_engine(struct node *n)
{
	if (n->engine)
		xr_engine_free(n->engine);
	free(n->engine);
	forget(&n->inbox);
}

static void stage_meet(struct node *n)
{
	uint64_t until_ns = n->c->now_ns + MEET_NS;

	while (n->engine->strangers)
		if (!cluster_turn(n->c, until_ns))
			fail_msg("node %d has not met the others", n->id);
}

static void start(struct node *n, uint64_t promise_until_ns)
{
	const struct xr_journal journal = {
		{.term = n->disk.term, .vote = n->disk.vote, .digest = DIGEST, .name = GROUP}};
	struct xr_engine *e = calloc(1, sizeof(*e));

	assert_non_null(e);
	cluster_crash(n->c, n->id); /* whatever ran there */
	free_engine(n);
	n->engine = e;
	n->seen = xr_view_read(&n->group);
	n->deciding = n->paused = n->ended = false;
	n->up = true;
	e->config = &n->config;
	e->host = &host;
	e->looks = &n->looks;
	e->world = n;
	e->random = cluster_random(n->c);
	memcpy(e->peers, n->config.nodes, sizeof(e->peers));
	xr_engine_keys(e, n->config.keys, 1);
	assert_int_equal(xr_engine_init(e, &n->maps, &journal, promise_until_ns, NULL), 0);
	turn(n, xr_engine_begin);
	if (n->c->staged && !n->c->mute)
		stage_meet(n);
}

void cluster_boot(struct cluster *c, int id, struct durable d, uint64_t promise_until_ns)
{
	struct node *n = &c->node[id];

	memset(&n->group, 0, sizeof(n->group));
	memset(&n->acks, 0, sizeof(n->acks));
	n->group.view.term = d.term;
	n->disk = d;
	start(n, promise_until_ns);
}

void cluster_set_priority(struct cluster *c, int id, int of, int priority)
{
	struct node *n = &c->node[id];

	n->config.nodes[of].priority = n->engine->peers[of].priority = (uint8_t)priority;
}

void cluster_restart(struct cluster *c, int id)
{
	struct xr_view *view = &c->node[id].group.view;

	*view = (struct xr_view){.term = view->term, .mode = XR_NONE};
	start(&c->node[id], c->now_ns + MS(D_MS));
}

static void node_init(struct cluster *c, int id)
{
	struct node *n = &c->node[id];

	*n = (struct node){.c = c, .id = id, .timer_ns = FOREVER, .disk_delay_ns = MS(0.2)};
	n->voting = (struct xr_config_group){
		.voters = ((1u << c->n) - 1) << 1, .digest = DIGEST, .name = GROUP};
	n->config = (struct xr_config){
		.self = id,
		.min_timeout_us = D_MS * 1000,
		.max_timeout_us = MAX_MS * 1000,
		.heartbeat_us = HEARTBEAT_MS * 1000,
		.stall_limit_us = STALL_MS * 1000,
		.drift_permille = 100,
		.keys = {key},
		.groups = &n->voting,
		.ngroups = 1,
	};
	for (int peer = 1; peer <= c->n; peer++)
		n->config.nodes[peer] = (struct xr_peer){
			.ip = {[15] = peer}, .port = XR_PORT, .used = 1, .priority = XR_PRIORITY};
	memcpy(n->peers, n->config.nodes, sizeof(n->peers));
	n->control = (struct xr_control){
		.abi = XR_ABI,
		.self = id,
		.answer = 1,
		.groups = 1,
		.min_timeout_us = n->config.min_timeout_us,
		.max_timeout_us = n->config.max_timeout_us,
		.heartbeat_us = n->config.heartbeat_us,
		.quorum_lapse_us = n->config.max_timeout_us,
		.drift_permille = n->config.drift_permille,
		.life = id, /* until an engine draws one */
	};
	n->maps = (struct xr_maps){.groups = &n->group,
				   .acks = &n->acks,
				   .peers = n->peers,
				   .control = &n->control,
				   .ngroups = 1};
	n->nic = (struct xr_env){
		.groups = &n->group,
		.acks = &n->acks,
		.ngroups = 1,
		.control = &n->control,
		.peers = n->peers,
		.keys = n->config.keys,
		.stats = &n->stats,
	};
}

static struct cluster *cluster_alloc(int n, uint64_t seed)
{
	struct cluster *c = aligned_alloc(_Alignof(struct cluster), sizeof(*c));

	assert_non_null(c);
	memset(c, 0, sizeof(*c));
	acting = NULL; /* a test that failed may have left one */
	c->n = n;
	c->seed = seed;
	c->now_ns = NS_PER_S - MEET_NS;
	c->delay_ns = RTT_HALF;
	for (int id = 1; id <= n; id++)
		node_init(c, id);
	return c;
}

struct cluster *cluster_new_seeded(int n, uint64_t seed)
{
	struct cluster *c = cluster_alloc(n, seed);

	for (int id = 1; id <= n; id++)
		cluster_boot(c, id, (struct durable){0}, 0);
	cluster_run_ms(c, MEET_NS / 1e6);
	return c;
}

struct cluster *cluster_new(int n)
{
	return cluster_new_seeded(n, 1);
}

struct cluster *cluster_new_stage(int n)
{
	struct cluster *c = cluster_alloc(n, 1);

	c->staged = true;
	cluster_boot(c, 1, (struct durable){0}, 0);
	cluster_run_ms(c, (NS_PER_S - c->now_ns) / 1e6);
	return c;
}

void cluster_free(struct cluster **c)
{
	for (int id = 1; id <= (*c)->n; id++)
		free_engine(&(*c)->node[id]);
	forget(&(*c)->packets);
	free(*c);
}

void cluster_crash(struct cluster *c, int id)
{
	struct node *n = &c->node[id];

	n->up = false;
	n->timer_ns = FOREVER;
	/* What was being written is lost: whatever was said of it would have been too early. */
	n->submitted_ns = n->probed_ns = n->written_ns = 0;
	n->done = false;
	n->gone = 0;
	n->control.alive_until_ns = 0;
	forget(&n->inbox);
}

static void give_order(struct xr_engine *e)
{
	struct cluster *c = ((struct node *)e->world)->c;

	xr_engine_order(e, &c->order, &c->result);
}

struct xr_order_result cluster_order(struct cluster *c, int id, int heir)
{
	c->order = (struct xr_order){.group = GROUP, .heir = heir};
	turn(&c->node[id], give_order);
	return c->result;
}

void cluster_hint(struct cluster *c, int id, int about)
{
	c->node[id].gone |= 1u << about;
	turn(&c->node[id], xr_engine_receive);
}

void cluster_set_timeout(struct cluster *c, int id, double ms)
{
	struct node *n = &c->node[id];
	struct xr_raft *r = raft_of(c, id);

	r->base_ns = c->now_ns;
	r->timeout_ns = MS(ms);
	xr_timers_set(&n->engine->timers, 0, c->now_ns + MS(ms));
	turn(n, xr_engine_begin); /* nothing happens but that it is armed */
}

bool cluster_lease(const struct cluster *c, int id)
{
	const struct node *n = &c->node[id];

	return (int64_t)(n->control.alive_until_ns - c->now_ns) > 0 &&
	       n->group.view.mode == XR_LEAD &&
	       xr_quorum_fresh(&n->group, &n->acks, id, c->now_ns, xr_lease_ns(&n->control));
}

/*
 * ---- time ----
 */

static uint64_t timer_due_ns(const struct node *n)
{
	return n->timer_ns == FOREVER ? FOREVER : n->timer_ns + n->lag_ns;
}

static uint64_t node_due_ns(const struct node *n)
{
	uint64_t written_ns = n->written_ns ? n->written_ns : FOREVER;
	uint64_t timer_ns = timer_due_ns(n);

	if (!n->up || n->paused)
		return FOREVER;
	if (n->inbox)
		return 0;
	return written_ns < timer_ns ? written_ns : timer_ns;
}

static struct node *next_node(struct cluster *c)
{
	struct node *next = &c->node[1];

	for (int id = 2; id <= c->n; id++)
		if (node_due_ns(&c->node[id]) < node_due_ns(next))
			next = &c->node[id];
	return next;
}

static void on_disk(struct node *n)
{
	bool vote = n->wrote_vote;

	n->written_ns = 0;
	n->probed_ns = 0; /* a vote is proof enough */
	if (vote) {
		n->disk = n->writing;
		n->submitted_ns = 0;
		n->done = true;
	}
	host_kick(n);
	if (vote)
		turn(n, xr_engine_durable);
}

/* Of socket and timer that both wait, the timer goes first: it has to read the socket (rule 11). */
static void node_turn(struct node *n)
{
	/* The core has to agree with the disk, so it hears of it before anything else. */
	if (n->written_ns && n->written_ns <= n->c->now_ns) {
		on_disk(n);
	} else if (timer_due_ns(n) <= n->c->now_ns) {
		n->timer_ns = FOREVER;
		turn(n, xr_engine_timer);
	} else {
		turn(n, xr_engine_receive);
	}
}

bool cluster_turn(struct cluster *c, uint64_t until_ns)
{
	struct node *n = next_node(c);
	uint64_t node_ns = node_due_ns(n), due_ns = c->packets ? c->packets->due_ns : FOREVER;
	bool packet = due_ns <= node_ns;
	struct xr_datagram d;

	if (!packet)
		due_ns = node_ns;
	if (due_ns > until_ns) {
		c->now_ns = until_ns;
		check_leases(c);
		return false;
	}
	c->turns = due_ns > c->now_ns ? 0 : c->turns + 1;
	CHECK(c->turns < 1000, "time stands still; node %d is next", n->id);
	if (due_ns > c->now_ns)
		c->now_ns = due_ns;
	if (packet) {
		take_first(&c->packets, &d);
		nic_receive(c, &d);
	} else {
		node_turn(n);
	}
	check_leases(c);
	return true;
}

void cluster_run_ms(struct cluster *c, double ms)
{
	uint64_t until_ns = c->now_ns + MS(ms);

	while (cluster_turn(c, until_ns))
		;
}

void cluster_cut(struct cluster *c, int from, int to)
{
	c->cut[from][to] = true;
}

void cluster_cut_both(struct cluster *c, int a, int b)
{
	cluster_cut(c, a, b);
	cluster_cut(c, b, a);
}

void cluster_isolate(struct cluster *c, int id)
{
	for (int peer = 1; peer <= c->n; peer++)
		if (peer != id)
			cluster_cut_both(c, id, peer);
}

void cluster_heal(struct cluster *c)
{
	memset(c->cut, 0, sizeof(c->cut));
}

void cluster_deliver(struct cluster *c, int to, struct xr_message m)
{
	struct xr_datagram d = encode(c, to, &m);

	nic_receive(c, &d);
	check_leases(c);
}

void cluster_facts(struct cluster *c, struct xr_wire h, const struct xr_fact *fact, int n)
{
	struct xr_datagram d = {.wire = h, .size = sizeof(h) + n * sizeof(*fact)};

	d.wire.magic = XR_WIRE_MAGIC;
	d.wire.version = XR_WIRE_VERSION;
	d.wire.count = n;
	d.wire.min_timeout_us = D_MS * 1000;
	if (!h.sent_ns)
		d.wire.sent_ns = later_ns(c);
	if (!h.lives)
		d.wire.lives = xr_type_introduces(h.type) ? c->node[h.source].control.life
							  : c->node[h.dest].peers[h.source].lives;
	memcpy(&d.wire + 1, fact, n * sizeof(*fact));
	d.wire.tag = xr_tag(&d.wire, d.bytes + d.size, d.size, &key.sip);
	nic_receive(c, &d);
}

void cluster_replay(struct cluster *c, const struct xr_datagram *d)
{
	struct xr_datagram again = *d;

	nic_receive(c, &again);
	check_leases(c);
}

void cluster_hear(struct cluster *c, int to, struct xr_message m)
{
	cluster_deliver(c, to, m);
	cluster_run_ms(c, 1);
}

/*
 * ---- elections ----
 */

int cluster_leader(const struct cluster *c)
{
	int leader = 0;

	for (int id = 1; id <= c->n; id++) {
		const struct node *n = &c->node[id];

		if (n->up && n->group.view.mode == XR_LEAD &&
		    (!leader || n->group.view.term > c->node[leader].group.view.term))
			leader = id;
	}
	return leader;
}

bool cluster_follows(const struct cluster *c, int id, int leader)
{
	const struct node *n = &c->node[id], *l = &c->node[leader];

	return n->up && l->up && n->group.view.mode == XR_FOLLOW &&
	       n->group.view.leader == leader && n->group.view.term == l->group.view.term;
}

static int count_followers(const struct cluster *c, int leader)
{
	int count = 0;

	for (int id = 1; id <= c->n; id++)
		count += id != leader && cluster_follows(c, id, leader) && !c->cut[leader][id] &&
			 !c->cut[id][leader];
	return count;
}

int cluster_await_leader(struct cluster *c, double ms)
{
	uint64_t until_ns = c->now_ns + MS(ms);
	int leader;

	do {
		leader = cluster_leader(c);
		if (leader && count_followers(c, leader) + 1 > c->n / 2)
			return leader;
	} while (cluster_turn(c, until_ns));
	fail_msg("no leader after %g ms", ms);
	return 0;
}

/* Do all that are up follow it, and has it heard so? */
static bool leads_all(const struct cluster *c, int leader)
{
	const struct node *n = &c->node[leader];

	for (int id = 1; id <= c->n; id++)
		if (id != leader && c->node[id].up &&
		    (!cluster_follows(c, id, leader) ||
		     n->acks.echo_ns[id] < n->group.lead_since_ns))
			return false;
	return true;
}

void cluster_elect(struct cluster *c, int id)
{
	uint64_t until_ns = c->now_ns + NS_PER_S;

	for (int peer = 1; peer <= c->n; peer++)
		if (peer != id && c->node[peer].up)
			cluster_set_timeout(c, peer, NEVER_MS);
	while (cluster_leader(c) != id || !leads_all(c, id))
		if (!cluster_turn(c, until_ns))
			fail_msg("node %d was not elected within a second", id);
}

/*
 * ---- node 1 on its stage ----
 */

void stage_time_out(struct cluster *c)
{
	uint64_t until_ns = c->now_ns + 2 * MS(MAX_MS);
	uint32_t round = raft_of(c, 1)->round;

	while (raft_of(c, 1)->round == round || raft_of(c, 1)->phase != XR_PREVOTING)
		if (!cluster_turn(c, until_ns))
			fail_msg("node 1 does not time out");
}

void stage_answer(struct cluster *c, int from, bool granted)
{
	cluster_hear(c, 1, say_answer(c, from, 1, granted));
}

void stage_candidate(struct cluster *c)
{
	if (raft_of(c, 1)->role == XR_CANDIDATE)
		stage_answer(c, 2, false);
	stage_time_out(c);
	for (int peer = 2; peer <= c->n && raft_of(c, 1)->role != XR_CANDIDATE; peer++)
		stage_answer(c, peer, true);
	assert_int_equal(raft_of(c, 1)->role, XR_CANDIDATE);
}

void stage_leader(struct cluster *c)
{
	stage_candidate(c);
	for (int peer = 2; peer <= c->n && raft_of(c, 1)->role != XR_LEADER; peer++)
		stage_answer(c, peer, true);
	assert_int_equal(c->node[1].group.view.mode, XR_LEAD);
}

void stage_follow(struct cluster *c, int leader, uint32_t term)
{
	cluster_hear(c, 1, say_heartbeat(c, leader, term));
	assert_int_equal(c->node[1].group.view.mode, XR_FOLLOW);
	assert_int_equal(c->node[1].group.view.leader, leader);
}

/*
 * ---- what was said ----
 */

void cluster_forget(struct cluster *c)
{
	c->ntrace = 0;
	for (int id = 1; id <= c->n; id++)
		memset(c->node[id].reported, 0, sizeof(c->node[id].reported));
}

static bool is_kind(const struct sent *s, int from, int to, enum xr_type type)
{
	return (!from || s->from == from) && (!to || s->to == to) && s->m.type == type;
}

const struct sent *cluster_sent(const struct cluster *c, int from, int to, enum xr_type type)
{
	for (int i = c->ntrace - 1; i >= 0 && i >= c->ntrace - CLUSTER_TRACE; i--)
		if (is_kind(&c->trace[i % CLUSTER_TRACE], from, to, type))
			return &c->trace[i % CLUSTER_TRACE];
	return NULL;
}

int cluster_count(const struct cluster *c, int from, int to, enum xr_type type)
{
	int count = 0;

	for (int i = c->ntrace - 1; i >= 0 && i >= c->ntrace - CLUSTER_TRACE; i--)
		count += is_kind(&c->trace[i % CLUSTER_TRACE], from, to, type);
	return count;
}

const struct xr_report *cluster_report(const struct cluster *c, int id, enum xr_report_kind kind)
{
	const struct node *n = &c->node[id];

	return n->reported[kind] ? &n->report[kind] : NULL;
}

struct xr_message say_heartbeat(struct cluster *c, int from, uint32_t term)
{
	return (struct xr_message){
		.type = XR_HEARTBEAT, .node = from, .term = term, .sent_ns = c->now_ns};
}

struct xr_message say_ack(const struct cluster *c, int from, int to)
{
	const struct sent *beat = cluster_sent(c, to, from, XR_HEARTBEAT);
	struct xr_message m;

	assert_non_null(beat);
	m = beat->m;
	m.type = XR_ACK;
	m.node = from;
	m.granted = true;
	m.sent_ns = beat->at_ns;
	return m;
}

struct xr_message say_vote(int from, uint32_t term)
{
	return (struct xr_message){.type = XR_VOTE, .node = from, .term = term, .round = 1};
}

struct xr_message say_prevote(int from, uint32_t term)
{
	return (struct xr_message){.type = XR_PREVOTE, .node = from, .term = term, .round = 1};
}

struct xr_message say_resign(int from, uint32_t term, int heir)
{
	return (struct xr_message){.type = XR_RESIGN, .node = from, .term = term, .heir = heir};
}

/* A refused prevote carries the voter's own term (etcd#8243); here it is the asker's. */
struct xr_message say_answer(const struct cluster *c, int from, int to, bool granted)
{
	const struct sent *vote = cluster_sent(c, to, from, XR_VOTE);
	const struct sent *prevote = cluster_sent(c, to, from, XR_PREVOTE);
	const struct sent *asked = prevote;
	struct xr_message m;

	if (vote && (!prevote || vote->at_ns >= prevote->at_ns))
		asked = vote;
	assert_non_null(asked);
	m = asked->m;
	m.type = asked == vote ? XR_VOTE_ANSWER : XR_PREVOTE_ANSWER;
	m.node = from;
	m.granted = granted;
	if (asked == prevote && !granted)
		m.term--;
	return m;
}
