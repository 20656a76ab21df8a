// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "nic/maps.h"

struct pin {
	const char *name;
	enum bpf_map_type type;
	uint32_t value_size;
	bool mapped;	  /* into our memory */
	size_t fd_offset; /* in struct xr_maps */
};

#define FD(member) offsetof(struct xr_maps, member)
#define ANY_SIZE   UINT32_MAX /* as configured */

/* xr_control first: where it is missing there is no node at all. */
static const struct pin pins[] = {
	{"xr_control", BPF_MAP_TYPE_ARRAY, sizeof(struct xr_control), true, FD(control_fd)},
	{"xr_groups", BPF_MAP_TYPE_ARRAY, sizeof(struct xr_group), true, FD(groups_fd)},
	{"xr_acks", BPF_MAP_TYPE_ARRAY, sizeof(struct xr_acks), true, FD(acks_fd)},
	{"xr_peers", BPF_MAP_TYPE_ARRAY, sizeof(struct xr_peer), true, FD(peers_fd)},
	{"xr_values", BPF_MAP_TYPE_ARRAY, ANY_SIZE, true, FD(values_fd)},
	{"xr_stats", BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(struct xr_stats), false, FD(stats_fd)},
	{"xr_events", BPF_MAP_TYPE_RINGBUF, 0, false, FD(events_fd)},
	{"xr_addresses", BPF_MAP_TYPE_HASH, sizeof(struct xr_address), false, FD(addresses_fd)},
};

static int *pin_fd(struct xr_maps *m, const struct pin *pin)
{
	return (int *)((char *)m + pin->fd_offset);
}

const char *xr_maps_name(size_t i)
{
	return i < ARRAY_SIZE(pins) ? pins[i].name : NULL;
}

int *xr_maps_fd(struct xr_maps *m, size_t i)
{
	return pin_fd(m, &pins[i]);
}

void xr_maps_dir(char *dir, size_t size, const char *cluster, uint8_t node)
{
	snprintf(dir, size, "%s/%s-%u", XR_BPFFS_DIR, cluster, node);
}

static int map_info(int fd, struct bpf_map_info *info)
{
	uint32_t size = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return bpf_obj_get_info_by_fd(fd, info, &size) ? -errno : 0;
}

static int open_failed(const char *dir, const struct pin *pin, int err, struct xr_why *why)
{
	if (err == -ENOENT && pin == pins)
		return xr_fail(why, err,
			       "%s: no maps are pinned there; start xraftd, or name another node "
			       "(xraft -n)",
			       dir);
	if (err == -ENOENT)
		return xr_fail(why, err,
			       "%s: %s is missing; start xraftd, which pins all maps anew, or "
			       "remove the rest with xraft detach",
			       dir, pin->name);
	if (err == -EACCES || err == -EPERM)
		return xr_fail(why, -EACCES,
			       "%s/%s: no right to open it; run as root, or as a member of the "
			       "group to which [self] group gives it",
			       dir, pin->name);
	return xr_fail(why, err, "%s/%s: cannot be opened: %s; see xraft doctor", dir, pin->name,
		       strerror(-err));
}

static int get_pin(const char *dir, const struct pin *pin, bool writable)
{
	LIBBPF_OPTS(bpf_obj_get_opts, opts, .file_flags = writable ? 0 : BPF_F_RDONLY);
	char path[512];
	int fd;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, pin->name) >= sizeof(path))
		return -ENAMETOOLONG;
	fd = bpf_obj_get_opts(path, &opts);
	return fd < 0 ? -errno : fd;
}

static int open_pin(struct xr_maps *m, const char *dir, const struct pin *pin, bool writable,
		    struct xr_why *why)
{
	struct bpf_map_info info;
	int err, fd;

	fd = get_pin(dir, pin, writable || (pin->mapped && !m->copied));
	if (fd == -EACCES && !writable && pin->mapped) {
		m->copied = true;
		fd = get_pin(dir, pin, false);
	}
	if (fd < 0)
		return open_failed(dir, pin, fd, why);
	*pin_fd(m, pin) = fd;
	err = map_info(fd, &info);
	if (err)
		return xr_fail(why, err == -EINVAL ? -EPROTO : err,
			       "%s/%s: what is pinned there is no readable map (%s); remove it",
			       dir, pin->name, strerror(-err));
	if (info.type != pin->type ||
	    (info.value_size != pin->value_size && pin->value_size != ANY_SIZE))
		return xr_fail(why, -EPROTO,
			       "%s/%s: is a map of another version of xraft (type %u, %u bytes a "
			       "value; wanted %u, %u); use the xraft that belongs to the running "
			       "xraftd, or restart xraftd",
			       dir, pin->name, info.type, info.value_size, pin->type,
			       pin->value_size);
	return 0;
}

/*
 * The kernel maps memory only from a writable descriptor (it takes a shared mapping of a
 * read-only one for a private one: EINVAL). A reader gives it back as soon as it has mapped.
 */
static int drop_write_access(struct xr_maps *m, const char *dir, struct xr_why *why)
{
	for (size_t i = 0; i < ARRAY_SIZE(pins); i++) {
		int fd;

		if (!pins[i].mapped)
			continue;
		fd = get_pin(dir, &pins[i], false);
		if (fd < 0)
			return open_failed(dir, &pins[i], fd, why);
		xr_close_fd(pin_fd(m, &pins[i]));
		*pin_fd(m, &pins[i]) = fd;
	}
	return 0;
}

size_t xr_maps_group(const struct xr_maps *m, const char *name)
{
	size_t id = 0;

	while (id < m->ngroups &&
	       (!m->groups[id].members || strncmp(m->groups[id].name, name, XR_NAME_SIZE)))
		id++;
	return id;
}

bool xr_maps_look(int fd, uint32_t key, void *value)
{
	return !bpf_map_lookup_elem(fd, &key, value);
}

static size_t page_round(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (size + page - 1) / page * page;
}

/* Rounded up to pages, as the kernel lays an mmapable array out. */
static size_t groups_size(size_t n)
{
	return page_round(n * sizeof(struct xr_group));
}

static size_t acks_size(size_t n)
{
	return page_round(n * sizeof(struct xr_acks));
}

static size_t values_size(const struct xr_maps *m)
{
	return page_round(m->ngroups * m->value_size);
}

static size_t peers_size(void)
{
	return page_round((XR_NODE_MAX + 1) * sizeof(struct xr_peer));
}

static size_t control_size(void)
{
	return page_round(sizeof(struct xr_control));
}

static void unmap(struct xr_maps *m)
{
	if (m->groups)
		munmap(m->groups, groups_size(m->ngroups));
	if (m->acks)
		munmap(m->acks, acks_size(m->ngroups));
	if (m->peers)
		munmap(m->peers, peers_size());
	if (m->control)
		munmap(m->control, control_size());
	if (m->values)
		munmap(m->values, values_size(m));
	m->groups = NULL;
	m->acks = NULL;
	m->peers = NULL;
	m->control = NULL;
	m->values = NULL;
	m->ngroups = 0;
}

/* fd -1: plain memory, shared with children as a map would be. */
static void *map_memory(int fd, size_t size, bool writable)
{
	int flags = fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED;
	void *p = mmap(NULL, size, writable ? PROT_READ | PROT_WRITE : PROT_READ, flags, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Control last: what it says of the time is not older than what it is compared with. */
static bool copy_all(struct xr_maps *m)
{
	for (uint32_t id = 0; id < m->ngroups; id++)
		if (!xr_maps_look(m->values_fd, id, xr_maps_value(m, id)) ||
		    !xr_maps_look(m->groups_fd, id, &m->groups[id]) ||
		    !xr_maps_look(m->acks_fd, id, &m->acks[id]))
			return false;
	for (uint32_t node = 0; node <= XR_NODE_MAX; node++)
		if (!xr_maps_look(m->peers_fd, node, &m->peers[node]))
			return false;
	return xr_maps_look(m->control_fd, 0, m->control);
}

static int map_all(struct xr_maps *m, size_t ngroups, size_t value_size, bool writable)
{
	bool own = m->copied;
	int err;

	m->ngroups = ngroups;
	m->value_size = value_size;
	writable |= own;
	m->groups = map_memory(own ? -1 : m->groups_fd, groups_size(ngroups), writable);
	if (m->groups)
		m->acks = map_memory(own ? -1 : m->acks_fd, acks_size(ngroups), writable);
	if (m->acks)
		m->peers = map_memory(own ? -1 : m->peers_fd, peers_size(), writable);
	if (m->peers && value_size)
		m->values = map_memory(own ? -1 : m->values_fd, values_size(m), writable);
	if (m->values || (m->peers && !value_size))
		m->control = map_memory(own ? -1 : m->control_fd, control_size(), writable);
	if (m->control && (!own || copy_all(m)))
		return 0;
	err = errno ? -errno : -ENOMEM;
	unmap(m);
	return err;
}

static bool are_values(const struct bpf_map_info *info, size_t ngroups)
{
	return info->value_size >= sizeof(struct xr_value) && info->value_size % 8 == 0 &&
	       info->max_entries == ngroups;
}

int xr_maps_mmap(struct xr_maps *m, bool writable, struct xr_why *why)
{
	struct bpf_map_info groups, acks, peers, control, values = {0};
	bool valued = m->values_fd >= 0; /* the program does not use them */
	int err;

	if (map_info(m->groups_fd, &groups) || map_info(m->acks_fd, &acks) ||
	    map_info(m->peers_fd, &peers) || map_info(m->control_fd, &control) ||
	    (valued && map_info(m->values_fd, &values)))
		return xr_fail(why, -errno, "the maps cannot be read: %s; see xraft doctor",
			       strerror(errno));
	if (groups.value_size != sizeof(struct xr_group) ||
	    acks.value_size != sizeof(struct xr_acks) ||
	    control.value_size != sizeof(struct xr_control) || control.max_entries != 1 ||
	    peers.value_size != sizeof(struct xr_peer) || peers.max_entries != XR_NODE_MAX + 1 ||
	    (valued && !are_values(&values, groups.max_entries)) ||
	    groups.max_entries != acks.max_entries || groups.max_entries > XR_GROUPS_MAX)
		return xr_fail(why, -EPROTO,
			       "the maps' sizes are not this version's; install xraftd and its "
			       "program from one version, and restart it");
	err = map_all(m, groups.max_entries, values.value_size, writable);
	if (err)
		return xr_fail(
			why, err, "the maps cannot be mapped into memory: %s; %s", strerror(-err),
			err == -EAGAIN || err == -ENOMEM ? "raise LimitMEMLOCK= of the service"
							 : "see xraft doctor");
	return 0;
}

static int check_abi(const struct xr_maps *m, const char *dir, struct xr_why *why)
{
	uint32_t abi = *(const volatile __u32 *)&m->control->abi;

	if (abi == XR_ABI)
		return 0;
	return xr_fail(why, -EPROTO,
		       "%s: is of ABI %u and this xraft speaks %u; use the xraft that belongs to "
		       "the running xraftd, or restart xraftd",
		       dir, abi, XR_ABI);
}

int xr_maps_open(struct xr_maps *m, const char *dir, bool writable, struct xr_why *why)
{
	int err = 0;

	*m = (struct xr_maps)XR_MAPS_NONE;
	for (size_t i = 0; i < ARRAY_SIZE(pins) && !err; i++)
		err = open_pin(m, dir, &pins[i], writable, why);
	if (!err)
		err = xr_maps_mmap(m, writable, why);
	if (!err)
		err = check_abi(m, dir, why);
	if (!err && !writable && !m->copied)
		err = drop_write_access(m, dir, why);
	if (err)
		xr_maps_close(m);
	return err;
}

int xr_maps_alloc(struct xr_maps *m, size_t ngroups, size_t value_bytes, struct xr_why *why)
{
	int err;

	*m = (struct xr_maps)XR_MAPS_NONE;
	if (ngroups == 0 || ngroups > XR_GROUPS_MAX)
		return xr_fail(why, -EINVAL, "%zu groups: there can be 1 to %d", ngroups,
			       XR_GROUPS_MAX);
	err = map_all(m, ngroups, xr_maps_value_size(value_bytes), true);
	if (err)
		return xr_fail(why, err, "no memory for %zu groups: %s; configure fewer groups",
			       ngroups, strerror(-err));
	return 0;
}

int xr_maps_stats(const struct xr_maps *m, struct xr_stats out[2])
{
	int ncpus = libbpf_num_possible_cpus();
	_cleanup_free_ struct xr_stats *each = NULL;

	_Static_assert(sizeof(struct xr_stats) % 8 == 0, "no padding between the CPUs' values");
	memset(out, 0, 2 * sizeof(*out));
	if (m->stats_fd < 0)
		return 0;
	if (ncpus < 0)
		return ncpus;
	each = calloc((size_t)ncpus, sizeof(*each));
	if (!each)
		return -ENOMEM;
	for (uint32_t who = 0; who < 2; who++) {
		uint64_t *sum = (uint64_t *)&out[who];

		if (bpf_map_lookup_elem(m->stats_fd, &who, each))
			return -errno;
		for (int cpu = 0; cpu < ncpus; cpu++)
			for (int r = 0; r < XR_REASON_END; r++)
				sum[r] += ((const uint64_t *)&each[cpu])[r];
	}
	return 0;
}

uint64_t xr_maps_timens(void)
{
	struct stat st;

	if (!stat("/proc/self/ns/time", &st))
		return st.st_ino;
	return errno == ENOENT && !access("/proc/self/ns/net", F_OK);
}

void xr_maps_close(struct xr_maps *m)
{
	unmap(m);
	for (size_t i = 0; i < ARRAY_SIZE(pins); i++)
		xr_close_fd(pin_fd(m, &pins[i]));
	xr_close_fd(&m->key_fd);
	xr_close_fd(&m->socket_fd);
}
