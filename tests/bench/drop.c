// SPDX-License-Identifier: GPL-2.0-only
/*
 * Puts an XDP program on an interface that drops everything, until it is ended: what a packet costs
 * before anybody does anything with it.
 *
 *   bench_drop IFACE
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <signal.h>
#include <sys/prctl.h>
#include "common/common.h"

int main(int argc, char **argv)
{
	/* r0 = XDP_DROP; exit */
	const struct bpf_insn drop[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_DROP},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int ifindex = argc == 2 ? (int)if_nametoindex(argv[1]) : 0, fd, signal;
	sigset_t ends;

	if (!ifindex) {
		fprintf(stderr, "usage: bench_drop IFACE\n");
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "drop", "GPL", drop, ARRAY_SIZE(drop), NULL);
	if (fd < 0 || bpf_xdp_attach(ifindex, fd, XDP_FLAGS_DRV_MODE, NULL)) {
		fprintf(stderr, "bench_drop: no native XDP program on %s: %m\n", argv[1]);
		return 1;
	}
	printf("dropping\n");
	fflush(stdout);
	sigwait(&ends, &signal);
	return bpf_xdp_detach(ifindex, XDP_FLAGS_DRV_MODE, NULL) ? 1 : 0;
}
