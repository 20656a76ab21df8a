// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <string.h>
#include <sys/stat.h>
#include "nic/address.h"
#include "nic/complaint.h"
#include "nic/program.h"
#include "xraft.skel.h"

static void unpin(const char *dir)
{
	char path[512];

	for (size_t i = 0; xr_maps_name(i); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, xr_maps_name(i));
		unlink(path);
	}
	rmdir(dir);
}

/* A program that nobody can take off: it lets everything pass, and its maps are not adopted. */
static int silence(const struct xr_program *p, const struct xr_nic_opts *o)
{
	char dir[256];

	xr_maps_dir(dir, sizeof(dir), o->cluster, o->node);
	unpin(dir);
	return xr_program_mute(p);
}

/* Off the interface; or, where the kernel refuses that, out of everyone's way. */
static int retire(const struct xr_program *p, const struct xr_nic_opts *o, struct xr_why *why)
{
	int err = xr_detach(o, p->ifindex), muted;
	char interface[IF_NAMESIZE] = "?";

	if (!err)
		return 0;
	muted = silence(p, o);
	if_indextoname(p->ifindex, interface);
	return muted ? xr_fail(why, muted,
			       "%s: the XDP program of an earlier start (id %u) can neither be "
			       "taken "
			       "off (%s) nor silenced: %s; run as root",
			       interface, p->id, strerror(-err), strerror(-muted))
		     : 0;
}

/*
 * A program whose pins are gone: removed, or in another bpffs. In the latter its engine may live,
 * and our lock says nothing of that.
 */
static int fence_unpinned(const struct xr_program *p, const struct xr_nic_opts *o,
			  struct xr_why *why)
{
	char interface[IF_NAMESIZE] = "?";

	if_indextoname(p->ifindex, interface);
	if (xr_program_lives(p))
		return xr_fail(
			why, -EBUSY,
			"node %u of cluster %s runs already: its XDP program (id %u) is on %s, "
			"and its engine lives, with pins that are not in this " XR_BPFFS_DIR
			"; stop that xraftd first, or give this node an id of its own",
			o->node, o->cluster, p->id, interface);
	return xr_program_fence(p, why) ? retire(p, o, why) : 0;
}

static int fence_programs(const struct xr_nic_opts *o, uint32_t pinned, struct xr_why *why)
{
	struct xr_programs found;
	int err = 0;

	if (xr_programs_of(&found, o->cluster, o->node))
		return 0; /* no right to look; so none to attach one, which will be said */
	for (size_t i = 0; i < found.n && !err; i++) {
		const struct xr_program *p = &found.all[i];
		bool elsewhere = p->ifindex != if_nametoindex(o->interface);

		if (p->ifindex && p->control_id != pinned)
			err = fence_unpinned(p, o, why);
		if (!err && p->ifindex && elsewhere) /* another interface is configured now */
			err = retire(p, o, why);
	}
	return err;
}

static uint32_t map_id(int fd)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.id;
}

int xr_nic_fence_leftovers(const struct xr_nic_opts *o, struct xr_why *why)
{
	struct xr_maps maps = XR_MAPS_NONE;
	uint32_t pinned = 0;
	char dir[256];
	int err;

	xr_complaint_begin();
	xr_maps_dir(dir, sizeof(dir), o->cluster, o->node);
	err = xr_maps_open(&maps, dir, true, why);
	if (!err) {
		xr_nic_fence(&maps, NULL);
		pinned = map_id(maps.control_fd);
		xr_maps_close(&maps);
	} else if (err == -ENOENT || err == -EPROTO) {
		unpin(dir); /* half a set of pins, or of another ABI: by the program, if at all */
	} else if (!access(dir, F_OK)) {
		return err;
	}
	err = fence_programs(o, pinned, why);
	if (!err)
		why->text[0] = '\0'; /* that there is nothing to fence is no error */
	return err;
}

/* Adopt pinned maps that have room, so that readers of the old ones go on reading. */
static void adopt_maps(struct bpf_object *object, const char *dir, size_t ngroups,
		       size_t value_size)
{
	struct xr_maps old = XR_MAPS_NONE;
	bool fits = !xr_maps_open(&old, dir, true, NULL) && old.ngroups >= ngroups &&
		    old.value_size == value_size;

	for (size_t i = 0; fits && xr_maps_name(i); i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, xr_maps_name(i));

		if (strcmp(xr_maps_name(i), "xr_addresses")) /* which each start makes anew */
			fits = !bpf_map__reuse_fd(map, *xr_maps_fd(&old, i));
	}
	if (!fits)
		unpin(dir);
	xr_maps_close(&old);
}

static struct bpf_object *open_object(const struct xr_nic_opts *o, const char *dir,
				      struct xr_why *why)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	size_t size;
	const void *elf = xraft_bpf__elf_bytes(&size);
	struct bpf_object *object = bpf_object__open_mem(elf, size, &opts);
	uint32_t value_size = xr_maps_value_size(o->value_bytes);
	uint32_t entries = (o->ngroups + 3) / 4 *
			   4; /* a little room, and a dump that can be read */

	if (!object) {
		xr_fail(why, -errno, "cannot open the XDP program that is built in: %m");
		return NULL;
	}
	bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "xr_groups"), entries);
	bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "xr_acks"), entries);
	bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "xr_values"), entries);
	bpf_map__set_value_size(bpf_object__find_map_by_name(object, "xr_values"), value_size);
	adopt_maps(object, dir, entries, value_size);
	if (!xr_fence_prepare(object, o, -1, why))
		return object;
	bpf_object__close(object);
	return NULL;
}

static int map_fd(struct xr_nic *nic, const char *name)
{
	return dup(bpf_map__fd(bpf_object__find_map_by_name(nic->object, name)));
}

void xr_nic_admit(const char *path, uint32_t readers, mode_t alone, mode_t together)
{
	if (chmod(path, alone) || chown(path, (uid_t)-1, readers) || !readers)
		return;
	chmod(path, together);
}

/* Pin what is not pinned yet, and take hold of the memory. */
static int take_maps(struct xr_nic *nic, const char *dir, uint32_t readers, struct xr_why *why)
{
	struct xr_maps *m = &nic->maps;
	char path[512];

	if (mkdir(dir, 0700) && errno != EEXIST)
		return xr_fail(why, -errno, "cannot create %s: %m", dir);
	xr_nic_admit(dir, readers, 0700, 0750);
	for (size_t i = 0; xr_maps_name(i); i++) {
		int *fd = xr_maps_fd(m, i);

		*fd = map_fd(nic, xr_maps_name(i));
		snprintf(path, sizeof(path), "%s/%s", dir, xr_maps_name(i));
		if (fd == &m->addresses_fd)
			unlink(path); /* that of an earlier start */
		if (access(path, F_OK) && bpf_obj_pin(*fd, path))
			return xr_fail(why, -errno, "cannot pin %s: %m", path);
		xr_nic_admit(path, readers, 0600, 0640);
	}
	m->key_fd = map_fd(nic, "xr_key");
	m->socket_fd = map_fd(nic, "xr_socket");
	return xr_maps_mmap(m, true, why);
}

/* One attempt in one mode. XR_NIC_OFF makes the maps and attaches nothing. */
static int attempt(struct xr_nic *nic, const struct xr_nic_opts *o, enum xr_nic_mode mode,
		   struct xr_why *why)
{
	char dir[256];
	int err;

	xr_maps_dir(dir, sizeof(dir), o->cluster, o->node);
	xr_complaint_begin();
	nic->object = open_object(o, dir, why);
	if (!nic->object)
		return -EINVAL;
	if (mode == XR_NIC_OFF) {
		err = bpf_object__load(nic->object);
		if (err)
			xr_fail(why, err, "the kernel refuses the XDP program or its maps: %s",
				xr_complaint(err));
	} else {
		err = xr_attach(nic->object, o, mode, nic->ifindex, &nic->attach, why);
	}
	if (!err)
		err = take_maps(nic, dir, o->readers, why);
	if (!err && nic->ifindex)
		err = xr_fence_attach(nic->object, o, mode, nic->ifindex, why);
	if (err) {
		xr_maps_close(&nic->maps);
		bpf_object__close(nic->object);
		nic->object = NULL;
		return err;
	}
	nic->mode = mode;
	return 0;
}

/* Without BPF at all: plain memory, the daemon answers everything itself. */
static int without_bpf(struct xr_nic *nic, const struct xr_nic_opts *o, struct xr_why *why)
{
	struct xr_why reason = *why;

	nic->mode = XR_NIC_OFF;
	nic->attach = XR_ATTACH_NONE;
	if (o->naddresses)
		return xr_fail(why, -EOPNOTSUPP,
			       "virtual addresses need BPF, which fences them, and there is none "
			       "here (%.200s); see xraft doctor, or take [addresses] out",
			       reason.text);
	snprintf(nic->remark + strlen(nic->remark), sizeof(nic->remark) - strlen(nic->remark),
		 "%sno BPF maps (%.120s): status only through the daemon",
		 nic->remark[0] ? "; " : "", reason.text);
	return xr_maps_alloc(&nic->maps, o->ngroups, o->value_bytes, why);
}

/* What an earlier start has left there would drop by its own keys, and share the maps. */
static void clear_interface(struct xr_nic *nic, const struct xr_nic_opts *o)
{
	int err = xr_detach(o, nic->ifindex);
	struct xr_programs there;

	if (!err || xr_programs_on(&there, nic->ifindex))
		return;
	for (size_t i = 0; i < there.n; i++)
		if (xr_program_is(&there.all[i], o->cluster, o->node))
			silence(&there.all[i], o);
	snprintf(nic->stays, sizeof(nic->stays),
		 "the XDP program of an earlier start stays on %s, and lets everything pass: it "
		 "cannot "
		 "be taken off (%.40s); %s, and restart xraftd",
		 o->interface, strerror(-err), xr_program_remedy(err));
}

static int open_off(struct xr_nic *nic, const struct xr_nic_opts *o, struct xr_why *why)
{
	if (nic->ifindex)
		clear_interface(nic, o);
	return attempt(nic, o, XR_NIC_OFF, why) ? without_bpf(nic, o, why) : 0;
}

/* From native downwards, as far as the configuration lets it. */
static int open_best(struct xr_nic *nic, const struct xr_nic_opts *o, struct xr_why *why)
{
	int err;

	if (o->interface[0] || o->want != XR_XDP_OFF) {
		nic->ifindex = if_nametoindex(o->interface);
		if (!nic->ifindex)
			return xr_fail(why, -ENODEV,
				       "there is no interface %s here; see ip link, and correct "
				       "[self] interface",
				       o->interface);
	}
	err = xr_nic_bpffs(why);
	if (err)
		return o->want == XR_XDP_OFF || o->want == XR_XDP_AUTO ? without_bpf(nic, o, why)
								       : err;
	if (o->want == XR_XDP_OFF)
		return open_off(nic, o, why);
	err = xr_nic_check_clock(why);
	if (err)
		return err;
	err = -EOPNOTSUPP;
	if (o->want != XR_XDP_GENERIC)
		err = attempt(nic, o, XR_NIC_NATIVE, why);
	if (!err || o->want == XR_XDP_NATIVE)
		return err;
	if (o->want == XR_XDP_AUTO)
		snprintf(nic->remark, sizeof(nic->remark), "no native XDP (%.190s)", why->text);
	err = attempt(nic, o, XR_NIC_GENERIC, why);
	if (!err || o->want == XR_XDP_GENERIC)
		return err;
	return open_off(nic, o, why);
}

int xr_nic_open(struct xr_nic *nic, const struct xr_nic_opts *o, struct xr_why *why)
{
	int err;

	*nic = (struct xr_nic){.maps = XR_MAPS_NONE};
	err = open_best(nic, o, why);
	if (!err)
		why->text[0] = '\0'; /* of a step down, that is in the remark */
	return err;
}

int xr_nic_write_keys(struct xr_nic *nic, const struct xr_key keys[2], struct xr_why *why)
{
	if (nic->maps.key_fd < 0)
		return 0;
	for (uint32_t slot = 0; slot < 2; slot++)
		if (bpf_map_update_elem(nic->maps.key_fd, &slot, &keys[slot], BPF_ANY))
			return xr_fail(why, -errno, "cannot write xr_key: %m");
	return 0;
}

int xr_nic_write_socket(struct xr_nic *nic, int fd, struct xr_why *why)
{
	uint32_t zero = 0;
	uint64_t value = (uint64_t)fd;

	if (nic->maps.socket_fd < 0)
		return 0;
	/* Where there is no program one may come. */
	if (bpf_map_update_elem(nic->maps.socket_fd, &zero, &value, BPF_ANY) &&
	    nic->mode != XR_NIC_OFF)
		return xr_fail(why, -errno,
			       "the NIC path cannot watch the socket (xr_socket: %m); see xraft "
			       "doctor, or set xdp = off");
	return 0;
}

void xr_nic_close(struct xr_nic *nic)
{
	xr_maps_close(&nic->maps);
	if (nic->object)
		bpf_object__close(nic->object);
	nic->object = NULL;
}
