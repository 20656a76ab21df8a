// SPDX-License-Identifier: GPL-2.0-only
/*
 * The core, driven by bytes. Odd first byte: one node, to which anyone says anything (whoever has
 * the key may lie). Even: three nodes over a network that loses, repeats and reorders what they
 * really said, with crashes. Contact stamps, leases and clocks are whatever the input says in both:
 * none of what is checked here may depend on them.
 */
#include "core/raft.h"
#include "fuzz.h"

#define NODES	3
#define VOTERS	0xeu
#define MS	1000000ull
#define QUEUE	64
#define TERMS	4096
#define STEPS	2000
#define RESTING 3 /* timer events that may be needed at one instant */

static const struct xr_timing timing = {
	.min_timeout_ns = 150 * MS,
	.max_timeout_ns = 300 * MS,
	.heartbeat_ns = 50 * MS,
};

struct durable {
	uint32_t term;
	uint8_t vote;
};

struct node {
	struct xr_raft raft;
	struct xr_view view, unfenced;
	struct durable disk, writing;
	bool written_to; /* `writing` waits for the disk */
	uint64_t contact_ns, timer_ns;
	int restless;		/* timer events that asked for another at once */
	uint64_t resigned_term; /* 1 + the newest that it resigned itself */
	bool may_lift;		/* somebody resigned, or says so, since it entered its term */
	/* Who answered, whatever the core makes of it. */
	uint32_t grants_term, grants;
	uint32_t prevotes; /* of the term after the durable one; all: named heir */
};

struct letter {
	uint8_t from, to;
	struct xr_message m;
};

static struct {
	struct input in;
	bool liars; /* messages are made up */
	uint64_t now_ns;
	struct node node[NODES + 1];
	struct letter queue[QUEUE];
	int queued;
	uint8_t leads[TERMS];
	bool over;
} s;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

/*
 * ---- what must hold ----
 */
static void check_persist(const struct node *n, const struct xr_update *up)
{
	const struct durable *d = &n->disk;

	must(!n->written_to, "two writes at once");
	must(n->view.mode == XR_NONE, "writes unfenced");
	must(up->term > d->term || (up->term == d->term && (!d->vote || d->vote == up->vote)),
	     "rule 7: from term %u vote %u to term %u vote %u", d->term, d->vote, up->term,
	     up->vote);
	must(!up->vote || VOTERS >> up->vote & 1, "a vote for node %u", up->vote);
	if (up->vote == n->raft.self)
		must(__builtin_popcount(n->prevotes | 1u << n->raft.self) >= 2,
		     "a campaign that nobody agreed to");
}

static void check_publish(struct node *n, struct xr_view view)
{
	must(view.term == n->disk.term && !n->written_to, "published before it is durable");
	must(view.term >= n->view.term, "the view went back");
	if (view.mode == XR_FOLLOW)
		must(view.leader != n->raft.self && VOTERS >> view.leader & 1, "follows %u",
		     view.leader);
	if (view.mode != XR_LEAD)
		return;
	must(view.leader == n->raft.self && n->disk.vote == n->raft.self, "no own vote");
	must(n->resigned_term != view.term + 1ull, "leads again in a term that it resigned");
	must(n->grants_term == view.term, "no campaign of term %u", view.term);
	must(__builtin_popcount((n->grants | 1u << n->raft.self) & VOTERS) >= 2,
	     "term %u: no majority", view.term);
	if (s.liars)
		return;
	must(!s.leads[view.term % TERMS] || s.leads[view.term % TERMS] == n->raft.self,
	     "two leaders in term %u", view.term);
	s.leads[view.term % TERMS] = n->raft.self;
}

static void check_sent(const struct node *n, const struct xr_message *m)
{
	must(m->node <= NODES && m->node != n->raft.self, "sent to node %u", m->node);
	if (m->type == XR_VOTE_ANSWER && m->granted)
		must(n->disk.term == m->term && n->disk.vote == m->node && !n->written_to,
		     "a vote is answered before it is durable");
	if (m->type == XR_VOTE)
		must(n->written_to ? n->writing.term == m->term && n->writing.vote == n->raft.self
				   : n->disk.term == m->term && n->disk.vote == n->raft.self,
		     "asks for votes in term %u without its own", m->term);
	if (m->type == XR_RESIGN)
		must(n->view.mode == XR_NONE, "resigns before it has fenced");
	must(m->type == XR_POLL || (m->type >= XR_VOTE && m->type <= XR_RESIGN), "type %u",
	     m->type);
}

static void check_timer(struct node *n, const struct xr_event *ev, const struct xr_update *up)
{
	uint64_t from = s.now_ns;

	if (n->raft.role == XR_LEADER)
		must(up->what & XR_DO_BEAT ? up->timer_ns > s.now_ns &&
						     up->timer_ns - s.now_ns <= timing.heartbeat_ns
					   : up->timer_ns <= n->timer_ns,
		     "a leader's next heartbeat is put off");
	if (ev->contact_ns > from)
		from = ev->contact_ns;
	if (n->raft.promise_until_ns > from)
		from = n->raft.promise_until_ns;
	must(up->timer_ns == UINT64_MAX ? n->written_to
					: up->timer_ns <= from + 2 * timing.max_timeout_ns,
	     "sleeps until %llu at %llu", (unsigned long long)up->timer_ns,
	     (unsigned long long)s.now_ns);
	if (ev->kind == XR_EV_TIMER)
		n->restless = up->timer_ns <= s.now_ns ? n->restless + 1 : 0;
	must(n->restless <= RESTING, "the timer never rests");
}

/* Rule 3: only whoever was released from a leader gives a vote while one is heard. */
static void check_look(const struct node *n, const struct xr_event *ev, const struct xr_update *up)
{
	unsigned int went = up->what & (XR_DO_RESTORE | XR_DO_PERSIST);

	must(went == XR_DO_RESTORE || went == XR_DO_PERSIST, "a look that decides nothing");
	must(!(up->what & XR_DO_FENCE), "a look that fences");
	if (went == XR_DO_PERSIST && up->vote && !n->may_lift)
		must(!ev->contact_ns ||
			     (int64_t)(s.now_ns - ev->contact_ns - timing.min_timeout_ns) >= 0,
		     "votes while a leader is heard");
}

static void check_update(struct node *n, const struct xr_event *ev, const struct xr_update *up)
{
	must(up->nsend >= 0 && up->nsend <= XR_SEND_MAX, "%d messages", up->nsend);
	must(up->nreport >= 0 && up->nreport <= XR_REPORT_MAX, "%d reports", up->nreport);
	must(!(up->what & XR_DO_FENCE) || !(up->what & (XR_DO_PERSIST | XR_DO_PUBLISH)),
	     "goes on before it has looked");
	must(!(up->what & XR_DO_RESTORE) || ev->kind == XR_EV_LOOKED,
	     "restores what is not fenced");
	if (ev->kind == XR_EV_LOOKED)
		check_look(n, ev, up);
}

/*
 * ---- carrying out ----
 */
static void post(uint8_t from, uint8_t to, const struct xr_message *m)
{
	if (s.liars)
		return;
	if (s.queued == QUEUE)
		memmove(s.queue, s.queue + 1, sizeof(s.queue[0]) * --s.queued);
	s.queue[s.queued++] = (struct letter){.from = from, .to = to, .m = *m};
}

static void post_to_others(const struct node *n, const struct xr_message *m)
{
	for (uint8_t to = 1; to <= NODES; to++)
		if (to != n->raft.self && (m->node ? m->node == to : !(m->skip >> to & 1)))
			post(n->raft.self, to, m);
}

static void publish(struct node *n, struct xr_view view)
{
	check_publish(n, view);
	n->view = view;
}

static void persist(struct node *n, const struct xr_update *up)
{
	check_persist(n, up);
	n->writing = (struct durable){.term = up->term, .vote = up->vote};
	n->written_to = true;
	if (up->vote == n->raft.self) {
		n->grants_term = up->term;
		n->grants = 0;
	}
}

/* The heartbeat that led here is accepted by the rules, as the NIC path would. */
static void ack(struct node *n, const struct xr_update *up)
{
	must(n->view.mode == XR_FOLLOW && n->view.leader == up->ack_to, "acks whom it follows not");
	n->contact_ns = s.now_ns;
}

static void carry_out(struct node *n, const struct xr_update *up)
{
	struct xr_message beat = {.type = XR_HEARTBEAT, .term = n->raft.term};

	if (up->what & (XR_DO_FENCE | XR_DO_FENCE_ONLY)) {
		n->unfenced = n->view;
		n->view = (struct xr_view){.term = n->view.term};
	}
	if (up->what & XR_DO_RESTORE)
		n->view = n->unfenced;
	if (up->what & XR_DO_PERSIST)
		persist(n, up);
	if (up->what & XR_DO_PUBLISH)
		publish(n, up->view);
	if (up->what & XR_DO_ACK)
		ack(n, up);
	if (up->what & XR_DO_BEAT) {
		must(n->view.mode == XR_LEAD, "heartbeats of one that does not lead");
		post_to_others(n, &beat);
	}
	for (int i = 0; i < up->nsend; i++) {
		check_sent(n, &up->send[i]);
		post_to_others(n, &up->send[i]);
		if (up->send[i].type == XR_RESIGN) {
			n->resigned_term = up->send[i].term + 1ull;
			n->may_lift = true;
		}
	}
}

static void step(struct node *n, struct xr_event *ev)
{
	struct xr_update up;
	struct xr_raft before = n->raft;

	do {
		ev->now_ns = s.now_ns;
		ev->contact_ns = n->contact_ns;
		ev->random = take16(&s.in) * 0x9e3779b97f4a7c15ull;
		xr_raft_step(&n->raft, ev, &up);
		if (up.two_leaders) {
			must(s.liars, "honest nodes, and two leaders");
			s.over = true;
			return;
		}
		check_update(n, ev, &up);
		carry_out(n, &up);
		check_timer(n, ev, &up);
		ev->kind = XR_EV_LOOKED;
		if (up.what & XR_DO_FENCE && take8(&s.in) & 1)
			n->contact_ns = s.now_ns; /* by a run that had begun before the fence */
	} while (up.what & XR_DO_FENCE);
	must(n->raft.term == n->disk.term && n->raft.vote == n->disk.vote, "core and disk differ");
	must(n->raft.role != XR_LEADER || before.role != XR_FOLLOWER, "never campaigned");
	n->timer_ns = up.timer_ns;
}

/*
 * ---- events ----
 */
static void clear_ballots(struct node *n)
{
	n->prevotes = 0;
	n->may_lift = false;
}

static void start(struct node *n, uint8_t self, uint64_t promise_ns)
{
	struct xr_update up;

	n->raft = (struct xr_raft){.voters = VOTERS, .self = self, .timing = &timing};
	n->written_to = false;
	n->restless = 0;
	clear_ballots(n);
	n->view = (struct xr_view){.term = n->view.term};
	xr_raft_start(&n->raft, n->disk.term, n->disk.vote, s.now_ns, promise_ns, take64(&s.in),
		      &up);
	carry_out(n, &up);
	n->timer_ns = up.timer_ns;
}

static void crash(struct node *n, uint8_t fate)
{
	if (n->written_to && fate & 1)
		n->disk = n->writing;
	start(n, n->raft.self, fate & 2 ? s.now_ns + timing.max_timeout_ns : 0);
}

static void durable(struct node *n, struct xr_event *ev)
{
	ev->kind = XR_EV_DURABLE;
	if (n->written_to) {
		if (n->disk.term != n->writing.term)
			clear_ballots(n);
		n->disk = n->writing;
		n->written_to = false;
	}
	step(n, ev);
}

static void note(struct node *n, const struct xr_message *m)
{
	uint32_t from = m->node <= NODES && m->node != n->raft.self ? VOTERS & 1u << m->node : 0;

	if (m->type == XR_VOTE_ANSWER && m->granted && m->term == n->grants_term)
		n->grants |= from;
	if (m->type == XR_PREVOTE_ANSWER && m->granted && m->term == n->disk.term + 1)
		n->prevotes |= from;
	if (m->type == XR_RESIGN && m->heir == n->raft.self && m->term == n->disk.term && from)
		n->prevotes |= VOTERS;
	if ((m->type == XR_RESIGN && m->term == n->disk.term) || m->lift_leader)
		n->may_lift = true;
}

static void hear(struct node *n, struct xr_event *ev)
{
	const struct xr_message *m = &ev->message;

	if (m->type == XR_HEARTBEAT && (m->term < n->view.term || n->view.mode == XR_LEAD) &&
	    m->term <= n->view.term && !s.liars) {
		struct xr_message no = {.type = XR_ACK, .term = n->view.term};

		if (m->term < n->view.term)
			post(n->raft.self, m->node, &no);
	}
	if (m->type == XR_HEARTBEAT && m->term < n->view.term)
		return;
	if (m->type == XR_HEARTBEAT && m->term == n->view.term && n->view.mode == XR_FOLLOW &&
	    m->node == n->view.leader) {
		n->contact_ns = s.now_ns; /* what the NIC path answers, the core never sees */
		return;
	}
	if (m->type == XR_ACK && m->term <= n->view.term)
		return;
	note(n, m);
	ev->kind = XR_EV_MESSAGE;
	step(n, ev);
}

static void hear_letter(uint8_t keep, struct xr_event *ev)
{
	int i = s.queued ? take8(&s.in) % s.queued : -1;
	struct letter l;
	struct node *n;

	if (i < 0)
		return;
	l = s.queue[i];
	if (!keep)
		memmove(&s.queue[i], &s.queue[i + 1], sizeof(l) * (size_t)(--s.queued - i));
	n = &s.node[l.to];
	ev->message = l.m;
	ev->message.node = l.from;
	if (l.m.type == XR_POLL) {
		struct xr_message beat = {.type = XR_HEARTBEAT, .term = l.m.term};

		if (n->view.mode == XR_LEAD && n->view.term == l.m.term)
			post(l.to, l.from, &beat);
		return;
	}
	hear(n, ev);
}

static void hear_lie(struct node *n, struct xr_event *ev)
{
	struct xr_message *m = &ev->message;
	uint8_t shape = take8(&s.in);

	m->type = shape & 15;
	m->node = shape & 16 ? take8(&s.in) : 2 + (shape >> 5 & 1);
	m->granted = shape & 64;
	m->term = n->raft.term + (shape & 128 ? take32(&s.in) : take8(&s.in) % 4 - 1u);
	m->round = n->raft.round - take8(&s.in) % 3;
	m->heir = take8(&s.in) & 3;
	m->lift_leader = take8(&s.in) & 3;
	m->lift_term = m->term - 1;
	m->sent_ns = take8(&s.in);
	m->last_term = take8(&s.in) & 1;
	hear(n, ev);
}

static void turn(void)
{
	uint8_t what = take8(&s.in), flags = take8(&s.in);
	struct node *n = &s.node[s.liars ? 1 : 1 + flags % NODES];
	struct xr_event ev = {.lease = flags & 4, .may_lead = !(flags & 8), .late = flags & 16};

	s.now_ns += flags & 32 ? take8(&s.in) * MS : 0;
	if (flags & 64) {
		n->contact_ns = s.now_ns - take16(&s.in) % 400 * MS;
		n->restless = 0;
	}
	switch (what & 7) {
	case 0:
	case 1:
		if (s.liars)
			hear_lie(n, &ev);
		else
			hear_letter(what & 1 && what & 128, &ev);
		break;
	case 2:
	case 3:
		ev.kind = XR_EV_TIMER;
		if (n->timer_ns != UINT64_MAX && n->timer_ns > s.now_ns)
			s.now_ns = n->timer_ns;
		if (n->timer_ns <= s.now_ns)
			step(n, &ev);
		break;
	case 4:
		durable(n, &ev);
		break;
	case 5:
		crash(n, what >> 4);
		break;
	case 6:
		ev.kind = XR_EV_STEP_DOWN;
		ev.why.cause = XR_CAUSE_SHUTDOWN;
		ev.heir = what >> 4 & 3;
		ev.heir = ev.heir == n->raft.self ? 0 : ev.heir;
		step(n, &ev);
		break;
	case 7:
		if (s.queued)
			s.queued--; /* lost */
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t shape;

	memset(&s, 0, sizeof(s));
	s.in = (struct input){.at = data, .left = size};
	s.now_ns = 1000 * MS;
	shape = take8(&s.in);
	s.liars = shape & 1;
	for (uint8_t i = 1; i <= (s.liars ? 1 : NODES); i++) {
		s.node[i].disk.term = shape >> 1 & 3;
		s.node[i].disk.vote = s.liars ? shape >> 3 & 3 : 0;
		start(&s.node[i], i, shape & 32 ? s.now_ns + 150 * MS : 0);
	}
	for (int i = 0; i < STEPS && s.in.left && !s.over; i++)
		turn();
	return 0;
}
