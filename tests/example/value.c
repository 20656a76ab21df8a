// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* value CLUSTER NODE GROUP: tell what the group agrees on, and each time that it changes. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xraft/xraft.h>

static void go_to(const char *value, size_t size, uint64_t id)
{
	printf("%u.%u: %.*s\n", (unsigned int)(id >> 32), (unsigned int)id, (int)size, value);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct xr_value_state now;
	char value[1024], why[256];
	struct xr_handle *h;
	uint64_t known = 0;
	int group;

	if (argc != 4 || xr_open(&h, argv[1], (unsigned int)atoi(argv[2]), why, sizeof(why))) {
		fprintf(stderr, "value: %s\n", argc == 4 ? why : "CLUSTER NODE GROUP");
		return 1;
	}
	group = xr_group_id(h, argv[3]);
	while (!xr_stale(h)) {
		/* Ids only grow; what is not committed the next leader may have otherwise. */
		if (!xr_value(h, group, value, sizeof(value), &now) && now.committed &&
		    now.id > known) {
			go_to(value, now.size, now.id);
			known = now.id;
		}
		usleep(100000);
	}
	xr_close(h);
	return 0;
}
