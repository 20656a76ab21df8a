// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* leader CLUSTER NODE GROUP: do something ten times a second, while this node leads. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xraft/xraft.h>

static void write_to_the_resource(uint64_t token)
{
	printf("acting with token %llu\n", (unsigned long long)token);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct xr_handle *h;
	uint64_t token;
	char why[256];
	int group;

	if (argc != 4 || xr_open(&h, argv[1], (unsigned int)atoi(argv[2]), why, sizeof(why))) {
		fprintf(stderr, "leader: %s\n", argc == 4 ? why : "CLUSTER NODE GROUP");
		return 1;
	}
	group = xr_group_id(h, argv[3]);
	while (!xr_stale(h)) {
		if (xr_is_leader(h, group, &token))
			write_to_the_resource(token); /* which refuses a token that is too old */
		usleep(100000);
	}
	xr_close(h);
	return 0;
}
