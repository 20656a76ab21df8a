// SPDX-License-Identifier: GPL-2.0-only
/* What the engine looks at while it runs: its records in the maps, and who answers (rule 20). */
#include <string.h>
#include "engine/engine.h"

#define GROUPS_LOOK  2048 /* looked at each time: the next ones the next time */
#define ASK_AFTER_NS (3 * NS_PER_S / 2)
#define STILL_NS     NS_PER_S /* without a look */
#define WHOLE_NS     NS_PER_S /* without a change they are whole again */

/*
 * ---- records that others changed ----
 */

/* What nobody changes while a node runs. A fence, too, keeps these. */
static bool is_whole(const struct xr_group *g, const struct xr_member *m)
{
	return g->members == xr_members_word(&m->raft) && g->digest == m->digest &&
	       !memcmp(g->name, m->name, sizeof(g->name));
}

/*
 * The stamps may be gone with the rest. So it counts as if a leader had been heard just now, and no
 * ack from before counts: nothing is promised less than it was (rules 3 and 5). A word that
 * a fence may have left is left (rule 2).
 */
static void restore(struct xr_engine *e, struct xr_group *g, struct xr_member *m, uint64_t now_ns)
{
	union xr_word there = xr_view_read(g);

	*(volatile __u64 *)&g->contact_ns = now_ns;
	*(volatile __u64 *)&g->lead_since_ns = now_ns;
	xr_members_show(e, m);
	g->digest = m->digest;
	memcpy(g->name, m->name, sizeof(g->name));
	g->durable_term = m->raft.term;
	g->voted_for = m->raft.vote;
	g->role = m->raft.role;
	xr_value_name(e, m, m->published.view.term);
	__sync_synchronize(); /* before a view that rests on them */
	if (there.view.mode != XR_NONE || there.view.term != m->published.view.term)
		__sync_val_compare_and_swap((__u64 *)&g->view, there.word, m->published.word);
	e->restored++;
	e->restored_ns = now_ns;
}

void xr_look_at_record(struct xr_engine *e, struct xr_member *m)
{
	struct xr_group *g = &e->env.groups[m->raft.group];
	uint64_t now_ns;

	if (is_whole(g, m))
		return;
	now_ns = xr_engine_now_ns(e);
	restore(e, g, m, now_ns);
	xr_look_wrong(e->looks, XR_LOOK_records, 0, now_ns, "the record of %.*s (group %u)",
		      XR_NAME_SIZE, m->name, m->raft.group);
}

/* The fields that stay: all but what engine and warden write while they run. */
static struct xr_control fixed_part(const struct xr_control *c)
{
	struct xr_control fixed = *c;

	fixed.alive_until_ns = fixed.heard_ns = 0;
	fixed.answer = 0;
	fixed.tx_path = XR_TX_UNTESTED;
	fixed.nic_mode = XR_NIC_OFF;
	fixed.nic_attach = XR_ATTACH_NONE;
	fixed.ifindex = 0;
	return fixed;
}

/* What the warden writes there it writes again with its next look; whether answers arrive is asked. */
static void look_at_control(struct xr_engine *e, uint64_t now_ns)
{
	struct xr_control *c = e->env.control, fixed = fixed_part(c), restored = e->control;

	if (!e->control.abi)
		e->control = fixed;
	if (!memcmp(&fixed, &e->control, sizeof(fixed)))
		return;
	restored.alive_until_ns = c->alive_until_ns;
	restored.heard_ns = c->heard_ns;
	restored.answer = 0;
	restored.tx_path = XR_TX_UNTESTED;
	restored.nic_mode = c->nic_mode;
	restored.nic_attach = c->nic_attach;
	restored.ifindex = c->ifindex;
	*c = restored;
	e->path.next_ns = 0;
	e->path.asked = 0;
	e->restored++;
	e->restored_ns = now_ns;
	xr_look_wrong(e->looks, XR_LOOK_records, 0, now_ns, "xr_control");
}

/*
 * ---- who answers ----
 */
static void note(uint64_t *newest_ns, uint64_t ns)
{
	if (xr_before(*newest_ns, ns))
		*newest_ns = ns;
}

static void look_at_group(struct xr_engine *e, uint32_t id)
{
	struct xr_member *m = &e->members[id];
	const struct xr_acks *acks = &e->env.acks[id];

	if (!m->raft.voters)
		return;
	xr_look_at_record(e, m);
	xr_value_again(e, m);
	xr_stand_look(e, m, xr_engine_now_ns(e));
	if (m->raft.role == XR_LEADER)
		xr_each_node_of(node, xr_raft_members(&m->raft))
			note(&e->heard[node].nic_ns, acks->echo_ns[node]);
	else if (m->raft.leader)
		note(&e->heard[m->raft.leader].nic_ns, e->env.groups[id].contact_ns);
}

static void look_at_groups(struct xr_engine *e, uint64_t now_ns)
{
	uint32_t n = e->env.ngroups < GROUPS_LOOK ? e->env.ngroups : GROUPS_LOOK;

	while (n--) {
		look_at_group(e, e->look_at);
		e->look_at = (e->look_at + 1) % e->env.ngroups;
	}
	if (!e->restored_ns || now_ns - e->restored_ns > WHOLE_NS)
		xr_look_well(e->looks, XR_LOOK_records, 0, now_ns);
	if (!e->nobodys)
		xr_look_well(e->looks, XR_LOOK_nobody, 0, now_ns);
}

/* An echo is its card's. */
void xr_look_answered(struct xr_engine *e, uint8_t node, uint8_t type)
{
	if (type == XR_VOTE_ANSWER || type == XR_PREVOTE_ANSWER || type == XR_TELL ||
	    type == XR_PATH_DELIVERED)
		e->heard[node].daemon_ns = e->turned_ns;
}

/*
 * Where the NIC path answers, daemons need not speak with each other for days. So whoever has not
 * answered for a while is asked; his daemon answers, if anything of this reaches it.
 */
static void ask(struct xr_engine *e, uint8_t node, uint64_t now_ns)
{
	if (now_ns - e->heard[node].daemon_ns < ASK_AFTER_NS ||
	    now_ns - e->looked_since_ns < ASK_AFTER_NS)
		return;
	if (e->known[node].ask_ns == UINT64_MAX) /* else it is being asked already */
		xr_introduce_ask_large(e, node);
}

static bool is_wrong(const struct xr_engine *e, enum xr_look_kind kind, uint8_t node)
{
	return e->looks->of[kind][node].look.state == XR_LOOK_WRONG;
}

/* Whoever is deaf or mute himself cannot tell. */
static bool can_judge(const struct xr_engine *e, uint8_t node)
{
	return !is_wrong(e, XR_LOOK_input, 0) && !is_wrong(e, XR_LOOK_address, 0) &&
	       !is_wrong(e, XR_LOOK_interface, 0) && !is_wrong(e, XR_LOOK_output, node);
}

/* What the NIC path has stamped since this look began is not old. */
static uint64_t age_ns(uint64_t now_ns, uint64_t at_ns)
{
	return xr_before(at_ns, now_ns) ? now_ns - at_ns : 0;
}

static void judge(struct xr_engine *e, uint8_t node, uint64_t now_ns)
{
	/* Two questions, at least; and a daemon may stand still for the stall limit. */
	uint64_t silent_ns = e->timing.max_timeout_ns + 2 * ASK_AFTER_NS;
	uint64_t deaf_ns = e->config->stall_limit_us * NS_PER_US + 2 * ASK_AFTER_NS;
	struct xr_heard *h = &e->heard[node];
	uint64_t daemon_ns = h->daemon_ns, any_ns, silence_ns;

	if (!h->since_ns || !can_judge(e, node))
		h->since_ns = now_ns;
	note(&daemon_ns, h->since_ns);
	any_ns = daemon_ns;
	note(&any_ns, h->nic_ns);
	silence_ns = age_ns(now_ns, any_ns);
	if (!can_judge(e, node))
		xr_look_forget(e->looks, XR_LOOK_peer, node);
	else if (silence_ns >= silent_ns)
		xr_look_wrong(e->looks, XR_LOOK_peer, node, now_ns,
			      "has answered nothing for %.1f s", 1e-9 * (double)silence_ns);
	else if (age_ns(now_ns, daemon_ns) < deaf_ns)
		xr_look_well(e->looks, XR_LOOK_peer, node, now_ns);
	/* Else it may just be dying. */
	else if (age_ns(now_ns, h->nic_ns) < e->timing.max_timeout_ns)
		xr_look_wrong(e->looks, XR_LOOK_peer, node, now_ns,
			      "answers heartbeats by its card, and its daemon answers nothing: it "
			      "can neither vote nor lead; is it paused, or does a firewall there "
			      "(INPUT, OUTPUT) drop UDP port {port}?");
}

static void look_at_peers(struct xr_engine *e, uint64_t now_ns)
{
	bool stood_still = now_ns - e->looked_ns > STILL_NS;

	if (!e->looked_since_ns)
		e->looked_since_ns = now_ns;
	e->looked_ns = now_ns;
	xr_each_node(node) {
		if (node == e->config->self || !e->peers[node].used)
			continue;
		if (stood_still) /* its own silence, not theirs */
			e->heard[node].since_ns = now_ns;
		/* Rule 17: whom it has met it knows, whatever others wrote there. */
		*(volatile __u64 *)&e->maps->peers[node].lives = e->peers[node].lives;
		ask(e, node, now_ns);
		judge(e, node, now_ns);
	}
}

/* Another interface, or another program on it: what was true of its answers need not be so any more. */
static void look_at_path(struct xr_engine *e)
{
	uint32_t again = atomic_load(&e->looks->path_again);

	if (again == e->path_again)
		return;
	e->path_again = again;
	e->env.control->tx_path = XR_TX_UNTESTED;
	e->env.control->answer = 0;
	e->path = (struct xr_path_test){0};
	if (e->env.control->nic_mode == XR_NIC_OFF)
		e->path.next_ns = UINT64_MAX;
}

static void tell(void *world, bool wrong, uint8_t node, const char *text)
{
	struct xr_engine *e = world;
	struct xr_report r = {
		.at_ns = xr_engine_now_ns(e),
		.kind = wrong ? XR_REPORT_wrong : XR_REPORT_well,
		.node = node,
	};

	snprintf(r.note, sizeof(r.note), "%s", text);
	e->host->report(e->world, &r);
}

void xr_look_around(struct xr_engine *e, uint64_t now_ns)
{
	if (e->over || e->disk_bad)
		return;
	look_at_control(e, now_ns);
	look_at_groups(e, now_ns);
	look_at_peers(e, now_ns);
	e->deaf = xr_looks_deaf(e->looks);
	look_at_path(e);
	xr_looks_tell(e->looks, tell, e);
}
