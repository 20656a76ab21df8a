// SPDX-License-Identifier: GPL-2.0-only
/* The engine's set-up: take what needs rights, give the rights up, run. */
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include "daemon/node.h"
#include "lib/status.h"

#define STACK_TOUCHED (256 << 10)

static int open_journal(struct xr_node *n, struct xr_why *why)
{
	const struct xr_warden *w = n->warden;
	struct xr_journal_opts opts = {
		.dir = w->config.state_dir,
		.cluster = w->config.cluster,
		.node = w->config.self,
		.lock_fd = w->lock_fd,
	};

	return xr_journal_open(&n->journal, &opts, why);
}

/*
 * From here on this thread's descriptors are its own, so that the socket dies with the thread that
 * elects (rule 8): at once, and not when the last thread has left the disk and the memory of all
 * is freed. The others keep theirs, among them the journal's.
 */
static int part_descriptors(struct xr_node *n, struct xr_why *why)
{
	if (unshare(CLONE_FILES))
		return xr_fail(why, -errno, "cannot have descriptors of its own: %m");
	xr_journal_let_go(n->journal);
	return 0;
}

/* The socket is this life's own, and so the NIC path's answers end with it (rule 8). */
static int open_socket(struct xr_node *n, struct xr_why *why)
{
	struct xr_warden *w = n->warden;
	struct xr_control *control = w->nic.maps.control;
	struct xr_engine *e = &n->engine;
	int err;

	control->pid = getpid();
	control->pid_start = xr_status_pid_start(getpid());
	err = xr_nic_write_keys(&w->nic, e->keys, why);
	if (err)
		return err;
	n->trains.peers = e->peers;
	n->trains.fd = xr_socket_open(&e->peers[w->config.self], why);
	if (n->trains.fd < 0)
		return n->trains.fd;
	return xr_nic_write_socket(&w->nic, n->trains.fd, why);
}

/* Groups start from what the journal holds before the writer takes it over. */
static int init_engine(struct xr_node *n, struct xr_why *why)
{
	struct xr_warden *w = n->warden;
	struct xr_engine *e = &n->engine;

	e->config = &w->config;
	e->host = &xr_node_host;
	e->world = n;
	e->looks = w->looks;
	e->named = xr_reporter_named(n->reporter);
	xr_reporter_values(n->reporter, &w->nic.maps);
	memcpy(e->peers, w->config.nodes, sizeof(e->peers));
	xr_engine_keys(e, w->config.keys, w->config.nkeys);
	if (getrandom(&e->random, sizeof(e->random), 0) != sizeof(e->random))
		return xr_fail(why, -errno, "no random numbers: %m");
	return xr_engine_init(e, &w->nic.maps, n->journal, xr_warden_promise_until_ns(w), why);
}

/* The group that the socket lets in: the readers'; where nobody made one, the agent's, which asks for events. */
static uint32_t askers(const struct xr_warden *w)
{
	const struct xr_config *c = &w->config;
	struct xr_user user;

	if (w->user.readers || geteuid() || !xr_config_wants_agent(c) ||
	    xr_machine_user(&user, c->agent_user[0] ? c->agent_user : c->user, NULL))
		return w->user.readers;
	return user.gid;
}

static int start_api(struct xr_node *n, struct xr_why *why)
{
	const struct xr_warden *w = n->warden;
	struct xr_api_world world = {
		.maps = &w->nic.maps,
		.looks = w->looks,
		.writer = n->writer,
		.reporter = n->reporter,
		.orders = &n->orders,
	};

	return xr_api_start(&n->api, w->config.socket, askers(w), &world, why);
}

/* Threads of normal priority are started before this one is raised above them. */
static int start_threads(struct xr_node *n, struct xr_why *why)
{
	struct xr_warden *w = n->warden;
	/*
	 * A vote's way to the disk is the longest part of an election, and little work: before the
	 * election thread, which could else keep it from the CPU while it has anything to do.
	 */
	int journal_priority = w->config.realtime ? w->config.realtime + 1 : 0;
	int err = xr_orders_init(&n->orders, why);

	if (!err)
		err = xr_reporter_start(&n->reporter, w->config.cluster, w->config.self, why);
	if (!err)
		err = init_engine(n, why);
	if (!err)
		err = xr_writer_start(&n->writer, n->journal, journal_priority, why);
	if (!err)
		err = start_api(n, why);
	return err;
}

/* A locked stack that grows counts against a limit that this process may not raise: grow it now. */
static void touch_stack(void)
{
	volatile char room[STACK_TOUCHED];

	for (size_t i = 0; i < sizeof(room); i += 4096)
		room[i] = 0;
}

/* Refused rights cost speed, not safety: say what is lost, and go on. */
static void raise_priority(struct xr_node *n)
{
	struct sched_param param = {.sched_priority = n->warden->config.realtime};

	if (!param.sched_priority)
		return;
	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param))
		xr_engine_say(
			&n->engine, XR_REPORT_warning,
			"no SCHED_FIFO (%m): a busy CPU can delay elections; give CAP_SYS_NICE, "
			"and its control group a cpu.rt_runtime_us, or set realtime = 0");
	touch_stack();
	/* What is there, when touched; what comes later is not this thread's. */
	if (mlockall(MCL_CURRENT | MCL_ONFAULT))
		xr_engine_say(&n->engine, XR_REPORT_warning,
			      "memory is not locked (%m): swapping can delay elections; give "
			      "CAP_IPC_LOCK");
}

static void announce(struct xr_node *n)
{
	static const char *const modes[] = {"off", "native", "generic"};
	static const char *const ways[] = {"", ", the interface's only program", ", by dispatcher"};
	const struct xr_warden *w = n->warden;
	const struct xr_nic *nic = &w->nic;
	struct xr_engine *e = &n->engine;

	xr_engine_say(e, XR_REPORT_started,
		      "node %u of cluster %s, %zu groups, XDP %s%s%s%s, engine as %s%s%s",
		      w->config.self, w->config.cluster, w->config.ngroups, modes[nic->mode],
		      ways[nic->attach], nic->mode == XR_NIC_OFF ? ": the daemon answers" : " on ",
		      nic->mode == XR_NIC_OFF ? "" : w->config.interface,
		      geteuid() ? "whoever started it" : w->user.name,
		      w->starts > 1 ? ", again after " : "", w->starts > 1 ? w->died_of : "");
	if (w->starts > 1)
		return;
	if (nic->remark[0])
		xr_engine_say(e, XR_REPORT_warning, "%.220s", nic->remark);
	if (nic->stays[0])
		xr_engine_say(e, XR_REPORT_warning, "%s", nic->stays);
}

/* Rights cleared this, and the warden may have died before it was set. */
static void end_with_warden(const struct xr_warden *w)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM); /* step down, and end */
	if (getppid() != w->pid)
		raise(SIGTERM);
	/* Rule 8: a core dump would keep the socket, and the answers, alive while it is written. */
	prctl(PR_SET_DUMPABLE, 0);
}

static int run(struct xr_node *n, int ready_fd, struct xr_why *why)
{
	struct xr_warden *w = n->warden;
	sigset_t signals;
	int err;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL); /* inherited by the threads; sd-event reads them */
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_DUMPABLE, 0);

	err = xr_node_init(n, why);
	if (!err)
		err = open_journal(n, why);
	if (!err)
		err = start_threads(n, why);
	if (!err)
		err = part_descriptors(n, why);
	if (!err)
		err = open_socket(n, why);
	if (err)
		return err;
	raise_priority(n);
	announce(n);
	err = xr_rights_drop(&w->user, why);
	if (err)
		return err;
	end_with_warden(w);
	w->nic.maps.control->heard_ns = xr_now_ns();
	if (write(ready_fd, "", 1) < 0)
		return xr_fail(why, -errno, "the warden is gone: %m");
	close(ready_fd);
	return xr_node_run(n, why);
}

/* What has been begun is finished; the rest ends with the process. */
static void finish(struct xr_node *n)
{
	xr_api_end_streams(n->api);
	xr_writer_stop(n->writer);
	if (n->reporter)
		xr_reporter_stop(n->reporter);
}

int xr_engine_main(struct xr_warden *w, struct xr_shared *shared, int ready_fd)
{
	static struct xr_node node;
	struct xr_why why = {""};
	int err;

	node.warden = w;
	node.shared = shared;
	err = run(&node, ready_fd, &why);
	finish(&node);
	if (err < 0)
		xr_last_words("xraftd", &why);
	return err ? 1 : 0;
}
