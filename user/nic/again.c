// SPDX-License-Identifier: GPL-2.0-only
/*
 * What became of the NIC path since it was opened, and how it is put back (rule 20): the program on the
 * interface, the pins, the peers' addresses. All by the maps that this process holds: what is pinned or
 * attached is ours where it uses them.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>
#include <sys/stat.h>
#include "nic/address.h"
#include "nic/complaint.h"
#include "nic/program.h"
#include "xraft.skel.h"

static uint32_t map_id(int fd)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.id;
}

int xr_nic_find(const struct xr_nic *nic, unsigned int ifindex, struct xr_nic_found *found)
{
	uint32_t control_id = map_id(nic->maps.control_fd);
	struct xr_programs there;
	int err = xr_programs_on(&there, ifindex);

	*found = (struct xr_nic_found){0};
	if (err)
		return err;
	for (size_t i = 0; i < there.n; i++) {
		const struct xr_program *p = &there.all[i];

		if (p->xraft && p->control_id == control_id) {
			found->ours = true;
			found->mode = p->mode;
			found->attach = p->dispatched ? XR_ATTACH_DISPATCHER : XR_ATTACH_SINGLE;
		} else if (!p->dispatched) {
			found->taken = true;
			found->mode = p->mode;
			xr_program_says(p, found->by, sizeof(found->by));
		}
	}
	return 0;
}

static int reuse(struct bpf_object *object, const char *name, int fd)
{
	return bpf_map__reuse_fd(bpf_object__find_map_by_name(object, name), fd);
}

/* The program once more, over the maps that there are. */
static struct bpf_object *open_again(struct xr_nic *nic, const struct xr_nic_opts *o,
				     struct xr_why *why)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	struct xr_maps *m = &nic->maps;
	size_t size;
	const void *elf = xraft_bpf__elf_bytes(&size);
	struct bpf_object *object = bpf_object__open_mem(elf, size, &opts);
	int err = object ? 0 : -errno;

	for (size_t i = 0; xr_maps_name(i) && !err; i++)
		err = reuse(object, xr_maps_name(i), *xr_maps_fd(m, i));
	if (!err)
		err = reuse(object, "xr_key", m->key_fd);
	if (!err)
		err = reuse(object, "xr_socket", m->socket_fd);
	if (!err)
		err = xr_fence_prepare(object, o, m->addresses_fd, why);
	if (!err)
		return object;
	bpf_object__close(object);
	xr_fail(why, err, "the program cannot be opened again: %s", strerror(-err));
	return NULL;
}

int xr_nic_attach_again(struct xr_nic *nic, const struct xr_nic_opts *o, unsigned int ifindex,
			struct xr_why *why)
{
	enum xr_nic_mode modes[] = {XR_NIC_NATIVE, XR_NIC_GENERIC};
	int err = -EOPNOTSUPP;

	for (size_t i = 0; i < ARRAY_SIZE(modes) && err; i++) {
		struct bpf_object *object;

		if ((modes[i] == XR_NIC_NATIVE && o->want == XR_XDP_GENERIC) ||
		    (modes[i] == XR_NIC_GENERIC && o->want == XR_XDP_NATIVE))
			continue;
		xr_complaint_begin();
		object = open_again(nic, o, why);
		if (!object)
			return -EINVAL;
		err = xr_attach(object, o, modes[i], ifindex, &nic->attach, why);
		if (!err) {
			err = xr_fence_attach(object, o, modes[i], ifindex, why);
			if (err)
				xr_detach(o, ifindex);
		}
		if (err) {
			bpf_object__close(object);
			continue;
		}
		bpf_object__close(nic->object);
		nic->object = object;
		nic->mode = modes[i];
		nic->ifindex = ifindex;
	}
	return err;
}

int xr_nic_fence_again(struct xr_nic *nic, const struct xr_nic_opts *o, enum xr_nic_mode mode,
		       unsigned int ifindex, struct xr_why *why)
{
	int err;

	if (!nic->object || xr_fence_is_on(o, mode, ifindex))
		return 0;
	xr_complaint_begin();
	err = xr_fence_attach(nic->object, o, mode, ifindex, why);
	return err ? err : 1;
}

/*
 * ---- pins ----
 */
int xr_nic_pin_again(struct xr_nic *nic, const struct xr_nic_opts *o, struct xr_why *why)
{
	char dir[256], path[300];
	int again = 0;

	xr_maps_dir(dir, sizeof(dir), o->cluster, o->node);
	for (size_t i = 0; xr_maps_name(i); i++) {
		int ours = *xr_maps_fd(&nic->maps, i);
		_cleanup_fd_ int fd = -1;

		snprintf(path, sizeof(path), "%s/%s", dir, xr_maps_name(i));
		fd = bpf_obj_get(path);
		if (fd >= 0 && map_id(fd) == map_id(ours))
			continue;
		if (fd >= 0)
			return xr_fail(why, -EEXIST,
				       "%s is another map; rm -r %s, and xraftd pins its own again",
				       xr_maps_name(i), dir);
		if (errno != ENOENT || xr_nic_bpffs(why) || (mkdir(dir, 0700) && errno != EEXIST) ||
		    bpf_obj_pin(ours, path))
			return xr_fail(
				why, -errno,
				"%s cannot be pinned again (%m); is bpffs on /sys/fs/bpf? Else: "
				"mount -t bpf bpf /sys/fs/bpf",
				xr_maps_name(i));
		xr_nic_admit(path, o->readers, 0600, 0640);
		again++;
	}
	if (again)
		xr_nic_admit(dir, o->readers, 0700, 0750);
	return again;
}

/*
 * ---- peers ----
 */

int xr_nic_mend_peers(struct xr_nic *nic, const struct xr_peer *peers)
{
	int mended = 0;

	for (uint32_t node = 0; node <= XR_NODE_MAX; node++) {
		struct xr_peer *there = &nic->maps.peers[node];

		if (xr_peer_is_at(there, &peers[node]) && there->priority == peers[node].priority)
			continue;
		xr_peer_take(there, &peers[node]);
		mended |= 1 << node;
	}
	return mended;
}
