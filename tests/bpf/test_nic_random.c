// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random and mutated frames, from random states, through the loaded XDP program and through the
 * native rules: they must agree in verdict, bytes, maps, counters and events.
 *
 * XR_SEED and XR_ROUNDS choose what is run; a failure prints the seed of its own round, with which
 * XR_ROUNDS=1 runs that round alone. All times in the states are far from every limit, so that
 * the nanoseconds between the two runs decide nothing.
 */
#include <string.h>
#include <linux/bpf.h>
#include "need.h"

#define ROUNDS	  200000
#define BUDGET_NS (15 * NS_PER_S)
#define STALL_NS  (200 * NS_PER_MS) /* a run that took longer is not compared */
#define SENT	  (500 * NS_PER_S)

static uint64_t rng;

static uint64_t next(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static uint32_t below(uint32_t n)
{
	return (uint32_t)(next() >> 32) % n;
}

static bool one_in(uint32_t n)
{
	return below(n) == 0;
}

/*
 * ---- a random state ----
 */
static __u64 some_time(__u64 now)
{
	static const __s64 away[] = {-100, -10, -1, 10};

	return one_in(6) ? 0 : now + (__u64)(away[below(4)] * (__s64)NS_PER_S);
}

static __u32 some_term(void)
{
	return one_in(20) ? (__u32)next() : one_in(3) ? 5 + below(5) : 7;
}

static void random_group(struct xr_group *g, struct xr_acks *acks, __u64 now)
{
	static const __u32 members[] = {0,   0x6,	 0xe,	  0x1e,	    0x3e,     0x3fe,
					0xc, 0xffffffff, 0x2000c, 0x12000c, 0x10000e, 0x20000};

	if (one_in(3))
		g->view = (struct xr_view){.term = some_term(),
					   .leader = (__u8)below(5),
					   .mode = (enum xr_mode)below(3)};
	if (g->view.mode == XR_LEAD)
		g->view.leader = RIG_SELF;
	if (one_in(3))
		g->contact_ns = some_time(now);
	if (one_in(3))
		g->lead_since_ns = some_time(now);
	if (one_in(4))
		g->members = members[below(ARRAY_SIZE(members))];
	if (one_in(4))
		g->replay = xr_mark(some_term(), SENT + (below(9) - 4) * NS_PER_MS);
	if (one_in(30)) /* far ahead: by more than 2 D, or not */
		g->replay = xr_mark(7, SENT + (one_in(2) ? 100 : 10) * NS_PER_S);
	xr_each_node(node)
		if (one_in(3))
			acks->echo_ns[node] = some_time(now);
	xr_each_node(node)
		if (one_in(6))
			acks->term[node] = some_term();
}

static void random_world(struct world *w, bool ipv6)
{
	world_default(w, ipv6);
	if (one_in(2))
		world_lead(w);
	for (int i = 0; i < 8; i++)
		random_group(&w->groups[i], &w->acks[i], w->now);
	if (one_in(20))
		w->control.alive_until_ns = some_time(w->now);
	if (one_in(20))
		w->control.answer = 0;
	if (one_in(10))
		w->control.min_timeout_us = one_in(2) ? 100000 : 20000000;
	if (one_in(30))
		w->keys[below(2)].used = 0;
	if (one_in(30))
		w->peers[1 + below(4)].used = 0;
	if (one_in(30))
		w->peers[1 + below(4)].lives = one_in(2) ? 0 : next();
}

static void random_socket(void)
{
	if (one_in(20))
		rig_socket_close(&rig);
	else if (rig.socket < 0 && rig_socket(&rig, true))
		fail_msg("no socket");
}

/*
 * ---- a random frame ----
 */
static void random_record(struct xr_record *rec)
{
	rec->group = one_in(20) ? below(RIG_GROUPS + 36) : below(8);
	rec->term = some_term();
	rec->digest = (__u16)(0x1000 + rec->group);
	if (one_in(20))
		rec->digest = (__u16)next();
	rec->flags = one_in(6) ? (__u16)below(16) : 0;
	rec->entry = one_in(20) ? (__u32)next() : 0;
	if (one_in(4))
		rec->entry = (__u32)below(4) | (one_in(2) ? XR_COMMITTED : 0);
}

static __u64 some_lives(const struct xr_wire *h)
{
	const __u64 other[] = {0, RIG_LIFE(h->source), next()};

	return one_in(20) ? other[below(3)] : RIG_LIVES(h->source, RIG_SELF);
}

static void random_header(struct xr_wire *h, __u64 now)
{
	static const __u8 types[] = {XR_HEARTBEAT, XR_HEARTBEAT, XR_ACK, XR_ACK, XR_POLL};
	static const __u64 ms = NS_PER_MS;

	*h = (struct xr_wire){.magic = XR_WIRE_MAGIC,
			      .version = XR_WIRE_VERSION,
			      .source = 2,
			      .dest = RIG_SELF,
			      .key_id = 4,
			      .min_timeout_us = 150000};
	h->type = one_in(4) ? (__u8)below(XR_TYPE_END + 1) : types[below(ARRAY_SIZE(types))];
	h->count = (__u16)(one_in(30) ? below(XR_RECORDS + 3) : 1 + below(5));
	if (xr_type_body(h->type) == XR_BODY_BALLOT && h->count > XR_BALLOT_MAX)
		h->count = XR_BALLOT_MAX;
	h->sent_ns = SENT + (below(9) - 4) * ms;
	h->echo_ns = some_time(now) + below(1000);
	if (one_in(10))
		h->source = (__u8)below(11);
	if (one_in(30))
		h->dest = (__u8)below(11);
	if (one_in(8))
		h->key_id = (__u8)(3 + below(4));
	h->lives = some_lives(h);
}

static void random_wrapping(struct packet *p, bool ipv6)
{
	p->payload = p->udp_len = -1;
	p->ipv6 = ipv6;
	p->from = one_in(30) ? (__u8)below(6) : p->d.h.source;
	p->to = one_in(50) ? 3 : RIG_SELF;
	p->from_port = one_in(30) ? 7008 : XR_PORT;
	p->to_port = one_in(50) ? 7008 : XR_PORT;
	for (__u32 i = 0, tags = one_in(4) ? below(4) : 0; i < tags; i++)
		p->vlan[i] = one_in(2) ? 0x8100 : 0x88a8;
	p->options = one_in(50) ? 4 : 0;
	p->fragment = one_in(50) ? (__u16)next() : 0;
	p->extension = one_in(50) ? 44 : 0;
	p->padding = one_in(8) ? (int)below(30) : 0;
	p->udp_len = one_in(50) ? (int)below(200) : -1;
	p->unsealed = one_in(20);
}

static void random_packet(struct packet *p, const struct world *w, bool ipv6)
{
	memset(p, 0, sizeof(*p));
	random_header(&p->d.h, w->now);
	if (xr_type_body(p->d.h.type) != XR_BODY_RECORD || p->d.h.count > XR_RECORDS + 1) {
		for (unsigned i = 0; i < sizeof(p->d.bal) / 8; i++)
			((__u64 *)p->d.bal)[i] = next();
		if (p->d.h.count > XR_RECORDS + 1)
			p->d.h.count = XR_RECORDS + 1;
	} else {
		for (int i = 0; i < p->d.h.count; i++)
			random_record(&p->d.rec[i]);
		if (p->d.h.type == XR_ACK)
			for (int i = 0; i < p->d.h.count; i++)
				p->d.rec[i].flags = (__u16)(1 << below(4));
	}
	random_wrapping(p, ipv6);
	frame_build(p, w->keys);
}

/* Damage to the finished frame, now and then sealed again so that it gets past the tag. */
static void mutate(struct packet *p, const struct world *w)
{
	struct xr_wire h;
	__u32 len = p->len - p->at - (__u32)p->padding;

	for (__u32 n = 1 + below(3); n; n--)
		p->frame[below(p->len)] ^= one_in(2) ? 1 << below(8) : (__u8)next();
	if (one_in(3) && len >= sizeof(h)) {
		__u64 tag;

		memcpy(&h, p->frame + p->at, sizeof(h));
		tag = frame_tag(p->frame + p->at, len, &w->keys[h.key_id & 1].sip);
		memcpy(p->frame + p->at + offsetof(struct xr_wire, tag), &tag, sizeof(tag));
	}
	if (one_in(6))
		p->len = 14 + below(p->len - 13);
	else if (one_in(10))
		p->len += below(40);
}

/*
 * ---- rounds ----
 */
struct totals {
	unsigned long rounds, verdicts[8], stalled;
	struct xr_stats moved;
};

static void complain(uint64_t seed, const struct packet *p, const char *differs,
		     const struct outcome *kernel, const struct outcome *native)
{
	print_error("XR_SEED=%#llx XR_ROUNDS=1: %s differ (verdicts %d, %d)\n",
		    (unsigned long long)seed, differs, kernel->verdict, native->verdict);
	for (int r = 0; r < XR_REASON_END; r++) {
		__u64 k = ((const __u64 *)&kernel->moved)[r];
		__u64 n = ((const __u64 *)&native->moved)[r];

		if (k || n)
			print_error("  %s: %llu, %llu\n", rig_reason(r), k, n);
	}
	for (__u32 i = 0; i < p->len; i++)
		print_error("%s%02x", i % 32 ? " " : "\n  ", p->frame[i]);
	print_error("\n");
	fail();
}

static void one_round(uint64_t seed, struct totals *t)
{
	static struct outcome kernel, native;
	static struct packet p;
	static struct world w;
	__u64 began, ended, now;
	const char *differs;
	bool ipv6;

	rng = seed;
	next();
	ipv6 = one_in(2);
	random_world(&w, ipv6);
	random_socket();
	random_packet(&p, &w, ipv6);
	if (one_in(3))
		mutate(&p, &w);
	rig_load(&rig, &w);
	if (rig_run_kernel(&rig, p.frame, p.len, &kernel, &began, &ended))
		fail_msg("XR_SEED=%#llx: does not run", (unsigned long long)seed);
	t->rounds++;
	if (ended - w.now > STALL_NS) {
		t->stalled++;
		return;
	}
	now = rig_found_now(&w, &kernel, ended);
	rig_run_native(&rig, &w, p.frame, p.len, now, &native);
	differs = rig_between(began, now, ended) ? rig_compare(&kernel, &native) : "clocks";
	if (differs)
		complain(seed, &p, differs, &kernel, &native);
	if (kernel.verdict != XDP_PASS && kernel.verdict != XDP_DROP && kernel.verdict != XDP_TX)
		complain(seed, &p, "verdict is none of ours:", &kernel, &native);
	t->verdicts[kernel.verdict]++;
	for (int r = 0; r < XR_REASON_END; r++)
		((__u64 *)&t->moved)[r] += ((__u64 *)&kernel.moved)[r];
}

static unsigned long from_environment(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 0) : otherwise;
}

/*
 * Of virtual addresses, of which this program has none: test_address.c. Of births, which ballots carry:
 * these are the daemon's.
 */
static bool is_elsewhere(int r)
{
	return (r >= XR_R_pass_virtual && r <= XR_R_drop_virtual_out) || r == XR_R_drop_birth;
}

static void xdp_and_native_agree(void **state)
{
	unsigned long rounds = from_environment("XR_ROUNDS", ROUNDS);
	uint64_t seed = from_environment("XR_SEED", 0x2545f4914f6cdd1d), begin = xr_now_ns();
	struct totals t = {0};

	(void)state;
	need_rig();
	for (unsigned long i = 0; i < rounds && xr_now_ns() - begin < BUDGET_NS; i++) {
		one_round(seed, &t);
		seed += 0x9e3779b97f4a7c15ull; /* never the seed of a round that went before */
		seed += !seed;
	}
	print_message("%lu rounds: %lu dropped, %lu passed, %lu answered, %lu stalled\n", t.rounds,
		      t.verdicts[XDP_DROP], t.verdicts[XDP_PASS], t.verdicts[XDP_TX], t.stalled);
	if (t.rounds < ROUNDS / 10)
		return;
	for (int r = 0; r < XR_REASON_END; r++)
		if (r != XR_R_events_lost && r != XR_R_pass_busy && !is_elsewhere(r) &&
		    !((__u64 *)&t.moved)[r])
			fail_msg("no round counted %s: the generator has a gap", rig_reason(r));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xdp_and_native_agree),
	};

	open_rig(argc, argv);
	return close_rig(cmocka_run_group_tests(tests, NULL, NULL));
}
