// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include "engine/timers.h"

int xr_timers_init(struct xr_timers *t, uint32_t size)
{
	uint32_t nblocks = (size + XR_TIMERS_BLOCK - 1) / XR_TIMERS_BLOCK;
	size_t ids = (size_t)nblocks * XR_TIMERS_BLOCK;

	*t = (struct xr_timers){
		.at_ns = malloc(ids * sizeof(*t->at_ns)),
		.early_ns = malloc(nblocks * sizeof(*t->early_ns)),
		.heap = malloc(nblocks * sizeof(*t->heap)),
		.place = malloc(nblocks * sizeof(*t->place)),
		.nblocks = nblocks,
	};
	if (!t->at_ns || !t->early_ns || !t->heap || !t->place) {
		xr_timers_free(t);
		return -ENOMEM;
	}
	memset(t->at_ns, 0xff, ids * sizeof(*t->at_ns));
	memset(t->early_ns, 0xff, nblocks * sizeof(*t->early_ns));
	for (uint32_t i = 0; i < nblocks; i++)
		t->heap[i] = t->place[i] = i;
	return 0;
}

void xr_timers_free(struct xr_timers *t)
{
	free(t->at_ns);
	free(t->early_ns);
	free(t->heap);
	free(t->place);
	*t = (struct xr_timers){0};
}

static bool before(const struct xr_timers *t, uint32_t a, uint32_t b)
{
	return t->early_ns[t->heap[a]] < t->early_ns[t->heap[b]];
}

static void swap(struct xr_timers *t, uint32_t a, uint32_t b)
{
	uint32_t block = t->heap[a];

	t->heap[a] = t->heap[b];
	t->heap[b] = block;
	t->place[t->heap[a]] = a;
	t->place[t->heap[b]] = b;
}

static void rise(struct xr_timers *t, uint32_t at)
{
	for (; at && before(t, at, (at - 1) / 2); at = (at - 1) / 2)
		swap(t, at, (at - 1) / 2);
}

static void sink(struct xr_timers *t, uint32_t at)
{
	for (;;) {
		uint32_t least = at;

		for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < t->nblocks;
		     child++)
			if (before(t, child, least))
				least = child;
		if (least == at)
			return;
		swap(t, at, least);
		at = least;
	}
}

/* A block whose earliest timer was put off stays where it is: it is looked at when its turn comes. */
void xr_timers_set(struct xr_timers *t, uint32_t id, uint64_t at_ns)
{
	uint32_t block = id / XR_TIMERS_BLOCK;

	t->at_ns[id] = at_ns;
	if (at_ns >= t->early_ns[block])
		return;
	t->early_ns[block] = at_ns;
	rise(t, t->place[block]);
}

/* The first block, once it stands where it belongs. */
static uint32_t first_block(struct xr_timers *t)
{
	for (;;) {
		uint32_t block = t->heap[0];
		const uint64_t *at_ns = &t->at_ns[block * XR_TIMERS_BLOCK];
		uint64_t early_ns = UINT64_MAX;

		for (uint32_t i = 0; i < XR_TIMERS_BLOCK; i++)
			if (at_ns[i] < early_ns)
				early_ns = at_ns[i];
		if (early_ns == t->early_ns[block])
			return block;
		t->early_ns[block] = early_ns;
		sink(t, 0);
	}
}

uint64_t xr_timers_next_ns(struct xr_timers *t)
{
	return t->early_ns[first_block(t)];
}

uint32_t xr_timers_due(struct xr_timers *t, uint64_t now_ns, struct xr_due due[XR_TIMERS_BLOCK])
{
	uint32_t block = first_block(t), n = 0;
	uint64_t early_ns = UINT64_MAX;

	if (t->early_ns[block] > now_ns)
		return 0;
	for (uint32_t id = block * XR_TIMERS_BLOCK; id < (block + 1) * XR_TIMERS_BLOCK; id++) {
		if (t->at_ns[id] <= now_ns) {
			due[n++] = (struct xr_due){.at_ns = t->at_ns[id], .id = id};
			t->at_ns[id] = UINT64_MAX;
		} else if (t->at_ns[id] < early_ns) {
			early_ns = t->at_ns[id];
		}
	}
	t->early_ns[block] = early_ns;
	sink(t, 0);
	return n;
}
