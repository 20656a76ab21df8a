// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include "nic/complaint.h"
#include "nic/try.h"
#include "xraft.skel.h"

int xr_try_load(struct xr_why *why)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	size_t size;
	const void *elf = xraft_bpf__elf_bytes(&size);
	struct bpf_object *object;
	int err;

	xr_complaint_begin();
	object = bpf_object__open_mem(elf, size, &opts);
	err = object ? bpf_object__load(object) : -errno;
	bpf_object__close(object);
	if (err == -EPERM)
		return xr_fail(why, err, "no right to load it");
	return err ? xr_fail(why, err, "%s", xr_complaint(err)) : 0;
}

/* "r0 = XDP_PASS; exit" */
static int load_pass(void)
{
	static const struct bpf_insn program[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "xr_try", "GPL", program, ARRAY_SIZE(program),
			       NULL);

	return fd < 0 ? -errno : fd;
}

int xr_try_native(unsigned int ifindex, struct xr_why *why)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts);
	_cleanup_fd_ int fd = -1;
	int err;

	xr_complaint_begin();
	fd = load_pass();
	if (fd < 0)
		return xr_fail(why, fd, "%s", xr_complaint(fd));
	err = bpf_xdp_attach((int)ifindex, fd, XDP_FLAGS_DRV_MODE | XDP_FLAGS_UPDATE_IF_NOEXIST,
			     &opts);
	if (err)
		return xr_fail(why, err, "%s", xr_complaint(err));
	/* Only this one: whoever has put his own there meanwhile keeps it. */
	opts.old_prog_fd = fd;
	err = bpf_xdp_detach((int)ifindex, XDP_FLAGS_DRV_MODE | XDP_FLAGS_REPLACE, &opts);
	return err ? xr_fail(why, err, "it was taken, but cannot be taken off: %s",
			     xr_complaint(err))
		   : 0;
}
