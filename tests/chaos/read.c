// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process that asks "am I the leader?" all the time, as an application would, and prints the
 * edges of what it is told (lines R and Q of history.h), until SIGTERM or the end of its parent.
 *
 *   chaos_read CLUSTER NODE GROUP
 *
 * The clock is read before each call and after it, so that a call is never shorter than it looks.
 */
#include <inttypes.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include "common/common.h"
#include "xraft/xraft.h"

#define CALLS_STALE 4096 /* so often: are the maps still the same? */

static volatile sig_atomic_t stopping;

static struct {
	struct xr_handle *h;
	const char *cluster;
	unsigned int node;
	int group;
	uint64_t calls, worst_ns;
	bool told; /* so far the same: */
	uint64_t token, first_start_ns, first_end_ns, last_start_ns, last_end_ns;
} r;

static void on_signal(int signal)
{
	(void)signal;
	stopping = 1;
}

static void run_ends(void)
{
	if (r.told)
		printf("R %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %u %d %" PRIu64 "\n",
		       r.first_start_ns, r.first_end_ns, r.last_start_ns, r.last_end_ns, r.node,
		       r.group, r.token);
	r.told = false;
}

/* Returns when the call ended. */
static uint64_t call(void)
{
	uint64_t start_ns = xr_now_ns(), token = 0;
	bool leads = xr_is_leader(r.h, r.group, &token);
	uint64_t end_ns = xr_now_ns();

	r.calls++;
	if (r.told && (!leads || token != r.token))
		run_ends();
	if (!leads)
		return end_ns;
	if (!r.told) {
		r.told = true;
		r.token = token;
		r.first_start_ns = start_ns;
		r.first_end_ns = end_ns;
	}
	r.last_start_ns = start_ns;
	r.last_end_ns = end_ns;
	return end_ns;
}

static void look_for_new_maps(void)
{
	struct xr_handle *fresh;

	if (!xr_stale(r.h) || xr_open(&fresh, r.cluster, r.node, NULL, 0))
		return;
	xr_close(r.h);
	r.h = fresh;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_signal};
	char why[256] = "CLUSTER NODE GROUP";
	uint64_t last_ns = xr_now_ns(), end_ns;

	r.cluster = argc == 4 ? argv[1] : "";
	r.node = argc == 4 ? (unsigned int)atoi(argv[2]) : 0;
	if (argc != 4 || xr_open(&r.h, r.cluster, r.node, why, sizeof(why))) {
		fprintf(stderr, "chaos_read: %s\n", why);
		return 2;
	}
	r.group = xr_group_id(r.h, argv[3]);
	sigaction(SIGTERM, &action, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	setpriority(PRIO_PROCESS, 0,
		    10); /* it never sleeps: whoever has to do something goes first */
	while (!stopping) {
		end_ns = call();
		if (end_ns - last_ns > r.worst_ns)
			r.worst_ns = end_ns - last_ns;
		last_ns = end_ns;
		if (r.calls % CALLS_STALE == 0)
			look_for_new_maps();
	}
	run_ends();
	printf("Q %" PRIu64 " %u %" PRIu64 " %" PRIu64 "\n", last_ns, r.node, r.calls, r.worst_ns);
	xr_close(r.h);
	return 0;
}
