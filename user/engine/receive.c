// SPDX-License-Identifier: GPL-2.0-only
/* Datagrams that reached the daemon: first the NIC path's own rules, then the core. */
#include "engine/ballot.h"
#include "engine/engine.h"

#define GIVE_WAY_AFTER 32 /* datagrams */
#define TURN_PART      8  /* of D: no more of a turn is for what arrives */

static void heartbeat_to_core(struct xr_engine *e, const struct xr_record *rec, uint8_t source,
			      uint64_t sent_ns)
{
	struct xr_message m = {
		.type = XR_HEARTBEAT,
		.node = source,
		.term = rec->term,
		.sent_ns = sent_ns,
	};

	xr_group_message(e, rec->group, &m);
}

/*
 * A heartbeat of which nothing was stamped. What the rules pass up goes to the core; what they
 * refuse or can answer by now is answered here.
 */
static void passed_heartbeat(struct xr_engine *e, const struct xr_wire *h,
			     const struct xr_record *rec)
{
	struct xr_group *g = xr_env_group(&e->env, rec->group);
	struct xr_record answer = *rec;
	uint64_t now_ns = xr_engine_now_ns(e);
	enum xr_reason reason;
	uint32_t entry = 0;

	if (!g || xr_env_may_answer(&e->env, h, now_ns) != XR_REASON_END)
		return;
	reason = xr_rule_heartbeat(g, e->env.control, h, rec, &entry, now_ns);
	switch (reason) {
	case XR_R_pass_heartbeat:
		heartbeat_to_core(e, rec, h->source, h->sent_ns);
		return; /* counted already, and acked by the core's update */
	case XR_R_heartbeat_answered:
		answer.flags = XR_ACKED;
		answer.entry = entry;
		break;
	case XR_R_heartbeat_refused:
		answer.flags = XR_REFUSED;
		answer.term = xr_view_read(g).view.term;
		answer.entry = 0;
		break;
	default:
		xr_env_count(&e->env, reason);
		return;
	}
	xr_env_count(&e->env, reason);
	xr_outbox_record(&e->outbox, h->source, XR_ACK, h->sent_ns, &answer);
}

/* Nothing that a leader need know: of this term, and of the committed entry or none. */
static bool is_quiet_ack(const struct xr_group *g, const struct xr_record *rec)
{
	return rec->flags & XR_ACKED && rec->entry == g->entry && (int32_t)rec->entry <= 0;
}

/*
 * A refusal that carries a newer term; an ack that names an entry; a poll that only this node itself can
 * answer.
 */
static void passed_record(struct xr_engine *e, const struct xr_wire *h, const struct xr_record *rec)
{
	struct xr_message m = {
		.type = h->type,
		.node = h->source,
		.term = rec->term,
		.granted = rec->flags & XR_ACKED,
		.lacking = rec->flags & XR_LACKING,
		.entry = rec->entry,
	};
	struct xr_group *g = xr_env_group(&e->env, rec->group);

	if (g && rec->digest == g->digest &&
	    (h->type == XR_POLL || rec->flags & (XR_REFUSED | XR_ACKED | XR_LACKING)) &&
	    !is_quiet_ack(g, rec))
		xr_group_message(e, rec->group, &m);
}

/* Rule 27: a node that was wiped, and has another birth, may have voted already. */
static bool is_of_another(const struct xr_engine *e, const struct xr_wire *h,
			  const struct xr_ballot *b)
{
	return (h->type == XR_VOTE_ANSWER || h->type == XR_PREVOTE_ANSWER) &&
	       b->flags & XR_GRANTED &&
	       b->birth != xr_members_birth(&e->members[b->group], h->source);
}

static void passed_ballot(struct xr_engine *e, const struct xr_wire *h, const struct xr_ballot *b)
{
	struct xr_group *g = xr_env_group(&e->env, b->group);
	struct xr_message m = xr_ballot_message(h, b);

	if (!g || !g->members)
		xr_env_count(&e->env, XR_R_drop_group);
	else if (b->digest != g->digest)
		xr_env_count(&e->env, XR_R_drop_digest);
	else if (is_of_another(e, h, b))
		xr_env_count(&e->env, XR_R_drop_birth);
	else {
		if (h->type == XR_VOTE_ANSWER && m.granted)
			xr_know_term(&e->env.acks[b->group], h->source, b->term);
		xr_group_message(e, b->group, &m);
	}
}

static void passed_fact(struct xr_engine *e, const struct xr_datagram *d)
{
	const struct xr_fact *first = (const struct xr_fact *)(&d->wire + 1);
	uint8_t node = d->wire.source;

	if (d->wire.type == XR_ASK)
		xr_introduce_asked(e, d);
	else if (d->wire.type == XR_TELL)
		xr_introduce_told(e, d);
	else if (d->wire.type == XR_PATH_ECHO)
		xr_path_echoed(e, node, first->value);
	else if (d->wire.type == XR_PATH_DELIVERED)
		xr_path_delivered(e, node, first->value);
}

/* Heartbeats pass their group's mark, introductions a nonce; all else is taken up once (rule 17). */
static bool is_replay(struct xr_engine *e, const struct xr_wire *h)
{
	return h->type != XR_HEARTBEAT && !xr_type_introduces(h->type) &&
	       !xr_introduce_is_new(e, h);
}

static void passed_up(struct xr_engine *e, const struct xr_datagram *d)
{
	const struct xr_wire *h = &d->wire;
	const struct xr_record *rec = (const struct xr_record *)(h + 1);
	const struct xr_ballot *ballot = (const struct xr_ballot *)(h + 1);

	if (is_replay(e, h)) {
		xr_env_count(&e->env, XR_R_drop_replay);
		return;
	}
	xr_engine_note_timing(e, h->source, h->min_timeout_us);
	if (xr_type_body(h->type) == XR_BODY_FACT) {
		passed_fact(e, d);
		return;
	}
	if (xr_type_body(h->type) == XR_BODY_WORD) {
		xr_value_passed(e, d);
		return;
	}
	for (int i = 0; i < h->count; i++) {
		if (h->type == XR_HEARTBEAT)
			passed_heartbeat(e, h, &rec[i]);
		else if (xr_type_body(h->type) == XR_BODY_RECORD)
			passed_record(e, h, &rec[i]);
		else
			passed_ballot(e, h, &ballot[i]);
	}
}

/* It was answered, and has told that the entry is committed; or it is followed by now. */
static bool is_news(struct xr_engine *e, const struct xr_event_rec *left)
{
	const struct xr_group *g = xr_env_group(&e->env, left->record.group);
	union xr_word v;

	if (!g || !e->members[left->record.group].raft.voters)
		return false;
	v = xr_view_read(g);
	return v.view.mode == XR_FOLLOW && v.view.term == left->record.term &&
	       v.view.leader == left->source;
}

void xr_engine_left(struct xr_engine *e, const struct xr_event_rec *left)
{
	if (left->type != XR_HEARTBEAT || left->source > XR_NODE_MAX)
		return;
	xr_engine_note_timing(e, left->source, left->min_timeout_us);
	if (is_news(e, left)) {
		xr_group_step(e, left->record.group, &(struct xr_event){.kind = XR_EV_NEWS});
		return;
	}
	heartbeat_to_core(e, &left->record, left->source, left->sent_ns);
}

/* Rule 1: the slow path is the NIC path, in another place. */
static void receive(struct xr_engine *e, struct xr_datagram *d)
{
	size_t held = d->size < sizeof(d->bytes) ? d->size : sizeof(d->bytes);

	e->env.npending = 0;
	switch (xr_rules_run(&e->env, &d->wire, d->bytes + held, d->size, &d->from,
			     xr_engine_now_ns(e))) {
	case XR_TX:
		if (d->wire.type == XR_PATH_ECHO) /* it is turned around already */
			xr_look_answered(e, d->wire.dest, XR_PATH_TEST);
		/* An echo of ours would prove what was asked of the NIC path: keep it. */
		if (d->wire.type == XR_PATH_ECHO)
			break;
		XR_PAUSE;
		e->host->send(e->world, d->wire.dest, d->bytes, d->size);
		break;
	case XR_PASS:
		xr_look_answered(e, d->wire.source, d->wire.type);
		passed_up(e, d);
		break;
	case XR_DROP:
		break;
	}
	for (uint32_t i = 0; i < e->env.npending; i++)
		xr_engine_left(e, &e->env.pending[i]);
}

/* Said again of the same silence it is nothing new. */
static bool knows(const struct xr_engine *e, uint32_t id)
{
	return e->members[id].raft.hint_ns > e->env.groups[id].contact_ns;
}

static void hint(struct xr_engine *e, uint8_t node)
{
	for (uint32_t id = 0; id < e->env.ngroups; id++) {
		struct xr_event ev = {.kind = XR_EV_HINT, .message.node = node};

		if (e->members[id].raft.voters && e->members[id].raft.leader == node &&
		    !knows(e, id))
			xr_group_step(e, id, &ev);
	}
}

/* Rule 11: nobody listens where a leader should. */
static void receive_hints(struct xr_engine *e)
{
	uint32_t gone = e->host->gone(e->world);

	xr_each_node_of(node, gone)
		hint(e, node);
}

void xr_receive_all(struct xr_engine *e, int most)
{
	uint64_t until_ns = xr_engine_now_ns(e) + e->timing.min_timeout_ns / TURN_PART;
	int n = 0;

	receive_hints(e);
	while (n < most && !e->over && e->host->receive(e->world, &e->in)) {
		receive(e, &e->in);
		if (++n % GIVE_WAY_AFTER)
			continue;
		xr_engine_give_way(e);
		if (!xr_before(e->ended_ns, until_ns))
			break; /* rule 11 asks, but a flood has no last word to wait for */
	}
	e->received = n;
	e->host->left(e->world);
}
