// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does a cluster keep its leader? Looks at the maps of all nodes several times a heartbeat.
 *
 *   bench_starve --cluster NAME --nodes N --seconds S [--pause MS]
 *
 * Prints one JSON object. Elections are terms begun: nothing fails here, so each is a false one.
 * Missed heartbeats are the intervals of a follower in which its contact stamp did not move,
 * whether the leader sent or the follower fetched it. With --pause the leader's processes are
 * stopped (SIGSTOP) for so long once a second.
 *
 * On each CPU a thread above everything else wakes each millisecond: how late it was at worst says
 * for how long nothing at all ran there, whatever its priority.
 */
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include "common/common.h"
#include "bench.h"

#define PRIORITY      95 /* above all loads: it is not what is measured */
#define GROUP	      1
#define LOOKS	      4 /* a heartbeat */
#define PAUSE_EACH_NS NS_PER_S
#define CPUS	      64

struct node {
	struct xr_maps maps;
	uint64_t contact_ns; /* as last seen; 0: leads */
};

static struct {
	const char *cluster;
	int nodes;
	double seconds;
	uint64_t pause_ns, beat_ns, last_ns;
	struct node node[XR_NODE_MAX + 1];
	int paused; /* this node; 0: none */
	uint64_t paused_until_ns, next_pause_ns;
	uint64_t pauses, missed, due, unseen, worst_gap_ns;
	uint64_t late_ns[CPUS]; /* of the canaries, at worst */
} b;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "bench_starve: %s\n", what);
	exit(1);
}

static union xr_word view_of(int node)
{
	return xr_view_read(&b.node[node].maps.groups[GROUP]);
}

static uint64_t contact_of(int node)
{
	return *(const volatile __u64 *)&b.node[node].maps.groups[GROUP].contact_ns;
}

/* A silence of two intervals has missed one heartbeat; one that is a little late is not missed. */
static void silence(uint64_t ns)
{
	uint64_t n = ns / b.beat_ns;

	b.missed += n > 1 ? n - 1 : 0;
	b.worst_gap_ns = ns > b.worst_gap_ns ? ns : b.worst_gap_ns;
}

static void look_at(int node, uint64_t now_ns, uint64_t passed_ns)
{
	struct node *n = &b.node[node];
	uint64_t contact_ns = contact_of(node);

	if (view_of(node).view.mode == XR_LEAD) {
		n->contact_ns = 0;
		return;
	}
	b.due += passed_ns;
	if (!n->contact_ns)
		n->contact_ns = now_ns; /* it led, or this is the first look */
	if ((int64_t)(contact_ns - n->contact_ns) <= 0)
		return;
	silence(contact_ns - n->contact_ns);
	n->contact_ns = contact_ns;
}

/* What came while this process itself was not running is neither there nor missed. */
static void slept(uint64_t ns)
{
	for (int node = 1; node <= b.nodes; node++)
		if (b.node[node].contact_ns)
			b.node[node].contact_ns = contact_of(node);
	b.unseen += ns;
}

static void look(uint64_t now_ns)
{
	uint64_t passed_ns = now_ns - b.last_ns;

	b.last_ns = now_ns;
	if (passed_ns > b.beat_ns) {
		slept(passed_ns);
		passed_ns = 0;
	}
	for (int node = 1; node <= b.nodes; node++)
		look_at(node, now_ns, passed_ns);
}

static void signal_node(int node, int signal)
{
	kill(-b.node[node].maps.control->warden_pid, signal);
}

static void pause_leader(uint64_t now_ns)
{
	if (b.paused && (int64_t)(now_ns - b.paused_until_ns) >= 0) {
		signal_node(b.paused, SIGCONT);
		b.paused = 0;
	}
	if (!b.pause_ns || b.paused || (int64_t)(now_ns - b.next_pause_ns) < 0)
		return;
	for (int node = 1; node <= b.nodes && !b.paused; node++)
		if (view_of(node).view.mode == XR_LEAD)
			b.paused = node;
	if (!b.paused)
		return; /* just being elected */
	signal_node(b.paused, SIGSTOP);
	b.pauses++;
	b.paused_until_ns = now_ns + b.pause_ns;
	b.next_pause_ns = now_ns + PAUSE_EACH_NS;
}

static void watch(void)
{
	uint64_t begin_ns = xr_now_ns(), end_ns = begin_ns + (uint64_t)(b.seconds * 1e9), now_ns;
	struct timespec nap = {.tv_nsec = (long)(b.beat_ns / LOOKS)};

	b.last_ns = begin_ns;
	b.next_pause_ns = begin_ns + PAUSE_EACH_NS / 4;
	while ((int64_t)((now_ns = xr_now_ns()) - end_ns) < 0) {
		look(now_ns);
		pause_leader(now_ns);
		clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
	}
	if (b.paused)
		signal_node(b.paused, SIGCONT);
	for (int node = 1; node <= b.nodes; node++)
		if (b.node[node].contact_ns)
			silence(now_ns - b.node[node].contact_ns);
}

static void *canary(void *arg)
{
	uint64_t *late_ns = arg, before_ns;
	struct timespec nap = {.tv_nsec = NS_PER_MS};
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(late_ns - b.late_ns, &one);
	pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
	for (;;) {
		uint64_t slept_ns;

		before_ns = xr_now_ns();
		clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
		slept_ns = xr_now_ns() - before_ns - NS_PER_MS;
		if (slept_ns > *late_ns)
			*late_ns = slept_ns;
	}
	return NULL;
}

/* They inherit the priority. */
static void start_canaries(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t thread;

	for (int cpu = 0; cpu < cpus && cpu < CPUS; cpu++)
		if (pthread_create(&thread, NULL, canary, &b.late_ns[cpu]))
			die("no thread");
}

static double worst_canary_ms(void)
{
	uint64_t worst_ns = 0;

	for (int cpu = 0; cpu < CPUS; cpu++)
		worst_ns = b.late_ns[cpu] > worst_ns ? b.late_ns[cpu] : worst_ns;
	return (double)worst_ns / 1e6;
}

static uint64_t largest_term(void)
{
	uint64_t term = 0;

	for (int node = 1; node <= b.nodes; node++)
		if (view_of(node).view.term > term)
			term = view_of(node).view.term;
	return term;
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{"cluster", required_argument, NULL, 'c'},
		{"nodes", required_argument, NULL, 'n'},
		{"seconds", required_argument, NULL, 's'},
		{"pause", required_argument, NULL, 'p'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'c')
			b.cluster = optarg;
		else if (c == 'n')
			b.nodes = atoi(optarg);
		else if (c == 's')
			b.seconds = atof(optarg);
		else if (c == 'p')
			b.pause_ns = (uint64_t)atoi(optarg) * NS_PER_MS;
		else
			exit(2);
	}
	if (!b.cluster || b.nodes < 2 || b.nodes > XR_NODE_MAX || b.seconds <= 0)
		die("run it by scripts/bench starve");
}

static void open_maps(void)
{
	struct xr_why why;

	for (int node = 1; node <= b.nodes; node++)
		if (bench_open(&b.node[node].maps, b.cluster, node, &why))
			die(why.text);
	b.beat_ns = b.node[1].maps.control->heartbeat_us * NS_PER_US;
}

int main(int argc, char **argv)
{
	uint64_t before;

	parse(argc, argv);
	open_maps();
	mlockall(MCL_CURRENT | MCL_FUTURE);
	prctl(PR_SET_TIMERSLACK, 1);
	if (sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = PRIORITY}))
		die("no SCHED_FIFO");
	start_canaries();
	before = largest_term();
	watch();
	printf("{\"elections\":%llu,\"missed\":%llu,\"due\":%llu,\"seconds\":%.3f,\"unseen_s\":%."
	       "3f,"
	       "\"worst_gap_ms\":%.2f,\"cpu_away_ms\":%.2f,\"pauses\":%llu}\n",
	       (unsigned long long)(largest_term() - before), (unsigned long long)b.missed,
	       (unsigned long long)(b.due / b.beat_ns), b.seconds, (double)b.unseen / 1e9,
	       (double)b.worst_gap_ns / 1e6, worst_canary_ms(), (unsigned long long)b.pauses);
	return 0;
}
