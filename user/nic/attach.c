// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attach through libxdp, so that several programs may share an interface. Where the kernel refuses
 * its dispatcher there is one program, and that one is replaced in place at a restart: detaching
 * first would open a gap, and bounces the link on some drivers.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <string.h>
#include <xdp/libxdp.h>
#include "nic/nic.h"

#define PROGRAM "xr_nic"

/* `begun`: the map of a start that ended before it wrote its name there counts, too. */
static bool map_is_control_of(uint32_t id, const struct xr_nic_opts *o, bool begun)
{
	_cleanup_fd_ int fd = bpf_map_get_fd_by_id(id);
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info), zero = 0;
	_cleanup_free_ void *value = NULL;
	struct xr_control *control;

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) || strcmp(info.name, "xr_control") ||
	    info.value_size < XR_CONTROL_STABLE)
		return false;
	/* Of any ABI: this looks only at the fields that all of them have. */
	value = calloc(1, info.value_size + sizeof(*control));
	control = value;
	if (!value || bpf_map_lookup_elem(fd, &zero, value))
		return false;
	return (begun && !control->abi) ||
	       (control->self == o->node &&
		!strncmp(control->cluster, o->cluster, sizeof(control->cluster)));
}

/*
 * Ours: it has our name, and its control map names this node of this cluster. The interface's only
 * program may be `begun`, as it answers nobody and is in everyone's way.
 */
static bool program_is_ours(int fd, const struct xr_nic_opts *o, bool begun)
{
	uint32_t ids[32], size = sizeof(struct bpf_prog_info);
	struct bpf_prog_info info = {.nr_map_ids = ARRAY_SIZE(ids), .map_ids = (uintptr_t)ids};

	if (bpf_obj_get_info_by_fd(fd, &info, &size) || strcmp(info.name, PROGRAM))
		return false;
	for (uint32_t i = 0; i < info.nr_map_ids && i < ARRAY_SIZE(ids); i++)
		if (map_is_control_of(ids[i], o, begun))
			return true;
	return false;
}

static uint32_t mode_flag(enum xr_nic_mode mode)
{
	return mode == XR_NIC_NATIVE ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
}

static enum xdp_attach_mode libxdp_mode(enum xr_nic_mode mode)
{
	return mode == XR_NIC_NATIVE ? XDP_MODE_NATIVE : XDP_MODE_SKB;
}

/* Which single program is attached, and in which mode; -ENOENT: none; -EPERM: no right to look. */
static int attached_program(unsigned int ifindex, enum xr_nic_mode *mode)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	int fd;

	if (bpf_xdp_query(ifindex, 0, &query) || (!query.drv_prog_id && !query.skb_prog_id))
		return -ENOENT;
	*mode = query.drv_prog_id ? XR_NIC_NATIVE : XR_NIC_GENERIC;
	fd = bpf_prog_get_fd_by_id(query.drv_prog_id ? query.drv_prog_id : query.skb_prog_id);
	return fd < 0 ? -errno : fd;
}

static int replace_single(struct bpf_object *object, unsigned int ifindex, int old_fd,
			  enum xr_nic_mode mode, struct xr_why *why)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts, .old_prog_fd = old_fd);
	struct bpf_program *program = bpf_object__find_program_by_name(object, PROGRAM);
	int err = bpf_object__load(object);

	if (!err)
		err = bpf_xdp_attach(ifindex, bpf_program__fd(program),
				     mode_flag(mode) | XDP_FLAGS_REPLACE, &opts);
	if (err)
		return xr_fail(why, err, "cannot replace the XDP program of an earlier start: %s",
			       strerror(-err));
	return 0;
}

/* With the dispatcher: the new one first, then the old one out, so that none slips past. */
static void drop_older_ours(unsigned int ifindex, uint32_t new_id, const struct xr_nic_opts *o,
			    enum xdp_attach_mode mode)
{
	struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex(ifindex);
	struct xdp_program *program = NULL, *old = NULL;

	if (libxdp_get_error(mp))
		return;
	while ((program = xdp_multiprog__next_prog(program, mp)))
		if (xdp_program__id(program) != new_id &&
		    program_is_ours(xdp_program__fd(program), o, false))
			old = xdp_program__from_id(xdp_program__id(program));
	xdp_multiprog__close(mp);
	if (!old || libxdp_get_error(old))
		return;
	xdp_program__detach(old, ifindex, mode, 0);
	xdp_program__close(old);
}

static enum xr_nic_attach how_attached(unsigned int ifindex)
{
	struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex(ifindex);
	enum xr_nic_attach how = XR_ATTACH_SINGLE;

	if (libxdp_get_error(mp))
		return how;
	if (!xdp_multiprog__is_legacy(mp))
		how = XR_ATTACH_DISPATCHER;
	xdp_multiprog__close(mp);
	return how;
}

static int attach_new(struct bpf_object *object, const struct xr_nic_opts *o, unsigned int ifindex,
		      enum xr_nic_mode mode, struct xr_why *why)
{
	DECLARE_LIBXDP_OPTS(xdp_program_opts, opts, .obj = object, .prog_name = PROGRAM);
	struct xdp_program *program = xdp_program__create(&opts);
	int err = libxdp_get_error(program);

	if (!err) {
		err = xdp_program__attach(program, ifindex, libxdp_mode(mode), 0);
		if (!err)
			drop_older_ours(ifindex, xdp_program__id(program), o, libxdp_mode(mode));
		/* The object stays with the caller; closing frees only libxdp's wrapper of it. */
		xdp_program__close(program);
	}
	if (err == -EBUSY || err == -EEXIST)
		return xr_fail(
			why, -EBUSY,
			"%s: another XDP program is attached that does not share the "
			"interface; detach it (ip link set dev %s xdp off), or set xdp = off",
			o->interface, o->interface);
	if (err == -EPERM || err == -EACCES)
		return xr_fail(why, err,
			       "no right to attach an XDP program to %s; run as root, or with "
			       "CAP_BPF and CAP_NET_ADMIN",
			       o->interface);
	if (err)
		return xr_fail(why, err, "%s: %s XDP is refused: %s; see xraft doctor",
			       o->interface, mode == XR_NIC_NATIVE ? "native" : "generic",
			       strerror(-err));
	return 0;
}

int xr_attach(struct bpf_object *object, const struct xr_nic_opts *o, enum xr_nic_mode mode,
	      unsigned int ifindex, enum xr_nic_attach *how, struct xr_why *why)
{
	enum xr_nic_mode old_mode = XR_NIC_OFF;
	_cleanup_fd_ int old_fd = attached_program(ifindex, &old_mode);
	int err;

	if (old_fd == -EPERM)
		return xr_fail(why, -EPERM,
			       "%s has an XDP program, and there is no right to look whose it is; "
			       "run as root (CAP_SYS_ADMIN)",
			       o->interface);
	if (old_fd >= 0 && program_is_ours(old_fd, o, true)) {
		if (old_mode == mode) {
			*how = XR_ATTACH_SINGLE;
			return replace_single(object, ifindex, old_fd, mode, why);
		}
		/* The kernel does not run both modes at a time; a change of mode has a gap. */
		xr_detach(o, ifindex);
	}
	err = attach_new(object, o, ifindex, mode, why);
	if (!err)
		*how = how_attached(ifindex);
	return err;
}

int xr_detach(const struct xr_nic_opts *o, unsigned int ifindex)
{
	enum xr_nic_mode mode = XR_NIC_OFF;
	_cleanup_fd_ int fd = attached_program(ifindex, &mode);
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts, .old_prog_fd = fd);

	if (fd < 0)
		return 0;
	if (program_is_ours(fd, o, true))
		return bpf_xdp_detach(ifindex, mode_flag(mode) | XDP_FLAGS_REPLACE, &opts);
	if (how_attached(ifindex) == XR_ATTACH_DISPATCHER)
		drop_older_ours(ifindex, 0, o, libxdp_mode(mode));
	return 0;
}
