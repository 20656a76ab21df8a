// SPDX-License-Identifier: GPL-2.0-only
/* What must hold, after every step of every node. The ghosts outlive every crash. */
#include <stdarg.h>
#include "net/env.h"
#include "sim/sim.h"

/* In largest election timeouts after the faults stop: to agree on a leader, and to keep it. */
#define ELECT_WITHIN 40
#define KEEP_FOR     20
#define LOOKS_NS     MS(1200) /* at failback: until nodes are met, and four looks */

void sim_violation(struct world *w, const char *invariant, const char *fmt, ...)
{
	va_list ap;

	if (w->failed)
		return;
	w->failed = w->result->violated = true;
	snprintf(w->result->invariant, sizeof(w->result->invariant), "%s", invariant);
	va_start(ap, fmt);
	vsnprintf(w->result->detail, sizeof(w->result->detail), fmt, ap);
	va_end(ap);
	sim_trace(w, 0, "VIOLATED: %s", w->result->invariant, 0, 0, 0, 0);
}

static struct term *term_of(struct world *w, int g, uint32_t term)
{
	uint32_t room = w->nterms[g] ? w->nterms[g] : 64;

	if (term >= SIM_TERMS) {
		sim_violation(w, "terms grow with elections", "group %d term %u", g, term);
		term = 0;
	}
	while (room <= term)
		room *= 2;
	if (room > w->nterms[g]) {
		w->terms[g] = reallocarray(w->terms[g], room, sizeof(struct term));
		if (!w->terms[g])
			abort();
		memset(w->terms[g] + w->nterms[g], 0, (room - w->nterms[g]) * sizeof(struct term));
		w->nterms[g] = room;
	}
	return &w->terms[g][term];
}

/*
 * ---- leases: at most one a group at any instant of true time ----
 */

/* As any reader on that machine computes it from the maps (rule 16). */
bool check_lease(const struct node *n, int g)
{
	const struct xr_group *record = &n->maps.groups[g];
	const struct xr_control *c = &n->maps.control;
	uint64_t now_ns = sim_local(n);

	return xr_view_read(record).view.mode == XR_LEAD && xr_before(now_ns, c->alive_until_ns) &&
	       xr_quorum_fresh(record, &n->maps.acks[g], n->id, now_ns, xr_lease_ns(c));
}

static void check_group_leases(struct world *w, int g)
{
	int holder = 0;

	for (int id = 1; id <= w->n; id++) {
		if (!(w->lead_views[g] >> id & 1) || !check_lease(&w->node[id], g))
			continue;
		if (holder)
			sim_violation(w, "at most one valid lease",
				      "group %d: node %d in term %u and node %d in term %u", g,
				      holder, w->node[holder].maps.groups[g].view.term, id,
				      w->node[id].maps.groups[g].view.term);
		holder = id;
	}
}

void check_leases(struct world *w)
{
	for (int g = 0; g < w->groups; g++)
		if (w->lead_views[g] & (w->lead_views[g] - 1))
			check_group_leases(w, g);
}

/* Of these voters. */
static bool is_majority(uint32_t nodes, uint32_t voters)
{
	voters &= XR_NODES;
	return __builtin_popcount(nodes & voters) > __builtin_popcount(voters) / 2;
}

/* Rule 5: a lease rests on a majority that has acked this very term. */
void check_lease_is_promised(struct node *n)
{
	struct world *w = n->w;

	for (int g = 0; g < w->groups; g++) {
		uint32_t t = n->maps.groups[g].view.term;

		if (!(w->lead_views[g] >> n->id & 1) || !check_lease(n, g))
			continue;
		if (!is_majority(term_of(w, g, t)->acked | 1u << n->id, n->maps.groups[g].members))
			sim_violation(w, "a lease is promised by a majority",
				      "node %u group %d term %u", n->id, g, t);
	}
}

/*
 * ---- entries (rules 22 to 26) ----
 */

static struct made *made_of(struct world *w, int g, uint64_t id)
{
	for (uint32_t i = w->nmade[g]; i--;)
		if (w->made[g][i].id == id)
			return &w->made[g][i];
	return NULL;
}

static struct made *make(struct world *w, int g, const struct xr_entry *entry, uint64_t hash)
{
	struct made *m;

	if (!(w->nmade[g] & (w->nmade[g] + 1))) {
		w->made[g] = reallocarray(w->made[g], 2 * w->nmade[g] + 2, sizeof(struct made));
		if (!w->made[g])
			abort();
	}
	m = &w->made[g][w->nmade[g]++];
	*m = (struct made){
		.id = entry->id,
		.hash = hash,
		.voters = entry->voters,
		.learners = entry->learners,
	};
	memcpy(m->birth, entry->birth, sizeof(m->birth));
	return m;
}

static uint64_t hash_of(const struct xr_entry *entry)
{
	uint64_t hash = 0xcbf29ce484222325ull;
	struct xr_entry body = {0};

	memcpy(&body, entry, XR_ENTRY_BASE + entry->size);
	for (size_t i = 0; i < sizeof(body); i++)
		hash = (hash ^ ((const unsigned char *)&body)[i]) * 0x100000001b3ull;
	return hash;
}

/* Nobody who led in a later term was without it when it began to. */
static void check_committed(struct node *n, int g, struct made *m)
{
	struct world *w = n->w;

	if (m->committed || !is_majority(m->acked, m->voters))
		return;
	m->committed = true;
	w->result->faults[SIM_VALUES_COMMITTED]++;
	for (uint32_t t = xr_entry_term(m->id) + 1; t < w->nterms[g]; t++)
		if (w->terms[g][t].leader && w->terms[g][t].entry < m->id)
			sim_violation(w, "no committed entry is lost",
				      "group %d: entry %llx, but not node %u, leader of term %u", g,
				      (unsigned long long)m->id, w->terms[g][t].leader, t);
}

/* On disk. Whoever leads in its term has made it, and acks it by that. */
void check_entry(struct node *n, int g, const struct xr_entry *entry)
{
	struct world *w = n->w;
	struct made *m = made_of(w, g, entry->id);
	uint64_t hash = hash_of(entry);
	uint8_t leader = term_of(w, g, xr_entry_term(entry->id))->leader;

	if (!leader)
		sim_violation(w, "only leaders make entries (rule 22)", "node %u group %d: %llx",
			      n->id, g, (unsigned long long)entry->id);
	if (!m)
		m = make(w, g, entry, hash);
	if (m->hash != hash)
		sim_violation(w, "an entry has one body (rule 22)", "node %u group %d: %llx", n->id,
			      g, (unsigned long long)entry->id);
	if (entry->id < n->ghost[g].entry)
		sim_violation(w, "a durable entry never goes back (rule 24)",
			      "node %u group %d: %llx to %llx", n->id, g,
			      (unsigned long long)n->ghost[g].entry, (unsigned long long)entry->id);
	if (entry->id != n->ghost[g].entry) {
		n->ghost[g].before = n->ghost[g].entry;
		n->ghost[g].entry_ns = w->now_ns;
	}
	n->ghost[g].entry = entry->id;
	if (leader == n->id && n->ghost[g].term == xr_entry_term(entry->id)) {
		m->acked |= 1u << n->id;
		check_committed(n, g, m);
	}
}

/* Of a new life: a write that nobody heard of may be there or not. */
void check_entry_found(struct node *n, int g, const struct xr_entry *entry)
{
	if ((entry ? entry->id : 0) < n->ghost[g].entry)
		sim_violation(n->w, "a durable entry never goes back (rule 24)",
			      "node %u group %d: %llx is gone", n->id, g,
			      (unsigned long long)n->ghost[g].entry);
	if (entry && entry->id != n->ghost[g].entry)
		check_entry(n, g, entry);
}

/* Is it a voter, or with `learner` a member, by its birth, as that entry says? */
static bool is_named(struct node *n, int g, uint64_t id, bool learner)
{
	const struct made *m = made_of(n->w, g, id);
	uint32_t members = m ? m->voters | (learner ? m->learners : 0) : n->groups[g].voters;

	return members >> n->id & 1 && (m ? m->birth[n->id] : 0) == n->birth;
}

/* What left in this turn may be of before it: so by the durable entry, or the one before. */
static void check_named(struct node *n, int g, bool learner, const char *what)
{
	if (!is_named(n, g, n->ghost[g].entry, learner) &&
	    !is_named(n, g, n->ghost[g].before, learner))
		sim_violation(n->w, "only members answer, only voters ask (rule 27)",
			      "node %u of birth %x %s in group %d, entry %llx", n->id, n->birth,
			      what, g, (unsigned long long)n->ghost[g].entry);
}

/* A leader that has removed itself may be the only one to have that entry. */
static bool removes_itself(struct node *n, int g)
{
	const struct made *m = made_of(n->w, g, n->ghost[g].entry);

	return m && !((m->voters | m->learners) >> n->id & 1) && n->committed[g] != m->id;
}

static bool stays(const struct world *w, const struct node *n, uint16_t voters,
		  const uint32_t *birth)
{
	uint32_t there = 0;

	for (int id = 1; id <= w->n; id++)
		if (!(n && id == n->id) && (birth ? birth[id] : 0) == w->node[id].birth)
			there |= 1u << id;
	return is_majority(there, voters);
}

/*
 * Would a majority still be there if `n` (NULL: nobody) lost its disk? Of the voters of whatever entry may
 * come to count: nothing older than what is committed comes back, what is newer may.
 */
static bool has_majority(struct world *w, int g, const struct node *n)
{
	uint64_t committed = 0;
	bool stay = true;

	for (uint32_t i = 0; i < w->nmade[g]; i++)
		if (w->made[g][i].committed && w->made[g][i].id > committed)
			committed = w->made[g][i].id;
	for (uint32_t i = 0; i < w->nmade[g]; i++)
		if (w->made[g][i].id >= committed)
			stay = stay && stays(w, n, w->made[g][i].voters, w->made[g][i].birth);
	return stay && (committed || stays(w, n, (uint16_t)w->node[1].groups[g].voters, NULL));
}

bool check_may_wipe(struct world *w, const struct node *n)
{
	for (int g = 0; g < w->groups; g++)
		if (!has_majority(w, g, n))
			return false;
	return true;
}

/* Whoever comes back under this id is somebody else (rule 27). */
void check_wiped(struct node *n)
{
	struct world *w = n->w;

	for (int g = 0; g < w->groups; g++) {
		n->ghost[g] = (struct ghost){0};
		for (uint32_t t = 0; t < w->nterms[g]; t++)
			w->terms[g][t].vote[n->id] = 0;
	}
}

static void check_entry_acked(struct node *n, const struct xr_record *rec)
{
	uint64_t id = (uint64_t)rec->term << 32 | (rec->entry & XR_INDEX_MAX);
	struct made *m;

	if (!(rec->entry & XR_INDEX_MAX))
		return;
	m = made_of(n->w, rec->group, id);
	if (!m || n->ghost[rec->group].entry < id) {
		sim_violation(n->w, "no ack names an entry that is not durable (rule 24)",
			      "node %u group %u: %llx, durable is %llx", n->id, rec->group,
			      (unsigned long long)id,
			      (unsigned long long)n->ghost[rec->group].entry);
		return;
	}
	m->acked |= 1u << n->id;
	check_committed(n, rec->group, m);
}

/* At an election: what was committed before is there. */
static void check_entry_led(struct node *n, int g, uint32_t t)
{
	struct world *w = n->w;

	for (uint32_t i = 0; i < w->nmade[g]; i++)
		if (w->made[g][i].committed && xr_entry_term(w->made[g][i].id) < t &&
		    w->made[g][i].id > n->ghost[g].entry)
			sim_violation(
				w, "no committed entry is lost",
				"group %d: node %u leads in term %u with entry %llx, not %llx", g,
				n->id, t, (unsigned long long)n->ghost[g].entry,
				(unsigned long long)w->made[g][i].id);
}

/* What people are told. */
static void check_shown(struct node *n, int g)
{
	const struct shown *s = &n->maps.values[g];
	struct made *m;

	if (s->v.sequence & 1 || s->v.committed == n->committed[g])
		return;
	n->committed[g] = s->v.committed;
	m = made_of(n->w, g, s->v.committed);
	if (s->v.committed && (!m || !m->committed))
		sim_violation(n->w, "what is called committed is (rule 25)",
			      "node %u group %d: %llx", n->id, g,
			      (unsigned long long)s->v.committed);
}

/*
 * ---- what a node says and does ----
 */

static bool is_witness(const struct node *n)
{
	return !n->config.nodes[n->id].priority;
}

/* Whoever asks for votes, or leads, stands for election. */
static void check_stands(struct node *n, int g, uint32_t t, const char *does)
{
	if (is_witness(n))
		sim_violation(n->w, "a witness never stands for election",
			      "node %u group %d %s term %u", n->id, g, does, t);
	if (n->ghost[g].paused)
		sim_violation(n->w, "who is paused stands for no election",
			      "node %u group %d %s term %u", n->id, g, does, t);
}

static void check_lead(struct node *n, int g, uint32_t t)
{
	struct term *term = term_of(n->w, g, t);

	check_stands(n, g, t, "leads in");

	if (term->leader && term->leader != n->id)
		sim_violation(n->w, "one leader a term", "group %d term %u: nodes %u and %u", g, t,
			      term->leader, n->id);
	if (term->resigned)
		sim_violation(n->w, "nobody leads in a term that was resigned",
			      "node %u group %d term %u", n->id, g, t);
	if (n->ghost[g].vote != n->id)
		sim_violation(n->w, "a leader has its own vote, durable",
			      "node %u group %d term %u", n->id, g, t);
	check_entry_led(n, g, t);
	if (!term->leader)
		n->w->result->elections++;
	term->leader = n->id;
	term->entry = n->ghost[g].entry;
	term->min_timeout_us = n->maps.control.min_timeout_us;
	term->life = n->child.life;
}

static void check_publish(struct node *n, int g, struct xr_view before, struct xr_view view)
{
	static const char *const modes[] = {"view NONE", "view FOLLOW", "view LEAD"};

	sim_trace(n->w, n->id, "%s: g%llu term %llu leader %llu", modes[view.mode], g, view.term,
		  view.leader, 0);
	if (view.term < before.term)
		sim_violation(n->w, "a view's term never goes back", "node %u group %d: %u to %u",
			      n->id, g, before.term, view.term);
	if (view.mode != XR_NONE && view.term != n->ghost[g].term)
		sim_violation(n->w, "durable before visible",
			      "node %u group %d publishes term %u, durable is %u", n->id, g,
			      view.term, n->ghost[g].term);
	if (view.mode == XR_LEAD)
		check_lead(n, g, view.term);
}

/* XR_PAUSE stands behind each write of a view, so that none is missed. */
void check_maps(struct node *n)
{
	struct world *w = n->w;

	for (int g = 0; g < w->groups; g++) {
		const struct xr_group *record = &n->maps.groups[g];
		union xr_word before = n->views[g], now = xr_view_read(record);

		if (record->contact_ns != n->contact_ns[g])
			n->stamped_ns[g] = record->contact_ns ? sim_true_of(n, record->contact_ns)
							      : 0;
		n->contact_ns[g] = record->contact_ns;
		check_shown(n, g);
		if (now.word == before.word)
			continue;
		n->views[g] = now;
		w->lead_views[g] &= ~(1u << n->id);
		w->lead_views[g] |= (uint32_t)(now.view.mode == XR_LEAD) << n->id;
		check_publish(n, g, before.view, now.view);
		if (now.view.mode == XR_LEAD)
			reader_start(n, g);
		check_leases(w);
	}
}

/* D by the clock of a voter, which is never faster than 1 + r, in true time. */
static uint64_t promised_ns(const struct world *w, const struct term *term)
{
	return term->min_timeout_us * NS_PER_US * 1000 / (1000 + w->drift) - 2;
}

/* The leader died, and its view is fenced: it never leads in this term again. */
static bool is_buried(const struct world *w, int g, uint32_t t, const struct term *term)
{
	const struct node *leader = &w->node[term->leader];
	struct xr_view view = leader->maps.groups[g].view;

	return term->leader && leader->child.life != term->life &&
	       (view.mode != XR_LEAD || view.term != t);
}

/* Once a later term is won, there is no lease left in this one, nor with its resignation. */
static bool is_over(struct world *w, int g, uint32_t t, uint32_t before)
{
	const struct term *term = term_of(w, g, t);
	bool over = term->resigned || is_buried(w, g, t, term);

	while (!over && ++t < before)
		over = term_of(w, g, t)->leader;
	return over;
}

/*
 * A vote was decided and goes to the disk: what this node ever acked must be D old, or no longer
 * matter.
 */
void check_decided(struct node *n, int g, uint32_t t, uint8_t vote)
{
	struct ghost *ghost = &n->ghost[g];
	struct term *acked = term_of(n->w, g, ghost->ack_term);

	if (!vote)
		return;
	if (vote == n->id)
		check_stands(n, g, t, "campaigns for");
	if (t < ghost->term || (t == ghost->term && ghost->vote && ghost->vote != vote))
		sim_violation(n->w, "one vote a term",
			      "node %u group %d term %u vote %u, had %u of %u", n->id, g, t, vote,
			      ghost->vote, ghost->term);
	if (ghost->ack_ns && n->w->now_ns < ghost->ack_ns + promised_ns(n->w, acked) &&
	    !is_over(n->w, g, ghost->ack_term, t))
		sim_violation(n->w, "no vote within D of an ack",
			      "node %u group %d votes in term %u %llu us after an ack in term %u",
			      n->id, g, t,
			      (unsigned long long)(n->w->now_ns - ghost->ack_ns) / NS_PER_US,
			      ghost->ack_term);
	ghost->voted[ghost->nvoted % ARRAY_SIZE(ghost->voted)].term = t;
	ghost->voted[ghost->nvoted++ % ARRAY_SIZE(ghost->voted)].at_ns = n->w->now_ns;
}

void check_asked(struct node *n, const struct xr_vote *v)
{
	struct ghost *ghost = &n->ghost[v->group];

	if (v->term == ghost->asked_term && v->vote == ghost->asked_vote)
		return; /* decided before: this says only whether the node stands */
	ghost->asked_term = v->term;
	ghost->asked_vote = v->vote;
	check_decided(n, v->group, v->term, v->vote);
}

/* A pause counts once the engine's turn is over, a resumption at once. */
void check_told(struct node *n, const struct xr_vote *v)
{
	struct ghost *ghost = &n->ghost[v->group];

	ghost->to_be_paused = v->paused_s;
	ghost->paused = ghost->paused && v->paused_s;
}

/* A leader makes way for a higher one alone, which answers and stands as far as it knows. */
void check_failback(struct node *n, int g, uint8_t to)
{
	const struct xr_acks *acks = &n->maps.acks[g];
	uint64_t age_ns = sim_local(n) - acks->echo_ns[to];

	n->w->result->faults[SIM_FAILED_BACK]++;
	if (n->config.nodes[to].priority <= n->config.nodes[n->id].priority ||
	    acks->paused >> to & 1 || !acks->echo_ns[to] ||
	    (int64_t)age_ns > (int64_t)(2 * n->w->timing.max_timeout_ns))
		sim_violation(n->w, "failback goes to a higher node that is well",
			      "node %u group %d to node %u, heard %lld us ago", n->id, g, to,
			      (long long)age_ns / 1000);
}

/* Where votes are counted across all lives: once on disk, for ever. */
void check_durable(struct node *n, const struct xr_vote *v)
{
	struct ghost *ghost = &n->ghost[v->group];
	uint8_t *vote = &term_of(n->w, v->group, v->term)->vote[n->id];

	if (v->term < ghost->term)
		sim_violation(n->w, "a durable term never goes back", "node %u group %u: %u to %u",
			      n->id, v->group, ghost->term, v->term);
	if (*vote && *vote != v->vote)
		sim_violation(n->w, "a vote never changes within a term",
			      "node %u group %u term %u: %u, then %u", n->id, v->group, v->term,
			      *vote, v->vote);
	*vote = v->vote;
	ghost->term = v->term;
	ghost->vote = v->vote;
}

/* What a new life finds; a write that nobody heard of may be there or not. */
void check_found(struct node *n, int g, const struct xr_vote *v)
{
	struct xr_vote none = {.group = g};
	struct ghost *ghost = &n->ghost[g];

	check_durable(n, v ? v : &none);
	for (size_t i = 0; i < ARRAY_SIZE(ghost->voted); i++)
		if (ghost->voted[i].term > ghost->term)
			ghost->voted[i].at_ns = 0;
}

void check_begins(struct node *n, int g, const struct xr_vote *v)
{
	struct ghost *ghost = &n->ghost[g];

	ghost->asked_term = v ? v->term : 0;
	ghost->asked_vote = v ? v->vote : 0;
	ghost->paused = ghost->to_be_paused = v && v->paused_s;
}

static void check_ack(struct node *n, uint8_t to, const struct xr_record *rec, uint64_t stamped_ns)
{
	struct ghost *ghost = &n->ghost[rec->group];
	struct term *term = term_of(n->w, rec->group, rec->term);

	for (size_t i = 0; i < ARRAY_SIZE(ghost->voted) && !term->resigned; i++)
		if (ghost->voted[i].at_ns && ghost->voted[i].term > rec->term &&
		    ghost->voted[i].at_ns < stamped_ns + promised_ns(n->w, term))
			sim_violation(n->w, "no ack after a contradicting vote",
				      "node %u group %u acks term %u, voted in term %u", n->id,
				      rec->group, rec->term, ghost->voted[i].term);
	if (rec->term > ghost->term)
		sim_violation(n->w, "durable before visible",
			      "node %u group %u acks term %u, durable is %u", n->id, rec->group,
			      rec->term, ghost->term);
	if (term->leader != to)
		sim_violation(n->w, "only leaders are acked", "node %u group %u term %u to node %u",
			      n->id, rec->group, rec->term, to);
	term->acked |= 1u << n->id;
	if (stamped_ns > ghost->entry_ns) /* a run that was held may be of long before */
		check_named(n, (int)rec->group, true, "acks");
	check_entry_acked(n, rec);
	if (stamped_ns >= ghost->ack_ns) {
		ghost->ack_ns = stamped_ns;
		ghost->ack_term = rec->term;
	}
}

static void check_ballot(struct node *n, const struct xr_wire *h, const struct xr_ballot *b)
{
	const struct xr_view *view = &n->maps.groups[b->group].view;
	struct term *term = term_of(n->w, b->group, b->term);

	if (h->type == XR_VOTE_ANSWER && b->flags & XR_GRANTED && term->vote[n->id] != h->dest)
		sim_violation(n->w, "no answer before it is durable",
			      "node %u group %u grants node %u term %u", n->id, b->group, h->dest,
			      b->term);
	if ((h->type == XR_VOTE || h->type == XR_PREVOTE) && !removes_itself(n, (int)b->group))
		check_named(n, (int)b->group, false, "asks");
	if (h->type == XR_PREVOTE)
		check_stands(n, b->group, b->term, "asks for");
	if (h->type != XR_RESIGN)
		return;
	if (b->node && !n->config.nodes[b->node].priority)
		sim_violation(n->w, "no witness is an heir", "node %u group %u names node %u",
			      n->id, b->group, b->node);
	term->resigned = true;
	if (view->mode == XR_LEAD && view->term == b->term)
		sim_violation(n->w, "no resignation before the fence", "node %u group %u term %u",
			      n->id, b->group, b->term);
}

/* Rule 4: first the stamp, then the ack. The leader's clock says when it asked for it. */
static void check_stamped(struct node *n, const struct xr_wire *h, const struct xr_record *rec)
{
	const struct term *term = term_of(n->w, rec->group, rec->term);
	const struct node *leader = &n->w->node[h->dest];

	if (leader->child.life == term->life &&
	    n->stamped_ns[rec->group] < sim_true_of(leader, h->echo_ns))
		sim_violation(n->w, "no ack without a stamp", "node %u group %u term %u", n->id,
			      rec->group, rec->term);
}

/* A datagram leaves. `stamped_ns`: when the run that answers began; 0: now, or long ago. */
void check_leaves(struct node *n, const struct packet *p, uint64_t stamped_ns)
{
	const struct xr_record *rec = (const struct xr_record *)(&p->wire + 1);
	const struct xr_ballot *ballot = (const struct xr_ballot *)(&p->wire + 1);

	for (int i = 0; i < p->wire.count; i++)
		if (p->wire.type == XR_ACK && rec[i].flags & XR_ACKED) {
			if (!stamped_ns)
				check_stamped(n, &p->wire, &rec[i]);
			check_ack(n, p->wire.dest, &rec[i],
				  stamped_ns ? stamped_ns : n->stamped_ns[rec[i].group]);
		} else if (xr_type_body(p->wire.type) == XR_BODY_BALLOT)
			check_ballot(n, &p->wire, &ballot[i]);
}

/* Between turns the view says what the core believes; nothing of an earlier life is left. */
void check_turn(struct node *n)
{
	for (int g = 0; g < n->w->groups; g++) {
		struct xr_view view = n->maps.groups[g].view;
		const struct xr_raft *r = &n->engine.members[g].raft;

		n->ghost[g].paused = n->ghost[g].to_be_paused;
		if (view.mode == XR_LEAD)
			check_stands(n, g, view.term, "still leads in");
		if (view.mode != XR_NONE && (view.term != r->term || view.leader != r->leader ||
					     (view.mode == XR_LEAD) != (r->role == XR_LEADER)))
			sim_violation(n->w, "a view is what its daemon believes",
				      "node %u group %d says term %u leader %u, believes %u and %u",
				      n->id, g, view.term, view.leader, r->term, r->leader);
	}
}

/* Somebody was told that he leads (rule 16). */
void check_read(struct node *n, int g, uint64_t token, uint32_t newest, bool alive)
{
	const struct term *term = term_of(n->w, g, token);

	n->w->result->reads++;
	sim_trace_fine(n->w, n->id, "%s is told that it leads group %llu in term %llu", "a reader",
		       g, token, 0, 0);
	if (token < newest)
		sim_violation(n->w, "no reader is told of an older term after a newer one",
			      "node %u group %d: term %u, another had been told of term %u", n->id,
			      g, (uint32_t)token, newest);
	if (term->leader != n->id)
		sim_violation(n->w, "a reader is told of its own node's terms",
			      "node %u group %d term %u, whose leader is %u", n->id, g,
			      (uint32_t)token, term->leader);
	/* With members that change: those that it has read may be others by now. */
	if (!n->w->moves && !is_majority(term->acked | 1u << n->id, n->groups[g].voters))
		sim_violation(n->w, "what a reader is told a majority has promised",
			      "node %u group %d term %u", n->id, g, (uint32_t)token);
	if (!alive)
		sim_violation(n->w, "a reader is told nothing after the deadline",
			      "node %u group %d term %u", n->id, g, (uint32_t)token);
	if (token > n->w->newest_read[g])
		n->w->newest_read[g] = token;
}

/*
 * ---- liveness: a healed majority elects a leader and keeps it ----
 */

static uint64_t agreed(struct world *w, int g)
{
	for (int id = 1; id <= w->n; id++)
		if (check_lease(&w->node[id], g))
			return (uint64_t)w->node[id].maps.groups[g].view.term << 8 | id;
	return 0;
}

/* A group of which the journal tells nothing was never started, and has no peers. */
static bool may_stand(const struct xr_raft *r)
{
	return r->peers && xr_raft_stands(r);
}

/* Whoever leads is a voter; whoever was removed knows it. */
static void check_members_settled(struct world *w, int g, int leader)
{
	uint64_t durable = w->node[leader].ghost[g].entry;

	if (!is_named(&w->node[leader], g, durable, false))
		sim_violation(w, "a leader that is removed ends (rule 27)", "group %d node %d", g,
			      leader);
	for (int id = 1; id <= w->n; id++)
		if (w->core >> id & 1 && !is_named(&w->node[id], g, durable, false) &&
		    w->node[id].child.lives && may_stand(&w->node[id].engine.members[g].raft))
			sim_violation(w, "who was removed learns of it (rule 27)",
				      "group %d node %d, entry %llx", g, id,
				      (unsigned long long)durable);
}

/* Nobody sets a value any more: the last one is committed, and all that follow have it. */
static void check_entry_settled(struct world *w, int g, int leader)
{
	uint32_t entry = w->node[leader].maps.groups[g].entry;

	uint64_t durable = w->node[leader].ghost[g].entry;

	if (durable && xr_entry_term(durable) != w->node[leader].maps.groups[g].view.term)
		sim_violation(w, "a leader's entry is of its term (rule 26)",
			      "group %d node %d: %llx", g, leader, (unsigned long long)durable);
	if ((int32_t)entry > 0)
		sim_violation(w, "a healed majority commits the entry", "group %d index %u", g,
			      entry);
	for (int id = 1; id <= w->n; id++)
		if (w->core >> id & w->core >> leader & 1 &&
		    is_named(&w->node[id], g, durable, true) &&
		    w->node[id].maps.groups[g].entry != entry &&
		    xr_view_read(&w->node[id].maps.groups[g]).view.leader == leader)
			sim_violation(w, "the entry gets to all that follow",
				      "group %d: node %d has %x, its leader %x", g, id,
				      w->node[id].maps.groups[g].entry, entry);
}

static uint64_t elect_within_ns(const struct world *w)
{
	return ELECT_WITHIN * w->timing.max_timeout_ns + (w->fails_back ? LOOKS_NS : 0);
}

uint64_t check_calm_ns(const struct world *w)
{
	return elect_within_ns(w) + (KEEP_FOR + 1) * w->timing.max_timeout_ns;
}

/* Where all are well, failback has come to the end. */
static void check_highest(struct world *w, int g, uint8_t leader)
{
	for (int id = 1; w->fails_back && id <= w->n; id++)
		if (leader && w->core >> id & 1 && w->priority[id] > w->priority[leader])
			sim_violation(w, "failback lets the highest lead",
				      "group %d: node %u leads, node %d is higher", g, leader, id);
}

void check_liveness(struct world *w)
{
	uint64_t passed_ns = w->now_ns - w->calm_since_ns;
	bool late = passed_ns > elect_within_ns(w), all = true;

	for (int g = 0; g < w->groups; g++) {
		uint64_t leader = agreed(w, g);

		/* Whoever was made a voter may have lost its disk the moment before. */
		if (w->moves && !leader && !has_majority(w, g, NULL))
			continue;
		if (late && (!leader || leader != w->settled[g]))
			sim_violation(w, "a healed majority elects a leader and keeps it",
				      "group %d: leader %llu in term %llu, was %llu in term %llu",
				      g, (unsigned long long)leader & 255,
				      (unsigned long long)leader >> 8,
				      (unsigned long long)w->settled[g] & 255,
				      (unsigned long long)w->settled[g] >> 8);
		if (late && !w->failed)
			check_entry_settled(w, g, leader & 255);
		if (late && w->moves && !w->failed)
			check_members_settled(w, g, leader & 255);
		if (late)
			check_highest(w, g, leader & 255);
		if (leader != w->settled[g])
			w->result->settled_ns = passed_ns;
		w->settled[g] = leader;
		all = all && leader;
	}
	if (late && all)
		faults_strike_state(w);
	if (passed_ns < elect_within_ns(w) + KEEP_FOR * w->timing.max_timeout_ns)
		sim_at(w, w->now_ns + w->timing.min_timeout_ns / 2, SIM_EV_WATCH, 0, 0);
}
