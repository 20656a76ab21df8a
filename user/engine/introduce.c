// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include "engine/engine.h"
#include "engine/words.h"

#define FIRST_WAIT_NS (2 * NS_PER_MS)
#define LAST_WAIT_NS  NS_PER_S
#define OPEN_NS	      (2 * NS_PER_S) /* a round trip, and a retry */
#define HINT_NS	      NS_PER_MS
#define LARGE_LOST    5 /* one after the other: no accident */

/*
 * ---- facts ----
 */

static const struct xr_fact *facts_of(const struct xr_datagram *d)
{
	return (const struct xr_fact *)(&d->wire + 1);
}

static const struct xr_fact *find(const struct xr_datagram *d, uint32_t what)
{
	const struct xr_fact *fact = facts_of(d);

	for (int i = 0; i < d->wire.count; i++)
		if (fact[i].what == what)
			return &fact[i];
	return NULL;
}

static uint64_t value_of(const struct xr_datagram *d, uint32_t what)
{
	const struct xr_fact *fact = find(d, what);

	return fact ? fact->value : 0;
}

/* FNV-1a over what all nodes have to hold for the same (rule 10). */
void xr_introduce_groups(struct xr_engine *e, const struct xr_config_group *groups, size_t n)
{
	uint64_t digest = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < n; i++) {
		digest = (digest ^ groups[i].id) * 0x100000001b3ull;
		digest = (digest ^ groups[i].digest) * 0x100000001b3ull;
	}
	e->groups_digest = digest;
}

static uint64_t keys_in_use(const struct xr_engine *e)
{
	uint64_t keys = (uint64_t)e->keys[e->outbox.key_slot].id << 32;

	for (int slot = 0; slot < 2; slot++)
		if (e->keys[slot].used)
			keys |= 1ull << (e->keys[slot].id & 31);
	return keys;
}

/* FNV-1a likewise: who goes first (priorities) is for all to see alike. */
static uint64_t priorities_digest(const struct xr_engine *e)
{
	uint64_t digest = 0xcbf29ce484222325ull;

	xr_each_node(node)
		if (e->peers[node].used)
			digest = (digest ^ (node << 8 | e->peers[node].priority)) *
				 0x100000001b3ull;
	return digest;
}

#define FACT(name) (XR_FACT_##name - XR_FACT_SELF)

/* How this node is set up. */
static void self_facts(const struct xr_engine *e, struct xr_fact fact[XR_FACTS_SELF])
{
	const struct xr_control *c = e->env.control;

	fact[FACT(min_timeout_us)].value = c->min_timeout_us;
	fact[FACT(max_timeout_us)].value = c->max_timeout_us;
	fact[FACT(heartbeat_us)].value = c->heartbeat_us;
	fact[FACT(stall_limit_us)].value = c->stall_limit_us;
	fact[FACT(drift_permille)].value = c->drift_permille;
	fact[FACT(groups)].value = e->groups_digest;
	fact[FACT(keys)].value = keys_in_use(e);
	fact[FACT(xdp)].value = c->nic_mode | (uint64_t)c->tx_path << 8;
	fact[FACT(value_bytes)].value = e->maps->values ? xr_maps_value_room(e->maps) : 0;
	fact[FACT(birth)].value = e->birth;
	fact[FACT(priorities)].value = priorities_digest(e);
	fact[FACT(pauses)].value = e->pauses;
	for (int i = 0; i < XR_FACTS_SELF; i++) {
		fact[i].what = XR_FACT_SELF + i;
		fact[i].of = 0;
	}
}

/*
 * ---- ask ----
 */

static void ask_at(struct xr_engine *e, uint8_t node, uint64_t at_ns)
{
	struct xr_acquaintance *a = &e->known[node];

	if (at_ns < a->ask_ns)
		a->ask_ns = at_ns;
}

uint64_t xr_introduce_next_ns(const struct xr_engine *e)
{
	uint64_t next_ns = UINT64_MAX;

	xr_each_node(node)
		if (e->known[node].ask_ns < next_ns)
			next_ns = e->known[node].ask_ns;
	return next_ns;
}

/*
 * What is asked again, for want of an answer, stays the same question for a while: else no answer would
 * count that takes longer than the pause between two. A large one is told from those that follow it. Once
 * it is answered it is over: another answer to it may be one that another life gave.
 */
static uint64_t nonce_for(struct xr_engine *e, struct xr_acquaintance *a, bool large)
{
	uint64_t open = a->nonce, now_ns = xr_engine_now_ns(e);

	if (open && !large && open != a->large_nonce && a->drawn_from == a->from &&
	    now_ns - a->drawn_ns < OPEN_NS)
		return open;
	a->drawn_ns = now_ns;
	a->drawn_from = a->from;
	return xr_engine_random(e);
}

/* Zeros, which nobody knows, fill it up to `least` facts. */
static void put(struct xr_engine *e, uint8_t node, bool path, int least)
{
	struct xr_acquaintance *a = &e->known[node];
	struct xr_fact fact[XR_FACT_MAX] = {0};
	int n = 0;

	a->nonce = nonce_for(e, a, least > 0);
	if (path && a->path_nonce != a->nonce) {
		a->path_former = a->path_nonce;
		a->path_nonce = a->nonce;
	}
	fact[n++] = (struct xr_fact){XR_FACT_nonce, 0, a->nonce};
	fact[n++] = (struct xr_fact){XR_FACT_from, 0, a->from};
	if (path)
		fact[n++] = (struct xr_fact){.what = XR_FACT_path};
	if (a->twice) /* so that it asks, and believes the answer */
		fact[n++] = (struct xr_fact){.what = XR_FACT_twice};
	if (e->news)
		fact[n++] = (struct xr_fact){.what = XR_FACT_news};
	self_facts(e, fact + n);
	n += XR_FACTS_SELF;
	if (least > n) {
		a->large_nonce = a->nonce;
		a->large_open = true;
		n = least;
	}
	xr_outbox_facts(&e->outbox, node, XR_ASK, fact, n);
	a->asked_ns = xr_engine_now_ns(e);
	a->ask_ns = a->asked_ns + a->wait_ns;
	a->wait_ns = 2 * a->wait_ns < LAST_WAIT_NS ? 2 * a->wait_ns : LAST_WAIT_NS;
}

void xr_introduce_ask(struct xr_engine *e, uint8_t node, bool path)
{
	put(e, node, path, 0);
}

/* What all groups need in one datagram: ballots are longer than records. */
static size_t longest(const struct xr_engine *e)
{
	size_t bytes = sizeof(struct xr_wire) + e->config->ngroups * sizeof(struct xr_ballot);

	return bytes < XR_DATAGRAM_MAX ? bytes : XR_DATAGRAM_MAX;
}

void xr_introduce_ask_large(struct xr_engine *e, uint8_t node)
{
	put(e, node, false, (int)((longest(e) - sizeof(struct xr_wire)) / sizeof(struct xr_fact)));
}

/*
 * A path may lose large datagrams and no others: then groups lose their leader whose heartbeats go
 * together in one. It is lost if the questions that followed it are answered, again and again.
 */
static void judge_large(struct xr_engine *e, uint8_t node, bool answered)
{
	struct xr_acquaintance *a = &e->known[node];

	a->large_lost = answered ? 0 : a->large_lost + 1;
	a->large_open = false;
	if (answered)
		xr_look_well(e->looks, XR_LOOK_size, node, xr_engine_now_ns(e));
	else if (a->large_lost >= LARGE_LOST)
		xr_look_wrong(e->looks, XR_LOOK_size, node, xr_engine_now_ns(e),
			      "datagrams of %zu bytes", longest(e));
}

void xr_introduce_look(struct xr_engine *e, uint64_t now_ns)
{
	xr_each_node(node)
		if (e->known[node].ask_ns <= now_ns)
			xr_introduce_ask(e, node, false);
}

static void begin_anew(struct xr_acquaintance *a)
{
	a->from = 0;
	a->wait_ns = FIRST_WAIT_NS;
}

void xr_introduce_doubt(struct xr_engine *e, uint64_t now_ns)
{
	uint64_t settle_ns = 2 * e->timing.max_timeout_ns;

	if (e->doubted_ns && now_ns - e->doubted_ns < settle_ns)
		return;
	e->doubted_ns = now_ns;
	xr_each_node(node)
		if (e->known[node].introduced) {
			begin_anew(&e->known[node]);
			ask_at(e, node, now_ns + settle_ns);
		}
	xr_path_again(e, now_ns + settle_ns);
}

void xr_introduce_ask_soon(struct xr_engine *e, uint8_t node)
{
	if (xr_engine_now_ns(e) - e->known[node].asked_ns < FIRST_WAIT_NS)
		return;
	begin_anew(&e->known[node]);
	xr_introduce_ask(e, node, false);
}

void xr_introduce_ask_all(struct xr_engine *e)
{
	xr_each_node(node) {
		if (node == e->config->self || !e->peers[node].used)
			continue;
		begin_anew(&e->known[node]);
		xr_introduce_ask(e, node, false);
	}
}

void xr_introduce_news(struct xr_engine *e)
{
	xr_each_node(node)
		if (node != e->config->self && e->peers[node].used)
			xr_introduce_ask(e, node, false);
	e->news = false;
}

void xr_introduce_show(const struct xr_engine *e, struct xr_acquaintance known[XR_NODE_MAX + 1])
{
	memcpy(known, e->known, sizeof(e->known));
	self_facts(e, known[e->config->self].facts);
}

void xr_introduce_init(struct xr_engine *e)
{
	e->env.control->life = xr_engine_random(e);
	xr_introduce_groups(e, e->config->groups, e->config->ngroups);
	xr_each_node(node) {
		struct xr_acquaintance *a = &e->known[node];

		/* Whom it met in an earlier life it has still to meet (rule 17). */
		e->peers[node].lives = 0;
		*(volatile __u64 *)&e->maps->peers[node].lives = 0;
		*a = (struct xr_acquaintance){.ask_ns = UINT64_MAX};
		begin_anew(a);
		if (node == e->config->self || !e->peers[node].used)
			continue;
		a->ask_ns = 0;
		e->strangers |= 1u << node;
	}
}

/*
 * Its life, what it has told (rule 18) and what was taken up of it (rule 17) are the node's and not
 * its address's: they stay, also of one that was left out and is put back.
 */
static void begin_there(struct xr_engine *e, uint8_t node)
{
	struct xr_acquaintance *a = &e->known[node];
	uint64_t now_ns = xr_engine_now_ns(e);
	bool used = e->peers[node].used;

	/* What goes out is addressed to a life, or does not go. */
	e->peers[node].lives = used && a->life ? e->env.control->life ^ a->life : 0;
	*(volatile __u64 *)&e->maps->peers[node].lives = e->peers[node].lives;
	xr_look_forget(e->looks, XR_LOOK_peer, node);
	xr_look_forget(e->looks, XR_LOOK_output, node);
	xr_look_forget(e->looks, XR_LOOK_size, node);
	e->heard[node].since_ns = now_ns;
	a->nonce = 0;
	begin_anew(a);
	a->ask_ns = used ? now_ns : UINT64_MAX;
	if (used && !a->introduced)
		e->strangers |= 1u << node;
}

uint32_t xr_introduce_nodes(struct xr_engine *e, const struct xr_peer *nodes)
{
	uint32_t changed = 0;

	xr_each_node(node) {
		struct xr_peer *peer = &e->peers[node];
		const struct xr_peer *now = &nodes[node];
		bool there = xr_peer_is_at(peer, now);

		if (there && peer->priority == now->priority)
			continue;
		changed |= 1u << node;
		xr_peer_take(peer, now);
		if (!there)
			begin_there(e, node);
	}
	e->news |= changed != 0;
	return changed;
}

/*
 * ---- tell ----
 */

/* Rule 18: the newest term of group `id` in which `node` is known to have promised anything. */
static uint32_t known_term(const struct xr_engine *e, uint32_t id, uint8_t node)
{
	union xr_word v = xr_view_read(&e->env.groups[id]);
	uint32_t term = e->env.acks[id].term[node];

	return v.view.mode == XR_FOLLOW && v.view.leader == node && v.view.term > term ? v.view.term
										       : term;
}

/*
 * In which `node` has voted for us, as far as this life remembers; 0: in none. Others vote while our
 * own vote is still being written.
 */
static uint32_t voted_term(const struct xr_engine *e, uint32_t id, uint8_t node)
{
	const struct xr_raft *r = &e->members[id].raft;

	if (r->phase != XR_VOTING && r->role != XR_LEADER)
		return 0;
	return r->granted >> node & 1 ? xr_raft_term(r) : 0;
}

/* The entry that `node` has acked to us, who lead; 0: none that we know. */
static uint64_t acked_entry(const struct xr_engine *e, uint32_t id, uint8_t node)
{
	const struct xr_raft *r = &e->members[id].raft;

	return r->role == XR_LEADER && r->acked >> node & 1 ? xr_raft_newest(r) : 0;
}

/*
 * As much as one datagram holds; the asker comes back for the rest. A node of another birth than the one
 * that is known here has promised nothing (rule 27).
 */
static int add_terms(const struct xr_engine *e, uint8_t node, const struct xr_datagram *asked,
		     struct xr_fact *fact, int n)
{
	uint64_t from = value_of(asked, XR_FACT_from);
	uint32_t birth = (uint32_t)value_of(asked, XR_FACT_birth);

	for (uint32_t id = from < e->env.ngroups ? from : e->env.ngroups; id < e->env.ngroups;
	     id++) {
		uint32_t term = known_term(e, id, node), vote = voted_term(e, id, node);
		uint64_t entry = acked_entry(e, id, node);

		if (n >= (int)XR_FACT_MAX - 4) {
			fact[n++] = (struct xr_fact){XR_FACT_more, 0, id};
			break;
		}
		if (e->members[id].raft.paused)
			fact[n++] = (struct xr_fact){.what = XR_FACT_paused, .of = id};
		if (birth != xr_members_birth(&e->members[id], node))
			continue;
		if (term)
			fact[n++] = (struct xr_fact){XR_FACT_term, id, term};
		if (vote)
			fact[n++] = (struct xr_fact){XR_FACT_vote, id, vote};
		if (entry)
			fact[n++] = (struct xr_fact){XR_FACT_entry, id, entry};
	}
	return n;
}

static void tell(struct xr_engine *e, uint8_t node, const struct xr_datagram *asked)
{
	struct xr_fact fact[XR_FACT_MAX];
	int n = 0;

	fact[n++] = (struct xr_fact){XR_FACT_nonce, 0, value_of(asked, XR_FACT_nonce)};
	if (e->known[node].twice)
		fact[n++] = (struct xr_fact){.what = XR_FACT_twice};
	self_facts(e, fact + n);
	n = add_terms(e, node, asked, fact, n + XR_FACTS_SELF);
	xr_outbox_facts(&e->outbox, node, XR_TELL, fact, n);
}

bool xr_introduce_is_new(struct xr_engine *e, const struct xr_wire *h)
{
	uint64_t *mark = &e->known[h->source].mark[h->type];

	if (*mark && !xr_before(*mark, h->sent_ns))
		return false;
	*mark = h->sent_ns;
	return true;
}

/*
 * Anybody may send again what a peer has once asked; so a life that we do not know is a hint to ask
 * ourselves, now and then, and no more.
 */
void xr_introduce_asked(struct xr_engine *e, const struct xr_datagram *d)
{
	uint8_t node = d->wire.source;
	struct xr_acquaintance *a = &e->known[node];
	uint64_t now_ns = xr_engine_now_ns(e);
	bool known = d->wire.lives == a->life;

	if (known ? !xr_introduce_is_new(e, &d->wire)
		  : a->hinted_ns && now_ns - a->hinted_ns < HINT_NS) {
		xr_env_count(&e->env, XR_R_drop_replay);
		return;
	}
	tell(e, node, d);
	if (known && find(d, XR_FACT_path))
		xr_path_asked(e, node, value_of(d, XR_FACT_nonce));
	if (known && !find(d, XR_FACT_twice) && !find(d, XR_FACT_news))
		return;
	a->hinted_ns = now_ns;
	if (a->nonce && now_ns - a->asked_ns < FIRST_WAIT_NS)
		return; /* it has been asked just now */
	if (!a->nonce || a->from)
		begin_anew(a);
	xr_introduce_ask(e, node, false);
}

/*
 * ---- told ----
 */

/* Rule 18: what was promised is more than what the state holds. Votes end here, for good. */
static void end_of_votes(struct xr_engine *e)
{
	struct xr_why_event why = {.cause = XR_CAUSE_SHUTDOWN};

	xr_group_step_down_all(e, &why);
	if (e->over)
		return;
	xr_outbox_flush(&e->outbox);
	e->env.control->alive_until_ns = 0;
	e->over = true;
	e->host->end(e->world, 1);
}

/* Is what `node` knows of us more than what our state holds? */
static bool is_more(const struct xr_raft *r, const struct xr_fact *fact, uint8_t node)
{
	if (!r->voters)
		return false;
	if (fact->what == XR_FACT_vote && fact->value == r->term)
		return r->vote != node;
	return fact->value > (fact->what == XR_FACT_entry ? r->entry : r->term);
}

static bool is_older_than(struct xr_engine *e, const struct xr_fact *fact, uint8_t node)
{
	bool entry = fact->what == XR_FACT_entry;
	const struct xr_raft *r;

	if ((fact->what != XR_FACT_term && fact->what != XR_FACT_vote && !entry) ||
	    fact->of >= e->env.ngroups)
		return false;
	r = &e->members[fact->of].raft;
	if (!is_more(r, fact, node))
		return false;
	xr_engine_say(e, XR_REPORT_error,
		      "%s: node %u has known this node %s %llu, but the state here ends with term "
		      "%u, entry "
		      "%u.%u: it is older than its promises (a backup, a copy?). It votes no more: "
		      "put the newest state back; where that is lost, " XR_JOIN_ANEW,
		      e->env.groups[fact->of].name, node,
		      entry ? "with an entry of index" : "in term",
		      (unsigned long long)(entry ? (uint32_t)fact->value : fact->value), r->term,
		      xr_entry_term(r->entry), (uint32_t)r->entry);
	end_of_votes(e);
	return true;
}

/* Is there a reason in what was told to vote no more? */
static bool is_forbidden(struct xr_engine *e, const struct xr_datagram *d)
{
	const struct xr_fact *fact = facts_of(d);

	if (find(d, XR_FACT_twice)) {
		xr_engine_say(e, XR_REPORT_error,
			      "node %u hears two that both are node %u of %s: this one, and a copy "
			      "of its machine or state. This one votes no more. Stop both, since "
			      "each lacks what the other has promised; one takes an id of its own, "
			      "the other keeps this: " XR_JOIN_ANEW,
			      d->wire.source, e->config->self, e->config->cluster);
		end_of_votes(e);
		return true;
	}
	for (int i = 0; i < d->wire.count; i++)
		if (is_older_than(e, &fact[i], d->wire.source))
			return true;
	return false;
}

static void meet(struct xr_engine *e, uint8_t node, uint64_t life)
{
	struct xr_acquaintance *a = &e->known[node];
	bool twice = a->former && life == a->former;

	if (life == a->life)
		return;
	a->former = a->life;
	a->life = life;
	a->introduced = false;
	memset(a->mark, 0, sizeof(a->mark));
	e->peers[node].lives = e->env.control->life ^ life;
	*(volatile __u64 *)&e->maps->peers[node].lives = e->peers[node].lives;
	if (twice && !a->twice)
		xr_engine_say(e, XR_REPORT_error,
			      "node %u runs twice: two lives of it take turns, on a copied machine "
			      "or state. Both are told, and end; what to do they say in their logs",
			      node);
	a->twice = twice;
}

/* While keys are rotated nodes seal with either: what they accept has to be alike. */
static uint64_t comparable(int i, uint64_t value)
{
	return i == FACT(keys) ? (uint32_t)value : value;
}

/* What of its set-up is not as ours, in words. Bit n: fact XR_FACT_SELF + n. */
static uint32_t differences(const struct xr_engine *e, const struct xr_acquaintance *a,
			    struct xr_text *t)
{
	/* Those that all nodes should have alike. */
	static const char *const names[XR_FACTS_SELF] = {
		[FACT(min_timeout_us)] = "the least election timeout in us",
		[FACT(max_timeout_us)] = "the longest election timeout in us",
		[FACT(heartbeat_us)] = "the heartbeat in us",
		[FACT(drift_permille)] = "drift_permille",
		[FACT(groups)] = "the digest of groups' ids, names and voters",
		[FACT(priorities)] = "the digest of nodes' ids and priorities",
		[FACT(keys)] = "the set of keys that are accepted (bit n: key n)",
		[FACT(value_bytes)] = "value_bytes",
	};
	struct xr_fact ours[XR_FACTS_SELF];
	uint32_t differs = 0;

	self_facts(e, ours);
	for (int i = 0; i < XR_FACTS_SELF; i++) {
		uint64_t there = comparable(i, a->facts[i].value);
		uint64_t here = comparable(i, ours[i].value);

		if (!names[i] || !a->facts[i].what || there == here)
			continue;
		differs |= 1u << i;
		xr_text_add(t, "%s%s is %llu there, %llu here", t->len ? "; " : "", names[i],
			    (unsigned long long)there, (unsigned long long)here);
	}
	return differs;
}

/* Said before it hurts: once when it begins, and once when it ends. */
static void compare(struct xr_engine *e, uint8_t node)
{
	struct xr_acquaintance *a = &e->known[node];
	struct xr_text t = {0};
	uint32_t differs = differences(e, a, &t);

	if (differs && differs != a->differs)
		xr_engine_say(e, XR_REPORT_warning,
			      "node %u is set up otherwise: %.150s; make the files alike", node,
			      t.s);
	else if (!differs && a->differs)
		xr_engine_say(e, XR_REPORT_warning, "node %u is set up as this one again", node);
	a->differs = differs;
}

static void note_facts(struct xr_acquaintance *a, const struct xr_datagram *d)
{
	const struct xr_fact *fact = facts_of(d);

	memset(a->facts, 0, sizeof(a->facts));
	for (int i = 0; i < d->wire.count; i++)
		if (fact[i].what >= XR_FACT_SELF && fact[i].what < XR_FACT_END)
			a->facts[fact[i].what - XR_FACT_SELF] = fact[i];
}

/* An answer to our open question: it alone is believed. */
void xr_introduce_told(struct xr_engine *e, const struct xr_datagram *d)
{
	uint8_t node = d->wire.source;
	struct xr_acquaintance *a = &e->known[node];
	const struct xr_fact *more = find(d, XR_FACT_more);
	uint64_t nonce = value_of(d, XR_FACT_nonce);

	if (nonce && nonce == a->large_nonce) /* also where another question has followed it */
		judge_large(e, node, true);
	else if (nonce && nonce == a->nonce && a->large_open)
		judge_large(e, node, false);
	if (!a->nonce || nonce != a->nonce) {
		xr_env_count(&e->env, XR_R_drop_replay);
		return;
	}
	a->nonce = 0;
	a->ask_ns = UINT64_MAX;
	a->told_ns = xr_engine_now_ns(e);
	a->took_ns = a->told_ns - a->asked_ns;
	meet(e, node, d->wire.lives);
	if (is_forbidden(e, d))
		return;
	note_facts(a, d);
	xr_stand_told(e, node, facts_of(d), d->wire.count, !a->from);
	compare(e, node);
	if (more && more->value > a->from) {
		a->from = more->value;
		xr_introduce_ask(e, node, false);
		return;
	}
	begin_anew(a);
	if (a->twice) /* until both have been told */
		ask_at(e, node, a->told_ns + LAST_WAIT_NS);
	if (!a->introduced)
		xr_path_met(e);
	a->introduced = true;
	e->strangers &= ~(1u << node);
}
