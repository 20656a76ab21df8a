// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who stands for election: this node unless it is paused, the others as they tell; and failback, by
 * which a leader makes way for a node of higher priority. A pause is a word of the group's record in the
 * journal, beside term and vote: as durable, by the same write, and for the core only once it is.
 */
#include <string.h>
#include "engine/engine.h"

static struct xr_acks *acks_of(const struct xr_engine *e, const struct xr_member *m)
{
	return &e->env.acks[m->raft.group];
}

__attribute__((format(printf, 4, 5))) static void say(struct xr_engine *e,
						      const struct xr_member *m,
						      enum xr_report_kind kind, const char *fmt,
						      ...)
{
	struct xr_report r = {
		.at_ns = xr_engine_now_ns(e),
		.group = m->raft.group,
		.term = m->raft.term,
		.kind = kind,
	};
	va_list ap;

	memcpy(r.group_name, m->name, sizeof(r.group_name));
	va_start(ap, fmt);
	vsnprintf(r.note, sizeof(r.note), fmt, ap);
	va_end(ap);
	if ((e->named && e->named[m->raft.group]) || !xr_crowd_hold(&e->crowd, &r))
		e->host->report(e->world, &r);
}

static void show(struct xr_engine *e, const struct xr_member *m, uint32_t paused_s)
{
	struct xr_acks *acks = acks_of(e, m);
	uint32_t self = 1u << m->raft.self;

	acks->paused_s = paused_s;
	acks->paused = paused_s ? acks->paused | self : acks->paused & ~self;
}

void xr_stand_start(struct xr_engine *e, struct xr_member *m, uint32_t paused_s)
{
	time_t since = paused_s;
	char text[32];
	struct tm tm;

	m->asked.paused_s = paused_s;
	m->raft.paused = paused_s;
	acks_of(e, m)->paused = 0; /* others tell anew */
	show(e, m, paused_s);
	if (!paused_s)
		return;
	e->pauses++;
	gmtime_r(&since, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm);
	say(e, m, XR_REPORT_paused, "as it was when it ended, since %s", text);
}

/*
 * ---- orders ----
 */
static void ask_disk(struct xr_engine *e, struct xr_member *m, uint32_t paused_s,
		     struct xr_order_result *r)
{
	if (m->raft.role == XR_LEADER && paused_s) {
		r->groups++;
		r->term = m->raft.term;
	}
	if (!m->asked.paused_s == !paused_s)
		return;
	m->asked.paused_s = paused_s;
	xr_group_persist(e, m, m->asked.term, m->asked.vote, NULL);
	r->changed++;
}

void xr_stand_order(struct xr_engine *e, const struct xr_order *order, struct xr_order_result *r)
{
	bool found = !order->group[0];

	snprintf(e->asked_by, sizeof(e->asked_by), "%s", order->who);
	for (uint32_t id = 0; id < e->env.ngroups; id++) {
		struct xr_member *m = &e->members[id];

		if (!m->raft.voters || (order->group[0] && strcmp(m->name, order->group) != 0))
			continue;
		found = true;
		ask_disk(e, m, order->kind == XR_ORDER_PAUSE ? order->at_s : 0, r);
	}
	if (!found)
		r->err = xr_fail(&r->why, -ENOENT, "there is no group %s here", order->group);
}

static void tell(struct xr_engine *e, const struct xr_member *m, bool paused)
{
	uint8_t heir = xr_group_heir(e, m);

	if (!paused)
		say(e, m, XR_REPORT_resumed, "asked by %s", e->asked_by);
	else if (m->raft.role != XR_LEADER)
		say(e, m, XR_REPORT_paused, "asked by %s", e->asked_by);
	else if (heir)
		say(e, m, XR_REPORT_paused, "asked by %s; it hands over to node %u", e->asked_by,
		    heir);
	else
		say(e, m, XR_REPORT_paused,
		    "asked by %s; it steps down, and no other node that it hears may lead",
		    e->asked_by);
}

void xr_stand_durable(struct xr_engine *e, struct xr_member *m, uint32_t paused_s)
{
	struct xr_event ev = {.kind = XR_EV_PAUSE, .paused = paused_s};

	if (m->raft.paused == ev.paused)
		return;
	tell(e, m, paused_s);
	e->pauses += paused_s ? 1 : -1;
	e->news = true;
	xr_group_step(e, m->raft.group, &ev);
	show(e, m, paused_s);
}

/*
 * ---- the others ----
 */
static void forget(struct xr_engine *e, uint8_t node)
{
	if (!(e->paused_there >> node & 1))
		return;
	e->paused_there &= ~(1u << node);
	for (uint32_t id = 0; id < e->env.ngroups; id++)
		e->env.acks[id].paused &= ~(1u << node);
}

void xr_stand_told(struct xr_engine *e, uint8_t node, const struct xr_fact *fact, int n, bool first)
{
	if (first)
		forget(e, node);
	for (int i = 0; i < n; i++) {
		if (fact[i].what != XR_FACT_paused || fact[i].of >= e->env.ngroups)
			continue;
		e->paused_there |= 1u << node;
		e->env.acks[fact[i].of].paused |= 1u << node;
	}
}

static bool may_lead(const struct xr_engine *e, const struct xr_member *m, uint8_t node)
{
	return e->peers[node].priority && !(acks_of(e, m)->paused >> node & 1);
}

static void look_for_anybody(struct xr_engine *e, struct xr_member *m, uint64_t now_ns)
{
	bool nobody = true;

	if (!e->pauses && !e->paused_there && !m->nobody)
		return; /* nothing but pauses takes the last one away */
	xr_each_node_of(node, m->raft.voters)
		nobody = nobody && !may_lead(e, m, node);
	e->nobodys += nobody - m->nobody;
	m->nobody = nobody;
	if (nobody)
		xr_look_wrong(e->looks, XR_LOOK_nobody, 0, now_ns,
			      "all voters of %s that are no witnesses are paused: it has no leader",
			      m->name);
}

/*
 * ---- failback ----
 */

/* Of those of higher priority that are well, the highest; 0: there is none. */
static uint8_t favourite(const struct xr_engine *e, const struct xr_member *m)
{
	uint8_t found = 0, highest = e->peers[m->raft.self].priority;

	xr_each_node_of(node, m->raft.voters) {
		if (e->peers[node].priority <= highest || !may_lead(e, m, node) ||
		    !xr_group_answers(e, m, node))
			continue;
		highest = e->peers[node].priority;
		found = node;
	}
	return found;
}

/* A break, another life of it, or another term of ours, and the wait begins anew. */
static void look_for_higher(struct xr_engine *e, struct xr_member *m, uint64_t now_ns)
{
	uint8_t node = favourite(e, m);
	uint64_t life = e->known[node].life;
	struct xr_event ev = {.kind = XR_EV_STEP_DOWN, .heir = node};

	if (node != m->favourite.node || life != m->favourite.life ||
	    m->raft.term != m->favourite.term) {
		m->favourite.node = node;
		m->favourite.life = life;
		m->favourite.term = m->raft.term;
		m->favourite.since_ns = now_ns;
	}
	ev.why.cause = XR_CAUSE_FAILBACK;
	ev.why.node = node;
	ev.why.ns = now_ns - m->favourite.since_ns;
	if (node && ev.why.ns >= e->config->failback_ms * NS_PER_MS)
		xr_group_step(e, m->raft.group, &ev);
}

void xr_stand_look(struct xr_engine *e, struct xr_member *m, uint64_t now_ns)
{
	look_for_anybody(e, m, now_ns);
	if (m->raft.role == XR_LEADER && e->config->failback_ms)
		look_for_higher(e, m, now_ns);
}
