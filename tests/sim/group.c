// SPDX-License-Identifier: GPL-2.0-only
/*
 * One group's updates carried out as daemon/group.c does: fence, persist, publish, ack, beat, send.
 * Between any two of these, and between the reads of a look, the daemon may be held or die.
 */
#include "net/env.h"
#include "sim/sim.h"
#include "sim/bugs.h"

static struct xr_group *record_of(struct node *n, int g)
{
	return &n->maps.groups[g];
}

/* All that writes a view comes through here, so that the checker knows who says that it leads. */
void group_set_view(struct node *n, int g, struct xr_view view)
{
	record_of(n, g)->view = view;
	if (view.mode == XR_LEAD)
		n->w->lead_views[g] |= 1u << n->id;
	else
		n->w->lead_views[g] &= ~(1u << n->id);
	if (view.mode == XR_LEAD)
		reader_start(n, g);
}

static void publish(struct node *n, int g, struct xr_view view)
{
	struct member *m = &n->member[g];
	union xr_word now = xr_view_read(record_of(n, g));

	if (now.word != m->published.word) {
		sim_violation(n->w, "one writer of a view (rule 13)", "node %u group %d", n->id, g);
		return;
	}
	check_publish(n, g, now.view, view);
	group_set_view(n, g, view);
	m->published.view = view;
	check_leases(n->w);
}

static void fence(struct node *n, int g, bool to_decide)
{
	struct member *m = &n->member[g];

	m->unfenced = m->published;
	if (to_decide && (XR_BUG(no_fence) || XR_BUG(no_barrier)))
		return;
	publish(n, g, (struct xr_view){.term = m->published.view.term, .mode = XR_NONE});
}

/* Without the barrier the fence leaves the CPU only after the second look. */
static void late_fence(struct node *n, int g)
{
	struct xr_view none = {.term = n->member[g].published.view.term, .mode = XR_NONE};

	if (XR_BUG(no_barrier))
		publish(n, g, none);
}

static void persist(struct node *n, int g, const struct xr_update *up)
{
	struct xr_vote vote = {
		.group = g,
		.term = up->term,
		.vote = up->vote,
		.digest = SIM_DIGEST,
		.name = "group",
	};

	sim_trace(n->w, n->id, "%s: group %llu term %llu vote %llu", "decided", g, up->term,
		  up->vote, 0);
	check_decided(n, g, up->term, up->vote);
	store_submit(n, &vote);
}

/* By the very rule of the NIC path: stamp first (rule 4). */
static void ack(struct node *n, int g, uint8_t to, uint64_t echo_ns)
{
	struct xr_record rec = {.group = g, .term = n->member[g].raft.term, .digest = SIM_DIGEST};
	struct xr_wire h = {
		.source = to,
		.sent_ns = echo_ns,
		.min_timeout_us = n->peer_min_timeout_us[to],
	};
	uint64_t now_ns = sim_local(n);
	enum xr_reason reason;
	struct xr_env env;

	env.control = &n->maps.control;
	reason = xr_env_may_answer(&env, &h, now_ns);

	if (reason == XR_REASON_END)
		reason = xr_rule_heartbeat(record_of(n, g), env.control, &h, &rec, now_ns);
	if (XR_BUG(ack_without_stamp))
		reason = XR_R_heartbeat_answered;
	if (reason != XR_R_heartbeat_answered)
		return;
	n->stamped_ns[g] = n->w->now_ns;
	rec.flags = XR_ACKED;
	outbox_record(n, to, XR_ACK, echo_ns, &rec);
}

static void send_record(struct node *n, int g, uint8_t to, uint8_t type)
{
	struct xr_record rec = {.group = g, .term = n->member[g].raft.term, .digest = SIM_DIGEST};

	outbox_record(n, to, type, 0, &rec);
}

static void send_to(struct node *n, int g, uint8_t to, const struct xr_message *msg)
{
	struct xr_ballot ballot;

	if (msg->type == XR_POLL) {
		send_record(n, g, to, XR_POLL);
		return;
	}
	ballot = xr_ballot_of(msg, g, SIM_DIGEST);
	outbox_ballot(n, to, msg->type, &ballot);
}

static void send_message(struct node *n, int g, const struct xr_message *msg)
{
	const struct xr_raft *r = &n->member[g].raft;
	uint32_t others = r->voters & ~(1u << n->id) & ~msg->skip;

	if (msg->node)
		others = 1u << msg->node;
	for (uint8_t to = 1; to <= n->w->n; to++)
		if (others >> to & 1)
			send_to(n, g, to, msg);
}

static void beat(struct node *n, int g)
{
	sim_trace(n->w, n->id, "%s in group %llu, term %llu", "beats", g, n->member[g].raft.term, 0,
		  0);
	for (uint8_t to = 1; to <= n->w->n; to++)
		if (to != n->id)
			send_record(n, g, to, XR_HEARTBEAT);
}

static bool publish_update(struct node *n, int g, const struct xr_update *up)
{
	struct xr_group *record = record_of(n, g);

	if (up->view.mode == XR_LEAD) {
		record->lead_since_ns = sim_local(n);
		if (!sim_hold_daemon(n))
			return false;
	}
	publish(n, g, up->view);
	return sim_hold_daemon(n);
}

static bool carry_out(struct node *n, int g, const struct xr_update *up)
{
	if (XR_BUG(resign_before_fence) && up->what & XR_DO_FENCE_ONLY) {
		for (int i = 0; i < up->nsend; i++)
			send_message(n, g, &up->send[i]);
		outbox_flush(n);
		if (!sim_hold_daemon(n))
			return false;
	}
	if (up->what & (XR_DO_FENCE | XR_DO_FENCE_ONLY)) {
		if (!sim_hold_daemon(n))
			return false;
		fence(n, g, up->what & XR_DO_FENCE);
		if (!sim_hold_daemon(n))
			return false;
	}
	if (up->what & XR_DO_RESTORE)
		publish(n, g, n->member[g].unfenced.view);
	if (up->what & XR_DO_PERSIST)
		persist(n, g, up);
	if (up->what & XR_DO_PUBLISH && !publish_update(n, g, up))
		return false;
	if (up->what & XR_DO_ACK)
		ack(n, g, up->ack_to, up->ack_echo_ns);
	if (up->what & XR_DO_BEAT)
		beat(n, g);
	for (int i = 0; i < up->nsend; i++)
		send_message(n, g, &up->send[i]);
	return !n->w->failed && sim_hold_daemon(n);
}

/* What the maps say at this moment; false: died between two reads. */
static bool look(struct node *n, int g, struct xr_event *ev)
{
	struct member *m = &n->member[g];
	const struct xr_group *record = record_of(n, g);
	const struct xr_acks *acks = &n->maps.acks[g];
	const struct xr_control *c = &n->maps.control;

	if (!XR_BUG(look_not_again) || ev->kind != XR_EV_LOOKED)
		ev->contact_ns = record->contact_ns;
	if (!sim_hold_daemon(n))
		return false;
	ev->now_ns = sim_local(n);
	ev->random = sim_random(n->w);
	if (m->raft.role == XR_LEADER) {
		ev->lease = xr_quorum_fresh(record, acks, n->id, ev->now_ns, xr_lease_ns(c));
		ev->may_lead = xr_may_lead(record, acks, c, ev->now_ns);
	}
	if (!ev->heir && (m->raft.role == XR_LEADER || ev->message.type == XR_POLL))
		ev->heir = xr_heir(record, acks, c, g); /* a transfer names its own */
	return true;
}

bool group_step(struct node *n, int g, struct xr_event *ev)
{
	struct member *m = &n->member[g];
	struct xr_update up;

	do {
		if (!look(n, g, ev))
			return false;
		if (ev->kind == XR_EV_LOOKED)
			late_fence(n, g);
		xr_raft_step(&m->raft, ev, &up);
		if (up.two_leaders) {
			sim_violation(n->w, "the core never sees two leaders (rule 14)",
				      "node %u group %d term %u", n->id, g, m->raft.term);
			return false;
		}
		if (!carry_out(n, g, &up))
			return false;
		ev->kind = XR_EV_LOOKED;
	} while (up.what & XR_DO_FENCE);
	m->timer_ns = up.timer_ns;
	return true;
}

bool group_message(struct node *n, uint32_t g, const struct xr_message *m)
{
	struct xr_event ev = {.kind = XR_EV_MESSAGE, .message = *m};

	return (int)g >= n->w->groups || group_step(n, g, &ev);
}

bool group_start(struct node *n, int g, uint64_t promise_until_ns)
{
	struct member *m = &n->member[g];
	const struct xr_vote *v = xr_journal_find(n->store.journal, g);
	struct xr_update up;

	m->raft = (struct xr_raft){.group = g, .self = n->id, .timing = &n->timing};
	m->published = xr_view_read(record_of(n, g));
	record_of(n, g)->digest = SIM_DIGEST;
	m->raft.voters = record_of(n, g)->voters = ((1u << n->w->n) - 1) << 1;
	xr_raft_start(&m->raft, v ? v->term : 0, v ? v->vote : 0, sim_local(n), promise_until_ns,
		      sim_random(n->w), &up);
	m->timer_ns = up.timer_ns;
	if (XR_BUG(maps_not_fenced))
		return true;
	return carry_out(n, g, &up);
}
