// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <string.h>
#include <xdp/libxdp.h>
#include "nic/program.h"

/* Of any ABI: this reads only the fields that all of them have. */
static void read_control(int fd, const struct bpf_map_info *info, struct xr_program *p)
{
	_cleanup_free_ struct xr_control *c = calloc(1, info->value_size + sizeof(*c));
	uint32_t zero = 0;

	if (!c || info->value_size < XR_CONTROL_STABLE || bpf_map_lookup_elem(fd, &zero, c))
		return;
	p->xraft = true;
	p->control_id = info->id;
	p->node = c->self;
	memcpy(p->cluster, c->cluster, sizeof(p->cluster) - 1);
}

static void read_map(uint32_t id, struct xr_program *p)
{
	_cleanup_fd_ int fd = bpf_map_get_fd_by_id(id);
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size))
		return;
	if (!strcmp(info.name, "xr_control"))
		read_control(fd, &info, p);
	else if (!strcmp(info.name, "xr_groups"))
		p->groups_id = id;
	else if (!strcmp(info.name, "xr_acks"))
		p->acks_id = id;
	else if (!strcmp(info.name, "xr_peers"))
		p->peers_id = id;
}

static bool is_our_name(const char *name)
{
	return !strcmp(name, XR_PROGRAM) || !strcmp(name, XR_FENCE_OUT) ||
	       !strcmp(name, XR_FENCE_IN);
}

int xr_program_read(int fd, struct xr_program *p)
{
	uint32_t ids[32], size = sizeof(struct bpf_prog_info);
	struct bpf_prog_info info = {.nr_map_ids = ARRAY_SIZE(ids), .map_ids = (uintptr_t)ids};

	*p = (struct xr_program){0};
	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	p->id = info.id;
	snprintf(p->name, sizeof(p->name), "%s", info.name);
	if (!is_our_name(p->name))
		return 0;
	for (uint32_t i = 0; i < info.nr_map_ids && i < ARRAY_SIZE(ids); i++)
		read_map(ids[i], p);
	return 0;
}

static void add(struct xr_programs *found, int fd, unsigned int ifindex, enum xr_nic_mode mode,
		bool dispatched)
{
	struct xr_program *p = &found->all[found->n];

	if (found->n == XR_PROGRAMS_MAX || xr_program_read(fd, p))
		return;
	p->ifindex = ifindex;
	p->mode = mode;
	p->dispatched = dispatched;
	found->n++;
}

/* libxdp 1.3 forgets descriptors that it has opened, and a program lives as long as they do. */
static void close_leaked(const int *fds, const uint32_t *ids, size_t n)
{
	struct xr_program p;

	for (size_t i = 0; i < n; i++)
		if (!xr_program_read(fds[i], &p) && p.id == ids[i])
			close(fds[i]);
}

static void add_dispatched(struct xr_programs *found, unsigned int ifindex, enum xr_nic_mode mode)
{
	struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex((int)ifindex);
	struct xdp_program *program = NULL;
	int fds[XR_PROGRAMS_MAX + 1];
	uint32_t ids[ARRAY_SIZE(fds)];
	size_t n = 1;

	if (libxdp_get_error(mp))
		return;
	fds[0] = xdp_program__fd(xdp_multiprog__main_prog(mp));
	ids[0] = xdp_program__id(xdp_multiprog__main_prog(mp));
	while (n < ARRAY_SIZE(fds) && (program = xdp_multiprog__next_prog(program, mp))) {
		fds[n] = xdp_program__fd(program);
		ids[n] = xdp_program__id(program);
		add(found, fds[n++], ifindex, mode, true);
	}
	xdp_multiprog__close(mp);
	close_leaked(fds, ids, n);
}

int xr_programs_on(struct xr_programs *found, unsigned int ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	enum xr_nic_mode mode;
	_cleanup_fd_ int fd = -1;
	uint32_t id;

	found->n = 0;
	if (bpf_xdp_query((int)ifindex, 0, &query))
		return 0;
	mode = query.skb_prog_id ? XR_NIC_GENERIC : XR_NIC_NATIVE;
	id = query.skb_prog_id	 ? query.skb_prog_id
	     : query.drv_prog_id ? query.drv_prog_id
				 : query.hw_prog_id;
	if (!id)
		return 0;
	fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0)
		return errno == EPERM || errno == EACCES ? -EPERM : 0;
	add(found, fd, ifindex, mode, false);
	if (found->n && !strcmp(found->all[0].name, "xdp_dispatcher")) {
		found->n = 0;
		add_dispatched(found, ifindex, mode);
	}
	return 0;
}

bool xr_program_is(const struct xr_program *p, const char *cluster, unsigned int node)
{
	return p->xraft && p->node == node && !strncmp(p->cluster, cluster, sizeof(p->cluster));
}

/* Where are they attached? Asked only if there are any: a machine may have many interfaces. */
static void find_interfaces(struct xr_programs *found)
{
	struct if_nameindex *all = if_nameindex();
	struct xr_programs here;

	for (struct if_nameindex *i = all; i && i->if_index; i++) {
		xr_programs_on(&here, i->if_index);
		for (size_t k = 0; k < here.n; k++)
			for (size_t j = 0; j < found->n; j++)
				if (found->all[j].id == here.all[k].id)
					found->all[j] = here.all[k];
	}
	if_freenameindex(all);
}

int xr_programs_of(struct xr_programs *found, const char *cluster, unsigned int node)
{
	uint32_t id = 0;

	found->n = 0;
	while (found->n < XR_PROGRAMS_MAX && !bpf_prog_get_next_id(id, &id)) {
		_cleanup_fd_ int fd = bpf_prog_get_fd_by_id(id);
		struct xr_program *p = &found->all[found->n];

		if (fd < 0 && (errno == EPERM || errno == EACCES))
			return -EPERM;
		if (fd >= 0 && !xr_program_read(fd, p) && p->xraft &&
		    (!cluster || xr_program_is(p, cluster, node)))
			found->n++;
	}
	if (found->n)
		find_interfaces(found);
	else if (errno == EPERM)
		return -EPERM;
	return 0;
}

void xr_program_says(const struct xr_program *p, char *text, size_t size)
{
	if (p->xraft && p->node)
		snprintf(text, size, "the XDP program of node %u of xraft's cluster %s (id %u)",
			 p->node, p->cluster, p->id);
	else
		snprintf(text, size, "the XDP program %s (id %u)", p->name[0] ? p->name : "?",
			 p->id);
}

/* Drivers check an interface also when a program goes: an MTU that XDP does not bear is refused. */
const char *xr_program_remedy(int err)
{
	return err == -EPERM || err == -EACCES ? "run as root (CAP_NET_ADMIN)"
					       : "undo what was changed at the interface since it "
						 "was attached (a larger MTU?)";
}

static int open_maps(const struct xr_program *p, struct xr_maps *m, struct xr_why *why)
{
	int err;

	*m = (struct xr_maps)XR_MAPS_NONE;
	m->control_fd = bpf_map_get_fd_by_id(p->control_id);
	m->groups_fd = bpf_map_get_fd_by_id(p->groups_id);
	m->acks_fd = bpf_map_get_fd_by_id(p->acks_id);
	m->peers_fd = bpf_map_get_fd_by_id(p->peers_id);
	err = xr_maps_mmap(m, true, why);
	if (!err && *(volatile __u32 *)&m->control->abi != XR_ABI)
		err = xr_fail(why, -EPROTO, "its maps are of another version of xraft");
	if (err)
		xr_maps_close(m);
	return err;
}

bool xr_program_lives(const struct xr_program *p)
{
	struct xr_maps m;
	uint64_t heard_ns;
	bool turned = false;

	if (open_maps(p, &m, NULL))
		return false;
	heard_ns = *(volatile __u64 *)&m.control->heard_ns;
	for (int i = 0; i < 30 && !turned; i++) {
		nanosleep(&(struct timespec){.tv_nsec = 20 * NS_PER_MS}, NULL);
		turned = *(volatile __u64 *)&m.control->heard_ns != heard_ns;
	}
	xr_maps_close(&m);
	return turned;
}

int xr_program_fence(const struct xr_program *p, struct xr_why *why)
{
	struct xr_maps m;
	int err = open_maps(p, &m, why);

	if (err)
		return err;
	xr_nic_fence(&m, NULL);
	xr_maps_close(&m);
	return 0;
}

/*
 * Nothing arrives at port 0. The record is replaced whole: the engine that wrote it is dead, and a
 * program writes nothing there (rule 13).
 */
int xr_program_mute(const struct xr_program *p)
{
	_cleanup_fd_ int fd = bpf_map_get_fd_by_id(p->control_id);
	_cleanup_free_ struct xr_control *c = NULL;
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info), zero = 0;

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	c = calloc(1, info.value_size + sizeof(*c));
	if (!c)
		return -ENOMEM;
	if (bpf_map_lookup_elem(fd, &zero, c))
		return -errno;
	c->port = 0;
	return bpf_map_update_elem(fd, &zero, c, BPF_ANY) ? -errno : 0;
}
