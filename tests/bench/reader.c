// SPDX-License-Identifier: GPL-2.0-only
/* bench_reader CLUSTER NODE GROUP: what a call of xr_is_leader() costs, in nanoseconds. */
#include <string.h>
#include "common/common.h"
#include "xraft/xraft.h"

#define BATCHES 10000
#define CALLS	100

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static double ns[BATCHES];
	struct xr_handle *h;
	char why[256] = "CLUSTER NODE GROUP";
	int group, led = 0;

	if (argc != 4 || xr_open(&h, argv[1], (unsigned int)atoi(argv[2]), why, sizeof(why))) {
		fprintf(stderr, "bench_reader: %s\n", why);
		return 1;
	}
	group = xr_group_id(h, argv[3]);
	for (int i = 0; i < BATCHES; i++) {
		uint64_t before_ns = xr_now_ns();

		for (int j = 0; j < CALLS; j++)
			led += xr_is_leader(h, group, NULL);
		ns[i] = (double)(xr_now_ns() - before_ns) / CALLS;
	}
	qsort(ns, BATCHES, sizeof(*ns), compare);
	printf("xr_is_leader: median %.1f ns, 99 %% %.1f, max %.1f (means of %d calls); true %d of "
	       "%d\n",
	       ns[BATCHES / 2], ns[BATCHES * 99 / 100], ns[BATCHES - 1], CALLS, led,
	       BATCHES * CALLS);
	xr_close(h);
	return 0;
}
