// SPDX-License-Identifier: GPL-2.0-only
/*
 * rules.h, as the daemon compiles it: one datagram into one state of the maps, and what it made of
 * them held against the rules, told here in other words. Then its answer goes to the peer that it
 * is for, whose maps invite an answer of everything, and so on until nobody answers.
 */
#include <sodium.h>
#include "state.h"

#define NOW (1000000 * NS_PER_S)

struct run {
	struct world before, after;
	struct xr_stats moved;
	__u32 size; /* of the datagram in memory */
	__u32 len;  /* by its UDP header */
	struct xr_from from;
	__u64 at[(sizeof(struct xr_wire) + XR_DATAGRAM_MAX) / 8 + 16]; /* as it came */
	__u8 *out; /* as it is now, in a block of its true size */
	enum xr_verdict verdict;
	struct xr_env env;
};

static struct run r;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	must(sodium_init() >= 0, "libsodium does not start");
	return 0;
}

/*
 * ---- what a datagram is, judged by other lines than the rules' ----
 */
static bool shape_right(const struct xr_wire *h)
{
	static const __u32 body[] = {0, 16, 16, 16, 40, 40, 40, 40, 40, 16, 16, 16, 16, 16, 8, 8};

	if (r.size < sizeof(*h) || r.len > r.size || r.len > XR_DATAGRAM_MAX)
		return false;
	if (memcmp(&h->magic, "XRFT", 4) || h->version != 3 || h->type < 1 || h->type > 15)
		return false;
	return r.len == 48 + h->count * body[h->type] && h->count;
}

/* Asks and tells are for any life; all else for the one that was introduced. */
static bool of_this_life(const struct xr_wire *h, const struct xr_peer *peer)
{
	return h->type == 9 || h->type == 10 || (h->lives == peer->lives && h->lives != 0);
}

static bool authentic(void)
{
	const struct xr_wire *h = (const struct xr_wire *)r.at;
	const struct world *w = &r.before;
	const struct xr_key *key;
	const struct xr_peer *peer;

	if (!shape_right(h) || h->dest != w->control.self || h->source == h->dest ||
	    h->source < 1 || h->source > 9)
		return false;
	peer = &w->peers[h->source];
	if (!peer->used || memcmp(peer->ip, r.from.ip, 16) ||
	    (peer->port != r.from.port && h->type != XR_RESIGN) || !of_this_life(h, peer))
		return false;
	key = &w->keys[h->key_id & 1];
	return key->used && key->id == h->key_id && h->tag == frame_tag(h, r.len, &key->sip);
}

/*
 * ---- what must hold ----
 */
/* Rule 25: the leader says of the entry which the node has that it is committed. */
static bool said_committed(int group, __u32 entry)
{
	const struct xr_wire *h = (const struct xr_wire *)r.at;
	const struct xr_record *rec = (const void *)(h + 1);

	if (r.verdict != XR_TX || h->type != XR_HEARTBEAT ||
	    h->source != r.before.groups[group].view.leader ||
	    r.after.groups[group].entry != (entry | XR_COMMITTED) || !entry)
		return false;
	for (int i = 0; i < h->count; i++)
		if (rec[i].group == (__u32)group &&
		    rec[i].term == r.before.groups[group].view.term &&
		    rec[i].entry == (entry | XR_COMMITTED))
			return true;
	return false;
}

static void check_published(void)
{
	for (int i = 0; i < RIG_GROUPS; i++) {
		struct xr_group *b = &r.before.groups[i], a = r.after.groups[i];

		a.contact_ns = b->contact_ns;
		a.replay = b->replay;
		if (a.entry != b->entry && said_committed(i, b->entry))
			a.entry = b->entry;
		must(!memcmp(&a, b, sizeof(a)), "group %d: more than its stamps moved", i);
		must(r.after.groups[i].contact_ns == b->contact_ns ||
			     xr_before(b->contact_ns, r.after.groups[i].contact_ns),
		     "group %d: the contact went back", i);
	}
	must(!memcmp(&r.after.control, &r.before.control, sizeof(r.after.control)),
	     "control moved");
	must(!memcmp(r.after.keys, r.before.keys, sizeof(r.after.keys)), "keys moved");
}

static void check_peers(bool genuine)
{
	const struct xr_wire *h = (const struct xr_wire *)r.at;

	for (int i = 0; i <= XR_NODE_MAX; i++) {
		struct xr_peer b = r.before.peers[i], *a = &r.after.peers[i];

		b.received += genuine && i == h->source;
		b.answered += r.verdict == XR_TX && i == h->source;
		must(!memcmp(a, &b, sizeof(b)), "peer %d: its record is not what was expected", i);
	}
}

static bool any_stamp(void)
{
	for (int i = 0; i < RIG_GROUPS; i++)
		if (r.after.groups[i].contact_ns != r.before.groups[i].contact_ns ||
		    r.after.groups[i].replay != r.before.groups[i].replay)
			return true;
	return false;
}

static bool any_ack(void)
{
	return memcmp(r.after.acks, r.before.acks, sizeof(r.after.acks)) != 0;
}

static __u64 counted(void)
{
	__u64 sum = 0;

	for (int i = 0; i < XR_REASON_END; i++)
		sum += ((__u64 *)&r.moved)[i];
	return sum;
}

/* A mark goes back by an answer of late, and from far ahead of it. */
static void check_mark(__u64 before, __u64 after)
{
	const struct xr_wire *h = (const struct xr_wire *)r.at;
	const __u64 d_ns = r.before.control.min_timeout_us * NS_PER_US;

	if (before >> 48 != after >> 48 || after > before)
		return;
	must(h->echo_ns && h->echo_ns <= NOW && NOW - h->echo_ns <= d_ns,
	     "a mark went back by what answers nothing of late");
	must(((before - after) << 10) > 2 * d_ns, "a mark went back by little");
}

static void check_stamps(void)
{
	const struct xr_wire *h = (const struct xr_wire *)r.at;

	for (int i = 0; i < RIG_GROUPS; i++) {
		const struct xr_group *b = &r.before.groups[i], *a = &r.after.groups[i];

		if (a->contact_ns == b->contact_ns && a->replay == b->replay)
			continue;
		must(h->type == XR_HEARTBEAT && r.verdict == XR_TX, "stamped, not answered");
		must(b->view.mode == XR_FOLLOW && b->view.leader == h->source, "not its leader");
		must(xr_is_member(b, r.before.control.self), "no member (rule 27)");
		must(h->min_timeout_us <= r.before.control.min_timeout_us, "a longer D");
		must(a->contact_ns == b->contact_ns || a->contact_ns == NOW, "another clock");
		must(a->replay != b->replay, "stamped without a mark");
		check_mark(b->replay, a->replay);
	}
}

static bool has_acked(const struct xr_record *rec, __u16 count, __u32 group, __u32 term)
{
	for (int i = 0; i < count; i++)
		if (rec[i].group == group && rec[i].term == term && rec[i].flags & XR_ACKED)
			return true;
	return false;
}

static void check_ack(int i, int node)
{
	const struct xr_acks *b = &r.before.acks[i], *a = &r.after.acks[i];
	const struct xr_wire *h = (const struct xr_wire *)r.at;
	const struct xr_group *g = &r.before.groups[i];

	if (a->echo_ns[node] == b->echo_ns[node] && a->term[node] == b->term[node])
		return;
	must(h->type == XR_ACK && node == h->source, "an ack of another");
	must(a->echo_ns[node] == b->echo_ns[node] ||
		     (a->echo_ns[node] == h->echo_ns &&
		      xr_before(b->echo_ns[node], a->echo_ns[node])),
	     "an ack went back");
	must(a->term[node] == b->term[node] ||
		     (a->term[node] == g->view.term && a->term[node] > b->term[node]),
	     "a known term is none that was acked");
	must(!xr_before(NOW, h->echo_ns) && !xr_before(h->echo_ns, g->lead_since_ns),
	     "an ack of what this leadership did not send");
	must(g->view.mode == XR_LEAD, "acks no leader");
	must(has_acked((const struct xr_record *)(h + 1), h->count, (__u32)i, g->view.term),
	     "an ack that nobody said");
}

static void check_acks(void)
{
	for (int i = 0; i < RIG_GROUPS; i++)
		for (int node = 0; node <= XR_NODE_MAX; node++)
			check_ack(i, node);
}

static void check_ack_record(const struct xr_record *was, const struct xr_record *is)
{
	const struct xr_group *g = &r.after.groups[was->group % RIG_GROUPS];

	must(is->entry == (is->flags == XR_ACKED ? g->entry : 0), "names entry %x", is->entry);
	switch (is->flags) {
	case XR_ACKED:
		must(g->contact_ns == NOW && g->view.mode == XR_FOLLOW &&
			     g->view.term == was->term && is->term == was->term,
		     "acked, and not accepted");
		break;
	case XR_REFUSED:
		must(is->term == g->view.term && is->term > was->term, "refused without reason");
		break;
	default:
		must(is->flags == XR_PENDING && is->term == was->term, "flags %x", is->flags);
	}
}

static void check_beat_record(const struct xr_record *was, const struct xr_record *is)
{
	const struct xr_group *g = &r.after.groups[was->group % RIG_GROUPS];

	must(is->term == was->term, "a poll's term moved");
	must(!is->entry, "a heartbeat that answers a poll names an entry");
	if (is->flags == XR_PENDING)
		return;
	must(!is->flags && g->view.mode == XR_LEAD && g->view.term == is->term &&
		     g->digest == is->digest,
	     "a heartbeat of one that does not lead");
	must(xr_may_lead(g, &r.after.acks[was->group], &r.after.control, NOW),
	     "a heartbeat without a quorum");
}

static void check_records(const struct xr_wire *was, const struct xr_wire *is)
{
	const struct xr_record *a = (const void *)(was + 1), *b = (const void *)(is + 1);
	bool said = false;

	for (int i = 0; i < is->count; i++) {
		must(a[i].group == b[i].group && a[i].digest == b[i].digest, "record %d is another",
		     i);
		if (was->type == XR_HEARTBEAT)
			check_ack_record(&a[i], &b[i]);
		else
			check_beat_record(&a[i], &b[i]);
		said |= b[i].flags != XR_PENDING;
	}
	must(said || any_stamp(), "an answer that says nothing");
}

static void check_answer(void)
{
	const struct xr_wire *was = (const struct xr_wire *)r.at, *is = (const void *)r.out;

	must(is->type == xr_type_answer(was->type) && is->type, "type %u answers type %u", is->type,
	     was->type);
	must(is->dest == was->source && is->source == r.before.control.self, "not turned round");
	must(is->echo_ns == was->sent_ns && is->sent_ns == NOW, "its times");
	must(is->min_timeout_us == r.before.control.min_timeout_us, "its D");
	must(is->magic == was->magic && is->version == was->version && is->count == was->count &&
		     is->key_id == was->key_id && is->lives == was->lives,
	     "its header");
	must(is->tag == frame_tag(is, r.len, &r.before.keys[is->key_id & 1].sip), "its tag");
	must(!memcmp(r.out + r.len, (__u8 *)r.at + r.len, r.size - r.len), "larger than it was");
	if (is->type == XR_PATH_ECHO)
		must(!memcmp(was + 1, is + 1, r.len - sizeof(*is)), "its facts");
	else
		check_records(was, is);
}

static void check_left(void)
{
	const struct xr_wire *was = (const struct xr_wire *)r.at;
	const struct xr_record *rec = (const void *)(was + 1);

	must(!r.env.npending || r.verdict == XR_TX || r.verdict == XR_DROP, "left, and passed up");
	must(r.env.npending <= (r.len >= sizeof(*was) ? was->count : 0u), "too much is left");
	for (__u32 i = 0; i < r.env.npending; i++) {
		bool found = false;

		for (int n = 0; n < was->count; n++)
			found |= !memcmp(&rec[n], &r.env.pending[i].record, sizeof(*rec));
		must(found && r.env.pending[i].sent_ns == was->sent_ns, "left what never came");
	}
}

static void check(void)
{
	const struct xr_wire *h = (const struct xr_wire *)r.at;
	bool genuine = authentic();

	check_published();
	check_peers(genuine);
	check_left();
	must(counted() >= 1, "nothing was counted");
	if (!genuine) {
		must(r.verdict == XR_DROP && counted() == 1, "not authentic, and not dropped");
		must(!any_stamp() && !any_ack(), "not authentic, and something moved");
	} else if (!xr_before(NOW, r.before.control.alive_until_ns)) {
		must(r.verdict == XR_PASS && !any_stamp() && !any_ack(), "the dead answer");
	}
	check_stamps();
	check_acks();
	if (r.verdict == XR_TX)
		check_answer();
	else if (r.verdict == XR_PASS || !genuine)
		must(!memcmp(r.out, r.at, r.size), "changed, and not answered");
	if (genuine && r.verdict != XR_PASS)
		must(xr_type_place(h->type) == XR_AT_NIC, "type %u never arrives", h->type);
}

/*
 * ---- running ----
 */
static void run(void)
{
	struct xr_wire *h = (struct xr_wire *)r.out;

	r.after = r.before;
	memset(&r.moved, 0, sizeof(r.moved));
	memset(&r.env, 0, sizeof(r.env));
	r.env = (struct xr_env){.groups = r.after.groups,
				.acks = r.after.acks,
				.ngroups = RIG_GROUPS,
				.control = &r.after.control,
				.peers = r.after.peers,
				.keys = r.after.keys,
				.stats = &r.moved};
	r.verdict = xr_rules_run(&r.env, h, r.out + r.size, r.len, &r.from, NOW);
	check();
}

/* The maps of the node that the answer is for: it leads or follows as suits the answer best. */
static void become_peer(void)
{
	const struct xr_wire *h = (const struct xr_wire *)r.out;
	struct world *w = &r.before;

	*w = r.after;
	memcpy(r.from.ip, w->peers[h->source].ip, sizeof(r.from.ip));
	r.from.port = w->peers[h->source].port;
	w->peers[h->source].used = 1;
	w->peers[h->source].lives = h->lives;
	w->control.self = h->dest;
	w->control.alive_until_ns = NOW + NS_PER_S;
	for (int i = 0; i < RIG_GROUPS; i++) {
		struct xr_view *v = &w->groups[i].view;

		v->mode = h->type == XR_HEARTBEAT ? XR_FOLLOW : XR_LEAD;
		v->leader = h->type == XR_HEARTBEAT ? h->source : h->dest;
		w->groups[i].contact_ns = w->groups[i].replay = 0;
		w->groups[i].lead_since_ns = NOW - 1000;
		w->groups[i].members |= 1u << h->source | 1u << h->dest;
	}
}

static void follow_answers(void)
{
	const struct xr_wire *h = (const struct xr_wire *)r.out;

	for (int answers = 0; r.verdict == XR_TX; answers++) {
		bool final = h->type != XR_HEARTBEAT; /* which is a poll's */

		must(answers < 2, "answers without end");
		become_peer();
		memcpy(r.at, r.out, r.size);
		run();
		must(!final || r.verdict != XR_TX, "an answer is answered (rule 9)");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {.at = data, .left = size};
	static struct packet p;
	uint16_t lie;
	uint8_t shape;

	memset(&p, 0, sizeof(p));
	shape = take8(&in);
	lie = take16(&in);
	state_world(&r.before, &in, NOW);
	state_packet(&p, &r.before, &in);
	r.size = r.len = (__u32)p.payload;
	if ((shape & 3) == 1)
		r.len = lie;
	else if ((shape & 3) == 2 && r.size) /* the frame ends too early */
		r.size -= lie % r.size;
	memcpy(r.from.ip, r.before.peers[shape >> 2 & 1 ? shape >> 4 & 7 : p.d.h.source % 10].ip,
	       sizeof(r.from.ip));
	r.from.port = r.before.peers[p.d.h.source % 10].port + (shape >> 3 & 1);
	memset(r.at, 0, sizeof(r.at));
	memcpy(r.at, &p.d, r.size);
	r.out = malloc(r.size + !r.size);
	memcpy(r.out, r.at, r.size);
	run();
	follow_answers();
	free(r.out);
	return 0;
}
