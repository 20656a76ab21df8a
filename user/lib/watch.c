// SPDX-License-Identifier: GPL-2.0-only
/*
 * A handle that looks again and again. The maps are the truth and change without a sound, so time
 * is what wakes: a look costs a fraction of a microsecond, a connection to the daemon would cost
 * the daemon.
 */
#include <string.h>
#include <sys/timerfd.h>
#include "common/common.h"
#include "xraft/xraft.h"

#define NAME_SIZE    16
#define LOOKS_A_BEAT 4
#define LOOK_MIN_NS  NS_PER_MS
#define LOOK_MAX_NS  (20 * NS_PER_MS)
#define ABSENT_NS    (100 * NS_PER_MS) /* until the next try, and between two looks for new maps */

struct xr_watch {
	char cluster[NAME_SIZE], name[NAME_SIZE];
	unsigned int node;
	int fd;
	struct xr_handle *h; /* NULL: cannot be opened at present */
	int group;
	uint64_t checked_ns; /* when it was last compared with what is pinned */
	struct xr_state last;
	struct xr_lease_timing timing;
	char why[512];
};

/* Relative; never 0, which would disarm. */
static void arm(const struct xr_watch *w, uint64_t in_ns)
{
	struct itimerspec t = {.it_value = {.tv_sec = (time_t)(in_ns / NS_PER_S),
					    .tv_nsec = (long)(in_ns % NS_PER_S) + 1}};

	timerfd_settime(w->fd, 0, &t, NULL);
}

int xr_watch_open(struct xr_watch **out, const char *cluster, unsigned int node, const char *group)
{
	struct xr_watch *w;

	if (!*cluster || strlen(cluster) >= NAME_SIZE || !*group || strlen(group) >= NAME_SIZE)
		return -EINVAL;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	strcpy(w->cluster, cluster);
	strcpy(w->name, group);
	w->node = node;
	w->group = -1;
	w->fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (w->fd < 0) {
		free(w);
		return -errno;
	}
	arm(w, 0);
	*out = w;
	return 0;
}

void xr_watch_close(struct xr_watch *w)
{
	if (!w)
		return;
	xr_close(w->h);
	xr_close_fd(&w->fd);
	free(w);
}

int xr_watch_fd(const struct xr_watch *w)
{
	return w->fd;
}

const char *xr_watch_why(const struct xr_watch *w)
{
	return w->why;
}

bool xr_watch_timing(const struct xr_watch *w, struct xr_lease_timing *timing)
{
	*timing = w->timing;
	return timing->lease_ns;
}

static void let_go(struct xr_watch *w)
{
	xr_close(w->h);
	w->h = NULL;
	w->group = -1;
}

/* Are these still the node's maps? Those of a node that leads are: somebody renews its deadline. */
static int hold(struct xr_watch *w)
{
	uint64_t now_ns = xr_now_ns();
	int err = 0;

	if (w->h && (w->last.token || now_ns - w->checked_ns < ABSENT_NS))
		return 0;
	w->checked_ns = now_ns;
	if (w->h && xr_stale(w->h))
		let_go(w);
	if (!w->h)
		err = xr_open(&w->h, w->cluster, w->node, w->why, sizeof(w->why));
	return err;
}

/* A reload adds groups to the maps that are there. */
static int find_group(struct xr_watch *w)
{
	if (w->group < 0)
		w->group = xr_group_id(w->h, w->name);
	if (w->group >= 0)
		return 0;
	snprintf(w->why, sizeof(w->why),
		 "node %u of cluster %s has no group %s; xraft status lists them", w->node,
		 w->cluster, w->name);
	return -ESRCH;
}

static uint64_t next_look_ns(const struct xr_watch *w, const struct xr_state *now)
{
	uint64_t in_ns = w->timing.heartbeat_ns / LOOKS_A_BEAT;

	if (in_ns < LOOK_MIN_NS)
		in_ns = LOOK_MIN_NS;
	if (in_ns > LOOK_MAX_NS)
		in_ns = LOOK_MAX_NS;
	return now->token && now->left_ns < in_ns ? now->left_ns : in_ns;
}

int xr_watch_look(struct xr_watch *w, struct xr_state *now)
{
	struct xr_state last = w->last;
	int err = hold(w);

	*now = (struct xr_state){0};
	if (!err)
		err = find_group(w);
	if (!err) {
		xr_timing(w->h, &w->timing);
		now->left_ns = xr_lease_left(w->h, w->group, &now->token);
		now->leader = xr_leader(w->h, w->group, &now->term);
	}
	w->last = *now;
	arm(w, err ? ABSENT_NS : next_look_ns(w, now));
	return err ? err
		   : now->token != last.token || now->leader != last.leader ||
			       now->term != last.term;
}
