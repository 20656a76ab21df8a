// SPDX-License-Identifier: GPL-2.0-only
/* `xraft run`: its options, and the guard. */
#include <getopt.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "cli/run.h"

#define PRIORITY	10
#define GRACE_DEFAULT_S 10
#define GRACE_MAX_S	86400

void run_say(const struct run *r, const char *fmt, ...)
{
	struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};
	char line[512];
	va_list ap;
	int len = snprintf(line, sizeof(line), "xraft: %s: ", r->group), more;

	va_start(ap, fmt);
	more = vsnprintf(line + len, sizeof(line) - (size_t)len, fmt, ap);
	va_end(ap);
	len = len + more < (int)sizeof(line) - 1 ? len + more : (int)sizeof(line) - 2;
	line[len++] = '\n';
	if (poll(&fd, 1, 0) > 0 && write(STDERR_FILENO, line, (size_t)len) < 0)
		return; /* there is nobody left to tell */
}

void run_raise_priority(const struct run *r, bool tell)
{
	struct sched_param param = {.sched_priority = PRIORITY};

	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param) && tell)
		run_say(r, "no SCHED_FIFO (%m): on a busy CPU the command may end late; give "
			   "CAP_SYS_NICE");
	if (mlockall(MCL_CURRENT | MCL_ONFAULT) && tell)
		run_say(r, "memory is not locked (%m): under swapping the command may end late; "
			   "give CAP_IPC_LOCK");
}

/*
 * ---- the guard ----
 */

/* All that is below this process, until nothing is. */
static void end_all(void)
{
	while (waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD) {
		run_kill_tree();
		poll(NULL, 0, 1);
	}
}

static pid_t start_runner(struct run *r)
{
	pid_t guard = getpid(), pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGTERM); /* without a guard it stops as if it were asked to */
	setpgid(0, 0); /* what is sent to the guard's group shall not kill both */
	if (getppid() != guard)
		_exit(CLI_FAILED);
	_exit(run_runner(r));
}

/* Until the runner ends, whose wait status this returns. What else ends is an orphan of its tree. */
static int attend(const struct run *r, pid_t runner, int *asked)
{
	for (;;) {
		int sig = sigwaitinfo(&r->signals, NULL), status;
		pid_t pid;

		if (sig > 0 && sig != SIGCHLD) {
			*asked = sig;
			kill(runner, sig);
		}
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			if (pid == runner)
				return status;
	}
}

static int guard(struct run *r)
{
	int asked = 0;

	for (;;) {
		pid_t runner = start_runner(r);
		int status;

		if (runner < 0)
			return cli_fail(CLI_FAILED, "cannot start the runner: %m");
		status = attend(r, runner, &asked);
		end_all();
		if (WIFEXITED(status))
			return WEXITSTATUS(status);
		run_say(r,
			"the runner was killed by signal %d; it was paused, or somebody did it. "
			"What it ran "
			"has ended",
			WTERMSIG(status));
		if (asked)
			return 128 + asked;
		if (r->once)
			return RUN_LOST;
	}
}

/*
 * ---- options ----
 */
static bool read_grace(const char *text, uint64_t *grace_ns)
{
	char *end;
	double s = strtod(text, &end);

	if (end == text || *end || !(s >= 0 && s <= GRACE_MAX_S))
		return false;
	*grace_ns = (uint64_t)(s * (double)NS_PER_S);
	return true;
}

/* A word that is wrong is said now, and not when this node leads. */
static bool can_be_run(const char *command)
{
	const char *path = getenv("PATH");
	char full[4096];

	if (strchr(command, '/'))
		return access(command, X_OK) == 0;
	while (path && *path) {
		size_t len = strcspn(path, ":");

		snprintf(full, sizeof(full), "%.*s/%s", (int)len, len ? path : ".", command);
		if (access(full, X_OK) == 0)
			return true;
		path += len + (path[len] == ':');
	}
	return false;
}

static int read_options(struct run *r, int argc, char **argv, bool *die_with_parent)
{
	static const struct option options[] = {
		{"grace", required_argument, NULL, 'g'},
		{"once", no_argument, NULL, 'o'},
		{"pid-namespace", no_argument, NULL, 'p'},
		{"die-with-parent", no_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int c;

	r->group = argc > 1 && argv[1][0] != '-' ? argv[1] : NULL;
	if (r->group)
		optind = 2; /* options may stand behind the group, too */
	while ((c = getopt_long(argc, argv, "+:h", options, NULL)) != -1) {
		if (c == 'h')
			return cli_help("run"), -1;
		if (c == ':')
			return cli_usage("run", "%s needs a value", argv[optind - 1]);
		if (c == '?')
			return cli_usage("run", "there is no option %s", argv[optind - 1]);
		if (c == 'g' && !read_grace(optarg, &r->grace_ns))
			return cli_usage("run", "--grace %s: write seconds, 0 to %d", optarg,
					 GRACE_MAX_S);
		r->once |= c == 'o';
		r->pid_namespace |= c == 'p';
		*die_with_parent |= c == 'd';
	}
	if (!r->group && optind < argc)
		r->group = argv[optind++];
	if (optind < argc && !strcmp(argv[optind], "--"))
		optind++;
	r->command = argv + optind;
	if (!r->group || !*r->command)
		return cli_usage("run", "name a group, and after -- a command");
	return 0;
}

static void take_signals(struct run *r)
{
	sigemptyset(&r->signals);
	sigaddset(&r->signals, SIGCHLD);
	sigaddset(&r->signals, SIGTERM);
	sigaddset(&r->signals, SIGINT);
	sigaddset(&r->signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &r->signals, &r->original);
	r->nice = getpriority(PRIO_PROCESS, 0);
}

int cli_run(const struct cli *cli, int argc, char **argv)
{
	struct run r = {.command = argv, .grace_ns = GRACE_DEFAULT_S * NS_PER_S};
	pid_t parent = getppid();
	bool die_with_parent = false;
	int code = read_options(&r, argc, argv, &die_with_parent);

	if (code)
		return code < 0 ? CLI_OK : code;
	if (!can_be_run(r.command[0]))
		return cli_fail(127, "%s: there is no such command to run", r.command[0]);
	if (!cli_name_node(cli->node, &r.node)) /* it may come later */
		code = cli_find_pins(cli->node, &r.node);
	if (code)
		return code;
	take_signals(&r);
	r.until_ns = mmap(NULL, sizeof(*r.until_ns), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r.until_ns == MAP_FAILED)
		return cli_fail(CLI_FAILED, "no memory: %m");
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (die_with_parent && (prctl(PR_SET_PDEATHSIG, SIGTERM) || getppid() != parent))
		return cli_fail(CLI_FAILED, "the process that started this has ended");
	run_raise_priority(&r, false);
	return guard(&r);
}
