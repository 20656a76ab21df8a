// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long does a failover take, seen from outside? The maps of every node are read in memory, some
 * ten thousand times a second; nothing is asked of the daemons. Prints a JSON object a round.
 *
 *   bench_failover --cluster NAME --nodes N --kind engine|both|link|transfer --rounds R [--seed S]
 *                  [--look-us 50] [--spread-ms 40]
 *
 * Faults happen at random moments: `spread` should be several heartbeat intervals.
 *
 * Time begins right before the fault, and ends when every survivor has published the new leader.
 * Between the rounds the disk is measured alone: 8 KB and fdatasync, as a vote costs.
 */
#include <fcntl.h>
#include <getopt.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "common/common.h"
#include "bench.h"

#define NODES_MAX   9
#define GROUP	    1
#define LIMIT_NS    (20 * NS_PER_S)
#define DISK_WRITES 5

enum kind { ENGINE, BOTH, LINK, TRANSFER, KIND_END };
static const char *const kind_names[] = {"engine", "both", "link", "transfer"};

static struct {
	const char *cluster, *script;
	int nodes, rounds;
	enum kind kind;
	uint64_t seed, look_ns, spread_ns;
	struct xr_maps maps[NODES_MAX + 1];
	int switch_fd; /* a socket in the network namespace of the bridge */
	int disk_fd, request_fd;
} b = {
	.request_fd = -1,
	.nodes = 3,
	.rounds = 200,
	.seed = 1,
	.look_ns = 50 * NS_PER_US,
	.spread_ns = 40 * NS_PER_MS,
	.switch_fd = -1,
	.disk_fd = -1,
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "bench_failover: %s\n", what);
	exit(1);
}

static uint64_t next_random(void)
{
	uint64_t z = b.seed += 0x9e3779b97f4a7c15ull; /* splitmix64 (Steele et al. 2014) */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static void nap(uint64_t ns)
{
	nanosleep(&(struct timespec){.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S}, NULL);
}

/*
 * ---- what the nodes have published ----
 */
static struct xr_view view_of(int node)
{
	return xr_view_read(&b.maps[node].groups[GROUP]).view;
}

static bool is_alive(int node)
{
	const struct xr_control *c = b.maps[node].control;

	return (int64_t)(*(const volatile __u64 *)&c->alive_until_ns - xr_now_ns()) > 0;
}

/* The leader that all nodes but `without` name, in one term after `after`; 0: they do not. */
static int agreed(int without, uint32_t after, uint32_t *term)
{
	int leader = 0;

	for (int node = 1; node <= b.nodes; node++) {
		struct xr_view v = view_of(node);

		if (node == without)
			continue;
		if (v.mode == XR_NONE || v.term <= after || (leader && v.leader != leader) ||
		    (leader && v.term != *term) || (v.mode == XR_LEAD) != (v.leader == node))
			return 0;
		leader = v.leader;
		*term = v.term;
	}
	return leader == without ? 0 : leader;
}

static int settled(uint32_t *term)
{
	for (int node = 1; node <= b.nodes; node++)
		if (!is_alive(node))
			return 0;
	return agreed(0, 0, term);
}

static int await_settled(uint32_t *term)
{
	uint64_t until_ns = xr_now_ns() + LIMIT_NS;
	int leader;

	while (!(leader = settled(term))) {
		if (xr_now_ns() > until_ns)
			die("stuck: the nodes did not agree on a leader within 20 s");
		nap(NS_PER_MS);
	}
	return leader;
}

/*
 * ---- faults ----
 */
static void start(int node)
{
	char command[512];

	snprintf(command, sizeof(command), "XR_CLUSTER=%s %s start %d --no-wait >/dev/null",
		 b.cluster, b.script, node);
	if (system(command))
		die(command);
}

/* Bring a node's port at the bridge up or down: an ioctl, since a command would take too long. */
static void set_port(int node, bool up)
{
	struct ifreq r = {0};

	snprintf(r.ifr_name, sizeof(r.ifr_name), "port%d", node);
	if (ioctl(b.switch_fd, SIOCGIFFLAGS, &r))
		die("the bridge has no such port");
	r.ifr_flags = up ? r.ifr_flags | IFF_UP : r.ifr_flags & ~IFF_UP;
	if (ioctl(b.switch_fd, SIOCSIFFLAGS, &r))
		die("cannot cut a port");
}

static void open_switch(void)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), away;
	char path[128];

	snprintf(path, sizeof(path), "/run/netns/xr-%s-sw", b.cluster);
	away = open(path, O_RDONLY | O_CLOEXEC);
	if (home < 0 || away < 0 || setns(away, CLONE_NEWNET))
		die("cannot enter the network namespace of the bridge");
	b.switch_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setns(home, CLONE_NEWNET);
	close(home);
	close(away);
}

/* Connected beforehand: what is measured begins with the request. */
static int connect_api(int node)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "/run/xraft/%s.%d.sock", b.cluster, node);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)))
		die("no daemon listens on its socket");
	return fd;
}

static int another(int node)
{
	int other = 1 + (int)(next_random() % (uint64_t)(b.nodes - 1));

	return other < node ? other : other + 1;
}

/* Returns the time right before it. */
static uint64_t do_fault(int victim)
{
	const struct xr_control *c = b.maps[victim].control;
	char request[128];
	uint64_t t0_ns;
	int fd;

	switch (b.kind) {
	case ENGINE:
		t0_ns = xr_now_ns();
		kill(c->pid, SIGKILL);
		return t0_ns;
	case BOTH:
		t0_ns = xr_now_ns();
		kill(-c->warden_pid, SIGKILL);
		return t0_ns;
	case LINK:
		t0_ns = xr_now_ns();
		set_port(victim, false);
		return t0_ns;
	default:
		fd = connect_api(victim);
		snprintf(request, sizeof(request),
			 "POST /v1/step-down?group=g1&to=%d HTTP/1.1\r\nHost: x\r\n"
			 "Content-Length: 0\r\nConnection: close\r\n\r\n",
			 another(victim));
		nap(2 * NS_PER_MS); /* until its thread waits for the request */
		t0_ns = xr_now_ns();
		if (write(fd, request, strlen(request)) < 0)
			die("the daemon takes no request");
		b.request_fd = fd; /* closed once it has been answered */
		return t0_ns;
	}
}

static void undo(int victim)
{
	xr_close_fd(&b.request_fd);
	if (b.kind == BOTH)
		start(victim);
	if (b.kind == LINK)
		set_port(victim, true);
}

/*
 * ---- a round ----
 */
struct round {
	int victim, leader;
	uint32_t before, after;
	uint64_t noticed_ns, decided_ns, durable_ns, elected_ns, announced_ns; /* since the fault */
};

static void first(uint64_t *at_ns, bool happened, uint64_t t0_ns)
{
	if (happened && !*at_ns)
		*at_ns = xr_now_ns() - t0_ns;
}

/* Steps that were missed between two looks happened at the later one. */
static void watch(struct round *r, uint64_t t0_ns)
{
	int survivors_of = b.kind == TRANSFER ? 0 : r->victim;

	while (!r->announced_ns) {
		struct xr_view v = view_of(r->victim);

		first(&r->noticed_ns, v.mode != XR_LEAD || v.term != r->before, t0_ns);
		for (int node = 1; node <= b.nodes; node++) {
			const struct xr_group *g = &b.maps[node].groups[GROUP];

			if (node == r->victim)
				continue;
			v = view_of(node);
			first(&r->decided_ns, v.mode == XR_NONE || v.term != r->before, t0_ns);
			first(&r->durable_ns, *(const volatile __u32 *)&g->durable_term > r->before,
			      t0_ns);
			first(&r->elected_ns, v.mode == XR_LEAD && v.term > r->before, t0_ns);
		}
		r->leader = agreed(survivors_of, r->before, &r->after);
		first(&r->announced_ns, r->leader != 0, t0_ns);
		if (xr_now_ns() - t0_ns > LIMIT_NS)
			die("stuck: no new leader within 20 s");
		nap(b.look_ns);
	}
}

static void print_disk(void)
{
	static char block[8192]; /* a pair (user/journal/journal.c) */

	printf("],\"disk_us\":[");
	for (int i = 0; i < DISK_WRITES; i++) {
		uint64_t t0_ns = xr_now_ns();

		block[0]++;
		if (pwrite(b.disk_fd, block, sizeof(block), 0) < 0 || fdatasync(b.disk_fd))
			die("the disk cannot be written");
		printf("%s%.1f", i ? "," : "", (double)(xr_now_ns() - t0_ns) / 1e3);
		nap(NS_PER_MS);
	}
	printf("]}\n");
}

static void one_round(int number)
{
	struct round r = {0};
	uint64_t t0_ns;

	r.victim = await_settled(&r.before);
	nap(20 * NS_PER_MS + next_random() % b.spread_ns);
	if (settled(&r.before) != r.victim)
		return one_round(number); /* an election of its own; the soak counts those */
	t0_ns = do_fault(r.victim);
	watch(&r, t0_ns);
	printf("{\"round\":%d,\"at_ns\":%llu,\"victim\":%d,\"leader\":%d,\"before\":%u,"
	       "\"after\":%u,\"total_us\":%.1f,\"phases_us\":[%.1f,%.1f,%.1f,%.1f",
	       number, (unsigned long long)t0_ns, r.victim, r.leader, r.before, r.after,
	       (double)r.announced_ns / 1e3, (double)r.noticed_ns / 1e3, (double)r.decided_ns / 1e3,
	       (double)r.durable_ns / 1e3, (double)r.elected_ns / 1e3);
	undo(r.victim);
	await_settled(&r.after);
	print_disk();
	fflush(stdout);
}

static enum kind kind_of(const char *name)
{
	for (int kind = 0; kind < KIND_END; kind++)
		if (!strcmp(name, kind_names[kind]))
			return kind;
	die("a kind is one of engine, both, link, transfer");
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{"cluster", required_argument, NULL, 'c'},
		{"nodes", required_argument, NULL, 'n'},
		{"kind", required_argument, NULL, 'k'},
		{"rounds", required_argument, NULL, 'r'},
		{"seed", required_argument, NULL, 's'},
		{"script", required_argument, NULL, 'x'},
		{"look-us", required_argument, NULL, 'l'},
		{"spread-ms", required_argument, NULL, 'p'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'c')
			b.cluster = optarg;
		else if (c == 'n')
			b.nodes = atoi(optarg);
		else if (c == 'k')
			b.kind = kind_of(optarg);
		else if (c == 'r')
			b.rounds = atoi(optarg);
		else if (c == 's')
			b.seed = strtoull(optarg, NULL, 0);
		else if (c == 'x')
			b.script = optarg;
		else if (c == 'l')
			b.look_ns = strtoull(optarg, NULL, 0) * NS_PER_US;
		else if (c == 'p')
			b.spread_ns = strtoull(optarg, NULL, 0) * NS_PER_MS;
		else
			exit(2);
	}
	if (!b.cluster || !b.script || b.nodes < 2 || b.nodes > NODES_MAX)
		die("run it by scripts/bench failover");
}

int main(int argc, char **argv)
{
	struct xr_why why;
	char path[256];

	parse(argc, argv);
	prctl(PR_SET_TIMERSLACK, 1);
	/* Above what a dying process leaves to do, below what elects. */
	sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK,
			   &(struct sched_param){.sched_priority = 10});
	for (int node = 1; node <= b.nodes; node++)
		if (bench_open(&b.maps[node], b.cluster, node, &why))
			die(why.text);
	snprintf(path, sizeof(path), "/run/xraft-cluster/%s/disk", b.cluster);
	b.disk_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	open_switch();
	for (int i = 1; i <= b.rounds; i++)
		one_round(i);
	return 0;
}
