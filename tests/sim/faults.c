// SPDX-License-Identifier: GPL-2.0-only
/* What goes wrong: one stroke at a time, at random times. */
#include <signal.h>
#include "sim/sim.h"

const char *const sim_fault_names[SIM_FAULTS] = {
	[SIM_LOST] = "datagrams lost",
	[SIM_DOUBLED] = "datagrams doubled",
	[SIM_DELAYED] = "datagrams late and overtaken",
	[SIM_REPLAYED] = "datagrams replayed",
	[SIM_FLIPPED] = "datagrams with a bit flipped",
	[SIM_ISOLATED] = "a node isolated (both ways, send-only, receive-only)",
	[SIM_PARTITIONED] = "partitions in two",
	[SIM_BRIDGED] = "partitions with a bridge node",
	[SIM_LINK_CUT] = "links cut in one direction",
	[SIM_HEALED] = "networks healed",
	[SIM_CRASHED] = "engines killed",
	[SIM_KILLED] = "daemons killed, warden and engine",
	[SIM_REBOOTED] = "nodes rebooted",
	[SIM_STOPPED] = "daemons stopped in order",
	[SIM_TORN] = "deaths in the middle of a write",
	[SIM_ROTTEN] = "journals with a bit flipped",
	[SIM_PAUSED] = "daemons paused for less than the stall limit",
	[SIM_STALLED] = "daemons paused for longer",
	[SIM_NIC_HELD] = "NIC paths held between two steps",
	[SIM_DAEMON_HELD] = "daemons held between two steps",
	[SIM_DISK_SLOW] = "slow or hung disks",
	[SIM_DISK_FAILED] = "failed fsyncs",
	[SIM_CLOCK_RATE] = "clocks changing their rate",
	[SIM_STEPPED_DOWN] = "leaders asked to step down",
	[SIM_HANDED_OVER] = "leaders asked to hand over to a node",
	[SIM_SOCKET_GONE] = "senders told that a socket is gone",
	[SIM_READER_HELD] = "readers held between two reads",
	[SIM_RELOADED] = "reloads",
	[SIM_VALUES_SET] = "values set",
	[SIM_VALUES_COMMITTED] = "entries committed",
	[SIM_MEMBERS_CHANGED] = "members added, promoted or removed",
	[SIM_WIPED] = "disks lost, and node ids used again",
	[SIM_SET_BACK] = "machines set back, of which only peers know more",
	[SIM_COPIED] = "machines copied with their state",
	[SIM_OTHER_CLOCK] = "starts in another time namespace",
	[SIM_ASKED_TO_PAUSE] = "nodes paused and resumed by order",
	[SIM_FAILED_BACK] = "leaders that made way for a node of higher priority",
	[SIM_PUT_BACK] = "old journals put back, and refused",
};

static struct node *any_node(struct world *w)
{
	return &w->node[1 + sim_below(w, w->n)];
}

/* A leader, in two of three cases: that is where it hurts. */
static struct node *victim(struct world *w)
{
	uint32_t leaders = w->lead_views[sim_below(w, w->groups)];

	if (!leaders || sim_chance(w, 333))
		return any_node(w);
	return &w->node[31 - __builtin_clz(leaders)];
}

static uint64_t some_time(struct world *w)
{
	uint64_t d_ns = w->timing.min_timeout_ns;

	switch (sim_below(w, 3)) {
	case 0:
		return sim_between(w, 0, d_ns / 4);
	case 1:
		return sim_between(w, d_ns / 4, d_ns * 3 / 2);
	default:
		return sim_between(w, d_ns, 4 * w->timing.max_timeout_ns);
	}
}

static int64_t any_rate(struct world *w)
{
	int64_t most = w->drift * 1000; /* r, in parts per million */

	switch (sim_below(w, 4)) {
	case 0:
		return most;
	case 1:
		return -most;
	case 2:
		return (int64_t)sim_between(w, 0, 2 * most) - most;
	default:
		return 50;
	}
}

/*
 * ---- network ----
 */

static void heal(struct world *w)
{
	memset(w->cut, 0, sizeof(w->cut));
}

void faults_heal_network(struct world *w)
{
	if (w->calm)
		return;
	w->result->faults[SIM_HEALED]++;
	sim_trace(w, 0, "%s healed", "network", 0, 0, 0, 0);
	heal(w);
}

/* As long as it takes the others to lose patience: the leader is back when they vote. */
static uint64_t about_d(struct world *w)
{
	uint64_t d_ns = w->timing.min_timeout_ns;

	return sim_between(w, d_ns * 8 / 10, d_ns + w->timing.max_timeout_ns);
}

static void isolate(struct world *w)
{
	int id = victim(w)->id, ways = 1 + sim_below(w, 3);

	heal(w);
	for (int other = 1; other <= w->n; other++) {
		w->cut[id][other] = ways & 1;
		w->cut[other][id] = ways & 2;
	}
	if (sim_chance(w, 500))
		sim_at(w, w->now_ns + about_d(w), SIM_EV_HEAL, 0, 0);
	sim_trace(w, id, "%s isolated: cannot send %llu, cannot receive %llu", "is", ways & 1,
		  ways >> 1, 0, 0);
}

/* Two halves; perhaps one node that reaches both. */
static void partition(struct world *w, bool bridge)
{
	uint32_t side = sim_random(w);
	int between = bridge ? 1 + sim_below(w, w->n) : 0;

	for (int a = 1; a <= w->n; a++)
		for (int b = 1; b <= w->n; b++)
			w->cut[a][b] = a != between && b != between && (side >> a ^ side >> b) & 1;
	sim_trace(w, 0, "%s: one side has %llx as bits, bridge is %llu", "partition", side & 0x3fe,
		  between, 0, 0);
}

static void set_quality(struct world *w)
{
	static const int loss[] = {0, 0, 10, 50, 200, 400}, rare[] = {0, 0, 5, 50, 200};

	w->loss = loss[sim_below(w, ARRAY_SIZE(loss))];
	w->twice = rare[sim_below(w, ARRAY_SIZE(rare))];
	w->late = rare[sim_below(w, ARRAY_SIZE(rare))];
	w->jitter_ns = sim_chance(w, 200) ? MS(4) : sim_between(w, 0, MS(0.5));
}

static void replay_some(struct world *w)
{
	for (int i = sim_below(w, 30); i >= 0; i--)
		net_replay_any(w);
}

static void strike_network(struct world *w)
{
	switch (sim_below(w, 10)) {
	case 0:
	case 1:
	case 2:
		w->result->faults[SIM_ISOLATED]++;
		isolate(w);
		break;
	case 3:
		w->result->faults[SIM_PARTITIONED]++;
		partition(w, false);
		break;
	case 4:
		w->result->faults[SIM_BRIDGED]++;
		partition(w, true);
		break;
	case 5:
		w->result->faults[SIM_LINK_CUT]++;
		w->cut[any_node(w)->id][any_node(w)->id] = true;
		break;
	case 6:
		set_quality(w);
		break;
	case 7:
		replay_some(w);
		break;
	default:
		faults_heal_network(w);
		break;
	}
}

/*
 * ---- nodes ----
 */

static void start_later(struct node *n)
{
	struct world *w = n->w;

	sim_at(w, w->now_ns + MS(0.2) + some_time(w), SIM_EV_START, n->host, n->parent.life);
}

/* The engine alone, or the warden with it. */
static void crash(struct node *n)
{
	static const int signals[] = {SIGKILL, SIGSEGV, SIGABRT};
	struct world *w = n->w;

	if (n->child.lives && n->parent.lives && sim_chance(w, 500)) {
		sim_trace(w, n->id, "%s killed", "engine is", 0, 0, 0, 0);
		w->result->faults[SIM_CRASHED]++;
		node_kill_engine(n, signals[sim_below(w, ARRAY_SIZE(signals))]);
	} else if (n->parent.lives) {
		sim_trace(w, n->id, "%s killed", "daemon is", 0, 0, 0, 0);
		w->result->faults[SIM_KILLED]++;
		node_kill(n);
		start_later(n);
	}
}

static void reboot(struct node *n)
{
	struct world *w = n->w;

	/* What a held run still does ends with its maps: all but its answer, which may be lost. */
	if (n->held)
		return;
	sim_trace(w, n->id, "%s power", "loses", 0, 0, 0, 0);
	w->result->faults[SIM_REBOOTED]++;
	node_reboot(n, any_rate(w));
	start_later(n);
}

static void pause_daemon(struct node *n)
{
	struct world *w = n->w;
	uint64_t ns = sim_between(w, w->stall_ns, 4 * w->stall_ns);

	if (sim_chance(w, 700))
		ns = sim_chance(w, 500) ? about_d(w) : sim_between(w, 0, w->stall_ns);
	w->result->faults[ns >= w->stall_ns ? SIM_STALLED : SIM_PAUSED]++;
	n->paused_until_ns = w->now_ns + ns;
	if (ns > 2 * w->stall_ns && n->child.lives && sim_chance(w, 500)) /* its warden goes on */
		sim_at(w, w->now_ns + 2 * w->stall_ns + sim_below(w, w->stall_ns), SIM_EV_HUNG,
		       n->host, n->child.life);
	sim_trace(w, n->id, "%s paused for %llu us", "daemon", ns / NS_PER_US, 0, 0, 0);
}

static void slow_disk(struct node *n)
{
	struct world *w = n->w;

	w->result->faults[SIM_DISK_SLOW]++;
	n->store.slow_until_ns = w->now_ns + some_time(w);
	n->store.slow_ns = sim_chance(w, 300) ? 3 * w->stall_ns : some_time(w);
}

static void fail_disk(struct node *n)
{
	struct fake_disk *disk = n->store.disk;

	if (!n->child.lives)
		return;
	n->w->result->faults[SIM_DISK_FAILED]++;
	disk->fail_op = FAKE_SYNC;
	disk->fail_at = disk->count[FAKE_SYNC] + 1;
	disk->fail_err = EIO;
}

/* All groups by now, and sometimes the other key to send with. */
static void reload(struct node *n)
{
	struct xr_config *c = &n->config;
	struct xr_key key = c->keys[0];

	n->w->result->faults[SIM_RELOADED]++;
	c->ngroups = n->w->groups;
	if (sim_chance(n->w, 500)) {
		c->keys[0] = c->keys[1];
		c->keys[1] = key;
	}
	node_reload(n);
}

/* Somebody stops a node, and puts an old copy of its state in place of the newest. */
static void put_back(struct node *n)
{
	uint32_t known[SIM_GROUPS];

	store_back_up(any_node(n->w));
	if (!n->parent.lives || n->store.busy)
		return;
	node_kill(n);
	for (int g = 0; g < n->w->groups; g++)
		known[g] = n->maps.groups[g].view.term;
	if (store_is_older(n, known)) {
		store_put_back(n);
		sim_trace(n->w, n->id, "%s put back", "an old journal is", 0, 0, 0, 0);
	}
	start_later(n);
}

static void strike_node(struct world *w)
{
	struct node *n = victim(w);

	switch (sim_below(w, 17)) {
	case 16:
		put_back(n);
		break;
	case 0:
	case 1:
	case 2:
		crash(n);
		break;
	case 3:
	case 4:
		reboot(n);
		break;
	case 5:
	case 6:
	case 7:
		pause_daemon(n);
		break;
	case 8:
		n->slow_ns = sim_chance(w, 500) ? 0 : MS(2);
		break;
	case 9:
		slow_disk(any_node(w));
		break;
	case 10:
		if (sim_chance(w, 300))
			fail_disk(n);
		break;
	case 11:
		w->result->faults[SIM_CLOCK_RATE]++;
		sim_clock_set(n, sim_local(n), any_rate(w));
		break;
	case 12:
		w->result->faults[SIM_HANDED_OVER]++;
		n->asked_to_hand_over = any_node(w)->id;
		node_wake(n);
		break;
	case 13:
		reload(n);
		break;
	case 15:
		n->asked_to_stop = true;
		w->result->faults[SIM_STOPPED]++;
		/* fallthrough */
	default:
		w->result->faults[SIM_STEPPED_DOWN]++;
		n->asked_to_step_down = ~0u;
		node_wake(n);
		break;
	}
}

void faults_strike(struct world *w)
{
	if (w->calm)
		return;
	if (sim_chance(w, 400))
		strike_network(w);
	else
		strike_node(w);
	sim_at(w, w->now_ns + sim_between(w, 0, 2 * w->fault_ns), SIM_EV_FAULT, 0, 0);
}

/* Somebody pauses a node, or resumes it. */
void faults_stand(struct world *w)
{
	struct node *n = victim(w);

	if (w->calm)
		return;
	w->result->faults[SIM_ASKED_TO_PAUSE]++;
	n->stands = sim_chance(w, 500) ? -1 : (int)sim_below(w, w->groups);
	n->asked_to_resume = sim_chance(w, 400);
	n->asked_to_pause = !n->asked_to_resume;
	node_wake(n);
	sim_at(w, w->now_ns + sim_between(w, 0, 4 * w->fault_ns), SIM_EV_STAND, 0, 0);
}

/*
 * ---- values ----
 */

uint64_t sim_chance_set(struct world *w, uint64_t limit)
{
	w->chance_set ^= w->chance_set << 13; /* xorshift (Marsaglia 2003) */
	w->chance_set ^= w->chance_set >> 7;
	w->chance_set ^= w->chance_set << 17;
	return (w->chance_set >> 20) % limit;
}

/* Whoever says that it leads is asked, and now and then somebody else. */
void faults_set(struct world *w)
{
	uint64_t d_ns = w->timing.min_timeout_ns;
	int g = (int)sim_chance_set(w, (uint64_t)w->groups),
	    other = 1 + (int)sim_chance_set(w, (uint64_t)w->n);

	for (int id = 1; id <= w->n; id++)
		if (w->lead_views[g] >> id & 1 || (id == other && sim_chance_set(w, 8) == 0)) {
			w->node[id].asked_to_set |= 1u << g;
			node_wake(&w->node[id]);
		}
	if (!w->calm || w->now_ns - w->calm_since_ns < 20 * w->timing.max_timeout_ns)
		sim_at(w,
		       w->now_ns + US(50) +
			       sim_chance_set(w, sim_chance_set(w, 3) ? d_ns / 2 : 4 * d_ns),
		       SIM_EV_SET, 0, 0);
}

/*
 * ---- members ----
 */

static void wipe(struct world *w)
{
	struct node *n = &w->node[1 + sim_chance_set(w, (uint64_t)w->n)];

	if (w->calm || n->held || n->store.put_back || !check_may_wipe(w, n))
		return;
	sim_trace(w, n->id, "%s lost", "the disk is", 0, 0, 0, 0);
	w->result->faults[SIM_WIPED]++;
	node_wipe(n);
	sim_at(w, w->now_ns + MS(0.2) + sim_chance_set(w, w->timing.max_timeout_ns), SIM_EV_START,
	       n->host, n->parent.life);
}

/* Who leads is asked for any change of any node; most of them are refused. */
static void change_members(struct world *w)
{
	static const enum xr_order_kind kinds[] = {XR_ORDER_ADD, XR_ORDER_PROMOTE, XR_ORDER_REMOVE};
	struct xr_order order = {
		.kind = kinds[sim_chance_set(w, ARRAY_SIZE(kinds))],
		.node = 1 + (uint8_t)sim_chance_set(w, (uint64_t)w->n),
	};
	int g = (int)sim_chance_set(w, (uint64_t)w->groups);

	snprintf(order.group, sizeof(order.group), "g%d", g);
	for (int id = 1; id <= w->n; id++)
		if (w->lead_views[g] >> id & 1) {
			w->node[id].change = order;
			node_wake(&w->node[id]);
		}
}

void faults_move(struct world *w)
{
	uint64_t d_ns = w->timing.min_timeout_ns;

	if (sim_chance_set(w, 12) == 0)
		wipe(w);
	else
		change_members(w);
	if (!w->calm || w->now_ns - w->calm_since_ns < 20 * w->timing.max_timeout_ns)
		sim_at(w, w->now_ns + US(100) + sim_chance_set(w, d_ns), SIM_EV_MOVE, 0, 0);
}

/*
 * ---- the calm: only a core majority is healed ----
 */

static void heal_node(struct node *n)
{
	n->paused_until_ns = 0;
	n->slow_ns = 0;
	n->stands = -1;
	n->asked_to_resume = n->w->ranked;
	n->store.slow_until_ns = 0;
	if (n->store.disk)
		n->store.disk->fail_at = 0;
	n->config.ngroups = n->w->groups;
	node_reload(n);
	if (!n->parent.lives)
		sim_at(n->w, n->w->now_ns + MS(1), SIM_EV_START, n->host, n->parent.life);
}

/* What is left outside: dead, hung with its NIC path alive, cut off, or with links at random. */
static void leave_outside(struct node *n)
{
	struct world *w = n->w;
	int kind = sim_below(w, 8);

	sim_trace(w, n->id, "%s outside, kind %llu", "stays", kind, 0, 0, 0);
	heal_node(n);
	for (int other = 1; other <= w->n; other++) {
		w->cut[n->id][other] = kind == 2 || kind == 4 ? sim_chance(w, 500) : kind == 3;
		w->cut[other][n->id] = kind == 2 || kind == 4 ? sim_chance(w, 500) : false;
	}
	if (kind == 0) {
		node_kill(n);
		n->parent.life++; /* no start that is planned finds it */
	}
	w->fails_back = w->fails_back && kind == 0; /* one that comes and goes is not for ever */
	if (kind == 1)
		n->paused_until_ns = UINT64_MAX / 2;
	if (kind >= 5 && __builtin_popcount(w->core) == w->n - 1)
		w->odd = n->id;
}

/* From here on leaders stay. */
static void never_fail_back(struct node *n)
{
	n->config.failback_ms = n->warden.config.failback_ms = n->forked.failback_ms = 0;
}

void faults_end(struct world *w)
{
	uint32_t core = 0;
	int size = w->n / 2 + 1;

	if (sim_chance(w, 500))
		size += sim_below(w, w->n - size + 1);
	while (__builtin_popcount(core) < size)
		core |= 1u << any_node(w)->id;
	if (w->moves) /* of which nodes a group then consists, nobody knows yet */
		core = ((1u << w->n) - 1) << 1;
	sim_trace(w, 0, "%s: the core is %llx as bits", "faults stop", core, 0, 0, 0);
	heal(w);
	w->core = core;
	w->fails_back = w->failback_ms;
	w->calm = true;
	w->calm_since_ns = w->now_ns;
	w->loss = w->twice = w->late = 0;
	w->jitter_ns = US(200);
	for (int id = 1; id <= w->n; id++)
		if (core >> id & 1)
			heal_node(&w->node[id]);
		else
			leave_outside(&w->node[id]);
	for (int id = 1; id <= w->n && !w->fails_back; id++)
		never_fail_back(&w->node[id]);
	sim_at(w, w->now_ns, SIM_EV_WATCH, 0, 0);
	sim_at(w, w->now_ns, SIM_EV_REPLAY, 0, 0);
}

/*
 * ---- a machine that is not what it takes itself for (rule 18) ----
 *
 * Whether two that are one node, or one that has forgotten a vote, are found out before they do harm
 * depends on whom they reach. Here all reach all, there is a leader, and nobody has to vote: so they
 * are told, they end, and the leader stays.
 */

/* The terms of the leaders that a node has acked. */
static void known_by_leaders(const struct node *n, uint32_t *known)
{
	for (int g = 0; g < n->w->groups; g++) {
		uint32_t term = n->w->settled[g] >> 8;

		known[g] = n->w->terms[g][term].acked >> n->id & 1 ? term : 0;
	}
}

static bool leads_any(const struct node *n)
{
	for (int g = 0; g < n->w->groups; g++)
		if ((n->w->settled[g] & 255) == n->id)
			return true;
	return false;
}

static bool is_behind(const struct node *n, const uint32_t *known)
{
	for (int g = 0; g < n->w->groups; g++)
		if (known[g] > n->engine.members[g].raft.term)
			return true;
	return false;
}

/* The whole machine is what it was when the backup was made. */
static void set_back(struct node *n)
{
	uint32_t known[SIM_GROUPS];

	known_by_leaders(n, known);
	if (n->held || n->store.busy || !store_is_older(n, known))
		return;
	node_reboot(n, 0);
	store_put_back(n);
	n->store.put_back = false; /* it stays */
	n->doomed = true;
	sim_trace(n->w, n->id, "%s set back", "the machine is", 0, 0, 0, 0);
	node_start(n, false);
	if (n->child.lives &&
	    !is_behind(n, known)) { /* the backup held more than was known of it */
		n->doomed = false;
		node_kill(n);
		return;
	}
	n->w->result->faults[SIM_SET_BACK]++;
}

/* The same address, wherever the network has heard it last. */
static void copy_machine(struct node *n)
{
	struct world *w = n->w;
	struct node *copy = &w->node[w->n + 1];

	node_init(w, w->n + 1, n->id);
	copy->config.ngroups = n->config.ngroups;
	memcpy(copy->config.keys, n->config.keys, sizeof(copy->config.keys));
	memcpy(copy->ghost, n->ghost, sizeof(copy->ghost));
	sim_clock_set(copy, sim_between(w, NS_PER_S, 5 * NS_PER_S), 0);
	if (!store_copy(copy, n))
		return;
	w->result->faults[SIM_COPIED]++;
	n->doomed = copy->doomed = true;
	sim_trace(w, n->id, "%s copied", "the machine is", 0, 0, 0, 0);
	node_start(copy, false);
}

void faults_strike_state(struct world *w)
{
	struct node *n = &w->node[w->odd];

	if (!w->odd)
		return;
	w->odd = 0;
	if (!n->child.lives || leads_any(n))
		return;
	if (sim_chance(w, 300)) /* the other needs a backup that is old enough */
		copy_machine(n);
	else
		set_back(n);
}

/* For those that have still to be told, and to end. */
bool faults_wait(const struct world *w)
{
	for (int host = 1; host <= w->n + 1; host++)
		if (w->node[host].doomed && w->node[host].parent.lives)
			return true;
	return false;
}

/* An attacker repeats for ever what leaders of the past have said. */
void faults_replay(struct world *w)
{
	for (int from = 1; from <= w->n; from++)
		for (int to = 1; to <= w->n; to++)
			if (w->core >> to & 1)
				net_replay(w, &w->newest_beat[from][to]);
	for (int i = 0; i < w->n; i++)
		net_replay_any(w);
	sim_at(w, w->now_ns + w->timing.min_timeout_ns / 3, SIM_EV_REPLAY, 0, 0);
}
