// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes down what the nodes of a cluster say, by reading their pinned maps as fast as is decent.
 * Only reads, only maps: the daemons do not notice, and one that died is recorded like any other.
 *
 *   chaos_record CLUSTER NODES GROUPS HISTORY LEADER
 *
 * until its standard input ends. Each line that comes in there is noted in the history. The file
 * LEADER always holds a line of two numbers for each group: the node that has a valid lease, or 0; and
 * the term in which all nodes, alive, agree on this leader, or 0. history.h explains the history. All
 * times are CLOCK_BOOTTIME, which is one for all nodes of a machine.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include "chaos/history.h"
#include "common/common.h"
#include "lib/value.h"
#include "xraft/xraft.h"

#define NAP_NS	   20000
#define REOPEN_NS  NS_PER_MS /* at least so often: are the pins still the same? */
#define LATE_NS	   NS_PER_MS
#define GROUPS_MAX 64

struct votes {
	uint32_t term;
	uint8_t voted_for;
};

/* What readers are told of an entry. */
struct told {
	uint64_t id, value, members;
	bool committed;
};

struct group {
	uint64_t sampled_ns; /* 0: never */
	union xr_word view;
	struct votes votes, unsettled;
	bool lease; /* valid from ... to, in this leadership */
	uint64_t from_ns, to_ns, until_ns, since_ns;
	uint32_t lease_term;
	struct told told; /* until told_ns, by the record of this number; id 0: nothing yet */
	uint64_t told_ns, sequence;
};

struct node {
	uint8_t id;
	bool open;
	ino_t pin;
	char dir[256];
	struct xr_maps maps;
	struct xr_handle *reader; /* as others look at the same maps; NULL: not yet */
	struct group groups[GROUPS_MAX + 1];
};

static struct node nodes[XR_NODE_MAX + 1];
static int nnodes, ngroups, leader_fd;
static FILE *history;
static const char *cluster;

static uint64_t load(const __u64 *word)
{
	return *(const volatile __u64 *)word;
}

/*
 * ---- pins ----
 */
static void reopen(struct node *n)
{
	char path[300];
	struct xr_maps maps;
	struct stat st;

	snprintf(path, sizeof(path), "%s/xr_groups", n->dir);
	if (stat(path, &st))
		return;
	if (n->open && st.st_ino == n->pin) {
		if (!n->reader && xr_open(&n->reader, cluster, n->id, NULL, 0))
			n->reader = NULL; /* the daemon has not said yet which clock it has */
		return;
	}
	if (xr_maps_open(&maps, n->dir, false, NULL))
		return; /* half a set: it is just being made */
	if (n->open)
		xr_maps_close(&n->maps);
	xr_close(n->reader);
	n->reader = NULL;
	for (int id = 1; id <= ngroups; id++)
		n->groups[id].told.id = n->groups[id].sequence = 0;
	n->maps = maps;
	n->pin = st.st_ino;
	n->open = true;
	fprintf(history, "O %" PRIu64 " %u\n", xr_now_ns(), n->id);
}

/*
 * ---- leases ----
 */

/*
 * Until when a reader may believe this leader, by rules 5 and 16 as one would say them: the
 * majority-th newest echo of this leadership, the leader itself counted as now, and D (1-r)/(1+r)
 * from there, never beyond the deadline. Shares no line with xr_quorum_fresh(). 0: not at all.
 */
static uint64_t lease_until(const struct xr_control *c, uint32_t voters, const uint64_t *echo,
			    uint64_t since, uint64_t alive_until, uint64_t now)
{
	uint64_t d_ns = (uint64_t)c->min_timeout_us * 1000, newest[XR_NODE_MAX + 1], until;
	int count = 0, n = 0;

	xr_each_node(node) {
		uint64_t at = node == c->self ? now : echo[node];
		int k;

		if (!(voters >> node & 1))
			continue;
		count++;
		if (node != c->self && ((int64_t)(at - since) < 0 || (int64_t)(now - at) < 0))
			continue;
		for (k = n++; k > 0 && newest[k - 1] < at; k--)
			newest[k] = newest[k - 1];
		newest[k] = at;
	}
	if (n <= count / 2)
		return 0;
	until = newest[count / 2] + d_ns / (1000 + c->drift_permille) * (1000 - c->drift_permille);
	return alive_until < until ? alive_until : until;
}

static void lease_ends(struct node *n, int id, struct group *g)
{
	if (g->lease)
		fprintf(history, "L %" PRIu64 " %" PRIu64 " %u %d %u\n", g->from_ns, g->to_ns,
			n->id, id, g->lease_term);
	g->lease = false;
}

/* True at two clock readings, it was true between them only if it cannot have lapsed. */
static void saw_lease(struct node *n, int id, struct group *g, uint32_t term, uint64_t since,
		      uint64_t until, uint64_t now)
{
	bool valid = until && (int64_t)(until - now) > 0;

	if (g->lease && (!valid || g->lease_term != term || g->since_ns != since ||
			 (int64_t)(g->until_ns - now) <= 0))
		lease_ends(n, id, g);
	if (valid && !g->lease) {
		g->lease = true;
		g->from_ns = now;
		g->lease_term = term;
		g->since_ns = since;
	}
	if (valid) {
		g->to_ns = now;
		g->until_ns = until;
	}
}

/*
 * ---- samples ----
 */
static void saw_view(struct node *n, int id, struct group *g, union xr_word v, uint64_t now)
{
	static const char modes[] = {[XR_NONE] = 'n', [XR_FOLLOW] = 'f', [XR_LEAD] = 'l'};

	if (g->sampled_ns && g->view.word == v.word)
		return;
	fprintf(history, "V %" PRIu64 " %" PRIu64 " %u %d %u %c %u\n",
		g->sampled_ns ? g->sampled_ns : now, now, n->id, id, v.view.term,
		v.view.mode <= XR_LEAD ? modes[v.view.mode] : '?', v.view.leader);
	g->view = v;
}

/* The two are stored one after the other: what is seen twice is no half of a change. */
static void saw_votes(struct node *n, int id, struct group *g, struct votes v, uint64_t now)
{
	bool settled = v.term == g->unsettled.term && v.voted_for == g->unsettled.voted_for;
	bool known = v.term == g->votes.term && v.voted_for == g->votes.voted_for;

	g->unsettled = v;
	if (!settled || known)
		return;
	g->votes = v;
	fprintf(history, "D %" PRIu64 " %" PRIu64 " %u %d %u %u\n", g->sampled_ns, now, n->id, id,
		v.term, v.voted_for);
}

static void print_entry(const struct node *n, int id, const struct group *g, uint64_t now)
{
	const struct told *t = &g->told;

	fprintf(history, "E %" PRIu64 " %" PRIu64 " %u %d %u %u %c %016" PRIx64 " %016" PRIx64 "\n",
		g->told_ns ? g->told_ns : now, now, n->id, id, xr_entry_term(t->id),
		(uint32_t)t->id, t->committed ? 'c' : 'u', t->value, t->members);
}

static bool is_same(const struct told *a, const struct told *b)
{
	return a->id == b->id && a->committed == b->committed && a->value == b->value &&
	       a->members == b->members;
}

/* By the library; of the members, which it does not tell, by the same record. False: not now. */
static bool read_entry(const struct node *n, int id, struct told *told)
{
	char value[XR_VALUE_MAX];
	struct xr_value_state state;
	struct xr_entry entry;
	struct xr_value shown;

	if (!n->reader || xr_value(n->reader, id, value, sizeof(value), &state) ||
	    xr_value_look(&n->maps, (size_t)id, &entry, &shown) || entry.id != state.id)
		return false;
	*told = (struct told){
		.id = state.id,
		.committed = state.committed,
		.value = xr_history_hash(value, state.size),
		.members = xr_history_hash(&entry.voters,
					   offsetof(struct xr_entry, value) -
						   offsetof(struct xr_entry, voters)),
	};
	return true;
}

/*
 * `now` was read before this look. What has the same number at two looks was the same between them; who
 * finds it odd, by a daemon that died or is stopped while it writes, comes again and does not wait.
 */
static void saw_entry(const struct node *n, int id, struct group *g, uint64_t now)
{
	const struct xr_value *v = xr_maps_value(&n->maps, (size_t)id);
	uint64_t sequence = v ? load(&v->sequence) : 1;
	struct told told;

	if (sequence & 1 || !sequence)
		return;
	if (sequence != g->sequence) {
		__sync_synchronize();
		if (!read_entry(n, id, &told))
			return;
		__sync_synchronize();
		if (load(&v->sequence) != sequence)
			return;
		g->sequence = sequence;
		if (!is_same(&told, &g->told)) {
			g->told = told;
			print_entry(n, id, g, xr_now_ns());
		}
	}
	g->told_ns = now;
}

/* A reader as rule 16 has it. */
static void sample(struct node *n, int id)
{
	const struct xr_group *g = &n->maps.groups[id];
	const struct xr_control *c = n->maps.control;
	struct group *seen = &n->groups[id];
	uint64_t since, alive_until, now, until = 0, echo[XR_NODE_MAX + 1];
	union xr_word before, after;
	struct votes votes;
	uint32_t voters;

	__sync_synchronize();
	before = xr_view_read(g);
	since = load(&g->lead_since_ns);
	alive_until = load(&c->alive_until_ns);
	voters = *(const volatile __u32 *)&g->members;
	xr_each_node(node)
		echo[node] = load(&n->maps.acks[id].echo_ns[node]);
	votes.term = *(const volatile __u32 *)&g->durable_term;
	votes.voted_for = *(const volatile __u8 *)&g->voted_for;
	now = xr_now_ns();
	after = xr_view_read(g);
	if (before.word == after.word && after.view.mode == XR_LEAD && after.view.leader == n->id)
		until = lease_until(c, voters, echo, since, alive_until, now);
	saw_view(n, id, seen, after, now);
	saw_lease(n, id, seen, after.view.term, since, until, now);
	saw_votes(n, id, seen, votes, now);
	saw_entry(n, id, seen, now);
	seen->sampled_ns = now;
}

static void sample_all(void)
{
	for (struct node *n = &nodes[1]; n <= &nodes[nnodes]; n++)
		for (int id = 1; n->open && id <= ngroups && (size_t)id < n->maps.ngroups; id++)
			sample(n, id);
}

/*
 * ---- the file LEADER ----
 */

static bool is_alive(const struct node *n, int id)
{
	return n->open &&
	       (int64_t)(load(&n->maps.control->alive_until_ns) - n->groups[id].sampled_ns) > 0;
}

/* The term in which all follow this leader; 0: they do not. */
static uint32_t settled_term(int id, uint8_t leader)
{
	uint32_t term = nodes[leader].groups[id].view.view.term;

	for (int i = 1; leader && i <= nnodes; i++) {
		struct xr_view v = nodes[i].groups[id].view.view;

		if (!is_alive(&nodes[i], id) || v.mode == XR_NONE || v.leader != leader ||
		    v.term != term)
			return 0;
	}
	return leader ? term : 0;
}

static void show_leader(int id)
{
	static struct {
		bool any;
		uint8_t leader;
		uint32_t term;
	} shown[GROUPS_MAX + 1];
	uint8_t leader = 0;
	uint32_t term;
	char text[32];
	int len;

	for (int i = 1; i <= nnodes; i++)
		if (nodes[i].groups[id].lease)
			leader = (uint8_t)i;
	term = settled_term(id, leader);
	if (shown[id].any && leader == shown[id].leader && term == shown[id].term)
		return;
	shown[id].any = true;
	shown[id].leader = leader;
	shown[id].term = term;
	/* Lines of one length, so that one can be written without the others. */
	len = snprintf(text, sizeof(text), "%u %-10u\n", leader, term);
	if (pwrite(leader_fd, text, (size_t)len, (off_t)(id - 1) * len) != len)
		fprintf(stderr, "chaos_record: cannot show the leader: %m\n");
}

static void show_leaders(void)
{
	for (int id = 1; id <= ngroups; id++)
		show_leader(id);
}

/*
 * ---- notes ----
 */

/* False when there will be no more. */
static bool take_notes(void)
{
	static char text[4096];
	static size_t used;
	char *end;
	ssize_t got = read(0, text + used, sizeof(text) - 1 - used);

	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	used += (size_t)got;
	text[used] = '\0';
	while ((end = strchr(text, '\n'))) {
		*end = '\0';
		fprintf(history, "M %" PRIu64 " %s\n", xr_now_ns(), text);
		used -= (size_t)(end + 1 - text);
		memmove(text, end + 1, used + 1);
	}
	return got > 0;
}

/* What has not ended ends with the history: leases, and what is told of entries. */
static void end_all(struct node *n)
{
	for (int id = 1; id <= ngroups; id++) {
		struct group *g = &n->groups[id];

		lease_ends(n, id, g);
		if (g->told.id)
			print_entry(n, id, g, g->told_ns);
	}
}

static void watch(void)
{
	uint64_t begin = xr_now_ns(), last = begin, looked = 0, worst = 0, rounds = 0, late = 0;
	const struct timespec nap = {.tv_nsec = NAP_NS};

	while (take_notes()) {
		uint64_t now = xr_now_ns(), gap = now - last;

		last = now;
		worst = gap > worst ? gap : worst;
		late += gap > LATE_NS;
		rounds++;
		for (int i = 1; now - looked > REOPEN_NS && i <= nnodes; i++)
			reopen(&nodes[i]);
		looked = now - looked > REOPEN_NS ? now : looked;
		sample_all();
		show_leaders();
		clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
	}
	for (int i = 1; i <= nnodes; i++)
		end_all(&nodes[i]);
	fprintf(history, "S %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", last,
		rounds, rounds ? (last - begin) / rounds : 0, worst, late);
}

int main(int argc, char **argv)
{
	if (argc != 6) {
		fprintf(stderr, "usage: chaos_record CLUSTER NODES GROUPS HISTORY LEADER\n");
		return 2;
	}
	cluster = argv[1];
	nnodes = atoi(argv[2]);
	ngroups = atoi(argv[3]);
	history = fopen(argv[4], "we");
	leader_fd = open(argv[5], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (!history || leader_fd < 0 || nnodes < 1 || nnodes > XR_NODE_MAX || ngroups < 1 ||
	    ngroups > GROUPS_MAX) {
		fprintf(stderr, "chaos_record: 1 to %d nodes, 1 to %d groups, a file to write to\n",
			XR_NODE_MAX, GROUPS_MAX);
		return 2;
	}
	for (int i = 1; i <= nnodes; i++) {
		nodes[i].id = (uint8_t)i;
		xr_maps_dir(nodes[i].dir, sizeof(nodes[i].dir), argv[1], (uint8_t)i);
	}
	fprintf(history, "C %" PRIu64 " %d %d\n", xr_now_ns(), nnodes, ngroups);
	show_leaders();
	prctl(PR_SET_TIMERSLACK, 1);
	setpriority(PRIO_PROCESS, 0, -10);
	fcntl(0, F_SETFL, O_NONBLOCK);
	watch();
	return fclose(history) ? 1 : 0;
}
