// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Lets everything pass. A veth delivers what its peer sends by XDP_TX only if it has a native XDP
 * program itself; on a bridge port or the host's end of a veth pair, this is that program.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int xr_pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
