// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lives and deaths of a warden and its engines, as daemon/process.c and start.c have them; what is
 * done in them is user/daemon/warden.c's and user/engine's.
 */
#include <signal.h>
#include "sim/sim.h"

#define JOURNAL_BLOCKS	 24 /* a compaction every dozen votes */
#define PROGRAM_START_NS MS(0.2)

/* A datagram, a timer or the disk wants the daemon. */
void node_wake(struct node *n)
{
	struct world *w = n->w;
	uint64_t at_ns = w->now_ns + sim_below(w, US(30)) +
			 (n->slow_ns ? sim_below(w, n->slow_ns) : 0);

	if (!n->child.lives || n->turn_due)
		return;
	if (n->in_turn) {
		n->again = true;
		return;
	}
	n->turn_due = true;
	if (xr_before(at_ns, n->paused_until_ns))
		at_ns = n->paused_until_ns;
	sim_at(w, at_ns, SIM_EV_TURN, n->host, n->child.life);
}

static void arm_timer(struct node *n)
{
	uint64_t at_ns = sim_true_at(n, n->armed_ns);

	if (at_ns >= n->timer_at_ns)
		return; /* it will fire before that, and is set anew then */
	n->timer_at_ns = at_ns;
	sim_at(n->w, at_ns, SIM_EV_TIMER, n->host, 0);
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
	if (!n->child.lives)
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

/* Each value is another one. */
static void set_values(struct node *n)
{
	struct xr_order order = {.kind = XR_ORDER_SET};
	struct xr_order_result result;

	for (int g = 0; g < n->w->groups; g++) {
		if (!(n->asked_to_set >> g & 1))
			continue;
		memcpy(order.group, n->maps.groups[g].name, sizeof(order.group));
		order.size = (uint16_t)snprintf(order.value, sizeof(order.value), "value %llu",
						(unsigned long long)n->w->sequence);
		if (n->w->sequence % 5 == 0)
			order.size = SIM_VALUE;
		xr_engine_order(&n->engine, &order, &result);
		n->w->result->faults[SIM_VALUES_SET] += !result.err;
	}
	n->asked_to_set = 0;
}

static void change_members(struct node *n)
{
	struct xr_order order = n->change;
	struct xr_order_result result;

	n->change.group[0] = '\0';
	xr_engine_order(&n->engine, &order, &result);
	n->w->result->faults[SIM_MEMBERS_CHANGED] += !result.err;
	sim_trace(n->w, n->id, "%s: kind %llu of node %llu: %llu", "members", order.kind,
		  order.node, (uint64_t)-result.err, 0);
}

static void reload(struct node *n)
{
	xr_engine_keys(&n->engine, n->given.keys, n->given.nkeys);
	memcpy(n->maps.keys, n->engine.keys, sizeof(n->maps.keys));
	xr_engine_take(&n->engine, n->engine.peers, n->given.groups, n->given.ngroups);
	n->reloaded = false;
}

static void pause_or_resume(struct node *n)
{
	struct xr_order order = {
		.kind = n->asked_to_resume ? XR_ORDER_RESUME : XR_ORDER_PAUSE,
		.at_s = 1 + (uint32_t)(n->w->now_ns / NS_PER_S),
	};
	struct xr_order_result result;

	if (n->stands >= 0)
		memcpy(order.group, n->maps.groups[n->stands].name, sizeof(order.group));
	n->asked_to_pause = false;
	n->asked_to_resume = n->w->calm && n->w->ranked; /* again, until it is done */
	xr_engine_order(&n->engine, &order, &result);
}

static void answer_requests(struct node *n)
{
	struct xr_order order = {.group = ""};
	struct xr_order_result result;

	if (n->reloaded)
		reload(n);
	if (n->asked_to_set)
		set_values(n);
	if (n->change.group[0])
		change_members(n);
	if (n->asked_to_hand_over)
		hand_over(n);
	if (n->asked_to_step_down)
		xr_engine_order(&n->engine, &order, &result);
	n->asked_to_step_down = 0;
	if ((n->asked_to_pause || n->asked_to_resume) && !n->doomed)
		pause_or_resume(n);
	if (n->asked_to_stop)
		xr_engine_stop(&n->engine, XR_CAUSE_SHUTDOWN);
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
	if (n->over) { /* the process ends by itself */
		node_kill_engine(n, n->wait_status);
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
	if (sim_process(n, &n->child, turn))
		leave_turn(n);
}

/*
 * ---- what a node is ----
 */

static void set_groups(struct node *n)
{
	struct world *w = n->w;

	n->config.groups = n->groups;
	n->config.ngroups = w->groups - w->late_groups;
	for (int g = 0; g < w->groups; g++) {
		n->groups[g] = (struct xr_config_group){
			.id = g,
			.voters = ((1u << w->first) - 1) << 1,
			.digest = 0x7e57 + g,
		};
		snprintf(n->groups[g].name, sizeof(n->groups[g].name), "g%d", g);
	}
}

void node_init(struct world *w, uint8_t host, uint8_t id)
{
	struct node *n = &w->node[host];

	n->w = w;
	n->id = id;
	n->host = host;
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
		.failback_ms = w->failback_ms,
		.state_dir = "state",
		.keys = {{.sip = {7, 9}, .used = 1}, {.sip = {8, 6}, .used = 1, .id = 1}},
		.nkeys = 2,
	};
	set_groups(n);
	for (int peer = 1; peer <= w->n; peer++)
		n->config.nodes[peer] = (struct xr_peer){
			.ip = {[15] = peer},
			.port = XR_PORT,
			.used = 1,
			.priority = w->priority[peer],
		};
	store_new(n);
}

/*
 * ---- what the warden asks of its world beside journal and host ----
 */

int xr_rights_own(const struct xr_user *user, const char *dir, struct xr_why *why)
{
	(void)user, (void)dir, (void)why;
	return 0;
}

/* Nobody starts a second one here. */
int xr_nic_lock(const struct xr_nic_opts *o, int *fd, struct xr_why *why)
{
	(void)o, (void)why;
	*fd = -1;
	return 0;
}

void xr_nic_unlock(const struct xr_nic_opts *o, int *fd)
{
	(void)o, (void)fd;
}

static struct xr_maps maps_of(struct node *n)
{
	return (struct xr_maps){
		.groups = n->maps.groups,
		.acks = n->maps.acks,
		.peers = n->maps.peers,
		.control = &n->maps.control,
		.values = n->maps.values,
		.value_size = sizeof(n->maps.values[0]),
		.ngroups = n->w->groups,
	};
}

/* Rule 19: where XDP is off a start may be in another time namespace than the one before. */
int xr_nic_fence_leftovers(const struct xr_nic_opts *o, struct xr_why *why)
{
	struct node *n = sim_self();
	struct xr_maps maps = maps_of(n);

	(void)o, (void)why;
	xr_nic_fence(&maps, NULL);
	if (n->no_nic && sim_chance(n->w, 700)) { /* or the start would be refused */
		n->w->result->faults[SIM_OTHER_CLOCK]++;
		sim_clock_set(n, sim_between(n->w, NS_PER_S, 10 * NS_PER_S), n->clock.ppm);
	}
	return 0;
}

int xr_nic_open(struct xr_nic *nic, const struct xr_nic_opts *o, struct xr_why *why)
{
	struct node *n = sim_self();

	(void)o, (void)why;
	nic->maps = maps_of(n);
	nic->mode = n->no_nic ? XR_NIC_OFF : XR_NIC_NATIVE;
	return 0;
}

static void copy_config(struct xr_config *to, const struct xr_config *from)
{
	*to = *from;
	to->groups = calloc(SIM_GROUPS, sizeof(to->groups[0]));
	if (!to->groups)
		abort();
	memcpy(to->groups, from->groups, from->ngroups * sizeof(to->groups[0]));
}

/* In place of the real one (-Wl,--wrap): there are no files here. */
int __wrap_xr_config_read(struct xr_config *c, const char *path, struct xr_why *why);
int __wrap_xr_config_read(struct xr_config *c, const char *path, struct xr_why *why)
{
	(void)path, (void)why;
	copy_config(c, &sim_self()->config);
	return 0;
}

/*
 * ---- an engine's life and death ----
 */

/* Do its maps know more than the journal that it has found? */
static bool is_older(struct node *n)
{
	for (int g = 0; g < n->w->groups; g++) {
		const struct xr_vote *v = xr_journal_find(n->store.journal, g);

		if (n->maps.groups[g].view.term > (v ? v->term : 0))
			return true;
	}
	return false;
}

static void start_engine(struct node *n)
{
	struct xr_warden *w = &n->warden;
	struct xr_engine *e = &n->engine;
	int err;

	if (store_open(n))
		return;
	e->config = &n->forked;
	e->host = &sim_host;
	e->looks = &n->looks;
	e->world = n;
	e->random = n->w->options->quiet ? n->id + 16 * n->child.life : sim_random(n->w);
	memcpy(e->peers, w->config.nodes, sizeof(e->peers));
	xr_engine_keys(e, w->config.keys, w->config.nkeys);
	err = xr_engine_init(e, &w->nic.maps, n->store.journal, xr_warden_promise_until_ns(w),
			     NULL);
	if (err == -ESTALE && n->store.put_back) { /* somebody reads why, and restores the newest */
		n->over = true;
		n->wait_status = 1 << 8;
		return;
	}
	if (!err && n->store.put_back && !is_older(n)) { /* it held more than was known of it */
		n->over = true;
		n->wait_status = 1 << 8;
		return;
	}
	if (err || n->store.put_back)
		sim_violation(n->w, "a start looks for what was promised (rule 18)", "node %u",
			      n->id);
	sim_pause();
	memcpy(n->maps.keys, e->keys, sizeof(n->maps.keys));
	n->socket = true;
	n->maps.control.heard_ns = sim_local(n);
	sim_pause();
	xr_engine_begin(e);
	check_maps(n);
}

void node_spawn(struct node *n)
{
	xr_warden_spawned(&n->warden);
	n->child.lives = n->in_turn = true;
	n->child.life++;
	n->turn_due = n->again = n->over = false;
	n->armed_ns = 0;
	n->began_ns = sim_local(n);
	n->asked_to_step_down = n->asked_to_hand_over = n->asked_to_set = n->gone = 0;
	n->change.group[0] = '\0';
	n->asked_to_stop = n->reloaded = n->asked_to_pause = false;
	n->paused_until_ns = 0;
	memset(&n->engine, 0, sizeof(n->engine));
	copy_config(&n->forked, &n->warden.config);
	if (sim_process(n, &n->child, start_engine))
		leave_turn(n);
}

/* At once, wherever it is; kernel and NIC path go on. The warden notices a little later. */
void node_kill_engine(struct node *n, int wait_status)
{
	struct world *w = n->w;

	check_maps(n);
	if (n->over)
		n->w->result->faults[SIM_PUT_BACK] += n->store.put_back;
	n->child.lives = n->socket = n->in_turn = n->turn_due = false;
	n->child.life++;
	n->wait_status = wait_status;
	while (n->ninbox)
		sim_packet_free(w, n->inbox[--n->ninbox]);
	n->nring = 0;
	xr_engine_free(&n->engine);
	xr_config_free(&n->forked);
	store_crash(n, false);
	store_restore(n);
	if (n->parent.lives)
		sim_at(w, w->now_ns + sim_between(w, US(50), US(150)), SIM_EV_BURY, n->host,
		       n->parent.life);
}

/*
 * ---- a warden's ----
 */

static void end_warden(struct node *n)
{
	n->parent.lives = false;
	n->parent.life++;
	xr_warden_close(&n->warden);
	xr_config_free(&n->warden.config);
}

static void bury(struct node *n)
{
	xr_warden_bury(&n->warden);
}

void node_bury(struct node *n)
{
	struct world *w = n->w;

	if (sim_process(n, &n->parent, bury))
		sim_at(w, w->now_ns + sim_below(w, MS(1)), SIM_EV_REAP, n->host, n->parent.life);
}

static void reap(struct node *n)
{
	struct world *w = n->w;
	struct xr_warden_next next = xr_warden_reaped(&n->warden, n->wait_status,
						      sim_local(n) - n->began_ns);

	check_maps(n);
	if (next.again) {
		sim_at(w, w->now_ns + next.pause_ns + sim_below(w, PROGRAM_START_NS), SIM_EV_SPAWN,
		       n->host, n->parent.life);
		return;
	}
	end_warden(n); /* and somebody starts it again, */
	if (n->doomed) /* unless he has read why it ended */
		return;
	sim_at(w, w->now_ns + PROGRAM_START_NS + sim_below(w, MS(20)), SIM_EV_START, n->host,
	       n->parent.life);
}

void node_reap(struct node *n)
{
	sim_process(n, &n->parent, reap);
}

void node_look_if_hung(struct node *n)
{
	if (xr_warden_is_hung(&n->warden, sim_local(n)))
		node_kill_engine(n, SIGKILL);
}

static void read_again(struct node *n)
{
	const struct xr_config *c = &n->warden.config;

	xr_warden_reload(&n->warden, &(struct xr_why){""}, NULL);
	memcpy(n->given.groups, c->groups, c->ngroups * sizeof(c->groups[0]));
	n->given.ngroups = c->ngroups;
	memcpy(n->given.keys, c->keys, sizeof(n->given.keys));
	n->given.nkeys = c->nkeys;
	n->reloaded = n->child.lives; /* one that is yet to come starts with it */
	node_wake(n);
}

void node_reload(struct node *n)
{
	if (n->parent.lives && n->reloaded) /* the last one is not taken yet: again in a moment */
		sim_at(n->w, n->w->now_ns + MS(2), SIM_EV_RELOAD, n->host, 0);
	else if (n->parent.lives)
		sim_process(n, &n->parent, read_again);
}

static void start_warden(struct node *n)
{
	struct xr_why why = {""};

	if (xr_warden_open(&n->warden, n->warden.fresh, &why))
		sim_violation(n->w, "a crash never makes the journal unreadable", "node %u: %s",
			      n->id, why.text);
	check_maps(n);
}

void node_start(struct node *n, bool fresh)
{
	struct world *w = n->w;
	const struct xr_timing *t = &w->timing;

	sim_trace(w, n->id, "%s starts", "daemon", 0, 0, 0, 0);
	n->powered = n->parent.lives = true;
	n->parent.life++;
	if (w->mixed_d)
		n->config.min_timeout_us = t->min_timeout_ns * sim_between(w, 1, 4) / 2 / NS_PER_US;
	n->config.max_timeout_us = n->config.min_timeout_us +
				   (t->max_timeout_ns - t->min_timeout_ns) / NS_PER_US;
	memset(&n->warden, 0, sizeof(n->warden));
	copy_config(&n->warden.config, &n->config);
	n->warden.fresh = fresh || n->wiped;
	n->warden.birth = n->wiped ? n->birth : 0;
	n->wiped = false;
	n->warden.host = &sim_warden_host;
	n->warden.world = n;
	n->warden.disk = &n->store.disk->ops;
	n->warden.journal_blocks = JOURNAL_BLOCKS;
	if (sim_process(n, &n->parent, start_warden))
		node_spawn(n);
}

void node_kill(struct node *n)
{
	if (n->parent.lives)
		end_warden(n);
	if (n->child.lives)
		node_kill_engine(n, SIGKILL);
	else
		store_crash(n, false);
}

/* The power went and came back: maps are gone, and the clock begins anew. */
void node_reboot(struct node *n, int64_t ppm)
{
	node_kill(n);
	store_restore(n); /* without the maps only peers could know better */
	n->boots++;
	store_crash(n, true);
	for (int g = 0; g < n->w->groups; g++) {
		n->maps.groups[g] = (struct xr_group){0};
		n->maps.acks[g] = (struct xr_acks){0};
		n->maps.values[g] = (struct shown){0};
		n->committed[g] = 0;
		n->views[g].word = n->contact_ns[g] = 0;
		n->w->lead_views[g] &= ~(1u << n->id);
	}
	n->maps.control.alive_until_ns = 0;
	sim_clock_set(n, NS_PER_S + sim_below(n->w, NS_PER_S), ppm);
}

void node_join(struct node *n)
{
	n->birth = (uint32_t)sim_chance_set(n->w, UINT32_MAX) + 1;
	n->wiped = true;
}

/* Its disk and all that is on it is lost; it starts again as a node that joins. */
void node_wipe(struct node *n)
{
	node_reboot(n, 0);
	store_wipe(n);
	check_wiped(n);
	node_join(n);
}
