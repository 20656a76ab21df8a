// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>
#include "unit/cluster.h"

#define DIGEST	 0x7e57
#define RTT_HALF MS(0.1)
#define FOREVER	 UINT64_MAX

#define CHECK(ok, ...)                         \
	do {                                   \
		if (!(ok))                     \
			fail_msg(__VA_ARGS__); \
	} while (0)

static void step(struct cluster *c, struct node *n, struct xr_event ev);
static void nic_receive(struct cluster *c, struct datagram *d);

uint64_t cluster_random(struct cluster *c)
{
	uint64_t x = c->seed += 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/*
 * ---- the network ----
 */

static uint32_t datagram_size(const struct datagram *d)
{
	return sizeof(d->h) + xr_wire_body_size(d->h.type);
}

static void seal(struct node *n, struct datagram *d)
{
	d->h.tag = xr_tag(&d->h, (char *)d + datagram_size(d), datagram_size(d), &n->keys[0].sip);
}

static struct datagram encode(struct cluster *c, struct node *from, int to,
			      const struct xr_message *m)
{
	struct datagram d = {
		.h =
			{
				.magic = XR_WIRE_MAGIC,
				.version = XR_WIRE_VERSION,
				.type = m->type,
				.source = from->id,
				.dest = to,
				.count = 1,
				.min_timeout_us = from->control.min_timeout_us,
				.sent_ns = m->sent_ns ? m->sent_ns : c->now_ns,
			},
	};

	if (xr_wire_body_size(m->type) == sizeof(struct xr_record)) {
		d.record.term = m->term;
		d.record.digest = DIGEST;
		d.record.flags = m->type == XR_ACK ? XR_REFUSED : 0;
	} else {
		d.ballot.term = m->term;
		d.ballot.digest = DIGEST;
		d.ballot.flags = m->granted ? XR_GRANTED : 0;
		d.ballot.round = m->round;
		d.ballot.last_index = m->last_index;
		d.ballot.last_term = m->last_term;
		d.ballot.lift_term = m->lift_term;
		d.ballot.lift_leader = m->lift_leader;
		d.ballot.node = m->heir;
	}
	seal(from, &d);
	return d;
}

static struct xr_message decode(const struct datagram *d)
{
	struct xr_message m = {.type = d->h.type, .node = d->h.source, .sent_ns = d->h.sent_ns};

	if (xr_wire_body_size(d->h.type) == sizeof(struct xr_record)) {
		m.term = d->record.term;
		return m;
	}
	m.term = d->ballot.term;
	m.granted = d->ballot.flags & XR_GRANTED;
	m.round = d->ballot.round;
	m.last_index = d->ballot.last_index;
	m.last_term = d->ballot.last_term;
	m.lift_term = d->ballot.lift_term;
	m.lift_leader = d->ballot.lift_leader;
	m.heir = d->ballot.node;
	return m;
}

static void enqueue(struct cluster *c, const struct datagram *d, uint64_t due_ns)
{
	for (int i = 0; i < CLUSTER_PACKETS; i++)
		if (!c->packet[i].due_ns) {
			c->packet[i] = (struct packet){.due_ns = due_ns, .seq = c->seq++, .d = *d};
			return;
		}
	fail_msg("more than %d datagrams are under way", CLUSTER_PACKETS);
}

static bool chance(struct cluster *c, int permille)
{
	return permille && (int)(cluster_random(c) % 1000) < permille;
}

static uint64_t travel_ns(struct cluster *c)
{
	return c->delay_ns + (c->jitter_ns ? cluster_random(c) % c->jitter_ns : 0);
}

static void remember(struct cluster *c, const struct datagram *d)
{
	c->trace[c->ntrace++ % CLUSTER_TRACE] = (struct sent){
		.at_ns = c->now_ns,
		.from = d->h.source,
		.to = d->h.dest,
		.acked = d->h.type == XR_ACK && d->record.flags & XR_ACKED,
		.m = decode(d),
	};
}

/* What must hold for whatever leaves a node: nothing is promised that the disk does not know. */
static void check_leaves(const struct node *n, const struct datagram *d)
{
	uint32_t term = d->ballot.term;

	if (d->h.type == XR_ACK && d->record.flags & XR_ACKED)
		CHECK(n->disk.term == d->record.term && !n->written_ns,
		      "node %d acks term %u, durable is %u", n->id, d->record.term, n->disk.term);
	if (d->h.type == XR_VOTE_ANSWER && d->ballot.flags & XR_GRANTED)
		CHECK(n->disk.term == term && n->disk.vote == d->h.dest && !n->written_ns,
		      "node %d grants node %d term %u before that is durable", n->id, d->h.dest,
		      term);
	if (d->h.type == XR_VOTE)
		CHECK((n->disk.term == term && n->disk.vote == n->id) ||
			      (n->written_ns && n->writing.term == term &&
			       n->writing.vote == n->id),
		      "node %d campaigns for term %u without its own vote", n->id, term);
	if (d->h.type == XR_RESIGN)
		CHECK(xr_view_read(&n->group).view.mode == XR_NONE ||
			      xr_view_read(&n->group).view.term > term,
		      "node %d resigns before it has fenced", n->id);
}

static void send_datagram(struct cluster *c, struct node *n, const struct datagram *d)
{
	check_leaves(n, d);
	remember(c, d);
	if (c->cut[d->h.source][d->h.dest] || chance(c, c->loss_permille))
		return;
	enqueue(c, d, c->now_ns + travel_ns(c));
	if (chance(c, c->twice_permille))
		enqueue(c, d, c->now_ns + 3 * travel_ns(c));
}

static void send_message(struct cluster *c, struct node *n, const struct xr_message *m)
{
	struct datagram d;

	for (int to = 1; to <= c->n; to++) {
		if (to == n->id || (m->node ? m->node != to : m->skip >> to & 1))
			continue;
		if (!m->node && !xr_is_voter(&n->group, to))
			continue;
		d = encode(c, n, to, m);
		send_datagram(c, n, &d);
	}
	if (m->type == XR_RESIGN)
		n->resigned_term = m->term;
}

/* The daemon's side of a datagram that the NIC path passed up. */
static void daemon_receive(struct cluster *c, struct node *n, const struct datagram *d)
{
	struct xr_event ev = {.kind = XR_EV_MESSAGE, .message = decode(d)};

	if (n->paused) {
		enqueue(c, d, c->now_ns + MS(1)); /* it waits in the socket */
		return;
	}
	if (d->h.type >= XR_VOTE && d->ballot.digest != n->group.digest)
		return;
	step(c, n, ev);
}

static void nic_receive(struct cluster *c, struct datagram *d)
{
	struct node *n = &c->node[d->h.dest];
	struct xr_from from = {0};
	enum xr_verdict verdict;

	if (!n->up)
		return;
	n->env.npending = 0;
	verdict = xr_rules_run(&n->env, &d->h, (char *)d + datagram_size(d), datagram_size(d),
			       &from, c->now_ns);
	if (verdict == XR_TX)
		send_datagram(c, n, d);
	else if (verdict == XR_PASS)
		daemon_receive(c, n, d);
}

/*
 * ---- what must hold after every step ----
 */

static void check_view(struct cluster *c, const struct node *n, union xr_word before)
{
	struct xr_view view = xr_view_read(&n->group).view;

	CHECK(view.term >= before.view.term, "node %d: its view went back", n->id);
	if (view.mode == XR_NONE)
		return;
	CHECK(view.term == n->disk.term, "node %d: published before it is durable", n->id);
	CHECK(!n->written_ns, "node %d: published while a newer vote is being written", n->id);
	if (view.mode == XR_FOLLOW)
		return;
	CHECK(n->disk.vote == n->id && view.leader == n->id, "node %d: leads without own vote",
	      n->id);
	CHECK(view.term != n->resigned_term, "node %d: leads again in term %u", n->id, view.term);
	CHECK(view.term < CLUSTER_TERMS, "terms of tests are small");
	CHECK(!c->leads[view.term] || c->leads[view.term] == n->id, "two leaders in term %u",
	      view.term);
	c->leads[view.term] = n->id;
}

/* 5.2, figure 4: a leader was a candidate, and becomes nothing but a follower. */
static void check_role(const struct node *n, enum xr_role before)
{
	CHECK(!(before == XR_FOLLOWER && n->raft.role == XR_LEADER), "node %d: never campaigned",
	      n->id);
	CHECK(!(before == XR_LEADER && n->raft.role == XR_CANDIDATE), "node %d: leader campaigns",
	      n->id);
	CHECK(n->raft.term == n->disk.term && n->raft.vote == n->disk.vote,
	      "node %d: core and disk disagree", n->id);
}

static void check_leases(const struct cluster *c)
{
	int holders = 0;

	for (int id = 1; id <= c->n; id++)
		holders += cluster_lease(c, id);
	CHECK(holders <= 1, "%d valid leases", holders);
}

/*
 * ---- one node ----
 */

static uint8_t newest_acker(const struct node *n)
{
	uint8_t heir = 0;

	for (int id = 1; id <= XR_NODE_MAX; id++)
		if (id != n->id && n->acks.echo_ns[id] &&
		    (!heir || n->acks.echo_ns[id] > n->acks.echo_ns[heir]))
			heir = id;
	return heir;
}

static void fence(struct node *n)
{
	struct xr_view none = {.term = n->group.view.term, .mode = XR_NONE};

	n->before_fence = xr_view_read(&n->group);
	n->group.view = none;
	n->fences++;
}

static void persist(struct cluster *c, struct node *n, const struct xr_update *up)
{
	CHECK(!n->written_ns, "node %d: two writes at once", n->id);
	CHECK(xr_view_read(&n->group).view.mode == XR_NONE, "node %d: writes unfenced", n->id);
	CHECK(up->term >= n->disk.term, "node %d: durable term goes back", n->id);
	CHECK(up->term > n->disk.term || !n->disk.vote || up->vote == n->disk.vote,
	      "node %d: vote of term %u changes", n->id, up->term);
	n->writing = (struct durable){.term = up->term, .vote = up->vote};
	n->written_ns = n->disk_delay_ns == FOREVER ? FOREVER : c->now_ns + n->disk_delay_ns;
	n->writes++;
}

static void publish(struct cluster *c, struct node *n, struct xr_view view)
{
	if (view.mode == XR_LEAD)
		n->group.lead_since_ns = c->now_ns;
	n->group.view = view;
}

/* Answer a heartbeat that came up as the NIC path would have (rule 1: the same lines). */
static void ack(struct cluster *c, struct node *n, const struct xr_update *up)
{
	struct xr_message m = {
		.type = XR_HEARTBEAT,
		.term = up->view.term,
		.sent_ns = up->ack_echo_ns,
	};
	struct datagram d = encode(c, &c->node[up->ack_to], n->id, &m);

	nic_receive(c, &d);
}

static void beat(struct cluster *c, struct node *n)
{
	struct xr_message m = {.type = XR_HEARTBEAT, .term = n->group.view.term};

	CHECK(n->group.view.mode == XR_LEAD, "node %d: beats without leading", n->id);
	send_message(c, n, &m);
}

static void note(struct node *n, const struct xr_update *up)
{
	for (int i = 0; i < up->nreport; i++)
		n->report[n->nreport++ % CLUSTER_REPORTS] = (struct report){
			.kind = up->report[i].kind,
			.term = up->report[i].term,
			.node = up->report[i].node,
			.why = up->report[i].why,
		};
}

static void stop_for_two_leaders(struct cluster *c, struct node *n)
{
	CHECK(c->expect_two_leaders, "node %d saw two leaders in a term", n->id);
	c->two_leaders = n->id;
	cluster_crash(c, n->id);
}

/* In the order that raft.h states; the second look follows the fence with nothing in between. */
static void carry_out(struct cluster *c, struct node *n, const struct xr_update *up)
{
	union xr_word before = xr_view_read(&n->group);

	if (up->two_leaders) {
		stop_for_two_leaders(c, n);
		return;
	}
	if (up->what & (XR_DO_FENCE | XR_DO_FENCE_ONLY))
		fence(n);
	if (up->what & XR_DO_RESTORE) {
		n->group.view = n->before_fence.view;
		n->restores++;
	}
	if (up->what & XR_DO_PERSIST)
		persist(c, n, up);
	if (up->what & XR_DO_PUBLISH)
		publish(c, n, up->view);
	check_view(c, n, before);
	if (up->what & XR_DO_ACK)
		ack(c, n, up);
	if (up->what & XR_DO_BEAT)
		beat(c, n);
	for (int i = 0; i < up->nsend; i++)
		send_message(c, n, &up->send[i]);
	note(n, up);
	n->timer_ns = up->timer_ns;
	if (up->what & XR_DO_FENCE) {
		if (c->on_fence)
			c->on_fence(c, n);
		step(c, n, (struct xr_event){.kind = XR_EV_LOOKED});
	}
}

static void step(struct cluster *c, struct node *n, struct xr_event ev)
{
	uint64_t lease_ns = xr_lease_ns(&n->control);
	enum xr_role role = n->raft.role;
	struct xr_update up;

	ev.now_ns = c->now_ns;
	ev.contact_ns = n->group.contact_ns;
	ev.lease = xr_quorum_fresh(&n->group, &n->acks, n->id, c->now_ns, lease_ns);
	ev.may_lead = xr_may_lead(&n->group, &n->acks, &n->control, c->now_ns);
	ev.random = cluster_random(c);
	ev.heir = n->heir ? n->heir : newest_acker(n);
	xr_raft_step(&n->raft, &ev, &up);
	n->last = up;
	if (!up.two_leaders)
		check_role(n, role);
	carry_out(c, n, &up);
}

/* Power comes on: the maps are empty, and only the disk remembers. */
void cluster_boot(struct cluster *c, int id, struct durable d, uint64_t promise_ns)
{
	struct node *n = &c->node[id];

	memset(&n->raft, 0, sizeof(n->raft));
	memset(&n->group, 0, sizeof(n->group));
	memset(&n->acks, 0, sizeof(n->acks));
	n->raft.self = n->id;
	n->raft.timing = &c->timing;
	n->raft.voters = n->group.voters = ((1u << c->n) - 1) << 1;
	n->group.digest = DIGEST;
	n->group.view.term = d.term;
	n->disk = d;
	n->written_ns = 0;
	n->up = true;
	n->paused = false;
	n->control.alive_until_ns = FOREVER >> 1;
	xr_raft_start(&n->raft, d.term, d.vote, c->now_ns, promise_ns, cluster_random(c), &n->last);
	carry_out(c, n, &n->last);
}

static void node_init(struct cluster *c, int id)
{
	struct node *n = &c->node[id];

	*n = (struct node){.id = id, .timer_ns = FOREVER, .disk_delay_ns = MS(0.2)};
	n->control = (struct xr_control){
		.abi = XR_ABI,
		.self = id,
		.answer = 1,
		.groups = 1,
		.min_timeout_us = D_MS * 1000,
		.max_timeout_us = MAX_MS * 1000,
		.heartbeat_us = HEARTBEAT_MS * 1000,
		.quorum_lapse_us = MAX_MS * 1000,
		.drift_permille = 100,
	};
	for (int peer = 1; peer <= c->n; peer++)
		n->peers[peer].used = 1;
	n->keys[0].used = 1;
	n->env = (struct xr_env){
		.groups = &n->group,
		.acks = &n->acks,
		.ngroups = 1,
		.control = &n->control,
		.peers = n->peers,
		.keys = n->keys,
		.stats = &n->stats,
	};
}

static struct cluster *cluster_alloc(int n, uint64_t seed)
{
	struct cluster *c = aligned_alloc(_Alignof(struct cluster), sizeof(*c));

	assert_non_null(c);
	memset(c, 0, sizeof(*c));
	c->n = n;
	c->seed = seed;
	c->now_ns = NS_PER_S;
	c->delay_ns = RTT_HALF;
	c->timing = (struct xr_timing){MS(D_MS), MS(MAX_MS), MS(HEARTBEAT_MS)};
	for (int id = 1; id <= n; id++)
		node_init(c, id);
	return c;
}

struct cluster *cluster_new_seeded(int n, uint64_t seed)
{
	struct cluster *c = cluster_alloc(n, seed);

	for (int id = 1; id <= n; id++)
		cluster_boot(c, id, (struct durable){0}, 0);
	return c;
}

struct cluster *cluster_new(int n)
{
	return cluster_new_seeded(n, 1);
}

struct cluster *cluster_new_stage(int n)
{
	struct cluster *c = cluster_alloc(n, 1);

	cluster_boot(c, 1, (struct durable){0}, 0);
	return c;
}

void cluster_free(struct cluster **c)
{
	free(*c);
}

void cluster_crash(struct cluster *c, int id)
{
	struct node *n = &c->node[id];

	n->up = false;
	n->timer_ns = FOREVER;
	n->written_ns = 0; /* lost: whatever was said of it before would have been too early */
	n->control.alive_until_ns = 0;
}

void cluster_restart(struct cluster *c, int id)
{
	cluster_boot(c, id, c->node[id].disk, c->now_ns + c->timing.min_timeout_ns);
}

void cluster_step_down(struct cluster *c, int id, enum xr_cause cause)
{
	struct xr_event ev = {.kind = XR_EV_STEP_DOWN, .why = {.cause = cause}};

	step(c, &c->node[id], ev);
}

void cluster_hint(struct cluster *c, int id, int about)
{
	struct xr_event ev = {.kind = XR_EV_HINT, .message.node = about};

	step(c, &c->node[id], ev);
}

void cluster_resume(struct cluster *c, int id)
{
	c->node[id].paused = false;
	c->node[id].late = true;
}

void cluster_set_timeout(struct cluster *c, int id, double ms)
{
	struct node *n = &c->node[id];

	n->raft.base_ns = c->now_ns;
	n->raft.timeout_ns = MS(ms);
	n->timer_ns = c->now_ns + MS(ms);
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

static struct packet *next_packet(struct cluster *c)
{
	struct packet *next = NULL;

	for (int i = 0; i < CLUSTER_PACKETS; i++) {
		struct packet *p = &c->packet[i];

		if (p->due_ns && (!next || p->due_ns < next->due_ns ||
				  (p->due_ns == next->due_ns && p->seq < next->seq)))
			next = p;
	}
	return next;
}

static uint64_t node_due_ns(const struct node *n)
{
	uint64_t written = n->written_ns ? n->written_ns : FOREVER;
	uint64_t timer = n->patient && n->raft.role != XR_LEADER ? FOREVER : n->timer_ns;

	if (!n->up || n->paused)
		return FOREVER;
	return written < timer ? written : timer;
}

static struct node *next_node(struct cluster *c)
{
	struct node *next = &c->node[1];

	for (int id = 2; id <= c->n; id++)
		if (node_due_ns(&c->node[id]) < node_due_ns(next))
			next = &c->node[id];
	return next;
}

static void node_turn(struct cluster *c, struct node *n)
{
	struct xr_event ev = {.kind = XR_EV_TIMER, .late = n->late};

	if (n->written_ns && n->written_ns <= c->now_ns) {
		n->disk = n->writing;
		n->written_ns = 0;
		/* The core has to agree with the disk, so it hears of it before anything else. */
		step(c, n, (struct xr_event){.kind = XR_EV_DURABLE});
		return;
	}
	n->late = false;
	step(c, n, ev);
}

/* Rule 11: what has arrived is read before any timer fires. */
bool cluster_turn(struct cluster *c, uint64_t until_ns)
{
	struct packet *p = next_packet(c);
	struct node *n = next_node(c);
	uint64_t node_ns = node_due_ns(n), due_ns = p ? p->due_ns : FOREVER;
	bool packet = due_ns <= node_ns;

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
		struct datagram d = p->d;

		p->due_ns = 0;
		nic_receive(c, &d);
	} else {
		node_turn(c, n);
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
	struct datagram d = encode(c, &c->node[m.node], to, &m);

	nic_receive(c, &d);
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

static int count_up(const struct cluster *c)
{
	int count = 0;

	for (int id = 1; id <= c->n; id++)
		count += c->node[id].up;
	return count;
}

void cluster_elect(struct cluster *c, int id)
{
	uint64_t until_ns = c->now_ns + NS_PER_S;

	for (int peer = 1; peer <= c->n; peer++)
		c->node[peer].patient = peer != id;
	while (cluster_leader(c) != id || count_followers(c, id) + 1 < count_up(c))
		if (!cluster_turn(c, until_ns))
			fail_msg("node %d was not elected within a second", id);
	for (int peer = 1; peer <= c->n; peer++)
		c->node[peer].patient = false;
}

/*
 * ---- node 1 on its stage ----
 */

void stage_time_out(struct cluster *c)
{
	uint64_t until_ns = c->now_ns + 2 * MS(MAX_MS);
	uint32_t round = c->node[1].raft.round;

	while (c->node[1].raft.round == round || c->node[1].raft.phase != XR_PREVOTING)
		if (!cluster_turn(c, until_ns))
			fail_msg("node 1 does not time out");
}

void stage_answer(struct cluster *c, int from, bool granted)
{
	cluster_hear(c, 1, say_answer(c, from, 1, granted));
}

void stage_candidate(struct cluster *c)
{
	if (c->node[1].raft.role == XR_CANDIDATE)
		stage_answer(c, 2, false);
	stage_time_out(c);
	for (int peer = 2; peer <= c->n && c->node[1].raft.role != XR_CANDIDATE; peer++)
		stage_answer(c, peer, true);
	assert_int_equal(c->node[1].raft.role, XR_CANDIDATE);
}

void stage_leader(struct cluster *c)
{
	stage_candidate(c);
	for (int peer = 2; peer <= c->n && c->node[1].raft.role != XR_LEADER; peer++)
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
		c->node[id].nreport = 0;
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

const struct report *cluster_report(const struct cluster *c, int id, enum xr_raft_report kind)
{
	const struct node *n = &c->node[id];

	for (int i = n->nreport - 1; i >= 0 && i >= n->nreport - CLUSTER_REPORTS; i--)
		if (n->report[i % CLUSTER_REPORTS].kind == kind)
			return &n->report[i % CLUSTER_REPORTS];
	return NULL;
}

struct xr_message say_heartbeat(struct cluster *c, int from, uint32_t term)
{
	return (struct xr_message){
		.type = XR_HEARTBEAT, .node = from, .term = term, .sent_ns = c->now_ns};
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
	m.sent_ns = 0;
	if (asked == prevote && !granted)
		m.term--;
	return m;
}
