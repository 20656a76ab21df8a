// SPDX-License-Identifier: GPL-2.0-only
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include "daemon/warden.h"
#include "engine/ballot.h"
#include "journal/journal.h"
#include "xraft/testing.h"

#define BACK_OFF_MOST_NS (10 * NS_PER_S)

static uint64_t now_ns(const struct xr_warden *w)
{
	return w->host->now_ns(w->world);
}

/*
 * ---- set-up, in rule 6's order ----
 */

/* A group's id keeps its name and voters for as long as it has state (rule 10). */
static int check_group(const struct xr_vote *v, void *arg)
{
	const struct xr_warden *w = arg;
	const struct xr_config_group *g = xr_config_group(&w->config, v->group);

	return g && g->digest != v->digest ? (int)(g - w->config.groups) + 1 : 0;
}

static int check_groups(struct xr_warden *w, struct xr_why *why)
{
	int changed = xr_journal_each(w->journal, check_group, w);
	const struct xr_config_group *g = &w->config.groups[changed - 1];

	if (!changed)
		return 0;
	return xr_fail(why, -EINVAL,
		       "%s:%d: group %s (id %u) has state under another name or with other voters, "
		       "which would let two majorities elect; put its first ones back (members "
		       "change by xraft member), or give it an id that was never used",
		       w->config_path, g->line, g->name, g->id);
}

static struct xr_journal_opts journal_opts(const struct xr_warden *w)
{
	return (struct xr_journal_opts){
		.dir = w->config.state_dir,
		.cluster = w->config.cluster,
		.node = w->config.self,
		.capacity_blocks = w->journal_blocks,
		.lock_fd = w->lock_fd > 0 ? w->lock_fd : 0,
		.disk = w->disk,
	};
}

/* Is the state there, whole, and this node's? Then the promise: in use only once it is durable. */
static int check_state(struct xr_warden *w, struct xr_why *why)
{
	struct xr_journal_opts opts = journal_opts(w);
	int err;

	opts.create = w->fresh;
	opts.birth = w->birth;
	w->made_folder = w->fresh && access(w->config.state_dir, F_OK) && errno == ENOENT;
	err = xr_journal_lock(&opts, why);
	if (err < 0)
		return err;
	opts.lock_fd = w->lock_fd = err;
	err = xr_journal_open(&w->journal, &opts, why);
	w->made = w->fresh && err != -EEXIST;
	if (!err)
		err = check_groups(w, why);
	if (!err) /* keeps the largest */
		err = xr_journal_promise(w->journal, w->config.min_timeout_us * NS_PER_US, why);
	if (err)
		return err;
	w->promise_ns = xr_journal_promise_ns(w->journal);
	w->birth = xr_journal_birth(w->journal);
	xr_journal_close(w->journal);
	w->journal = NULL;
	return xr_rights_own(&w->user, w->config.state_dir, why);
}

/* What is said of processes and namespaces is their owner's. */
static void fill_control(struct xr_warden *w)
{
	const struct xr_config *c = &w->config;
	struct xr_control *control = w->nic.maps.control;

	*control = (struct xr_control){
		.abi = XR_ABI,
		.self = c->self,
		.port = c->nodes[c->self].port,
		.birth = w->birth,
		.groups = w->nic.maps.ngroups,
		.min_timeout_us = c->min_timeout_us,
		.max_timeout_us = c->max_timeout_us,
		.heartbeat_us = c->heartbeat_us,
		.stall_limit_us = c->stall_limit_us,
		/* As long as a follower may wait for its leader, a leader may wait for its quorum. */
		.quorum_lapse_us = c->max_timeout_us,
		.drift_permille = c->drift_permille,
		.ifindex = w->nic.ifindex,
		.nic_mode = w->nic.mode,
		.nic_attach = w->nic.attach,
	};
	memcpy(control->interface, c->interface, sizeof(control->interface));
	memcpy(control->cluster, c->cluster, sizeof(control->cluster));
}

struct xr_nic_opts xr_warden_nic_opts(const struct xr_warden *w)
{
	const struct xr_config *c = &w->config;

	return (struct xr_nic_opts){
		.cluster = c->cluster,
		.node = c->self,
		.interface = c->interface,
		.want = c->xdp,
		.ngroups = c->ngroups ? c->groups[c->ngroups - 1].id + 1 : 1,
		.value_bytes = c->value_bytes,
		.readers = w->user.readers,
		.addresses = c->addresses,
		.naddresses = c->naddresses,
	};
}

static int open_nic(struct xr_warden *w, struct xr_why *why)
{
	const struct xr_config *c = &w->config;
	struct xr_nic_opts opts = xr_warden_nic_opts(w);
	int err = xr_nic_fence_leftovers(&opts, why);

	if (err)
		return err;
	XR_PAUSE;
	/* Until this fence an earlier life's program may have answered. */
	w->fenced_ns = now_ns(w);
	XR_PAUSE;
	err = xr_nic_open(&w->nic, &opts, why);
	if (err)
		return err;
	XR_PAUSE;
	xr_nic_forget_future(&w->nic.maps, now_ns(w));
	fill_control(w);
	memcpy(w->nic.maps.peers, c->nodes, sizeof(c->nodes));
	return 0;
}

static int dig(struct xr_warden *w, struct xr_why *why)
{
	w->env = (struct xr_env){
		.control = w->nic.maps.control,
		.peers = w->nic.maps.peers, /* where the engine keeps their lives (rule 17) */
		.keys = w->config.keys,
	};
	w->outbox.env = &w->env;
	w->outbox.host = w->host;
	w->outbox.world = w->world;
	w->led = calloc(w->nic.maps.ngroups, sizeof(*w->led));
	return w->led ? 0 : xr_fail(why, -ENOMEM, "no memory for %zu groups", w->nic.maps.ngroups);
}

int xr_warden_open(struct xr_warden *w, bool fresh, struct xr_why *why)
{
	struct xr_nic_opts opts = xr_warden_nic_opts(w);
	int err;

	w->fresh = fresh;
	w->node_fd = w->lock_fd = -1;
	snprintf(w->name, sizeof(w->name), "%s.%u", w->config.cluster, w->config.self);
	/* First: another state folder does not make another node of it. */
	err = xr_nic_lock(&opts, &w->node_fd, why);
	if (!err)
		err = check_state(w, why);
	XR_PAUSE;
	if (!err)
		err = open_nic(w, why);
	return err ? err : dig(w, why);
}

void xr_warden_take_back(struct xr_warden *w)
{
	struct xr_journal_opts opts = journal_opts(w);

	xr_journal_close(w->journal);
	w->journal = NULL;
	if (w->made && xr_journal_remove_empty(&opts) && w->made_folder)
		rmdir(w->config.state_dir);
}

void xr_warden_close(struct xr_warden *w)
{
	const struct xr_disk *disk = w->disk ? w->disk : &xr_disk_real;
	struct xr_nic_opts opts = xr_warden_nic_opts(w);

	xr_journal_close(w->journal);
	w->journal = NULL;
	free(w->led);
	w->led = NULL;
	if (w->lock_fd >= 0)
		disk->close(disk->ctx, w->lock_fd);
	w->lock_fd = -1;
	xr_nic_unlock(&opts, &w->node_fd);
}

/*
 * ---- while an engine lives ----
 */
uint64_t xr_warden_promise_until_ns(const struct xr_warden *w)
{
	return w->fenced_ns + w->promise_ns;
}

void xr_warden_spawned(struct xr_warden *w)
{
	w->starts++;
}

/*
 * Whoever slept itself cannot tell. 0 is no engine's word: somebody wrote over the record (rule 20), and
 * what was seen before counts until the engine's next turn.
 */
bool xr_warden_is_hung(struct xr_warden *w, uint64_t waited_since_ns)
{
	uint64_t stall_ns = w->config.stall_limit_us * NS_PER_US, by_ns = now_ns(w);
	uint64_t heard_ns = *(const volatile __u64 *)&w->nic.maps.control->heard_ns;

	if (heard_ns)
		w->heard_ns = heard_ns;
	return by_ns - waited_since_ns < stall_ns / 2 && w->heard_ns &&
	       xr_before(w->heard_ns + 2 * stall_ns, by_ns);
}

int xr_warden_reload(struct xr_warden *w, struct xr_why *rest, struct xr_why *why)
{
	struct xr_config fresh;
	int err = xr_config_read(&fresh, w->config_path, why);

	if (err)
		return err;
	err = xr_config_differs(&w->config, &fresh, w->nic.maps.ngroups, rest, why);
	if (!err)
		err = xr_config_take(&w->config, &fresh, w->nic.maps.ngroups, why);
	xr_config_free(&fresh);
	return err;
}

/*
 * ---- after its death ----
 */
static void resign(struct xr_warden *w, uint32_t id, uint32_t deaf)
{
	const struct xr_group *g = &w->nic.maps.groups[id];
	struct xr_ballot ballot = {
		.group = id,
		.term = w->led[id].term,
		.digest = g->digest,
		.node = xr_heir(g, &w->nic.maps.acks[id], w->nic.maps.control, w->config.nodes,
				deaf, id),
	};

	xr_each_node_of(to, xr_members(g->members) & ~(1u << w->config.self))
		xr_outbox_ballot(&w->outbox, to, XR_RESIGN, &ballot);
}

uint32_t xr_warden_bury(struct xr_warden *w)
{
	/* Nobody but the dead wrote views (rule 13). */
	uint32_t n = xr_nic_fence(&w->nic.maps, w->led);
	uint32_t deaf = xr_looks_deaf(w->looks);

	XR_PAUSE;
	for (uint32_t id = 0; id < w->nic.maps.ngroups; id++)
		if (w->led[id].mode == XR_LEAD)
			resign(w, id, deaf);
	xr_outbox_flush(&w->outbox);
	return n;
}

/*
 * The first pause is D: before it is over a new engine may not vote anyway (rule 6), and what it
 * reads and writes would only delay the votes of its peers on a disk they share. Crash after
 * crash it is doubled, so that the machine is not kept busy.
 */
static uint64_t back_off_ns(struct xr_warden *w, uint64_t lived_ns)
{
	w->pause_ns *= 2;
	if (!w->pause_ns || lived_ns > 10 * w->config.max_timeout_us * NS_PER_US)
		w->pause_ns = w->config.min_timeout_us * NS_PER_US;
	if (w->pause_ns > BACK_OFF_MOST_NS)
		w->pause_ns = BACK_OFF_MOST_NS;
	return w->pause_ns;
}

/*
 * An engine that ended by itself has said why, and stays down; so does one that found a state in
 * which going on would make it worse (rule 14: abort).
 */
struct xr_warden_next xr_warden_reaped(struct xr_warden *w, int wait_status, uint64_t lived_ns)
{
	XR_PAUSE;
	xr_nic_fence(&w->nic.maps, NULL); /* rule 6: a start fences first */
	XR_PAUSE;
	w->fenced_ns = now_ns(w);
	if (WIFEXITED(wait_status))
		return (struct xr_warden_next){.code = WEXITSTATUS(wait_status)};
	snprintf(w->died_of, sizeof(w->died_of), "signal %d (%s)", WTERMSIG(wait_status),
		 strsignal(WTERMSIG(wait_status)));
	if (WTERMSIG(wait_status) == SIGABRT)
		return (struct xr_warden_next){.code = 1};
	return (struct xr_warden_next){.again = true, .pause_ns = back_off_ns(w, lived_ns)};
}
