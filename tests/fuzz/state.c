// SPDX-License-Identifier: GPL-2.0-only
#include "state.h"

#define EDITED 8 /* the first groups of a world are those that change */

/* What state_packet() puts right. */
enum {
	FIX_HEADER = 1 << 0, /* magic, version, addressee, a sender that exists */
	FIX_KEY = 1 << 1,
	FIX_TYPE = 1 << 2,
	FIX_SIZE = 1 << 3, /* as many bodies as there are bytes */
	FIX_BODY = 1 << 4, /* groups that exist, their digests, terms close by */
	FIX_TIME = 1 << 5, /* D, and an echo of late */
	FIX_TAG = 1 << 6,
	FIX_SENDER = 1 << 7, /* and lives, unless they are odd */
};

static __u64 some_time(struct input *in, __u64 now)
{
	static const int seconds[] = {0, -100, -30, -10, -1, 10, 100, -1};
	__u8 which = take8(in) & 7;

	return which ? now + (__u64)seconds[which] * NS_PER_S : 0;
}

static __u32 some_term(struct input *in)
{
	__u8 which = take8(in);

	return which & 128 ? take32(in) : 5 + which % 5u;
}

/* One of few, so that what is named is often what is there. */
static __u32 some_entry(struct input *in)
{
	__u8 which = take8(in);

	return (which & 64 ? take32(in) : which & 3) | (which & 128 ? XR_COMMITTED : 0);
}

static void edit_group(struct world *w, struct input *in)
{
	static const __u32 members[] = {0xe,	    0,	     0x6,	0x1e,	 0x3fe,	   0xc,
					0xffffffff, 0x2,     0x2000c,	0x20000, 0x12000c, 0x10000e,
					0x80006,    0x4000a, 0x3f0000e, 0x20006};
	__u32 i = take8(in) % EDITED;
	struct xr_group *g = &w->groups[i];

	switch (take8(in) % 8) {
	case 0:
		g->view = (struct xr_view){.term = some_term(in),
					   .leader = take8(in) % 5,
					   .mode = (enum xr_mode)(take8(in) % 3)};
		break;
	case 1:
		g->contact_ns = some_time(in, w->now);
		break;
	case 2:
		g->replay = xr_mark(some_term(in), take64(in));
		break;
	case 3:
		g->lead_since_ns = some_time(in, w->now);
		break;
	case 4:
		g->members = members[take8(in) & 15];
		break;
	case 5:
		w->acks[i].echo_ns[take8(in) % (XR_NODE_MAX + 1)] = some_time(in, w->now);
		break;
	case 6:
		g->digest = take16(in);
		break;
	case 7:
		g->entry = some_entry(in);
		break;
	}
}

static void edit_peer(struct xr_peer *p, __u8 how)
{
	p->used = how & 1;
	if (how & 2)
		p->lives = 0;
	if (how & 4)
		p->lives += how;
}

static void edit_node(struct world *w, struct input *in)
{
	struct xr_control *c = &w->control;
	__u8 which = take8(in) & 15;

	switch (take8(in) % 7) {
	case 0:
		c->alive_until_ns = some_time(in, w->now);
		break;
	case 1:
		c->answer = take8(in) & 1;
		break;
	case 2:
		/* With a D of a minute some answers of FIX_TIME are of late (rule 17). */
		c->min_timeout_us = which == 15 ? 60000000u : 50000u + which * 10000u;
		break;
	case 3:
		w->keys[which & 1].used = take8(in) & 1;
		w->keys[which & 1].id = take8(in);
		break;
	case 4:
		edit_peer(&w->peers[which % (XR_NODE_MAX + 1)], take8(in));
		break;
	case 5:
		w->peers[which % (XR_NODE_MAX + 1)].port = take16(in);
		break;
	case 6:
		c->quorum_lapse_us = 1000000u * which;
		break;
	}
}

/* world_default() looks at the clock; here the clock is an input. */
static void move_to(struct world *w, __u64 now)
{
	__u64 by = now - w->now;

	w->now = now;
	w->control.alive_until_ns += by;
	for (int i = 0; i < RIG_GROUPS; i++) {
		w->groups[i].contact_ns += by;
		if (w->groups[i].lead_since_ns)
			w->groups[i].lead_since_ns += by;
		if (w->acks[i].echo_ns[2])
			w->acks[i].echo_ns[2] = now - NS_PER_S;
	}
}

void state_world(struct world *w, struct input *in, __u64 now)
{
	__u8 shape = take8(in);

	world_default(w, shape & 1);
	if (shape & 2)
		world_lead(w);
	move_to(w, now);
	for (int edits = shape >> 2 & 7; edits; edits--) {
		if (take8(in) & 1)
			edit_node(w, in);
		else
			edit_group(w, in);
	}
}

static void fix_header(struct packet *p, const struct world *w, __u8 fix)
{
	struct xr_wire *h = &p->d.h;

	if (fix & FIX_HEADER) {
		h->magic = XR_WIRE_MAGIC;
		h->version = XR_WIRE_VERSION;
		h->dest = w->control.self;
	}
	if (fix & FIX_SENDER) {
		h->source = 2 + (h->source & 1);
		if (!(h->lives & 1))
			h->lives = RIG_LIVES(h->source, RIG_SELF);
	}
	if (fix & FIX_KEY)
		h->key_id = w->keys[h->key_id & 1].id;
	if (fix & FIX_TYPE)
		h->type = 1 + h->type % (XR_TYPE_END - 1);
	if (fix & FIX_TIME) {
		h->min_timeout_us = w->control.min_timeout_us;
		h->echo_ns = w->now - (1 + h->echo_ns % 16) * 5 * NS_PER_S + NS_PER_S / 2;
	}
}

static void fix_size(struct packet *p)
{
	__u32 body = xr_wire_body_size(p->d.h.type), bodies = (__u32)p->payload - sizeof(p->d.h);

	p->d.h.count = body ? bodies / body : 0;
	p->payload = (int)(sizeof(p->d.h) + p->d.h.count * body);
}

static void fix_body(struct packet *p, const struct world *w)
{
	for (int i = 0; i < p->d.h.count && i < XR_RECORDS; i++) {
		struct xr_record *rec = &p->d.rec[i];

		rec->group %= EDITED;
		rec->digest = w->groups[rec->group].digest;
		if (rec->flags & 0x80)
			rec->flags &= 0xf;
		else
			rec->flags = p->d.h.type == XR_ACK;
		if (rec->term & 0x80)
			rec->term = w->groups[rec->group].view.term + (rec->term & 3) - 1;
		else
			rec->term = w->groups[rec->group].view.term;
		if (rec->entry & 0x80)
			rec->entry = w->groups[rec->group].entry | (rec->entry & XR_COMMITTED);
	}
}

void state_packet(struct packet *p, const struct world *w, struct input *in)
{
	__u8 fix = ~take8(in); /* zeros put all right */
	size_t size = in->left < sizeof(p->d) ? in->left : sizeof(p->d);

	take(in, &p->d, size);
	if (fix & FIX_SIZE && size < sizeof(p->d.h))
		size = sizeof(p->d.h);
	p->payload = (int)size;
	p->unsealed = true;
	if (size < sizeof(p->d.h))
		return;
	fix_header(p, w, fix);
	if (fix & FIX_SIZE)
		fix_size(p);
	if (fix & FIX_BODY && xr_type_body(p->d.h.type) == XR_BODY_RECORD)
		fix_body(p, w);
	if (fix & FIX_TAG)
		p->d.h.tag = frame_tag(&p->d, (__u32)p->payload, &w->keys[p->d.h.key_id & 1].sip);
}
