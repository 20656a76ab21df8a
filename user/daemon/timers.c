// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include "daemon/timers.h"

int xr_timers_init(struct xr_timers *t, uint32_t size)
{
	*t = (struct xr_timers){
		.heap = calloc(size, sizeof(*t->heap)),
		.place = malloc(size * sizeof(*t->place)),
		.at_ns = calloc(size, sizeof(*t->at_ns)),
		.size = size,
	};
	if (!t->heap || !t->place || !t->at_ns) {
		xr_timers_free(t);
		return -ENOMEM;
	}
	memset(t->place, 0xff, size * sizeof(*t->place));
	return 0;
}

void xr_timers_free(struct xr_timers *t)
{
	free(t->heap);
	free(t->place);
	free(t->at_ns);
	*t = (struct xr_timers){0};
}

static bool before(const struct xr_timers *t, uint32_t a, uint32_t b)
{
	return t->at_ns[t->heap[a]] < t->at_ns[t->heap[b]];
}

static void swap(struct xr_timers *t, uint32_t a, uint32_t b)
{
	uint32_t id = t->heap[a];

	t->heap[a] = t->heap[b];
	t->heap[b] = id;
	t->place[t->heap[a]] = a;
	t->place[t->heap[b]] = b;
}

static void settle(struct xr_timers *t, uint32_t at)
{
	while (at && before(t, at, (at - 1) / 2)) {
		swap(t, at, (at - 1) / 2);
		at = (at - 1) / 2;
	}
	for (;;) {
		uint32_t least = at;

		for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < t->armed; child++)
			if (before(t, child, least))
				least = child;
		if (least == at)
			return;
		swap(t, at, least);
		at = least;
	}
}

static void disarm(struct xr_timers *t, uint32_t id)
{
	uint32_t at = t->place[id];

	if (at == UINT32_MAX)
		return;
	swap(t, at, --t->armed);
	t->place[id] = UINT32_MAX;
	if (at < t->armed)
		settle(t, at);
}

void xr_timers_set(struct xr_timers *t, uint32_t id, uint64_t at_ns)
{
	if (at_ns == UINT64_MAX) {
		disarm(t, id);
		return;
	}
	t->at_ns[id] = at_ns;
	if (t->place[id] == UINT32_MAX) {
		t->place[id] = t->armed;
		t->heap[t->armed++] = id;
	}
	settle(t, t->place[id]);
}

uint64_t xr_timers_next_ns(const struct xr_timers *t)
{
	return t->armed ? t->at_ns[t->heap[0]] : UINT64_MAX;
}

uint32_t xr_timers_due(struct xr_timers *t, uint64_t now_ns)
{
	uint32_t id;

	if (xr_timers_next_ns(t) > now_ns)
		return UINT32_MAX;
	id = t->heap[0];
	disarm(t, id);
	return id;
}
