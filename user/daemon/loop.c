// SPDX-License-Identifier: GPL-2.0-only
/* The event loop: what wakes it, what each turn begins and ends with. */
#include <bpf/libbpf.h>
#include <stdatomic.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include "daemon/engine.h"

#define DRAIN_TURN  256	 /* datagrams a turn; the socket stays readable for the next */
#define DRAIN_TIMER 4096 /* before a timer acts (rule 11) */
/*
 * Elections begun a turn. Of ten thousand groups that lose their leader at once, those for which
 * another node asks meanwhile need not be asked for; or all ask for all, and nobody wins.
 */
#define BEGIN_TURN 128
#define SHOW_NS	   (250 * NS_PER_MS)
#define BUSY_NS	   NS_PER_MS	    /* on end, then */
#define WAY_NS	   (50 * NS_PER_US) /* for others */

void xr_engine_say(struct xr_engine *e, enum xr_report_kind kind, const char *fmt, ...)
{
	struct xr_report r = {.at_ns = xr_now_ns(), .kind = kind};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r.note, sizeof(r.note), fmt, ap);
	va_end(ap);
	xr_report(e->reporter, &r);
}

static uint64_t stall_ns(const struct xr_engine *e)
{
	return e->config->stall_limit_us * NS_PER_US;
}

/* Rule 8: the deadline moves only while writes complete. Returns since when one has not. */
static uint64_t disk_waits_ns(struct xr_engine *e, uint64_t now_ns)
{
	uint64_t oldest_ns = xr_writer_oldest_ns(e->writer);
	struct xr_why why;

	if (!e->disk_bad && xr_writer_error(e->writer, &why)) {
		e->disk_bad = true;
		xr_engine_say(e, XR_REPORT_error, "%.180s", why.text);
	}
	if (!oldest_ns && now_ns - e->probed_ns > stall_ns(e) / 2) {
		e->probed_ns = now_ns;
		xr_writer_probe(e->writer); /* a quiet node has to notice a hung disk, too */
	}
	return oldest_ns;
}

/* Rule 12: a leader with a hung disk stops. Rule 7: after a failed write, so does the process. */
static void check_disk(struct xr_engine *e, uint64_t now_ns, uint64_t waits_ns)
{
	struct xr_why_event why = {.cause = XR_CAUSE_DISK, .ns = waits_ns ? now_ns - waits_ns : 0};
	bool hung = waits_ns && why.ns >= stall_ns(e);

	if (hung || e->disk_bad)
		xr_group_step_down_all(e, &why);
	if (e->disk_bad)
		sd_event_exit(e->loop, 1);
	if (hung && !e->disk_said)
		xr_engine_say(e, XR_REPORT_error,
			      "the disk has not completed a write for %llu ms: this node answers "
			      "nobody and votes for nobody until it does",
			      (unsigned long long)(why.ns / NS_PER_MS));
	else if (!hung && e->disk_said)
		xr_engine_say(e, XR_REPORT_warning, "the disk completes writes again");
	e->disk_said = hung;
}

/* Awake again after a pause longer than the limit: peers have gone on without us. Fence first. */
static void after_stall(struct xr_engine *e, uint64_t now_ns)
{
	struct xr_why_event why = {.cause = XR_CAUSE_STALLED, .ns = now_ns - e->turned_ns};

	xr_engine_say(e, XR_REPORT_warning,
		      "the event loop stood still for %llu ms, longer than the stall limit, "
		      "after which this node answered nobody",
		      (unsigned long long)(why.ns / NS_PER_MS));
	xr_group_step_down_all(e, &why);
}

/* Many votes, one kick, one fsync; before datagrams are sealed, as the disk is slowest. */
static void kick_writer(struct xr_engine *e)
{
	if (e->submitted)
		xr_writer_kick(e->writer);
	e->submitted = false;
}

/*
 * With very many elections under way there is always more to do, and at this thread's priority
 * nobody else would get the CPU: not the kernel's own threads, which complete its disk writes, nor
 * another node's engine here, whose answers it waits for.
 */
void xr_engine_give_way(struct xr_engine *e)
{
	kick_writer(e);
	e->ended_ns = xr_now_ns();
	if (!e->config->realtime || e->ended_ns - e->rested_ns < BUSY_NS)
		return;
	nanosleep(&(struct timespec){.tv_nsec = WAY_NS}, NULL);
	e->ended_ns = e->rested_ns = xr_now_ns();
}

/*
 * Each turn begins here: find out whether this process itself stood still, then renew the
 * deadline (rule 8).
 */
static void begin_turn(struct xr_engine *e)
{
	struct xr_control *c = e->env.control;
	uint64_t now_ns = xr_now_ns(), waits_ns = disk_waits_ns(e, now_ns);

	if (now_ns - e->ended_ns > WAY_NS)
		e->rested_ns = now_ns;
	if (e->turned_ns && now_ns - e->turned_ns >= stall_ns(e))
		after_stall(e, now_ns);
	check_disk(e, now_ns, waits_ns);
	*(volatile __u64 *)&c->alive_until_ns = (waits_ns ? waits_ns : now_ns) + stall_ns(e);
	*(volatile __u64 *)&c->heard_ns = now_ns; /* the warden looks at it */
	if (now_ns - e->shown_ns > SHOW_NS) {
		e->shown_ns = now_ns;
		xr_watch_counters(e, now_ns);
	}
	e->turned_ns = now_ns;
}

static void arm_timer(struct xr_engine *e)
{
	uint64_t next_ns = xr_timers_next_ns(&e->timers);
	uint64_t renew_ns = e->turned_ns + stall_ns(e) / 4;

	if (next_ns < e->turned_ns && e->armed_ns && e->armed_ns <= e->turned_ns)
		return; /* it is due already, and to set it anew would put it off */
	if (next_ns < e->turned_ns)
		next_ns = e->turned_ns; /* left for the next turn, which is not late for that */
	if (next_ns > renew_ns)
		next_ns = renew_ns;
	if (next_ns > e->path.next_ns)
		next_ns = e->path.next_ns;
	if (next_ns == e->armed_ns)
		return;
	e->armed_ns = next_ns;
	sd_event_source_set_time(e->timer, (next_ns + NS_PER_US - 1) / NS_PER_US);
	sd_event_source_set_enabled(e->timer, SD_EVENT_ONESHOT);
}

/* Each turn ends here: what it had to say leaves, and the timer is set. */
static void end_turn(struct xr_engine *e)
{
	if (e->fenced)
		return;
	kick_writer(e);
	xr_outbox_flush(&e->outbox);
	xr_crowd_tell(&e->crowd, e->turned_ns, e->reporter);
	arm_timer(e);
	xr_engine_give_way(e);
}

static int on_socket(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct xr_engine *e = data;

	(void)source, (void)fd, (void)events;
	begin_turn(e);
	xr_receive_all(e, DRAIN_TURN);
	end_turn(e);
	return 0;
}

/* Late by half of D: it may be us who slept, not the leader. */
static bool is_late(struct xr_engine *e, uint64_t now_ns)
{
	uint64_t late_ns = now_ns - e->armed_ns;

	if (!e->armed_ns || (int64_t)late_ns < (int64_t)e->timing.min_timeout_ns / 2)
		return false;
	if (late_ns >= e->timing.min_timeout_ns && now_ns - e->stall_said_ns > NS_PER_S) {
		struct xr_report r = {
			.at_ns = now_ns,
			.kind = XR_REPORT_stalled,
			.took_ns = late_ns,
			.note = "it did not get the CPU",
		};

		e->stall_said_ns = now_ns;
		xr_report(e->reporter, &r);
	}
	return true;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct xr_engine *e = data;
	uint64_t now_ns = xr_now_ns();
	bool late = is_late(e, now_ns);
	struct xr_due due[XR_TIMERS_BLOCK];
	uint32_t n, begun = 0;

	(void)source, (void)usec;
	e->armed_ns = 0;
	begin_turn(e);
	xr_receive_all(e, DRAIN_TIMER); /* rule 11: ask before acting */
	xr_watch_path(e, now_ns);
	while (begun < BEGIN_TURN && (n = xr_timers_due(&e->timers, now_ns, due)))
		begun += xr_group_timers(e, due, n, now_ns, late);
	end_turn(e);
	return 0;
}

/* All that wait became durable at once: a few thousand a turn, or heartbeats would be late. */
static int on_durable(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct xr_engine *e = data;
	struct xr_done done[256];
	size_t n, turns = 16;

	(void)source, (void)fd, (void)events;
	begin_turn(e);
	while (turns-- && (n = xr_writer_reap(e->writer, done, ARRAY_SIZE(done))))
		for (size_t i = 0; i < n; i++) {
			struct xr_event ev = {.kind = XR_EV_DURABLE};

			if (!done[i].err)
				xr_group_step(e, done[i].vote.group, &ev);
		}
	end_turn(e);
	return 0;
}

/* What an answered datagram left for us (rule 15). */
static int on_ring(void *data, void *bytes, size_t size)
{
	struct xr_engine *e = data;
	const struct xr_event_rec *left = bytes;

	if (size >= sizeof(*left) && left->type == XR_HEARTBEAT && left->source <= XR_NODE_MAX)
		xr_receive_left(e, left);
	return 0;
}

static int on_order(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct xr_engine *e = data;
	struct xr_order_result result;
	const struct xr_order *order;

	(void)source, (void)fd, (void)events;
	begin_turn(e);
	order = xr_orders_take(&e->orders);
	if (order) {
		xr_group_order(e, order, &result);
		xr_orders_done(&e->orders, &result);
	}
	end_turn(e);
	return 0;
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	struct xr_engine *e = data;
	struct xr_why_event why = {.cause = XR_CAUSE_SHUTDOWN};

	(void)source, (void)info;
	xr_group_step_down_all(e, &why);
	xr_outbox_flush(&e->outbox);
	xr_crowd_tell(&e->crowd, UINT64_MAX, e->reporter);
	e->env.control->alive_until_ns = 0;
	xr_engine_say(e, XR_REPORT_stopped, "as asked; it led no group any more");
	return sd_event_exit(e->loop, 0);
}

void xr_engine_keys(struct xr_engine *e, const struct xr_key *keys, int n)
{
	memset(e->keys, 0, sizeof(e->keys));
	for (int i = 0; i < n; i++)
		e->keys[keys[i].id & 1] = keys[i];
	e->outbox.key_slot = keys[0].id & 1;
}

static void take_keys(struct xr_engine *e)
{
	struct xr_why why;

	xr_engine_keys(e, e->shared->keys, e->shared->nkeys);
	if (xr_nic_write_keys(e->nic, e->keys, &why))
		xr_engine_say(e, XR_REPORT_error,
			      "the NIC path keeps the old keys: %.150s; restart xraftd", why.text);
}

/* The warden has left out what does not fit; of the rest only the journal may know votes. */
static int take_groups(struct xr_engine *e)
{
	int added = 0;

	for (uint32_t i = 0; i < e->shared->ngroups; i++) {
		const struct xr_config_group *g = &e->shared->groups[i];

		if (e->members[g->id].has_state)
			continue;
		e->members[g->id].has_state = true;
		xr_group_start(e, g, NULL, 0);
		added++;
	}
	return added;
}

/* Keys, and groups that are new. All else would change what was promised: it needs a restart. */
static int on_fresh(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct xr_engine *e = data;
	uint64_t count;

	(void)source, (void)events;
	if (read(fd, &count, sizeof(count)) < 0 || e->shared->given == e->shared->taken)
		return 0;
	take_keys(e);
	xr_engine_say(e, XR_REPORT_reloaded,
		      "%d key(s), sending with key %u; %d new group(s); all else needs a restart",
		      e->shared->nkeys, e->shared->keys[0].id, take_groups(e));
	atomic_store(&e->shared->taken, e->shared->given);
	end_turn(e);
	return 0;
}

/*
 * Sockets before timers: a heartbeat that lies in the buffer was in time. What the disk has done
 * takes turns with them, or a stream of requests that are repeated would keep their answers back.
 */
static int add_sources(struct xr_engine *e)
{
	sd_event_source *socket = NULL, *writer = NULL;
	int err = sd_event_add_io(e->loop, &socket, e->outbox.fd, EPOLLIN, on_socket, e);

	if (err >= 0)
		err = sd_event_source_set_priority(socket, SD_EVENT_PRIORITY_IMPORTANT);
	if (err >= 0)
		err = sd_event_add_time(e->loop, &e->timer, CLOCK_BOOTTIME, 0, 1, on_timer, e);
	if (err >= 0)
		err = sd_event_add_io(e->loop, &writer, xr_writer_fd(e->writer), EPOLLIN,
				      on_durable, e);
	if (err >= 0)
		err = sd_event_source_set_priority(writer, SD_EVENT_PRIORITY_IMPORTANT);
	if (err >= 0 && e->ring)
		err = sd_event_add_io(e->loop, NULL, ring_buffer__epoll_fd(e->ring), EPOLLIN,
				      on_socket, e);
	if (err >= 0)
		err = sd_event_add_io(e->loop, NULL, e->fresh_fd, EPOLLIN, on_fresh, e);
	if (err >= 0)
		err = sd_event_add_io(e->loop, NULL, e->orders.asked_fd, EPOLLIN, on_order, e);
	if (err >= 0)
		err = sd_event_add_signal(e->loop, NULL, SIGTERM, on_stop, e);
	if (err >= 0)
		err = sd_event_add_signal(e->loop, NULL, SIGINT, on_stop, e);
	return err;
}

static int note_state(const struct xr_vote *vote, void *arg)
{
	struct xr_engine *e = arg;

	if (vote->group < e->env.ngroups)
		e->members[vote->group].has_state = true;
	return 0;
}

/* A group that came by reload and does not fit the state of its id can have no vote (rule 10). */
static void start_group(struct xr_engine *e, const struct xr_config_group *g,
			const struct xr_vote *vote, uint64_t promise_until_ns)
{
	e->members[g->id].has_state = true;
	if (vote && vote->digest != g->digest)
		xr_engine_say(e, XR_REPORT_error,
			      "group %s (id %u) has state under another name or with other voters: "
			      "left out; give it an id that was never used",
			      g->name, g->id);
	else
		xr_group_start(e, g, vote, promise_until_ns);
}

static void start_groups(struct xr_engine *e, const struct xr_journal *journal,
			 uint64_t promise_until_ns)
{
	for (uint32_t id = 0; id < e->env.ngroups; id++)
		e->env.groups[id].voters = e->env.groups[id].digest = 0;
	xr_journal_each(journal, note_state, e);
	for (size_t i = 0; i < e->config->ngroups; i++) {
		const struct xr_config_group *g = &e->config->groups[i];

		start_group(e, g, xr_journal_find(journal, g->id), promise_until_ns);
	}
}

int xr_engine_init(struct xr_engine *e, const struct xr_journal *journal, uint64_t promise_until_ns,
		   struct xr_why *why)
{
	struct xr_maps *maps = &e->nic->maps;
	const struct xr_config *c = e->config;

	e->timing = (struct xr_timing){
		.min_timeout_ns = c->min_timeout_us * NS_PER_US,
		.max_timeout_ns = c->max_timeout_us * NS_PER_US,
		.heartbeat_ns = c->heartbeat_us * NS_PER_US,
	};
	e->env.groups = maps->groups;
	e->env.acks = maps->acks;
	e->env.ngroups = maps->ngroups;
	e->env.control = maps->control;
	e->env.peers = e->peers;
	e->env.keys = e->keys;
	e->env.stats = &e->stats;
	e->outbox.env = &e->env;
	e->path.next_ns = e->nic->mode == XR_NIC_OFF ? UINT64_MAX : 0;
	e->members = calloc(maps->ngroups, sizeof(*e->members));
	e->quiet = calloc(maps->ngroups, sizeof(*e->quiet));
	if (!e->members || !e->quiet || xr_timers_init(&e->timers, maps->ngroups) ||
	    getrandom(&e->random, sizeof(e->random), 0) != sizeof(e->random) ||
	    sd_event_new(&e->loop) < 0)
		return xr_fail(why, -ENOMEM, "not enough memory for %zu groups", maps->ngroups);
	if (maps->events_fd >= 0) {
		e->ring = ring_buffer__new(maps->events_fd, on_ring, e, NULL);
		if (!e->ring)
			return xr_fail(why, errno,
				       "cannot read xr_events: %m; raise the limits for memory and "
				       "open files");
	}
	start_groups(e, journal, promise_until_ns);
	return 0;
}

int xr_engine_run(struct xr_engine *e, struct xr_why *why)
{
	int err = add_sources(e);

	if (err < 0)
		return xr_fail(why, err, "cannot set up the event loop: %s", strerror(-err));
	begin_turn(e);
	end_turn(e);
	err = sd_event_loop(e->loop);
	if (err < 0)
		xr_fail(why, err, "the event loop failed: %s", strerror(-err));
	return err;
}
