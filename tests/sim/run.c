// SPDX-License-Identifier: GPL-2.0-only
/* One seed: what is drawn, the chaos, the calm. */
#include "sim/sim.h"

static int draw_nodes(struct world *w)
{
	static const uint8_t nodes[] = {3, 3, 3, 3, 3, 3, 3, 3, 5, 5, 5, 5, 4, 7, 2, 9, 3, 5, 1, 6};

	if (w->options->nodes)
		return w->options->nodes;
	return nodes[sim_below(w, ARRAY_SIZE(nodes))];
}

static int draw_groups(struct world *w)
{
	static const uint8_t groups[] = {1, 1, 1, 1, 2, 2, 3, 5};

	if (w->options->groups)
		return w->options->groups;
	return groups[sim_below(w, ARRAY_SIZE(groups))];
}

static void draw(struct world *w)
{
	static const int holds[] = {0, 10, 40, 120};
	uint64_t d_ns = w->options->quiet ? MS(100) : MS(10);

	w->n = draw_nodes(w);
	w->first = w->n;
	if (w->moves) {
		w->first = 3;
		w->n = 4 + (int)sim_chance_set(w, 3);
	}
	w->groups = draw_groups(w);
	w->late_groups = w->groups > 1 && sim_chance(w, 300);
	w->mixed_d = sim_chance(w, 200);
	w->timing = (struct xr_timing){
		.min_timeout_ns = d_ns,
		.max_timeout_ns = d_ns + sim_between(w, d_ns / 3, 2 * d_ns),
		.heartbeat_ns = d_ns / sim_between(w, 3, 6),
	};
	w->stall_ns = sim_between(w, d_ns * 3 / 2, 8 * d_ns);
	w->delay_ns = sim_between(w, US(20), US(400));
	w->jitter_ns = US(100);
	w->disk_ns = sim_between(w, US(100), US(1500));
	w->fault_ns = sim_between(w, MS(2), MS(25));
	w->chaos_ns = sim_between(w, MS(300), MS(3000));
	w->drift = sim_chance(w, 300) ? 250 : 100;
	w->hold_nic = holds[sim_below(w, ARRAY_SIZE(holds))];
	w->hold_reader = holds[sim_below(w, ARRAY_SIZE(holds))];
	w->hold_daemon = holds[sim_below(w, ARRAY_SIZE(holds))];
}

/*
 * In a third of all worlds nodes have priorities. Each majority has one that is no witness. What is
 * drawn for it leaves the rest of the seed as it was.
 */
static void draw_priorities(struct world *w)
{
	static const uint8_t kinds[] = {0, 50, XR_PRIORITY, 200};
	uint64_t random = w->random;
	int witnesses = w->n / 2;

	memset(w->priority, XR_PRIORITY, sizeof(w->priority));
	w->ranked = !w->options->quiet && w->options->seed % 3 == 0 && !w->moves;
	for (int id = 1; w->ranked && id <= w->n; id++) {
		w->priority[id] = kinds[sim_below(w, witnesses ? 4 : 3) + !witnesses];
		witnesses -= !w->priority[id];
	}
	w->failback_ms = w->ranked ? sim_below(w, 200) : 0;
	w->random = random;
}

static void set_up(struct world *w)
{
	for (uint32_t i = 0; i < SIM_PACKETS; i++)
		w->free_packets[w->nfree++] = i;
	w->now_ns = NS_PER_S;
	draw(w);
	draw_priorities(w);
	for (int id = 1; id <= w->n; id++) {
		node_init(w, id, id);
		w->at[id] = id;
		sim_clock_set(&w->node[id], sim_between(w, NS_PER_S, 5 * NS_PER_S), 0);
		w->node[id].no_nic = sim_chance(w, 100);
	}
	w->holds = SIM_HOLDS; /* nobody goes on before all have started */
	for (int id = 1; id <= w->n; id++) {
		if (id > w->first)
			node_join(&w->node[id]);
		node_start(&w->node[id], true);
	}
	w->holds = 0;
}

void sim_free(struct world *w)
{
	for (int host = 1; host <= w->n + 1; host++)
		if (w->node[host].w)
			node_kill(&w->node[host]);
	for (int host = 1; host <= w->n + 1; host++)
		store_free(&w->node[host]);
	net_forget(w);
	for (int g = 0; g < w->groups; g++)
		free(w->terms[g]);
	for (int g = 0; g < w->groups; g++)
		free(w->made[g]);
	free(w->heap);
	free(w);
}

struct world *sim_new(const struct sim_options *o, struct sim_result *r)
{
	struct world *w = aligned_alloc(64, (sizeof(*w) + 63) / 64 * 64);

	if (!w)
		abort();
	memset(w, 0, offsetof(struct world, packets));
	memset(&w->nfree, 0, sizeof(*w) - offsetof(struct world, nfree));
	memset(r, 0, sizeof(*r));
	w->options = o;
	w->result = r;
	w->random = o->seed;
	w->chance_set = o->seed * 0x9e3779b97f4a7c15ull | 1;
	w->values = o->seed % 3 != 1 && !o->quiet;
	w->moves = w->values && o->seed % 4 == 0 && !o->nodes;
	set_up(w);
	return w;
}

void sim_run(const struct sim_options *o, struct sim_result *r, FILE *out)
{
	struct world *w = sim_new(o, r);
	uint64_t began_ns = w->now_ns;

	sim_at(w, w->now_ns + w->timing.max_timeout_ns * 2, SIM_EV_FAULT, 0, 0);
	if (w->values)
		sim_at(w, w->now_ns + w->timing.max_timeout_ns, SIM_EV_SET, 0, 0);
	if (w->moves)
		sim_at(w, w->now_ns + w->timing.max_timeout_ns, SIM_EV_MOVE, 0, 0);
	if (w->ranked)
		sim_at(w, w->now_ns + w->timing.max_timeout_ns * 2, SIM_EV_STAND, 0, 0);
	sim_run_until(w, w->now_ns + w->chaos_ns);
	/* Nodes with a smaller D than a leader's do not answer it: then nothing is promised. */
	if (!w->mixed_d && !w->failed) {
		r->tried_liveness = true;
		faults_end(w);
		sim_run_until(w, w->now_ns + check_calm_ns(w));
		/* Which of two hears an answer is chance: each second another question. */
		for (int i = 0; i < 400 && faults_wait(w) && !w->failed; i++)
			sim_run_until(w, w->now_ns + MS(50));
		if (faults_wait(w))
			sim_violation(w, "who is not what he takes himself for is told (rule 18)",
				      "after 20 s");
	}
	r->virtual_ns = w->now_ns - began_ns;
	if (w->failed && out) {
		fprintf(out, "\nseed %llu, %d nodes, %d groups: VIOLATED: %s\n  %s\n",
			(unsigned long long)o->seed, w->n, w->groups, r->invariant, r->detail);
		sim_trace_print(w, out);
	}
	sim_free(w);
}
