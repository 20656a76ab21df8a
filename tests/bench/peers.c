// SPDX-License-Identifier: GPL-2.0-only
/*
 * Other systems' failover, and what their idle hours cost, in the namespaces of scripts/cluster.
 *
 *   bench_peers --system etcd|keepalived|bfdd|xraft --cluster NAME --owner PID [--nodes 3]
 *               [--steady SECONDS] [--rounds R] [--pause MS] [--phase MS] [--seed S] -- COMMAND...
 *
 * COMMAND runs in the foreground in each node's namespace, {} in it being the number of the node.
 * Whom a node follows is read from its log, which it writes into a pipe at the moment it decides:
 * nothing is asked of it, so that measuring costs it nothing. Prints an object for the steady time
 * and for each round. All ends when the process OWNER does.
 */
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "common/common.h"

#define NODES_MAX 9
#define SETTLE_NS (100 * NS_PER_MS) /* what they agree on has to hold for so long */
#define LIMIT_NS  (30 * NS_PER_S)

struct node {
	pid_t pid; /* of the process group, too */
	int pipe_fd, log_fd;
	size_t length;
	char line[4096];
	/* What it has said of itself since it started. */
	bool spoke;
	uint64_t self, leader, term; /* as the system names them; a leader of 0: none */
	uint32_t sees;		     /* bfdd: bit n: its session with node n is up */
};

struct system {
	const char *name;
	bool (*hear)(struct node *n, const char *line); /* true: its mind has changed */
	bool (*agree)(int without, int *leader);	/* those without one know one leader */
};

static struct {
	const struct system *system;
	const char *cluster;
	char **command;
	long owner, nodes, rounds, steady_s, pause_ms, phase_ms, seed;
	struct node node[NODES_MAX + 1];
	uint64_t heard_ns; /* when the last line was read */
	int changes;
} b = {.nodes = 3, .pause_ms = 100, .phase_ms = 100, .seed = 1};

/* What is left of it is waited for later: start() and whoever adopts it. */
static void stop(int node)
{
	struct node *n = &b.node[node];

	if (n->pid > 0) {
		kill(-n->pid, SIGKILL);
		kill(n->pid, SIGKILL); /* it may not have a group yet */
		xr_close_fd(&n->pipe_fd);
	}
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "bench_peers: %s\n", what);
	for (int node = 1; node <= b.nodes; node++)
		stop(node);
	exit(1);
}

/* At once, and whatever became of their parents. */
static void on_end(int signal)
{
	for (int node = 1; node <= b.nodes; node++)
		stop(node);
	_exit(128 + signal);
}

static uint64_t random_state;
static uint64_t next_random(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15ull; /* splitmix64 (Steele et al. 2014) */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/*
 * ---- what each system says, and what it means ----
 */
static bool hear_etcd(struct node *n, const char *line)
{
	uint64_t self, leader, term;
	int lost = -1;

	line = strstr(line, "raft.node: ");
	if (!line)
		return false;
	if (sscanf(line, "raft.node: %" SCNx64 " elected leader %" SCNx64 " at term %" SCNu64,
		   &self, &leader, &term) != 3 &&
	    sscanf(line,
		   "raft.node: %" SCNx64 " changed leader from %*x to %" SCNx64 " at term %" SCNu64,
		   &self, &leader, &term) != 3) {
		if (sscanf(line, "raft.node: %" SCNx64 " lost leader %*x at term %" SCNu64 "%n",
			   &self, &term, &lost) != 2)
			return false;
		leader = 0;
	}
	n->spoke = true;
	n->self = self;
	n->leader = leader;
	n->term = term;
	return true;
}

static bool agree_etcd(int without, int *leader)
{
	const struct node *first = NULL;

	*leader = 0;
	for (int node = 1; node <= b.nodes; node++) {
		const struct node *n = &b.node[node];

		if (node == without)
			continue;
		if (!first)
			first = n;
		if (!n->spoke || !n->leader || n->leader != first->leader || n->term != first->term)
			return false;
		if (n->self == n->leader)
			*leader = node;
	}
	return *leader != 0;
}

static bool hear_keepalived(struct node *n, const char *line)
{
	if (!strstr(line, " Entering ") || !strstr(line, " STATE"))
		return false;
	n->spoke = true;
	n->leader = strstr(line, "MASTER") != NULL;
	return true;
}

/* xraft's followers say nothing when they find a leader, so it is the leader's word, as with VRRP. */
static bool hear_xraft(struct node *n, const char *line)
{
	n->spoke = true;
	if (!strstr(line, "g1: "))
		return false;
	n->leader = strstr(line, " leads in term ") && !strstr(line, "no longer");
	return true;
}

static bool agree_one_leads(int without, int *leader)
{
	int leaders = 0;

	for (int node = 1; node <= b.nodes; node++) {
		if (node == without)
			continue;
		if (!b.node[node].spoke)
			return false;
		if (b.node[node].leader) {
			leaders++;
			*leader = node;
		}
	}
	return leaders == 1;
}

static bool hear_bfdd(struct node *n, const char *line)
{
	const char *to = strstr(line, " -> ");
	const char *peer = strstr(line, "peer:10.77.0.");
	uint32_t before = n->sees, bit;

	if (!strstr(line, "state-change: ") || !to || !peer)
		return false;
	bit = 1u << (atoi(peer + strlen("peer:10.77.0.")) & 15);
	n->spoke = true;
	n->sees = !strncmp(to, " -> up", 6) ? n->sees | bit : n->sees & ~bit;
	return n->sees != before;
}

/* There is no leader; all see all is what can be agreed on. */
static bool agree_bfdd(int without, int *leader)
{
	uint32_t all = 0;

	*leader = 0;
	for (int node = 1; node <= b.nodes; node++)
		if (node != without)
			all |= 1u << node;
	for (int node = 1; node <= b.nodes; node++)
		if (node != without && b.node[node].sees != (all & ~(1u << node)))
			return false;
	return true;
}

static const struct system systems[] = {
	{"etcd", hear_etcd, agree_etcd},
	{"keepalived", hear_keepalived, agree_one_leads},
	{"bfdd", hear_bfdd, agree_bfdd},
	{"xraft", hear_xraft, agree_one_leads},
};

/*
 * ---- nodes ----
 */
static _Noreturn void exec_node(int node, pid_t parent, int out_fd)
{
	char text[8192], *argv[64], *end = text;
	int argc = 0, space;

	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	prctl(PR_SET_TIMERSLACK, 50000); /* every process' default; ours it would inherit */
	snprintf(text, sizeof(text), "/run/netns/xr-%s-%d", b.cluster, node);
	space = open(text, O_RDONLY | O_CLOEXEC);
	if (space < 0 || setns(space, CLONE_NEWNET)) {
		perror(text);
		_exit(1);
	}
	for (; b.command[argc] && argc < 63; argc++) {
		const char *from = b.command[argc], *here;

		argv[argc] = end;
		while ((here = strstr(from, "{}"))) {
			end += snprintf(end, (size_t)(text + sizeof(text) - end), "%.*s%d",
					(int)(here - from), from, node);
			from = here + 2;
		}
		end += snprintf(end, (size_t)(text + sizeof(text) - end), "%s", from) + 1;
	}
	argv[argc] = NULL;
	dup2(open("/dev/null", O_RDONLY), 0);
	dup2(out_fd, 1);
	dup2(out_fd, 2);
	execvp(argv[0], argv);
	perror(argv[0]);
	_exit(1);
}

static void start(int node)
{
	struct node *n = &b.node[node];
	int log_fd = n->log_fd, ends[2];
	pid_t self = getpid();

	if (n->pid > 0)
		waitpid(n->pid, NULL, 0);
	if (pipe2(ends, O_CLOEXEC))
		die("no pipe");
	*n = (struct node){.log_fd = log_fd, .pipe_fd = ends[0]};
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	n->pid = fork();
	if (n->pid == 0)
		exec_node(node, self, ends[1]);
	close(ends[1]);
	if (n->pid < 0)
		die("cannot fork");
}

static void open_log(int node)
{
	char path[128];

	snprintf(path, sizeof(path), "/run/xraft-cluster/%s/peer.%d.log", b.cluster, node);
	b.node[node].log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void take_lines(struct node *n)
{
	char *end;

	while ((end = memchr(n->line, '\n', n->length))) {
		size_t used = (size_t)(end - n->line) + 1;

		*end = '\0';
		b.changes += b.system->hear(n, n->line);
		n->length -= used;
		memmove(n->line, end + 1, n->length);
	}
	if (n->length == sizeof(n->line)) /* the rest of a long line says nothing to us */
		n->length = 0;
}

static void read_log(struct node *n)
{
	ssize_t got;

	while ((got = read(n->pipe_fd, n->line + n->length, sizeof(n->line) - n->length)) > 0) {
		b.heard_ns = xr_now_ns();
		if (n->log_fd >= 0 && write(n->log_fd, n->line + n->length, (size_t)got) < 0)
			die("cannot write a log");
		n->length += (size_t)got;
		take_lines(n);
	}
	if (got == 0)
		die("a node has ended by itself; its last words stand in peer.N.log");
}

/* Hear what the nodes say, until one has said something or the time has come. */
static void listen_until(uint64_t until_ns)
{
	uint64_t now_ns = xr_now_ns();
	struct pollfd p[NODES_MAX];
	struct timespec left = {0};

	if (until_ns > now_ns) {
		left.tv_sec = (time_t)((until_ns - now_ns) / NS_PER_S);
		left.tv_nsec = (long)((until_ns - now_ns) % NS_PER_S);
	}
	if (left.tv_sec >= 1)
		left = (struct timespec){.tv_sec = 1};
	for (int i = 0; i < b.nodes; i++)
		p[i] = (struct pollfd){.fd = b.node[i + 1].pipe_fd, .events = POLLIN};
	if (ppoll(p, (nfds_t)b.nodes, &left, NULL) > 0)
		for (int i = 0; i < b.nodes; i++)
			if (p[i].revents)
				read_log(&b.node[i + 1]);
	if (kill((pid_t)b.owner, 0))
		die("its owner has ended");
}

/* Until all but one agree, for good. Returns when they began to. */
static uint64_t await_agreed(int without, int *leader)
{
	uint64_t give_up_ns = xr_now_ns() + LIMIT_NS, since_ns = 0;

	for (;;) {
		if (!b.system->agree(without, leader))
			since_ns = 0;
		else if (!since_ns)
			since_ns = b.heard_ns;
		if (since_ns && xr_now_ns() >= since_ns + SETTLE_NS)
			return since_ns;
		if (xr_now_ns() > give_up_ns)
			die("stuck: the nodes do not agree within 30 s");
		listen_until(since_ns ? since_ns + SETTLE_NS : give_up_ns);
	}
}

/*
 * ---- what is measured ----
 */
static uint64_t cpu_of_process(pid_t pid)
{
	struct timespec t;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
		return 0;
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/*
 * CPU time of a node's process and of its children. The kernel charges a softirq to the process
 * that it interrupts: in it is what runs within the process' own system calls (on veth, most of
 * the way to the receiver), not what interrupts an idle CPU.
 */
static uint64_t cpu_of_node(int node)
{
	uint64_t ns = cpu_of_process(b.node[node].pid);
	_cleanup_file_ FILE *children = NULL;
	char path[64];
	int pid;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", b.node[node].pid,
		 b.node[node].pid);
	children = fopen(path, "re");
	while (children && fscanf(children, "%d", &pid) == 1)
		ns += cpu_of_process(pid);
	return ns;
}

/* Nothing happens, and nothing should: false at the first change of mind, which ends it. */
static bool steady(void)
{
	uint64_t until_ns, begin_ns, cpu_ns[NODES_MAX + 1];
	int leader;

	await_agreed(0, &leader);
	listen_until(xr_now_ns() + NS_PER_S); /* what a start leaves to do */
	await_agreed(0, &leader);
	b.changes = 0;
	begin_ns = xr_now_ns();
	until_ns = begin_ns + (uint64_t)b.steady_s * NS_PER_S;
	for (int node = 1; node <= b.nodes; node++)
		cpu_ns[node] = cpu_of_node(node);
	while (!b.changes && xr_now_ns() < until_ns)
		listen_until(until_ns);
	printf("{\"steady_s\":%.3f,\"changes\":%d,\"leader\":%d,\"cpu_us\":[",
	       (double)(xr_now_ns() - begin_ns) / 1e9, b.changes, leader);
	for (int node = 1; node <= b.nodes; node++)
		printf("%s%.1f", node > 1 ? "," : "",
		       (double)(cpu_of_node(node) - cpu_ns[node]) / 1e3);
	printf("]}\n");
	fflush(stdout);
	return !b.changes;
}

static void one_round(int number)
{
	uint64_t kill_ns, agreed_ns, begin_ns;
	int victim, leader, restless;

	await_agreed(0, &victim);
	b.changes = 0;
	begin_ns = xr_now_ns() + (uint64_t)b.pause_ms * NS_PER_MS +
		   next_random() % ((uint64_t)b.phase_ms * NS_PER_MS);
	while (xr_now_ns() < begin_ns)
		listen_until(begin_ns);
	restless = b.changes;
	await_agreed(0, &victim);
	if (!victim) /* a system without a leader */
		victim = 1 + (int)(next_random() % (uint64_t)b.nodes);
	kill_ns = xr_now_ns();
	stop(victim);
	agreed_ns = await_agreed(victim, &leader);
	printf("{\"round\":%d,\"victim\":%d,\"leader\":%d,\"changes\":%d,\"total_us\":%.1f}\n",
	       number, victim, leader, restless, (double)(agreed_ns - kill_ns) / 1e3);
	fflush(stdout);
	start(victim);
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{"system", required_argument, NULL, 'y'}, {"cluster", required_argument, NULL, 'c'},
		{"owner", required_argument, NULL, 'o'},  {"nodes", required_argument, NULL, 'n'},
		{"steady", required_argument, NULL, 't'}, {"rounds", required_argument, NULL, 'r'},
		{"pause", required_argument, NULL, 'p'},  {"phase", required_argument, NULL, 'a'},
		{"seed", required_argument, NULL, 's'},	  {0},
	};
	long *const numbers[256] = {
		['o'] = &b.owner,    ['n'] = &b.nodes,	  ['t'] = &b.steady_s, ['r'] = &b.rounds,
		['p'] = &b.pause_ms, ['a'] = &b.phase_ms, ['s'] = &b.seed,
	};
	int c;

	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (c == '?')
			exit(2);
		if (numbers[c])
			*numbers[c] = atol(optarg);
		if (c == 'c')
			b.cluster = optarg;
		for (size_t i = 0; c == 'y' && i < ARRAY_SIZE(systems); i++)
			if (!strcmp(optarg, systems[i].name))
				b.system = &systems[i];
	}
	b.command = argv + optind;
	if (!b.system || !b.cluster || !b.owner || !*b.command || b.nodes < 2 ||
	    b.nodes > NODES_MAX || b.phase_ms < 1)
		die("run it by scripts/bench peers");
}

int main(int argc, char **argv)
{
	parse(argc, argv);
	random_state = (uint64_t)b.seed;
	signal(SIGTERM, on_end);
	signal(SIGINT, on_end);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	prctl(PR_SET_TIMERSLACK, 1);
	/* Above the nodes, so that what they say is heard at once. */
	sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK,
			   &(struct sched_param){.sched_priority = 30});
	for (int node = 1; node <= b.nodes; node++) {
		open_log(node);
		start(node);
	}
	if (!b.steady_s || steady())
		for (int i = 1; i <= b.rounds; i++)
			one_round(i);
	for (int node = 1; node <= b.nodes; node++)
		stop(node);
	return 0;
}
