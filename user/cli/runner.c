// SPDX-License-Identifier: GPL-2.0-only
/*
 * The runner of `xraft run`. Each look at the lease tells until when the command may live; what is
 * done about it is a function of that moment and of now:
 *
 *   until - margin - warning   SIGTERM, as on a lease that was given up or taken, or when asked to stop
 *   until - margin             SIGKILL to all of the tree, or before, when the grace is over
 *   until - margin / 2         the kernel kills this process, and with it the command
 */
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "cli/run.h"
#include "xraft/xraft.h"

#define MARGIN_PART   8 /* of a lease */
#define MARGIN_MAX_NS (25 * NS_PER_MS)
#define KILL_AGAIN_NS NS_PER_MS

enum phase { WAITING, RUNNING, STOPPING, KILLING };

struct runner {
	struct run *r;
	struct xr_watch *watch;
	struct xr_state state;
	struct xr_lease_timing timing;
	uint64_t margin_ns, warning_ns;
	bool told_timing;
	int told_error;
	int signal_fd;
	timer_t deadman;
	enum phase phase;
	uint64_t looked_ns;
	uint64_t token;	   /* of the command; while waiting, of the lease that is waited on */
	uint64_t since_ns; /* when that token was seen first */
	uint64_t until_ns; /* the lease holds so long, as far as this process knows */
	uint64_t term_ns;  /* when it was told to end */
	pid_t pid;	   /* of the command, 0: none, or it has ended */
	int status;
	int asked;  /* to stop, by this signal */
	bool ended; /* by itself */
};

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * ---- looking ----
 */

/* The kernel ends this process at that time, also a stopped one; 0: not. */
static void set_deadman(struct runner *n, uint64_t at_ns)
{
	struct itimerspec t = {.it_value = {.tv_sec = (time_t)(at_ns / NS_PER_S),
					    .tv_nsec = (long)(at_ns % NS_PER_S)}};

	timer_settime(n->deadman, TIMER_ABSTIME, &t, NULL);
}

/*
 * A warning costs as much of each lease, which may then come so much less late: two heartbeats must
 * fit into the rest, or a single one that is lost would end the command.
 */
static void plan(struct runner *n)
{
	const struct xr_lease_timing *t = &n->timing;
	uint64_t busy_ns;

	if (!xr_watch_timing(n->watch, &n->timing))
		return;
	n->margin_ns = least(t->lease_ns / MARGIN_PART, MARGIN_MAX_NS);
	busy_ns = n->margin_ns + 2 * t->heartbeat_ns;
	n->warning_ns = least(n->r->grace_ns, t->lease_ns > busy_ns ? t->lease_ns - busy_ns : 0);
	if (n->told_timing)
		return;
	n->told_timing = true;
	run_say(n->r,
		"waits for the lease as %s.%u; CMD starts %.0f ms later, when that of another node "
		"has ended for sure",
		n->r->node.cluster, n->r->node.node, (double)t->handover_ns / 1e6);
	if (n->warning_ns < n->r->grace_ns)
		run_say(n->r,
			"a grace of %.3g s is longer than a lease of %.4g ms allows: where the "
			"lease runs "
			"out SIGKILL follows SIGTERM after %.3g ms; the whole grace is for when "
			"you stop it",
			(double)n->r->grace_ns / 1e9, (double)t->lease_ns / 1e6,
			(double)n->warning_ns / 1e6);
}

static void look(struct runner *n)
{
	int err;

	n->looked_ns = xr_now_ns();
	err = xr_watch_look(n->watch, &n->state);
	if (err >= 0)
		plan(n);
	if (err < 0 && err != n->told_error)
		run_say(n->r, "waits: %s", xr_watch_why(n->watch));
	n->told_error = err < 0 ? err : 0;
	if (n->phase == WAITING && n->state.token != n->token) {
		n->token = n->state.token;
		n->since_ns = n->looked_ns;
	}
	if (n->token && n->state.token == n->token) {
		n->until_ns = n->looked_ns + n->state.left_ns;
		atomic_store(n->r->until_ns, n->until_ns - n->margin_ns);
	}
	if (n->phase != WAITING)
		set_deadman(n, n->until_ns - n->margin_ns / 2);
}

/*
 * ---- the command ----
 */
static void start(struct runner *n)
{
	set_deadman(n, n->until_ns - n->margin_ns / 2);
	n->pid = run_spawn(n->r, n->token);
	if (n->pid > 0)
		setpgid(n->pid, n->pid); /* as it does itself: whoever comes first */
	if (n->pid < 0) {
		n->status = 126 << 8;
		n->ended = true;
		cli_fail(0, "cannot start a process: %s%s", strerror(-n->pid),
			 n->r->pid_namespace ? "; --pid-namespace needs root" : "");
		n->pid = 0;
	} else {
		run_say(n->r, "leads in term %llu: starts %s", (unsigned long long)n->token,
			n->r->command[0]);
	}
	n->phase = RUNNING;
}

static void stop(struct runner *n)
{
	n->phase = STOPPING;
	n->term_ns = xr_now_ns();
	if (n->pid)
		kill(-n->pid, SIGTERM);
}

static uint64_t kill_at_ns(const struct runner *n)
{
	return least(n->term_ns + n->r->grace_ns, n->until_ns - n->margin_ns);
}

static void kill_all(struct runner *n)
{
	n->phase = KILLING;
	if (n->pid)
		kill(-n->pid, SIGKILL); /* most of it, at once */
	run_kill_tree();
}

/* False: no process is left. */
static bool reap(struct runner *n)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != n->pid)
			continue;
		n->pid = 0;
		n->status = status;
		n->ended = n->phase == RUNNING;
	}
	return pid == 0;
}

/* What is to be done now. */
static void step(struct runner *n)
{
	uint64_t now_ns = xr_now_ns();
	bool held = n->state.token && n->state.token == n->token;

	switch (n->phase) {
	case WAITING:
		if (held && !n->asked && now_ns - n->since_ns >= n->timing.handover_ns &&
		    xr_before(now_ns + n->margin_ns + n->warning_ns, n->until_ns))
			start(n);
		break;
	case RUNNING:
		if (!n->pid) {
			kill_all(n); /* what it left behind */
		} else if (n->asked || !held ||
			   !xr_before(now_ns + n->margin_ns + n->warning_ns, n->until_ns)) {
			run_say(n->r, "%s: ends %s",
				n->asked ? "asked to stop"
				: held	 ? "the lease runs out"
					 : "the lease is lost",
				n->r->command[0]);
			stop(n);
		}
		break;
	case STOPPING:
		if (!n->pid || !xr_before(now_ns, kill_at_ns(n)))
			kill_all(n);
		break;
	case KILLING:
		kill_all(n);
		break;
	}
}

/* The tree is gone. -1: wait for the lease again; else what to exit with. */
static int finish(struct runner *n)
{
	set_deadman(n, 0);
	if (n->ended || n->asked)
		return run_exit_code(n->status);
	if (n->r->once)
		return RUN_LOST;
	n->phase = WAITING;
	n->token = 0;
	n->until_ns = 0;
	n->told_error = 0;
	return -1;
}

/*
 * ---- waiting ----
 */

/* When something is due that no descriptor tells of. */
static uint64_t due_ns(const struct runner *n)
{
	switch (n->phase) {
	case WAITING:
		return n->token ? n->since_ns + n->timing.handover_ns : UINT64_MAX;
	case RUNNING:
		return n->until_ns - n->margin_ns - n->warning_ns;
	case STOPPING:
		return kill_at_ns(n);
	default:
		return xr_now_ns() + KILL_AGAIN_NS;
	}
}

static void wait_for_something(struct runner *n)
{
	struct pollfd fds[] = {
		{.fd = xr_watch_fd(n->watch), .events = POLLIN},
		{.fd = n->signal_fd, .events = POLLIN},
	};
	uint64_t now_ns = xr_now_ns(), due = due_ns(n);
	uint64_t left_ns = xr_before(now_ns, due) ? least(due - now_ns, NS_PER_S) : 0;
	struct timespec t = {.tv_sec = (time_t)(left_ns / NS_PER_S),
			     .tv_nsec = (long)(left_ns % NS_PER_S)};
	struct signalfd_siginfo info;

	/* What was due and has not happened waits for the next look. */
	ppoll(fds, ARRAY_SIZE(fds), left_ns ? &t : NULL, NULL);
	while (read(n->signal_fd, &info, sizeof(info)) > 0)
		if (info.ssi_signo != SIGCHLD)
			n->asked = (int)info.ssi_signo;
}

static int init(struct runner *n)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
	int err = xr_watch_open(&n->watch, n->r->node.cluster, n->r->node.node, n->r->group);

	if (err)
		return cli_fail(CLI_FAILED, "cannot watch %s: %s", n->r->group, strerror(-err));
	n->signal_fd = signalfd(-1, &n->r->signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (n->signal_fd < 0 || timer_create(CLOCK_BOOTTIME, &event, &n->deadman) ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1))
		return cli_fail(CLI_FAILED, "cannot set up the runner: %m; is a limit reached?");
	run_raise_priority(n->r, true);
	look(n);
	switch (n->told_error) {
	case -EACCES:
	case -EXDEV:
	case -ESRCH:
		return CLI_FAILED; /* waiting changes nothing, and it has said why */
	default:
		return 0;
	}
}

int run_runner(struct run *r)
{
	struct runner n = {.r = r};
	int code = init(&n);

	if (code)
		return code;
	for (code = -1; code < 0;) {
		bool left = reap(&n);

		look(&n);
		if (n.phase == WAITING && n.asked) {
			code = 128 + n.asked;
		} else if (n.phase != WAITING && !left) {
			code = finish(&n);
		} else {
			step(&n);
			wait_for_something(&n);
		}
	}
	xr_watch_close(n.watch);
	return code;
}
