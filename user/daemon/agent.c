// SPDX-License-Identifier: GPL-2.0-only
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include "daemon/agent.h"
#include "daemon/report.h"

#define END_MOST_NS   (2 * NS_PER_S)
#define AGAIN_NS      (1 * NS_PER_S)
#define AGAIN_MOST_NS (60 * NS_PER_S)

static pid_t agent; /* 0: there is none */
static uint64_t started_ns, pause_ns;

/* The one that belongs to this xraftd: beside it. */
static void path_of(char path[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);
	char *slash;

	path[n > 0 ? n : 0] = '\0';
	slash = strrchr(path, '/');
	snprintf(slash ? slash + 1 : path, 16, "xraft-agent");
}

/* In the child. It shall hold nothing of the warden's: locks, maps, the engine's pipe. */
static _Noreturn void become_agent(const struct xr_warden *w)
{
	char path[PATH_MAX + 16], warden[16];

	snprintf(warden, sizeof(warden), "%d", getppid());
	path_of(path);
	close_range(STDERR_FILENO + 1, ~0u, 0);
	execl(path, path, "--config", w->config_path, "--warden", warden, NULL);
	xr_say(w->name, 3, "cannot start %s: %m; install it beside xraftd", path);
	_exit(127);
}

static void say_end(const struct xr_warden *w, int status)
{
	if (WIFSIGNALED(status))
		xr_say(w->name, 3,
		       "the agent was killed by signal %d (%s); started again in %llu s",
		       WTERMSIG(status), strsignal(WTERMSIG(status)),
		       (unsigned long long)(pause_ns / NS_PER_S));
	else
		xr_say(w->name, 3,
		       "the agent ended with exit code %d, and has said why; started again in "
		       "%llu s",
		       WEXITSTATUS(status), (unsigned long long)(pause_ns / NS_PER_S));
}

/* One that ends at once, again and again, shall not keep the machine busy. */
static bool is_due(const struct xr_warden *w)
{
	uint64_t now_ns = xr_now_ns();
	int status;

	if (agent > 0 && waitpid(agent, &status, WNOHANG) == agent) {
		agent = 0;
		pause_ns *= 2;
		if (!pause_ns || now_ns - started_ns > AGAIN_MOST_NS)
			pause_ns = AGAIN_NS;
		if (pause_ns > AGAIN_MOST_NS)
			pause_ns = AGAIN_MOST_NS;
		started_ns = now_ns; /* the pause counts from here */
		say_end(w, status);
	}
	return !agent && now_ns - started_ns >= pause_ns;
}

void xr_agent_keep(const struct xr_warden *w)
{
	sigset_t ends, before;
	pid_t pid;

	if (!xr_config_wants_agent(&w->config) || !is_due(w))
		return;
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, &before); /* what comes early waits until it can be heeded */
	pid = fork();
	if (pid == 0)
		become_agent(w);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid > 0)
		agent = pid;
	started_ns = xr_now_ns();
}

/* Of a group two may have to end, one after the other, each with a second between its signals. */
static uint64_t hooks_most_ns(const struct xr_config *c)
{
	return xr_config_has_hooks(c) ? 2 * (c->hook_limit_us * NS_PER_US + NS_PER_S) : 0;
}

void xr_agent_end(const struct xr_warden *w)
{
	uint64_t began_ns = xr_now_ns(), most_ns = END_MOST_NS + hooks_most_ns(&w->config);

	if (!agent)
		return;
	kill(agent, SIGTERM);
	while (!waitpid(agent, NULL, WNOHANG)) {
		if (xr_now_ns() - began_ns > most_ns)
			kill(agent, SIGKILL);
		nanosleep(&(struct timespec){.tv_nsec = 2 * NS_PER_MS}, NULL);
	}
	agent = 0;
}
