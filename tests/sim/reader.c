// SPDX-License-Identifier: GPL-2.0-only
/*
 * Applications that ask libxraft whether their node leads: the library itself, over a node's maps.
 * Between any two of its reads a call may be held, as a process may be, while its daemon goes on,
 * dies and starts again (rule 16).
 */
#include "sim/sim.h"

static struct node *reading; /* whose application runs now */
static int group_read;
static bool was_alive;	     /* when the call read the clock */
static uint64_t deadline_ns; /* the latest that it may have read: a death sets it to 0 meanwhile */
static uint64_t clock_read;  /* what it read; the wall clock never moves against it */
static uint64_t clock_of_reader(void);
static void hold_reader(void);
#undef XR_PAUSE
#define XR_PAUSE     hold_reader()
#define xr_now_ns()  clock_of_reader()
#define xr_wall_ns() clock_read
#include "lib/xraft.c"
#undef xr_now_ns

#define AT_ONCE 2 /* applications of a node that ask about the same group */

static void see_deadline(uint64_t seen_ns)
{
	uint64_t now_ns = reading->maps.control.alive_until_ns;

	deadline_ns = seen_ns > now_ns ? seen_ns : now_ns;
}

static void hold_reader(void)
{
	struct node *n = reading;
	int g = group_read;
	bool alive = was_alive;
	uint64_t seen_ns;
	uint64_t read_ns = clock_read;

	see_deadline(deadline_ns);
	seen_ns = deadline_ns;
	sim_pause();
	reading = n;
	group_read = g;
	was_alive = alive;
	see_deadline(seen_ns);
	clock_read = read_ns;
}

static uint64_t clock_of_reader(void)
{
	struct node *n = reading;
	uint64_t now_ns = sim_local(n);

	was_alive = xr_before(now_ns, deadline_ns);
	clock_read = now_ns;
	return now_ns;
}

/* The maps are there: nothing is opened. */
void xr_maps_dir(char *dir, size_t size, const char *cluster, uint8_t node)
{
	snprintf(dir, size, "%s-%u", cluster, node);
}

int xr_maps_open(struct xr_maps *m, const char *dir, bool writable, struct xr_why *why)
{
	(void)m, (void)writable;
	return xr_fail(why, -ENOENT, "%s", dir);
}

bool xr_maps_look(int fd, uint32_t key, void *value)
{
	(void)fd, (void)key, (void)value;
	return false; /* these maps are mapped */
}

/* One, and asked by nobody whose clocks agree. */
uint64_t xr_maps_timens(void)
{
	return 0;
}

void xr_maps_close(struct xr_maps *m)
{
	(void)m;
}

/* One call; it never returns where the node lost its power meanwhile. */
static void ask(struct node *n, int g)
{
	static struct place place = {.clock = SAME_CLOCK};
	struct xr_handle handle = {
		.maps = {.groups = n->maps.groups,
			 .acks = n->maps.acks,
			 .control = &n->maps.control,
			 .ngroups = n->w->groups},
		.place = &place,
	};
	uint32_t newest = n->w->newest_read[g], boots = n->boots;
	struct sim_actor before;
	uint64_t token;
	bool leads;

	reading = n;
	group_read = g;
	see_deadline(0);
	before = sim_act((struct sim_actor){.kind = SIM_READER, .n = n, .g = g});
	leads = xr_is_leader(&handle, g, &token);
	sim_act(before);
	if (leads && n->boots == boots && !n->w->failed)
		check_read(n, g, token, newest, was_alive);
}

void reader_start(struct node *n, int g)
{
	while (n->readers[g] < AT_ONCE) {
		n->readers[g]++;
		sim_at(n->w, n->w->now_ns, SIM_EV_READER, n->host, g);
	}
}

/* Again and again while its node says that it leads: all other answers are false at once. */
void reader_turn(struct node *n, int g)
{
	struct world *w = n->w;

	ask(n, g);
	if (w->lead_views[g] >> n->id & 1)
		sim_at(w, w->now_ns + sim_below(w, w->timing.min_timeout_ns / 2), SIM_EV_READER,
		       n->host, g);
	else
		n->readers[g]--;
}
