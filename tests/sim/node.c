// SPDX-License-Identifier: GPL-2.0-only
/* A daemon's life: its start, its turns, its end. What is done in them is the engine's. */
#include "engine/ballot.h"
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
	if (xr_before(at_ns, n->paused_until_ns))
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

void node_arm(struct node *n, uint64_t local_ns)
{
	n->armed_ns = local_ns;
	arm_timer(n);
}

static bool is_due(const struct node *n)
{
	return n->armed_ns && !xr_before(sim_local(n), n->armed_ns);
}

/* The clock's rate may have changed since: then it is not yet time, or already late. */
void node_timer(struct node *n)
{
	if (n->timer_at_ns > n->w->now_ns)
		return; /* an older, later request */
	n->timer_at_ns = UINT64_MAX;
	if (!n->running)
		return;
	if (is_due(n))
		node_wake(n);
	else if (n->armed_ns)
		arm_timer(n);
}

/*
 * ---- a turn, and what is asked of a daemon: as daemon/host.c has it from its loop ----
 */

static void hand_over(struct node *n)
{
	struct xr_order order = {.heir = n->asked_to_hand_over};
	struct xr_order_result result;

	n->asked_to_hand_over = 0;
	for (int g = 0; g < n->w->groups; g++) {
		memcpy(order.group, n->maps.groups[g].name, sizeof(order.group));
		xr_engine_order(&n->engine, &order, &result);
	}
}

static void reload(struct node *n)
{
	n->asked_to_reload = false;
	n->config.ngroups = n->w->groups;
	xr_engine_keys(&n->engine, n->config.keys, n->config.nkeys);
	xr_engine_take(&n->engine, n->config.groups, n->config.ngroups);
}

static void answer_requests(struct node *n)
{
	struct xr_order order = {.group = ""};
	struct xr_order_result result;

	if (n->asked_to_reload)
		reload(n);
	if (n->asked_to_hand_over)
		hand_over(n);
	if (n->asked_to_step_down)
		xr_engine_order(&n->engine, &order, &result);
	n->asked_to_step_down = 0;
	if (n->asked_to_stop)
		xr_engine_stop(&n->engine);
}

static void turn(struct node *n)
{
	struct xr_engine *e = &n->engine;
	bool timer = is_due(n);

	if (n->ninbox || n->nring || n->gone)
		xr_engine_receive(e);
	if (!n->over)
		answer_requests(n);
	if (timer && !n->over)
		xr_engine_timer(e);
	if ((n->store.ndone || n->store.failed) && !n->over)
		xr_engine_durable(e);
	check_lease_is_promised(n);
	check_maps(n);
}

static void leave_turn(struct node *n)
{
	if (n->over) { /* the process ends by itself, and somebody starts it again */
		node_die(n);
		sim_at(n->w, n->w->now_ns + PROGRAM_START_NS + sim_below(n->w, MS(20)),
		       SIM_EV_START, n->id, n->life);
		return;
	}
	check_turn(n);
	n->in_turn = false;
	if (n->again || n->ninbox || n->store.ndone)
		node_wake(n);
	n->again = false;
}

void node_turn(struct node *n)
{
	n->turn_due = false;
	if (xr_before(n->w->now_ns, n->paused_until_ns)) {
		node_wake(n);
		return;
	}
	n->in_turn = true;
	if (sim_daemon(n, turn))
		leave_turn(n);
}

/*
 * ---- life and death ----
 */

static void set_groups(struct node *n)
{
	struct world *w = n->w;

	n->config.groups = n->groups;
	n->config.ngroups = w->groups;
	for (int g = 0; g < w->groups; g++) {
		n->groups[g] = (struct xr_config_group){
			.id = g,
			.voters = ((1u << w->n) - 1) << 1,
			.digest = 0x7e57 + g,
		};
		snprintf(n->groups[g].name, sizeof(n->groups[g].name), "g%d", g);
	}
}

void node_init(struct world *w, uint8_t id)
{
	struct node *n = &w->node[id];

	n->w = w;
	n->id = id;
	n->powered = true;
	n->timer_at_ns = UINT64_MAX;
	n->config = (struct xr_config){
		.cluster = "sim",
		.self = id,
		.max_timeout_us = w->timing.max_timeout_ns / NS_PER_US,
		.min_timeout_us = w->timing.min_timeout_ns / NS_PER_US,
		.heartbeat_us = w->timing.heartbeat_ns / NS_PER_US,
		.stall_limit_us = w->stall_ns / NS_PER_US,
		.drift_permille = w->drift,
		.keys = {{.sip = {7, 9}, .used = 1}},
		.nkeys = 1,
	};
	set_groups(n);
	for (int peer = 1; peer <= w->n; peer++)
		n->config.nodes[peer] = (struct xr_peer){
			.ip = {[15] = peer},
			.port = XR_PORT,
			.used = 1,
		};
	memcpy(n->maps.peers, n->config.nodes, sizeof(n->maps.peers));
	memcpy(n->maps.keys, n->config.keys, sizeof(n->maps.keys));
}

static void fill_control(struct node *n)
{
	const struct xr_config *c = &n->config;

	n->maps.control = (struct xr_control){
		.abi = XR_ABI,
		.self = n->id,
		.answer = 1,
		.port = XR_PORT,
		.groups = n->w->groups,
		.min_timeout_us = c->min_timeout_us,
		.max_timeout_us = c->max_timeout_us,
		.heartbeat_us = c->heartbeat_us,
		.stall_limit_us = c->stall_limit_us,
		.quorum_lapse_us = c->max_timeout_us,
		.drift_permille = c->drift_permille,
	};
}

static void start(struct node *n)
{
	struct xr_maps maps = {
		.groups = n->maps.groups,
		.acks = n->maps.acks,
		.control = &n->maps.control,
		.ngroups = n->w->groups,
	};
	struct xr_engine *e = &n->engine;
	uint64_t promise_ns, promise_until_ns;

	if (store_open(n, &promise_ns))
		return;
	sim_pause();
	for (int g = 0; g < n->w->groups && !XR_BUG(maps_not_fenced); g++)
		n->maps.groups[g].view.mode = XR_NONE;
	n->maps.control.alive_until_ns = 0;
	check_maps(n);
	promise_until_ns = promise_ns ? sim_local(n) + promise_ns : 0;
	sim_pause();
	fill_control(n);
	n->socket = true;
	e->config = &n->config;
	e->host = &sim_host;
	e->world = n;
	e->random = sim_random(n->w);
	memcpy(e->peers, n->config.nodes, sizeof(e->peers));
	xr_engine_keys(e, n->config.keys, n->config.nkeys);
	if (xr_engine_init(e, &maps, n->store.journal,
			   XR_BUG(promise_forgotten) ? 0 : promise_until_ns, NULL))
		abort();
	xr_engine_begin(e);
	check_maps(n);
}

void node_start(struct node *n, bool fresh)
{
	struct world *w = n->w;
	const struct xr_timing *t = &w->timing;

	(void)fresh;
	sim_trace(w, n->id, "%s starts", "daemon", 0, 0, 0, 0);
	n->powered = n->running = n->in_turn = true;
	n->life++;
	n->turn_due = n->again = n->over = false;
	n->armed_ns = 0;
	n->asked_to_step_down = n->asked_to_hand_over = n->gone = 0;
	n->asked_to_stop = n->asked_to_reload = false;
	n->paused_until_ns = 0;
	if (w->mixed_d)
		n->config.min_timeout_us = t->min_timeout_ns * sim_between(w, 1, 4) / 2 / NS_PER_US;
	n->config.max_timeout_us = n->config.min_timeout_us +
				   (t->max_timeout_ns - t->min_timeout_ns) / NS_PER_US;
	memset(&n->engine, 0, sizeof(n->engine));
	if (sim_daemon(n, start))
		leave_turn(n);
}

/* The process ends at once, wherever it is; its kernel and its NIC path go on. */
void node_die(struct node *n)
{
	check_maps(n);
	n->running = n->socket = n->in_turn = n->turn_due = false;
	n->life++;
	while (n->ninbox)
		sim_packet_free(n->w, n->inbox[--n->ninbox]);
	n->nring = 0;
	xr_engine_free(&n->engine);
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
		n->views[g].word = n->contact_ns[g] = 0;
		n->w->lead_views[g] &= ~(1u << n->id);
	}
	n->maps.control.alive_until_ns = 0;
	sim_clock_set(n, NS_PER_S + sim_below(n->w, NS_PER_S), ppm);
}

static void resign(struct node *n, int g, uint32_t term)
{
	struct xr_env env = {.control = &n->maps.control, .keys = n->config.keys};
	static struct xr_outbox box;
	struct xr_ballot b = {
		.group = g,
		.term = term,
		.digest = n->groups[g].digest,
		.node = xr_heir(&n->maps.groups[g], &n->maps.acks[g], &n->maps.control, g),
	};

	box.host = &sim_warden_host;
	box.world = n;
	box.env = &env;
	for (int to = 1; to <= n->w->n; to++)
		if (to != n->id)
			xr_outbox_ballot(&box, to, XR_RESIGN, &b);
	xr_outbox_flush(&box);
}

/* The engine's death ends its leases at once, and then the peers are told. */
void node_warden(struct node *n)
{
	n->maps.control.alive_until_ns = 0;
	for (int g = 0; g < n->w->groups; g++) {
		struct xr_view view = n->maps.groups[g].view;

		if (view.mode != XR_LEAD)
			continue;
		if (XR_BUG(warden_resigns_first)) {
			resign(n, g, view.term);
			return;
		}
		n->maps.groups[g].view = (struct xr_view){.term = view.term, .mode = XR_NONE};
		check_maps(n);
		resign(n, g, view.term);
	}
}
