// SPDX-License-Identifier: GPL-2.0-only
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "common/common.h"
#include "nic/maps.h"
#include "net/env.h"
#include "xraft/xraft.h"

/* Where a process stands; the kernel sets it to 0 in a child. */
enum { FORKED = 0, SAME_CLOCK = 1, OTHER_CLOCK = 2 };

struct xr_handle {
	struct xr_maps maps;
	char pin[300];
	ino_t ino;
	_Atomic unsigned char *place; /* a page that a fork wipes */
};

#define PAGE 4096

static bool same_clock(const struct xr_control *c)
{
	struct stat st;

	return !c->timens || stat("/proc/self/ns/time", &st) || st.st_ino == c->timens;
}

static int look_around(struct xr_handle *h, struct xr_why *why)
{
	struct stat st;

	if (stat(h->pin, &st))
		return xr_fail(why, -errno, "%s: %m", h->pin);
	h->ino = st.st_ino;
	if (!same_clock(h->maps.control))
		return xr_fail(why, -EXDEV,
			       "xraftd runs in another time namespace than this process, so that "
			       "their clocks differ; run both in one");
	h->place = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (h->place == MAP_FAILED || madvise((void *)h->place, PAGE, MADV_WIPEONFORK)) {
		h->place = h->place == MAP_FAILED ? NULL : h->place;
		return xr_fail(why, -ENOMEM, "no memory that a fork wipes: %m");
	}
	*h->place = SAME_CLOCK;
	return 0;
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
		munmap((void *)h->place, PAGE);
	xr_maps_close(&h->maps);
	free(h);
}

int xr_group_id(const struct xr_handle *h, const char *name)
{
	for (size_t id = 0; id < h->maps.ngroups; id++)
		if (h->maps.groups[id].voters &&
		    !strncmp(h->maps.groups[id].name, name, XR_NAME_SIZE))
			return (int)id;
	return -1;
}

/* Rule 16: after a fork the namespaces may be others. */
static bool is_usable(const struct xr_handle *h)
{
	if (atomic_load_explicit(h->place, memory_order_relaxed) == FORKED)
		*h->place = same_clock(h->maps.control) ? SAME_CLOCK : OTHER_CLOCK;
	return atomic_load_explicit(h->place, memory_order_relaxed) == SAME_CLOCK;
}

/* Rule 16: a reader loads these between its two looks at the view. */
static void copy_lease(const struct xr_group *g, const struct xr_acks *a, struct xr_group *lease,
		       struct xr_acks *acks)
{
	lease->lead_since_ns = *(const volatile __u64 *)&g->lead_since_ns;
	lease->voters = *(const volatile __u32 *)&g->voters;
	xr_each_node(node)
		acks->echo_ns[node] = *(const volatile __u64 *)&a->echo_ns[node];
}

bool xr_is_leader(const struct xr_handle *h, int group, uint64_t *token)
{
	const struct xr_control *c = h->maps.control;
	const struct xr_group *g = &h->maps.groups[group];
	struct xr_group lease;
	struct xr_acks acks;
	union xr_word view;
	uint64_t deadline_ns, now_ns;

	if (group < 0 || (size_t)group >= h->maps.ngroups || !is_usable(h))
		return false;
	atomic_thread_fence(memory_order_seq_cst);
	view = xr_view_read(g);
	if (view.view.mode != XR_LEAD)
		return false;
	atomic_thread_fence(memory_order_acquire); /* nothing below is older than the view */
	XR_PAUSE;
	copy_lease(g, &h->maps.acks[group], &lease, &acks);
	deadline_ns = *(const volatile __u64 *)&c->alive_until_ns;
	atomic_thread_fence(memory_order_seq_cst); /* and the clock not older than that */
	XR_PAUSE;
	now_ns = xr_now_ns();
	atomic_thread_fence(memory_order_seq_cst);
	XR_PAUSE;
	if (xr_view_read(g).word != view.word || !xr_before(now_ns, deadline_ns) ||
	    !xr_quorum_fresh(&lease, &acks, c->self, now_ns, xr_lease_ns(c)))
		return false;
	if (token)
		*token = view.view.term;
	return true;
}

unsigned int xr_leader(const struct xr_handle *h, int group, uint64_t *term)
{
	union xr_word v;

	if (group < 0 || (size_t)group >= h->maps.ngroups)
		return 0;
	v = xr_view_read(&h->maps.groups[group]);
	if (term)
		*term = v.view.term;
	return v.view.mode == XR_NONE ? 0 : v.view.leader;
}

bool xr_stale(const struct xr_handle *h)
{
	struct stat st;

	return stat(h->pin, &st) || st.st_ino != h->ino;
}
