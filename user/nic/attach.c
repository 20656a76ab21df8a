// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attach through libxdp, so that several programs may share an interface. Where the kernel refuses
 * its dispatcher there is one program, and that one is replaced in place at a restart: detaching
 * first would open a gap, and bounces the link on some drivers.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <string.h>
#include <xdp/libxdp.h>
#include "nic/complaint.h"
#include "nic/program.h"

#define XDP_PINS "/sys/fs/bpf/xdp" /* libxdp's */

/*
 * Ours: its control map names this node of this cluster. The interface's only program may have been
 * begun and not named: it answers nobody and is in everyone's way.
 */
static bool is_ours(const struct xr_program *p, const struct xr_nic_opts *o)
{
	return xr_program_is(p, o->cluster, o->node) || (!p->dispatched && p->xraft && !p->node);
}

static uint32_t mode_flag(enum xr_nic_mode mode)
{
	return mode == XR_NIC_NATIVE ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
}

static enum xdp_attach_mode libxdp_mode(enum xr_nic_mode mode)
{
	return mode == XR_NIC_NATIVE ? XDP_MODE_NATIVE : XDP_MODE_SKB;
}

static int replace_single(struct bpf_object *object, const struct xr_program *old,
			  struct xr_why *why)
{
	_cleanup_fd_ int old_fd = bpf_prog_get_fd_by_id(old->id);
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts, .old_prog_fd = old_fd);
	struct bpf_program *program = bpf_object__find_program_by_name(object, XR_PROGRAM);
	int err = old_fd < 0 ? -errno : bpf_object__load(object);

	if (!err)
		err = bpf_xdp_attach((int)old->ifindex, bpf_program__fd(program),
				     mode_flag(old->mode) | XDP_FLAGS_REPLACE, &opts);
	if (err)
		return xr_fail(why, err, "cannot replace the XDP program of an earlier start: %s",
			       xr_complaint(err));
	return 0;
}

static int detach_single(const struct xr_program *old)
{
	_cleanup_fd_ int fd = bpf_prog_get_fd_by_id(old->id);
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts, .old_prog_fd = fd);

	return fd < 0 ? -errno
		      : bpf_xdp_detach((int)old->ifindex, mode_flag(old->mode) | XDP_FLAGS_REPLACE,
				       &opts);
}

static int detach_dispatched(const struct xr_program *old)
{
	struct xdp_program *program = xdp_program__from_id(old->id);
	long err = libxdp_get_error(program);

	if (err)
		return (int)err;
	err = xdp_program__detach(program, (int)old->ifindex, libxdp_mode(old->mode), 0);
	xdp_program__close(program);
	return (int)err;
}

/* All of ours but `keep`. The reason of the last refusal, if one stays. */
static int detach_ours(const struct xr_nic_opts *o, unsigned int ifindex, uint32_t keep)
{
	struct xr_programs there;
	int err = xr_programs_on(&there, ifindex);

	for (size_t i = 0; i < there.n; i++) {
		const struct xr_program *p = &there.all[i];
		int failed = 0;

		if (p->id != keep && is_ours(p, o))
			failed = p->dispatched ? detach_dispatched(p) : detach_single(p);
		err = failed ? failed : err;
	}
	return err;
}

/* Its own only: whose the others in that dispatcher are, they see to theirs. */
static int forget_in(const char *dir, uint32_t id)
{
	int forgotten = 0;

	for (int slot = 0; slot < XR_PROGRAMS_MAX; slot++) {
		_cleanup_fd_ int fd = -1;
		struct xr_program p;
		char path[320];

		snprintf(path, sizeof(path), "%s/prog%d-prog", dir, slot);
		fd = bpf_obj_get(path);
		if (fd < 0 || xr_program_read(fd, &p) || p.id != id)
			continue;
		forgotten += !unlink(path);
		snprintf(path, sizeof(path), "%s/prog%d-link", dir, slot);
		unlink(path);
	}
	rmdir(dir);
	return forgotten;
}

int xr_program_forget(uint32_t id)
{
	DIR *all = opendir(XDP_PINS);
	struct dirent *e;
	int forgotten = 0;

	while (all && (e = readdir(all))) {
		char dir[300], name[IF_NAMESIZE];
		unsigned int ifindex;

		if (sscanf(e->d_name, "dispatch-%u-", &ifindex) != 1 ||
		    if_indextoname(ifindex, name))
			continue;
		snprintf(dir, sizeof(dir), XDP_PINS "/%s", e->d_name);
		forgotten += forget_in(dir, id);
	}
	if (all)
		closedir(all);
	return forgotten;
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

/* Taking another's program off would end what it does: say whose it is, and how to get along. */
static int occupied(const struct xr_nic_opts *o, unsigned int ifindex, struct xr_why *why)
{
	struct xr_programs there;
	const struct xr_program *p = there.all;
	char what[128] = "another XDP program";

	xr_programs_on(&there, ifindex);
	if (there.n)
		xr_program_says(p, what, sizeof(what));
	if (there.n && p->xraft && p->node)
		return xr_fail(
			why, -EBUSY,
			"%s: %s is attached, and here only one can be: give this node another "
			"interface, or set xdp = off; if that node is gone for good: xraft -n "
			"%s.%u detach",
			o->interface, what, p->cluster, p->node);
	return xr_fail(
		why, -EBUSY,
		"%s: %s is attached and does not share the interface; give this node another "
		"interface, or set xdp = off; see xraft doctor",
		o->interface, what);
}

static int attach_new(struct bpf_object *object, const struct xr_nic_opts *o, unsigned int ifindex,
		      enum xr_nic_mode mode, struct xr_why *why)
{
	DECLARE_LIBXDP_OPTS(xdp_program_opts, opts, .obj = object, .prog_name = XR_PROGRAM);
	struct xdp_program *program = xdp_program__create(&opts);
	int err = libxdp_get_error(program);

	if (!err) {
		err = xdp_program__attach(program, ifindex, libxdp_mode(mode), 0);
		if (!err)
			detach_ours(o, ifindex, xdp_program__id(program)); /* the old one last */
		/* The object stays with the caller; closing frees only libxdp's wrapper of it. */
		xdp_program__close(program);
	}
	if (err == -EBUSY || err == -EEXIST)
		return occupied(o, ifindex, why);
	if (err == -EPERM || err == -EACCES)
		return xr_fail(why, err,
			       "no right to attach an XDP program to %s; run as root, or with "
			       "CAP_BPF and CAP_NET_ADMIN",
			       o->interface);
	if (err)
		return xr_fail(why, err, "%s: %s XDP is refused: %s; see xraft doctor",
			       o->interface, mode == XR_NIC_NATIVE ? "native" : "generic",
			       xr_complaint(err));
	return 0;
}

int xr_attach(struct bpf_object *object, const struct xr_nic_opts *o, enum xr_nic_mode mode,
	      unsigned int ifindex, enum xr_nic_attach *how, struct xr_why *why)
{
	struct xr_programs there;
	const struct xr_program *old = there.all;
	int err = xr_programs_on(&there, ifindex);

	if (err)
		return xr_fail(why, err,
			       "%s has an XDP program, and there is no right to look whose it is; "
			       "run as root (CAP_SYS_ADMIN)",
			       o->interface);
	if (there.n == 1 && !old->dispatched && is_ours(old, o)) {
		if (old->mode == mode) {
			*how = XR_ATTACH_SINGLE;
			return replace_single(object, old, why);
		}
		/* The kernel does not run both modes at a time; a change of mode has a gap. */
		err = detach_single(old);
		if (err)
			return xr_fail(why, err,
				       "%s: the XDP program of an earlier start cannot be taken "
				       "off: %s",
				       o->interface, strerror(-err));
	}
	err = attach_new(object, o, ifindex, mode, why);
	if (!err)
		*how = how_attached(ifindex);
	return err;
}

int xr_detach(const struct xr_nic_opts *o, unsigned int ifindex)
{
	return detach_ours(o, ifindex, 0);
}
