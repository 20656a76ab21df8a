// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whole engines, driven by bytes. Odd first byte: one node, to which anyone says anything (whoever
 * has the key may lie). Even: three nodes over a network that loses, repeats and reorders what they
 * really said, with crashes. Clocks, disks, stamps and acks do whatever the input says in both:
 * none of what is checked here may depend on them. It is checked where a host sees it: at the
 * engine's calls, and in the maps wherever it pauses and after each turn.
 */
#include <setjmp.h>
#include "engine/engine.h"
#include "fuzz.h"

#define NODES	 3
#define BIRTH	 0xb1b2b3b4u /* of a node that joined */
#define GROUPS	 3
#define MIN_NS	 (150 * NS_PER_MS)
#define MAX_NS	 (300 * NS_PER_MS)
#define BEAT_NS	 (50 * NS_PER_MS)
#define STALL_NS NS_PER_S
#define QUEUE	 64
#define INBOX	 8
#define TERMS	 4096
#define STEPS	 2000
#define RESTING	 3 /* timer turns that may be needed at one instant */

/* The last comes by reload, if the input does not have it from the start. */
static struct xr_config_group groups[GROUPS] = {
	{.id = 0, .voters = 0xe, .digest = 70, .name = "a"},
	{.id = 1, .voters = 0x6, .digest = 71, .name = "b"},
	{.id = 2, .voters = 0xe, .digest = 72, .name = "c"},
};
static const struct xr_key keys[2] = {{.sip = {7, 9}, .used = 1, .id = 4},
				      {.sip = {8, 1}, .used = 1, .id = 5}};
static const struct xr_config config = {
	.nodes = {[1] = {.ip = {[15] = 1}, .port = XR_PORT, .used = 1, .priority = XR_PRIORITY},
		  [2] = {.ip = {[15] = 2}, .port = XR_PORT, .used = 1, .priority = XR_PRIORITY},
		  [3] = {.ip = {[15] = 3}, .port = XR_PORT, .used = 1, .priority = XR_PRIORITY}},
	.min_timeout_us = MIN_NS / NS_PER_US,
	.max_timeout_us = MAX_NS / NS_PER_US,
	.heartbeat_us = BEAT_NS / NS_PER_US,
	.stall_limit_us = STALL_NS / NS_PER_US,
	.groups = groups,
};
static const struct xr_control control = {
	.abi = XR_ABI,
	.answer = 1,
	.min_timeout_us = MIN_NS / NS_PER_US,
	.heartbeat_us = BEAT_NS / NS_PER_US,
	.quorum_lapse_us = MAX_NS / NS_PER_US,
	.drift_permille = 100,
};

/* What is on a node's disk; the real one is fuzz_journal.c's. No name: nothing of that group. */
struct xr_journal {
	struct xr_vote votes[GROUPS];
	struct xr_entry entries[GROUPS];
	uint32_t birth;
};

/* On its way there. Entries come besides votes: those of the term that is durable. */
struct record {
	struct xr_vote vote;
	struct xr_entry entry; /* id 0: none */
	uint64_t at_ns;
};

/* What is remembered of a node and a group, whatever the engine makes of it. */
struct ghost {
	union xr_word view, unfenced; /* as last seen, and before the last fence */
	uint64_t contact_ns;	      /* before the newest pause: what a look has seen */
	uint64_t beat_ns;	      /* of a leader: its timer after the last turn; 0: none */
	uint32_t beaten;	      /* bit n: a heartbeat left for node n in this turn */
	uint32_t led_term;	      /* the newest that it led in, and when it last did */
	uint64_t led_ns;
	uint64_t resigned_term; /* 1 + the newest that it resigned itself */
	bool may_lift;		/* somebody resigned, or says so, since it entered its term */
	uint32_t grants_term, grants;
	uint32_t prevotes; /* of the term after the durable one; all: named heir */
	bool taken;	   /* an entry became durable in this turn, and with it its members */
	uint64_t named;	   /* the newest entry that it has named to others (rule 24) */
	uint64_t asked[NODES + 1]; /* [node]: the largest that a vote request of it has named */
};

struct node {
	struct xr_engine engine;
	struct xr_looks looks;
	struct xr_config config;
	struct xr_group groups[GROUPS];
	struct xr_acks acks[GROUPS];
	struct xr_peer peers[XR_NODE_MAX + 1];
	struct xr_control control;
	struct xr_maps maps;   /* these four */
	struct xr_key keys[2]; /* the NIC path's */
	struct xr_stats stats;
	struct xr_journal disk;
	struct ghost ghost[GROUPS];

	struct record waiting[2 * GROUPS]; /* for the disk; the first `ndone` to be reaped */
	uint64_t probe_ns;
	struct {
		struct xr_value v;
		char value[64];
	} values[GROUPS];
	int nwaiting, ndone;
	struct xr_datagram inbox[INBOX];
	struct xr_event_rec ring[INBOX];
	int ninbox, nring;
	uint64_t armed_ns, turned_ns, promise_until_ns;
	uint32_t gone, usurped; /* bit n: node n; bit g: group g */
	int restless;		/* timer turns that asked for another at once */
	bool failed, over;
};

static struct node nodes[NODES + 1];
static struct xr_datagram queue[QUEUE];
static struct {
	struct input in;
	bool liars; /* datagrams are made up */
	bool over;
	uint64_t now_ns;
	struct node *acting; /* whose engine runs */
	jmp_buf died;
	uint8_t pauses, meanwhile; /* after so many of this turn: this */
	int queued;
	uint64_t said; /* lies, each of which is later than the last */
	uint8_t leads[GROUPS][TERMS];
} s;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

static uint8_t self(const struct node *n)
{
	return (uint8_t)(n - nodes);
}

/* Rule 25: of those that the durable entry names. */
static bool majority(const struct node *n, uint32_t g, uint32_t nodes_too)
{
	const struct xr_entry *entry = &n->disk.entries[g];
	uint32_t voters = entry->id ? entry->voters : groups[g].voters;

	return __builtin_popcount(nodes_too & voters) * 2 > __builtin_popcount(voters);
}

static const struct xr_vote *waits(const struct node *n, uint32_t g)
{
	for (int i = 0; i < n->nwaiting; i++)
		if (n->waiting[i].vote.group == g && !n->waiting[i].entry.id)
			return &n->waiting[i].vote;
	return NULL;
}

static bool entry_waits(const struct node *n, uint32_t g)
{
	for (int i = 0; i < n->nwaiting; i++)
		if (n->waiting[i].vote.group == g && n->waiting[i].entry.id)
			return true;
	return false;
}

static uint64_t oldest_ns(void *world)
{
	const struct node *n = world;

	return n->nwaiting > n->ndone ? n->waiting[n->ndone].at_ns : n->probe_ns;
}

/*
 * ---- what must hold ----
 */
static void check_lead(struct node *n, uint32_t g, struct xr_view v)
{
	struct ghost *o = &n->ghost[g];
	uint8_t *leads = &s.leads[g][v.term % TERMS];

	must(v.leader == self(n) && n->disk.votes[g].vote == self(n), "no own vote");
	must(o->resigned_term < v.term + 1ull, "leads again in a term that it resigned");
	must(o->grants_term == v.term && majority(n, g, o->grants | 1u << self(n)),
	     "group %u term %u: no majority", g, v.term);
	must(n->groups[g].lead_since_ns == s.now_ns || o->unfenced.word == o->view.word,
	     "LEAD is published before it is known since when (rule 5)");
	must(s.liars || !*leads || *leads == self(n), "two leaders in term %u", v.term);
	*leads = self(n);
	o->led_term = v.term;
}

static void check_view(struct node *n, uint32_t g)
{
	union xr_word was = n->ghost[g].view, now = xr_view_read(&n->groups[g]);
	struct xr_view v = now.view;

	n->ghost[g].view = now;
	if (v.mode == XR_LEAD)
		n->ghost[g].led_ns = s.now_ns;
	if (now.word == was.word)
		return;
	must(!(n->usurped >> g & 1), "writes over the view of another process");
	must(v.term >= was.view.term, "the view went back");
	if (v.term == was.view.term && v.mode == XR_NONE) {
		n->ghost[g].unfenced = was;
		return;
	}
	must(v.term == n->disk.votes[g].term && !waits(n, g), "published before it is durable");
	must(v.mode != XR_FOLLOW || v.leader != self(n), "follows itself");
	if (v.mode == XR_LEAD)
		check_lead(n, g, v);
}

static void check_views(struct node *n)
{
	for (uint32_t g = 0; g < GROUPS; g++)
		check_view(n, g);
}

/*
 * Rule 3: only whoever was released from a leader gives a vote while one is heard. A leader that
 * stepped down in this very turn has not told anyone yet.
 */
static void check_look(const struct node *n, uint32_t g)
{
	const struct ghost *o = &n->ghost[g];
	bool led = o->unfenced.view.mode == XR_LEAD &&
		   o->unfenced.view.term == n->disk.votes[g].term;

	if (o->may_lift || (led && n->engine.members[g].raft.resigned))
		return;
	must(!o->contact_ns || !xr_before(s.now_ns, o->contact_ns + MIN_NS),
	     "votes while a leader is heard");
	must(!n->disk.votes[g].name[0] || !xr_before(s.now_ns, n->promise_until_ns),
	     "votes against its promise (rule 6)");
	must(!led || !xr_quorum_fresh(&n->groups[g], &n->acks[g], self(n), s.now_ns,
				      xr_lease_ns(&n->control)),
	     "votes while its own lease holds");
}

static void check_submit(struct node *n, const struct xr_vote *v)
{
	uint32_t g = v->group;
	const struct xr_vote *d = &n->disk.votes[g % GROUPS];

	check_views(n);
	must(g < GROUPS && v->digest == groups[g].digest && !strcmp(v->name, groups[g].name),
	     "a vote of another group");
	must(!n->over && !waits(n, g), "two writes at once");
	must(n->groups[g].view.mode == XR_NONE, "writes unfenced");
	must(v->term > d->term || (v->term == d->term && (!d->vote || d->vote == v->vote)),
	     "rule 7: from term %u vote %u to term %u vote %u", d->term, d->vote, v->term, v->vote);
	if (!v->vote)
		return;
	must(v->vote <= XR_NODE_MAX, "a vote for node %u", v->vote);
	must(v->vote != self(n) || majority(n, g, n->ghost[g].prevotes | 1u << self(n)),
	     "a campaign that nobody agreed to");
	check_look(n, g);
}

/* Rules 22 and 24: larger than the last, of no newer term; and it may be written unfenced. */
static void check_taken(struct node *n, const struct xr_vote *v, const struct xr_entry *entry)
{
	uint32_t g = v->group;
	const struct xr_vote *d = &n->disk.votes[g % GROUPS];

	must(g < GROUPS && v->digest == groups[g].digest, "an entry of another group");
	must(!n->over && !waits(n, g) && !entry_waits(n, g), "two writes at once");
	must(v->term == d->term && v->vote == d->vote, "an entry moves the vote");
	must(xr_entry_term(entry->id) <= v->term && entry->id > n->disk.entries[g].id &&
		     (uint32_t)entry->id - 1 < XR_INDEX_MAX,
	     "entry %llx after %llx", (unsigned long long)entry->id,
	     (unsigned long long)n->disk.entries[g].id);
	must(entry->voters && !(entry->voters & entry->learners) &&
		     !((entry->voters | entry->learners) & ~XR_NODES) &&
		     entry->size <= XR_VALUE_MAX,
	     "an entry that no group can have");
}

/* Rule 24: what it names is durable, and of the record's term. Who lacks an entry promises nothing. */
static void check_named(struct node *n, const struct xr_record *b)
{
	uint64_t id = (uint64_t)b->term << 32 | (b->entry & XR_INDEX_MAX);

	if (!(uint32_t)id)
		return;
	must(id <= n->disk.entries[b->group].id, "names an entry that is not durable");
	if (!(b->flags & XR_LACKING) && n->ghost[b->group].named < id)
		n->ghost[b->group].named = id;
}

/* Rule 23: who has named an entry votes for nobody without it. */
static void check_granted(const struct ghost *o, const struct xr_record *b, uint8_t to)
{
	must(xr_entry_term(o->named) >= b->term || o->asked[to] >= o->named,
	     "votes for one whose entry is older");
}

static void check_resigned(struct node *n, uint32_t g, uint32_t term)
{
	struct xr_view v = n->groups[g].view;

	must(v.mode != XR_LEAD || v.term > term, "resigns before it has fenced");
	if (n->ghost[g].resigned_term < term + 1ull)
		n->ghost[g].resigned_term = term + 1ull;
	n->ghost[g].may_lift = true;
}

/* A record; ballots begin with the same fields. */
static void check_body(struct node *n, const struct xr_wire *h, const struct xr_record *b)
{
	uint32_t g = b->group;
	const struct xr_vote *d = &n->disk.votes[g % GROUPS], *w = waits(n, g);
	struct ghost *o = &n->ghost[g % GROUPS];
	struct xr_view v = n->groups[g % GROUPS].view;
	const struct xr_append *a = (const struct xr_append *)b;

	if (xr_type_body(h->type) == XR_BODY_RECORD && b->flags & XR_PENDING)
		return;
	must(g < GROUPS && b->digest == groups[g].digest, "group %u", g);
	switch (h->type) {
	case XR_HEARTBEAT:
		must(b->term == o->led_term && o->led_ns == s.now_ns, "beats, and does not lead");
		check_named(n, b);
		o->beaten |= 1u << h->dest;
		break;
	case XR_ACK:
		must(b->term <= d->term, "acks before it is durable");
		must(!(b->flags & XR_ACKED) ||
			     (n->groups[g].contact_ns == s.now_ns && v.term == b->term &&
			      (v.mode == XR_NONE || v.leader == h->dest)),
		     "acks whom it follows not");
		must(!(b->flags & XR_ACKED) == !xr_is_member(&n->groups[g], self(n)) ||
			     b->flags & XR_REFUSED,
		     "acks, and is no member (rule 27)");
		if (b->flags & (XR_ACKED | XR_LACKING))
			check_named(n, b);
		else
			must(!b->entry, "names an entry, and acks nothing");
		break;
	case XR_VOTE:
		must((w ? w : d)->term == b->term && (w ? w : d)->vote == self(n),
		     "asks for votes without its own");
		must(((const struct xr_ballot *)b)->entry <= n->disk.entries[g].id,
		     "asks for votes by an entry that is not durable");
		break;
	case XR_VOTE_ANSWER:
		must(!(b->flags & XR_GRANTED) || (d->term == b->term && d->vote == h->dest),
		     "a vote is answered before it is durable");
		if (b->flags & XR_GRANTED)
			check_granted(o, b, h->dest);
		break;
	case XR_APPEND:
		must(b->term == o->led_term && !b->entry, "an entry of one that does not lead");
		must((a->entry.voters | a->entry.learners) >> h->dest & 1,
		     "an entry for whom it does not name (rule 25)");
		break;
	case XR_HAND_ON:
		must(a->entry.id <= n->engine.members[g].raft.committed &&
			     a->entry.id <= n->disk.entries[g].id,
		     "hands on what is not committed (rule 24)");
		break;
	case XR_RESIGN:
		check_resigned(n, g, b->term);
		break;
	}
}

static void check_sent(struct node *n, uint8_t to, const struct xr_wire *h, size_t size)
{
	size_t body = xr_wire_body_size(h->type);

	check_views(n);
	must(h->source == self(n) && h->dest == to && to >= 1 && to <= NODES && to != self(n) &&
		     h->type && h->type < XR_TYPE_END && size == sizeof(*h) + h->count * body &&
		     h->count && h->lives && h->min_timeout_us == control.min_timeout_us,
	     "type %u from node %u to node %u, %zu bytes", h->type, h->source, to, size);
	must(h->sent_ns >= s.now_ns, "was sent before it was");
	must(xr_type_body(h->type) != XR_BODY_RECORD || h->sent_ns == s.now_ns,
	     "a lease would count from elsewhere (rule 5)");
	if (xr_type_body(h->type) == XR_BODY_WORD)
		check_body(n, h, (const void *)(h + 1));
	else
		for (int i = 0; i < h->count && xr_type_body(h->type) != XR_BODY_FACT; i++)
			check_body(n, h, (const void *)((const uint8_t *)(h + 1) + i * body));
}

/* Whom it speaks with (rule 17). */
static uint32_t met(const struct node *n)
{
	uint32_t who = 0;

	for (uint8_t node = 1; node <= NODES; node++)
		who |= (uint32_t) !!n->peers[node].lives << node;
	return who;
}

/* A leader's heartbeat is neither left out nor put off, and no voter's timer is lost. */
static void check_timer(struct node *n, uint32_t g, bool timer)
{
	uint64_t at_ns = n->engine.timers.at_ns[g], from_ns = s.now_ns;
	struct ghost *o = &n->ghost[g];
	bool leads = o->view.view.mode == XR_LEAD;
	const struct xr_raft *r = &n->engine.members[g].raft;
	uint32_t others = xr_members(n->groups[g].members) & ~(1u << self(n));

	if (!r->voters)
		return;
	if (xr_before(from_ns, n->promise_until_ns))
		from_ns = n->promise_until_ns;
	must(at_ns == UINT64_MAX ? waits(n, g) || !xr_raft_stands(r)
				 : at_ns <= from_ns + 2 * MAX_NS,
	     "group %u sleeps too long", g);
	if (leads && at_ns != o->beat_ns && !o->taken) {
		must((!o->beat_ns || timer) && at_ns - s.now_ns <= BEAT_NS &&
			     o->beaten == (others & met(n)),
		     "a leader's next heartbeat is put off");
		must(xr_may_lead(&n->groups[g], &n->acks[g], &n->control, s.now_ns) ||
			     xr_before(s.now_ns, r->grace_ns),
		     "beats without a quorum (rule 12)");
	}
	o->beat_ns = leads ? at_ns : 0;
	must(n->armed_ns <= (at_ns < s.now_ns ? s.now_ns : at_ns), "a timer is lost");
}

/*
 * `waits_ns`: since when the disk kept a write, as the turn began; `alive_ns`: the deadline, which
 * may stay where a timer was due.
 */
static void check_turn(struct node *n, uint64_t waits_ns, bool timer, uint64_t alive_ns)
{
	bool falls = (waits_ns && s.now_ns - waits_ns >= STALL_NS) ||
		     (n->turned_ns && s.now_ns - n->turned_ns >= STALL_NS);

	check_views(n);
	must(n->over || !n->failed, "goes on with a disk that failed (rule 7)");
	if (n->over)
		return;
	must(n->control.alive_until_ns == (waits_ns ? waits_ns : s.now_ns) + STALL_NS ||
		     n->control.alive_until_ns == alive_ns,
	     "answers for too long (rule 8)");
	for (uint32_t g = 0; g < GROUPS; g++) {
		check_timer(n, g, timer);
		must(!falls || n->groups[g].view.mode != XR_LEAD ||
			     n->groups[g].lead_since_ns == s.now_ns,
		     "leads on (rule 12)");
	}
	must(n->armed_ns <= s.now_ns + STALL_NS / 4, "its own timer is lost");
	n->restless = timer && n->armed_ns <= s.now_ns ? n->restless + 1 : 0;
	must(n->restless <= RESTING, "the timer never rests");
	n->turned_ns = s.now_ns;
}

/* What a node is told, whatever its engine makes of it. */
static void note(struct node *n, const struct xr_wire *h, const struct xr_ballot *b)
{
	struct ghost *o = &n->ghost[b->group % GROUPS];
	uint32_t term = n->disk.votes[b->group % GROUPS].term, from = 1u << (h->source & 31);
	bool granted = b->flags & XR_GRANTED;

	if (b->group >= GROUPS || b->digest != groups[b->group].digest || h->source > NODES)
		return;
	if (granted && b->birth != n->disk.entries[b->group].birth[h->source])
		return; /* rule 27: such a vote must not count */
	if (h->type == XR_VOTE && o->asked[h->source] < b->entry)
		o->asked[h->source] = b->entry;
	if (h->type == XR_VOTE_ANSWER && granted && b->term == o->grants_term)
		o->grants |= from;
	if (h->type == XR_PREVOTE_ANSWER && granted && b->term == term + 1)
		o->prevotes |= from;
	if (h->type == XR_RESIGN && b->term == term && b->node == self(n))
		o->prevotes = ~0u;
	if ((h->type == XR_RESIGN && b->term == term) ||
	    (h->type == XR_VOTE && b->lift_leader && b->lift_term == term))
		o->may_lift = true;
}

/*
 * ---- the world ----
 */
static uint64_t now_ns(void *world)
{
	(void)world;
	return s.now_ns;
}

static bool receive(void *world, struct xr_datagram *d)
{
	struct node *n = world;
	const struct xr_wire *h = &d->wire;
	const struct xr_key *key;

	if (!n->ninbox)
		return false;
	*d = n->inbox[0];
	memmove(n->inbox, n->inbox + 1, --n->ninbox * sizeof(n->inbox[0]));
	key = &n->engine.keys[h->key_id & 1];
	if (key->used && h->tag == xr_tag(h, d->bytes + d->size, d->size, &key->sip))
		for (int i = 0; i < h->count && xr_type_body(h->type) == XR_BODY_BALLOT; i++)
			note(n, h, (const struct xr_ballot *)(h + 1) + i);
	return true;
}

static void left(void *world)
{
	struct node *n = world;

	while (n->nring)
		xr_engine_left(&n->engine, &n->ring[--n->nring]);
}

static uint32_t gone(void *world)
{
	struct node *n = world;
	uint32_t told = n->gone;

	n->gone = 0;
	return told;
}

static void post(const struct node *n, const void *bytes, size_t size)
{
	struct xr_datagram *d;

	if (s.liars)
		return;
	if (s.queued == QUEUE)
		memmove(queue, queue + 1, sizeof(queue[0]) * --s.queued);
	d = &queue[s.queued++];
	d->size = size;
	d->from.port = XR_PORT;
	memcpy(d->bytes, bytes, size);
	memcpy(d->from.ip, config.nodes[self(n)].ip, sizeof(d->from.ip));
}

static void send_datagram(void *world, uint8_t to, const void *bytes, size_t size)
{
	struct node *n = world;
	const struct xr_wire *h = bytes;

	must(!n->over || !n->usurped || n->failed, "goes on, and is fenced");
	must(h->type != XR_PATH_ECHO, "echoes what was asked of the NIC path");
	check_sent(n, to, h, size);
	post(n, bytes, size);
}

static void nothing(void *world)
{
	(void)world;
}

static int submit(void *world, const struct xr_vote *v, const struct xr_entry *entry)
{
	struct node *n = world;
	struct ghost *o = &n->ghost[v->group % GROUPS];
	struct record *r = &n->waiting[n->nwaiting];

	if (entry)
		check_taken(n, v, entry);
	else
		check_submit(n, v);
	*r = (struct record){.vote = *v, .at_ns = s.now_ns};
	if (entry)
		memcpy(&r->entry, entry, XR_ENTRY_BASE + entry->size);
	n->nwaiting++;
	if (!entry && v->vote == self(n)) {
		o->grants_term = v->term;
		o->grants = 0;
	}
	return n->failed ? -EIO : 0;
}

static void probe(void *world)
{
	struct node *n = world;

	if (!n->probe_ns)
		n->probe_ns = s.now_ns;
}

static void write_first(struct node *n)
{
	const struct xr_vote *v = &n->waiting[0].vote;

	if (n->waiting[0].entry.id) {
		n->disk.entries[v->group] = n->waiting[0].entry;
		n->ghost[v->group].taken = true;
	}
	if (n->disk.votes[v->group].term != v->term)
		n->ghost[v->group].prevotes = n->ghost[v->group].may_lift = 0;
	n->disk.votes[v->group] = *v;
	memmove(n->waiting, n->waiting + 1, --n->nwaiting * sizeof(n->waiting[0]));
}

static size_t reap(void *world, struct xr_done *done, size_t max)
{
	struct node *n = world;
	size_t reaped = 0;

	for (; n->ndone && reaped < max; n->ndone--) {
		done[reaped++] = (struct xr_done){.vote = n->waiting[0].vote,
						  .entry = n->waiting[0].entry.id};
		write_first(n);
	}
	for (int i = 0; n->failed && i < n->nwaiting && reaped < max; i++)
		done[reaped++] = (struct xr_done){.vote = n->waiting[i].vote, .err = -EIO};
	return reaped;
}

static int disk_error(void *world, struct xr_why *why)
{
	return ((struct node *)world)->failed ? xr_fail(why, -EIO, "a write failed") : 0;
}

static uint64_t echoes(void *world)
{
	return ((struct node *)world)->stats.path_answered;
}

static void nothing_at(void *world, uint64_t ns)
{
	(void)world, (void)ns;
}

static void report(void *world, const struct xr_report *r)
{
	(void)world;
	must(r->kind < XR_REPORT_END && r->cause < XR_CAUSE_END, "a report of kind %u", r->kind);
}

static void arm(void *world, uint64_t at_ns)
{
	((struct node *)world)->armed_ns = at_ns;
}

static void end(void *world, int code)
{
	struct node *n = world;

	must(code ? n->failed || n->usurped || s.liars : !n->control.alive_until_ns, "ends with %d",
	     code);
	for (uint32_t g = 0; g < GROUPS; g++)
		must(n->usurped || n->groups[g].view.mode != XR_LEAD, "ends, and leads");
	n->over = true;
}

/* Rule 14. */
static void crash(void *world)
{
	must(s.liars, "honest nodes, and two leaders");
	must(!((struct node *)world)->control.alive_until_ns, "answers while it dies");
	s.over = true;
	longjmp(s.died, 1);
}

static const struct xr_host host = {
	.now_ns = now_ns,
	.receive = receive,
	.left = left,
	.gone = gone,
	.send = send_datagram,
	.flush = nothing,
	.submit = submit,
	.kick = nothing,
	.probe = probe,
	.reap = reap,
	.oldest_ns = oldest_ns,
	.disk_error = disk_error,
	.echoes = echoes,
	.show = nothing_at,
	.report = report,
	.arm = arm,
	.rest = nothing_at,
	.end = end,
	.crash = crash,
};

const struct xr_vote *xr_journal_find(const struct xr_journal *j, uint32_t g)
{
	return j->votes[g].name[0] ? &j->votes[g] : NULL;
}

uint32_t xr_journal_birth(const struct xr_journal *j)
{
	return j->birth;
}

const struct xr_entry *xr_journal_entry(const struct xr_journal *j, uint32_t g)
{
	return j->entries[g].id ? &j->entries[g] : NULL;
}

int xr_journal_each(const struct xr_journal *j, int (*visit)(const struct xr_vote *v, void *arg),
		    void *arg)
{
	int err = 0;

	for (uint32_t g = 0; g < GROUPS && !err; g++)
		if (xr_journal_find(j, g))
			err = visit(&j->votes[g], arg);
	return err;
}

/*
 * ---- the NIC path, and what else comes between two steps of an engine ----
 */
static void arrive(struct node *n, struct xr_datagram *d, bool nic)
{
	struct node *acting = s.acting;
	struct xr_env env = {
		.groups = n->groups,
		.acks = n->acks,
		.ngroups = GROUPS,
		.control = &n->control,
		.peers = n->peers,
		.keys = n->keys,
		.stats = &n->stats,
	};
	enum xr_verdict verdict = XR_PASS;

	s.acting = NULL;
	if (nic)
		verdict = xr_rules_run(&env, &d->wire, d->bytes + d->size, d->size, &d->from,
				       s.now_ns);
	s.acting = acting;
	for (uint32_t i = 0; i < env.npending && n->nring < INBOX; i++)
		n->ring[n->nring++] = env.pending[i];
	if (verdict == XR_PASS && n->ninbox < INBOX)
		n->inbox[n->ninbox++] = *d;
	if (verdict != XR_TX)
		return;
	check_sent(n, d->wire.dest, &d->wire, d->size);
	post(n, d->bytes, d->size);
}

/* Another process takes over, as rule 6 has it: this engine has to notice before it decides. */
static void usurp(struct node *n, uint32_t g)
{
	n->groups[g].view.leader = NODES + 1;
	n->groups[g].view.mode = XR_NONE;
	n->ghost[g].view = xr_view_read(&n->groups[g]);
	n->usurped |= 1u << g;
}

void sim_pause(void)
{
	struct node *n = s.acting;
	uint32_t g = s.meanwhile >> 2;

	if (!n)
		return;
	check_views(n);
	for (uint32_t i = 0; i < GROUPS; i++)
		n->ghost[i].contact_ns = n->groups[i].contact_ns;
	if (!s.pauses || --s.pauses)
		return;
	if ((s.meanwhile & 3) == 0) /* by a run that had begun before the fence */
		n->groups[g].contact_ns = s.now_ns;
	else if ((s.meanwhile & 3) == 1 && s.queued && queue[s.queued - 1].wire.dest == self(n))
		arrive(n, &queue[--s.queued], true);
	else if ((s.meanwhile & 3) == 2 && s.liars && n->turned_ns)
		usurp(n, g);
	else if ((s.meanwhile & 3) == 3)
		longjmp(s.died, 1);
}

/*
 * ---- turns ----
 */
static void start(struct node *n, uint8_t fate);

static void enter(struct node *n, void (*turn)(struct xr_engine *e))
{
	/* Not to be lost by longjmp(). */
	const volatile uint64_t waits_ns = oldest_ns(n);
	const volatile bool due = n->armed_ns && n->armed_ns <= s.now_ns;
	const volatile uint64_t alive_ns = due ? n->control.alive_until_ns : 0;

	s.acting = n;
	for (uint32_t g = 0; g < GROUPS; g++)
		n->ghost[g].beaten = n->ghost[g].taken = 0;
	if (!setjmp(s.died)) {
		turn(&n->engine);
		check_turn(n, waits_ns,
			   turn == xr_engine_timer || (due && turn == xr_engine_receive), alive_ns);
	} else {
		n->over = true;
	}
	s.acting = NULL;
	s.pauses = 0;
	if (n->over && !s.over)
		start(n, take8(&s.in));
}

static void set_keys(struct node *n, uint8_t shape)
{
	const struct xr_key use[2] = {keys[shape & 1], keys[~shape & 1]};

	xr_engine_keys(&n->engine, use, shape & 2 ? 1 : 2);
	memcpy(n->keys, n->engine.keys, sizeof(n->keys));
}

static void first_turn(struct xr_engine *e)
{
	struct node *n = e->world;

	must(!xr_engine_init(e, &n->maps, &n->disk, n->promise_until_ns, NULL), "does not start");
	xr_engine_begin(e);
}

static void meet(struct node *n, uint8_t node, uint64_t life)
{
	struct xr_acquaintance *a = &n->engine.known[node];

	*a = (struct xr_acquaintance){
		.life = life, .introduced = true, .ask_ns = UINT64_MAX, .wait_ns = 2 * NS_PER_MS};
	n->engine.peers[node].lives = n->peers[node].lives = n->control.life ^ life;
	n->engine.strangers &= ~(1u << node);
}

/* As if all had asked and told; so that few bytes make an election. */
static void introduce(struct node *n)
{
	for (uint8_t node = 1; node <= NODES; node++) {
		if (node == self(n))
			continue;
		if (s.liars) {
			meet(n, node, 0x1000 + node);
		} else if (nodes[node].control.life) {
			meet(n, node, nodes[node].control.life);
			meet(&nodes[node], self(n), n->control.life);
		}
	}
}

/*
 * Bits of `fate`: writes that reach the disk, the machine started anew, a promise, two groups; the
 * last: it has met nobody.
 */
static void start(struct node *n, uint8_t fate)
{
	struct xr_engine *e = &n->engine;

	for (int writes = fate & 3; writes && n->nwaiting; writes--)
		write_first(n);
	xr_engine_free(e);
	memset(e, 0, sizeof(*e));
	if (fate & 4) {
		memset(n->groups, 0, sizeof(n->groups));
		memset(n->values, 0, sizeof(n->values));
	}
	n->control.alive_until_ns = 0;
	for (uint32_t g = 0; g < GROUPS; g++) {
		n->groups[g].view.mode = XR_NONE;
		n->ghost[g].view = n->ghost[g].unfenced = xr_view_read(&n->groups[g]);
		n->ghost[g].beat_ns = n->ghost[g].prevotes = n->ghost[g].may_lift = 0;
	}
	n->nwaiting = n->ndone = n->ninbox = n->nring = n->restless = 0;
	n->probe_ns = n->turned_ns = n->gone = n->usurped = 0;
	n->failed = n->over = false;
	n->armed_ns = 0; /* as the daemon's, before the first arm() */
	n->promise_until_ns = fate & 8 ? s.now_ns + MIN_NS : 0;
	n->config.ngroups = GROUPS - (fate >> 4 & 1);
	e->config = &n->config;
	e->host = &host;
	e->looks = &n->looks;
	e->world = n;
	e->random = take16(&s.in);
	memcpy(e->peers, config.nodes, sizeof(e->peers));
	set_keys(n, 0);
	enter(n, first_turn);
	if (!(fate & 128))
		introduce(n);
}

static void order(struct xr_engine *e)
{
	uint8_t what = take8(&s.in);
	struct xr_order o = {.group = {"\0abx"[what >> 2 & 3]}, .heir = what & 3};
	struct xr_order_result r;

	if (what & 16)
		o.kind = XR_ORDER_SET;
	else if (what & 128)
		o.kind = XR_ORDER_ADD + (what >> 5 & 3) % 3;
	o.node = what & 3;
	o.conditional = what & 32;
	o.size = what & 64 ? take16(&s.in) % (XR_VALUE_MAX + 9) : what >> 7;
	xr_engine_order(e, &o, &r);
}

static void reload(struct xr_engine *e)
{
	set_keys(e->world, take8(&s.in));
	xr_engine_take(e, e->peers, groups, GROUPS);
}

/*
 * ---- events ----
 */
static void lie_fact(struct node *n, struct xr_datagram *d)
{
	uint8_t shape = take8(&s.in), more = take8(&s.in);
	const struct xr_acquaintance *a = &n->engine.known[d->wire.source % (NODES + 1)];
	const uint64_t values[] = {a->nonce, a->path_nonce, more,
				   n->engine.members[more % GROUPS].raft.term + (more >> 6)};
	struct xr_fact *fact = (struct xr_fact *)(d->bytes + d->size);

	*fact = (struct xr_fact){1 + shape % XR_FACT_END, more % GROUPS, values[shape >> 6]};
	if (!d->wire.count && !(shape & 32))
		*fact = (struct xr_fact){XR_FACT_nonce, 0, values[shape >> 6 & 1]};
	if (xr_type_introduces(d->wire.type))
		d->wire.lives = a->life + (shape >> 4 & 1);
	d->size += sizeof(*fact);
	d->wire.count++;
}

static void lie_body(struct node *n, struct xr_datagram *d)
{
	static const int off[] = {0, 1, -1, 0};
	uint8_t shape = take8(&s.in), more = take8(&s.in), g = shape & 3, type = d->wire.type;
	const struct xr_raft *r = &n->engine.members[g % GROUPS].raft;
	struct xr_ballot *b = (struct xr_ballot *)(d->bytes + d->size);
	enum xr_body body = xr_type_body(type);
	bool ahead = type == XR_VOTE || type == XR_PREVOTE || type == XR_PREVOTE_ANSWER;

	d->size += xr_wire_body_size(type);
	d->wire.count++;
	memset(b, 0, xr_wire_body_size(type));
	b->group = g;
	b->term = (r->op.writing ? r->op.term : r->term + ahead) + off[shape >> 2 & 3] +
		  (shape & 16 ? take32(&s.in) : 0);
	b->digest = groups[g % GROUPS].digest + (shape >> 5 & 1);
	b->flags = body == XR_BODY_RECORD && more & 15 ? more & 15 : !(shape >> 6);
	if (body == XR_BODY_RECORD) {
		((struct xr_record *)b)->entry = ((uint32_t)r->entry + (more >> 4 & 3) - 1) |
						 (more & 128 ? XR_COMMITTED : 0);
		return;
	}
	b->round = r->round - (more >> 4 & 3);
	b->node = more & 3;
	b->lift_leader = more >> 2 & 3;
	b->lift_term = r->term - (more >> 6 & 1);
	b->birth = n->disk.entries[g % GROUPS].birth[d->wire.source % (NODES + 1)];
	b->birth ^= (more & 63) == 63 ? BIRTH : 0;
	b->entry = more >> 7 ? r->entry + (shape >> 6) - 1 : 0;
}

/* Perhaps of another birth, of nobody, or of somebody twice. */
static void lie_members(struct xr_entry *e)
{
	static const uint16_t some[] = {0xe, 0x6, 0xc, 0x2, 0x1e, 0x8, 0x1, 0};
	uint8_t who = take8(&s.in);

	e->voters = some[who & 7];
	e->learners = (uint16_t)(some[who >> 3 & 7] & ~(who & 64 ? 0 : e->voters));
	for (uint8_t node = 1; node <= NODES; node++)
		e->birth[node] = who >> 6 == node % 4 ? BIRTH : 0;
}

/* An entry that fits, or one that does not. */
static void lie_append(struct node *n, struct xr_datagram *d)
{
	uint8_t shape = take8(&s.in), more = take8(&s.in), g = shape & 3;
	const struct xr_raft *r = &n->engine.members[g % GROUPS].raft;
	struct xr_append *a = (struct xr_append *)(d->bytes + d->size);
	const uint32_t terms[] = {0, 0, 1, -1};
	size_t size;

	memset(a, 0, sizeof(d->bytes) - d->size);
	a->record.group = g;
	a->record.term = xr_raft_term(r) + terms[shape >> 2 & 3];
	a->record.digest = groups[g % GROUPS].digest + (shape >> 4 & !(more & 7));
	a->entry.id = (uint64_t)(a->record.term - (shape >> 5 & !(more & 3))) << 32;
	a->entry.id += (uint32_t)r->entry + (more & 15) - 3;
	a->entry.voters = groups[g % GROUPS].voters ^ (more >> 4 == 15);
	if (shape & 64)
		lie_members(&a->entry);
	a->entry.size = shape & 64 ? take16(&s.in) % (XR_VALUE_MAX + 16) : more >> 4;
	size = sizeof(a->record) + XR_ENTRY_BASE + (a->entry.size + 7u) / 8 * 8;
	if (shape & 128) /* the header says otherwise */
		size = take8(&s.in) % 174 * 8u;
	d->wire.count = size / 8;
	d->size += size;
}

/* Anything, well sealed; or, where `ring`, what a datagram that was answered might have left. */
static void lie(struct node *n, bool nic, bool ring)
{
	uint8_t type = take8(&s.in), odd = take8(&s.in);
	static struct xr_datagram d;
	struct xr_wire *h = &d.wire;

	d.size = sizeof(*h);
	d.from.port = XR_PORT + (odd >> 2 & 1);
	*h = (struct xr_wire){
		.magic = XR_WIRE_MAGIC,
		.version = XR_WIRE_VERSION,
		.type = 1 + (type & 15) % (XR_TYPE_END - 1),
		.source = odd & 1 ? take8(&s.in) : 2 + (type >> 4 & 1),
		.dest = self(n),
		.key_id = keys[type >> 5 & 1].id,
		.min_timeout_us = odd & 2 ? take16(&s.in) * 10 : control.min_timeout_us,
		.sent_ns = s.now_ns - (odd & 8 ? take64(&s.in) : type >> 6),
		.echo_ns = s.now_ns - (odd & 16 ? take16(&s.in) * NS_PER_MS : 0),
	};
	h->lives = n->peers[h->source % (NODES + 1)].lives;
	if (h->type != XR_HEARTBEAT && !(odd & 8))
		h->sent_ns = s.now_ns + ++s.said;
	memset(h + 1, 0, sizeof(struct xr_record)); /* where there is less */
	if (xr_type_body(h->type) == XR_BODY_WORD)
		lie_append(n, &d);
	for (int i = odd >> 6; i >= 0 && xr_type_body(h->type) != XR_BODY_WORD; i--)
		if (xr_type_body(h->type) == XR_BODY_FACT)
			lie_fact(n, &d);
		else
			lie_body(n, &d);
	h->tag = xr_tag(h, d.bytes + d.size, d.size, &keys[h->key_id & 1].sip);
	if (odd & 32)
		d.bytes[take8(&s.in) % d.size] ^= take8(&s.in);
	memcpy(d.from.ip, config.nodes[h->source & 3].ip, sizeof(d.from.ip));
	if (!ring)
		arrive(n, &d, nic);
	else if (n->nring < INBOX)
		n->ring[n->nring++] = (struct xr_event_rec){
			.record = *(struct xr_record *)(h + 1),
			.sent_ns = h->sent_ns,
			.min_timeout_us = h->min_timeout_us,
			.type = h->type,
			.source = h->source,
		};
}

static struct node *deliver(struct node *n, bool keep, bool nic)
{
	int i = s.queued ? take8(&s.in) % s.queued : -1;
	struct xr_datagram d;

	if (i < 0)
		return n;
	d = queue[i];
	n = &nodes[d.wire.dest];
	if (!keep)
		memmove(&queue[i], &queue[i + 1], sizeof(queue[0]) * (size_t)(--s.queued - i));
	arrive(n, &d, nic);
	return n;
}

/* Stamps and clocks; and what will come between two steps of this turn. */
static void prepare(struct node *n, uint8_t flags)
{
	uint8_t step = flags & 4 ? take8(&s.in) : 0;

	s.now_ns += (step < 200 ? step : (step - 199) * 50) * NS_PER_MS;
	for (uint32_t g = 0; flags & 8 && g < GROUPS; g++) {
		n->groups[g].contact_ns = s.now_ns - take16(&s.in) % 400 * NS_PER_MS;
		n->restless = 0;
	}
	for (uint32_t g = 0; flags & 16 && g < GROUPS; g++)
		for (uint8_t node = 1; node <= NODES; node++)
			n->acks[g].echo_ns[node] = s.now_ns;
	s.pauses = flags & 32 ? take8(&s.in) : 0;
	s.meanwhile = s.pauses >> 5;
	s.pauses &= 31;
}

static void stop(struct xr_engine *e)
{
	xr_engine_stop(e, XR_CAUSE_SHUTDOWN);
}

static void turn(void)
{
	static void (*const turns[16])(struct xr_engine * e) = {
		[4] = xr_engine_timer,	 [5] = xr_engine_timer,
		[6] = xr_engine_timer,	 [7] = xr_engine_durable,
		[8] = xr_engine_durable, [9] = order,
		[10] = reload,		 [11] = stop,
		[15] = xr_engine_timer,
	};
	uint8_t what = take8(&s.in), flags = take8(&s.in), kind = what & 15, arg = what >> 4;
	struct node *n = &nodes[s.liars ? 1 : 1 + (flags & 3) % NODES];

	prepare(n, flags);
	if (kind < 4 && s.liars)
		lie(n, !(flags & 64), kind == 3 && arg & 1);
	else if (kind < 4)
		n = deliver(n, arg & 1, !(flags & 64));
	else if (kind < 7 && xr_before(s.now_ns, n->armed_ns))
		s.now_ns = n->armed_ns;
	if (kind == 12)
		start(n, arg);
	if (kind == 13 && s.queued)
		s.queued--; /* lost */
	if (kind == 14)
		n->gone = arg;
	if (kind == 15 && s.liars)
		usurp(n, arg & 1);
	if (turns[kind] == xr_engine_timer)
		n->armed_ns = UINT64_MAX;
	if (turns[kind] == xr_engine_durable) {
		n->failed = arg >= 12;
		n->ndone = (arg & 3) < n->nwaiting ? arg & 3 : n->nwaiting;
		n->probe_ns = arg & 4 ? 0 : n->probe_ns;
	}
	if (turns[kind] || !(flags & 128)) /* or more before its turn */
		enter(n, turns[kind] ? turns[kind] : xr_engine_receive);
}

static void set_up(struct node *n, uint8_t shape)
{
	n->config = config;
	n->control = control;
	memcpy(n->peers, config.nodes, sizeof(n->peers));
	n->maps = (struct xr_maps){n->groups,	     n->acks,	n->peers,
				   &n->control,	     n->values, sizeof(n->values[0]),
				   .ngroups = GROUPS};
	n->config.self = n->control.self = self(n);
	n->control.nic_mode = shape & 128 ? XR_NIC_NATIVE : XR_NIC_OFF;
	for (uint32_t g = 0; g < GROUPS && shape & 6; g++) {
		struct xr_vote *v = &n->disk.votes[g];

		*v = (struct xr_vote){
			.group = g, .term = shape >> 1 & 3, .digest = groups[g].digest};
		v->vote = s.liars ? shape >> 3 & 3 : 0;
		memcpy(v->name, groups[g].name, sizeof(v->name));
	}
	n->disk.birth = s.liars && (shape & 24) == 24 ? BIRTH : 0;
	start(n, (shape & 96) >> 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t shape;

	memset(&s, 0, sizeof(s));
	memset(nodes, 0, sizeof(nodes));
	s.in = (struct input){.at = data, .left = size};
	s.now_ns = 100 * NS_PER_S;
	shape = take8(&s.in);
	s.liars = shape & 1;
	for (uint8_t i = 1; i <= (s.liars ? 1 : NODES); i++)
		set_up(&nodes[i], shape);
	for (int i = 0; i < STEPS && s.in.left && !s.over; i++)
		turn();
	for (uint8_t i = 1; i <= (s.liars ? 1 : NODES); i++)
		xr_engine_free(&nodes[i].engine);
	return 0;
}
