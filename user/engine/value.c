// SPDX-License-Identifier: GPL-2.0-only
/* The bodies of entries, between wire, disk and maps. What becomes of them the core decides. */
#include <string.h>
#include "engine/engine.h"

static struct xr_bodies *bodies_of(struct xr_member *m)
{
	if (!m->bodies)
		m->bodies = calloc(1, sizeof(*m->bodies));
	return m->bodies;
}

static void copy(struct xr_entry *to, const struct xr_entry *from)
{
	memset(to, 0, sizeof(*to));
	memcpy(to, from, XR_ENTRY_BASE + from->size);
}

/*
 * ---- what others see ----
 */

/* Rule 24: an index says nothing of an entry of another term. */
void xr_value_name(struct xr_engine *e, struct xr_member *m, uint32_t term)
{
	const struct xr_raft *r = &m->raft;
	uint32_t *named = &e->env.groups[r->group].entry;
	uint32_t index = xr_entry_index(r->entry, term);

	if (index && r->committed == r->entry)
		index |= XR_COMMITTED;
	if (*named != index)
		*(volatile __u32 *)named = index;
}

/* Readers take nothing while the number is odd, or another than before (as a seqlock). */
static void write_value(struct xr_value *v, const struct xr_entry *entry, const struct xr_raft *r,
			size_t room)
{
	uint64_t sequence = v->sequence | 1;

	*(volatile __u64 *)&v->sequence = sequence;
	__sync_synchronize();
	v->id = entry->id;
	v->committed = r->committed;
	v->voters = entry->voters;
	v->learners = entry->learners;
	v->size = entry->size;
	v->acked = r->role == XR_LEADER ? (uint16_t)r->acked : 0;
	memcpy(v->birth, entry->birth, sizeof(v->birth));
	memcpy(v + 1, entry->value, entry->size <= room ? entry->size : 0);
	__sync_synchronize();
	*(volatile __u64 *)&v->sequence = sequence + 1;
}

void xr_value_show(struct xr_engine *e, struct xr_member *m)
{
	struct xr_value *v = xr_maps_value(e->maps, m->raft.group);

	xr_members_show(e, m);
	xr_value_name(e, m, m->published.view.term);
	if (v && m->bodies)
		write_value(v, &m->bodies->now, &m->raft, xr_maps_value_room(e->maps));
	XR_PAUSE;
}

bool xr_value_is_committed(const struct xr_engine *e, const struct xr_member *m)
{
	uint32_t named = *(const volatile __u32 *)&e->env.groups[m->raft.group].entry;

	return named & XR_COMMITTED &&
	       (named & XR_INDEX_MAX) == xr_entry_index(m->raft.entry, m->published.view.term);
}

/* What an earlier life has shown as committed is so for ever; of an earlier cluster nothing is left. */
void xr_value_start(struct xr_engine *e, struct xr_member *m, const struct xr_entry *entry)
{
	static const struct xr_entry none;
	struct xr_value *v = xr_maps_value(e->maps, m->raft.group);

	if (entry && bodies_of(m)) {
		copy(&m->bodies->now, entry);
		m->raft.entry = entry->id;
		if (v && v->committed == entry->id)
			m->raft.committed = entry->id;
	}
	if (v && (entry || v->id || v->sequence & 1))
		write_value(v, entry ? entry : &none, &m->raft, xr_maps_value_room(e->maps));
}

/*
 * ---- to the disk and back ----
 */

void xr_value_take(struct xr_engine *e, struct xr_member *m, const struct xr_update *up)
{
	struct xr_bodies *b = m->bodies;

	if (b->next.id != up->entry) { /* the one before, in a new term (rule 26) */
		copy(&b->next, &b->now);
		b->next.id = up->entry;
	}
	if (m->raft.role == XR_LEADER)
		b->handed = b->agreed = false; /* nobody's datagram brought it */
	xr_group_persist(e, m, m->raft.term, m->raft.vote, &b->next);
}

void xr_value_taken(struct xr_engine *e, uint32_t id, uint64_t entry)
{
	struct xr_member *m = &e->members[id];
	struct xr_entry before = m->bodies->now;
	struct xr_event ev = {
		.kind = XR_EV_TAKEN,
		.entry = entry,
		.message.sent_ns = m->bodies->echo_ns,
		.handed = m->bodies->handed,
		.agreed = m->bodies->agreed,
	};

	xr_members_name(e, &m->bodies->next, &ev);
	copy(&m->bodies->now, &m->bodies->next);
	xr_group_step(e, id, &ev);
	xr_members_taken(e, m, &before);
}

/*
 * ---- to others and from them ----
 */

void xr_value_send(struct xr_engine *e, struct xr_member *m, uint8_t to, uint8_t type)
{
	const struct xr_group *g = &e->env.groups[m->raft.group];
	struct xr_record rec = {
		.group = m->raft.group,
		.term = m->raft.term,
		.digest = g->digest,
	};
	bool next = type == XR_APPEND && m->raft.entry_next;
	const struct xr_entry *entry = next ? &m->bodies->next : &m->bodies->now;

	/*
	 * With an entry that removes it, and is not committed, a node would refuse its vote to those
	 * who still need it. Once that is committed it may be handed on.
	 */
	if (type == XR_APPEND && !((entry->voters | entry->learners) >> to & 1))
		return;
	if (type == XR_HAND_ON && m->raft.committed == entry->id)
		rec.entry = XR_COMMITTED;
	xr_outbox_append(&e->outbox, to, type, &rec, entry);
}

/* As long as it says, and of what a group can be. */
static bool is_sound(const struct xr_datagram *d)
{
	const struct xr_append *a = (const struct xr_append *)(&d->wire + 1);
	uint32_t voters = a->entry.voters, learners = a->entry.learners;

	return d->size >= sizeof(d->wire) + sizeof(a->record) + XR_ENTRY_BASE && voters &&
	       !(voters & learners) && !((voters | learners) & ~XR_NODES) &&
	       a->entry.size <= XR_VALUE_MAX &&
	       d->size == sizeof(d->wire) + sizeof(a->record) + xr_entry_size(&a->entry) &&
	       xr_entry_is_made(a->entry.id);
}

static enum xr_reason check(struct xr_engine *e, const struct xr_datagram *d, struct xr_group **g)
{
	const struct xr_append *a = (const struct xr_append *)(&d->wire + 1);
	enum xr_reason reason = xr_env_may_answer(&e->env, &d->wire, xr_engine_now_ns(e));

	if (reason != XR_REASON_END)
		return reason;
	*g = d->size < sizeof(d->wire) + sizeof(a->record) ? NULL
							   : xr_env_group(&e->env, a->record.group);
	if (!*g)
		return XR_R_drop_group;
	reason = xr_rule_record(*g, &a->record);
	if (reason == XR_REASON_END && !is_sound(d))
		return XR_R_drop_group;
	return reason;
}

/* An APPEND: the core takes it, or takes it for the heartbeat that it is, too. */
void xr_value_passed(struct xr_engine *e, const struct xr_datagram *d)
{
	const struct xr_append *a = (const struct xr_append *)(&d->wire + 1);
	struct xr_group *g;
	enum xr_reason reason = check(e, d, &g);
	struct xr_member *m;
	struct xr_message msg;

	if (reason != XR_REASON_END) {
		xr_env_count(&e->env, reason);
		return;
	}
	m = &e->members[a->record.group];
	if (!bodies_of(m))
		return; /* no memory: it comes again */
	if (!m->raft.entry_next) {
		copy(&m->bodies->next, &a->entry);
		m->bodies->echo_ns = d->wire.sent_ns;
		m->bodies->handed = d->wire.type == XR_HAND_ON;
		m->bodies->agreed = m->bodies->handed && a->record.entry & XR_COMMITTED;
	}
	msg = (struct xr_message){
		.type = d->wire.type,
		.node = d->wire.source,
		.term = a->record.term,
		.entry = a->entry.id,
		.sent_ns = d->wire.sent_ns,
	};
	xr_group_message(e, a->record.group, &msg);
}

/*
 * ---- orders ----
 */

/* To whoever leads now. */
static int refer(const struct xr_engine *e, const struct xr_raft *r, const struct xr_order *order,
		 struct xr_why *why)
{
	bool set = order->kind == XR_ORDER_SET;
	const char *what = set ? "sets the value" : "changes the members";

	if (!r->leader && !(xr_raft_members(r) >> r->self & 1))
		return xr_fail(why, -EPERM,
			       "its leader %s of %s, and this node is none of its members: ask one "
			       "that xraft member list names",
			       what, order->group);
	if (!r->leader)
		return xr_fail(why, -EPERM,
			       "its leader %s of %s, and this node knows of none: try again once "
			       "xraft status shows one",
			       what, order->group);
	return xr_fail(why, -EPERM,
		       "its leader %s of %s, and node %u leads: run xraft -n %s.%u %s there", what,
		       order->group, r->leader, e->config->cluster, r->leader,
		       set ? "set" : "member");
}

static int may_change(const struct xr_engine *e, const struct xr_member *m,
		      const struct xr_order *order, struct xr_why *why)
{
	const struct xr_raft *r = &m->raft;

	if (r->role != XR_LEADER)
		return refer(e, r, order, why);
	if (order->conditional && order->if_id != r->entry)
		return r->entry ? xr_fail(why, -ESTALE,
					  "the entry of %s is %u.%u by now: read it again, and "
					  "decide anew",
					  order->group, xr_entry_term(r->entry), (uint32_t)r->entry)
				: xr_fail(why, -ESTALE,
					  "nobody has set a value of %s: the id of none is 0",
					  order->group);
	if (xr_raft_under_way(r))
		return xr_fail(why, -EBUSY,
			       "%s has an entry under way, which no majority has yet: is one "
			       "reachable? See xraft status, and try again",
			       order->group);
	if ((uint32_t)r->entry >= XR_INDEX_MAX)
		return xr_fail(why, -EOVERFLOW, "%s has had %u entries, and can have no more",
			       order->group, XR_INDEX_MAX);
	return 0;
}

static int set_value(const struct xr_engine *e, const struct xr_order *order, struct xr_entry *next,
		     struct xr_why *why)
{
	size_t room = e->maps->values ? xr_maps_value_room(e->maps) : XR_VALUE_MAX;

	if (order->size > XR_VALUE_MAX || order->size > room)
		return xr_fail(
			why, -EINVAL,
			"the value has %u bytes, and there is room for %zu: make it shorter, "
			"or raise value_bytes (at most %d) on all nodes and restart them",
			order->size, room, XR_VALUE_MAX);
	next->size = order->size;
	memset(next->value, 0, sizeof(next->value));
	memcpy(next->value, order->value, order->size);
	return 0;
}

/*
 * All that is now, but for what the order changes. Members change only once an entry of this leader's
 * own term is committed (rule 26): where there never was one, that is made first.
 */
static int fill(struct xr_engine *e, struct xr_member *m, const struct xr_order *order,
		struct xr_why *why)
{
	struct xr_entry *next = &m->bodies->next;
	const struct xr_raft *r = &m->raft;

	copy(next, &m->bodies->now);
	next->id = (uint64_t)r->term << 32 | ((uint32_t)r->entry + 1);
	next->voters = (uint16_t)r->voters;
	next->learners = (uint16_t)r->learners;
	if (order->kind == XR_ORDER_SET)
		return set_value(e, order, next, why);
	return r->entry ? xr_members_change(e, m, order, next, why) : 0;
}

void xr_value_order(struct xr_engine *e, const struct xr_order *order, struct xr_order_result *r)
{
	struct xr_event ev = {.kind = XR_EV_PROPOSE};
	struct xr_member *m = xr_group_find(e, order->group);
	bool first;

	r->err = m ? may_change(e, m, order, &r->why)
		   : xr_fail(&r->why, -ENOENT, "there is no group %s here", order->group);
	if (!r->err && !bodies_of(m))
		r->err = xr_fail(&r->why, -ENOMEM, "no memory");
	if (!r->err)
		r->err = fill(e, m, order, &r->why);
	if (r->err)
		return;
	first = !m->raft.entry && order->kind != XR_ORDER_SET;
	r->entry = m->bodies->next.id;
	r->term = m->raft.term;
	xr_group_step(e, m->raft.group, &ev);
	if (xr_raft_newest(&m->raft) != r->entry)
		r->err = xr_fail(&r->why, -EPERM, "this node leads %s no longer", order->group);
	else if (first)
		r->err = xr_fail(&r->why, -EBUSY, "the first entry of %s is under way",
				 order->group);
}

/*
 * An ack that names a committed entry does not come up (rule 25). So where the one before it was lost, who
 * has it is asked again, for people who look (rule 20).
 */
void xr_value_again(struct xr_engine *e, struct xr_member *m)
{
	const struct xr_raft *r = &m->raft;
	uint32_t missing = r->voters & ~r->acked;

	if (!r->entry || r->role != XR_LEADER || r->committed != r->entry)
		return;
	xr_each_node_of(node, missing & ~(1u << r->self))
		if (xr_group_answers(e, m, node))
			xr_value_send(e, m, node, XR_APPEND);
}
