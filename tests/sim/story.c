// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stories: scripts for a quiet world, and what must come of them, step by step. A line that begins
 * with "> " is a command; what follows up to the next one is the trace that it makes, in which the
 * words are those of a node's log.
 *
 *   sim_story [--rewrite] FILE ...      --rewrite: what comes of it is what is right
 */
#include <signal.h>
#include "sim/sim.h"

static struct sim_options options = {.seed = 1, .groups = 1, .quiet = true};
static struct sim_result result;
static struct world *w;

static void run_ms(double ms)
{
	sim_run_until(w, w->now_ns + MS(ms));
}

/* Its election timer fires so many milliseconds after it last heard of a leader, or began to wait. */
static void be_patient(struct node *n, double ms)
{
	n->engine.members[0].raft.timeout_ns = MS(ms);
	xr_timers_set(&n->engine.timers, 0, n->engine.members[0].raft.base_ns + MS(ms));
	node_arm(n, sim_local(n));
}

/* Once, untold: the others can wait. */
static void elect(struct node *n)
{
	FILE *out = options.trace;

	options.trace = NULL;
	run_ms(10);
	be_patient(n, 20);
	run_ms(190);
	options.trace = out;
}

static void isolate(int id, bool cut)
{
	for (int other = 1; other <= w->n; other++)
		w->cut[id][other] = w->cut[other][id] = cut;
}

/* As if node `from` led in that term: somebody lies, or shares its id. */
static void claim_to_lead(int from, int to, uint32_t term)
{
	struct packet p = {.from = from, .to = to, .port = XR_PORT};
	const struct xr_key *key = &w->node[to].config.keys[0];
	struct xr_record rec = {.group = 0, .term = term, .digest = w->node[to].groups[0].digest};

	p.wire = (struct xr_wire){
		.magic = XR_WIRE_MAGIC,
		.version = XR_WIRE_VERSION,
		.type = XR_HEARTBEAT,
		.source = from,
		.dest = to,
		.count = 1,
		.min_timeout_us = w->node[from].config.min_timeout_us,
		.sent_ns = sim_local(&w->node[from]),
	};
	p.size = sizeof(p.wire) + sizeof(rec);
	memcpy(p.bytes + sizeof(p.wire), &rec, sizeof(rec));
	p.wire.tag = xr_tag(&p.wire, p.bytes + p.size, p.size, &key->sip);
	w->lies = true;
	net_send(w, &p);
}

static void status(FILE *out)
{
	static const char *const roles[] = {"follower", "candidate", "leader"};

	for (int id = 1; id <= w->n; id++) {
		const struct node *n = &w->node[id];
		const struct xr_raft *r = &n->engine.members[0].raft;

		if (n->child.lives)
			fprintf(out, "node %d: %s, term %u, leader %u, voted for %u%s\n", id,
				roles[r->role], r->term, r->leader, r->vote,
				check_lease(n, 0) ? ", its lease holds" : "");
		else
			fprintf(out, "node %d: down\n", id);
	}
}

static bool command(const char *line, FILE *out)
{
	struct node *n;
	double ms = 0;
	int a = 0, b = 0, fields;
	char word[16];

	options.trace = out;
	fields = sscanf(line, "%15s %d %d", word, &a, &b);
	if (!strcmp(word, "nodes") && fields == 2 && a >= 1 && a <= XR_NODE_MAX && !w) {
		options.nodes = a;
		w = sim_new(&options, &result);
		return true;
	}
	if (!w || fields < 1)
		return false;
	b = b >= 1 && b <= w->n ? b : 0;
	n = &w->node[a >= 1 && a <= w->n ? a : 0];
	sscanf(line, "%*s %*d %lf", &ms);
	if (!strcmp(word, "run") && sscanf(line, "%*s %lf", &ms) == 1)
		run_ms(ms);
	else if (!strcmp(word, "status"))
		status(out);
	else if (!strcmp(word, "heal"))
		memset(w->cut, 0, sizeof(w->cut));
	else if (a < 1 || a > w->n)
		return false;
	else if (!strcmp(word, "elect") && n->child.lives)
		elect(n);
	else if (!strcmp(word, "patience") && n->child.lives)
		be_patient(n, ms);
	else if (!strcmp(word, "crash") && n->child.lives)
		node_kill_engine(n, SIGKILL);
	else if (!strcmp(word, "kill"))
		node_kill(n);
	else if (!strcmp(word, "reboot"))
		node_reboot(n, 0);
	else if (!strcmp(word, "start") && !n->parent.lives)
		node_start(n, false);
	else if (!strcmp(word, "stop") && (n->asked_to_stop = true))
		node_wake(n);
	else if (!strcmp(word, "pause"))
		n->paused_until_ns = w->now_ns + MS(ms);
	else if (!strcmp(word, "disk") && (n->store.slow_ns = MS(ms)))
		n->store.slow_until_ns = w->now_ns + NS_PER_S;
	else if (!strcmp(word, "isolate"))
		isolate(a, true);
	else if (!strcmp(word, "transfer") && (n->asked_to_hand_over = b))
		node_wake(n);
	else if (!strcmp(word, "cut") && b)
		w->cut[a][b] = true;
	else if (!strcmp(word, "slow") && b && sscanf(line, "%*s %*d %*d %lf", &ms) == 1)
		w->slow_ns[a][b] = MS(ms);
	else if (!strcmp(word, "claim") && b && sscanf(line, "%*s %*d %*d term %lf", &ms) == 1)
		claim_to_lead(a, b, (uint32_t)ms);
	else
		return false;
	return true;
}

/* The story as it goes now; NULL: it cannot be told. */
static char *tell(const char *path)
{
	FILE *in = fopen(path, "r");
	char *text = NULL, line[512];
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool good = in && out;

	w = NULL;
	while (good && fgets(line, sizeof(line), in)) {
		if (*line == '#' || *line == '\n')
			fputs(line, out);
		if (strncmp(line, "> ", 2))
			continue;
		fputs(line, out);
		good = command(line + 2, out);
		if (!good)
			fprintf(stderr, "%s: no such command here: %s", path, line + 2);
	}
	if (w) {
		options.trace = NULL;
		sim_free(w);
	}
	if (in)
		fclose(in);
	fclose(out);
	return good ? text : NULL;
}

static char *read_file(const char *path)
{
	_cleanup_file_ FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	if (f && getdelim(&text, &size, '\0', f) < 0)
		text[0] = '\0';
	return text;
}

static void show_difference(const char *path, const char *is, const char *should)
{
	const char *begin = is;
	int line = 1;

	for (; *is && *is == *should; is++, should++)
		if (*is == '\n') {
			begin = is + 1;
			line++;
		}
	fprintf(stderr, "%s:%d: here it goes otherwise (--rewrite: and rightly so):\n%.800s\n",
		path, line, begin);
}

static bool check(const char *path, bool rewrite)
{
	_cleanup_free_ char *is = tell(path), *should = read_file(path);
	_cleanup_file_ FILE *f = NULL;

	if (!is || !should)
		return false;
	if (rewrite) {
		f = fopen(path, "w");
		return f && fputs(is, f) >= 0;
	}
	if (strcmp(is, should))
		show_difference(path, is, should);
	return !strcmp(is, should);
}

int main(int argc, char **argv)
{
	bool rewrite = argc > 1 && !strcmp(argv[1], "--rewrite");
	int bad = 0;

	for (int i = 1 + rewrite; i < argc; i++) {
		bool good = check(argv[i], rewrite);

		printf("%s  %s\n", good ? "ok    " : "FAILED", argv[i]);
		bad += !good;
	}
	return bad != 0;
}
