// SPDX-License-Identifier: GPL-2.0-only
/* One group's updates carried out: fence, persist, publish, reply, in rule 3's order. */
#include <string.h>
#include "engine/ballot.h"
#include "engine/engine.h"

#define SLOT_GROUPS 4096 /* that beat at the same instant */

static struct xr_group *record_of(struct xr_engine *e, const struct xr_member *m)
{
	return &e->env.groups[m->raft.group];
}

/* Rule 2: the word changes only from what we last wrote. Anything else means: we were fenced. */
static void publish(struct xr_engine *e, struct xr_member *m, struct xr_view view)
{
	union xr_word next = {.view = view};
	__u64 *word = (__u64 *)&record_of(e, m)->view;

	XR_PAUSE;
	if (__sync_val_compare_and_swap(word, m->published.word, next.word) != m->published.word) {
		xr_engine_say(e, XR_REPORT_error,
			      "%s: another process has fenced this one; it stops. Is a second "
			      "xraftd running for this node?",
			      record_of(e, m)->name);
		e->over = true;
		e->host->end(e->world, 1);
		return;
	}
	m->published = next;
	XR_PAUSE;
}

/* Rule 3: NONE, keeping the old term, visible to every CPU before the second look. */
static void fence(struct xr_engine *e, struct xr_member *m)
{
	m->unfenced = m->published;
	publish(e, m, (struct xr_view){.term = m->published.view.term, .mode = XR_NONE});
	__sync_synchronize();
}

void xr_group_persist(struct xr_engine *e, struct xr_member *m, uint32_t term, uint8_t to,
		      const struct xr_entry *entry)
{
	const struct xr_group *g = record_of(e, m);
	struct xr_vote vote = {
		.group = m->raft.group,
		.term = term,
		.vote = to,
		.digest = g->digest,
		.paused_s = m->asked.paused_s,
	};
	int err;

	memcpy(vote.name, g->name, sizeof(vote.name));
	m->asked.term = term;
	m->asked.vote = to;
	err = e->host->submit(e->world, &vote, entry);
	e->submitted = true;
	if (err && !e->disk_bad) { /* it stays fenced: rule 7 */
		struct xr_why why = {"too many votes wait for the disk"};

		e->host->disk_error(e->world, &why);
		xr_engine_say(e, XR_REPORT_error, "%.400s", why.text);
		e->disk_bad = true;
	}
	XR_PAUSE;
}

/* Answer a heartbeat by the very rule of the NIC path: stamp first (rule 4). */
static void ack(struct xr_engine *e, struct xr_member *m, uint8_t to, uint64_t echo_ns)
{
	struct xr_group *g = record_of(e, m);
	struct xr_record rec = {
		.group = m->raft.group,
		.term = m->raft.term,
		.digest = g->digest,
	};
	struct xr_wire h = {
		.source = to,
		.sent_ns = echo_ns,
		.min_timeout_us = e->peer_min_timeout_us[to],
	};
	uint64_t now_ns = xr_engine_now_ns(e);
	enum xr_reason reason = xr_env_may_answer(&e->env, &h, now_ns);
	uint32_t entry = 0;

	if (reason == XR_REASON_END)
		reason = xr_rule_heartbeat(g, e->env.control, &h, &rec, &entry, now_ns);
	xr_env_count(&e->env, reason);
	if (reason == XR_R_drop_replay) /* overtaken while the disk was busy: ask for one to ack */
		xr_outbox_record(&e->outbox, to, XR_POLL, 0, &rec);
	if (reason == XR_R_pass_heartbeat && !xr_is_member(g, e->config->self)) {
		rec.flags = XR_LACKING;
		rec.entry = g->entry;
		xr_outbox_record(&e->outbox, to, XR_ACK, echo_ns, &rec);
	}
	if (reason != XR_R_heartbeat_answered)
		return;
	rec.flags = XR_ACKED;
	rec.entry = entry & XR_INDEX_MAX; /* without XR_COMMITTED it comes up there (rule 25) */
	xr_outbox_record(&e->outbox, to, XR_ACK, echo_ns, &rec);
}

static void send_to(struct xr_engine *e, struct xr_member *m, uint8_t to,
		    const struct xr_message *msg)
{
	uint16_t digest = record_of(e, m)->digest;
	struct xr_record poll = {.group = m->raft.group, .term = m->raft.term, .digest = digest};
	struct xr_ballot ballot;

	if (msg->type == XR_APPEND || msg->type == XR_HAND_ON) {
		xr_value_send(e, m, to, msg->type);
		return;
	}
	if (msg->type == XR_POLL) {
		xr_outbox_record(&e->outbox, to, XR_POLL, 0, &poll);
		return;
	}
	ballot = xr_ballot_of(msg, m->raft.group, digest, e->birth);
	xr_outbox_ballot(&e->outbox, to, msg->type, &ballot);
}

/* Whom `type` is for; an entry for whom it names. */
static uint32_t others(const struct xr_member *m, uint8_t type)
{
	uint32_t nodes = m->raft.voters;

	if (type == XR_APPEND && m->raft.entry_next)
		nodes = m->bodies->next.voters | m->bodies->next.learners;
	else if (type == XR_RESIGN || type == XR_APPEND)
		nodes = xr_raft_members(&m->raft);
	return nodes & ~(1u << m->raft.self);
}

static void send_message(struct xr_engine *e, struct xr_member *m, const struct xr_message *msg)
{
	uint32_t nodes = msg->node ? 1u << msg->node : others(m, msg->type) & ~msg->skip;

	xr_each_node_of(to, nodes)
		send_to(e, m, to, msg);
}

/*
 * From what it has published alone: the timers of quiet groups look at nothing else. Where another
 * process has taken over there is no LEAD (rule 6), and the term is that one's.
 */
static void beat(struct xr_engine *e, uint32_t id)
{
	const struct xr_group *g = &e->env.groups[id];
	const struct xr_record rec = {
		.group = id,
		.term = g->view.term,
		.digest = g->digest,
		.entry = g->entry,
	};

	if (g->view.mode != XR_LEAD)
		return;
	xr_each_node_of(to, xr_members(g->members) & ~(1u << e->env.control->self))
		xr_outbox_record(&e->outbox, to, XR_HEARTBEAT, 0, &rec);
}

static const enum xr_report_kind report_kinds[] = {
	[XR_RAFT_PREVOTE_STARTED] = XR_REPORT_prevote_started,
	[XR_RAFT_ELECTION_STARTED] = XR_REPORT_election_started,
	[XR_RAFT_ELECTED] = XR_REPORT_elected,
	[XR_RAFT_FOLLOWING] = XR_REPORT_following,
	[XR_RAFT_VOTE_GRANTED] = XR_REPORT_vote_granted,
	[XR_RAFT_VOTE_REFUSED] = XR_REPORT_vote_refused,
	[XR_RAFT_STEPPED_DOWN] = XR_REPORT_stepped_down,
	[XR_RAFT_RESIGNATION] = XR_REPORT_resignation,
	[XR_RAFT_TERM_ADOPTED] = XR_REPORT_term_adopted,
	[XR_RAFT_COMMITTED] = XR_REPORT_committed,
};

/* A peer that fell silent may have forgotten us, or we are not who we were to it (rule 17). */
static bool is_doubtful(const struct xr_report *r)
{
	return r->kind == XR_REPORT_prevote_started ||
	       (r->kind == XR_REPORT_stepped_down && r->cause == XR_CAUSE_QUORUM_LOST);
}

static void report(struct xr_engine *e, const struct xr_member *m, const struct xr_update *up)
{
	for (int i = 0; i < up->nreport; i++) {
		struct xr_report r = {
			.at_ns = xr_engine_now_ns(e),
			.group = m->raft.group,
			.term = up->report[i].term,
			.kind = report_kinds[up->report[i].kind],
			.cause = up->report[i].why.cause,
			.node = up->report[i].node,
			.cause_node = up->report[i].why.node,
			.cause_term = up->report[i].why.term,
			.cause_ns = up->report[i].why.ns,
			.took_ns = up->report[i].took_ns,
		};

		if (is_doubtful(&r))
			xr_introduce_doubt(e, r.at_ns);
		if (r.kind == XR_REPORT_committed)
			r.entry = m->raft.entry;
		memcpy(r.group_name, record_of(e, m)->name, sizeof(r.group_name));
		if ((e->named && e->named[m->raft.group]) || !xr_crowd_hold(&e->crowd, &r))
			e->host->report(e->world, &r);
	}
}

/* Rule 14: whatever happened, going on would make it worse. Say all we know, and stop. */
static void two_leaders(struct xr_engine *e, struct xr_member *m, const struct xr_event *ev)
{
	const struct xr_raft *r = &m->raft;

	e->env.control->alive_until_ns = 0;
	fence(e, m);
	xr_engine_say(e, XR_REPORT_error,
		      "%s: TWO LEADERS IN TERM %u: node %u says it leads, but node %u does (this "
		      "node: vote %u, role %d). A node lost its state or shares an id. Stopping; "
		      "keep %s and all logs",
		      record_of(e, m)->name, ev->message.term, ev->message.node,
		      r->leader ? r->leader : r->resigned_leader, r->vote, r->role,
		      e->config->state_dir);
	e->host->crash(e->world);
}

static void show(struct xr_engine *e, struct xr_member *m)
{
	struct xr_group *g = record_of(e, m);

	g->durable_term = m->raft.term;
	g->voted_for = m->raft.vote;
	g->role = m->raft.role;
}

static void carry_out(struct xr_engine *e, struct xr_member *m, const struct xr_update *up)
{
	if (up->what & (XR_DO_FENCE | XR_DO_FENCE_ONLY))
		fence(e, m);
	if (up->what & XR_DO_RESTORE)
		publish(e, m, m->unfenced.view);
	if (e->over)
		return; /* rule 2: it stops */
	if (up->what & XR_DO_PERSIST)
		xr_group_persist(e, m, up->term, up->vote, NULL);
	if (up->what & XR_DO_PUBLISH) {
		/* Rule 5: acks of what was sent before do not count. */
		if (up->view.mode == XR_LEAD)
			*(volatile __u64 *)&record_of(e, m)->lead_since_ns = xr_engine_now_ns(e);
		xr_value_name(e, m, up->view.term);
		XR_PAUSE;
		publish(e, m, up->view);
	}
	if (e->over)
		return;
	if (up->what & XR_DO_TAKE)
		xr_value_take(e, m, up);
	if (up->what & XR_DO_SHOW)
		xr_value_show(e, m);
	if (up->what & XR_DO_ACK)
		ack(e, m, up->ack_to, up->ack_echo_ns);
	if (up->what & XR_DO_BEAT)
		beat(e, m->raft.group);
	for (int i = 0; i < up->nsend; i++)
		send_message(e, m, &up->send[i]);
	report(e, m, up);
	show(e, m);
}

uint8_t xr_group_heir(const struct xr_engine *e, const struct xr_member *m)
{
	uint32_t id = m->raft.group;

	return xr_heir(&e->env.groups[id], &e->env.acks[id], e->env.control, e->peers, e->deaf, id);
}

/* What the maps say at this moment; read anew for each step, after the barrier for the second. */
static void look(struct xr_engine *e, struct xr_member *m, struct xr_event *ev)
{
	const struct xr_group *g = record_of(e, m);
	const struct xr_acks *acks = &e->env.acks[m->raft.group];
	const struct xr_control *c = e->env.control;

	xr_look_at_record(e, m);
	ev->contact_ns = *(const volatile __u64 *)&g->contact_ns;
	XR_PAUSE;
	ev->now_ns = xr_engine_now_ns(e);
	ev->random = xr_engine_random(e);
	ev->strangers = e->strangers;
	ev->committed = xr_value_is_committed(e, m);
	if (m->raft.role == XR_LEADER) {
		ev->lease = xr_quorum_fresh(g, acks, c->self, ev->now_ns, xr_lease_ns(c));
		ev->may_lead = xr_may_lead(g, acks, c, ev->now_ns);
	}
	if (!ev->heir && /* a transfer names its own */
	    (m->raft.role == XR_LEADER || ev->message.type == XR_POLL))
		ev->heir = xr_group_heir(e, m);
}

static void set_timer(struct xr_engine *e, uint32_t id, const struct xr_update *up)
{
	xr_timers_set(&e->timers, id, up->timer_ns);
	e->quiet[id] = (struct xr_quiet){
		.us = (uint32_t)(up->quiet_ns / NS_PER_US),
		.leads = e->members[id].raft.role == XR_LEADER,
	};
}

void xr_group_step(struct xr_engine *e, uint32_t id, struct xr_event *ev)
{
	struct xr_member *m = &e->members[id];
	struct xr_update up;

	if (m->raft.role == XR_LEADER)
		m->raft.beat_ns = e->timers.at_ns[id]; /* it may have beaten without a step */
	do {
		look(e, m, ev);
		xr_raft_step(&m->raft, ev, &up);
		if (up.two_leaders)
			two_leaders(e, m, ev);
		carry_out(e, m, &up);
		ev->kind = XR_EV_LOOKED;
	} while (up.what & XR_DO_FENCE);
	set_timer(e, id, &up);
}

/* That groups are far away in memory is most of what their timers cost. */
static void fetch(const struct xr_engine *e, uint32_t id)
{
	__builtin_prefetch(&e->env.groups[id]);
	if (e->quiet[id].leads)
		__builtin_prefetch(&e->env.acks[id]);
}

/*
 * Nearly all that an engine with many groups does: a leader that may lead beats, a follower has
 * heard its leader meanwhile (xr_update.quiet_ns). What is not quiet by this `now_ns`, which may be
 * older than the newest stamp, is left to the step, which looks anew.
 */
static bool is_quiet(struct xr_engine *e, const struct xr_due *due, uint64_t now_ns)
{
	uint32_t id = due->id;
	const struct xr_group *g = &e->env.groups[id];
	uint64_t quiet_ns = e->quiet[id].us * NS_PER_US, from_ns = due->at_ns;

	if (!quiet_ns)
		return false;
	if (!e->quiet[id].leads)
		from_ns = *(const volatile __u64 *)&g->contact_ns;
	else if (!xr_may_lead(g, &e->env.acks[id], e->env.control, now_ns))
		return false;
	if (!xr_before(now_ns, from_ns + quiet_ns))
		return false;
	if (e->quiet[id].leads)
		beat(e, id);
	xr_timers_set(&e->timers, id, from_ns + quiet_ns);
	return true;
}

uint32_t xr_group_timers(struct xr_engine *e, const struct xr_due *due, uint32_t n, uint64_t now_ns,
			 bool late)
{
	uint32_t steps = 0;

	for (uint32_t i = 0; i < n; i++)
		fetch(e, due[i].id);
	for (uint32_t i = 0; i < n; i++) {
		if (is_quiet(e, &due[i], now_ns))
			continue;
		xr_group_step(e, due[i].id, &(struct xr_event){.kind = XR_EV_TIMER, .late = late});
		steps++;
	}
	return steps;
}

void xr_group_message(struct xr_engine *e, uint32_t id, const struct xr_message *m)
{
	struct xr_event ev = {.kind = XR_EV_MESSAGE, .message = *m};

	if (id < e->env.ngroups && e->members[id].raft.voters)
		xr_group_step(e, id, &ev);
}

/*
 * A record that only says whether this node stands leaves term and vote as they are. So one that the
 * core waits for has another term or vote than all before it. The pause comes first: a vote makes no
 * leader of whoever is paused.
 */
void xr_group_durable(struct xr_engine *e, const struct xr_vote *v)
{
	struct xr_member *m = &e->members[v->group];
	struct xr_event ev = {.kind = XR_EV_DURABLE};

	xr_stand_durable(e, m, v->paused_s);
	if (e->over)
		return;
	if (v->term == m->asked.term && v->vote == m->asked.vote)
		xr_group_step(e, v->group, &ev);
}

void xr_group_step_down_all(struct xr_engine *e, const struct xr_why_event *why)
{
	for (uint32_t id = 0; id < e->env.ngroups; id++) {
		struct xr_event ev = {.kind = XR_EV_STEP_DOWN, .why = *why};

		if (e->members[id].raft.role == XR_LEADER)
			xr_group_step(e, id, &ev);
	}
}

/*
 * ---- orders ----
 */
struct xr_member *xr_group_find(struct xr_engine *e, const char *name)
{
	for (uint32_t id = 0; id < e->env.ngroups; id++)
		if (e->members[id].raft.voters && !strcmp(e->env.groups[id].name, name))
			return &e->members[id];
	return NULL;
}

bool xr_group_answers(const struct xr_engine *e, const struct xr_member *m, uint8_t node)
{
	uint64_t echo_ns = e->env.acks[m->raft.group].echo_ns[node];

	return echo_ns && !(e->deaf >> node & 1) &&
	       xr_engine_now_ns(e) - echo_ns < e->env.control->quorum_lapse_us * NS_PER_US;
}

static void step_down_as_told(struct xr_engine *e, struct xr_member *m,
			      const struct xr_order *order, struct xr_order_result *r)
{
	struct xr_event ev = {
		.kind = XR_EV_STEP_DOWN,
		.heir = order->heir,
		.why = {.cause = order->heir ? XR_CAUSE_TRANSFER : XR_CAUSE_ORDER,
			.node = order->heir},
	};

	if (m->raft.role != XR_LEADER) {
		r->err = m->raft.leader
				 ? xr_fail(&r->why, -EPERM, "node %u leads %s: ask it",
					   m->raft.leader, order->group)
				 : xr_fail(&r->why, -EPERM, "%s has no leader that this node knows",
					   order->group);
	} else if (order->heir && !(m->raft.voters >> order->heir & 1)) {
		r->err = xr_fail(&r->why, -EINVAL, "node %u is no voter of %s", order->heir,
				 order->group);
	} else if (order->heir && !e->peers[order->heir].priority) {
		r->err = xr_fail(
			&r->why, -EPERM,
			"node %u is a witness (priority 0 in [nodes]): it votes, and never "
			"leads",
			order->heir);
	} else if (order->heir && e->env.acks[m->raft.group].paused >> order->heir & 1) {
		r->err = xr_fail(&r->why, -EPERM,
				 "node %u is paused: it stands for no election; let it by xraft "
				 "resume %s there",
				 order->heir, order->group);
	} else if (order->heir && order->heir != m->raft.self &&
		   !xr_group_answers(e, m, order->heir)) { /* it would leave nobody */
		r->err = xr_fail(&r->why, -EHOSTDOWN,
				 "node %u has not answered for so long that handing %s over to it "
				 "would leave nobody",
				 order->heir, order->group);
	} else {
		r->groups = 1;
		r->term = m->raft.term;
		if (order->heir != m->raft.self)
			xr_group_step(e, m->raft.group, &ev);
	}
}

void xr_group_order(struct xr_engine *e, const struct xr_order *order, struct xr_order_result *r)
{
	struct xr_why_event why = {.cause = XR_CAUSE_ORDER};
	struct xr_member *m = xr_group_find(e, order->group);

	if (m) {
		step_down_as_told(e, m, order, r);
		return;
	}
	if (order->group[0]) {
		r->err = xr_fail(&r->why, -ENOENT, "there is no group %s here", order->group);
		return;
	}
	for (uint32_t id = 0; id < e->env.ngroups; id++)
		if (e->members[id].raft.role == XR_LEADER) {
			r->groups++;
			r->term = e->members[id].raft.term;
		}
	xr_group_step_down_all(e, &why);
}

/*
 * A node with many groups does not send all its heartbeats in one burst, for which no queue has
 * room, but in slots, each of which still fills its datagrams.
 */
static uint64_t beat_shift_ns(const struct xr_engine *e, uint32_t id)
{
	uint32_t slots = (e->env.ngroups + SLOT_GROUPS - 1) / SLOT_GROUPS;

	return e->timing.heartbeat_ns * (id / SLOT_GROUPS) / slots;
}

void xr_group_start(struct xr_engine *e, const struct xr_config_group *config,
		    const struct xr_vote *vote, const struct xr_entry *entry,
		    uint64_t promise_until_ns)
{
	struct xr_member *m = &e->members[config->id];
	struct xr_group *g = &e->env.groups[config->id];
	struct xr_update up;

	m->raft.group = config->id;
	m->raft.self = e->config->self;
	m->raft.timing = &e->timing;
	m->raft.peers = e->peers;
	m->raft.beat_shift_ns = beat_shift_ns(e, config->id);
	m->published = xr_view_read(g);
	memcpy(g->name, config->name, sizeof(g->name));
	g->digest = config->digest;
	if (!vote)
		g->replay = 0; /* of an earlier cluster, whose term 1 had another leader's clock */
	if (!(config->voters >> e->config->self & 1) && !e->birth && !entry)
		return; /* others vote on it: this node only knows its name */
	memcpy(m->name, config->name, sizeof(m->name));
	m->digest = config->digest;
	m->first_voters = (uint16_t)config->voters;
	xr_members_start(e, m, config->voters, entry);
	xr_value_start(e, m, entry);
	m->asked.term = vote ? vote->term : 0;
	m->asked.vote = vote ? vote->vote : 0;
	xr_stand_start(e, m, vote ? vote->paused_s : 0);
	xr_raft_start(&m->raft, vote ? vote->term : 0, vote ? vote->vote : 0, xr_engine_now_ns(e),
		      promise_until_ns, xr_engine_random(e), &up);
	carry_out(e, m, &up);
	set_timer(e, config->id, &up);
}
