// SPDX-License-Identifier: GPL-2.0-only
/*
 * The wire against its golden vectors: what the structs make is what the file holds, what the file
 * holds means what the structs say, and the rules turn the golden questions into the golden
 * answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <sodium.h>
#include "common/common.h"
#include "net/env.h"

#define GOLDEN_MAX  64
#define HEADER_SIZE sizeof(struct xr_wire)

/* Layout is a contract: a field that moves breaks every other node. */
_Static_assert(offsetof(struct xr_wire, version) == 4, "wire layout");
_Static_assert(offsetof(struct xr_wire, type) == 5, "wire layout");
_Static_assert(offsetof(struct xr_wire, source) == 6, "wire layout");
_Static_assert(offsetof(struct xr_wire, dest) == 7, "wire layout");
_Static_assert(offsetof(struct xr_wire, count) == 8, "wire layout");
_Static_assert(offsetof(struct xr_wire, key_id) == 10, "wire layout");
_Static_assert(offsetof(struct xr_wire, min_timeout_us) == 12, "wire layout");
_Static_assert(offsetof(struct xr_wire, sent_ns) == 16, "wire layout");
_Static_assert(offsetof(struct xr_wire, echo_ns) == 24, "wire layout");
_Static_assert(offsetof(struct xr_wire, lives) == 32, "wire layout");
_Static_assert(offsetof(struct xr_wire, tag) == 40, "wire layout");
_Static_assert(sizeof(struct xr_wire) == 48, "wire layout");
_Static_assert(offsetof(struct xr_fact, of) == 4, "wire layout");
_Static_assert(offsetof(struct xr_fact, value) == 8, "wire layout");
_Static_assert(sizeof(struct xr_fact) == 16, "wire layout");
_Static_assert(offsetof(struct xr_record, term) == 4, "wire layout");
_Static_assert(offsetof(struct xr_record, digest) == 8, "wire layout");
_Static_assert(offsetof(struct xr_record, flags) == 10, "wire layout");
_Static_assert(offsetof(struct xr_record, entry) == 12, "wire layout");
_Static_assert(sizeof(struct xr_record) == 16, "wire layout");
_Static_assert(offsetof(struct xr_ballot, digest) == 8, "wire layout");
_Static_assert(offsetof(struct xr_ballot, flags) == 10, "wire layout");
_Static_assert(offsetof(struct xr_ballot, round) == 12, "wire layout");
_Static_assert(offsetof(struct xr_ballot, entry) == 16, "wire layout");
_Static_assert(offsetof(struct xr_ballot, birth) == 24, "wire layout");
_Static_assert(offsetof(struct xr_ballot, lift_term) == 28, "wire layout");
_Static_assert(offsetof(struct xr_ballot, lift_leader) == 32, "wire layout");
_Static_assert(offsetof(struct xr_ballot, node) == 33, "wire layout");
_Static_assert(sizeof(struct xr_ballot) == 40, "wire layout");
_Static_assert(offsetof(struct xr_append, entry) == 16, "wire layout");
_Static_assert(offsetof(struct xr_entry, voters) == 8, "wire layout");
_Static_assert(offsetof(struct xr_entry, learners) == 10, "wire layout");
_Static_assert(offsetof(struct xr_entry, size) == 12, "wire layout");
_Static_assert(offsetof(struct xr_entry, birth) == 16, "wire layout");
_Static_assert(offsetof(struct xr_entry, value) == 56, "wire layout");

/* A datagram: room for one header and some bodies, aligned as the daemon's buffers are. */
struct datagram {
	struct xr_wire h;
	union {
		struct xr_record rec[3];
		struct xr_ballot bal[3];
		struct xr_fact fact[16];
		struct xr_append append;
	};
};

struct golden {
	char name[32];
	uint8_t bytes[sizeof(struct datagram)] __attribute__((aligned(8)));
	uint32_t len;
	bool used;
};

static struct golden golden[GOLDEN_MAX];
static int ngolden;
static struct xr_key keys[2];
static const char *golden_path;

/*
 * ---- reading the file ----
 */

/* Pairs of hexadecimal digits, one space between them; two spaces, or the line's end, end them. */
static uint32_t parse_bytes(const char *text, uint8_t *out, uint32_t room)
{
	uint32_t n = 0;
	unsigned byte;

	while (n < room && sscanf(text, "%2x", &byte) == 1) {
		out[n++] = (uint8_t)byte;
		text += 2;
		if (text[0] != ' ' || text[1] == ' ' || text[1] == '\0')
			break;
		text++;
	}
	return n;
}

static void parse_key(const char *line)
{
	unsigned id;
	int at;

	assert_int_equal(sscanf(line, "key %u %n", &id, &at), 1);
	assert_true(id < 256 && !keys[id & 1].used);
	keys[id & 1].id = (__u8)id;
	keys[id & 1].used = 1;
	assert_int_equal(parse_bytes(line + at, (uint8_t *)&keys[id & 1].sip, 16), 16);
}

static void parse_line(const char *line, struct golden **now)
{
	unsigned offset;
	int at = 0;

	if (line[0] == '#' || line[0] == '\n')
		return;
	if (!strncmp(line, "key ", 4)) {
		parse_key(line);
	} else if (!strncmp(line, "datagram ", 9)) {
		assert_true(!*now && ngolden < GOLDEN_MAX);
		*now = &golden[ngolden++];
		assert_int_equal(sscanf(line, "datagram %31s", (*now)->name), 1);
	} else if (!strncmp(line, "end", 3)) {
		assert_non_null(*now);
		*now = NULL;
	} else {
		assert_non_null(*now);
		assert_int_equal(sscanf(line, "%u: %n", &offset, &at), 1);
		if (offset != (*now)->len)
			fail_msg("%s: offset %u should be %u", (*now)->name, offset, (*now)->len);
		(*now)->len += parse_bytes(line + at, (*now)->bytes + offset,
					   sizeof((*now)->bytes) - offset);
	}
}

static int read_golden(void **state)
{
	_cleanup_file_ FILE *f = fopen(golden_path, "re");
	struct golden *now = NULL;
	char line[256];

	(void)state;
	if (!f)
		fail_msg("%s: %s (set XR_GOLDEN)", golden_path, strerror(errno));
	while (fgets(line, sizeof(line), f))
		parse_line(line, &now);
	assert_null(now);
	assert_true(ngolden > 0 && keys[0].used && keys[1].used);
	return 0;
}

static struct golden *find(const char *name)
{
	for (int i = 0; i < ngolden; i++)
		if (!strcmp(golden[i].name, name))
			return &golden[i];
	fail_msg("no datagram %s in %s", name, golden_path);
	return NULL;
}

/*
 * ---- the same datagrams by the structs ----
 */
#define S  5000000123456ull /* clock of node 2 */
#define R  9000000654321ull /* clock of node 1 */
#define MS 1000000ull

#define LIFE_1	   0x8f3a5c7e19d2b461ull
#define LIFE_2	   0x27c90b46e5a8d31full
#define LIFE_3	   0xb05e72f18c4a6d93ull
#define LIFE(node) ((node) == 1 ? LIFE_1 : (node) == 2 ? LIFE_2 : LIFE_3)
#define NONCE	   0x0123456789abcdefull

#define SEALED(key, t, from, to, n, sent, echo) \
	.h = {.magic = XR_WIRE_MAGIC,           \
	      .version = XR_WIRE_VERSION,       \
	      .type = (t),                      \
	      .source = (from),                 \
	      .dest = (to),                     \
	      .count = (n),                     \
	      .key_id = (key),                  \
	      .min_timeout_us = 150000,         \
	      .sent_ns = (sent),                \
	      .echo_ns = (echo),                \
	      .lives = (t) == XR_ASK || (t) == XR_TELL ? LIFE(from) : LIFE(from) ^ LIFE(to)}
#define HEADER(...) SEALED(5, __VA_ARGS__)
#define FACT(name, ...)                             \
	{                                           \
		.what = XR_FACT_##name, __VA_ARGS__ \
	}
#define SELF(xdp_and_path)                                                                        \
	FACT(min_timeout_us, .value = 150000), FACT(max_timeout_us, .value = 300000),             \
		FACT(heartbeat_us, .value = 50000), FACT(stall_limit_us, .value = 1000000),       \
		FACT(drift_permille, .value = 100), FACT(groups, .value = 0x2452b7b700e280d5ull), \
		FACT(keys, .value = 5ull << 32 | 1 << 5 | 1 << 6),                                \
		FACT(xdp, .value = (xdp_and_path)), FACT(birth)
#define ENTRY	       (7ull << 32 | 12) /* of group 0 */
#define GROUP(g, t, d) .group = (g), .term = (t), .digest = (d)

static const struct {
	const char *name;
	struct datagram d;
} built[] = {
	{"heartbeat-1", {HEADER(XR_HEARTBEAT, 2, 1, 1, S, 0), .rec = {{GROUP(0, 7, 0xbeef)}}}},
	{"ack-1",
	 {HEADER(XR_ACK, 1, 2, 1, R, S), .rec = {{GROUP(0, 7, 0xbeef), .flags = XR_ACKED}}}},
	{"append",
	 {HEADER(XR_APPEND, 2, 1, 11, S + 5 * MS, 0),
	  .append = {{GROUP(0, 7, 0xbeef)},
		     {.id = ENTRY, .voters = 0xe, .size = 13, .value = "10.0.0.2:5432"}}}},
	{"append-acked",
	 {HEADER(XR_ACK, 1, 2, 1, R + 5 * MS, S + 5 * MS),
	  .rec = {{GROUP(0, 7, 0xbeef), .flags = XR_ACKED, .entry = 12}}}},
	{"heartbeat-3",
	 {HEADER(XR_HEARTBEAT, 2, 1, 3, S + 25 * MS, 0),
	  .rec = {{GROUP(0, 7, 0xbeef), .entry = 12 | XR_COMMITTED},
		  {GROUP(7, 3, 0x1234)},
		  {GROUP(100000, 8, 0xcafe)}}}},
	{"ack-3",
	 {HEADER(XR_ACK, 1, 2, 3, R + 25 * MS, S + 25 * MS),
	  .rec = {{GROUP(0, 7, 0xbeef), .flags = XR_ACKED, .entry = 12 | XR_COMMITTED},
		  {GROUP(7, 9, 0x1234), .flags = XR_REFUSED},
		  {GROUP(100000, 8, 0xcafe), .flags = XR_PENDING}}}},
	{"poll",
	 {HEADER(XR_POLL, 1, 2, 2, R + 50 * MS, 0),
	  .rec = {{GROUP(0, 7, 0xbeef)}, {GROUP(7, 9, 0x1234)}}}},
	{"poll-answer",
	 {HEADER(XR_HEARTBEAT, 2, 1, 2, S + 50 * MS, R + 50 * MS),
	  .rec = {{GROUP(0, 7, 0xbeef)}, {GROUP(7, 9, 0x1234), .flags = XR_PENDING}}}},
	{"prevote",
	 {HEADER(XR_PREVOTE, 3, 1, 1, 700 * MS, 0),
	  .bal = {{GROUP(0, 8, 0xbeef), .round = 17, .entry = ENTRY}}}},
	{"prevote-granted",
	 {HEADER(XR_PREVOTE_ANSWER, 1, 3, 1, R + 60 * MS, 700 * MS),
	  .bal = {{GROUP(0, 8, 0xbeef), .flags = XR_GRANTED, .round = 17}}}},
	{"prevote-refused",
	 {HEADER(XR_PREVOTE_ANSWER, 1, 3, 1, R + 60 * MS, 700 * MS),
	  .bal = {{GROUP(0, 9, 0xbeef), .round = 17}}}},
	{"vote",
	 {HEADER(XR_VOTE, 3, 1, 1, 800 * MS, 0),
	  .bal = {{GROUP(0, 8, 0xbeef), .round = 18, .entry = ENTRY, .lift_term = 7,
		   .lift_leader = 2}}}},
	{"vote-answer",
	 {HEADER(XR_VOTE_ANSWER, 1, 3, 1, R + 70 * MS, 800 * MS),
	  .bal = {{GROUP(0, 8, 0xbeef), .flags = XR_GRANTED, .round = 18}}}},
	{"resignation",
	 {SEALED(6, XR_RESIGN, 2, 3, 1, S + 60 * MS, 0),
	  .bal = {{GROUP(0, 7, 0xbeef), .node = 3}}}},
	{"ask",
	 {HEADER(XR_ASK, 1, 2, 12, R, 0),
	  .fact = {FACT(nonce, .value = NONCE), FACT(from), FACT(path), SELF(1)}}},
	{"tell",
	 {HEADER(XR_TELL, 2, 1, 15, S + 50000, 0),
	  .fact = {FACT(nonce, .value = NONCE), SELF(0x101), FACT(term, .value = 7),
		   FACT(vote, .value = 7), FACT(entry, .value = ENTRY),
		   FACT(term, .of = 7, .value = 9), FACT(more, .value = 100000)}}},
	{"path-test", {HEADER(XR_PATH_TEST, 2, 1, 1, S, 0), .fact = {FACT(nonce, .value = NONCE)}}},
	{"path-echo",
	 {HEADER(XR_PATH_ECHO, 1, 2, 1, R + 2000, S), .fact = {FACT(nonce, .value = NONCE)}}},
	{"path-delivered",
	 {HEADER(XR_PATH_DELIVERED, 2, 1, 1, S + 90000, 0), .fact = {FACT(nonce, .value = NONCE)}}},
	{"hand-on",
	 {HEADER(XR_HAND_ON, 1, 3, 11, R + 80 * MS, 0),
	  .append = {{GROUP(0, 7, 0xbeef)},
		     {.id = ENTRY + 1, .voters = 0x6, .size = 13, .value = "10.0.0.2:5432"}}}},
	{"append-learner",
	 {HEADER(XR_APPEND, 2, 3, 11, S + 90 * MS, 0), .append = {{GROUP(0, 7, 0xbeef)},
								  {.id = ENTRY + 2,
								   .voters = 0x6,
								   .learners = 0x8,
								   .birth = {[3] = 0x5eed0b17},
								   .size = 13,
								   .value = "10.0.0.2:5432"}}}},
	{"lacking",
	 {HEADER(XR_ACK, 3, 2, 1, 950 * MS, S + 100 * MS),
	  .rec = {{GROUP(0, 7, 0xbeef), .flags = XR_LACKING}}}},
};

static uint32_t datagram_len(const struct xr_wire *h)
{
	return (uint32_t)HEADER_SIZE + h->count * xr_wire_body_size(h->type);
}

static const struct xr_sip_key *key_of(const struct xr_wire *h)
{
	assert_int_equal(keys[h->key_id & 1].id, h->key_id);
	return &keys[h->key_id & 1].sip;
}

/* The tag as the file's comment describes it, by a stock SipHash. */
static uint64_t stock_tag(const uint8_t *bytes, uint32_t len, const struct xr_sip_key *key)
{
	uint8_t input[XR_DATAGRAM_MAX];
	uint64_t tag;

	memcpy(input, bytes, 40);
	memcpy(input + 40, bytes + 48, len - 48);
	crypto_shorthash((uint8_t *)&tag, input, len - 8, (const uint8_t *)key);
	return tag;
}

static void compare(const char *name, const void *got, const struct golden *want, uint32_t len)
{
	const uint8_t *bytes = got;

	if (len != want->len)
		fail_msg("%s: %u bytes, golden %u", name, len, want->len);
	for (uint32_t i = 0; i < len; i++)
		if (bytes[i] != want->bytes[i])
			fail_msg("%s: byte %u is %02x, golden %02x", name, i, bytes[i],
				 want->bytes[i]);
}

/*
 * ---- tests ----
 */
static void built_is_golden(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(built); i++) {
		struct golden *want = find(built[i].name);
		struct datagram d = built[i].d;
		uint32_t len = datagram_len(&d.h);

		d.h.tag = xr_tag(&d.h, (char *)&d + len, len, key_of(&d.h));
		compare(built[i].name, &d, want, len);
		want->used = true;
	}
}

/* The other way: what the file says is authentic, and nothing in it is left untested. */
static void golden_is_built(void **state)
{
	unsigned types = 0;

	(void)state;
	for (int i = 0; i < ngolden; i++) {
		const struct golden *g = &golden[i];
		const struct xr_wire *h = (const void *)g->bytes;

		if (!g->used)
			fail_msg("%s is in the file, but nobody builds it", g->name);
		assert_int_equal(g->len, datagram_len(h));
		if (xr_type_body(h->type) == XR_BODY_WORD) /* as long as its value */
			assert_int_equal(g->len,
					 HEADER_SIZE + sizeof(struct xr_record) +
						 xr_entry_size((const void *)(g->bytes + 64)));
		assert_int_equal(h->tag, stock_tag(g->bytes, g->len, key_of(h)));
		assert_int_equal(h->tag, xr_tag(h, g->bytes + g->len, g->len, key_of(h)));
		types |= 1u << h->type;
	}
	for (int type = 1; type < XR_TYPE_END; type++)
		if (!(types & 1u << type))
			fail_msg("no golden datagram of type %d", type);
}

/* A node of the story, for the rules to run on. */
struct node {
	struct xr_group groups[8];
	struct xr_acks acks[8];
	struct xr_control control;
	struct xr_peer peers[XR_NODE_MAX + 1];
	struct xr_stats stats;
	struct xr_env env;
};

static void node_start(struct node *n, __u8 self, __u8 leader, __u64 now)
{
	enum xr_mode mode = leader == self ? XR_LEAD : XR_FOLLOW;

	memset(n, 0, sizeof(*n));
	n->control = (struct xr_control){.self = self,
					 .answer = 1,
					 .min_timeout_us = 150000,
					 .quorum_lapse_us = 150000,
					 .alive_until_ns = now + MS};
	for (int id = 1; id <= 3; id++)
		n->peers[id] = (struct xr_peer){.ip = {[15] = (__u8)id},
						.port = XR_PORT,
						.used = 1,
						.lives = LIFE(self) ^ LIFE(id)};
	n->groups[0] = (struct xr_group){.view = {7, 0, leader, mode},
					 .members = 0xe,
					 .digest = 0xbeef,
					 .lead_since_ns = now - MS};
	n->groups[7] = (struct xr_group){
		.view = {9, 0, 3, XR_FOLLOW}, .members = 0xe, .digest = 0x1234};
	n->env = (struct xr_env){.groups = n->groups,
				 .acks = n->acks,
				 .ngroups = 8,
				 .control = &n->control,
				 .peers = n->peers,
				 .keys = keys,
				 .stats = &n->stats};
}

static enum xr_verdict node_receive(struct node *n, const struct golden *in, struct datagram *d,
				    __u64 now)
{
	const struct xr_wire *h = (const void *)in->bytes;
	struct xr_from from = {.port = XR_PORT};

	memcpy(d, in->bytes, sizeof(in->bytes));
	memcpy(from.ip, n->peers[h->source].ip, sizeof(from.ip));
	return xr_rules_run(&n->env, &d->h, (char *)d + in->len, in->len, &from, now);
}

/* Group 100000 of the story, as one more group of the small node that stands for the large one. */
static void node_add_elected(struct node *n)
{
	n->groups[5] = (struct xr_group){
		.view = {7, 0, 0, XR_NONE}, .members = 0xe, .digest = 0xcafe};
}

static void rules_turn_question_into_answer(void **state)
{
	static const struct {
		const char *in, *out;
		__u8 self;
		__u64 now;
	} pairs[] = {
		{"heartbeat-1", "ack-1", 1, R},
		{"poll", "poll-answer", 2, S + 50 * MS},
		{"path-test", "path-echo", 1, R + 2000},
	};
	struct datagram d;
	struct node n;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		node_start(&n, pairs[i].self, 2, pairs[i].now);
		assert_int_equal(node_receive(&n, find(pairs[i].in), &d, pairs[i].now), XR_TX);
		compare(pairs[i].out, &d, find(pairs[i].out), datagram_len(&d.h));
	}
}

/*
 * heartbeat-3 names group 100000, which would need a large table: the same question and answer
 * with that group as number 5, and the tags made anew on both sides.
 */
static void rules_turn_mixed_heartbeat_into_ack(void **state)
{
	struct golden in = *find("heartbeat-3"), out = *find("ack-3");
	struct golden *both[] = {&in, &out};
	struct datagram d;
	struct node n;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct datagram *g = (void *)both[i]->bytes;

		g->rec[2].group = 5;
		g->h.tag = stock_tag(both[i]->bytes, both[i]->len, key_of(&g->h));
	}
	node_start(&n, 1, 2, R + 25 * MS);
	node_add_elected(&n);
	n.groups[0].entry = 12;
	assert_int_equal(node_receive(&n, &in, &d, R + 25 * MS), XR_TX);
	compare("ack-3", &d, &out, out.len);
	assert_int_equal(n.env.npending, 2);
	assert_int_equal(n.env.pending[0].record.group, 0); /* committed: that is news */
	assert_int_equal(n.env.pending[1].record.group, 5);
}

/*
 * Rules 24 and 25: an ack names the entry that this node has, and no other; what the leader says of it is
 * noted of exactly that, and told once.
 */
static void rules_name_the_entry(void **state)
{
	static const struct {
		__u32 has, said, acked;
		int news;
	} named[] = {
		{0, 0, 0, 0},
		{0, 12, 0, 0},
		{0, XR_COMMITTED | 12, 0, 0},
		{0, XR_COMMITTED, 0, 0},
		{11, XR_COMMITTED | 12, 11, 0},
		{13, XR_COMMITTED | 12, 13, 0},
		{12, 12, 12, 0},
		{12, 0, 12, 0},
		{12, XR_COMMITTED | 12, XR_COMMITTED | 12, 1},
		{XR_COMMITTED | 12, XR_COMMITTED | 12, XR_COMMITTED | 12, 0},
		{XR_COMMITTED | 12, 12, XR_COMMITTED | 12, 0},
		{XR_COMMITTED | 12, 13, XR_COMMITTED | 12, 0},
		{XR_COMMITTED | 12, XR_COMMITTED | 13, XR_COMMITTED | 12, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(named); i++) {
		struct golden in = *find("heartbeat-1");
		struct datagram d, *asked = (void *)in.bytes;
		struct node n;

		asked->rec[0].entry = named[i].said;
		asked->h.tag = stock_tag(in.bytes, in.len, key_of(&asked->h));
		node_start(&n, 1, 2, R);
		n.groups[0].entry = named[i].has;
		assert_int_equal(node_receive(&n, &in, &d, R), XR_TX);
		assert_int_equal(d.rec[0].entry, named[i].acked);
		assert_int_equal(d.rec[0].flags, XR_ACKED);
		assert_int_equal(n.groups[0].entry, named[i].acked);
		assert_int_equal(n.env.npending, named[i].news);
	}
}

/* What refuses, or leaves it to the daemon, and a heartbeat that answers a poll name none. */
static void rules_name_none(void **state)
{
	struct golden in = *find("heartbeat-3");
	struct datagram d, *asked = (void *)in.bytes;
	struct node n;

	(void)state;
	for (int i = 0; i < 3; i++)
		asked->rec[i].entry = XR_COMMITTED | 12;
	asked->rec[2].group = 5;
	asked->h.tag = stock_tag(in.bytes, in.len, key_of(&asked->h));
	node_start(&n, 1, 2, R + 25 * MS);
	node_add_elected(&n);
	n.groups[7].entry = n.groups[5].entry = 12;
	assert_int_equal(node_receive(&n, &in, &d, R + 25 * MS), XR_TX);
	for (int i = 0; i < 3; i++)
		assert_int_equal(d.rec[i].entry, 0);
	assert_int_equal(n.groups[7].entry, 12);
	assert_int_equal(n.groups[5].entry, 12);
	node_start(&n, 2, 2, S + 50 * MS);
	n.groups[0].entry = XR_COMMITTED | 12;
	assert_int_equal(node_receive(&n, find("poll"), &d, S + 50 * MS), XR_TX);
	compare("poll-answer", &d, find("poll-answer"), datagram_len(&d.h));
}

/* Datagrams that only the daemon decides about reach it unchanged; nothing answers an answer. */
static void rules_pass_the_rest(void **state)
{
	static const char *const names[] = {"prevote",
					    "vote",
					    "prevote-granted",
					    "prevote-refused",
					    "vote-answer",
					    "resignation",
					    "ask",
					    "tell",
					    "path-echo",
					    "path-delivered",
					    "append",
					    "append-learner",
					    "hand-on"};
	struct datagram d;
	struct node n;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct golden *g = find(names[i]);

		node_start(&n, ((struct xr_wire *)g->bytes)->dest, 9, R);
		assert_int_equal(node_receive(&n, g, &d, R), XR_PASS);
		compare(names[i], &d, g, g->len);
		assert_int_equal(n.stats.pass_vote + n.stats.pass_fact + n.stats.pass_append, 1);
	}
	node_start(&n, 2, 2, S + 30 * MS);
	n.groups[0].lead_since_ns = S;
	assert_int_equal(node_receive(&n, find("ack-1"), &d, S + 30 * MS), XR_DROP);
	assert_int_equal(n.acks[0].echo_ns[1], S);
	/* An ack of an entry that is not committed yet is stamped, and goes up besides (rule 25). */
	node_start(&n, 2, 2, S + 30 * MS);
	n.groups[0].lead_since_ns = S;
	n.groups[0].entry = 12;
	assert_int_equal(node_receive(&n, find("append-acked"), &d, S + 30 * MS), XR_PASS);
	compare("append-acked", &d, find("append-acked"), datagram_len(&d.h));
	assert_int_equal(n.acks[0].echo_ns[1], S + 5 * MS);
	assert_int_equal(n.stats.pass_entry, 1);
	/* Who lacks it promises nothing: it goes up, and nothing is stamped (rule 27). */
	node_start(&n, 2, 2, S + 110 * MS);
	n.groups[0].lead_since_ns = S;
	n.groups[0].entry = XR_COMMITTED | 14;
	assert_int_equal(node_receive(&n, find("lacking"), &d, S + 110 * MS), XR_PASS);
	compare("lacking", &d, find("lacking"), datagram_len(&d.h));
	assert_int_equal(n.acks[0].echo_ns[3], 0);
	assert_int_equal(n.stats.pass_entry, 1);
}

/* What either node said, or heard, in another life is of no consequence; but who it is, it may say. */
static void rules_drop_another_life(void **state)
{
	struct datagram d;
	struct node n;

	(void)state;
	for (int i = 0; i < ngolden; i++) {
		struct golden *g = &golden[i];
		const struct xr_wire *h = (const void *)g->bytes;

		node_start(&n, h->dest, h->dest, R);
		n.peers[h->source].lives ^= 1;
		if (xr_type_introduces(h->type)) {
			assert_int_equal(node_receive(&n, g, &d, R), XR_PASS);
			assert_int_equal(n.stats.pass_fact, 1);
		} else {
			assert_int_equal(node_receive(&n, g, &d, R), XR_DROP);
			assert_int_equal(n.stats.drop_life, 1);
		}
		compare(g->name, &d, g, g->len);
	}
}

static void limits(void **state)
{
	(void)state;
	assert_int_equal(XR_RECORD_MAX, 87);
	assert_int_equal(XR_BALLOT_MAX, 34);
	assert_int_equal(XR_FACT_MAX, 87);
	assert_int_equal(XR_DATAGRAM_MAX, 1440);
	assert_true(XR_DATAGRAM_MAX <= 1500 - 40 - 8); /* in one packet, over IPv6, too */
	assert_int_equal(HEADER_SIZE + 87 * sizeof(struct xr_record), XR_DATAGRAM_MAX);
	for (int type = 0; type < 256; type++) {
		int answer = xr_type_answer((__u8)type);

		if (!type || type >= XR_TYPE_END)
			assert_int_equal(xr_wire_body_size((__u8)type) + (__u32)answer, 0);
		else
			assert_int_not_equal(xr_wire_body_size((__u8)type), 0);
		if (xr_type_place((__u8)type) == XR_AT_NIC &&
		    answer) /* the size of what it answers */
			assert_int_equal(xr_wire_body_size((__u8)answer),
					 xr_wire_body_size((__u8)type));
		for (int steps = 0; answer; answer = xr_type_answer((__u8)answer))
			assert_true(++steps <= 3); /* rule 9: every chain ends */
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits),
		cmocka_unit_test(built_is_golden),
		cmocka_unit_test(golden_is_built),
		cmocka_unit_test(rules_turn_question_into_answer),
		cmocka_unit_test(rules_turn_mixed_heartbeat_into_ack),
		cmocka_unit_test(rules_name_the_entry),
		cmocka_unit_test(rules_name_none),
		cmocka_unit_test(rules_pass_the_rest),
		cmocka_unit_test(rules_drop_another_life),
	};

	golden_path = argc > 1 ? argv[1] : getenv("XR_GOLDEN");
	if (!golden_path)
		golden_path = "tests/golden/datagrams.txt";
	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, read_golden, NULL);
}
