// SPDX-License-Identifier: GPL-2.0-only
/* The network. */
#include "sim/sim.h"

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
	sim_at(w, at_ns, SIM_EV_DATAGRAM, w->at[p->to], index);
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

static void *grown(void *array, size_t *room, size_t wanted, size_t size)
{
	if (wanted <= *room)
		return array;
	*room = 2 * wanted;
	array = reallocarray(array, *room, size);
	if (!array)
		abort();
	return array;
}

static void capture(struct world *w, const struct packet *p)
{
	size_t size = offsetof(struct packet, bytes) + p->size;
	struct tape *t = &w->tape;

	if (p->wire.type == XR_HEARTBEAT && !w->calm)
		copy_packet(&w->newest_beat[p->wire.source][p->wire.dest], p);
	t->bytes = grown(t->bytes, &t->room, t->size + size, 1);
	t->at = grown(t->at, &t->at_room, t->n + 1, sizeof(t->at[0]));
	t->at[t->n++] = t->size;
	memcpy(t->bytes + t->size, p, size);
	t->size += size;
}

void net_forget(struct world *w)
{
	free(w->tape.bytes);
	free(w->tape.at);
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
	w->at[w->node[p->from].id] = p->from;
	if (w->cut[p->from][p->to] || sim_chance(w, w->loss)) {
		w->result->faults[SIM_LOST] += !w->cut[p->from][p->to];
		return;
	}
	if (w->twice && sim_chance(w, 5)) {
		copy_packet(&spoilt, p);
		flip(w, &spoilt);
		deliver_at(w, &spoilt, w->now_ns + travel_ns(w));
	}
	deliver_at(w, p, w->now_ns + travel_ns(w) + w->slow_ns[p->from][p->to]);
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
 * Anything that was ever said, by anybody, in any life (rule 17). In the calm only by nodes of the
 * core: what another says in its present life, and nobody heard, would rightly cost a leader its term.
 */
void net_replay_any(struct world *w)
{
	const struct tape *t = &w->tape;
	const unsigned char *from;
	struct packet p;

	if (!t->n)
		return;
	from = t->bytes + t->at[sim_below(w, t->n)];
	memcpy(&p, from, offsetof(struct packet, bytes));
	if (w->calm && !(w->core >> p.from & 1))
		return;
	memcpy(p.bytes, from + offsetof(struct packet, bytes), p.size);
	net_replay(w, &p);
}

/* Port unreachable; the kernel limits the rate of such messages. */
void net_say_gone(struct node *n, const struct packet *p)
{
	struct world *w = n->w;

	if (!n->powered || p->port != XR_PORT || w->cut[n->host][p->from] || sim_chance(w, 300))
		return;
	w->result->faults[SIM_SOCKET_GONE]++;
	sim_at(w, w->now_ns + travel_ns(w), SIM_EV_GONE, p->from, n->id);
}
