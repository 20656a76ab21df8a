// SPDX-License-Identifier: GPL-2.0-only
#include "daemon/post.h"

static uint64_t now_ns(void *world)
{
	(void)world;
	return xr_now_ns();
}

static void put(void *world, uint8_t to, const void *bytes, size_t size)
{
	xr_trains_put(world, to, bytes, size);
}

static void flush(void *world)
{
	xr_trains_flush(world);
}

const struct xr_host xr_post_host = {.now_ns = now_ns, .send = put, .flush = flush};
