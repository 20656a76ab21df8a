// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a packet costs in the NIC path, verdict by verdict, beside a bare reflector and the floor
 * (fastpath.bpf.c). Prints a JSON object for each line of the tables.
 *
 *   bench_fastpath XRAFT.bpf.o FASTPATH.bpf.o [ROUNDS]
 *
 * In a round each program is run some hundred times in a row, by BPF_PROG_RUN, on one CPU; then
 * the next one. Less the cost of the same runs of a program that does nothing, that is one sample:
 * the mean of a batch in nanoseconds. After each batch it is checked that the program did, in all of
 * its runs, what it was measured for.
 *
 * The live rate is that of frames which leave by XDP_TX and arrive at the other end of a veth pair,
 * all of it on one CPU.
 */
#include <net/if.h>
#include <string.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include "bpf/cases.h"
#include "bench/fastpath.h"
#include "net/datagram.h"

#define RUNS	    256
#define RUNS_EVENTS 128 /* so that the ring is never full */
#define ROUNDS_MAX  100000

/* Of the table of packets (tests/bpf/cases.c), or a program that stands beside the NIC path. */
struct arm {
	const char *name; /* as it is printed */
	const char *packet;
	const char *program; /* NULL: the NIC path */
	unsigned records;
	bool ipv6;
	bool again; /* the same datagram over and over */
	bool live;  /* also as live frames */
	double *ns; /* a sample for each round */
	double *rate;
};

/* clang-format off */
#define NOTHING "bench_nothing"
static struct arm arms[] = {
	/* of each size, what the others' costs are counted from: these come first */
	{.name = "nothing, 1 record", .packet = "heartbeat", .program = NOTHING, .records = 1},
	{.name = "nothing, 8 records", .packet = "heartbeat", .program = NOTHING, .records = 8},
	{.name = "nothing, 87 records", .packet = "heartbeat", .program = NOTHING, .records = 87},

	{.name = "reflector", .packet = "heartbeat", .program = "bench_reflect", .records = 1, .live = true},
	{.name = "+ clock", .packet = "heartbeat", .program = "bench_clock", .records = 1},
	{.name = "+ two SipHash: the floor", .packet = "heartbeat", .program = "bench_floor_1", .records = 1, .live = true},
	{.name = "+ socket", .packet = "heartbeat", .program = "bench_socket", .records = 1},
	{.name = "+ view, mark, stamp, second look", .packet = "heartbeat", .program = "bench_decision", .records = 1},
	{.name = "heartbeat answered", .packet = "heartbeat", .records = 1, .live = true},

	{.name = "floor of 8", .packet = "heartbeat", .program = "bench_floor_8", .records = 8},
	{.name = "8 heartbeats answered", .packet = "heartbeat", .records = 8},
	{.name = "floor of 87", .packet = "heartbeat", .program = "bench_floor_87", .records = 87},
	{.name = "87 heartbeats answered", .packet = "heartbeat", .records = 87},

	{.name = "heartbeat answered, IPv6", .packet = "heartbeat", .records = 1, .ipv6 = true},
	{.name = "heartbeat refused: older term", .packet = "older term: refused with ours"},
	{.name = "heartbeat withheld: stamped later", .packet = "withheld: a later stamp stands"},
	{.name = "heartbeat passed up: newer term", .packet = "newer term"},
	{.name = "heartbeat passed up: fenced", .packet = "view NONE: fenced"},
	{.name = "one of 2 withheld, one left to the daemon", .packet = "withheld and up"},
	{.name = "ack stamped", .packet = "ack"},
	{.name = "ack ignored: older term", .packet = "ack of an older term"},
	{.name = "poll answered", .packet = "poll"},
	{.name = "poll passed up: quorum lapsed", .packet = "poll when the quorum has lapsed"},
	{.name = "path test answered", .packet = "path test"},
	{.name = "vote passed up", .packet = "vote"},
	{.name = "no socket: passed up", .packet = "no socket"},
	{.name = "somebody else's socket: passed up", .packet = "somebody else's socket"},
	{.name = "deadline over: passed up", .packet = "deadline over"},
	{.name = "replay dropped", .packet = "seen before", .again = true},
	{.name = "wrong tag dropped", .packet = "no tag", .again = true},
	{.name = "another life dropped", .packet = "another life"},
	{.name = "ask passed up", .packet = "ask"},
	{.name = "unknown sender dropped", .packet = "node that is not configured"},
	{.name = "another's address dropped", .packet = "another node's address"},
	{.name = "not xraft's on our port: dropped", .packet = "wrong magic"},
	{.name = "another port: passed up", .packet = "another port"},
	{.name = "ARP: passed up", .packet = "ARP"},
};
/* clang-format on */

static struct {
	struct rig rig;
	struct bpf_object *object;
	struct bench_setup *setup;
	struct bench_fresh *fresh;
	int start, slot; /* the program that every run begins with; what it goes on to */
	int nic_if, wire_if;
	enum case_socket socket;
	bool ipv6;
	unsigned rounds;
} b;

static _Noreturn void die(const char *what, const char *detail)
{
	fprintf(stderr, "bench_fastpath: %s: %s\n", what, detail);
	exit(1);
}

/*
 * ---- the programs ----
 */
static int program_of(struct bpf_object *object, const char *name)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, name);

	if (!program)
		die("no such program", name);
	return bpf_program__fd(program);
}

/* The programs beside the NIC path work on the NIC path's own maps. */
static void load_beside(const char *path)
{
	struct bpf_map *map, *theirs;

	b.object = bpf_object__open_file(path, NULL);
	if (!b.object)
		die(path, strerror(errno));
	bpf_object__for_each_map(map, b.object)
	{
		theirs = bpf_object__find_map_by_name(b.rig.object, bpf_map__name(map));
		if (theirs && bpf_map__reuse_fd(map, bpf_map__fd(theirs)))
			die(bpf_map__name(map), "cannot be shared");
	}
	if (bpf_object__load(b.object))
		die(path, "does not load");
	b.start = program_of(b.object, "bench_start");
	b.slot = bpf_object__find_map_fd_by_name(b.object, "bench_arm");
}

static void *memory_of(const char *name, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			    bpf_object__find_map_fd_by_name(b.object, name), 0);

	if (memory == MAP_FAILED)
		die(name, strerror(errno));
	return memory;
}

static void write_line(const char *path, const char *line)
{
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, line, strlen(line)) < 0)
		die(path, strerror(errno));
}

static void lay_cable(void)
{
	write_line("/proc/sys/net/ipv4/ip_nonlocal_bind", "1");
	write_line("/proc/sys/net/ipv6/ip_nonlocal_bind", "1");
	write_line("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1"); /* the cable is silent */
	if (system("ip link add nic type veth peer name wire && ip link set nic up && "
		   "ip link set wire up"))
		die("veth", "there can be none");
	b.nic_if = (int)if_nametoindex("nic");
	b.wire_if = (int)if_nametoindex("wire");
	/* A program that is attached somewhere is run without first being made known. */
	if (bpf_xdp_attach(b.nic_if, b.start, XDP_FLAGS_DRV_MODE, NULL) ||
	    bpf_xdp_attach(b.wire_if, program_of(b.object, "bench_sink"), XDP_FLAGS_DRV_MODE, NULL))
		die("veth", "takes no native XDP program");
}

/* Bound to the node's address, as the engine binds it. */
static void set_socket(const struct nic_case *c, const struct world *w, bool ipv6)
{
	struct xr_why why;

	if (c->socket == b.socket && ipv6 == b.ipv6 &&
	    (b.rig.socket >= 0 || c->socket == NO_SOCKET))
		return;
	rig_socket_close(&b.rig);
	b.socket = c->socket;
	b.ipv6 = ipv6;
	if (c->socket == NO_SOCKET)
		return;
	b.rig.socket = xr_socket_open(&w->peers[RIG_SELF], &why);
	if (b.rig.socket < 0)
		die("socket", why.text);
	if (c->socket == OURS && rig_socket_tell(&b.rig))
		die("xr_socket", strerror(errno));
}

/*
 * ---- one batch ----
 */
static const struct nic_case *case_of(const struct arm *arm)
{
	for (unsigned i = 0; i < nic_ncases; i++)
		if (!strcmp(nic_cases[i].name, arm->packet))
			return &nic_cases[i];
	die("no such packet in the table", arm->packet);
}

/* The datagrams of a batch differ in when they were sent, and so in their tag. */
static void prepare(const struct arm *arm, const struct nic_case *c, unsigned runs)
{
	static struct packet p;
	static struct world w;
	struct xr_wire *h = &p.d.h;
	struct nic_case sized = *c;

	if (arm->records)
		sized.records = arm->records;
	case_prepare(&sized, arm->ipv6, &w, &p);
	set_socket(c, &w, arm->ipv6);
	rig_load(&b.rig, &w);
	b.setup->next = 0;
	b.setup->last = runs - 1;
	b.setup->len = p.len;
	b.setup->wire_at = p.at;
	memcpy(b.setup->frame, p.frame, p.len);
	for (unsigned i = 0; i < runs; i++) {
		b.fresh[i] = (struct bench_fresh){h->sent_ns, h->echo_ns, h->tag};
		if (arm->again)
			continue;
		h->sent_ns += 2048;
		if (h->type == XR_ACK)
			h->echo_ns += 2048;
		h->tag = frame_tag(&p.d, p.len - p.at, &w.keys[h->key_id & 1].sip);
	}
}

/* Did all runs do what the table of packets says of one of them? */
static void check(const struct arm *arm, const struct nic_case *c, unsigned runs, __u32 verdict)
{
	unsigned want = arm->records ? arm->records : 1;
	struct xr_stats moved;

	rig_moved(&b.rig, &moved);
	if (b.setup->next != runs)
		die(arm->name, "was not run as often as it should have been");
	if (verdict != (__u32)(arm->program ? XDP_TX : c->verdict))
		die(arm->name, "came to another verdict");
	for (int i = 0; !arm->program && i < CASE_MOVED && c->moved[i].count; i++)
		if (((__u64 *)&moved)[c->moved[i].reason] !=
		    (__u64)runs * (arm->records ? want : c->moved[i].count))
			die(arm->name, "was not decided as often as it should have been");
}

/* Few enough for most batches to pass undisturbed on a busy machine. */
static unsigned runs_of(const struct arm *arm, const struct nic_case *c)
{
	if (c->events)
		return RUNS_EVENTS;
	return arm->records > 1 ? RUNS / 8 : RUNS;
}

static double run_batch(const struct arm *arm)
{
	const struct nic_case *c = case_of(arm);
	unsigned runs = runs_of(arm, c);
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = b.setup->frame, .repeat = (int)runs);

	prepare(arm, c, runs);
	run.data_size_in = b.setup->len;
	if (bpf_prog_test_run_opts(b.start, &run))
		die(arm->name, "does not run");
	check(arm, c, runs, run.retval);
	ring_buffer__consume(b.rig.ring);
	return (double)(b.setup->ended_ns - b.setup->began_ns) / (runs - 1);
}

/* Frames a second that arrived at the other end of the cable. */
static double run_live(const struct arm *arm)
{
	struct xdp_md in = {.ingress_ifindex = (__u32)b.nic_if};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = b.setup->frame, .repeat = BENCH_FRESH,
		    .ctx_in = &in, .ctx_size_in = sizeof(in), .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
	const struct nic_case *c = case_of(arm);
	uint64_t began_ns, ended_ns;

	prepare(arm, c, BENCH_FRESH);
	run.data_size_in = in.data_end = b.setup->len;
	b.setup->arrived = 0;
	began_ns = xr_now_ns();
	if (bpf_prog_test_run_opts(b.start, &run))
		die(arm->name, "does not run on live frames");
	ended_ns = xr_now_ns();
	check(arm, c, BENCH_FRESH, XDP_TX);
	return (double)b.setup->arrived / (double)(ended_ns - began_ns) * 1e9;
}

/*
 * ---- all of it ----
 */
static void choose(const struct arm *arm)
{
	int zero = 0, fd = arm->program ? program_of(b.object, arm->program) : b.rig.prog;

	if (bpf_map_update_elem(b.slot, &zero, &fd, BPF_ANY))
		die(arm->name, strerror(errno));
}

static void measure(void)
{
	for (unsigned round = 0; round < b.rounds; round++)
		for (unsigned i = 0; i < ARRAY_SIZE(arms); i++) {
			choose(&arms[i]);
			arms[i].ns[round] = run_batch(&arms[i]);
			if (arms[i].live && round % 8 == 0)
				arms[i].rate[round / 8] = run_live(&arms[i]);
		}
}

static const struct arm *nothing_for(const struct arm *arm)
{
	for (unsigned i = 0; i < ARRAY_SIZE(arms); i++)
		if (arms[i].records == (arm->records ? arm->records : 1))
			return &arms[i];
	die(arm->name, "is of a size that nothing else has");
}

static void print(const struct arm *arm)
{
	const struct arm *nothing = nothing_for(arm);

	printf("{\"arm\": \"%s\", \"records\": %u, \"ns\": [", arm->name, arm->records);
	for (unsigned round = 0; round < b.rounds; round++)
		printf("%s%.2f", round ? ", " : "",
		       arm->ns[round] - (arm == nothing ? 0 : nothing->ns[round]));
	printf("], \"rate\": [");
	for (unsigned i = 0; arm->live && i < (b.rounds + 7) / 8; i++)
		printf("%s%.0f", i ? ", " : "", arm->rate[i]);
	printf("]}\n");
}

int main(int argc, char **argv)
{
	struct xr_why why;
	int err;

	b.rounds = argc > 3 ? (unsigned)atoi(argv[3]) : 500;
	if (argc < 3 || b.rounds < 1 || b.rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench_fastpath XRAFT.bpf.o FASTPATH.bpf.o [ROUNDS]\n");
		return 2;
	}
	err = rig_open(&b.rig, argv[1], &why);
	if (err) {
		fprintf(stderr, "bench_fastpath: %s\n", why.text);
		return err == -EPERM || err == -EACCES ? 77 : 1;
	}
	rig_socket_close(&b.rig);
	load_beside(argv[2]);
	b.setup = memory_of("bench_setup", sizeof(*b.setup));
	b.fresh = memory_of("bench_fresh", BENCH_FRESH * sizeof(*b.fresh));
	lay_cable();
	for (unsigned i = 0; i < ARRAY_SIZE(arms); i++) {
		arms[i].ns = calloc(b.rounds, sizeof(double));
		arms[i].rate = calloc((b.rounds + 7) / 8, sizeof(double));
	}
	measure();
	for (unsigned i = 0; i < ARRAY_SIZE(arms); i++)
		print(&arms[i]);
	rig_close(&b.rig);
	return 0;
}
