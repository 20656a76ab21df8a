// SPDX-License-Identifier: GPL-2.0-only
/*
 * What runs after the death of an engine is bury(), and nothing before its resignations leave
 * waits for a disk, a lock or memory.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include "engine/ballot.h"
#include "daemon/post.h"
#include "daemon/report.h"
#include "daemon/warden.h"
#include "journal/journal.h"
#include "lib/status.h"
#include "engine/pack.h"
#include "net/datagram.h"

#define BACK_OFF_MOST_MS 10000u

/*
 * ---- signals: SIGTERM and SIGINT are the engine's, who steps down first ----
 */
static volatile sig_atomic_t stopping, reloading;
static volatile pid_t engine; /* 0: there is none */

static void on_signal(int signal)
{
	if (signal == SIGHUP)
		reloading = 1;
	else
		stopping = 1;
	if (signal != SIGHUP && engine > 0)
		kill(engine, SIGTERM);
}

static void signal_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: naps end early */

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/*
 * ---- set-up, in rule 6's order ----
 */

/* A group's id keeps its name and voters for as long as it has state (rule 10). */
static int check_group(const struct xr_vote *v, void *arg)
{
	const struct xr_warden *w = arg;
	const struct xr_config_group *g = xr_config_group(&w->config, v->group);

	return g && g->digest != v->digest ? (int)(g - w->config.groups) + 1 : 0;
}

static int check_groups(struct xr_warden *w, const struct xr_journal *journal, struct xr_why *why)
{
	int changed = xr_journal_each(journal, check_group, w);
	const struct xr_config_group *g = &w->config.groups[changed - 1];

	if (!changed)
		return 0;
	return xr_fail(why, -EINVAL,
		       "%s:%d: group %s (id %u) has state under another name or with other voters, "
		       "which would let two majorities elect; give it an id that was never used",
		       w->config_path, g->line, g->name, g->id);
}

/* Is the state there, whole, and this node's? Then the promise: in use only once it is durable. */
static int check_state(struct xr_warden *w, bool fresh, struct xr_why *why)
{
	struct xr_journal_opts opts = {
		.dir = w->config.state_dir,
		.cluster = w->config.cluster,
		.node = w->config.self,
		.create = fresh,
	};
	uint64_t d_ns = w->config.min_timeout_us * NS_PER_US;
	struct xr_journal *journal = NULL;
	int err = xr_journal_lock(&opts, why);

	if (err < 0)
		return err;
	opts.lock_fd = w->lock_fd = err;
	err = xr_journal_open(&journal, &opts, why);
	if (!err)
		err = check_groups(w, journal, why);
	if (!err) {
		w->promise_ns = xr_journal_promise_ns(journal);
		if (w->promise_ns < d_ns)
			err = xr_journal_promise(journal, d_ns, why);
		if (w->promise_ns < d_ns)
			w->promise_ns = d_ns;
	}
	xr_journal_close(journal);
	if (!err)
		err = xr_rights_own(&w->user, w->config.state_dir, why);
	return err;
}

static void fill_control(struct xr_warden *w)
{
	const struct xr_config *c = &w->config;
	struct xr_control *control = w->nic.maps.control;

	*control = (struct xr_control){
		.abi = XR_ABI,
		.self = c->self,
		.answer = 1,
		.port = c->nodes[c->self].port,
		.groups = w->nic.maps.ngroups,
		.min_timeout_us = c->min_timeout_us,
		.max_timeout_us = c->max_timeout_us,
		.heartbeat_us = c->heartbeat_us,
		.stall_limit_us = c->stall_limit_us,
		/* As long as a follower may wait for its leader, a leader may wait for its quorum. */
		.quorum_lapse_us = c->max_timeout_us,
		.drift_permille = c->drift_permille,
		.warden_pid = getpid(),
		.netns = xr_status_netns(),
		.timens = xr_status_timens(),
		.ifindex = w->nic.ifindex,
		.nic_mode = w->nic.mode,
		.nic_attach = w->nic.attach,
	};
	memcpy(control->interface, c->interface, sizeof(control->interface));
	memcpy(control->cluster, c->cluster, sizeof(control->cluster));
}

static int open_nic(struct xr_warden *w, struct xr_why *why)
{
	const struct xr_config *c = &w->config;
	struct xr_nic_opts opts = {
		.cluster = c->cluster,
		.node = c->self,
		.interface = c->interface,
		.want = c->xdp,
		.ngroups = c->ngroups ? c->groups[c->ngroups - 1].id + 1 : 1,
	};
	int err = xr_nic_fence_leftovers(&opts, why);

	/* Until this fence an earlier life's program may have answered. */
	w->fenced_ns = xr_now_ns();
	if (!err)
		err = xr_nic_open(&w->nic, &opts, why);
	if (err)
		return err;
	fill_control(w);
	return xr_nic_write_peers(&w->nic, c->nodes, why);
}

static int open_shared(struct xr_warden *w, struct xr_why *why)
{
	size_t size = sizeof(*w->shared) + w->nic.maps.ngroups * sizeof(w->shared->groups[0]);

	w->fresh_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	w->shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (w->shared != MAP_FAILED && w->fresh_fd >= 0)
		return 0;
	return xr_fail(why, errno, "no memory for %zu groups: %m", w->nic.maps.ngroups);
}

/*
 * One above the engine's, or one that spins on every CPU could not be killed. Refused rights cost
 * speed, not safety; the engine says what is lost.
 */
static bool raise_priority(const struct xr_warden *w)
{
	struct sched_param param = {.sched_priority = w->config.realtime + 1};

	return w->config.realtime &&
	       !sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param);
}

static void lower_priority(void)
{
	struct sched_param ordinary = {0};

	sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &ordinary);
}

/*
 * ---- the engine's life ----
 */

/* Anew for each engine: what a dead one held must not be taken for held. */
static void init_life(struct xr_shared *shared)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&shared->life, &attr);
	pthread_mutexattr_destroy(&attr);
}

/* In the child: the warden's signals mean nothing here. */
static _Noreturn void be_engine(struct xr_warden *w, int ready_fd)
{
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	pthread_mutex_lock(&w->shared->life);
	_exit(xr_engine_main(w, ready_fd));
}

/* True once the engine is ready; false: it is dead, and has said why. */
static bool spawn(struct xr_warden *w, struct xr_why *why)
{
	sigset_t signals, before;
	int ready[2];
	ssize_t n;
	pid_t pid;
	char byte;

	if (pipe2(ready, O_CLOEXEC)) {
		xr_fail(why, errno, "cannot start the engine: %m");
		return false;
	}
	init_life(w->shared);
	w->starts++;
	signal_set(&signals);
	sigprocmask(SIG_BLOCK, &signals, &before); /* until `engine` names whom they are for */
	pid = stopping ? -1 : fork();		   /* asked to end while there was none to ask */
	if (pid == 0)
		be_engine(w, ready[1]);
	engine = pid > 0 ? pid : 0;
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		xr_fail(why, errno, "cannot start the engine: %m");
	close(ready[1]);
	do
		n = read(ready[0], &byte, 1);
	while (n < 0 && errno == EINTR);
	close(ready[0]);
	return n == 1;
}

/*
 * ---- reload ----
 */

/* Reads files, so a disk that hangs at this moment hides a death of the engine until it is over. */
static void reload(struct xr_warden *w)
{
	struct xr_shared *shared = w->shared;
	struct xr_config fresh;
	uint64_t one = 1;
	struct xr_why why;
	int err;

	if (shared->given != shared->taken)
		return; /* it has not taken the last one yet: again in a moment */
	reloading = 0;
	err = xr_config_read(&fresh, w->config_path, &why);
	if (!err) {
		err = xr_config_take(&w->config, &fresh, w->nic.maps.ngroups, &why);
		xr_config_free(&fresh);
	}
	if (err < 0) {
		xr_say(w->name, 4, "not reloaded: %s", why.text);
		return;
	}
	memcpy(shared->keys, w->config.keys, sizeof(shared->keys));
	shared->nkeys = w->config.nkeys;
	shared->ngroups = w->config.ngroups;
	memcpy(shared->groups, w->config.groups, shared->ngroups * sizeof(shared->groups[0]));
	atomic_fetch_add(&shared->given, 1);
	if (write(w->fresh_fd, &one, sizeof(one)) < 0)
		xr_say(w->name, 4, "not reloaded: %m");
}

/*
 * ---- watching ----
 */
static uint64_t stall_ns(const struct xr_warden *w)
{
	return w->config.stall_limit_us * NS_PER_US;
}

/*
 * The loop has not turned for twice the time after which it counts as hung. Whoever slept itself
 * cannot tell.
 */
static bool is_hung(const struct xr_warden *w, uint64_t waited_since_ns)
{
	uint64_t now_ns = xr_now_ns();

	return now_ns - waited_since_ns < stall_ns(w) / 2 &&
	       (int64_t)(now_ns - w->nic.maps.control->heard_ns - 2 * stall_ns(w)) > 0;
}

/* Until the engine's election thread is dead, beyond doubt: the kernel says so. */
static void watch(struct xr_warden *w)
{
	uint64_t patience_ns = stall_ns(w) / 4 < 250 * NS_PER_MS ? stall_ns(w) / 4
								 : 250 * NS_PER_MS;
	bool killed = false;

	for (;;) {
		uint64_t now_ns = xr_now_ns();
		struct timespec until;
		int err;

		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += (long)patience_ns;
		until.tv_sec += until.tv_nsec / (long)NS_PER_S;
		until.tv_nsec %= (long)NS_PER_S;
		err = pthread_mutex_clocklock(&w->shared->life, CLOCK_MONOTONIC, &until);
		if (err != ETIMEDOUT) { /* EOWNERDEAD */
			pthread_mutex_consistent(&w->shared->life);
			pthread_mutex_unlock(&w->shared->life);
			return;
		}
		if (reloading)
			reload(w);
		if (!killed && is_hung(w, now_ns)) {
			killed = true;
			xr_say(w->name, 3,
			       "the engine's loop has not turned for %u ms: killing the engine",
			       2 * w->config.stall_limit_us / 1000);
			kill(engine, SIGKILL);
		}
	}
}

/*
 * ---- after the death ----
 */

/* Fence what it led. The old words, from which the terms are known, go to `led`; returns how many. */
static uint32_t fence_led(struct xr_maps *m, struct xr_view *led)
{
	uint32_t n = 0;

	*(volatile __u64 *)&m->control->alive_until_ns = 0;
	for (uint32_t id = 0; id < m->ngroups; id++) {
		union xr_word old = xr_view_read(&m->groups[id]), fenced = old;

		led[id].mode = XR_NONE;
		if (old.view.mode != XR_LEAD)
			continue;
		fenced.view.mode = XR_NONE;
		fenced.view.leader = 0;
		/* Nobody but the dead wrote views (rule 13), so this does not fail. */
		if (__sync_bool_compare_and_swap((__u64 *)&m->groups[id].view, old.word,
						 fenced.word)) {
			led[id] = old.view;
			n++;
		}
	}
	__sync_synchronize(); /* rule 5: the fence is visible before a resignation leaves */
	return n;
}

static void resign(struct xr_warden *w, struct xr_outbox *box, const struct xr_view *led)
{
	const struct xr_maps *m = &w->nic.maps;

	for (uint32_t id = 0; id < m->ngroups; id++) {
		const struct xr_group *g = &m->groups[id];
		struct xr_ballot ballot = {
			.group = id,
			.term = led[id].term,
			.digest = g->digest,
		};

		if (led[id].mode != XR_LEAD)
			continue;
		ballot.node = xr_heir(g, &m->acks[id], m->control, id);
		for (uint8_t to = 1; to <= XR_NODE_MAX; to++)
			if (to != w->config.self && g->voters >> to & 1)
				xr_outbox_ballot(box, to, XR_RESIGN, &ballot);
	}
	xr_outbox_flush(box);
}

/* What bury() needs is there before it is needed. */
struct grave {
	struct xr_env env;
	struct xr_trains trains;
	struct xr_outbox outbox;
	struct xr_view *led; /* [ngroups] */
};

static int dig(struct grave *grave, struct xr_warden *w, struct xr_why *why)
{
	struct xr_peer self = w->config.nodes[w->config.self];

	self.port = 0; /* a port of its own, from which peers take resignations and nothing else */
	grave->env = (struct xr_env){
		.control = w->nic.maps.control,
		.peers = w->config.nodes,
		.keys = w->config.keys,
	};
	grave->outbox.env = &grave->env;
	grave->outbox.host = &xr_post_host;
	grave->outbox.world = &grave->trains;
	grave->trains.peers = w->config.nodes;
	grave->trains.fd = xr_socket_open(&self, why);
	grave->led = calloc(w->nic.maps.ngroups, sizeof(*grave->led));
	if (!grave->led)
		return xr_fail(why, -ENOMEM, "no memory for %zu groups", w->nic.maps.ngroups);
	return grave->trains.fd < 0 ? grave->trains.fd : 0;
}

/*
 * Wait for the rest of the process: while a thread of it hangs in the disk its socket stays. At
 * ordinary priority, since the kernel then clears away what /proc showed of the dead, and spins as
 * long as somebody is just looking there, who may not get the CPU from a SCHED_FIFO thread: 950 ms
 * were seen, in which this CPU did nothing else.
 */
static int reap(const struct xr_warden *w)
{
	int status;

	kill(engine, SIGKILL);
	lower_priority();
	while (waitpid(engine, &status, 0) < 0 && errno == EINTR)
		;
	raise_priority(w);
	engine = 0;
	return status;
}

/* The way from a death to its announcement. Returns how the process ended. */
static int bury(struct xr_warden *w, struct grave *grave)
{
	uint64_t noticed_ns = xr_now_ns(), resigned_ns;
	uint32_t led = fence_led(&w->nic.maps, grave->led);
	bool asked = stopping;
	int status;

	resign(w, &grave->outbox, grave->led);
	resigned_ns = xr_now_ns();
	status = reap(w);
	xr_nic_fence(&w->nic.maps); /* rule 6: a start fences first */
	w->fenced_ns = xr_now_ns();
	if (WIFSIGNALED(status))
		snprintf(w->died_of, sizeof(w->died_of), "signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	if (WIFSIGNALED(status) && !asked)
		xr_say(w->name, 3,
		       "the engine was killed by %s: resigned %u group(s) %llu us after it was "
		       "noticed",
		       w->died_of, led,
		       (unsigned long long)((resigned_ns - noticed_ns) / NS_PER_US));
	return status;
}

/*
 * The first pause is D: before it is over a new engine may not vote anyway (rule 6), and what it
 * reads and writes would only delay the votes of its peers on a disk they share. Crash after
 * crash it is doubled, so that the machine is not kept busy.
 */
static void back_off(const struct xr_warden *w, uint64_t lived_ns)
{
	static uint32_t delay_ms;

	delay_ms *= 2;
	if (lived_ns > 10 * w->config.max_timeout_us * NS_PER_US || !delay_ms)
		delay_ms = (w->config.min_timeout_us + 999) / 1000;
	if (delay_ms > BACK_OFF_MOST_MS)
		delay_ms = BACK_OFF_MOST_MS;
	if (!stopping)
		nanosleep(&(struct timespec){.tv_sec = delay_ms / 1000,
					     .tv_nsec = delay_ms % 1000 * (long)NS_PER_MS},
			  NULL);
}

static void remove_api_socket(const struct xr_warden *w)
{
	struct stat st;

	if (!lstat(w->config.socket, &st) && S_ISSOCK(st.st_mode))
		unlink(w->config.socket);
}

/*
 * Engine after engine. One that ended by itself has said why, and stays down; so does one that
 * found a state in which going on would make it worse (rule 14: abort).
 */
static int keep_running(struct xr_warden *w, struct grave *grave, struct xr_why *why)
{
	for (;;) {
		bool ready = spawn(w, why);
		uint64_t ready_ns = xr_now_ns();
		int status;

		if (!engine)
			return stopping ? 0 : -EAGAIN;
		if (ready && w->starts == 1)
			sd_notify(0, "READY=1");
		if (ready)
			watch(w);
		status = bury(w, grave);
		if (ready) /* it may no longer do so itself */
			remove_api_socket(w);
		if (WIFEXITED(status))
			return WEXITSTATUS(status);
		if (WTERMSIG(status) == SIGABRT)
			return 1;
		back_off(w, xr_now_ns() - ready_ns);
		if (stopping)
			return 0;
	}
}

int xr_warden_run(struct xr_warden *w, bool fresh, struct xr_why *why)
{
	static struct grave grave = {.trains.fd = -1};
	int err;

	w->fresh = fresh;
	snprintf(w->name, sizeof(w->name), "%s.%u", w->config.cluster, w->config.self);
	catch_signals();
	prctl(PR_SET_DUMPABLE, 0); /* it knows the keys */
	err = xr_rights_user(&w->user, w->config.user, why);
	if (!err)
		err = check_state(w, fresh, why);
	if (!err)
		err = open_nic(w, why);
	if (!err)
		err = open_shared(w, why);
	if (!err)
		err = dig(&grave, w, why);
	if (!err) {
		if (raise_priority(w))
			mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
		err = keep_running(w, &grave, why);
	}
	xr_close_fd(&grave.trains.fd);
	free(grave.led);
	return err;
}
