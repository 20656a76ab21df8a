// SPDX-License-Identifier: GPL-2.0-only
/* What an engine starts from, and what it takes up later. */
#include <string.h>
#include "engine/engine.h"

void xr_engine_say(struct xr_engine *e, enum xr_report_kind kind, const char *fmt, ...)
{
	struct xr_report r = {.at_ns = xr_engine_now_ns(e), .kind = kind};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r.note, sizeof(r.note), fmt, ap);
	va_end(ap);
	e->host->report(e->world, &r);
}

uint64_t xr_engine_random(struct xr_engine *e)
{
	uint64_t z = e->random += 0x9e3779b97f4a7c15ull; /* splitmix64 (Steele et al. 2014) */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

void xr_engine_keys(struct xr_engine *e, const struct xr_key *keys, int n)
{
	memset(e->keys, 0, sizeof(e->keys));
	for (int i = 0; i < n; i++)
		e->keys[keys[i].id & 1] = keys[i];
	e->outbox.key_slot = keys[0].id & 1;
}

static int note_state(const struct xr_vote *vote, void *arg)
{
	struct xr_engine *e = arg;

	if (vote->group < e->env.ngroups)
		e->members[vote->group].has_state = true;
	return 0;
}

/* Rule 18: what was published was durable; more than the journal holds has been promised. */
static bool maps_know_more(const struct xr_group *g, const struct xr_vote *vote,
			   const struct xr_entry *entry, uint32_t *known)
{
	uint32_t term = vote ? vote->term : 0;
	uint32_t index = xr_entry_index(entry ? entry->id : 0, term);

	*known = xr_view_read(g).view.term;
	if (*known == term && (g->entry & XR_INDEX_MAX) > index)
		return true;
	return *known > term || (*known == term && g->durable_term == term && g->voted_for &&
				 (!vote || g->voted_for != vote->vote));
}

/* A group that came by reload and does not fit the state of its id can have no vote (rule 10). */
static int start_group(struct xr_engine *e, const struct xr_config_group *g,
		       const struct xr_vote *vote, const struct xr_entry *entry,
		       uint64_t promise_until_ns, struct xr_why *why)
{
	uint32_t known, term = vote ? vote->term : 0;

	e->members[g->id].has_state = true;
	if (maps_know_more(&e->env.groups[g->id], vote, entry, &known))
		return xr_fail(
			why, -ESTALE,
			"%s: the maps pinned on this machine know this node in term %u, entry %u, "
			"but the state in %s ends with term %u: it is older than its promises (a "
			"backup, a copy, a lost disk?). Put the newest state back; where that "
			"is lost, " XR_JOIN_ANEW "; for a cluster made anew take a new key, and "
			"run xraft detach first",
			g->name, known, e->env.groups[g->id].entry & XR_INDEX_MAX,
			e->config->state_dir, term);
	if (vote && vote->digest != g->digest)
		xr_engine_say(e, XR_REPORT_error,
			      "group %s (id %u) has state under another name or with other voters: "
			      "left out; put its first ones back (members change by xraft member), "
			      "or give it an id that was never used",
			      g->name, g->id);
	else
		xr_group_start(e, g, vote, entry, promise_until_ns);
	return 0;
}

static int start_groups(struct xr_engine *e, const struct xr_journal *journal,
			uint64_t promise_until_ns, struct xr_why *why)
{
	int err = 0;

	for (uint32_t id = 0; id < e->env.ngroups; id++)
		e->env.groups[id].members = e->env.groups[id].digest = 0;
	xr_journal_each(journal, note_state, e);
	for (size_t i = 0; i < e->config->ngroups && !err; i++) {
		const struct xr_config_group *g = &e->config->groups[i];

		err = start_group(e, g, xr_journal_find(journal, g->id),
				  xr_journal_entry(journal, g->id), promise_until_ns, why);
		if (!err && xr_journal_entry(journal, g->id) && e->members[g->id].raft.voters &&
		    !e->members[g->id].bodies)
			err = xr_fail(why, -ENOMEM, "no memory for the entry of %s", g->name);
	}
	return err;
}

int xr_engine_init(struct xr_engine *e, struct xr_maps *maps, const struct xr_journal *journal,
		   uint64_t promise_until_ns, struct xr_why *why)
{
	const struct xr_config *c = e->config;
	int err;

	e->maps = maps;
	e->timing = (struct xr_timing){
		.min_timeout_ns = c->min_timeout_us * NS_PER_US,
		.max_timeout_ns = c->max_timeout_us * NS_PER_US,
		.heartbeat_ns = c->heartbeat_us * NS_PER_US,
	};
	e->birth = xr_journal_birth(journal);
	e->env.groups = maps->groups;
	e->env.acks = maps->acks;
	e->env.ngroups = maps->ngroups;
	e->env.control = maps->control;
	e->env.peers = e->peers;
	e->env.keys = e->keys;
	e->env.stats = &e->stats;
	e->outbox.env = &e->env;
	e->outbox.host = e->host;
	e->outbox.world = e->world;
	e->path.next_ns = maps->control->nic_mode == XR_NIC_OFF ? UINT64_MAX : 0;
	e->members = calloc(maps->ngroups, sizeof(*e->members));
	e->quiet = calloc(maps->ngroups, sizeof(*e->quiet));
	if (!e->members || !e->quiet || xr_timers_init(&e->timers, maps->ngroups))
		return xr_fail(why, -ENOMEM, "not enough memory for %zu groups", maps->ngroups);
	err = start_groups(e, journal, promise_until_ns, why);
	xr_introduce_init(e);
	return err;
}

void xr_engine_free(struct xr_engine *e)
{
	xr_timers_free(&e->timers);
	for (uint32_t id = 0; e->members && id < e->env.ngroups; id++)
		free(e->members[id].bodies);
	free(e->members);
	free(e->quiet);
}

/* The warden has left out what does not fit; of the rest only the journal may know votes. */
static int take_groups(struct xr_engine *e, const struct xr_config_group *groups, uint32_t n)
{
	int added = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct xr_config_group *g = &groups[i];

		if (e->members[g->id].has_state)
			continue;
		e->members[g->id].has_state = true;
		xr_group_start(e, g, NULL, NULL, 0);
		added++;
	}
	return added;
}

void xr_engine_take(struct xr_engine *e, const struct xr_peer *nodes,
		    const struct xr_config_group *groups, uint32_t ngroups)
{
	uint32_t changed = xr_introduce_nodes(e, nodes);
	int added = take_groups(e, groups, ngroups);

	xr_introduce_groups(e, groups, ngroups);
	xr_engine_say(e, XR_REPORT_reloaded,
		      "%d key(s), sending with key %u; %d new group(s), %d changed node(s)",
		      !!e->keys[0].used + !!e->keys[1].used, e->keys[e->outbox.key_slot].id, added,
		      __builtin_popcount(changed));
	xr_members_left_out(e, changed);
	if (changed) /* who goes first is for all to see alike */
		xr_introduce_news(e);
	xr_engine_begin(e);
}
