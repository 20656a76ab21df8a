// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include "nic/nic.h"

#define R(op, to, from, at, value)                                                            \
	{                                                                                     \
		.code = (op), .dst_reg = (to), .src_reg = (from), .off = (at), .imm = (value) \
	}

/* Rule 19: the clock as the NIC path reads it, into the first bytes of a frame. */
static const struct bpf_insn read_clock[] = {
	R(BPF_ALU64 | BPF_MOV | BPF_X, 6, 1, 0, 0),
	R(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ktime_get_boot_ns),
	R(BPF_LDX | BPF_MEM | BPF_W, 2, 6, offsetof(struct xdp_md, data), 0),
	R(BPF_LDX | BPF_MEM | BPF_W, 3, 6, offsetof(struct xdp_md, data_end), 0),
	R(BPF_ALU64 | BPF_MOV | BPF_X, 4, 2, 0, 0),
	R(BPF_ALU64 | BPF_ADD | BPF_K, 4, 0, 0, sizeof(uint64_t)),
	R(BPF_JMP | BPF_JGT | BPF_X, 4, 3, 1, 0),
	R(BPF_STX | BPF_MEM | BPF_DW, 2, 0, 0, 0),
	R(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_PASS),
	R(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
};

int xr_nic_clock_shift(int64_t *shift_ns)
{
	_cleanup_fd_ int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "xr_clock", "GPL", read_clock,
					    ARRAY_SIZE(read_clock), NULL);
	uint64_t frame[8] = {0}, before_ns, after_ns;
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof(frame),
		    .data_out = frame, .data_size_out = sizeof(frame));

	if (fd < 0)
		return fd;
	before_ns = xr_now_ns();
	if (bpf_prog_test_run_opts(fd, &run))
		return -errno;
	after_ns = xr_now_ns();
	*shift_ns = 0;
	if (frame[0] < before_ns)
		*shift_ns = (int64_t)(frame[0] - before_ns);
	if (frame[0] > after_ns)
		*shift_ns = (int64_t)(frame[0] - after_ns);
	/* One reads the kernel's time as of its last tick, the other a copy: nanoseconds apart. */
	if (llabs(*shift_ns) < (long long)(10 * NS_PER_US))
		*shift_ns = 0;
	return 0;
}

int xr_nic_check_clock(struct xr_why *why)
{
	int64_t shift_ns;

	/* A kernel that refuses this program refuses the NIC path, too, and will say why. */
	if (xr_nic_clock_shift(&shift_ns) || !shift_ns)
		return 0;
	return xr_fail(
		why, -EXDEV,
		"the NIC path's clock is %+.6f s from this process' CLOCK_BOOTTIME, which runs in "
		"a time namespace, and could not tell when heartbeats came; start xraftd "
		"outside of it, or set xdp = off",
		(double)shift_ns / 1e9);
}
