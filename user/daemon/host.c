// SPDX-License-Identifier: GPL-2.0-only
/* The engine's real world: what it asks for, and what wakes it. */
#include <bpf/libbpf.h>
#include <signal.h>
#include <string.h>
#include "daemon/node.h"

#define ERRORS_TURN 64	 /* ICMP messages looked at in a turn */
#define LEFT_TURN   4096 /* records of answered datagrams, likewise */

/*
 * ---- what the engine asks for ----
 */
static uint64_t now_ns(void *world)
{
	(void)world;
	return xr_now_ns();
}

static bool receive_datagram(void *world, struct xr_datagram *d)
{
	struct xr_node *n = world;
	bool got = xr_socket_receive(n->trains.fd, d) > 0;

	n->received += got;
	return got;
}

static void left(void *world)
{
	struct xr_node *n = world;

	n->left_most = LEFT_TURN;
	if (n->ring)
		ring_buffer__consume(n->ring);
}

/* Many messages about a node are one. */
static uint32_t gone(void *world)
{
	struct xr_node *n = world;
	const struct xr_peer *peers = n->engine.peers;
	struct xr_from about;
	uint32_t nodes = 0;

	for (int most = ERRORS_TURN; most && xr_socket_error(n->trains.fd, &about) > 0; most--)
		xr_each_node(node)
			if (peers[node].used && peers[node].port == about.port &&
			    !memcmp(peers[node].ip, about.ip, sizeof(about.ip)))
				nodes |= 1u << node;
	return nodes;
}

static void send_datagram(void *world, uint8_t to, const void *bytes, size_t size)
{
	struct xr_node *n = world;

	xr_trains_put(&n->trains, to, bytes, size);
}

static void flush(void *world)
{
	struct xr_node *n = world;

	xr_trains_flush(&n->trains);
}

static int submit(void *world, const struct xr_vote *vote, const struct xr_entry *entry)
{
	struct xr_node *n = world;

	return xr_writer_submit(n->writer, vote, entry);
}

static void kick(void *world)
{
	struct xr_node *n = world;

	xr_writer_kick(n->writer);
}

static void probe(void *world)
{
	struct xr_node *n = world;

	xr_writer_probe(n->writer);
}

static size_t reap(void *world, struct xr_done *done, size_t max)
{
	struct xr_node *n = world;

	return xr_writer_reap(n->writer, done, max);
}

static uint64_t oldest_ns(void *world)
{
	struct xr_node *n = world;

	return xr_writer_oldest_ns(n->writer);
}

static int disk_error(void *world, struct xr_why *why)
{
	struct xr_node *n = world;

	return xr_writer_error(n->writer, why);
}

static uint64_t echoes(void *world)
{
	struct xr_node *n = world;
	struct xr_stats stats[2];

	return xr_maps_stats(&n->warden->nic.maps, stats) ? 0 : stats[XR_STATS_NIC].path_answered;
}

static void show(void *world, uint64_t at_ns)
{
	xr_watch_counters(world, at_ns);
}

static void report(void *world, const struct xr_report *r)
{
	struct xr_node *n = world;

	xr_report(n->reporter, r);
}

static void arm(void *world, uint64_t at_ns)
{
	struct xr_node *n = world;

	sd_event_source_set_time(n->timer, (at_ns + NS_PER_US - 1) / NS_PER_US);
	sd_event_source_set_enabled(n->timer, SD_EVENT_ONESHOT);
}

static void rest(void *world, uint64_t ns)
{
	(void)world;
	nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL);
}

static void end(void *world, int code)
{
	struct xr_node *n = world;

	sd_event_exit(n->loop, code);
}

static void crash(void *world)
{
	rest(world, 300 * NS_PER_MS); /* until what was reported is printed */
	abort();
}

const struct xr_host xr_node_host = {
	.now_ns = now_ns,
	.receive = receive_datagram,
	.left = left,
	.gone = gone,
	.send = send_datagram,
	.flush = flush,
	.submit = submit,
	.kick = kick,
	.probe = probe,
	.reap = reap,
	.oldest_ns = oldest_ns,
	.disk_error = disk_error,
	.echoes = echoes,
	.show = show,
	.report = report,
	.arm = arm,
	.rest = rest,
	.end = end,
	.crash = crash,
};

/*
 * ---- what wakes it ----
 */
static int on_socket(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct xr_node *n = data;

	(void)source, (void)fd, (void)events;
	xr_engine_receive(&n->engine);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct xr_node *n = data;

	(void)source, (void)usec;
	xr_engine_timer(&n->engine);
	return 0;
}

static int on_durable(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct xr_node *n = data;

	(void)source, (void)fd, (void)events;
	xr_engine_durable(&n->engine);
	return 0;
}

/* What an answered datagram left for us (rule 15); from left(). An error ends that. */
static int on_ring(void *data, void *bytes, size_t size)
{
	struct xr_node *n = data;

	if (size >= sizeof(struct xr_event_rec))
		xr_engine_left(&n->engine, bytes);
	return --n->left_most > 0 ? 0 : -EAGAIN;
}

static int on_order(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct xr_node *n = data;
	const struct xr_order *order = xr_orders_take(&n->orders);
	struct xr_order_result result;

	(void)source, (void)fd, (void)events;
	if (!order)
		return 0;
	xr_engine_order(&n->engine, order, &result);
	xr_orders_done(&n->orders, &result);
	return 0;
}

/*
 * PR_SET_PDEATHSIG sends SIGTERM in the name of the warden, whose process may not be gone by then:
 * only its first thread is. So the warden says when it hands a signal on.
 */
static bool is_orphan(const struct xr_node *n, const struct signalfd_siginfo *info)
{
	pid_t warden = n->warden->pid;

	return !atomic_load(&n->shared->asked) &&
	       ((pid_t)info->ssi_pid == warden || getppid() != warden);
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	struct xr_node *n = data;

	(void)source;
	xr_engine_stop(&n->engine, is_orphan(n, info) ? XR_CAUSE_ORPHAN : XR_CAUSE_SHUTDOWN);
	return 0;
}

/* A SIGHUP brought something. */
static int on_fresh(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct xr_node *n = data;
	struct xr_shared *shared = n->shared;
	uint64_t count;
	struct xr_why why;

	(void)source, (void)events;
	if (read(fd, &count, sizeof(count)) < 0 || shared->given == shared->taken)
		return 0;
	xr_engine_keys(&n->engine, shared->keys, shared->nkeys);
	if (xr_nic_write_keys(&n->warden->nic, n->engine.keys, &why))
		xr_engine_say(&n->engine, XR_REPORT_error,
			      "the NIC path keeps the old keys: %.150s; restart xraftd", why.text);
	xr_engine_take(&n->engine, shared->nodes, shared->groups, shared->ngroups);
	atomic_store(&shared->taken, shared->given);
	return 0;
}

/*
 * All of one priority: then sd-event takes first what has waited longest, and none of them, however
 * often it comes, keeps another waiting for more than a turn of each. A heartbeat that lies in the
 * buffer was in time, but a timer looks there itself (rule 11).
 */
static int add_sources(struct xr_node *n)
{
	int err = sd_event_add_io(n->loop, NULL, n->trains.fd, EPOLLIN, on_socket, n);

	if (err >= 0)
		err = sd_event_add_time(n->loop, &n->timer, CLOCK_BOOTTIME, 0, 1, on_timer, n);
	if (err >= 0)
		err = sd_event_add_io(n->loop, NULL, xr_writer_fd(n->writer), EPOLLIN, on_durable,
				      n);
	if (err >= 0 && n->ring)
		err = sd_event_add_io(n->loop, NULL, ring_buffer__epoll_fd(n->ring), EPOLLIN,
				      on_socket, n);
	if (err >= 0)
		err = sd_event_add_io(n->loop, NULL, n->shared->fresh_fd, EPOLLIN, on_fresh, n);
	if (err >= 0)
		err = sd_event_add_io(n->loop, NULL, n->orders.asked_fd, EPOLLIN, on_order, n);
	if (err >= 0)
		err = sd_event_add_signal(n->loop, NULL, SIGTERM, on_stop, n);
	if (err >= 0)
		err = sd_event_add_signal(n->loop, NULL, SIGINT, on_stop, n);
	return err;
}

int xr_node_init(struct xr_node *n, struct xr_why *why)
{
	int events_fd = n->warden->nic.maps.events_fd, err = sd_event_new(&n->loop);

	if (err < 0)
		return xr_fail(why, err, "cannot make an event loop: %s", strerror(-err));
	if (events_fd < 0)
		return 0;
	n->ring = ring_buffer__new(events_fd, on_ring, n, NULL);
	if (!n->ring)
		return xr_fail(why, -errno,
			       "cannot read xr_events: %m; raise the limits for memory and open "
			       "files");
	return 0;
}

int xr_node_run(struct xr_node *n, struct xr_why *why)
{
	int err = add_sources(n);

	if (err < 0)
		return xr_fail(why, err, "cannot set up the event loop: %s", strerror(-err));
	xr_engine_begin(&n->engine);
	err = sd_event_loop(n->loop);
	if (err < 0)
		xr_fail(why, err, "the event loop failed: %s", strerror(-err));
	return err;
}
