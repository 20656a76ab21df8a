/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The decisions of the NIC path, as inline functions over the map records (rule 1). The XDP
 * program, the daemon's slow path and the tests compile these lines; each supplies lookups of its
 * own as `struct xr_env` (below). These lines repeat the decision that the daemon has published in
 * the view; they never raise a term, vote or change a role.
 */
#ifndef XRAFT_RULES_H
#define XRAFT_RULES_H

#include "xraft/maps.h"
#include "xraft/testing.h"

enum xr_verdict {
	XR_PASS, /* to the daemon, unchanged */
	XR_DROP,
	XR_TX, /* turned into its own answer, in place */
};

struct xr_from {
	__u64 ip[2]; /* as in struct xr_peer, in memory order */
	__u16 port;  /* host order */
};

/* XR_RECORDS, rounded up so that a mask bounds an index. */
#define XR_SLOTS 128

/* What one run remembers between its two passes over the records. */
struct xr_run {
	__u32 stamped; /* records whose contact or mark this run moved: it must answer (rule 15) */
	__u32 refused;
	__u32 answered;
	__u32 up; /* records that only the daemon can decide */
	__u32 term[XR_SLOTS];
	__u8 reason[XR_SLOTS]; /* enum xr_reason */
};

_Static_assert(XR_RECORDS <= XR_SLOTS, "a slot a record");

/*
 * ---- one word, one stamp ----
 */
/*
 * Advance a stamp to `now`. True only if this call stored it: then, and only then, it has executed
 * a full barrier (rule 4; on arm64 a failed compare-exchange orders nothing).
 */
static __always_inline int xr_stamp(__u64 *stamp, __u64 now)
{
	for (int tries = 0; tries < 4; tries++) {
		__u64 old = *(volatile __u64 *)stamp;

		if (!xr_before(old, now))
			return 0;
		if (__sync_val_compare_and_swap(stamp, old, now) == old)
			return 1;
	}
	return 0;
}

#define XR_MARK_TIME 0x0000ffffffffffffull

static __always_inline __u64 xr_mark(__u32 term, __u64 sent_ns)
{
	return (__u64)(term & 0xffff) << 48 | (sent_ns >> 10 & XR_MARK_TIME);
}

/* Accept each `sent_ns` of a leader once, in order; another term begins anew (rule 10). */
static __always_inline int xr_mark_advance(__u64 *replay, __u32 term, __u64 sent_ns)
{
	__u64 mark = xr_mark(term, sent_ns);

	for (int tries = 0; tries < 4; tries++) {
		__u64 old = *(volatile __u64 *)replay;

		if (old >> 48 == mark >> 48 && mark <= old)
			return 0;
		if (__sync_val_compare_and_swap(replay, old, mark) == old)
			return 1;
	}
	return 0;
}

/*
 * Does the mark lie ahead of what the leader answers to a poll of ours? Then its clock has stepped
 * back, or somebody pushed the mark there, and it begins anew (rule 17). The echo is by our own
 * clock, and at most D old; so a recording of it opens this door for no longer.
 */
static __always_inline int xr_mark_renew(__u64 *replay, const struct xr_control *c,
					 const struct xr_wire *h, __u32 term, __u64 now)
{
	__u64 d_ns = (__u64)c->min_timeout_us * 1000;
	__u64 old = *(volatile __u64 *)replay, mark = xr_mark(term, h->sent_ns);
	__u64 ahead_ns = ((old - mark) & XR_MARK_TIME) << 10;

	if (!h->echo_ns || now - h->echo_ns > d_ns || ahead_ns <= 2 * d_ns)
		return 0;
	return __sync_val_compare_and_swap(replay, old, mark) == old;
}

/*
 * Has a majority of the voters acked something that this node sent within `window_ns`, in this
 * leadership (rule 5)? The node itself counts as now. With the lease as the window this is "the
 * lease holds"; with the lapse it is CheckQuorum (dissertation 6.2). Written without branches:
 * the sign bits say it, and the verifier has one path to walk instead of 2^9.
 */
static __always_inline int xr_quorum_fresh(const struct xr_group *g, const struct xr_acks *acks,
					   __u8 self, __u64 now, __u64 window_ns)
{
	__u64 since = *(const volatile __u64 *)&g->lead_since_ns;
	__u64 voters = *(const volatile __u32 *)&g->members, count = 0, fresh = 0;

	xr_each_node(node) {
		__u64 echo = *(const volatile __u64 *)&acks->echo_ns[node];
		__u64 age = now - echo;
		__u64 ours = ~((echo - since) | age) & (age - window_ns); /* top bit: counts */
		__u64 voter = voters >> node & 1;

		count += voter;
		fresh += voter & (ours >> 63 | (1ull << (self & 15)) >> node);
	}
	return fresh > count / 2;
}

/* Rule 5: D (1-r) / (1+r), in nanoseconds. */
static __always_inline __u64 xr_lease_ns(const struct xr_control *c)
{
	__u64 d_ns = (__u64)c->min_timeout_us * 1000;

	return d_ns * (1000 - c->drift_permille) / (1000 + c->drift_permille);
}

/* Rule 12: a leader may go on while a majority answers; a new one has a grace. */
static __always_inline int xr_may_lead(const struct xr_group *g, const struct xr_acks *acks,
				       const struct xr_control *c, __u64 now)
{
	__u64 lapse_ns = (__u64)c->quorum_lapse_us * 1000;

	return now - g->lead_since_ns < lapse_ns ||
	       xr_quorum_fresh(g, acks, c->self, now, lapse_ns);
}

/*
 * Rule 18: `node` has made a promise in `term`, and may be asked for it when it has forgotten. The
 * newest stays, whoever else stores one meanwhile (rule 13).
 */
static __always_inline void xr_know_term(struct xr_acks *acks, __u64 node, __u32 term)
{
	__u32 *known = &acks->term[node];

	for (int tries = 0; tries < 4; tries++) {
		__u32 old = *(volatile __u32 *)known;

		if (old >= term || __sync_val_compare_and_swap(known, old, term) == old)
			return;
	}
}

/*
 * ---- one record ----
 */

/*
 * Rule 10: of the same idea of the group. XR_REASON_END: go on. Who its members are the sender may know
 * better, or not yet: a leader is one by its term, and what others ack counts only for voters.
 */
static __always_inline enum xr_reason xr_rule_record(const struct xr_group *g,
						     const struct xr_record *rec)
{
	if (!g->members)
		return XR_R_drop_group;
	return rec->digest == g->digest ? XR_REASON_END : XR_R_drop_digest;
}

/*
 * Does the leader say that the entry which this node has is committed (rule 25)? True for the run that
 * notes it.
 */
static __always_inline int xr_note_committed(struct xr_group *g, const struct xr_record *rec,
					     __u32 *entry)
{
	if (rec->entry == *entry || !*entry || rec->entry != (*entry | XR_COMMITTED) ||
	    __sync_val_compare_and_swap(&g->entry, *entry, rec->entry) != *entry)
		return 0;
	*entry = rec->entry;
	return 1;
}

/*
 * AppendEntries at the follower (paper, figure 2, receiver's steps 1 and 2). Rules 4, 5, 10. `entry`:
 * what an ack has to name. Read before the second look, it was durable before a vote in any newer term
 * (rule 24).
 */
static __always_inline enum xr_reason xr_rule_heartbeat(struct xr_group *g,
							const struct xr_control *c,
							const struct xr_wire *h,
							const struct xr_record *rec, __u32 *entry,
							__u64 now)
{
	enum xr_reason reason = xr_rule_record(g, rec);
	union xr_word v = xr_view_read(g);

	if (reason != XR_REASON_END)
		return reason;
	if (rec->flags & XR_PENDING)
		return XR_R_ack_ignored; /* a poll's record that the leader could not answer */
	if (rec->term < v.view.term)
		return XR_R_heartbeat_refused;
	/* Rule 27: an ack is a member's. */
	if (!xr_is_member(g, c->self) || rec->term > v.view.term || v.view.mode != XR_FOLLOW ||
	    v.view.leader != h->source)
		return XR_R_pass_heartbeat;
	if (h->min_timeout_us > c->min_timeout_us)
		return XR_R_drop_timing;
	XR_PAUSE;
	if (!xr_mark_advance(&g->replay, rec->term, h->sent_ns) &&
	    !xr_mark_renew(&g->replay, c, h, rec->term, now))
		return XR_R_drop_replay;
	*entry = *(volatile __u32 *)&g->entry;
	if (!xr_stamp(&g->contact_ns, now))
		return XR_R_heartbeat_withheld; /* another run stamped later; it answers */
	XR_PAUSE;
	if (xr_view_read(g).word != v.word)
		return XR_R_heartbeat_withheld; /* fenced meanwhile: the daemon is deciding */
	return XR_R_heartbeat_answered;
}

/* The answer to a heartbeat, at the leader. Rule 5: only what this leadership sent counts. */
static __always_inline enum xr_reason xr_rule_ack(struct xr_group *g, struct xr_acks *acks,
						  const struct xr_wire *h,
						  const struct xr_record *rec, __u64 now)
{
	enum xr_reason reason = xr_rule_record(g, rec);
	union xr_word v = xr_view_read(g);
	__u64 node = h->source;

	if (reason != XR_REASON_END)
		return reason;
	if (rec->flags & XR_REFUSED && rec->term > v.view.term)
		return XR_R_pass_ack;
	if (rec->flags & XR_LACKING && v.view.mode == XR_LEAD && rec->term == v.view.term &&
	    (rec->entry ^ g->entry) & XR_INDEX_MAX)
		return XR_R_pass_entry;
	if (!(rec->flags & XR_ACKED) || v.view.mode != XR_LEAD || rec->term != v.view.term)
		return XR_R_ack_ignored;
	if (xr_before(h->echo_ns, g->lead_since_ns) || xr_before(now, h->echo_ns))
		return XR_R_ack_ignored;
	XR_PAUSE;
	/* In one register, before and after: what the verifier has checked is what is used (6.1). */
	asm volatile("" : "+r"(node));
	if (node > XR_NODE_MAX)
		return XR_R_drop_group;
	asm volatile("" : "+r"(node));
	xr_stamp(&acks->echo_ns[node], h->echo_ns);
	xr_know_term(acks, node, rec->term);
	/* Rule 25: the daemon counts who has the entry under way, and sends it to who has not. */
	if (rec->entry != g->entry || (__s32)rec->entry > 0)
		return XR_R_pass_entry;
	return XR_R_ack_stamped;
}

/* A poll at the leader: it is a heartbeat that the follower came to fetch. */
static __always_inline enum xr_reason xr_rule_poll(const struct xr_group *g,
						   const struct xr_acks *acks,
						   const struct xr_control *c,
						   const struct xr_record *rec, __u64 now)
{
	enum xr_reason reason = xr_rule_record(g, rec);
	union xr_word v = xr_view_read(g);

	if (reason != XR_REASON_END)
		return reason;
	if (v.view.mode != XR_LEAD || v.view.term != rec->term || !xr_may_lead(g, acks, c, now))
		return XR_R_pass_poll;
	XR_PAUSE;
	return XR_R_poll_answered;
}

/*
 * ---- one datagram ----
 *
 * The file that includes this one supplies the ways to its maps. A lookup returns NULL where there
 * is no such record.
 */
struct xr_env;
static __always_inline struct xr_group *xr_env_group(struct xr_env *env, __u32 id);
static __always_inline struct xr_acks *xr_env_acks(struct xr_env *env, __u32 id);
static __always_inline struct xr_peer *xr_env_peer(struct xr_env *env, __u32 node);
static __always_inline struct xr_key *xr_env_key(struct xr_env *env, __u32 slot);
static __always_inline struct xr_control *xr_env_control(struct xr_env *env);
static __always_inline struct xr_run *xr_env_run(struct xr_env *env);
/* Rule 8: XR_REASON_END if this node may answer, else the reason why it may not. */
static __always_inline enum xr_reason xr_env_may_answer(struct xr_env *env, const struct xr_wire *h,
							__u64 now);
/* xr_tag(), in the form that suits the file that includes this one. */
static __always_inline __u64 xr_env_tag(struct xr_env *env, const struct xr_wire *h,
					const void *end, __u32 len, const struct xr_sip_key *key);
static __always_inline void xr_env_count(struct xr_env *env, enum xr_reason reason);
static __always_inline void xr_env_report(struct xr_env *env, const struct xr_wire *h,
					  const struct xr_record *rec);

/* Body `i` of a datagram, or NULL where it ends. */
static __always_inline void *xr_body(const struct xr_wire *h, const void *end, __u32 i, __u32 size)
{
	char *body = (char *)(h + 1);

	if (i >= XR_RECORDS)
		return NULL;
	body += i * size;
	asm volatile("" : "+r"(body)); /* one register: the verifier checks that which is used */
	return (const void *)(body + size) > end ? NULL : body;
}

/*
 * Bodies are walked by callback (bpf_loop in the kernel), so that the verifier proves one step and
 * not eighty-seven. A step returns 1 to stop.
 */
typedef long (*xr_step)(__u32 i, void *arg);
static __always_inline void xr_env_each(__u32 count, xr_step step, void *arg);

/* Of the header and of a record; not in loops, so that the state of the hash stays in registers. */
static __always_inline void xr_tag_begin(struct xr_sip *sip, const struct xr_wire *h,
					 const struct xr_sip_key *key)
{
	const __u64 *word = (const __u64 *)h;

	_Static_assert(__builtin_offsetof(struct xr_wire, tag) == 5 * sizeof(*word), "wire layout");
	xr_sip_init(sip, key);
	xr_sip_word(sip, word[0]);
	xr_sip_word(sip, word[1]);
	xr_sip_word(sip, word[2]);
	xr_sip_word(sip, word[3]);
	xr_sip_word(sip, word[4]);
}

static __always_inline void xr_tag_record(struct xr_sip *sip, const struct xr_record *rec)
{
	const __u64 *word = (const __u64 *)rec;

	_Static_assert(sizeof(*rec) == 2 * sizeof(*word), "wire layout");
	xr_sip_word(sip, word[0]);
	xr_sip_word(sip, word[1]);
}

/*
 * The tag: SipHash-2-4 of the header before it followed by all bodies, as any implementation
 * computes it (rule 10). `len`: of the whole datagram, the tag's own eight bytes included.
 */
static __always_inline __u64 xr_tag(const struct xr_wire *h, const void *end, __u32 len,
				    const struct xr_sip_key *key)
{
	const __u64 *word = (const __u64 *)(h + 1);
	struct xr_sip sip;

	if ((const void *)word > end)
		return 0;
	xr_tag_begin(&sip, h, key);
	for (__u32 at = sizeof(*h); at < XR_DATAGRAM_MAX && at < len; at += 8, word++) {
		if ((const void *)(word + 1) > end)
			break;
		xr_sip_word(&sip, *word);
	}
	return xr_sip_final(&sip, len - sizeof(h->tag));
}

/* The same. Most datagrams carry one record: for these there is neither a loop nor a call. */
static __always_inline __u64 xr_rules_tag(struct xr_env *env, const struct xr_wire *h,
					  const void *end, __u32 len, const struct xr_sip_key *key)
{
	const struct xr_record *first = (const struct xr_record *)(h + 1);
	struct xr_sip sip;

	if (len != sizeof(*h) + sizeof(*first) || (const void *)(first + 1) > end)
		return xr_env_tag(env, h, end, len, key);
	xr_tag_begin(&sip, h, key);
	xr_tag_record(&sip, first);
	return xr_sip_final(&sip, len - sizeof(h->tag));
}

/* The sender of a datagram that xr_rules_check() has found authentic. */
struct xr_sender {
	struct xr_peer *peer;
	struct xr_key *key;
};

/* Rule 17: what was said in another life of either node is not said in this one. */
static __always_inline int xr_is_for_this_life(const struct xr_peer *peer, const struct xr_wire *h)
{
	__u64 lives = *(const volatile __u64 *)&peer->lives;

	return xr_type_introduces(h->type) || (lives && h->lives == lives);
}

/* Cheap checks first, the digest last. XR_REASON_END: authentic and for us. */
static __always_inline enum xr_reason xr_rules_check(struct xr_env *env, const struct xr_wire *h,
						     const void *end, __u32 len,
						     const struct xr_from *from,
						     struct xr_sender *sender)
{
	const struct xr_control *c = xr_env_control(env);
	struct xr_peer *peer;
	struct xr_key *key;
	__u32 size;

	if (len < sizeof(*h) || (const void *)(h + 1) > end)
		return XR_R_drop_short;
	if (h->magic != XR_WIRE_MAGIC)
		return XR_R_drop_magic;
	if (h->version != XR_WIRE_VERSION)
		return XR_R_drop_version;
	if (h->type == 0 || h->type >= XR_TYPE_END)
		return XR_R_drop_type;
	size = xr_wire_body_size(h->type);
	if (len > XR_DATAGRAM_MAX || len != sizeof(*h) + h->count * size || !h->count != !size)
		return XR_R_drop_short;
	if ((const void *)((const char *)h + len) > end)
		return XR_R_drop_short; /* the frame ends before its datagram */
	if (h->dest != c->self || h->source == c->self || h->source == 0)
		return XR_R_drop_source;
	peer = xr_env_peer(env, h->source);
	if (!peer || !peer->used)
		return XR_R_drop_source;
	if (from->ip[0] != ((__u64 *)peer->ip)[0] || from->ip[1] != ((__u64 *)peer->ip)[1] ||
	    (from->port != peer->port && h->type != XR_RESIGN)) /* the warden has its own port */
		return XR_R_drop_address;
	if (!xr_is_for_this_life(peer, h))
		return XR_R_drop_life;
	key = xr_env_key(env, h->key_id & 1);
	if (!key || !key->used || key->id != h->key_id)
		return XR_R_drop_key;
	if (xr_rules_tag(env, h, end, len, &key->sip) != h->tag)
		return XR_R_drop_tag;
	peer->received++; /* a peer's datagrams come through one receive queue */
	sender->peer = peer;
	sender->key = key;
	return XR_REASON_END;
}

/*
 * A load of a word stalls until bytes that were just stored into it have reached the cache. The tag
 * loads words, so these functions store whole words.
 */
static __always_inline void xr_record_set(struct xr_record *rec, __u16 flags, __u32 entry)
{
	__u64 *word = (__u64 *)&rec->digest;

	*word = (__u16)*word | (__u64)flags << 16 | (__u64)entry << 32;
}

static __always_inline void xr_wire_turn(struct xr_wire *h, __u8 type, __u8 self,
					 __u32 min_timeout_us)
{
	__u64 *word = (__u64 *)h;

	word[0] = (word[0] & 0xffffffffffull) | (__u64)type << 40 | (__u64)self << 48 |
		  (__u64)h->source << 56;
	word[1] = (__u32)word[1] | (__u64)min_timeout_us << 32;
}

struct xr_walk {
	struct xr_env *env;
	struct xr_wire *h;
	const void *end;
	__u64 now;
};

static __always_inline struct xr_record *xr_walk_record(const struct xr_walk *w, __u32 i)
{
	return xr_body(w->h, w->end, i, sizeof(struct xr_record));
}

/* Most datagrams carry one record; a callback would cost more than the step itself. */
static __always_inline void xr_walk_each(struct xr_walk *w, __u32 count, xr_step step)
{
	if (count == 1)
		step(0, w);
	else
		xr_env_each(count, step, w);
}

static __always_inline int xr_is_stamped(enum xr_reason reason)
{
	return reason == XR_R_heartbeat_answered || reason == XR_R_heartbeat_withheld;
}

/*
 * Decide about one heartbeat record. If it was stamped the datagram will be answered, whatever
 * becomes of the others (rule 15), and its answer is written here and now. The rest waits, since a
 * datagram without a stamp may have to go up as it came.
 */
static __always_inline long xr_step_heartbeat(__u32 i, void *arg)
{
	struct xr_walk *w = arg;
	struct xr_record *rec = xr_walk_record(w, i);
	struct xr_run *run = xr_env_run(w->env);
	enum xr_reason reason = XR_R_drop_group;
	struct xr_group *g;
	__u32 entry = 0;

	if (!rec)
		return 1;
	g = xr_env_group(w->env, rec->group);
	if (g)
		reason = xr_rule_heartbeat(g, xr_env_control(w->env), w->h, rec, &entry, w->now);
	if (g && reason == XR_R_heartbeat_answered && xr_note_committed(g, rec, &entry))
		xr_env_report(w->env, w->h, rec);
	run->reason[i & (XR_SLOTS - 1)] = reason;
	if (xr_is_stamped(reason)) {
		run->stamped++;
		xr_env_count(w->env, reason);
		if (reason == XR_R_heartbeat_answered)
			xr_record_set(rec, XR_ACKED, entry);
		else
			xr_record_set(rec, XR_PENDING, 0);
	} else if (reason == XR_R_heartbeat_refused) {
		run->refused++;
		run->term[i & (XR_SLOTS - 1)] = xr_view_read(g).view.term;
	} else if (reason == XR_R_pass_heartbeat) {
		run->up++;
	}
	return 0;
}

/* Write an answer into a record that waited. Rule 15: xr_events takes the daemon's records up. */
static __always_inline long xr_step_write_rest(__u32 i, void *arg)
{
	struct xr_walk *w = arg;
	struct xr_record *rec = xr_walk_record(w, i);
	struct xr_run *run = xr_env_run(w->env);
	enum xr_reason reason;

	if (!rec)
		return 1;
	reason = run->reason[i & (XR_SLOTS - 1)];
	if (xr_is_stamped(reason))
		return 0;
	if (reason == XR_R_pass_heartbeat) {
		reason = XR_R_heartbeat_pending;
		xr_env_report(w->env, w->h, rec);
	}
	xr_env_count(w->env, reason);
	if (reason == XR_R_heartbeat_refused)
		rec->term = run->term[i & (XR_SLOTS - 1)];
	xr_record_set(rec, reason == XR_R_heartbeat_refused ? XR_REFUSED : XR_PENDING, 0);
	return 0;
}

static __always_inline enum xr_verdict xr_rules_heartbeat(struct xr_walk *w, __u32 count)
{
	struct xr_run *run = xr_env_run(w->env);

	xr_walk_each(w, count, xr_step_heartbeat);
	if (run->stamped == count)
		return XR_TX;
	if (!run->stamped && run->up) {
		xr_env_count(w->env, XR_R_pass_heartbeat);
		return XR_PASS;
	}
	xr_walk_each(w, count, xr_step_write_rest);
	return run->stamped || run->refused ? XR_TX : XR_DROP;
}

static __always_inline long xr_step_ack(__u32 i, void *arg)
{
	struct xr_walk *w = arg;
	struct xr_record *rec = xr_walk_record(w, i);
	enum xr_reason reason = XR_R_drop_group;
	struct xr_acks *acks;
	struct xr_group *g;

	if (!rec)
		return 1;
	g = xr_env_group(w->env, rec->group);
	acks = xr_env_acks(w->env, rec->group);
	if (g && acks)
		reason = xr_rule_ack(g, acks, w->h, rec, w->now);
	if (reason == XR_R_pass_ack || reason == XR_R_pass_entry)
		xr_env_run(w->env)->up++;
	xr_env_count(w->env, reason);
	return 0;
}

static __always_inline enum xr_verdict xr_rules_ack(struct xr_walk *w, __u32 count)
{
	xr_walk_each(w, count, xr_step_ack);
	return xr_env_run(w->env)->up ? XR_PASS : XR_DROP;
}

static __always_inline long xr_step_poll(__u32 i, void *arg)
{
	struct xr_walk *w = arg;
	struct xr_record *rec = xr_walk_record(w, i);
	struct xr_run *run = xr_env_run(w->env);
	enum xr_reason reason = XR_R_drop_group;
	struct xr_acks *acks;
	struct xr_group *g;

	if (!rec)
		return 1;
	g = xr_env_group(w->env, rec->group);
	acks = xr_env_acks(w->env, rec->group);
	if (g && acks)
		reason = xr_rule_poll(g, acks, xr_env_control(w->env), rec, w->now);
	if (reason == XR_R_poll_answered)
		run->answered++;
	else if (reason == XR_R_pass_poll)
		run->up++;
	run->reason[i & (XR_SLOTS - 1)] = reason;
	xr_env_count(w->env, reason);
	return 0;
}

static __always_inline long xr_step_write_beat(__u32 i, void *arg)
{
	struct xr_walk *w = arg;
	struct xr_record *rec = xr_walk_record(w, i);
	struct xr_run *run = xr_env_run(w->env);
	int answered;

	if (!rec)
		return 1;
	answered = run->reason[i & (XR_SLOTS - 1)] == XR_R_poll_answered;
	/* No entry: there is no second look, by which it were of the view's term (rule 25). */
	xr_record_set(rec, answered ? 0 : XR_PENDING, 0);
	return 0;
}

/* A poll is answered by the heartbeat that it asks for, `sent` now by the leader's clock. */
static __always_inline enum xr_verdict xr_rules_poll(struct xr_walk *w, __u32 count)
{
	struct xr_run *run = xr_env_run(w->env);

	xr_walk_each(w, count, xr_step_poll);
	if (!run->answered)
		return run->up ? XR_PASS : XR_DROP;
	xr_walk_each(w, count, xr_step_write_beat);
	return XR_TX;
}

static __always_inline enum xr_verdict xr_rules_decide(struct xr_walk *w)
{
	struct xr_run *run = xr_env_run(w->env);

	run->stamped = run->refused = run->answered = run->up = 0;
	switch (w->h->type) {
	case XR_HEARTBEAT:
		return xr_rules_heartbeat(w, w->h->count);
	case XR_ACK:
		return xr_rules_ack(w, w->h->count);
	case XR_POLL:
		return xr_rules_poll(w, w->h->count);
	case XR_PATH_TEST:
		xr_env_count(w->env, XR_R_path_answered);
		return XR_TX;
	default:
		xr_env_count(w->env, xr_type_body(w->h->type) == XR_BODY_BALLOT ? XR_R_pass_vote
				     : xr_type_body(w->h->type) == XR_BODY_WORD ? XR_R_pass_append
										: XR_R_pass_fact);
		return XR_PASS;
	}
}

/* Turn the decided datagram round and seal it. */
static __always_inline void xr_rules_seal(struct xr_env *env, struct xr_wire *h, const void *end,
					  __u32 len, const struct xr_sender *sender, __u64 now)
{
	const struct xr_control *c = xr_env_control(env);

	sender->peer->answered++;
	xr_wire_turn(h, xr_type_answer(h->type), c->self, c->min_timeout_us);
	h->echo_ns = h->sent_ns;
	h->sent_ns = now;
	h->tag = xr_rules_tag(env, h, end, len, &sender->key->sip);
}

/*
 * The NIC path: one datagram to our port, from `h` to `end`, of `len` bytes by its UDP header.
 * With XR_TX it has become its own answer and only the headers around it are left to turn.
 */
static __always_inline enum xr_verdict xr_rules_run(struct xr_env *env, struct xr_wire *h,
						    const void *end, __u32 len,
						    const struct xr_from *from, __u64 now)
{
	struct xr_sender sender;
	enum xr_reason reason = xr_rules_check(env, h, end, len, from, &sender);
	struct xr_walk walk = {.env = env, .h = h, .end = end, .now = now};
	enum xr_verdict verdict;

	if (reason != XR_REASON_END) {
		xr_env_count(env, reason);
		return XR_DROP;
	}
	/* The verifier wants to see the bound that xr_rules_check() has checked. */
	if ((const void *)(h + 1) > end)
		return XR_DROP;
	reason = xr_env_may_answer(env, h, now);
	if (reason != XR_REASON_END) {
		xr_env_count(env, reason);
		return XR_PASS;
	}
	verdict = xr_rules_decide(&walk);
	if (verdict == XR_TX)
		xr_rules_seal(env, h, end, len, &sender, now);
	return verdict;
}

#endif
