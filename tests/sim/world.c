// SPDX-License-Identifier: GPL-2.0-only
/* Time, chance, and the event loop. */
#include "sim/sim.h"

uint64_t sim_random(struct world *w)
{
	uint64_t z = w->random += 0x9e3779b97f4a7c15ull; /* splitmix64 (Steele et al. 2014) */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

uint64_t sim_below(struct world *w, uint64_t limit)
{
	return w->options->quiet ? limit / 2 : sim_random(w) % limit;
}

bool sim_chance(struct world *w, int permille)
{
	return permille && !w->options->quiet && (int)sim_below(w, 1000) < permille;
}

uint64_t sim_between(struct world *w, uint64_t low, uint64_t high)
{
	return low + sim_below(w, high - low + 1);
}

/*
 * ---- clocks: each node's CLOCK_BOOTTIME runs at its own rate, within r ----
 */

static uint64_t local_at(const struct node *n, uint64_t true_ns)
{
	int64_t passed = (int64_t)(true_ns - n->clock.true_ns);

	return n->clock.local_ns + passed + passed * n->clock.ppm / 1000000;
}

uint64_t sim_local(const struct node *n)
{
	return local_at(n, n->w->now_ns);
}

/* The first instant at which the node's clock shows at least `local_ns`, if its rate stays. */
uint64_t sim_true_at(const struct node *n, uint64_t local_ns)
{
	int64_t left = (int64_t)(local_ns - n->clock.local_ns);
	uint64_t at;

	if (left <= 0)
		return n->w->now_ns;
	if (left > (int64_t)NS_PER_S * 1000)
		return UINT64_MAX;
	at = n->clock.true_ns + left * 1000000 / (1000000 + n->clock.ppm);
	while ((int64_t)(local_at(n, at) - local_ns) < 0)
		at++;
	return at < n->w->now_ns ? n->w->now_ns : at;
}

uint64_t sim_true_of(const struct node *n, uint64_t local_ns)
{
	const struct clock *c = &n->clock;

	for (size_t i = 0; local_ns < c->local_ns && i < ARRAY_SIZE(n->clocks); i++)
		c = &n->clocks[i];
	return c->true_ns + (int64_t)(local_ns - c->local_ns) * 1000000 / (1000000 + c->ppm);
}

void sim_clock_set(struct node *n, uint64_t local_ns, int64_t ppm)
{
	memmove(n->clocks + 1, n->clocks, sizeof(n->clocks) - sizeof(n->clocks[0]));
	n->clocks[0] = n->clock;
	n->clock = (struct clock){.true_ns = n->w->now_ns, .local_ns = local_ns, .ppm = ppm};
}

/*
 * ---- events: a binary heap ----
 */

static bool before(const struct event *a, const struct event *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->sequence < b->sequence;
}

void sim_at(struct world *w, uint64_t at_ns, enum sim_event kind, uint8_t node, uint32_t arg)
{
	struct event ev = {at_ns, w->sequence++, kind, node, arg};
	int i = w->nheap++;

	if (w->nheap > w->heap_room) {
		w->heap_room = w->heap_room ? 2 * w->heap_room : 1024;
		w->heap = reallocarray(w->heap, w->heap_room, sizeof(*w->heap));
		if (!w->heap)
			abort();
	}
	for (; i && before(&ev, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
		w->heap[i] = w->heap[(i - 1) / 2];
	w->heap[i] = ev;
}

static struct event take_first(struct world *w)
{
	struct event first = w->heap[0], last = w->heap[--w->nheap];
	int i = 0;

	for (;;) {
		int child = 2 * i + 1;

		if (child + 1 < w->nheap && before(&w->heap[child + 1], &w->heap[child]))
			child++;
		if (child >= w->nheap || before(&last, &w->heap[child]))
			break;
		w->heap[i] = w->heap[child];
		i = child;
	}
	w->heap[i] = last;
	return first;
}

static bool lives(const struct process *p, uint32_t life)
{
	return p->lives && p->life == life;
}

static void happen(struct world *w, const struct event *ev)
{
	struct node *n = &w->node[ev->node];

	switch (ev->kind) {
	case SIM_EV_DATAGRAM:
		nic_receive(n, ev->arg);
		break;
	case SIM_EV_TIMER:
		node_timer(n);
		break;
	case SIM_EV_TURN:
		if (lives(&n->child, ev->arg))
			node_turn(n);
		break;
	case SIM_EV_DISK:
		if (lives(&n->child, ev->arg))
			store_on_disk(n);
		break;
	case SIM_EV_HUNG:
		if (lives(&n->child, ev->arg))
			node_look_if_hung(n);
		break;
	case SIM_EV_BURY:
		if (lives(&n->parent, ev->arg))
			node_bury(n);
		break;
	case SIM_EV_REAP:
		if (lives(&n->parent, ev->arg))
			node_reap(n);
		break;
	case SIM_EV_SPAWN:
		if (lives(&n->parent, ev->arg))
			node_spawn(n);
		break;
	case SIM_EV_START:
		if (n->parent.life == ev->arg && !n->parent.lives)
			node_start(n, false);
		break;
	case SIM_EV_FAULT:
		faults_strike(w);
		break;
	case SIM_EV_STAND:
		faults_stand(w);
		break;
	case SIM_EV_HEAL:
		faults_heal_network(w);
		break;
	case SIM_EV_REPLAY:
		faults_replay(w);
		break;
	case SIM_EV_WATCH:
		check_liveness(w);
		break;
	case SIM_EV_READER:
		reader_turn(n, ev->arg);
		break;
	case SIM_EV_RELOAD:
		node_reload(n);
		break;
	case SIM_EV_MOVE:
		faults_move(w);
		break;
	case SIM_EV_SET:
		faults_set(w);
		break;
	case SIM_EV_GONE:
		n->gone |= 1u << ev->arg;
		node_wake(n);
		break;
	}
}

void sim_run_until(struct world *w, uint64_t until_ns)
{
	while (!w->failed && w->nheap && w->heap[0].at_ns <= until_ns) {
		struct event ev = take_first(w);

		if (ev.at_ns > w->now_ns)
			w->now_ns = ev.at_ns;
		w->result->events++;
		happen(w, &ev);
		check_leases(w);
	}
	if (w->now_ns < until_ns)
		w->now_ns = until_ns;
}

/*
 * ---- holding ----
 */

static void hold(struct world *w, uint64_t ns)
{
	w->holds++;
	sim_run_until(w, w->now_ns + ns);
	w->holds--;
}

/* Mostly an instant, sometimes long enough for an election, seldom longer than the stall limit. */
static uint64_t hold_ns(struct world *w)
{
	int kind = w->calm ? 0 : (int)sim_below(w, 100);

	if (kind < 60)
		return sim_between(w, 0, US(30));
	if (kind < 85)
		return sim_between(w, US(30), MS(3));
	if (kind < 97)
		return sim_between(w, MS(1), 2 * w->timing.max_timeout_ns);
	return sim_between(w, w->stall_ns, 2 * w->stall_ns);
}

/*
 * The moment that counts: a leader was silent for about D, so its next heartbeat and a vote for
 * somebody else meet. There, holding is far more likely.
 */
static int likelihood(const struct node *n, int permille)
{
	uint64_t now_ns = sim_local(n), d_ns = n->config.min_timeout_us * NS_PER_US;

	for (int g = 0; permille && g < n->w->groups; g++) {
		uint64_t silent_ns = now_ns - n->maps.groups[g].contact_ns;

		if (silent_ns > d_ns * 9 / 10 && silent_ns < 3 * d_ns)
			return permille < 40 ? 10 * permille : 400;
	}
	return permille;
}

/* False: the process that was held has died, or all is over. */
static bool hold_process(struct node *n, const struct process *p)
{
	struct world *w = n->w;
	uint32_t life = p->life;

	check_maps(n);
	if (w->holds >= SIM_HOLDS || !sim_chance(w, likelihood(n, w->hold_daemon)))
		return !w->failed;
	w->result->faults[SIM_DAEMON_HELD]++;
	hold(w, hold_ns(w));
	return lives(p, life) && !w->failed;
}

static void hold_nic(struct node *n)
{
	struct world *w = n->w;

	if (w->holds >= SIM_HOLDS || !sim_chance(w, likelihood(n, w->hold_nic)))
		return;
	w->result->faults[SIM_NIC_HELD]++;
	n->held++;
	hold(w, hold_ns(w));
	n->held--;
}

/* What counts here: the view still says LEAD, and the lease is over. */
static void hold_reader(struct node *n, int g)
{
	struct world *w = n->w;
	int permille = w->hold_reader && !check_lease(n, g) ? 500 : w->hold_reader;

	if (w->holds >= SIM_HOLDS || !sim_chance(w, permille))
		return;
	w->result->faults[SIM_READER_HELD]++;
	hold(w, hold_ns(w));
}

static struct sim_actor actor;

struct sim_actor sim_act(struct sim_actor a)
{
	struct sim_actor before = actor;

	actor = a;
	return before;
}

struct node *sim_self(void)
{
	return actor.n;
}

void sim_pause(void)
{
	struct sim_actor mine = actor;
	jmp_buf *frame = mine.process ? mine.process->frame : NULL;

	actor.kind = SIM_NOBODY;
	if (mine.kind == SIM_PROCESS && !hold_process(mine.n, mine.process))
		longjmp(*frame, 1);
	if (mine.kind == SIM_NIC)
		hold_nic(mine.n);
	if (mine.kind == SIM_READER)
		hold_reader(mine.n, mine.g);
	actor = mine;
}

bool sim_process(struct node *n, struct process *p, void (*step)(struct node *n))
{
	struct sim_actor before = sim_act(
		(struct sim_actor){.kind = SIM_PROCESS, .n = n, .process = p});
	jmp_buf frame, *outer = p->frame;
	volatile bool whole = false;

	p->frame = &frame;
	if (!setjmp(frame)) {
		step(n);
		whole = true;
	}
	p->frame = outer;
	sim_act(before);
	return whole && !n->w->failed;
}
