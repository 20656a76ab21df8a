// SPDX-License-Identifier: GPL-2.0-only
/*
 * The entry (rules 22 to 27): a log of which only the last entry is kept, since each holds all. Here are
 * its ids, and whom it names; the caller has the bodies.
 */
#include "core/internal.h"

/* Rule 22: of this leader's term, and one more than the entry before. */
void xr_entry_make(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	uint32_t index = (uint32_t)r->entry + 1;

	r->entry_next = (uint64_t)r->term << 32 | index;
	r->acked = 0;
	r->made_ns = ev->now_ns;
	up->what |= XR_DO_TAKE;
	up->entry = r->entry_next;
	xr_update_send(r, up, XR_APPEND, 0, r->term);
}

void xr_entry_propose(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	if (r->role == XR_LEADER && !xr_raft_under_way(r) && (uint32_t)r->entry < XR_INDEX_MAX)
		xr_entry_make(r, ev, up);
}

static void note_committed(struct xr_raft *r, struct xr_update *up, uint64_t took_ns)
{
	r->committed = r->entry;
	up->what |= XR_DO_SHOW;
	xr_update_report(up, XR_RAFT_COMMITTED, r->term, 0, NULL);
	up->report[up->nreport - 1].took_ns = took_ns;
}

/* Rule 25: a majority of the voters has it, each in its own term; this node when it is durable. */
static void commit_if_acked(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	if (r->entry_next || r->committed == r->entry || !xr_majority(r, r->acked))
		return;
	note_committed(r, up, ev->now_ns - r->made_ns);
	up->what |= XR_DO_BEAT; /* and the others know at once */
}

/*
 * So who was away, or was removed meanwhile, learns of it. Who stands for no election hands on also what
 * it does not know to be committed: else nobody might be left who can be elected and has it.
 */
void xr_entry_hand_on(struct xr_raft *r, struct xr_update *up, uint8_t to)
{
	if (r->entry && (r->committed == r->entry || !xr_raft_stands(r)))
		xr_update_send(r, up, XR_HAND_ON, to, r->term);
}

/* What is acked in this term is of this term, or named 0: retransmission is no more than this. */
void xr_entry_acked(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	const struct xr_message *m = &ev->message;
	uint32_t index = (uint32_t)m->entry & XR_INDEX_MAX;
	uint64_t newest = xr_raft_newest(r);

	if (!newest || xr_entry_term(newest) != r->term)
		return;
	if (!r->entry_next && !(xr_raft_members(r) & xr_bit(m->node))) {
		xr_entry_hand_on(r, up, m->node);
		return;
	}
	if (index != (uint32_t)newest) {
		xr_update_send(r, up, XR_APPEND, m->node, r->term);
		return;
	}
	if (!(r->acked & xr_bit(m->node)))
		up->what |= XR_DO_SHOW; /* who has it */
	r->acked |= xr_bit(m->node);
	commit_if_acked(r, ev, up);
}

/*
 * Rule 25: its voters count from here, committed or not. They are one more or one less than before at the
 * leader (rule 26), so that each majority of the ones meets each of the others: nothing need be
 * fenced. Who was asking for votes asked others, with another entry: it begins anew.
 */
static void name(struct xr_raft *r, const struct xr_event *ev)
{
	r->voters = ev->voters;
	r->learners = ev->learners;
	r->reborn = ev->reborn;
	if (r->role == XR_LEADER || r->phase == XR_IDLE)
		return;
	r->role = XR_FOLLOWER;
	r->phase = XR_IDLE;
	r->granted = 0;
	xr_timer_rearm(r, ev);
}

/* Rule 24: durable first; then it is named, and acked. */
void xr_entry_taken(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	if (ev->entry != r->entry_next)
		return;
	r->entry = r->entry_next;
	r->entry_next = 0;
	name(r, ev);
	up->what |= XR_DO_SHOW;
	if (ev->agreed)
		note_committed(r, up, 0);
	if (xr_entry_term(r->entry) != r->term || r->op.writing)
		return;
	if (r->role == XR_LEADER) {
		r->acked |= xr_bit(r->self);
		commit_if_acked(r, ev, up);
	} else if (r->leader && !ev->handed) {
		up->what |= XR_DO_ACK;
		up->ack_to = r->leader;
		up->ack_echo_ns = ev->message.sent_ns;
	}
}

/* The leader has said so, and the NIC path has noted it. */
void xr_entry_note(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	(void)ev;
	if (r->entry && r->committed != r->entry)
		note_committed(r, up, 0);
}

/* Rule 24: larger than its own, from the leader of its term. */
void xr_entry_append(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	const struct xr_message *m = &ev->message;

	if (xr_entry_term(m->entry) != r->term || r->entry_next)
		return;
	if (m->entry > r->entry) {
		r->entry_next = m->entry;
		up->what |= XR_DO_TAKE;
		up->entry = m->entry;
	} else if (m->entry == r->entry) {
		up->what |= XR_DO_ACK;
		up->ack_to = m->node;
		up->ack_echo_ns = m->sent_ns;
	}
}

/* Rule 27: a newcomer, to whom the entry that names it did not come. */
void xr_entry_lacking(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	uint8_t node = ev->message.node;
	uint32_t index = (uint32_t)ev->message.entry & XR_INDEX_MAX;

	if (xr_entry_term(xr_raft_newest(r)) == r->term && index != (uint32_t)xr_raft_newest(r) &&
	    (r->entry_next || xr_raft_members(r) & xr_bit(node)))
		xr_update_send(r, up, XR_APPEND, node, r->term);
}

/*
 * Rule 24: it may be had of anyone, since nothing is acked. The sender's term is no older than the entry's, and
 * is entered first; the entry comes again with the next question.
 */
void xr_entry_handed(struct xr_raft *r, const struct xr_event *ev, struct xr_update *up)
{
	const struct xr_message *m = &ev->message;

	if (m->term > r->term) {
		xr_decide_enter_term(r, ev, up);
	} else if (r->role != XR_LEADER && !r->op.writing && !r->entry_next &&
		   m->entry > r->entry && xr_entry_term(m->entry) <= r->term) {
		r->entry_next = m->entry;
		up->what |= XR_DO_TAKE;
		up->entry = m->entry;
	}
}
