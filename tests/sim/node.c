// SPDX-License-Identifier: GPL-2.0-only
/* A daemon's life, and its turns as in daemon/loop.c and receive.c. */
#include "net/env.h"
#include "sim/sim.h"
#include "sim/bugs.h"

#define PROGRAM_START_NS MS(0.2)

bool node_alive(const struct node *n, uint32_t life)
{
	return n->running && n->life == life;
}

/* A datagram, a timer or the disk wants the daemon. */
void node_wake(struct node *n)
{
	struct world *w = n->w;
	uint64_t at_ns = w->now_ns + sim_below(w, US(30)) +
			 (n->slow_ns ? sim_below(w, n->slow_ns) : 0);

	if (!n->running || n->turn_due)
		return;
	if (n->in_turn) {
		n->again = true;
		return;
	}
	n->turn_due = true;
	if ((int64_t)(n->paused_until_ns - at_ns) > 0)
		at_ns = n->paused_until_ns;
	sim_at(w, at_ns, SIM_EV_TURN, n->id, n->life);
}

static void arm_timer(struct node *n)
{
	uint64_t at_ns = sim_true_at(n, n->armed_ns);

	if (at_ns >= n->timer_at_ns)
		return; /* it will fire before that, and is set anew then */
	n->timer_at_ns = at_ns;
	sim_at(n->w, at_ns, SIM_EV_TIMER, n->id, 0);
}

/* The clock's rate may have changed since: then it is not yet time, or already late. */
void node_timer(struct node *n)
{
	if (n->timer_at_ns > n->w->now_ns)
		return; /* an older, later request */
	n->timer_at_ns = UINT64_MAX;
	if (!n->running || n->turn_due)
		return;
	if ((int64_t)(sim_local(n) - n->armed_ns) >= 0)
		node_wake(n);
	else
		arm_timer(n);
}

static uint64_t stall_ns(const struct node *n)
{
	return n->w->stall_ns;
}

static bool step_down(struct node *n, uint32_t groups, enum xr_cause cause)
{
	uint32_t life = n->life;

	for (int g = 0; g < n->w->groups; g++) {
		struct xr_event ev = {.kind = XR_EV_STEP_DOWN, .why = {.cause = cause}};

		if (groups >> g & 1 && n->member[g].raft.role == XR_LEADER &&
		    !group_step(n, g, &ev))
			return false;
	}
	return node_alive(n, life);
}

/* Rule 8: the deadline moves only while the loop turns and writes complete. */
static bool begin_turn(struct node *n)
{
	uint64_t now_ns = sim_local(n), waits_ns = store_oldest_ns(n);
	bool hung = waits_ns && now_ns - waits_ns >= stall_ns(n);

	if (!waits_ns && now_ns - n->probed_ns > stall_ns(n) / 2) {
		n->probed_ns = now_ns;
		store_probe(n);
	}
	if (n->turned_ns && now_ns - n->turned_ns >= stall_ns(n) &&
	    !step_down(n, ~0u, XR_CAUSE_STALLED))
		return false;
	if ((hung || n->store.failed) && !step_down(n, ~0u, XR_CAUSE_DISK))
		return false;
	if (n->store.failed) { /* rule 7: this process votes no more */
		outbox_flush(n);
		node_die(n);
		sim_at(n->w, n->w->now_ns + PROGRAM_START_NS, SIM_EV_START, n->id, n->life);
		return false;
	}
	if (!sim_hold_daemon(n))
		return false;
	n->maps.control.alive_until_ns = (waits_ns ? waits_ns : now_ns) + stall_ns(n);
	n->turned_ns = now_ns;
	check_lease_is_promised(n);
	return true;
}

static bool end_turn(struct node *n)
{
	uint64_t next_ns = n->turned_ns + stall_ns(n) / 4;

	if (!sim_hold_daemon(n))
		return false;
	outbox_flush(n);
	store_kick(n);
	for (int g = 0; g < n->w->groups; g++)
		if (n->member[g].timer_ns < next_ns)
			next_ns = n->member[g].timer_ns;
	n->armed_ns = next_ns;
	arm_timer(n);
	return true;
}

/*
 * ---- what came in ----
 */

/* As xr_engine_note_timing(). */
static void note_timing(struct node *n, uint8_t node, uint32_t min_timeout_us)
{
	if (min_timeout_us > n->peer_min_timeout_us[node])
		n->peer_min_timeout_us[node] = min_timeout_us;
}

static bool heartbeat_to_core(struct node *n, const struct xr_record *rec, uint8_t source,
			      uint64_t sent_ns)
{
	struct xr_message m = {
		.type = XR_HEARTBEAT,
		.node = source,
		.term = rec->term,
		.sent_ns = sent_ns,
	};

	return group_message(n, rec->group, &m);
}

static bool passed_heartbeat(struct node *n, struct xr_env *env, const struct xr_wire *h,
			     const struct xr_record *rec)
{
	struct xr_group *g = xr_env_group(env, rec->group);
	struct xr_record answer = *rec;
	uint64_t now_ns = sim_local(n);
	enum xr_reason reason;

	if (!g || xr_env_may_answer(env, h, now_ns) != XR_REASON_END)
		return true;
	reason = xr_rule_heartbeat(g, env->control, h, rec, now_ns);
	if (reason == XR_R_pass_heartbeat)
		return heartbeat_to_core(n, rec, h->source, h->sent_ns);
	if (reason == XR_R_heartbeat_answered) {
		n->stamped_ns[rec->group] = n->w->now_ns;
		answer.flags = XR_ACKED;
	} else if (reason == XR_R_heartbeat_refused) {
		answer.flags = XR_REFUSED;
		answer.term = xr_view_read(g).view.term;
	} else {
		return true;
	}
	outbox_record(n, h->source, XR_ACK, h->sent_ns, &answer);
	return true;
}

static bool passed_record(struct node *n, struct xr_env *env, const struct xr_wire *h,
			  const struct xr_record *rec)
{
	struct xr_message m = {.type = h->type, .node = h->source, .term = rec->term};
	struct xr_group *g = xr_env_group(env, rec->group);

	if (!g || rec->digest != g->digest || (h->type == XR_ACK && !(rec->flags & XR_REFUSED)))
		return true;
	return group_message(n, rec->group, &m);
}

static bool passed_ballot(struct node *n, struct xr_env *env, const struct xr_wire *h,
			  const struct xr_ballot *b)
{
	struct xr_group *g = xr_env_group(env, b->group);
	struct xr_message m = xr_ballot_message(h, b);

	if (!g || !xr_is_voter(g, h->source) || b->digest != g->digest)
		return true;
	sim_trace(n->w, n->id, "hears %s of node %llu: group %llu term %llu granted %llu",
		  sim_type_name(h->type), h->source, b->group, b->term, m.granted);
	return group_message(n, b->group, &m);
}

static bool passed_up(struct node *n, struct xr_env *env, const struct packet *p)
{
	const struct xr_wire *h = &p->wire;
	const struct xr_record *rec = (const struct xr_record *)(h + 1);
	const struct xr_ballot *ballot = (const struct xr_ballot *)(h + 1);
	bool alive = true;

	note_timing(n, h->source, h->min_timeout_us);
	for (int i = 0; alive && i < h->count; i++) {
		if (h->type == XR_HEARTBEAT)
			alive = passed_heartbeat(n, env, h, &rec[i]);
		else if (h->type == XR_ACK || h->type == XR_POLL)
			alive = passed_record(n, env, h, &rec[i]);
		else if (h->type >= XR_VOTE)
			alive = passed_ballot(n, env, h, &ballot[i]);
	}
	return alive;
}

static struct xr_env slow_path(struct node *n)
{
	return (struct xr_env){
		.groups = n->maps.groups,
		.acks = n->maps.acks,
		.ngroups = n->w->groups,
		.control = &n->maps.control,
		.peers = n->maps.peers,
		.keys = n->maps.keys,
		.stats = &n->maps.stats,
	};
}

/* Rule 1: the slow path is the NIC path, in another place. */
static bool receive(struct node *n, struct packet *p)
{
	struct xr_env env = slow_path(n);
	struct xr_from from = {.port = p->port};
	bool alive = true;

	memcpy(from.ip, n->maps.peers[p->from].ip, sizeof(from.ip));
	switch (xr_rules_run(&env, &p->wire, p->bytes + p->size, p->size, &from, sim_local(n))) {
	case XR_TX:
		p->from = n->id;
		p->to = p->wire.dest;
		check_leaves(n, p, n->w->now_ns);
		net_send(n->w, p);
		break;
	case XR_PASS:
		alive = passed_up(n, &env, p);
		break;
	case XR_DROP:
		break;
	}
	for (uint32_t i = 0; alive && i < env.npending; i++) {
		struct xr_event_rec *left = &env.pending[i];

		note_timing(n, left->source, left->min_timeout_us);
		alive = heartbeat_to_core(n, &left->record, left->source, left->sent_ns);
	}
	return alive;
}

static struct packet *take_packet(struct node *n, struct packet *copy)
{
	uint32_t index;

	if (!n->ninbox)
		return NULL;
	index = n->inbox[0];
	memcpy(copy, &n->w->packets[index], sizeof(*copy));
	memmove(n->inbox, n->inbox + 1, --n->ninbox * sizeof(n->inbox[0]));
	sim_packet_free(n->w, index);
	return copy;
}

/* As receive_errors() in daemon/receive.c (rule 11). */
static bool hear_of_gone(struct node *n)
{
	uint32_t gone = n->gone;

	n->gone = 0;
	for (uint8_t node = 1; gone && node <= n->w->n; node++)
		for (int g = 0; gone >> node & 1 && g < n->w->groups; g++) {
			struct xr_event ev = {.kind = XR_EV_HINT, .message.node = node};

			if (n->member[g].raft.leader == node && !group_step(n, g, &ev))
				return false;
		}
	return true;
}

static bool receive_all(struct node *n)
{
	struct packet copy;

	if (!hear_of_gone(n))
		return false;
	for (int i = 0; i < SIM_SOCKET && take_packet(n, &copy); i++)
		if (!receive(n, &copy))
			return false;
	while (n->nring) {
		struct xr_event_rec left = n->ring[0];

		memmove(n->ring, n->ring + 1, --n->nring * sizeof(n->ring[0]));
		note_timing(n, left.source, left.min_timeout_us);
		if (left.type == XR_HEARTBEAT &&
		    !heartbeat_to_core(n, &left.record, left.source, left.sent_ns))
			return false;
	}
	return true;
}

/*
 * ---- a turn ----
 */

static bool on_timer(struct node *n)
{
	uint64_t now_ns = sim_local(n);
	bool late = now_ns - n->armed_ns >= n->timing.min_timeout_ns / 2;

	if (!receive_all(n)) /* rule 11: ask before acting */
		return false;
	for (int g = 0; g < n->w->groups; g++) {
		struct xr_event ev = {.kind = XR_EV_TIMER, .late = late};

		if ((int64_t)(now_ns - n->member[g].timer_ns) >= 0 &&
		    n->member[g].timer_ns != UINT64_MAX && !group_step(n, g, &ev))
			return false;
	}
	return true;
}

static bool on_durable(struct node *n)
{
	struct store *s = &n->store;

	while (s->ndone) {
		struct xr_event ev = {.kind = XR_EV_DURABLE};
		int g = s->done[0].group;

		memmove(s->done, s->done + 1, --s->ndone * sizeof(s->done[0]));
		if (!group_step(n, g, &ev))
			return false;
	}
	return true;
}

/* Whether the heir is there or not: the engine asks, but he may go at any moment. */
static bool hand_over(struct node *n, uint8_t heir)
{
	n->asked_to_hand_over = 0;
	for (int g = 0; heir && heir != n->id && g < n->w->groups; g++) {
		struct xr_event ev = {
			.kind = XR_EV_STEP_DOWN,
			.heir = heir,
			.why = {.cause = XR_CAUSE_TRANSFER, .node = heir},
		};

		if (n->member[g].raft.role == XR_LEADER && !group_step(n, g, &ev))
			return false;
	}
	return true;
}

static bool on_request(struct node *n)
{
	uint32_t groups = n->asked_to_step_down;

	n->asked_to_step_down = 0;
	if (!hand_over(n, n->asked_to_hand_over) || !step_down(n, groups, XR_CAUSE_SHUTDOWN))
		return false;
	if (!n->asked_to_stop)
		return true;
	outbox_flush(n);
	n->maps.control.alive_until_ns = 0;
	node_die(n);
	sim_at(n->w, n->w->now_ns + sim_below(n->w, MS(20)), SIM_EV_START, n->id, n->life);
	return false;
}

static bool turn(struct node *n)
{
	bool timer = (int64_t)(sim_local(n) - n->armed_ns) >= 0;

	if (!begin_turn(n) || !receive_all(n) || !on_request(n) || !end_turn(n))
		return false;
	if (timer && (!begin_turn(n) || !on_timer(n) || !end_turn(n)))
		return false;
	if (n->store.ndone && (!begin_turn(n) || !on_durable(n) || !end_turn(n)))
		return false;
	return true;
}

static void leave_turn(struct node *n)
{
	check_turn(n);
	n->in_turn = false;
	if (n->again || n->ninbox || n->store.ndone)
		node_wake(n);
	n->again = false;
}

void node_turn(struct node *n)
{
	n->turn_due = false;
	if ((int64_t)(n->paused_until_ns - n->w->now_ns) > 0) {
		node_wake(n);
		return;
	}
	n->in_turn = true;
	if (turn(n) && !n->w->failed)
		leave_turn(n);
}

/*
 * ---- life and death ----
 */

void node_init(struct world *w, uint8_t id)
{
	struct node *n = &w->node[id];

	n->w = w;
	n->id = id;
	n->powered = true;
	n->timer_at_ns = UINT64_MAX;
	n->timing = w->timing;
	for (int peer = 1; peer <= w->n; peer++)
		n->maps.peers[peer] = (struct xr_peer){
			.ip = {[15] = peer},
			.port = XR_PORT,
			.used = 1,
		};
	n->maps.keys[0] = (struct xr_key){.sip = {7, 9}, .used = 1};
}

static void fill_control(struct node *n)
{
	n->maps.control = (struct xr_control){
		.abi = XR_ABI,
		.self = n->id,
		.answer = 1,
		.port = XR_PORT,
		.groups = n->w->groups,
		.min_timeout_us = n->timing.min_timeout_ns / NS_PER_US,
		.max_timeout_us = n->timing.max_timeout_ns / NS_PER_US,
		.heartbeat_us = n->timing.heartbeat_ns / NS_PER_US,
		.stall_limit_us = n->w->stall_ns / NS_PER_US,
		.quorum_lapse_us = n->timing.max_timeout_ns / NS_PER_US,
		.drift_permille = n->w->drift,
	};
}

/* Rule 6: before anything of the new life is said or answered. */
static void fence_leftovers(struct node *n)
{
	for (int g = 0; g < n->w->groups; g++) {
		struct xr_view none = {.term = n->maps.groups[g].view.term, .mode = XR_NONE};

		if (!XR_BUG(maps_not_fenced))
			group_set_view(n, g, none);
	}
	n->maps.control.alive_until_ns = 0;
}

static bool start(struct node *n, bool fresh)
{
	uint64_t promise_ns, promise_until_ns;

	if (store_open(n, &promise_ns) || (!fresh && !sim_hold_daemon(n)))
		return false;
	fence_leftovers(n);
	promise_until_ns = promise_ns ? sim_local(n) + promise_ns : 0;
	if (!sim_hold_daemon(n))
		return false;
	fill_control(n);
	n->socket = true;
	for (int g = 0; g < n->w->groups; g++)
		n->maps.groups[g].voters = n->maps.groups[g].digest = 0;
	for (int g = 0; g < n->w->groups; g++)
		if (!group_start(n, g, XR_BUG(promise_forgotten) ? 0 : promise_until_ns))
			return false;
	return begin_turn(n) && end_turn(n);
}

void node_start(struct node *n, bool fresh)
{
	sim_trace(n->w, n->id, "%s starts", "daemon", 0, 0, 0, 0);
	n->powered = n->running = n->in_turn = true;
	n->life++;
	n->turn_due = n->again = false;
	n->turned_ns = n->probed_ns = n->armed_ns = 0;
	n->asked_to_step_down = n->asked_to_hand_over = n->gone = 0;
	n->asked_to_stop = false;
	n->paused_until_ns = 0;
	memset(n->peer_min_timeout_us, 0, sizeof(n->peer_min_timeout_us));
	if (n->w->mixed_d)
		n->timing.min_timeout_ns = n->w->timing.min_timeout_ns * sim_between(n->w, 1, 4) /
					   2;
	n->timing.max_timeout_ns = n->timing.min_timeout_ns +
				   (n->w->timing.max_timeout_ns - n->w->timing.min_timeout_ns);
	if (start(n, fresh) && !n->w->failed)
		leave_turn(n);
}

/* The process ends at once, wherever it is; its kernel and its NIC path go on. */
void node_die(struct node *n)
{
	n->running = n->socket = n->in_turn = n->turn_due = false;
	n->life++;
	while (n->ninbox)
		sim_packet_free(n->w, n->inbox[--n->ninbox]);
	n->nring = 0;
	outbox_drop(n);
	store_crash(n, false);
}

/* The power went and came back: maps are gone, and the clock begins anew. */
void node_reboot(struct node *n, int64_t ppm)
{
	if (n->running)
		node_die(n);
	n->life++;
	n->boots++;
	n->reader_clock_ns = 0;
	store_crash(n, true);
	for (int g = 0; g < n->w->groups; g++) {
		n->maps.groups[g] = (struct xr_group){0};
		n->maps.acks[g] = (struct xr_acks){0};
		n->w->lead_views[g] &= ~(1u << n->id);
	}
	n->maps.control.alive_until_ns = 0;
	sim_clock_set(n, NS_PER_S + sim_below(n->w, NS_PER_S), ppm);
}

/* The engine's death ends its leases at once, and then the peers are told (DESIGN 4). */
void node_warden(struct node *n)
{
	n->maps.control.alive_until_ns = 0;
	for (int g = 0; g < n->w->groups; g++) {
		struct xr_view view = n->maps.groups[g].view;

		if (view.mode != XR_LEAD)
			continue;
		if (XR_BUG(warden_resigns_first)) {
			net_resign_by_warden(n, g, view.term);
			return;
		}
		group_set_view(n, g, (struct xr_view){.term = view.term, .mode = XR_NONE});
		net_resign_by_warden(n, g, view.term);
	}
}
