// SPDX-License-Identifier: GPL-2.0-only
/*
 * The warden's process: signals, fork, wait. What runs after the death of an engine is bury(), and
 * nothing before its resignations leave waits for a disk, a lock or memory.
 */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include "daemon/agent.h"
#include "daemon/looker.h"
#include "daemon/post.h"
#include "daemon/process.h"
#include "daemon/report.h"
#include "lib/status.h"

/*
 * ---- signals: SIGTERM and SIGINT are the engine's, who steps down first ----
 */
static volatile sig_atomic_t stopping, reloading;
static volatile pid_t engine; /* 0: there is none */
static struct xr_shared *with_engine;

static void on_signal(int signal)
{
	if (signal == SIGHUP)
		reloading = 1;
	else
		stopping = 1;
	if (signal != SIGHUP && engine > 0) {
		atomic_store(&with_engine->asked, 1);
		kill(engine, SIGTERM);
	}
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
 * ---- set-up ----
 */
static void fill_control(struct xr_warden *w)
{
	struct xr_control *control = w->nic.maps.control;

	control->warden_pid = w->pid = getpid();
	control->pidns = xr_status_pidns();
	control->netns = xr_status_netns();
	control->timens = xr_maps_timens();
}

static int open_shared(struct xr_shared **out, size_t ngroups, struct xr_why *why)
{
	struct xr_shared *shared = mmap(NULL, sizeof(*shared) + ngroups * sizeof(shared->groups[0]),
					PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		return xr_fail(why, -errno, "no memory for %zu groups: %m", ngroups);
	shared->fresh_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (shared->fresh_fd < 0)
		return xr_fail(why, -errno, "cannot make an eventfd: %m; raise LimitNOFILE=");
	*out = shared;
	return 0;
}

static void fill_others(const struct xr_config *c, struct xr_looks *looks)
{
	size_t len = 0;
	char text[46];

	looks->others[0] = '\0';
	xr_each_node(node)
		if (node != c->self && c->nodes[node].used && len < sizeof(looks->others))
			len += (size_t)snprintf(looks->others + len, sizeof(looks->others) - len,
						"%s%s", len ? ", " : "",
						xr_machine_address(&c->nodes[node], text));
}

/* The words that sentences need of this node. */
static void fill_looks(struct xr_warden *w, struct xr_looks *looks)
{
	const struct xr_config *c = &w->config;

	w->looks = looks;
	memcpy(looks->interface, c->interface, sizeof(looks->interface));
	snprintf(looks->pins, sizeof(looks->pins), XR_BPFFS_DIR "/%s-%u", c->cluster, c->self);
	looks->port = c->nodes[c->self].port;
	fill_others(c, looks);
}

/* A port of its own, from which peers take resignations and nothing else. */
static int open_socket(struct xr_trains *trains, const struct xr_config *c, struct xr_why *why)
{
	struct xr_peer self = c->nodes[c->self];

	self.port = 0;
	trains->peers = c->nodes;
	trains->fd = xr_socket_open(&self, why);
	return trains->fd < 0 ? trains->fd : 0;
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
 * ---- before anything is begun ----
 */

/* systemd's own limit is 90 s. */
#define EARLY_MOST_S  60
#define EARLY_LOOK_NS (200 * NS_PER_MS)

static void nap(uint64_t ns)
{
	nanosleep(&(struct timespec){.tv_sec = (time_t)(ns / NS_PER_S),
				     .tv_nsec = (long)(ns % NS_PER_S)},
		  NULL);
}

/* At boot the address may come after this. */
static int wait_for_address(const struct xr_warden *w, const char *name, struct xr_why *why)
{
	uint64_t began_ns = xr_now_ns();
	bool said = false;

	while (!stopping && xr_machine_is_early(&w->config, why)) {
		if (xr_now_ns() - began_ns > EARLY_MOST_S * NS_PER_S)
			return -EADDRNOTAVAIL;
		if (!said) {
			xr_say(name, 4, "waits for up to %d s: %.400s", EARLY_MOST_S, why->text);
			sd_notifyf(0, "STATUS=waiting: %.400s", why->text);
		}
		said = true;
		nap(EARLY_LOOK_NS);
	}
	if (said && !stopping) {
		xr_say(name, 5, "the address is there, after %.1f s",
		       1e-9 * (double)(xr_now_ns() - began_ns));
		sd_notify(0, "STATUS=");
	}
	why->text[0] = '\0';
	return 0;
}

static struct xr_looker looker = {
	.looking = PTHREAD_MUTEX_INITIALIZER, .netlink_fd = -1, .stop_fd = -1};

/* What cannot work is refused before anything is touched. */
static int look_around(const struct xr_warden *w, bool fresh, struct xr_findings *found,
		       struct xr_why *why)
{
	char name[sizeof(w->name)];
	const struct xr_finding *wrong;
	int err;

	snprintf(name, sizeof(name), "%s.%u", w->config.cluster, w->config.self);
	for (int look = 0; look < 2 && !stopping; look++) {
		*found = (struct xr_findings){0};
		xr_config_unwise(&w->config, found);
		xr_machine_look(&w->config, fresh ? XR_OCCASION_FIRST_START : XR_OCCASION_START,
				found);
		wrong = xr_findings_wrong(found);
		if (wrong)
			return xr_fail(why, -EINVAL, "%s", wrong->text);
		err = look ? 0 : wait_for_address(w, name, why);
		if (err)
			return err;
	}
	return 0;
}

static void warn(const struct xr_warden *w, const struct xr_findings *found)
{
	for (size_t i = 0; i < found->n; i++)
		xr_say(w->name, 4, "%s", found->list[i].text);
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
static _Noreturn void be_engine(struct xr_warden *w, struct xr_shared *shared, int ready_fd)
{
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	pthread_mutex_lock(&shared->life);
	_exit(xr_engine_main(w, shared, ready_fd));
}

/* A disk may be slow. One that is asked to end has no reason to go on with its start. */
#define READY_MOST_MS 60000
#define ENDS_MOST_MS  2000
#define READY_LOOK_MS 100

/* Until the engine is ready, or dead: then nobody is left who could write. */
static bool wait_until_ready(const struct xr_warden *w, int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	bool killed = !engine;
	int waited_ms = 0;
	char byte;

	while (poll(&ready, 1, READY_LOOK_MS) <= 0) {
		waited_ms += READY_LOOK_MS;
		if (stopping && waited_ms < READY_MOST_MS - ENDS_MOST_MS)
			waited_ms = READY_MOST_MS - ENDS_MOST_MS;
		if (killed || waited_ms < READY_MOST_MS)
			continue;
		killed = true;
		xr_say(w->name, 3, "the engine has not started within %d s: killing the engine",
		       (stopping ? ENDS_MOST_MS : READY_MOST_MS) / 1000);
		kill(engine, SIGKILL);
	}
	return read(fd, &byte, 1) == 1;
}

/* True once the engine is ready; false: it is dead, and has said why. */
static bool spawn(struct xr_warden *w, struct xr_shared *shared, struct xr_why *why)
{
	sigset_t signals, before;
	int ready[2];
	bool is_ready;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC)) {
		xr_fail(why, -errno, "cannot start the engine: %m");
		return false;
	}
	init_life(shared);
	xr_warden_spawned(w);
	with_engine = shared;
	signal_set(&signals);
	sigprocmask(SIG_BLOCK, &signals, &before); /* until `engine` names whom they are for */
	xr_looker_hold(&looker);
	pid = stopping ? -1 : fork(); /* asked to end while there was none to ask */
	if (pid == 0)
		be_engine(w, shared, ready[1]);
	xr_looker_go_on(&looker);
	engine = pid > 0 ? pid : 0;
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		xr_fail(why, -errno, "cannot start the engine: %m");
	close(ready[1]);
	is_ready = wait_until_ready(w, ready[0]);
	close(ready[0]);
	return is_ready;
}

/*
 * ---- watching ----
 */

/* What a start would refuse, a reload does not take. */
static int look_again(const struct xr_warden *w, struct xr_why *why)
{
	struct xr_findings found = {0};
	const struct xr_finding *wrong;
	struct xr_config fresh;
	int err = xr_config_read(&fresh, w->config_path, why);

	if (err)
		return err;
	xr_machine_look(&fresh, XR_OCCASION_START, &found);
	xr_config_free(&fresh);
	wrong = xr_findings_wrong(&found);
	return wrong ? xr_fail(why, -EINVAL, "%s", wrong->text) : 0;
}

/* The looker reads the nodes, and would write those that were over the NIC path's new ones. */
static int take(struct xr_warden *w, struct xr_why *rest, struct xr_why *why)
{
	int n;

	xr_looker_hold(&looker);
	n = xr_warden_reload(w, rest, why);
	if (n >= 0) {
		xr_nic_mend_peers(&w->nic, w->config.nodes);
		fill_others(&w->config, w->looks);
	}
	xr_looker_go_on(&looker);
	return n;
}

static void reload(struct xr_warden *w, struct xr_shared *shared)
{
	const struct xr_config *c = &w->config;
	struct xr_why why, rest;

	if (shared->given != shared->taken)
		return; /* it has not taken the last one yet: again in a moment */
	reloading = 0;
	if (look_again(w, &why) || take(w, &rest, &why) < 0) {
		xr_say(w->name, 4, "not reloaded, all goes on as before: %s", why.text);
		return;
	}
	if (rest.text[0])
		xr_say(w->name, 4, "%s differs in what a reload does not take: %s", w->config_path,
		       rest.text);
	memcpy(shared->keys, c->keys, sizeof(shared->keys));
	shared->nkeys = c->nkeys;
	memcpy(shared->nodes, c->nodes, sizeof(shared->nodes));
	shared->ngroups = c->ngroups;
	memcpy(shared->groups, c->groups, shared->ngroups * sizeof(shared->groups[0]));
	atomic_fetch_add(&shared->given, 1);
	eventfd_write(shared->fresh_fd, 1); /* fails only when it is readable already */
}

/* Until the engine's election thread is dead, beyond doubt: the kernel says so. */
static void watch(struct xr_warden *w, struct xr_shared *shared)
{
	uint64_t quarter_ns = w->config.stall_limit_us * NS_PER_US / 4;
	uint64_t patience_ns = quarter_ns < 250 * NS_PER_MS ? quarter_ns : 250 * NS_PER_MS;
	bool killed = false;

	for (;;) {
		uint64_t now_ns = xr_now_ns();
		struct timespec until;
		int err;

		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += (long)patience_ns;
		until.tv_sec += until.tv_nsec / (long)NS_PER_S;
		until.tv_nsec %= (long)NS_PER_S;
		err = pthread_mutex_clocklock(&shared->life, CLOCK_MONOTONIC, &until);
		if (err != ETIMEDOUT) { /* EOWNERDEAD */
			pthread_mutex_consistent(&shared->life);
			pthread_mutex_unlock(&shared->life);
			return;
		}
		if (reloading)
			reload(w, shared);
		xr_agent_keep(w);
		if (!killed && xr_warden_is_hung(w, now_ns)) {
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

/* The way from a death to its announcement, and to what comes next. */
static struct xr_warden_next bury(struct xr_warden *w, uint64_t ready_ns)
{
	uint64_t noticed_ns = xr_now_ns(), resigned_ns;
	uint32_t led = xr_warden_bury(w);
	bool asked = stopping;
	struct xr_warden_next next;
	int status;

	resigned_ns = xr_now_ns();
	status = reap(w);
	next = xr_warden_reaped(w, status, xr_now_ns() - ready_ns);
	if (WIFSIGNALED(status) && !asked)
		xr_say(w->name, 3,
		       "the engine was killed by %s: resigned %u group(s) %llu us after it was "
		       "noticed",
		       w->died_of, led,
		       (unsigned long long)((resigned_ns - noticed_ns) / NS_PER_US));
	return next;
}

static void remove_api_socket(const struct xr_warden *w)
{
	struct stat st;

	if (!lstat(w->config.socket, &st) && S_ISSOCK(st.st_mode))
		unlink(w->config.socket);
}

/* Engine after engine. */
static int keep_running(struct xr_warden *w, struct xr_shared *shared, struct xr_why *why)
{
	while (!stopping) {
		bool ready = spawn(w, shared, why);
		uint64_t ready_ns = xr_now_ns();
		struct xr_warden_next next;

		if (!engine)
			return stopping ? 0 : -EAGAIN;
		if (ready) {
			sd_notify(0, "READY=1"); /* counts once */
			xr_agent_keep(w);
			watch(w, shared);
		}
		next = bury(w, ready_ns);
		if (ready) /* it may no longer do so itself */
			remove_api_socket(w);
		if (!next.again)
			return next.code;
		if (!stopping)
			nap(next.pause_ns);
	}
	return 0;
}

int xr_warden_run(struct xr_warden *w, bool fresh, struct xr_why *why)
{
	static struct xr_trains trains = {.fd = -1};
	struct xr_findings found;
	struct xr_shared *shared = NULL;
	int err;

	catch_signals();
	prctl(PR_SET_DUMPABLE, 0); /* it knows the keys */
	err = look_around(w, fresh, &found, why);
	if (!err && stopping)
		return 0;
	if (!err)
		err = xr_machine_user(&w->user, w->config.user, why);
	if (!err)
		err = xr_machine_readers(&w->user.readers, w->config.group, why);
	if (err)
		return err;
	w->host = &xr_post_host;
	w->world = &trains;
	err = xr_warden_open(w, fresh, why);
	if (!err) {
		fill_control(w);
		err = open_shared(&shared, w->nic.maps.ngroups, why);
	}
	if (!err)
		fill_looks(w, &shared->looks);
	if (!err)
		err = open_socket(&trains, &w->config, why);
	if (!err) {
		warn(w, &found);
		if (raise_priority(w))
			mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
		err = xr_looker_start(&looker, w, why);
	}
	if (!err)
		err = keep_running(w, shared, why);
	xr_looker_stop(&looker);
	xr_agent_end(w);
	xr_close_fd(&trains.fd);
	if (err)
		xr_warden_take_back(w);
	xr_warden_close(w);
	return err;
}
