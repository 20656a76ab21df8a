// SPDX-License-Identifier: GPL-2.0-only
/* The command of `xraft run`: how it begins, and how all that came of it ends. */
#include <dirent.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "cli/run.h"

#define LATE_US 100

int run_exit_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/*
 * ---- the beginning ----
 */
static void set_environment(const struct run *r, uint64_t token)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)token);
	setenv("XRAFT_TOKEN", text, 1);
	snprintf(text, sizeof(text), "%u", r->node.node);
	setenv("XRAFT_NODE", text, 1);
	setenv("XRAFT_CLUSTER", r->node.cluster, 1);
	setenv("XRAFT_GROUP", r->group, 1);
}

static void execute(const struct run *r)
{
	sigprocmask(SIG_SETMASK, &r->original, NULL);
	execvp(r->command[0], r->command);
	_exit(cli_fail(errno == ENOENT ? 127 : 126, "%s: cannot be run: %s", r->command[0],
		       strerror(errno)));
}

static void pass_on(int sig)
{
	kill(-1, sig); /* to all in the namespace but itself */
}

/*
 * Process 1 of a namespace: when it dies the kernel kills all in there. The command is its child,
 * since process 1 gets no signal that it does not handle.
 */
static void be_init(const struct run *r)
{
	struct sigaction action = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
	pid_t command, pid;
	int status;

	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) ||
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		_exit(cli_fail(126,
			       "cannot mount a /proc of its own: %s; leave --pid-namespace out",
			       strerror(errno)));
	sigaction(SIGTERM, &action, NULL);
	command = fork();
	if (!command) {
		setpgid(0, 0);
		execute(r);
	}
	sigprocmask(SIG_SETMASK, &r->original, NULL);
	do
		pid = wait(&status);
	while (pid != command && pid > 0);
	_exit(run_exit_code(status));
}

pid_t run_spawn(const struct run *r, uint64_t token)
{
	int space = r->pid_namespace ? CLONE_NEWPID | CLONE_NEWNS : 0;
	pid_t runner = getpid(), pid = (pid_t)syscall(SYS_clone, space | SIGCHLD, 0, 0, 0, 0);

	if (pid)
		return pid < 0 ? -errno : pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!space && getppid() != runner) /* it has died before that */
		_exit(RUN_LOST);
	setpgid(0, 0);
	set_environment(r, token);
	setpriority(PRIO_PROCESS, 0, r->nice); /* which real-time priority has wiped out */
	while (!xr_before(xr_now_ns(), atomic_load(r->until_ns)))
		usleep(LATE_US); /* paused since the look: until its runner says otherwise, or ends it */
	if (space)
		be_init(r);
	execute(r);
	return 0;
}

/*
 * ---- the end ----
 */
static void kill_below(pid_t pid);

/* The children of one thread, as the kernel lists them: "12 13 ". */
static void kill_children(pid_t pid, const char *thread)
{
	_cleanup_file_ FILE *f = NULL;
	char path[300];
	int child;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/children", pid, thread);
	f = fopen(path, "re");
	while (f && fscanf(f, "%d", &child) == 1) {
		kill_below(child);
		kill(child, SIGKILL);
	}
}

static void kill_below(pid_t pid)
{
	struct dirent *e;
	char path[64];
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			kill_children(pid, e->d_name);
	if (d)
		closedir(d);
}

void run_kill_tree(void)
{
	kill_below(getpid());
}
