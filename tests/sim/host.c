// SPDX-License-Identifier: GPL-2.0-only
/* The world as an engine sees it: virtual time, the simulated network, the disk of store.c. */
#include <signal.h>
#include "sim/sim.h"

static uint64_t now_ns(void *world)
{
	return sim_local(world);
}

static void note_heard(struct node *n, const struct packet *p)
{
	const struct xr_record *rec = (const struct xr_record *)(&p->wire + 1);
	const struct xr_ballot *b = (const struct xr_ballot *)(&p->wire + 1);

	if (xr_type_body(p->wire.type) == XR_BODY_BALLOT)
		sim_trace_fine(n->w, n->id, "hears %s of node %llu: g%llu term %llu, granted %llu",
			       xr_type_text(p->wire.type), p->wire.source, b->group, b->term,
			       b->flags & XR_GRANTED);
	else if (xr_type_body(p->wire.type) == XR_BODY_RECORD)
		sim_trace_fine(n->w, n->id, "hears %s of node %llu: g%llu term %llu",
			       xr_type_text(p->wire.type), p->wire.source, rec->group, rec->term,
			       0);
}

static bool receive(void *world, struct xr_datagram *d)
{
	struct node *n = world;
	struct packet *p;

	if (!n->ninbox)
		return false;
	p = &n->w->packets[n->inbox[0]];
	note_heard(n, p);
	d->size = p->size;
	d->from.port = p->port;
	memcpy(d->bytes, p->bytes, p->size);
	memcpy(d->from.ip, n->maps.peers[n->w->node[p->from].id].ip, sizeof(d->from.ip));
	sim_packet_free(n->w, n->inbox[0]);
	memmove(n->inbox, n->inbox + 1, --n->ninbox * sizeof(n->inbox[0]));
	return true;
}

static void left(void *world)
{
	struct node *n = world;

	while (n->nring) {
		struct xr_event_rec rec = n->ring[0];

		memmove(n->ring, n->ring + 1, --n->nring * sizeof(n->ring[0]));
		xr_engine_left(&n->engine, &rec);
	}
}

static uint32_t gone(void *world)
{
	struct node *n = world;
	uint32_t nodes = n->gone;

	n->gone = 0;
	return nodes;
}

static void note_sent(struct node *n, const struct packet *p)
{
	const struct xr_ballot *b = (const struct xr_ballot *)(&p->wire + 1);
	const char *text = xr_type_text(p->wire.type);

	if (xr_type_body(p->wire.type) != XR_BODY_BALLOT)
		return;
	for (int i = 0; i < p->wire.count; i++)
		if (p->wire.type == XR_RESIGN)
			sim_trace(n->w, n->id, "%s to node %llu: g%llu term %llu, heir %llu", text,
				  p->to, b[i].group, b[i].term, b[i].node);
		else if (xr_type_answer(p->wire.type))
			sim_trace(n->w, n->id, "%s to node %llu: g%llu term %llu", text, p->to,
				  b[i].group, b[i].term, 0);
		else
			sim_trace(n->w, n->id, "%s to node %llu: g%llu term %llu, granted %llu",
				  text, p->to, b[i].group, b[i].term, b[i].flags & XR_GRANTED);
}

static void send_from(struct node *n, uint16_t port, uint8_t to, const void *bytes, size_t size)
{
	struct packet p = {.from = n->host, .to = to, .port = port, .size = size};

	memcpy(p.bytes, bytes, size);
	check_maps(n);
	note_sent(n, &p);
	check_leaves(n, &p, 0);
	net_send(n->w, &p);
}

static void send_as_engine(void *world, uint8_t to, const void *bytes, size_t size)
{
	send_from(world, XR_PORT, to, bytes, size);
}

/* The warden has a port of its own. */
static void send_as_warden(void *world, uint8_t to, const void *bytes, size_t size)
{
	send_from(world, XR_PORT + 1, to, bytes, size);
}

static void nothing(void *world)
{
	(void)world;
}

static int submit(void *world, const struct xr_vote *v, const struct xr_entry *entry)
{
	struct node *n = world;

	sim_trace(n->w, n->id, "%s: g%llu term %llu vote %llu", "to disk", v->group, v->term,
		  v->vote, 0);
	check_maps(n);
	if (!entry)
		check_asked(n, v);
	store_submit(n, v, entry);
	return 0;
}

static void kick(void *world)
{
	store_kick(world);
}

static void probe(void *world)
{
	store_probe(world);
}

static size_t reap(void *world, struct xr_done *done, size_t max)
{
	struct store *s = &((struct node *)world)->store;
	size_t n = (size_t)s->ndone < max ? (size_t)s->ndone : max;

	for (size_t i = 0; i < n; i++) {
		done[i] = (struct xr_done){.vote = s->done[i].vote, .entry = s->done[i].entry.id};
		check_told(world, &s->done[i].vote);
	}
	s->ndone -= n;
	memmove(s->done, s->done + n, s->ndone * sizeof(s->done[0]));
	return n;
}

static uint64_t oldest_ns(void *world)
{
	return store_oldest_ns(world);
}

static int disk_error(void *world, struct xr_why *why)
{
	struct node *n = world;

	return n->store.failed ? xr_fail(why, -EIO, "a write failed") : 0;
}

static uint64_t echoes(void *world)
{
	struct node *n = world;

	return n->maps.stats.path_answered;
}

static void show(void *world, uint64_t at_ns)
{
	(void)world, (void)at_ns;
}

static void report(void *world, const struct xr_report *r)
{
	struct node *n = world;

	sim_trace_report(n->w, n->id, r);
	if (r->kind == XR_REPORT_stepped_down && r->cause == XR_CAUSE_FAILBACK)
		check_failback(n, (int)r->group, r->cause_node);
	/* Nobody but this engine writes its views while it lives. */
	if (strstr(r->note, "another process has fenced this one"))
		sim_violation(n->w, "one writer of a view (rule 13)", "node %u", n->id);
}

static void arm(void *world, uint64_t at_ns)
{
	node_arm(world, at_ns);
}

static void rest(void *world, uint64_t ns)
{
	(void)world, (void)ns;
}

static void end(void *world, int code)
{
	struct node *n = world;

	n->over = true;
	n->wait_status = code << 8;
}

static void crash(void *world)
{
	struct node *n = world;

	if (!n->w->lies)
		sim_violation(n->w, "the core never sees two leaders (rule 14)", "node %u", n->id);
	node_kill_engine(n, SIGABRT);
	longjmp(*n->child.frame, 1);
}

const struct xr_host sim_host = {
	.now_ns = now_ns,
	.receive = receive,
	.left = left,
	.gone = gone,
	.send = send_as_engine,
	.flush = nothing,
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

const struct xr_host sim_warden_host = {
	.now_ns = now_ns,
	.send = send_as_warden,
	.flush = nothing,
};
