// SPDX-License-Identifier: GPL-2.0-only
/*
 * xraftd. Set-up with privileges comes first and in rule 6's order: take the lock, fence what an
 * earlier life left, remember its promise; only then attach, bind, renew and answer.
 */
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <systemd/sd-daemon.h>
#include "daemon/api.h"
#include "daemon/engine.h"
#include "lib/status.h"

struct options {
	const char *config;
	bool fresh; /* --new */
	bool check;
};

/* All that a running daemon holds, in the order in which it is taken. */
struct node {
	struct xr_config config;
	struct xr_journal *journal;
	struct xr_nic nic;
	struct xr_reporter *reporter;
	struct xr_writer *writer;
	struct xr_api *api;
	struct xr_engine engine;
	uint64_t promise_ns; /* rule 6; 0 for a node that is new */
	uint64_t promise_until_ns;
};

static void usage(FILE *out)
{
	fputs("Usage: xraftd [--config FILE] [--new | --check]\n"
	      "\n"
	      "Takes part in leader elections; an XDP program answers the heartbeats.\n"
	      "\n"
	      "  -c, --config FILE  configuration (default /etc/xraft/xraft.conf)\n"
	      "  -n, --new          this node never took part in this cluster under this id:\n"
	      "                     start without state. Refused where there is state\n"
	      "  -t, --check        validate the configuration, say what it means, and exit\n"
	      "  -V, --version\n"
	      "  -h, --help\n"
	      "\n"
	      "Signals: SIGTERM steps down, then ends. SIGHUP reads keys and new groups again.\n"
	      "Exit: 0 ended as asked, 1 failed (one sentence says why), 2 wrong usage.\n",
	      out);
}

/* Returns -1 to go on, or the exit code. */
static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'}, {"new", no_argument, NULL, 'n'},
		{"check", no_argument, NULL, 't'},	  {"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},	  {0},
	};
	int c;

	*o = (struct options){.config = "/etc/xraft/xraft.conf"};
	while ((c = getopt_long(argc, argv, "c:ntVh", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->config = optarg;
			break;
		case 'n':
			o->fresh = true;
			break;
		case 't':
			o->check = true;
			break;
		case 'V':
			puts("xraftd " XR_VERSION);
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		default: /* getopt has said what is wrong */
			fputs("see xraftd --help\n", stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "xraftd: unexpected argument %s; see xraftd --help\n",
			argv[optind]);
		return 2;
	}
	return -1;
}

static int check(const struct xr_config *c)
{
	int nodes = 0;

	for (int node = 1; node <= XR_NODE_MAX; node++)
		nodes += c->nodes[node].used;
	printf("ok: node %u of cluster %s, %d nodes, %zu groups, election %.4g-%.4g ms, heartbeat "
	       "%.4g ms%s\n",
	       c->self, c->cluster, nodes, c->ngroups, c->min_timeout_us / 1e3,
	       c->max_timeout_us / 1e3, c->heartbeat_us / 1e3,
	       c->auth_none ? "; WITHOUT AUTHENTICATION (auth = none)" : "");
	return 0;
}

static int compare_id(const void *key, const void *element)
{
	uint32_t id = *(const uint32_t *)key;
	const struct xr_config_group *g = element;

	return (id > g->id) - (id < g->id);
}

/* A group's id keeps its name and voters for as long as it has state (rule 10). */
static int check_group(const struct xr_vote *v, void *arg)
{
	struct node *n = arg;
	const struct xr_config_group *g = bsearch(&v->group, n->config.groups, n->config.ngroups,
						  sizeof(*g), compare_id);

	return g && g->digest != v->digest ? (int)(g - n->config.groups) + 1 : 0;
}

static int open_journal(struct node *n, const struct options *o, struct xr_why *why)
{
	struct xr_journal_opts opts = {
		.dir = n->config.state_dir,
		.cluster = n->config.cluster,
		.node = n->config.self,
		.create = o->fresh,
	};
	uint64_t d_ns = n->config.min_timeout_us * NS_PER_US, promise_ns;
	int err = xr_journal_open(&n->journal, &opts, why), changed;

	if (err)
		return err;
	changed = xr_journal_each(n->journal, check_group, n);
	if (changed) {
		const struct xr_config_group *g = &n->config.groups[changed - 1];

		return xr_fail(
			why, -EINVAL,
			"%s:%d: group %s (id %u) has state under another name or with other "
			"voters, which would let two majorities elect; give it an id that was "
			"never used",
			o->config, g->line, g->name, g->id);
	}
	/* Rule 6: the largest D it ever used, the new one too, and that before it is used. */
	promise_ns = xr_journal_promise_ns(n->journal);
	if (promise_ns < d_ns)
		err = xr_journal_promise(n->journal, d_ns, why);
	if (!o->fresh)
		n->promise_ns = promise_ns > d_ns ? promise_ns : d_ns;
	return err;
}

static void fill_control(struct node *n, uint32_t mark)
{
	const struct xr_config *c = &n->config;
	struct xr_control *control = n->nic.maps.control;

	*control = (struct xr_control){
		.abi = XR_ABI,
		.self = c->self,
		.answer = 1,
		.port = c->nodes[c->self].port,
		.socket_mark = mark,
		.groups = n->nic.maps.ngroups,
		.min_timeout_us = c->min_timeout_us,
		.max_timeout_us = c->max_timeout_us,
		.heartbeat_us = c->heartbeat_us,
		.stall_limit_us = c->stall_limit_us,
		/* As long as a follower may wait for its leader, a leader may wait for its quorum. */
		.quorum_lapse_us = c->max_timeout_us,
		.drift_permille = c->drift_permille,
		.pid = getpid(),
		.pid_start = xr_status_pid_start(getpid()),
		.netns = xr_status_netns(),
		.ifindex = n->nic.ifindex,
		.nic_mode = n->nic.mode,
		.nic_attach = n->nic.attach,
	};
	memcpy(control->interface, c->interface, sizeof(control->interface));
	memcpy(control->cluster, c->cluster, sizeof(control->cluster));
}

static int open_nic(struct node *n, struct xr_why *why)
{
	const struct xr_config *c = &n->config;
	struct xr_nic_opts opts = {
		.cluster = c->cluster,
		.node = c->self,
		.interface = c->interface,
		.want = c->xdp,
		.ngroups = c->ngroups ? c->groups[c->ngroups - 1].id + 1 : 1,
	};
	struct xr_engine *e = &n->engine;
	uint32_t mark = 0;
	int err = xr_nic_fence_leftovers(&opts, why);

	/* Counts from the fence: until then an earlier life's program may have answered. */
	if (n->promise_ns)
		n->promise_until_ns = xr_now_ns() + n->promise_ns;
	if (!err)
		err = xr_nic_open(&n->nic, &opts, why);
	if (err)
		return err;
	/* Only this life of the engine knows the mark of its socket (rule 8). */
	if (n->nic.mode != XR_NIC_OFF)
		mark = 1 + randombytes_uniform(UINT32_MAX - 1);
	memcpy(e->peers, c->nodes, sizeof(e->peers));
	xr_engine_keys(e, c);
	fill_control(n, mark);
	err = xr_nic_write_peers(&n->nic, e->peers, why);
	if (!err)
		err = xr_nic_write_keys(&n->nic, e->keys, why);
	if (!err)
		err = xr_socket_open(&e->peers[c->self], mark, why);
	if (err < 0)
		return err;
	e->outbox.fd = err;
	return 0;
}

/*
 * Threads of normal priority are started before this one is raised above them. Groups start from
 * what the journal holds before the writer takes it over.
 */
static int start_threads(struct node *n, struct xr_why *why)
{
	struct xr_engine *e = &n->engine;
	char name[XR_NAME_SIZE + 4];
	int err;

	snprintf(name, sizeof(name), "%s.%u", n->config.cluster, n->config.self);
	err = xr_reporter_start(&n->reporter, name, why);
	e->reporter = n->reporter;
	if (!err)
		err = xr_engine_init(e, n->journal, n->promise_until_ns, why);
	if (!err)
		err = xr_writer_start(&n->writer, n->journal, why);
	e->writer = n->writer;
	if (!err)
		err = xr_api_start(&n->api, n->config.socket, &n->nic.maps, n->reporter, why);
	return err;
}

/* Refused rights cost speed, not safety: say what is lost, and go on. */
static void raise_priority(struct node *n)
{
	struct sched_param param = {.sched_priority = n->config.realtime};

	if (!n->config.realtime)
		return;
	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param))
		xr_engine_say(
			&n->engine, XR_REPORT_warning,
			"no SCHED_FIFO (%m): a busy CPU can delay elections; give CAP_SYS_NICE, "
			"or set realtime = 0");
	/* Only what is touched: each locked megabyte delays the notice of a crash. */
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT))
		xr_engine_say(&n->engine, XR_REPORT_warning,
			      "memory is not locked (%m): swapping can delay elections; give "
			      "CAP_IPC_LOCK");
}

static void announce(struct node *n)
{
	static const char *const modes[] = {"off", "native", "generic"};
	static const char *const ways[] = {"", ", the interface's only program", ", by dispatcher"};
	const struct xr_nic *nic = &n->nic;

	xr_engine_say(&n->engine, XR_REPORT_started,
		      "node %u of cluster %s, %zu groups, XDP %s%s%s%s", n->config.self,
		      n->config.cluster, n->config.ngroups, modes[nic->mode], ways[nic->attach],
		      nic->mode == XR_NIC_OFF ? ": the daemon answers" : " on ",
		      nic->mode == XR_NIC_OFF ? "" : n->config.interface);
	if (nic->remark[0])
		xr_engine_say(&n->engine, XR_REPORT_warning, "%.220s", nic->remark);
	if (n->config.auth_none)
		xr_engine_say(&n->engine, XR_REPORT_warning,
			      "auth = none: anyone on the network can make and unmake leaders");
	sd_notify(0, "READY=1");
}

static int run(struct node *n, const struct options *o, struct xr_why *why)
{
	struct xr_engine *e = &n->engine;
	sigset_t signals;
	int err;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL); /* inherited by the threads; sd-event reads them */
	signal(SIGPIPE, SIG_IGN);
	/* Rule 8: a core dump would keep the socket, and the answers, alive while it is written. */
	prctl(PR_SET_DUMPABLE, 0);

	e->config = &n->config;
	e->config_path = o->config;
	e->nic = &n->nic;
	err = open_journal(n, o, why);
	if (!err)
		err = open_nic(n, why);
	if (!err)
		err = start_threads(n, why);
	if (err)
		return err;
	raise_priority(n);
	announce(n);
	err = xr_engine_run(e, why);
	sd_notify(0, "STOPPING=1");
	return err;
}

static void release(struct node *n)
{
	if (n->engine.outbox.fd > 0)
		close(n->engine.outbox.fd);
	xr_engine_free(&n->engine);
	if (n->api)
		xr_api_stop(n->api);
	xr_writer_stop(n->writer);
	if (n->reporter)
		xr_reporter_stop(n->reporter);
	xr_nic_close(&n->nic);
	xr_journal_close(n->journal);
	xr_config_free(&n->config);
}

/* Where stdin, stdout or stderr is closed, the journal would get its number, and then the log. */
static void keep_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	static struct node node = {.nic = {.maps = XR_MAPS_NONE}};
	struct options options;
	struct xr_why why = {""};
	int err;

	keep_standard_fds();
	err = parse_options(argc, argv, &options);
	if (err >= 0)
		return err;
	if (sodium_init() < 0)
		err = xr_fail(&why, -EIO, "libsodium does not start; is /dev/urandom there?");
	else
		err = xr_config_read(&node.config, options.config, &why);
	if (!err && options.check)
		return check(&node.config);
	if (!err)
		err = run(&node, &options, &why);
	release(&node);
	if (why.text[0] && err)
		fprintf(stderr, "xraftd: %s\n", why.text);
	return err ? 1 : 0;
}
