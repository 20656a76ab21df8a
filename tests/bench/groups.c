// SPDX-License-Identifier: GPL-2.0-only
/*
 * What do many groups cost, and how long are they without a leader when the node that leads them
 * dies? Read from the maps of every node, in memory. Prints one JSON object a call.
 *
 *   bench_groups --cluster NAME --nodes N --groups G await
 *   bench_groups ... steady SECONDS
 *   bench_groups ... fail engine|both third|all
 *
 * When a group is led again the new leader itself has noted (`lead_since_ns`, read before it
 * publishes); that all survivors follow is seen from here, every ten milliseconds, so that the
 * watching costs little.
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <getopt.h>
#include <signal.h>
#include <sched.h>
#include <string.h>
#include "common/common.h"
#include "bench.h"

#define NODES_MAX  9
#define LOOK_NS	   (10 * NS_PER_MS)
#define LIMIT_NS   (60 * NS_PER_S)
#define CURVE	   200
#define EVENTS_KIB 256 /* the ring buffer */

static struct {
	const char *cluster;
	int nodes;
	uint32_t groups; /* ids 1 ... groups */
	struct xr_maps maps[NODES_MAX + 1];
} b;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "bench_groups: %s\n", what);
	exit(1);
}

static void nap(uint64_t ns)
{
	nanosleep(&(struct timespec){.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S}, NULL);
}

/* The pins come when a node starts. */
static void open_maps(void)
{
	uint64_t until_ns = xr_now_ns() + LIMIT_NS;
	struct xr_why why = {""};

	for (int node = 1; node <= b.nodes; node++)
		while (bench_open(&b.maps[node], b.cluster, node, &why)) {
			if (xr_now_ns() > until_ns)
				die(why.text);
			nap(20 * NS_PER_MS);
		}
}

/*
 * ---- who leads ----
 */
static struct xr_view view_of(int node, uint32_t id)
{
	return xr_view_read(&b.maps[node].groups[id]).view;
}

/* The leader that all nodes but `without` name in one term; 0: they do not. */
static int leader_of(uint32_t id, int without)
{
	struct xr_view first = {0};

	for (int node = 1; node <= b.nodes; node++) {
		struct xr_view v = view_of(node, id);

		if (node == without)
			continue;
		if (v.mode == XR_NONE || (v.mode == XR_LEAD) != (v.leader == node) ||
		    (first.leader && (v.leader != first.leader || v.term != first.term)))
			return 0;
		first = v;
	}
	return first.leader == without ? 0 : first.leader;
}

/* Groups not yet agreed upon wait in a list, which shrinks. */
struct waiting {
	uint32_t *ids;
	uint32_t n;
};

static struct waiting wait_for_all(void)
{
	struct waiting w = {.ids = calloc(b.groups, sizeof(*w.ids))};

	for (uint32_t id = 1; w.ids && id <= b.groups; id++)
		w.ids[w.n++] = id;
	return w;
}

static void still_waiting(struct waiting *w, int without)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < w->n; i++)
		if (!leader_of(w->ids[i], without))
			w->ids[left++] = w->ids[i];
	w->n = left;
}

static void count_led(uint32_t led[NODES_MAX + 1])
{
	memset(led, 0, (NODES_MAX + 1) * sizeof(*led));
	for (uint32_t id = 1; id <= b.groups; id++)
		led[leader_of(id, 0)]++;
}

static void print_led(const char *name)
{
	uint32_t led[NODES_MAX + 1];

	count_led(led);
	printf("\"%s\":[", name);
	for (int node = 1; node <= b.nodes; node++)
		printf("%s%u", node > 1 ? "," : "", led[node]);
	printf("]");
}

/* Returns how long it took; all have agreed, and none has lost its leader meanwhile. */
static uint64_t await_all(void)
{
	uint64_t t0_ns = xr_now_ns();
	struct waiting w;

	for (;;) {
		for (w = wait_for_all(); w.n; still_waiting(&w, 0)) {
			if (xr_now_ns() - t0_ns > LIMIT_NS) {
				fprintf(stderr,
					"bench_groups: after 60 s %u groups have no leader\n", w.n);
				exit(1);
			}
			nap(LOOK_NS);
		}
		free(w.ids);
		w = wait_for_all();
		still_waiting(&w, 0);
		free(w.ids);
		if (!w.n)
			return xr_now_ns() - t0_ns;
	}
}

/*
 * ---- what it costs ----
 */

/*
 * Nanoseconds for which the threads of a process have run, by the scheduler's clock. Ticks would not
 * do: what beats ten times a second in step with them is seen by all of them, or by none.
 */
static uint64_t process_ns(int pid)
{
	unsigned long long ns, sum = 0;
	char path[300];
	struct dirent *entry;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	while (tasks && (entry = readdir(tasks))) {
		_cleanup_file_ FILE *f = NULL;

		if (entry->d_name[0] == '.') /* ".." has a schedstat, too */
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", pid, entry->d_name);
		f = fopen(path, "re");
		if (f && fscanf(f, "%llu", &ns) == 1)
			sum += ns;
	}
	if (tasks)
		closedir(tasks);
	return sum;
}

/* Context switches of the thread that elects, which is the process' first. */
static unsigned long long switches(int pid)
{
	unsigned long long n, sum = 0;
	_cleanup_file_ FILE *f = NULL;
	char path[64], line[256];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "voluntary_ctxt_switches: %llu", &n) == 1)
			sum += n;
	return sum;
}

/* Frames that a node's interface received (answered by XDP or not) and sent by its stack. */
static void frames(int pid, unsigned long long *rx, unsigned long long *drops)
{
	unsigned long long packets, dropped;
	_cleanup_file_ FILE *f = NULL;
	char path[64], line[512];

	*rx = *drops = 0;
	snprintf(path, sizeof(path), "/proc/%d/net/dev", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, " eth0: %*s %llu %*s %llu", &packets, &dropped) == 2) {
			*rx = packets;
			*drops = dropped;
		}
}

/* Datagrams that found the socket's buffer full. */
static unsigned long long buffer_drops(int pid)
{
	unsigned long long drops = 0;
	_cleanup_file_ FILE *f = NULL;
	char path[64], line[512];

	snprintf(path, sizeof(path), "/proc/%d/net/snmp", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "Udp: %*u %*u %*u %*u %llu", &drops);
	return drops;
}

/*
 * Memory of a process in KiB: its share of what it shares with others, without the maps, which
 * are counted once for all.
 */
static unsigned long memory_kib(int pid)
{
	unsigned long sum = 0, kib;
	_cleanup_file_ FILE *f = NULL;
	char path[64], line[512];
	bool is_map = false;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			is_map = strstr(line, "bpf-map") || strstr(line, "bpf_map");
		else if (!is_map && sscanf(line, "Pss: %lu kB", &kib) == 1)
			sum += kib;
	}
	return sum;
}

static unsigned long maps_kib(int node)
{
	return (unsigned long)(b.maps[node].ngroups *
			       (sizeof(struct xr_group) + sizeof(struct xr_acks)) / 1024) +
	       EVENTS_KIB;
}

/* Time that all NIC paths have run, while somebody has the kernel count it. */
static uint64_t nic_ns(void)
{
	uint64_t sum = 0;
	uint32_t id = 0;

	while (!bpf_prog_get_next_id(id, &id)) {
		_cleanup_fd_ int fd = bpf_prog_get_fd_by_id(id);
		struct bpf_prog_info info = {0};
		uint32_t size = sizeof(info);

		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size) &&
		    !strcmp(info.name, "xr_nic"))
			sum += info.run_time_ns;
	}
	return sum;
}

struct costs {
	uint64_t nic_ns, process_ns[NODES_MAX + 1];
	unsigned long long switches[NODES_MAX + 1], rx[NODES_MAX + 1], drops[NODES_MAX + 1],
		full[NODES_MAX + 1];
	uint64_t at_ns;
};

static void take_costs(struct costs *c)
{
	for (int node = 1; node <= b.nodes; node++) {
		int pid = b.maps[node].control->pid;

		c->process_ns[node] = process_ns(pid) +
				      process_ns(b.maps[node].control->warden_pid);
		c->switches[node] = switches(pid);
		frames(pid, &c->rx[node], &c->drops[node]);
		c->full[node] = buffer_drops(pid);
	}
	c->nic_ns = nic_ns();
	c->at_ns = xr_now_ns();
}

static double percent(uint64_t ns, double seconds)
{
	return (double)ns / 1e7 / seconds;
}

static void print_costs(const struct costs *a, const struct costs *z)
{
	double s = (double)(z->at_ns - a->at_ns) / 1e9;

	printf("\"seconds\":%.3f,\"nic\":%.2f,\"node\":[", s, percent(z->nic_ns - a->nic_ns, s));
	for (int node = 1; node <= b.nodes; node++) {
		const struct xr_control *c = b.maps[node].control;

		printf("%s{\"process\":%.2f,\"wakeups\":%.0f,\"received\":%.0f,\"drops\":%llu,"
		       "\"full\":%llu,\"engine_kib\":%lu,\"warden_kib\":%lu,\"maps_kib\":%lu}",
		       node > 1 ? "," : "", percent(z->process_ns[node] - a->process_ns[node], s),
		       (double)(z->switches[node] - a->switches[node]) / s,
		       (double)(z->rx[node] - a->rx[node]) / s, z->drops[node] - a->drops[node],
		       z->full[node] - a->full[node], memory_kib(c->pid), memory_kib(c->warden_pid),
		       maps_kib(node));
	}
	printf("]");
}

static uint64_t sum_of_terms(int node)
{
	uint64_t sum = 0;

	for (uint32_t id = 1; id <= b.groups; id++)
		sum += view_of(node, id).term;
	return sum;
}

static void steady(int seconds)
{
	_cleanup_fd_ int counting = bpf_enable_stats(BPF_STATS_RUN_TIME);
	uint64_t terms = sum_of_terms(1);
	struct costs a, z;

	if (counting < 0)
		die("the kernel does not count the run time of BPF programs");

	take_costs(&a);
	nap((uint64_t)seconds * NS_PER_S);
	take_costs(&z);
	printf("{");
	print_led("led");
	printf(",\"elections\":%llu,", (unsigned long long)(sum_of_terms(1) - terms));
	print_costs(&a, &z);
	printf("}\n");
}

/*
 * ---- a death ----
 */
static int victim_of(const char *share)
{
	uint32_t led[NODES_MAX + 1], want = strcmp(share, "all") ? b.groups / 3 : b.groups;
	int victim = 1;

	count_led(led);
	for (int node = 2; node <= b.nodes; node++)
		if (led[node] && (!led[victim] || labs((long)led[node] - (long)want) <
							  labs((long)led[victim] - (long)want)))
			victim = node;
	return victim;
}

static int compare(const void *x, const void *y)
{
	double a = *(const double *)x, z = *(const double *)y;

	return (a > z) - (a < z);
}

/* When each group of the dead had a leader again, in ms, by the note of the new one. */
static uint32_t led_again(const uint32_t *ids, uint32_t n, int victim, uint64_t t0_ns, double *ms)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < n; i++) {
		int leader = leader_of(ids[i], victim);

		if (leader)
			ms[found++] =
				(double)(int64_t)(b.maps[leader].groups[ids[i]].lead_since_ns -
						  t0_ns) /
				1e6;
	}
	qsort(ms, found, sizeof(*ms), compare);
	return found;
}

static void print_curve(const double *ms, uint32_t n)
{
	printf("\"ms\":[");
	for (uint32_t i = 0; i < CURVE && n; i++)
		printf("%s%.2f", i ? "," : "", ms[(uint64_t)(n - 1) * i / (CURVE - 1)]);
	printf("]");
}

static void fail(const char *kind, const char *share)
{
	int victim = victim_of(share), engine = b.maps[victim].control->pid,
	    warden = b.maps[victim].control->warden_pid;
	uint32_t *ids = calloc(b.groups, sizeof(*ids)), n = 0, found;
	double *ms = calloc(b.groups, sizeof(*ms)), followed_ms;
	struct waiting w = {0};
	unsigned long long full[NODES_MAX + 1], lost = 0;
	int survivor = victim == 1 ? 2 : 1;
	uint64_t t0_ns, terms = sum_of_terms(survivor);

	for (uint32_t id = 1; id <= b.groups; id++)
		if (leader_of(id, 0) == victim)
			ids[n++] = id;
	w.ids = malloc((n + 1) * sizeof(*ids));
	memcpy(w.ids, ids, n * sizeof(*ids));
	w.n = n;
	for (int node = 1; node <= b.nodes; node++)
		full[node] = buffer_drops(b.maps[node].control->pid);
	t0_ns = xr_now_ns();
	kill(strcmp(kind, "engine") ? -warden : engine, SIGKILL);
	while (w.n && xr_now_ns() - t0_ns < LIMIT_NS) {
		nap(LOOK_NS);
		still_waiting(&w, victim);
	}
	followed_ms = (double)(xr_now_ns() - t0_ns) / 1e6;
	found = led_again(ids, n, victim, t0_ns, ms);
	for (int node = 1; node <= b.nodes; node++)
		if (node != victim)
			lost += buffer_drops(b.maps[node].control->pid) - full[node];
	printf("{\"kind\":\"%s\",\"share\":\"%s\",\"victim\":%d,\"led\":%u,\"left\":%u,"
	       "\"followed_ms\":%.2f,\"full\":%llu,\"terms\":%llu,",
	       kind, share, victim, n, w.n, followed_ms, lost,
	       (unsigned long long)(sum_of_terms(survivor) - terms));
	if (found)
		printf("\"first_ms\":%.2f,\"half_ms\":%.2f,\"most_ms\":%.2f,\"all_ms\":%.2f,",
		       ms[0], ms[(found - 1) / 2], ms[(uint64_t)(found - 1) * 99 / 100],
		       ms[found - 1]);
	print_curve(ms, found);
	printf("}\n");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"cluster", required_argument, NULL, 'c'},
		{"nodes", required_argument, NULL, 'n'},
		{"groups", required_argument, NULL, 'g'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'c')
			b.cluster = optarg;
		else if (c == 'n')
			b.nodes = atoi(optarg);
		else if (c == 'g')
			b.groups = (uint32_t)strtoul(optarg, NULL, 10);
		else
			return 2;
	}
	argv += optind;
	argc -= optind;
	if (!b.cluster || b.nodes < 2 || b.nodes > NODES_MAX || !b.groups || !argc)
		die("run it by scripts/bench groups");
	open_maps();
	sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK,
			   &(struct sched_param){.sched_priority = 10});
	if (!strcmp(argv[0], "await")) {
		printf("{\"await_ms\":%.1f,", (double)await_all() / 1e6);
		print_led("led");
		printf("}\n");
	} else if (!strcmp(argv[0], "steady") && argc == 2) {
		steady(atoi(argv[1]));
	} else if (!strcmp(argv[0], "fail") && argc == 3) {
		fail(argv[1], argv[2]);
	} else {
		die("run it by scripts/bench groups");
	}
	return 0;
}
