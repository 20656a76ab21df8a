// SPDX-License-Identifier: GPL-2.0-only
/* The network, and the daemon's way to it (as net/datagram.c). */
#include "net/env.h"
#include "sim/sim.h"

#define WARDEN_PORT (XR_PORT + 1)

/*
 * ---- datagrams under way ----
 */

struct packet *sim_packet(struct world *w, uint32_t *index)
{
	if (!w->nfree)
		return NULL; /* a buffer somewhere is full */
	*index = w->free_packets[--w->nfree];
	return &w->packets[*index];
}

void sim_packet_free(struct world *w, uint32_t index)
{
	w->free_packets[w->nfree++] = index;
}

static void copy_packet(struct packet *to, const struct packet *from)
{
	memcpy(to, from, offsetof(struct packet, bytes) + from->size);
}

static void deliver_at(struct world *w, const struct packet *p, uint64_t at_ns)
{
	uint32_t index;
	struct packet *copy = sim_packet(w, &index);

	if (!copy)
		return;
	copy_packet(copy, p);
	w->result->datagrams++;
	sim_at(w, at_ns, SIM_EV_DATAGRAM, p->to, index);
}

static uint64_t travel_ns(struct world *w)
{
	uint64_t ns = w->delay_ns + sim_below(w, w->jitter_ns + 1);

	if (sim_chance(w, w->late)) {
		w->result->faults[SIM_DELAYED]++;
		ns += sim_between(w, 0, 3 * w->timing.max_timeout_ns);
	}
	return ns;
}

static void capture(struct world *w, const struct packet *p)
{
	uint64_t slot = w->ncapture++;

	if (p->wire.type == XR_HEARTBEAT && !w->calm)
		copy_packet(&w->newest_beat[p->wire.source][p->wire.dest], p);
	if (slot >= SIM_CAPTURE) /* a fair sample of everything so far */
		slot = sim_below(w, w->ncapture);
	if (slot < SIM_CAPTURE)
		copy_packet(&w->capture[slot], p);
}

/* A bit goes over: the tag has to notice (rule 10). */
static void flip(struct world *w, struct packet *p)
{
	uint64_t bit = sim_below(w, p->size * 8);

	p->bytes[bit / 8] ^= 1 << bit % 8;
	w->result->faults[SIM_FLIPPED]++;
}

void net_send(struct world *w, const struct packet *p)
{
	struct packet spoilt;

	capture(w, p);
	if (w->cut[p->from][p->to] || sim_chance(w, w->loss)) {
		w->result->faults[SIM_LOST] += !w->cut[p->from][p->to];
		return;
	}
	if (w->twice && sim_chance(w, 5)) {
		copy_packet(&spoilt, p);
		flip(w, &spoilt);
		deliver_at(w, &spoilt, w->now_ns + travel_ns(w));
	}
	deliver_at(w, p, w->now_ns + travel_ns(w));
	if (sim_chance(w, w->twice)) {
		w->result->faults[SIM_DOUBLED]++;
		deliver_at(w, p, w->now_ns + travel_ns(w) + sim_below(w, MS(5)));
	}
}

void net_replay(struct world *w, const struct packet *p)
{
	if (!p->size)
		return;
	w->result->faults[SIM_REPLAYED]++;
	deliver_at(w, p, w->now_ns + sim_below(w, US(100)));
}

/*
 * ---- the daemon's outbox: bodies for one peer share a datagram ----
 */

static void seal(struct node *n, struct packet *p)
{
	p->wire.magic = XR_WIRE_MAGIC;
	p->wire.version = XR_WIRE_VERSION;
	p->wire.source = n->id;
	p->wire.dest = p->to;
	p->wire.key_id = n->maps.keys[0].id;
	p->wire.min_timeout_us = n->maps.control.min_timeout_us;
	p->wire.sent_ns = sim_local(n);
	p->wire.tag = xr_tag(&p->wire, p->bytes + p->size, p->size, &n->maps.keys[0].sip);
}

static void seal_and_send(struct node *n, uint8_t to)
{
	struct packet *p = &n->outbox[to];

	p->from = n->id;
	p->to = to;
	p->port = XR_PORT;
	seal(n, p);
	check_leaves(n, p, 0);
	net_send(n->w, p);
	p->wire.count = 0;
	p->size = 0;
}

static void *room(struct node *n, uint8_t to, uint8_t type, uint64_t echo_ns, size_t size)
{
	struct packet *p = &n->outbox[to];

	if (p->size && (p->wire.type != type || p->wire.echo_ns != echo_ns ||
			p->size + size > sizeof(p->bytes)))
		seal_and_send(n, to);
	if (!p->size) {
		p->wire = (struct xr_wire){.type = type, .echo_ns = echo_ns};
		p->size = sizeof(p->wire);
	}
	p->size += size;
	p->wire.count++;
	return p->bytes + p->size - size;
}

void outbox_record(struct node *n, uint8_t to, uint8_t type, uint64_t echo_ns,
		   const struct xr_record *rec)
{
	memcpy(room(n, to, type, echo_ns, sizeof(*rec)), rec, sizeof(*rec));
}

void outbox_ballot(struct node *n, uint8_t to, uint8_t type, const struct xr_ballot *ballot)
{
	sim_trace(n->w, n->id, "says %s to node %llu: group %llu term %llu granted %llu",
		  sim_type_name(type), to, ballot->group, ballot->term, ballot->flags);
	memcpy(room(n, to, type, 0, sizeof(*ballot)), ballot, sizeof(*ballot));
}

void outbox_flush(struct node *n)
{
	for (uint8_t to = 1; to <= n->w->n; to++)
		if (n->outbox[to].size)
			seal_and_send(n, to);
}

void outbox_drop(struct node *n)
{
	for (uint8_t to = 1; to <= n->w->n; to++)
		n->outbox[to].size = n->outbox[to].wire.count = 0;
}

/* Port unreachable; the kernel limits the rate of such messages. */
void net_say_gone(struct node *n, const struct packet *p)
{
	struct world *w = n->w;

	if (!n->powered || p->port != XR_PORT || w->cut[n->id][p->from] || sim_chance(w, 300))
		return;
	w->result->faults[SIM_SOCKET_GONE]++;
	sim_at(w, w->now_ns + travel_ns(w), SIM_EV_GONE, p->from, n->id);
}

/* The warden speaks for its dead engine, from a port of its own (DESIGN 4). */
void net_resign_by_warden(struct node *n, int group, uint32_t term)
{
	struct packet p = {.from = n->id, .port = WARDEN_PORT};
	struct xr_ballot ballot = {
		.group = group,
		.term = term,
		.digest = SIM_DIGEST,
		.node = xr_heir(&n->maps.groups[group], &n->maps.acks[group], &n->maps.control,
				group),
	};

	sim_trace(n->w, n->id, "%s resigns group %llu term %llu", "warden", group, term, 0, 0);
	for (p.to = 1; p.to <= n->w->n; p.to++) {
		if (p.to == n->id)
			continue;
		p.wire = (struct xr_wire){.type = XR_RESIGN, .count = 1};
		p.size = sizeof(p.wire) + sizeof(ballot);
		memcpy(p.bytes + sizeof(p.wire), &ballot, sizeof(ballot));
		seal(n, &p);
		check_leaves(n, &p, 0);
		net_send(n->w, &p);
	}
}
