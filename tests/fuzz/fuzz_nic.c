// SPDX-License-Identifier: GPL-2.0-only
/*
 * The XDP program and the native build of its rules, on one frame from one state: they must agree
 * in verdict, bytes, maps, counters and events. The kernel runs the one by BPF_PROG_RUN, so this
 * needs root. Coverage is the native side's.
 */
#include <linux/bpf.h>
#include <sodium.h>
#include "state.h"

#define STALL_NS (200 * NS_PER_MS) /* a run that took longer is not compared */

static struct rig rig;

static void close_rig(void)
{
	rig_close(&rig);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *path = getenv("XR_BPF_OBJECT");
	struct xr_why why = {""};
	int err;

	(void)argc;
	(void)argv;
	must(path && sodium_init() >= 0, "XR_BPF_OBJECT does not name xraft.bpf.o");
	err = rig_open(&rig, path, &why);
	if (err == -EPERM || err == -EACCES) {
		printf("SKIP: %s (needs root: network namespaces and BPF)\n", why.text);
		exit(SKIPPED);
	}
	must(!err, "%s", why.text);
	atexit(close_rig);
	return 0;
}

static void wrap(struct packet *p, const struct world *w, __u8 shape, struct input *in)
{
	static const __u16 vlans[4][FRAME_VLANS] = {
		{0}, {0x8100}, {0x88a8, 0x8100}, {0x8100, 0x8100, 0x8100}};
	__u8 odd = shape & 0x80 ? take8(in) : 0; /* what makes a frame unusual */

	p->udp_len = odd & 1 ? take8(in) : -1;
	p->from = odd & 2 ? take8(in) & 7 : p->d.h.source;
	p->to = odd & 4 ? 3 : RIG_SELF;
	p->from_port = odd & 8 ? 7008 : XR_PORT;
	p->to_port = odd & 16 ? 7008 : XR_PORT;
	p->options = odd & 32 ? 4 : 0;
	p->fragment = odd & 64 ? take16(in) : 0;
	p->extension = odd & 128 ? 44 : 0;
	p->padding = shape & 0x60 ? take8(in) & 31 : 0;
	memcpy(p->vlan, vlans[shape >> 3 & 3], sizeof(p->vlan));
	frame_build(p, w->keys);
}

/* Damage to the finished frame. */
static void damage(struct packet *p, __u8 shape, struct input *in)
{
	for (int n = shape & 3; n; n--) {
		__u32 at = take16(in) % p->len;

		p->frame[at] ^= take8(in);
	}
	if (shape & 4)
		p->len = 14 + take16(in) % (p->len - 13);
}

static void complain(const char *differs, const struct packet *p, const struct outcome *kernel,
		     const struct outcome *native)
{
	for (int i = 0; i < XR_REASON_END; i++) {
		__u64 k = ((const __u64 *)&kernel->moved)[i];
		__u64 n = ((const __u64 *)&native->moved)[i];

		if (k || n)
			fprintf(stderr, "%s: XDP %llu, native %llu\n", rig_reason(i), k, n);
	}
	for (__u32 i = 0; i < p->len; i++)
		fprintf(stderr, "%02x%s", p->frame[i], i % 32 == 31 ? "\n" : " ");
	must(false, "\nXDP and native differ in: %s (verdicts %d, %d)", differs, kernel->verdict,
	     native->verdict);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct outcome kernel, native;
	struct input in = {.at = data, .left = size};
	__u8 shape = take8(&in), wrapping = take8(&in), reserve[14];
	struct input extra = {.at = reserve, .left = sizeof(reserve)};
	__u64 began, ended, now;
	static struct packet p;
	static struct world w;
	const char *differs;

	memset(&p, 0, sizeof(p));
	take(&in, reserve, sizeof(reserve));
	p.ipv6 = in.left && in.at[0] & 1; /* as state_world() reads it */
	state_world(&w, &in, xr_now_ns());
	state_packet(&p, &w, &in);
	wrap(&p, &w, wrapping, &extra);
	damage(&p, shape, &extra);
	rig_load(&rig, &w);
	must(!rig_run_kernel(&rig, p.frame, p.len, &kernel, &began, &ended), "does not run: %m");
	if (ended - w.now > STALL_NS)
		return 0;
	now = rig_found_now(&w, &kernel, ended);
	rig_run_native(&rig, &w, p.frame, p.len, now, &native);
	differs = rig_between(began, now, ended) ? rig_compare(&kernel, &native) : "clocks";
	if (differs)
		complain(differs, &p, &kernel, &native);
	must(kernel.verdict == XDP_PASS || kernel.verdict == XDP_DROP || kernel.verdict == XDP_TX,
	     "verdict %d is none of ours", kernel.verdict);
	return 0;
}
