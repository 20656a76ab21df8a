// SPDX-License-Identifier: GPL-2.0-only
/*
 * The NIC path as a function of bytes and maps: each frame of the table through the loaded XDP
 * program and through the native rules, over IPv4 and IPv6. Both must do what the table says, and
 * the same to the last byte.
 */
#include <string.h>
#include <sys/socket.h>
#include <linux/bpf.h>
#include "cases.h"
#include "need.h"

/*
 * ---- one case ----
 */
static const char *where = ""; /* for messages: the case at hand */

#define check(condition, ...)                       \
	do {                                        \
		if (!(condition)) {                 \
			print_error("%s: ", where); \
			print_error(__VA_ARGS__);   \
			print_error("\n");          \
			fail();                     \
		}                                   \
	} while (0)

static void prepare(const struct nic_case *c, bool ipv6, struct world *w, struct packet *p)
{
	int err = 0;

	case_prepare(c, ipv6, w, p);
	if (c->socket == NO_SOCKET)
		rig_socket_close(&rig);
	else
		err = rig_socket(&rig, c->socket == OURS);
	check(!err, "no socket: %s", strerror(-err));
}

/* Both runs of one frame from one state; they must agree. */
static void run_both(const struct world *w, const struct packet *p, struct outcome *kernel,
		     struct outcome *native)
{
	__u64 began, ended, now;
	const char *differs;
	int err;

	rig_load(&rig, w);
	err = rig_run_kernel(&rig, p->frame, p->len, kernel, &began, &ended);
	check(!err, "does not run: %s", strerror(-err));
	now = rig_found_now(w, kernel, ended);
	check(rig_between(began, now, ended), "stamped with %llu, not with now", now);
	rig_run_native(&rig, w, p->frame, p->len, now, native);
	differs = rig_compare(kernel, native);
	check(!differs, "XDP and native rules differ: %s (verdicts %d and %d)", differs,
	      kernel->verdict, native->verdict);
}

static void check_counters(const struct nic_case *c, const struct outcome *out)
{
	for (int r = 0; r < XR_REASON_END; r++) {
		__u64 want = 0, got = ((const __u64 *)&out->moved)[r];

		for (int i = 0; i < CASE_MOVED && c->moved[i].count; i++)
			if ((int)c->moved[i].reason == r)
				want = c->moved[i].count;
		check(got == want, "counter %s moved by %llu, not %llu", rig_reason(r), got, want);
	}
}

/* Contact, mark and ack move where the table says so; nothing else in the maps ever moves. */
static void check_maps(const struct nic_case *c, const struct world *before, const struct packet *p,
		       const struct outcome *out)
{
	const __u64 mark = (__u64)(p->d.rec[0].term & 0xffff) << 48 | p->d.h.sent_ns >> 10;
	struct world want = *before;

	for (int i = 0; i < RIG_GROUPS; i++) {
		if (c->stamped >> i & 1) {
			want.groups[i].contact_ns = out->world.groups[i].contact_ns;
			check(want.groups[i].contact_ns > before->groups[i].contact_ns,
			      "group %d: contact not stamped", i);
		}
		if ((c->stamped | c->marked) >> i & 1)
			want.groups[i].replay = mark;
		if (c->acked >> i & 1)
			want.acks[i].echo_ns[p->d.h.source] = p->d.h.echo_ns;
		if (c->noted >> i & 1)
			want.groups[i].entry |= XR_COMMITTED;
		if ((c->acked | c->known) >> i & 1)
			want.acks[i].term[p->d.h.source] = p->d.rec[i].term;
		check(!memcmp(&want.groups[i], &out->world.groups[i], sizeof(want.groups[i])),
		      "group %d is not as it should be", i);
		check(!memcmp(&want.acks[i], &out->world.acks[i], sizeof(want.acks[i])),
		      "acks of group %d are not as they should be", i);
	}
	check(!memcmp(&want.control, &out->world.control, sizeof(want.control)),
	      "the control record moved");
}

/*
 * ---- an answer ----
 */
static void check_headers(const struct packet *p, const struct outcome *out)
{
	const __u8 *a = p->frame, *b = out->frame;
	struct reading was, is;

	frame_read(a, p->len, &was);
	frame_read(b, out->len, &is);
	check(is.what == READ_UDP && is.ipv6 == was.ipv6, "the answer is no UDP");
	check(!memcmp(a, b + 6, 6) && !memcmp(a + 6, b, 6), "MAC addresses are not swapped");
	check(!memcmp(a + 12, b + 12, was.ip_at - 12), "VLAN tags are not kept");
	check(!memcmp(&was.from, &is.to, sizeof(is.to)) &&
		      !memcmp(&was.to, &is.from, sizeof(is.from)),
	      "addresses or ports are not swapped");
	check(is.len == was.len && is.wire_at == was.wire_at, "the length has changed");
	check(!memcmp(a + p->at + was.len, b + p->at + was.len, (size_t)p->padding),
	      "padding has changed");
	if (is.ipv6) {
		check(b[is.ip_at + 7] == 64, "hop limit %u", b[is.ip_at + 7]);
		check(frame_csum_udp6(b, &is) == 0xffff, "the UDP checksum is wrong");
		check(b[is.udp_at + 6] || b[is.udp_at + 7], "IPv6 wants a UDP checksum");
	} else {
		check(b[is.ip_at + 8] == 64, "TTL %u", b[is.ip_at + 8]);
		check(frame_csum(b + is.ip_at, 20, 0) == 0xffff, "the IPv4 checksum is wrong");
		check(!b[is.udp_at + 6] && !b[is.udp_at + 7], "a stale UDP checksum was left");
	}
}

static void check_header(const struct world *w, const struct packet *p, const struct xr_wire *h)
{
	const struct xr_wire *asked = &p->d.h;
	__u32 len = sizeof(*h) + h->count * xr_wire_body_size(h->type);

	check(h->magic == XR_WIRE_MAGIC && h->version == XR_WIRE_VERSION, "not xraft's");
	check(h->type == xr_type_answer(asked->type), "answered by type %u", h->type);
	check(h->source == asked->dest && h->dest == asked->source, "direction is not turned");
	check(h->count == asked->count && h->key_id == asked->key_id, "count or key changed");
	check(h->echo_ns == asked->sent_ns, "echo is not what was sent");
	check(h->lives == asked->lives, "lives have changed");
	check(h->min_timeout_us == w->control.min_timeout_us, "D is not ours");
	check(h->tag == frame_tag(h, len, &w->keys[h->key_id & 1].sip), "the tag is wrong");
}

static void check_records(const struct nic_case *c, const struct world *w, const struct packet *p,
			  const struct xr_record *rec)
{
	for (int i = 0; i < p->d.h.count; i++) {
		struct xr_record want = p->d.rec[i];
		__u16 flags = i < CASE_RECORDS ? c->flags[i] : rec[i].flags;

		want.flags = flags;
		want.entry = i ? 0 : c->entry;
		if (flags & XR_REFUSED)
			want.term = w->groups[want.group].view.term;
		check(rec[i].flags == flags, "record %d has flags %#x, not %#x", i, rec[i].flags,
		      flags);
		check(!memcmp(&want, &rec[i], sizeof(want)), "record %d has changed", i);
	}
}

static void check_answer(const struct nic_case *c, const struct world *w, const struct packet *p,
			 const struct outcome *out)
{
	struct {
		struct xr_wire h;
		union {
			struct xr_record rec[XR_RECORDS];
			struct xr_fact fact[XR_FACT_MAX];
		};
	} d;

	memcpy(&d, out->frame + p->at, out->len - p->at < sizeof(d) ? out->len - p->at : sizeof(d));
	check_headers(p, out);
	check_header(w, p, &d.h);
	if (xr_type_body(d.h.type) == XR_BODY_RECORD)
		check_records(c, w, p, d.rec);
	else
		check(!memcmp(p->d.fact, d.fact, d.h.count * sizeof(d.fact[0])),
		      "a fact has changed");
}

static void run_case(const struct nic_case *c, bool ipv6)
{
	static struct outcome kernel, native;
	static char name[128];
	struct packet p;
	struct world w;

	snprintf(name, sizeof(name), "%s (IPv%d)", c->name, ipv6 ? 6 : 4);
	where = name;
	prepare(c, ipv6, &w, &p);
	run_both(&w, &p, &kernel, &native);
	check(kernel.verdict == c->verdict, "verdict %d, not %d", kernel.verdict, c->verdict);
	check_counters(c, &kernel);
	check_maps(c, &w, &p, &kernel);
	check(kernel.nevents == c->events, "%u events, not %u", kernel.nevents, c->events);
	if (c->verdict == XDP_TX)
		check_answer(c, &w, &p, &kernel);
	if (c->verdict == XDP_PASS)
		check(kernel.len == p.len && !memcmp(kernel.frame, p.frame, p.len),
		      "what goes up must go up unchanged");
}

/*
 * ---- tests ----
 */
static void table(void **state)
{
	(void)state;
	need_rig();
	for (unsigned i = 0; i < nic_ncases; i++) {
		if (nic_cases[i].family != IPV6)
			run_case(&nic_cases[i], false);
		if (nic_cases[i].family != IPV4)
			run_case(&nic_cases[i], true);
	}
	print_message("%u packets\n", nic_ncases);
}

static const struct nic_case plain = {.name = "plain heartbeat"};

/* Every byte of a datagram is covered: change any, and nothing is stamped or answered. */
static void any_flipped_byte_is_dropped(void **state)
{
	static const struct nic_case nothing = {.name = "flipped"};
	static struct outcome kernel, native;
	struct packet p, bad;
	struct world w;

	(void)state;
	need_rig();
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		prepare(&plain, ipv6, &w, &p);
		for (__u32 at = p.at; at < p.len; at++) {
			for (int bit = 0; bit <= 8; bit++) {
				where = "flipped byte";
				bad = p;
				bad.frame[at] ^= bit < 8 ? 1 << bit : 0xff;
				run_both(&w, &bad, &kernel, &native);
				check(kernel.verdict == XDP_DROP, "byte %u, bit %d: verdict %d",
				      at - p.at, bit, kernel.verdict);
				check_maps(&nothing, &w, &p, &kernel);
			}
		}
	}
}

/* A frame that ends too early is the kernel's or is dropped; it is never answered or acted on. */
static void truncated_at_every_length(void **state)
{
	static const struct nic_case nothing = {.name = "truncated", .records = 2};
	static struct outcome kernel, native;
	struct packet p, bad;
	struct world w;

	(void)state;
	need_rig();
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		prepare(&nothing, ipv6, &w, &p);
		for (__u32 len = 14; len < p.len; len++) {
			where = "truncated";
			bad = p;
			bad.len = len;
			run_both(&w, &bad, &kernel, &native);
			check(kernel.verdict == (len < p.at ? XDP_PASS : XDP_DROP),
			      "at %u of %u: verdict %d", len, p.len, kernel.verdict);
			check(len < p.at ? kernel.moved.pass_not_ours : kernel.moved.drop_short,
			      "at %u of %u: counted elsewhere", len, p.len);
			check_maps(&nothing, &w, &p, &kernel);
		}
	}
}

/* The frame that came out, as the next one's frame in. */
static void forward(struct packet *p, const struct outcome *out)
{
	memcpy(p->frame, out->frame, out->len);
	p->len = out->len;
}

/* The same node, seen from the other side: which node it is, and whose peers these are. */
static void become(struct world *w, __u8 self, bool leads)
{
	bool ipv6 = w->peers[1].ip[0] == 0xfd;

	world_default(w, ipv6);
	if (leads)
		world_lead(w);
	w->control.self = self;
	xr_each_node(node)
		w->peers[node].lives = RIG_LIVES(node, self);
	for (int i = 0; i < RIG_GROUPS; i++)
		w->groups[i].view.leader = 2;
}

/* Rule 9: poll, heartbeat, ack, nothing. Each step's own output is the next one's input. */
static void chain_of_answers_ends(void **state)
{
	static const struct nic_case poll = {
		.name = "chain",
		.set = {{SET_PACKET, offsetof(struct packet, d.h.type), 1, false, XR_POLL},
			{SET_PACKET, offsetof(struct packet, d.h.source), 1, false, 1},
			{SET_PACKET, offsetof(struct packet, d.h.dest), 1, false, 2},
			{SET_PACKET, offsetof(struct packet, from), 1, false, 1},
			{SET_PACKET, offsetof(struct packet, to), 1, false, 2}}};
	static struct outcome kernel, native;
	struct packet p;
	struct world w;

	(void)state;
	need_rig();
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		prepare(&poll, ipv6, &w, &p);
		where = "chain: poll at the leader";
		become(&w, 2, true);
		w.acks[0].echo_ns[1] = w.now - NS_PER_S;
		run_both(&w, &p, &kernel, &native);
		check(kernel.verdict == XDP_TX && kernel.moved.poll_answered == 1, "no heartbeat");
		forward(&p, &kernel);
		where = "chain: heartbeat at the follower";
		become(&w, 1, false);
		run_both(&w, &p, &kernel, &native);
		check(kernel.verdict == XDP_TX && kernel.moved.heartbeat_answered == 1, "no ack");
		forward(&p, &kernel);
		where = "chain: ack at the leader";
		become(&w, 2, true);
		run_both(&w, &p, &kernel, &native);
		check(kernel.verdict == XDP_DROP && kernel.moved.ack_stamped == 1, "not the end");
		check(kernel.world.acks[0].echo_ns[1] > w.now - NS_PER_S, "no ack was stamped");
	}
}

/* One datagram counts once, whoever sends it again. */
static void same_datagram_twice(void **state)
{
	static struct outcome kernel, native;
	struct packet p;
	struct world w;

	(void)state;
	need_rig();
	prepare(&plain, false, &w, &p);
	where = "first";
	run_both(&w, &p, &kernel, &native);
	check(kernel.verdict == XDP_TX, "verdict %d", kernel.verdict);
	w = kernel.world;
	where = "again";
	run_both(&w, &p, &kernel, &native);
	check(kernel.verdict == XDP_DROP && kernel.moved.drop_replay == 1, "verdict %d",
	      kernel.verdict);
	check(kernel.world.groups[0].contact_ns == w.groups[0].contact_ns, "a replay was stamped");
}

/* A full ring loses events, never answers; that it lost some is counted. */
static void full_ring_is_counted(void **state)
{
	static const struct nic_case many = {.name = "ring", .records = XR_RECORDS};
	static struct outcome out;
	__u64 began, ended, pending = 0, lost = 0;
	struct packet p;
	struct world w;

	(void)state;
	need_rig();
	where = "full ring";
	prepare(&many, false, &w, &p);
	for (int i = 1; i < RIG_GROUPS; i++)
		w.groups[i].view.mode = XR_NONE;
	rig.deaf = true;
	for (int i = 0; i < 8 && !lost; i++) {
		rig_load(&rig, &w);
		check(!rig_run_kernel(&rig, p.frame, p.len, &out, &began, &ended), "no run");
		check(out.verdict == XDP_TX && out.moved.heartbeat_answered == 1, "no answer");
		pending += out.moved.heartbeat_pending;
		lost += out.moved.events_lost;
	}
	rig.deaf = false;
	rig_load(&rig, &w);
	check(!rig_run_kernel(&rig, p.frame, p.len, &out, &began, &ended), "no run");
	check(lost > 0, "none of %llu events was lost in a ring that holds fewer", pending);
	check(out.nevents >= RIG_EVENTS, "%u events were kept", out.nevents);
}

/* As where a run is preempted: what it has noted stays as it is, and this datagram goes up. */
static void preempting_run_passes_up(void **state)
{
	struct desk {
		struct xr_run run;
		__u32 taken;
	} * desks;
	size_t each = (sizeof(*desks) + 7) / 8 * 8;
	int map = bpf_object__find_map_fd_by_name(rig.object, "xr_run");
	static struct outcome out;
	__u64 began, ended;
	struct packet p;
	struct world w;
	__u32 zero = 0;

	(void)state;
	need_rig();
	prepare(&nic_cases[0], false, &w, &p);
	rig_load(&rig, &w);
	desks = calloc((size_t)rig.cpus, each);
	for (int i = 0; i < rig.cpus; i++)
		((struct desk *)((char *)desks + (size_t)i * each))->taken = 1;
	check(!bpf_map_update_elem(map, &zero, desks, BPF_ANY), "the desk cannot be taken");
	check(!rig_run_kernel(&rig, p.frame, p.len, &out, &began, &ended), "no run");
	check(out.verdict == XDP_PASS && out.moved.pass_busy == 1, "it went on beside another run");
	check(!memcmp(out.world.groups, w.groups, sizeof(w.groups)), "it has stamped");
	memset(desks, 0, (size_t)rig.cpus * each);
	check(!bpf_map_update_elem(map, &zero, desks, BPF_ANY), "the desk cannot be left");
	check(!rig_run_kernel(&rig, p.frame, p.len, &out, &began, &ended), "no run");
	check(out.verdict == XDP_TX, "it is not answered once the other run has ended");
	check(!rig_run_kernel(&rig, p.frame, p.len, &out, &began, &ended), "no run");
	check(!out.moved.pass_busy, "a run does not leave its desk");
	free(desks);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(any_flipped_byte_is_dropped),
		cmocka_unit_test(truncated_at_every_length),
		cmocka_unit_test(chain_of_answers_ends),
		cmocka_unit_test(same_datagram_twice),
		cmocka_unit_test(full_ring_is_counted),
		cmocka_unit_test(preempting_run_passes_up),
	};

	open_rig(argc, argv);
	return close_rig(cmocka_run_group_tests(tests, NULL, NULL));
}
