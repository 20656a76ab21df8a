// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fenced virtual addresses: each frame of the table through the loaded programs, while this node
 * holds the lease of the address's group and while it does not. The clock alone ends a lease.
 */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <string.h>
#include <sys/mman.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <pthread.h>
#include <stdatomic.h>
#include "common/common.h"
#include "xraft/maps.h"

#define GROUP 3
#define SELF  1

static struct {
	struct bpf_object *object;
	int xdp, in, out, stats, cpus;
	struct xr_group *groups;
	struct xr_acks *acks;
	struct xr_control *control;
} rig;

/*
 * ---- the programs ----
 */
static void *memory(const char *name, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
		       bpf_object__find_map_fd_by_name(rig.object, name), 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

static int program(const char *name)
{
	return bpf_program__fd(bpf_object__find_program_by_name(rig.object, name));
}

static void add_address(const char *text)
{
	int fd = bpf_object__find_map_fd_by_name(rig.object, "xr_addresses");
	struct xr_address value = {.group = GROUP};
	struct xr_ip key = {.ip = {[10] = 0xff, 0xff}};

	if (inet_pton(AF_INET, text, key.ip + 12) != 1)
		assert_int_equal(inet_pton(AF_INET6, text, key.ip), 1);
	assert_int_equal(bpf_map_update_elem(fd, &key, &value, BPF_ANY), 0);
}

static int no_complaints(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, fmt, ap) : 0;
}

static int open_programs(void **state)
{
	uint8_t on = 1;
	struct bpf_map *m;

	(void)state;
	libbpf_set_print(no_complaints);
	rig.object = bpf_object__open_file(getenv("XR_BPF_OBJECT"), NULL);
	assert_non_null(rig.object);
	m = bpf_object__find_map_by_name(rig.object, ".rodata");
	assert_int_equal(bpf_map__set_initial_value(m, &on, sizeof(on)), 0);
	m = bpf_object__find_map_by_name(rig.object, "xr_addresses");
	assert_int_equal(bpf_map__set_max_entries(m, 8), 0);
	bpf_map__set_max_entries(bpf_object__find_map_by_name(rig.object, "xr_groups"), 4);
	bpf_map__set_max_entries(bpf_object__find_map_by_name(rig.object, "xr_acks"), 4);
	assert_int_equal(bpf_object__load(rig.object), 0);
	rig.xdp = program("xr_nic");
	rig.in = program("xr_fence_in");
	rig.out = program("xr_fence_out");
	rig.stats = bpf_object__find_map_fd_by_name(rig.object, "xr_stats");
	rig.cpus = libbpf_num_possible_cpus();
	rig.groups = memory("xr_groups", 4 * sizeof(*rig.groups));
	rig.acks = memory("xr_acks", 4 * sizeof(*rig.acks));
	rig.control = memory("xr_control", sizeof(*rig.control));
	add_address("10.77.0.100");
	add_address("fd77::100");
	return 0;
}

static int close_programs(void **state)
{
	(void)state;
	bpf_object__close(rig.object);
	return 0;
}

/*
 * ---- the lease ----
 */
static void lead(void)
{
	uint64_t now = xr_now_ns();

	*rig.control = (struct xr_control){.abi = XR_ABI,
					   .self = SELF,
					   .port = XR_PORT,
					   .alive_until_ns = now + 100 * NS_PER_S,
					   .groups = 4,
					   .min_timeout_us = 60000000,
					   .drift_permille = 100};
	rig.groups[GROUP] = (struct xr_group){
		.view = {.term = 7, .leader = SELF, .mode = XR_LEAD},
		.members = 0xe,
		.lead_since_ns = now - 1000 * NS_PER_S,
	};
	memset(&rig.acks[GROUP], 0, sizeof(rig.acks[GROUP]));
	rig.acks[GROUP].echo_ns[2] = now;
}

static void follow(void)
{
	lead();
	rig.groups[GROUP].view = (struct xr_view){.term = 7, .leader = 2, .mode = XR_FOLLOW};
}

static void fenced(void)
{
	lead();
	rig.groups[GROUP].view = (struct xr_view){.term = 7, .mode = XR_NONE};
}

/* Nothing in the maps changes: the acks have only become too old. */
static void lapsed(void)
{
	lead();
	rig.acks[GROUP].echo_ns[2] = xr_now_ns() - 50 * NS_PER_S; /* D(1-r)/(1+r) is 49.09 s */
}

static void deadline_passed(void)
{
	lead();
	rig.control->alive_until_ns = xr_now_ns() - 1;
}

static void acks_of_another_leadership(void)
{
	lead();
	rig.groups[GROUP].lead_since_ns = xr_now_ns();
	rig.acks[GROUP].echo_ns[2] = rig.groups[GROUP].lead_since_ns - 1;
}

static void another_group_leads(void)
{
	follow();
	rig.groups[GROUP - 1] = rig.groups[GROUP];
	rig.groups[GROUP - 1].view = (struct xr_view){.term = 7, .leader = SELF, .mode = XR_LEAD};
	rig.acks[GROUP - 1] = rig.acks[GROUP];
}

static const struct {
	const char *name;
	void (*make)(void);
	bool served;
} leases[] = {
	{"lease held", lead, true},
	{"follower", follow, false},
	{"fenced", fenced, false},
	{"lease lapsed by the clock", lapsed, false},
	{"deadline passed", deadline_passed, false},
	{"acks of another leadership", acks_of_another_leadership, false},
	{"leads another group", another_group_leads, false},
};

/*
 * ---- the frames ----
 */
struct frame {
	uint8_t bytes[128];
	size_t len;
};

static void put(struct frame *f, const void *bytes, size_t n)
{
	memcpy(f->bytes + f->len, bytes, n);
	f->len += n;
}

static void put16(struct frame *f, uint16_t value)
{
	uint16_t swapped = htons(value);

	put(f, &swapped, sizeof(swapped));
}

static void put_ip(struct frame *f, const char *text)
{
	uint8_t ip[16];

	if (inet_pton(AF_INET, text, ip) == 1)
		put(f, ip, 4);
	else if (inet_pton(AF_INET6, text, ip) == 1)
		put(f, ip, 16);
	else
		fail_msg("%s", text);
}

static void begin(struct frame *f, int vlans, uint16_t proto)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};

	f->len = 0;
	put(f, macs, sizeof(macs));
	for (int i = 0; i < vlans; i++) {
		put16(f, vlans - i == 1 ? 0x8100 : 0x88a8);
		put16(f, 5);
	}
	put16(f, proto);
}

static void make_ip4(struct frame *f, int vlans, uint8_t fragment, const char *from, const char *to)
{
	static const uint8_t rest[8] = {0, 9};
	uint8_t head[12] = {0x45, 0, 0, 28, 0, 0, fragment, 0, 64, 17};

	begin(f, vlans, 0x0800);
	put(f, head, sizeof(head));
	put_ip(f, from);
	put_ip(f, to);
	put(f, rest, sizeof(rest));
}

/* `type` 0: UDP. */
static void make_ip6(struct frame *f, int vlans, const char *from, const char *to, uint8_t type,
		     const char *target)
{
	uint8_t head[8] = {0x60, 0, 0, 0, 0, 24, type ? 58 : 17, 255}, icmp[8] = {type};

	begin(f, vlans, 0x86dd);
	put(f, head, sizeof(head));
	put_ip(f, from);
	put_ip(f, to);
	put(f, icmp, sizeof(icmp));
	put_ip(f, target ? target : "::");
}

static void make_arp(struct frame *f, int vlans, uint16_t op, const char *from, const char *to)
{
	static const uint8_t head[6] = {0, 1, 8, 0, 6, 4}, mac[6] = {2, 0, 0, 0, 0, 2};

	begin(f, vlans, 0x0806);
	put(f, head, sizeof(head));
	put16(f, op);
	put(f, mac, sizeof(mac));
	put_ip(f, from);
	put(f, mac, sizeof(mac));
	put_ip(f, to);
}

#define V4    "10.77.0.100"
#define V6    "fd77::100"
#define P4    "10.77.0.9"
#define P6    "fd77::9"
#define MULTI "ff02::1:ff00:100"

enum kind { IP4, IP6, ARP };

/* END: nobody's business, whatever the lease. */
static const struct {
	const char *name;
	enum kind kind;
	int type; /* of ICMPv6; ARP's operation; of IPv4 the flags of a fragment */
	const char *from, *to, *target;
	enum xr_reason in, out; /* without the lease */
} frames[] = {
	{"to it", IP4, 0, P4, V4, NULL, XR_R_drop_virtual_in, XR_REASON_END},
	{"fragment to it", IP4, 0x20, P4, V4, NULL, XR_R_drop_virtual_in, XR_REASON_END},
	{"from it", IP4, 0, V4, P4, NULL, XR_REASON_END, XR_R_drop_virtual_out},
	{"to another", IP4, 0, P4, "10.77.0.101", NULL, XR_REASON_END, XR_REASON_END},
	{"ARP request for it", ARP, 1, P4, V4, NULL, XR_R_drop_virtual_ask, XR_REASON_END},
	{"ARP probe for it", ARP, 1, "0.0.0.0", V4, NULL, XR_R_drop_virtual_ask, XR_REASON_END},
	{"ARP reply for it", ARP, 2, V4, P4, NULL, XR_REASON_END, XR_R_drop_virtual_out},
	{"ARP announcement of it", ARP, 1, V4, V4, NULL, XR_REASON_END, XR_R_drop_virtual_out},
	{"ARP request for another", ARP, 1, P4, P4, NULL, XR_REASON_END, XR_REASON_END},
	{"to it", IP6, 0, P6, V6, NULL, XR_R_drop_virtual_in, XR_REASON_END},
	{"from it", IP6, 0, V6, P6, NULL, XR_REASON_END, XR_R_drop_virtual_out},
	{"to another", IP6, 0, P6, "fd77::101", NULL, XR_REASON_END, XR_REASON_END},
	{"solicitation", IP6, 135, P6, MULTI, V6, XR_R_drop_virtual_ask, XR_REASON_END},
	{"duplicate detection", IP6, 135, "::", MULTI, V6, XR_R_drop_virtual_ask, XR_REASON_END},
	{"solicitation of another", IP6, 135, P6, MULTI, P6, XR_REASON_END, XR_REASON_END},
	{"advertisement", IP6, 136, P6, "ff02::1", V6, XR_REASON_END, XR_R_drop_virtual_out},
	{"advertisement from it", IP6, 136, V6, P6, V6, XR_REASON_END, XR_R_drop_virtual_out},
	{"ping", IP6, 128, P6, P6, V6, XR_REASON_END, XR_REASON_END},
};

static void make(struct frame *f, size_t i, int vlans)
{
	if (frames[i].kind == IP4)
		make_ip4(f, vlans, (uint8_t)frames[i].type, frames[i].from, frames[i].to);
	else if (frames[i].kind == IP6)
		make_ip6(f, vlans, frames[i].from, frames[i].to, (uint8_t)frames[i].type,
			 frames[i].target);
	else
		make_arp(f, vlans, (uint16_t)frames[i].type, frames[i].from, frames[i].to);
}

/*
 * ---- running ----
 */
static void count(struct xr_stats *sum)
{
	struct xr_stats each[rig.cpus];
	uint32_t slot = XR_STATS_NIC;

	memset(sum, 0, sizeof(*sum));
	assert_int_equal(bpf_map_lookup_elem(rig.stats, &slot, each), 0);
	for (int cpu = 0; cpu < rig.cpus; cpu++)
		for (int r = 0; r < XR_REASON_END; r++)
			((uint64_t *)sum)[r] += ((uint64_t *)&each[cpu])[r];
}

/* Of the four counters that move here the one that did; XR_REASON_END: none. */
#define REFUSED -2 /* the kernel takes no socket buffers that are shorter than their headers */

static enum xr_reason run(int fd, const struct frame *f, int *verdict)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->bytes, .data_size_in = (uint32_t)f->len,
		    .repeat = 1);
	enum xr_reason moved = XR_REASON_END;
	struct xr_stats before, after;

	count(&before);
	*verdict = REFUSED;
	if (bpf_prog_test_run_opts(fd, &opts))
		return XR_REASON_END;
	count(&after);
	for (int r = XR_R_pass_virtual; r <= XR_R_drop_virtual_out; r++)
		if (((uint64_t *)&after)[r] != ((uint64_t *)&before)[r])
			moved = r;
	*verdict = (int)opts.retval;
	return moved;
}

static char where[80]; /* for messages: the case at hand */

static void check(const char *program, int fd, const struct frame *f, enum xr_reason want,
		  bool served, int pass, int drop)
{
	int verdict, wanted = want == XR_REASON_END || served ? pass : drop;
	enum xr_reason moved;

	if (want != XR_REASON_END && served)
		want = XR_R_pass_virtual;
	moved = run(fd, f, &verdict);
	if (verdict != wanted || moved != want)
		fail_msg("%s: %s: verdict %d, not %d; counter %d, not %d", where, program, verdict,
			 wanted, moved, want);
}

static void table(void **state)
{
	struct frame f;

	(void)state;
	for (size_t lease = 0; lease < ARRAY_SIZE(leases); lease++) {
		bool served = leases[lease].served;

		for (size_t i = 0; i < ARRAY_SIZE(frames) * 3; i++) {
			size_t k = i / 3;

			make(&f, k, (int)(i % 3));
			leases[lease].make();
			snprintf(where, sizeof(where), "%s: %s (%s, %zu VLANs)", leases[lease].name,
				 frames[k].name, frames[k].kind == IP6 ? "IPv6" : "IPv4", i % 3);
			check("XDP", rig.xdp, &f, frames[k].in, served, XDP_PASS, XDP_DROP);
			check("in", rig.in, &f, frames[k].in, served, TC_ACT_UNSPEC, TC_ACT_SHOT);
			check("out", rig.out, &f, frames[k].out, served, TC_ACT_UNSPEC,
			      TC_ACT_SHOT);
		}
	}
}

/* Whatever is cut off: no frame that names the address in full is let through for its shortness. */
static void truncated(void **state)
{
	struct frame f;

	(void)state;
	follow();
	for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
		make(&f, i, 0);
		for (size_t len = f.len; len > 14; len--) {
			int verdict;

			f.len = len;
			run(rig.xdp, &f, &verdict);
			assert_true(verdict == XDP_PASS || verdict == XDP_DROP);
			run(rig.out, &f, &verdict);
			assert_true(verdict == TC_ACT_UNSPEC || verdict == TC_ACT_SHOT ||
				    verdict == REFUSED);
		}
	}
	make(&f, 0, 0);
	f.len = 34; /* an IP header and nothing behind it */
	check("XDP", rig.xdp, &f, XR_R_drop_virtual_in, false, XDP_PASS, XDP_DROP);
}

/*
 * Rule 16's order. The other thread leads with old acks, or has fresh acks and does not lead: never both at one
 * instant, in ever newer terms. A frame that passes was judged by halves of two moments.
 */
#define ROUNDS 200000

static void *never_a_lease(void *arg)
{
	atomic_bool *stop = arg;
	struct xr_group *g = &rig.groups[GROUP];
	union xr_word view = {.view = {.term = 7, .leader = SELF, .mode = XR_LEAD}};
	uint64_t now = xr_now_ns(), old = now - 50 * NS_PER_S;

	while (!atomic_load(stop)) {
		__atomic_store_n(&rig.acks[GROUP].echo_ns[2], old, __ATOMIC_SEQ_CST);
		view.view.term++;
		view.view.mode = XR_LEAD;
		__atomic_store_n((uint64_t *)&g->view, view.word, __ATOMIC_SEQ_CST);
		view.view.mode = XR_NONE;
		__atomic_store_n((uint64_t *)&g->view, view.word, __ATOMIC_SEQ_CST);
		__atomic_store_n(&rig.acks[GROUP].echo_ns[2], now, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static void lease_that_never_was(void **state)
{
	atomic_bool stop = false;
	struct xr_stats before, after;
	struct frame f;
	pthread_t other;

	(void)state;
	lapsed();
	make(&f, 0, 0);
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f.bytes, .data_size_in = (uint32_t)f.len,
		    .repeat = ROUNDS);
	count(&before);
	assert_int_equal(pthread_create(&other, NULL, never_a_lease, &stop), 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(bpf_prog_test_run_opts(rig.xdp, &opts), 0);
	atomic_store(&stop, true);
	pthread_join(other, NULL);
	count(&after);
	assert_int_equal(after.pass_virtual - before.pass_virtual, 0);
	assert_true(after.drop_virtual_in > before.drop_virtual_in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(lease_that_never_was),
		cmocka_unit_test(truncated),
	};

	if (geteuid()) {
		puts("skipped: needs root, to load programs");
		return 77;
	}
	return cmocka_run_group_tests(tests, open_programs, close_programs);
}
