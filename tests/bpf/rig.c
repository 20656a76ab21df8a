// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <linux/bpf.h>
#include "rig.h"

#define CLOCK_SLACK_NS NS_PER_MS /* the kernel's fast clock may be a hair behind */

static const char *const reasons[] = {
#define X(name, text) #name,
	XR_REASONS(X)
#undef X
};

const char *rig_reason(int reason)
{
	return reason >= 0 && reason < XR_REASON_END ? reasons[reason] : "nothing";
}

/*
 * ---- namespace and socket ----
 */
static int enter_namespace(struct xr_why *why)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	_cleanup_fd_ int fd = -1;

	if (unshare(CLONE_NEWNET))
		return xr_fail(why, -errno, "no network namespace: %s", strerror(errno));
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr))
		return xr_fail(why, -errno, "cannot set lo up: %s", strerror(errno));
	return 0;
}

/* Counters are a CPU's own: staying on one makes them exact. */
static int stay_on_one_cpu(struct xr_why *why)
{
	cpu_set_t all, one;

	CPU_ZERO(&one);
	if (sched_getaffinity(0, sizeof(all), &all))
		return xr_fail(why, -errno, "no CPU to run on: %s", strerror(errno));
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_SET(cpu, &one);
		break;
	}
	if (sched_setaffinity(0, sizeof(one), &one))
		return xr_fail(why, -errno, "cannot stay on one CPU: %s", strerror(errno));
	return 0;
}

int rig_socket_tell(struct rig *rig)
{
	__u32 slot = 0;
	__u64 fd = (__u64)rig->socket;

	rig->ours = true;
	return bpf_map_update_elem(rig->sockets, &slot, &fd, BPF_ANY) ? -errno : 0;
}

int rig_socket(struct rig *rig, bool ours)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(XR_PORT)};
	int zero = 0;

	rig_socket_close(rig);
	rig->socket = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (rig->socket < 0)
		return -errno;
	setsockopt(rig->socket, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (bind(rig->socket, (struct sockaddr *)&in6, sizeof(in6)))
		return -errno;
	return ours ? rig_socket_tell(rig) : 0;
}

void rig_socket_close(struct rig *rig)
{
	xr_close_fd(&rig->socket);
	rig->ours = false;
}

/*
 * ---- the program ----
 */
static int print_warnings(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, fmt, ap) : 0;
}

static int on_event(void *arg, void *data, size_t size)
{
	struct rig *rig = arg;
	struct outcome *out = rig->out;

	if (out && out->nevents < RIG_EVENTS && size == sizeof(out->events[0]))
		memcpy(&out->events[out->nevents++], data, size);
	return 0;
}

static int map_fd(struct rig *rig, const char *name)
{
	return bpf_object__find_map_fd_by_name(rig->object, name);
}

static void *map_memory(struct rig *rig, const char *name, size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd(rig, name), 0);
}

static int resize(struct rig *rig, const char *name, __u32 entries)
{
	struct bpf_map *map = bpf_object__find_map_by_name(rig->object, name);

	return map ? bpf_map__set_max_entries(map, entries) : -ENOENT;
}

static int load_program(struct rig *rig, const char *path, struct xr_why *why)
{
	int err;

	libbpf_set_print(print_warnings);
	rig->object = bpf_object__open_file(path, NULL);
	if (!rig->object)
		return xr_fail(why, -ENOENT, "%s: %s", path, strerror(errno));
	if (resize(rig, "xr_groups", RIG_GROUPS) || resize(rig, "xr_acks", RIG_GROUPS) ||
	    resize(rig, "xr_events", 8192))
		return xr_fail(why, -EINVAL, "%s: has not the maps that it should have", path);
	err = bpf_object__load(rig->object);
	if (err)
		return xr_fail(why, err, "%s does not load: %s", path, strerror(-err));
	rig->prog = bpf_program__fd(bpf_object__find_program_by_name(rig->object, "xr_nic"));
	rig->stats = map_fd(rig, "xr_stats");
	rig->peers = map_fd(rig, "xr_peers");
	rig->keys = map_fd(rig, "xr_key");
	rig->sockets = map_fd(rig, "xr_socket");
	if (rig->prog < 0 || rig->stats < 0 || rig->peers < 0 || rig->keys < 0 || rig->sockets < 0)
		return xr_fail(why, -EINVAL, "%s: has not the names that it should have", path);
	return 0;
}

static int map_state(struct rig *rig, struct xr_why *why)
{
	rig->groups = map_memory(rig, "xr_groups", RIG_GROUPS * sizeof(*rig->groups));
	rig->acks = map_memory(rig, "xr_acks", RIG_GROUPS * sizeof(*rig->acks));
	rig->control = map_memory(rig, "xr_control", sizeof(*rig->control));
	rig->ring = ring_buffer__new(map_fd(rig, "xr_events"), on_event, rig, NULL);
	rig->cpus = libbpf_num_possible_cpus();
	if (rig->groups == MAP_FAILED || rig->acks == MAP_FAILED || rig->control == MAP_FAILED ||
	    !rig->ring || rig->cpus < 1)
		return xr_fail(why, -EIO, "cannot map the program's state");
	return 0;
}

int rig_open(struct rig *rig, const char *path, struct xr_why *why)
{
	int err;

	memset(rig, 0, sizeof(*rig));
	rig->socket = -1;
	err = stay_on_one_cpu(why);
	if (!err)
		err = enter_namespace(why);
	if (!err)
		err = load_program(rig, path, why);
	if (!err)
		err = map_state(rig, why);
	if (err)
		return err;
	err = rig_socket(rig, true);
	return err ? xr_fail(why, err, "no socket: %s", strerror(-err)) : 0;
}

static void unmap(void *memory, size_t size)
{
	if (memory && memory != MAP_FAILED)
		munmap(memory, size);
}

void rig_close(struct rig *rig)
{
	rig_socket_close(rig);
	ring_buffer__free(rig->ring);
	unmap(rig->groups, RIG_GROUPS * sizeof(*rig->groups));
	unmap(rig->acks, RIG_GROUPS * sizeof(*rig->acks));
	unmap(rig->control, sizeof(*rig->control));
	bpf_object__close(rig->object);
}

/*
 * ---- state ----
 */
static void peer_default(struct xr_peer *peer, __u8 node, bool ipv6)
{
	static const __u8 net4[16] = {[10] = 0xff, 0xff, 10, 77}, net6[16] = {0xfd, 0x77};

	memcpy(peer->ip, ipv6 ? net6 : net4, sizeof(peer->ip));
	peer->ip[15] = node;
	peer->port = XR_PORT;
	peer->used = 1;
	peer->lives = RIG_LIVES(node, RIG_SELF);
}

void world_default(struct world *w, bool ipv6)
{
	memset(w, 0, sizeof(*w));
	w->now = xr_now_ns();
	for (__u32 i = 0; i < RIG_GROUPS; i++)
		w->groups[i] = (struct xr_group){
			.view = {.term = 7, .leader = 2, .mode = XR_FOLLOW},
			.contact_ns = w->now - NS_PER_S,
			.members = 0xe,
			.digest = (__u16)(0x1000 + i),
		};
	w->control = (struct xr_control){
		.abi = XR_ABI,
		.self = RIG_SELF,
		.answer = 1,
		.port = XR_PORT,
		.alive_until_ns = w->now + 10 * NS_PER_S,
		.groups = RIG_GROUPS,
		.min_timeout_us = 150000,
		.max_timeout_us = 300000,
		.heartbeat_us = 50000,
		.quorum_lapse_us = 3000000,
		.drift_permille = 100,
	};
	for (__u8 node = 1; node <= 4; node++)
		peer_default(&w->peers[node], node, ipv6);
	for (__u8 i = 0; i < 2; i++)
		w->keys[i] = (struct xr_key){.sip = {0x1111 + i, 0x2222}, .used = 1, .id = 4 + i};
}

void world_lead(struct world *w)
{
	for (__u32 i = 0; i < RIG_GROUPS; i++) {
		w->groups[i].view = (struct xr_view){
			.term = 7, .leader = RIG_SELF, .mode = XR_LEAD};
		w->groups[i].lead_since_ns = w->now - 60 * NS_PER_S;
		w->acks[i].echo_ns[2] = w->now - 200 * NS_PER_MS;
		w->acks[i].term[2] = 6;
	}
}

void rig_load(struct rig *rig, const struct world *w)
{
	memcpy(rig->groups, w->groups, sizeof(w->groups));
	memcpy(rig->acks, w->acks, sizeof(w->acks));
	memcpy(rig->control, &w->control, sizeof(w->control));
	if (memcmp(rig->last.peers, w->peers, sizeof(w->peers)))
		for (__u32 i = 0; i <= XR_NODE_MAX; i++)
			bpf_map_update_elem(rig->peers, &i, &w->peers[i], BPF_ANY);
	if (memcmp(rig->last.keys, w->keys, sizeof(w->keys)))
		for (__u32 i = 0; i < 2; i++)
			bpf_map_update_elem(rig->keys, &i, &w->keys[i], BPF_ANY);
	rig->last = *w;
}

static void read_counters(struct rig *rig, struct xr_stats *sum)
{
	struct xr_stats each[rig->cpus];
	__u32 slot = XR_STATS_NIC;

	memset(sum, 0, sizeof(*sum));
	if (bpf_map_lookup_elem(rig->stats, &slot, each))
		return;
	for (int cpu = 0; cpu < rig->cpus; cpu++)
		for (int i = 0; i < XR_REASON_END; i++)
			((__u64 *)sum)[i] += ((__u64 *)&each[cpu])[i];
}

static void difference(struct xr_stats *out, const struct xr_stats *now, struct xr_stats *before)
{
	for (int i = 0; i < XR_REASON_END; i++)
		((__u64 *)out)[i] = ((const __u64 *)now)[i] - ((__u64 *)before)[i];
	*before = *now;
}

void rig_moved(struct rig *rig, struct xr_stats *moved)
{
	struct xr_stats now;

	read_counters(rig, &now);
	difference(moved, &now, &rig->seen);
}

/*
 * ---- both runs ----
 */
int rig_run_kernel(struct rig *rig, const __u8 *frame, __u32 len, struct outcome *out, __u64 *began,
		   __u64 *ended)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = len,
		    .data_out = out->frame, .data_size_out = sizeof(out->frame), .repeat = 1);
	int err;

	out->nevents = 0;
	*began = xr_now_ns();
	err = bpf_prog_test_run_opts(rig->prog, &run);
	*ended = xr_now_ns();
	if (err)
		return err;
	out->verdict = (int)run.retval;
	out->len = run.data_size_out;
	out->world = rig->last;
	memcpy(out->world.groups, rig->groups, sizeof(out->world.groups));
	memcpy(out->world.acks, rig->acks, sizeof(out->world.acks));
	memcpy(&out->world.control, rig->control, sizeof(out->world.control));
	rig_moved(rig, &out->moved);
	rig->out = out;
	if (!rig->deaf)
		ring_buffer__consume(rig->ring);
	rig->out = NULL;
	return 0;
}

/* Rule 8 asks two things that env.h need not ask a living daemon; they come in this order. */
static enum xr_verdict native_rules(struct xr_env *env, bool ours, struct xr_wire *h,
				    const void *end, const struct reading *r, __u64 now)
{
	const struct xr_control *c = env->control;
	enum xr_reason why_not = XR_REASON_END;
	struct xr_sender sender;

	if (xr_rules_check(env, h, end, r->len, &r->from, &sender) == XR_REASON_END &&
	    (__s64)(c->alive_until_ns - now) > 0) {
		if (!ours)
			why_not = XR_R_pass_no_socket;
		else if (!c->answer && h->type != XR_PATH_TEST)
			why_not = XR_R_pass_no_answer;
	}
	if (why_not == XR_REASON_END)
		return xr_rules_run(env, h, end, r->len, &r->from, now);
	xr_env_count(env, why_not);
	return XR_PASS;
}

static int run_datagram(struct xr_env *env, bool ours, struct outcome *out, const struct reading *r,
			__u64 now)
{
	static const int verdicts[] = {
		[XR_PASS] = XDP_PASS, [XR_DROP] = XDP_DROP, [XR_TX] = XDP_TX};
	__u32 size = out->len - r->wire_at;
	_cleanup_free_ void *copy = malloc(size); /* of its true size: a byte too far is seen */
	enum xr_verdict verdict;

	memcpy(copy, out->frame + r->wire_at, size);
	verdict = native_rules(env, ours, copy, (char *)copy + size, r, now);
	memcpy(out->frame + r->wire_at, copy, size);
	if (verdict == XR_TX)
		frame_turn(out->frame, r);
	return verdicts[verdict];
}

void rig_run_native(const struct rig *rig, const struct world *w, const __u8 *frame, __u32 len,
		    __u64 now, struct outcome *out)
{
	struct world *s = &out->world;
	const struct xr_peer *self;
	struct reading r;

	*s = *w;
	memset(&out->moved, 0, sizeof(out->moved));
	memcpy(out->frame, frame, len);
	out->len = len;
	out->nevents = 0;
	out->verdict = XDP_PASS;
	frame_read(frame, len, &r);
	self = &s->peers[s->control.self];
	if (r.what == READ_SHAPE) {
		out->moved.pass_shape++;
	} else if (r.what == READ_OTHER || r.to.port != s->control.port ||
		   memcmp(r.to.ip, self->ip, sizeof(self->ip))) {
		out->moved.pass_not_ours++;
	} else {
		struct xr_env env = {.groups = s->groups,
				     .acks = s->acks,
				     .ngroups = RIG_GROUPS,
				     .control = &s->control,
				     .peers = s->peers,
				     .keys = s->keys,
				     .stats = &out->moved};

		out->verdict = run_datagram(&env, rig->ours, out, &r, now);
		out->nevents = env.npending;
		memcpy(out->events, env.pending, sizeof(env.pending[0]) * env.npending);
	}
}

__u64 rig_found_now(const struct world *before, const struct outcome *out, __u64 otherwise)
{
	struct reading r;
	__u64 now = otherwise;

	for (int i = 0; i < RIG_GROUPS; i++)
		if (out->world.groups[i].contact_ns != before->groups[i].contact_ns)
			now = out->world.groups[i].contact_ns;
	frame_read(out->frame, out->len, &r);
	if (out->verdict == XDP_TX && r.what == READ_UDP)
		memcpy(&now, out->frame + r.wire_at + offsetof(struct xr_wire, sent_ns),
		       sizeof(now));
	return now;
}

bool rig_between(__u64 began, __u64 now, __u64 ended)
{
	return now - (began - CLOCK_SLACK_NS) <= ended - began + 2 * CLOCK_SLACK_NS;
}

const char *rig_compare(const struct outcome *kernel, const struct outcome *native)
{
	const struct world *k = &kernel->world, *n = &native->world;

	if (kernel->verdict != native->verdict)
		return "verdict";
	if (kernel->len != native->len)
		return "length";
	if (memcmp(kernel->frame, native->frame, kernel->len))
		return "bytes";
	if (memcmp(k->groups, n->groups, sizeof(k->groups)))
		return "xr_groups";
	if (memcmp(k->acks, n->acks, sizeof(k->acks)))
		return "xr_acks";
	if (memcmp(&k->control, &n->control, sizeof(k->control)))
		return "xr_control";
	if (memcmp(&kernel->moved, &native->moved, sizeof(kernel->moved)))
		return "counters";
	if (kernel->nevents != native->nevents ||
	    memcmp(kernel->events, native->events, sizeof(native->events[0]) * native->nevents))
		return "events";
	return NULL;
}
