// SPDX-License-Identifier: GPL-2.0-only
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "lib/lease.h"
#include "lib/value.h"
#include "xraft/xraft.h"

/* Where a process stands; the kernel sets it to 0 in a child. */
enum { FORKED = 0, SAME_CLOCK = 1, OTHER_CLOCK = 2 };

/* A page that a fork wipes. */
struct place {
	_Atomic int clock;
	/*
	 * CLOCK_REALTIME less CLOCK_BOOTTIME, rounded down. It changes when somebody sets the wall
	 * clock, and when setns() takes this process into another time namespace, which moves the one
	 * and not the other. Memory tells of no such move, and the clocks do.
	 */
	_Atomic int64_t shift_ns;
};

struct xr_handle {
	struct xr_maps maps;
	char pin[300];
	ino_t ino;
	uint64_t timens; /* as the daemon told when this was opened */
	struct place *place;
};

#define PAGE	 4096
#define SLACK_NS ((int64_t)(10 * NS_PER_US)) /* between two looks at clocks, without a pause */

/* The lower bound of the shift of which the clocks tell most closely; *width_ns: how closely. */
static int64_t measure_shift(int64_t *width_ns)
{
	int64_t best_ns = 0;

	*width_ns = INT64_MAX;
	for (int i = 0; i < 3; i++) {
		uint64_t before_ns = xr_now_ns(), wall_ns = xr_wall_ns(), after_ns = xr_now_ns();

		if ((int64_t)(after_ns - before_ns) >= *width_ns)
			continue;
		*width_ns = (int64_t)(after_ns - before_ns);
		best_ns = (int64_t)(wall_ns - after_ns);
	}
	return best_ns - 100; /* the clocks are rounded each for itself */
}

/* Asks the kernel. What it does not tell is "no" (rule 16). */
static bool look_at_clock(const struct xr_handle *h)
{
	bool same = h->timens && xr_maps_timens() == h->timens;
	int64_t width_ns;

	atomic_store(&h->place->shift_ns, measure_shift(&width_ns));
	atomic_store(&h->place->clock, same ? SAME_CLOCK : OTHER_CLOCK);
	return same;
}

/* Is `now_ns` by the clock that this process had when it last looked? In the rule by two loads. */
static bool is_by_same_clock(const struct xr_handle *h, uint64_t now_ns)
{
	int64_t known_ns = atomic_load_explicit(&h->place->shift_ns, memory_order_relaxed);
	int64_t shift_ns = (int64_t)(xr_wall_ns() - now_ns), width_ns;

	if (shift_ns >= known_ns && shift_ns < known_ns + SLACK_NS)
		return true;
	shift_ns = measure_shift(&width_ns); /* or it was only paused meanwhile */
	if (shift_ns < known_ns + SLACK_NS && shift_ns + width_ns + 100 >= known_ns)
		return true;
	return look_at_clock(h);
}

static int look_around(struct xr_handle *h, struct xr_why *why)
{
	struct stat st;

	if (stat(h->pin, &st))
		return xr_fail(why, -errno, "%s: %m", h->pin);
	h->ino = st.st_ino;
	h->place = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (h->place == MAP_FAILED || madvise(h->place, PAGE, MADV_WIPEONFORK)) {
		h->place = h->place == MAP_FAILED ? NULL : h->place;
		return xr_fail(why, -ENOMEM, "no memory that a fork wipes: %m");
	}
	h->timens = *(const volatile __u64 *)&h->maps.control->timens;
	if (look_at_clock(h))
		return 0;
	if (!h->timens)
		return xr_fail(why, -EXDEV,
			       "xraftd does not tell its time namespace: it is just starting, or "
			       "cannot read /proc; mount /proc where it runs, and restart it");
	if (!xr_maps_timens())
		return xr_fail(why, -EXDEV,
			       "/proc/self/ns/time cannot be read, so that this process may have "
			       "another clock than xraftd; mount /proc where it runs");
	return xr_fail(why, -EXDEV,
		       "xraftd runs in another time namespace than this process, so that their "
		       "clocks differ; run both in one");
}

/* Pins can be moved, and a number be too large for what it is asked of. */
static int check_name(const struct xr_control *c, const char *cluster, unsigned int node,
		      struct xr_why *why)
{
	if (c->self == node && !strncmp(c->cluster, cluster, sizeof(c->cluster)))
		return 0;
	return xr_fail(
		why, -ENOENT,
		"no maps of node %u of cluster %.16s are here, but of %.16s.%u; name a node of "
		"this machine (xraft status)",
		node, cluster, c->cluster, c->self);
}

int xr_open(struct xr_handle **out, const char *cluster, unsigned int node, char *text, size_t size)
{
	static const struct xr_maps none = XR_MAPS_NONE;
	struct xr_handle *h = calloc(1, sizeof(*h));
	struct xr_why why = {"no memory"};
	char dir[256];
	int err = -ENOMEM;

	if (h) {
		h->maps = none;
		xr_maps_dir(dir, sizeof(dir), cluster, (uint8_t)node);
		snprintf(h->pin, sizeof(h->pin), "%s/xr_groups", dir);
		err = xr_maps_open(&h->maps, dir, false, &why);
		if (!err)
			err = check_name(h->maps.control, cluster, node, &why);
		if (!err)
			err = look_around(h, &why);
	}
	if (!err) {
		*out = h;
		return 0;
	}
	if (size)
		snprintf(text, size, "%s", why.text);
	xr_close(h);
	return err;
}

void xr_close(struct xr_handle *h)
{
	if (!h)
		return;
	if (h->place)
		munmap(h->place, PAGE);
	xr_maps_close(&h->maps);
	free(h);
}

int xr_group_id(const struct xr_handle *h, const char *name)
{
	struct xr_sight s;

	for (int id = 0; (size_t)id < h->maps.ngroups && xr_sight_group(&h->maps, (size_t)id, &s);
	     id++)
		if (s.group->members && !strncmp(s.group->name, name, XR_NAME_SIZE))
			return id;
	return -1;
}

/* Rule 16: after a fork the namespaces may be others. */
static bool is_usable(const struct xr_handle *h)
{
	int clock = atomic_load_explicit(&h->place->clock, memory_order_relaxed);

	return clock == FORKED ? look_at_clock(h) : clock == SAME_CLOCK;
}

/* False: at some moment during the call this node held no lease, or it cannot be told (rule 16). */
static inline bool read_lease(const struct xr_handle *h, int group, struct xr_lease *lease)
{
	if (group < 0 || (size_t)group >= h->maps.ngroups || !is_usable(h))
		return false;
	return xr_lease_look(&h->maps, (size_t)group, lease) && lease->timens == h->timens &&
	       is_by_same_clock(h, lease->now_ns);
}

bool xr_is_leader(const struct xr_handle *h, int group, uint64_t *token)
{
	struct xr_lease lease;

	if (!read_lease(h, group, &lease))
		return false;
	if (token)
		*token = lease.view.view.term;
	return true;
}

uint64_t xr_lease_left(const struct xr_handle *h, int group, uint64_t *token)
{
	uint64_t left_ns, alive_ns, lease_ns = xr_lease_ns(h->maps.control);
	struct xr_lease lease;

	if (!read_lease(h, group, &lease))
		return 0;
	if (token)
		*token = lease.view.view.term;
	left_ns = lease_ns -
		  xr_quorum_age_ns(&lease.group, &lease.acks, h->maps.control->self, lease.now_ns);
	alive_ns = lease.deadline_ns - lease.now_ns;
	return left_ns < alive_ns ? left_ns : alive_ns;
}

void xr_timing(const struct xr_handle *h, struct xr_lease_timing *timing)
{
	const struct xr_control *c = h->maps.control;

	*timing = (struct xr_lease_timing){
		.lease_ns = xr_lease_ns(c),
		.heartbeat_ns = c->heartbeat_us * NS_PER_US,
		.handover_ns = c->min_timeout_us * NS_PER_US,
	};
}

unsigned int xr_leader(const struct xr_handle *h, int group, uint64_t *term)
{
	struct xr_sight s;
	union xr_word v;

	if (group < 0 || (size_t)group >= h->maps.ngroups ||
	    !xr_sight_group(&h->maps, (size_t)group, &s))
		return 0;
	v = xr_view_read(s.group);
	if (term)
		*term = v.view.term;
	return v.view.mode == XR_NONE ? 0 : v.view.leader;
}

int xr_value(const struct xr_handle *h, int group, void *value, size_t size,
	     struct xr_value_state *state)
{
	struct xr_entry entry;
	uint64_t committed;
	int err;

	*state = (struct xr_value_state){0};
	if (group < 0 || (size_t)group >= h->maps.ngroups)
		return -EINVAL;
	err = xr_value_read(&h->maps, (size_t)group, &entry, &committed);
	if (err && err != -EMSGSIZE)
		return err;
	state->id = entry.id;
	state->committed = committed == entry.id;
	state->size = entry.size;
	if (err || entry.size > size)
		return -EMSGSIZE;
	memcpy(value, entry.value, entry.size);
	return 0;
}

bool xr_stale(const struct xr_handle *h)
{
	struct stat st;

	return stat(h->pin, &st) || st.st_ino != h->ino;
}
