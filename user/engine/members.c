// SPDX-License-Identifier: GPL-2.0-only
/* Whom a group consists of, and of which birth each is (rules 25 to 27); and orders to change it. */
#include <string.h>
#include "engine/engine.h"
#include "engine/words.h"

/*
 * ---- what the entry says, or the configuration where there is none ----
 */

uint32_t xr_members_birth(const struct xr_member *m, uint8_t node)
{
	return m->bodies ? m->bodies->now.birth[node] : 0;
}

/* This node's own bits only where the birth is its own: it answers nobody as somebody else. */
uint32_t xr_members_word(const struct xr_raft *r)
{
	uint32_t own = r->reborn ? 1u << r->self : 0;

	return (r->voters & ~own) | (r->learners & ~own) << XR_LEARNER_SHIFT;
}

/* Before the entry is named, and before a view that rests on it: rules 24 and 27. */
void xr_members_show(struct xr_engine *e, struct xr_member *m)
{
	uint32_t *members = &e->env.groups[m->raft.group].members;
	uint32_t word = xr_members_word(&m->raft);

	if (*members != word)
		*(volatile __u32 *)members = word;
	XR_PAUSE;
}

void xr_members_name(const struct xr_engine *e, const struct xr_entry *entry, struct xr_event *ev)
{
	ev->voters = entry->voters;
	ev->learners = entry->learners;
	ev->reborn = entry->birth[e->config->self] != e->birth;
}

void xr_members_start(struct xr_engine *e, struct xr_member *m, uint32_t voters,
		      const struct xr_entry *entry)
{
	struct xr_event ev = {.voters = voters, .reborn = e->birth};

	if (entry)
		xr_members_name(e, entry, &ev);
	m->raft.voters = ev.voters;
	m->raft.learners = ev.learners;
	m->raft.reborn = ev.reborn;
	xr_members_show(e, m);
}

/* What an earlier birth has promised, this one has not (rule 18). */
static void forget(struct xr_engine *e, struct xr_member *m, uint8_t node)
{
	struct xr_acks *acks = &e->env.acks[m->raft.group];

	*(volatile __u64 *)&acks->echo_ns[node] = 0;
	*(volatile __u32 *)&acks->term[node] = 0;
	acks->paused &= ~(1u << node);
}

static void list(struct xr_text *t, const char *what, uint32_t nodes)
{
	if (!nodes)
		return;
	xr_text_add(t, "%s%s%s", t->len ? "; " : "", what, nodes & (nodes - 1) ? "s" : "");
	xr_each_node_of(node, nodes)
		xr_text_add(t, " %d", node);
}

static void say(struct xr_engine *e, struct xr_member *m)
{
	const struct xr_raft *r = &m->raft;
	uint32_t word = xr_members_word(r);
	struct xr_report report = {
		.at_ns = xr_engine_now_ns(e),
		.group = r->group,
		.term = r->term,
		.kind = XR_REPORT_members,
	};
	struct xr_text t = {0};

	list(&t, "voter", r->voters);
	list(&t, "learner", r->learners);
	if (!(xr_members(word) >> r->self & 1))
		xr_text_add(&t, "; this node is none of them, and stays quiet");
	snprintf(report.note, sizeof(report.note), "%.*s", (int)sizeof(report.note) - 1, t.s);
	memcpy(report.group_name, m->name, sizeof(report.group_name));
	e->host->report(e->world, &report);
}

void xr_members_taken(struct xr_engine *e, struct xr_member *m, const struct xr_entry *before)
{
	const struct xr_entry *now = &m->bodies->now;
	bool first = !before->id;

	xr_each_node(node)
		if (before->birth[node] != now->birth[node])
			forget(e, m, node);
	if (first ? m->first_voters != now->voters || now->learners
		  : before->voters != now->voters || before->learners != now->learners)
		say(e, m);
}

void xr_members_left_out(struct xr_engine *e, uint32_t nodes)
{
	xr_each_node_of(node, nodes) {
		uint32_t groups = 0;

		if (e->peers[node].used)
			continue;
		for (uint32_t id = 0; id < e->env.ngroups; id++)
			groups += xr_raft_members(&e->members[id].raft) >> node & 1;
		if (groups)
			xr_engine_say(e, XR_REPORT_warning,
				      "node %u is left out of [nodes] and is a member of %u "
				      "group(s): no datagram goes to it; put it back, or xraft "
				      "member remove it from each",
				      node, groups);
	}
}

/*
 * ---- orders ----
 */

#define FRESH_NS \
	(100 * NS_PER_MS) /* what a node has told may be of a state that it has lost since */

/* An entry that no majority of its own voters can ack would stay under way. */
static int has_majority(const struct xr_engine *e, const struct xr_member *m,
			const struct xr_entry *next, struct xr_why *why)
{
	int there = 0, all = __builtin_popcount(next->voters);
	struct xr_text silent = {0};

	xr_each_node_of(node, next->voters)
		if (node == m->raft.self || xr_group_answers(e, m, node))
			there++;
		else
			xr_text_add(&silent, "%s%d", silent.len ? ", " : "", node);
	if (2 * there > all)
		return 0;
	return xr_fail(why, -EHOSTDOWN,
		       "%d of the %d voters that there would be answer, and a majority has to: "
		       "start node %s, or remove one that is dead first",
		       there, all, silent.s);
}

/* Rule 27: by the birth that it has told. */
static int add(struct xr_engine *e, struct xr_member *m, const struct xr_order *order,
	       struct xr_entry *next, struct xr_why *why)
{
	const struct xr_acquaintance *a = &e->known[order->node];
	uint32_t bit = 1u << order->node, birth = (uint32_t)xr_introduce_fact(a, XR_FACT_birth);
	bool is_voter = next->voters & bit;

	if (!e->peers[order->node].used && order->node != e->config->self)
		return xr_fail(why, -ENOENT,
			       "node %u is not in [nodes] here: add it there on all nodes, and "
			       "reload each (SIGHUP)",
			       order->node);
	if (xr_raft_members(&m->raft) & bit &&
	    (birth == next->birth[order->node] || !a->introduced))
		return xr_fail(why, -EEXIST, "node %u is a %s of %s already%s", order->node,
			       is_voter ? "voter" : "learner", order->group,
			       a->introduced || order->node == e->config->self
				       ? ""
				       : ", and does not answer: remove it first, if its state is "
					 "lost");
	if (xr_raft_members(&m->raft) & bit)
		return xr_fail(why, -EEXIST,
			       "node %u is a %s of %s by an older state, which it has no longer: "
			       "remove it first",
			       order->node, is_voter ? "voter" : "learner", order->group);
	if (!a->introduced || !birth || xr_engine_now_ns(e) - a->told_ns > FRESH_NS) {
		xr_introduce_ask_soon(e, order->node);
		return xr_fail(why, -EAGAIN,
			       a->introduced && !birth ? "node %u was not started to join: stop "
							 "it, xraft detach, remove its state "
							 "folder, and start xraftd --join there"
						       : "node %u does not answer: start xraftd "
							 "--join there, with the same key "
							 "and [nodes]",
			       order->node);
	}
	next->learners |= bit;
	next->birth[order->node] = birth;
	return 0;
}

static int promote(const struct xr_engine *e, struct xr_member *m, const struct xr_order *order,
		   struct xr_entry *next, struct xr_why *why)
{
	uint32_t bit = 1u << order->node;

	if (next->voters & bit)
		return xr_fail(why, -EEXIST, "node %u is a voter of %s already", order->node,
			       order->group);
	if (!(next->learners & bit))
		return xr_fail(why, -ENOENT, "node %u is no learner of %s: add it first",
			       order->node, order->group);
	if (e->known[order->node].introduced &&
	    xr_introduce_fact(&e->known[order->node], XR_FACT_birth) != next->birth[order->node])
		return xr_fail(
			why, -EEXIST,
			"node %u is a learner of %s by an older state, which it has no longer: "
			"remove it, and add it anew",
			order->node, order->group);
	/* Rule 27: who acks has an entry that names it. */
	if (!xr_group_answers(e, m, order->node))
		return xr_fail(
			why, -EAGAIN,
			"node %u does not follow yet: does it run, and do datagrams reach it? "
			"It is a learner, and may be promoted later",
			order->node);
	next->learners &= (uint16_t)~bit;
	next->voters |= bit;
	return has_majority(e, m, next, why);
}

static bool may_be_led(const struct xr_engine *e, const struct xr_entry *next)
{
	xr_each_node_of(node, next->voters)
		if (e->peers[node].priority)
			return true;
	return false;
}

static int drop(const struct xr_engine *e, struct xr_member *m, const struct xr_order *order,
		struct xr_entry *next, struct xr_why *why)
{
	uint32_t bit = 1u << order->node;

	if (!((next->voters | next->learners) & bit))
		return xr_fail(why, -ENOENT, "node %u is no member of %s", order->node,
			       order->group);
	if (next->voters == bit)
		return xr_fail(why, -EINVAL, "node %u is the only voter of %s", order->node,
			       order->group);
	next->voters &= (uint16_t)~bit;
	next->learners &= (uint16_t)~bit;
	next->birth[order->node] = 0;
	if (!may_be_led(e, next))
		return xr_fail(why, -EINVAL, "of the voters of %s that stay all are witnesses",
			       order->group);
	return has_majority(e, m, next, why);
}

int xr_members_change(struct xr_engine *e, struct xr_member *m, const struct xr_order *order,
		      struct xr_entry *next, struct xr_why *why)
{
	if (!order->node || order->node > XR_NODE_MAX)
		return xr_fail(why, -EINVAL, "there are nodes 1 to %d", XR_NODE_MAX);
	if (order->kind == XR_ORDER_ADD)
		return add(e, m, order, next, why);
	if (order->kind == XR_ORDER_PROMOTE)
		return promote(e, m, order, next, why);
	return drop(e, m, order, next, why);
}
