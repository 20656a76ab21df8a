// SPDX-License-Identifier: GPL-2.0-only
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include "agent/hooks.h"

#define MERCY_US 1000000 /* between SIGTERM and SIGKILL */

struct runner {
	const struct xr_config *config;
	const char *name;
	sd_event *loop;
	int fd;
	bool closed; /* the agent has ended */
	struct under_way *first;
};

struct under_way {
	struct under_way *next;
	struct runner *runner;
	struct xr_call call;
	struct xr_call then; /* for the same group, when this has ended: the agent's last word */
	bool has_then;
	pid_t pid; /* and process group */
	bool warned;
	sd_event_source *child, *limit;
};

/*
 * ---- one call ----
 */
static void put_environment(const struct runner *r, const struct xr_call *call)
{
	char number[24];

	setenv("XRAFT_EVENT", xr_hook_names[call->hook], 1);
	setenv("XRAFT_CLUSTER", r->config->cluster, 1);
	setenv("XRAFT_GROUP", call->name, 1);
	setenv("XRAFT_CAUSE", call->cause, 1);
	snprintf(number, sizeof(number), "%llu", (unsigned long long)call->token);
	setenv("XRAFT_TOKEN", number, 1);
	snprintf(number, sizeof(number), "%u", r->config->self);
	setenv("XRAFT_NODE", number, 1);
	snprintf(number, sizeof(number), "%u", call->leader);
	setenv("XRAFT_LEADER", number, 1);
	if (!call->entry)
		return;
	snprintf(number, sizeof(number), "%u.%u", xr_entry_term(call->entry),
		 (uint32_t)call->entry);
	setenv("XRAFT_ENTRY", number, 1);
	setenv("XRAFT_VALUE", call->value, 1);
}

/* In the child. What it prints goes where the agent's log goes. */
static _Noreturn void become_hook(const struct runner *r, const struct xr_call *call)
{
	const char *path = r->config->hooks[call->hook];
	sigset_t none;

	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	put_environment(r, call);
	execl(path, path, NULL);
	xr_say(r->name, 3, "%s: cannot call %s: %m; correct [hooks]", call->name, path);
	_exit(127);
}

static void say_how_it_ended(const struct under_way *u, const siginfo_t *info)
{
	const char *hook = xr_hook_names[u->call.hook];

	if (info->si_code == CLD_EXITED && !info->si_status)
		return;
	xr_say(u->runner->name, 4, "%s: hook %s ended with %s %d", u->call.name, hook,
	       info->si_code == CLD_EXITED ? "exit code" : "signal", info->si_status);
}

static int call(struct runner *r, const struct xr_call *c);

/* Takes it off the list, and calls what waited for it. */
static int finish(struct under_way *u)
{
	struct runner *r = u->runner;
	struct under_way **at = &r->first;
	struct xr_call then = u->then;
	bool has_then = u->has_then;
	int err = 0;

	while (*at != u)
		at = &(*at)->next;
	*at = u->next;
	sd_event_source_unref(u->limit);
	sd_event_source_unref(u->child);
	free(u);
	if (has_then)
		err = call(r, &then);
	return err < 0 || (r->closed && !r->first) ? sd_event_exit(r->loop, err) : 0;
}

static int on_exit_of_hook(sd_event_source *source, const siginfo_t *info, void *arg)
{
	struct under_way *u = arg;
	struct xr_called called = {.group = u->call.group, .status = info->si_status};

	(void)source;
	say_how_it_ended(u, info);
	send(u->runner->fd, &called, sizeof(called), MSG_NOSIGNAL);
	return finish(u);
}

static int on_limit(sd_event_source *source, uint64_t due_us, void *arg)
{
	struct under_way *u = arg;

	(void)due_us;
	if (!u->warned)
		xr_say(u->runner->name, 4, "%s: hook %s has not ended within %u ms: ending it",
		       u->call.name, xr_hook_names[u->call.hook],
		       u->runner->config->hook_limit_us / 1000);
	kill(-u->pid, u->warned ? SIGKILL : SIGTERM);
	u->warned = true;
	sd_event_source_set_time_relative(source, MERCY_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int watch(struct runner *r, struct under_way *u)
{
	uint64_t now_us;
	int err = sd_event_now(r->loop, CLOCK_MONOTONIC, &now_us);

	if (err >= 0)
		err = sd_event_add_child(r->loop, &u->child, u->pid, WEXITED, on_exit_of_hook, u);
	if (err >= 0)
		err = sd_event_add_time(r->loop, &u->limit, CLOCK_MONOTONIC,
					now_us + r->config->hook_limit_us, 0, on_limit, u);
	return err;
}

static int call(struct runner *r, const struct xr_call *c)
{
	struct under_way *u = r->first;
	int err;

	while (u && u->call.group != c->group)
		u = u->next;
	if (u) {
		u->then = *c;
		u->has_then = true;
		return 0;
	}
	u = calloc(1, sizeof(*u));
	if (!u)
		return -ENOMEM;
	u->runner = r;
	u->call = *c;
	u->pid = fork();
	if (u->pid == 0)
		become_hook(r, c);
	if (u->pid < 0) {
		free(u);
		return -errno;
	}
	setpgid(u->pid, u->pid); /* both do, since either may be first */
	err = watch(r, u);
	if (err < 0) { /* nobody would end it */
		kill(-u->pid, SIGKILL);
		sd_event_source_unref(u->child);
		free(u);
		return err;
	}
	u->next = r->first;
	r->first = u;
	return 0;
}

/*
 * ---- the process ----
 */
static int on_request(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct runner *r = arg;
	struct xr_call c;
	ssize_t n = recv(fd, &c, sizeof(c), 0);
	int err;

	(void)events;
	if (n != (ssize_t)sizeof(c)) {
		r->closed = true;
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
		return r->first ? 0 : sd_event_exit(r->loop, 0);
	}
	err = call(r, &c);
	if (err >= 0)
		return 0;
	xr_say(r->name, 3, "%s: cannot call hook %s: %s", c.name, xr_hook_names[c.hook],
	       strerror(-err));
	return sd_event_exit(r->loop, 1); /* the agent ends, and is started again */
}

/* It may become more than this by sudo: then a rule there says so. */
static int become(const struct xr_user *user)
{
	if (geteuid() || !user->uid)
		return 0;
	if (initgroups(user->name, user->gid) || setresgid(user->gid, user->gid, user->gid) ||
	    setresuid(user->uid, user->uid, user->uid))
		return -errno;
	return 0;
}

/* SIGTERM of a whole service is for the agent: calls under way are ended by their limit. */
static _Noreturn void run(struct runner *r, const struct xr_user *user)
{
	sigset_t children;
	int err;

	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	sigprocmask(SIG_SETMASK, &children, NULL);
	prctl(PR_SET_NAME, "xraft-hooks");
	err = become(user);
	if (err)
		xr_say(r->name, 3, "cannot become user %s for hooks: %s", user->name,
		       strerror(-err));
	if (!err)
		err = sd_event_new(&r->loop);
	if (err >= 0)
		err = sd_event_add_io(r->loop, NULL, r->fd, EPOLLIN, on_request, r);
	if (err >= 0)
		err = sd_event_loop(r->loop);
	_exit(err ? 1 : 0);
}

int xr_runner_start(const struct xr_agent *a, const struct xr_user *user, struct xr_why *why)
{
	static struct runner r;
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return xr_fail(why, -errno, "cannot make a socket for hooks: %m");
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		r = (struct runner){.config = &a->config, .name = a->name, .fd = pair[1]};
		run(&r, user);
	}
	close(pair[1]);
	if (pid > 0)
		return pair[0];
	close(pair[0]);
	return xr_fail(why, -errno, "cannot start a process for hooks: %m");
}
