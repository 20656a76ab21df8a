// SPDX-License-Identifier: GPL-2.0-only
/* Turns: what each begins and ends with, and what may be done in one. */
#include <string.h>
#include "engine/engine.h"

#define DRAIN_TURN  256	 /* datagrams a turn; the socket stays readable for the next */
#define DRAIN_TIMER 4096 /* before a timer acts (rule 11) */
/*
 * Elections begun a turn. Of ten thousand groups that lose their leader at once, those for which
 * another node asks meanwhile need not be asked for; or all ask for all, and nobody wins.
 */
#define BEGIN_TURN 128
#define SHOW_NS	   (250 * NS_PER_MS)
#define BUSY_NS	   NS_PER_MS	    /* on end, then */
#define WAY_NS	   (50 * NS_PER_US) /* for others */

static uint64_t stall_ns(const struct xr_engine *e)
{
	return e->config->stall_limit_us * NS_PER_US;
}

/* Rule 8: the deadline moves only while writes complete. Returns since when one has not. */
static uint64_t disk_waits_ns(struct xr_engine *e, uint64_t now_ns)
{
	uint64_t oldest_ns = e->host->oldest_ns(e->world);
	struct xr_why why;

	if (!e->disk_bad && e->host->disk_error(e->world, &why)) {
		e->disk_bad = true;
		xr_engine_say(e, XR_REPORT_error, "%.400s", why.text);
	}
	if (!oldest_ns && now_ns - e->probed_ns > stall_ns(e) / 2) {
		e->probed_ns = now_ns;
		e->host->probe(e->world); /* a quiet node has to notice a hung disk, too */
	}
	return oldest_ns;
}

/* Rule 12: a leader with a hung disk stops. Rule 7: after a failed write, so does the process. */
static void check_disk(struct xr_engine *e, uint64_t now_ns, uint64_t waits_ns)
{
	struct xr_why_event why = {.cause = XR_CAUSE_DISK, .ns = waits_ns ? now_ns - waits_ns : 0};
	bool hung = waits_ns && why.ns >= stall_ns(e);

	if (hung || e->disk_bad)
		xr_group_step_down_all(e, &why);
	if (e->disk_bad)
		e->host->end(e->world, 1);
	if (hung && !e->disk_said)
		xr_engine_say(e, XR_REPORT_error,
			      "the disk has not completed a write for %llu ms: this node answers "
			      "nobody and votes for nobody until it does",
			      (unsigned long long)(why.ns / NS_PER_MS));
	else if (!hung && e->disk_said)
		xr_engine_say(e, XR_REPORT_warning, "the disk completes writes again");
	e->disk_said = hung;
}

/* Awake again after a pause longer than the limit: peers have gone on without us. Fence first. */
static void after_stall(struct xr_engine *e, uint64_t now_ns)
{
	struct xr_why_event why = {.cause = XR_CAUSE_STALLED, .ns = now_ns - e->turned_ns};

	xr_engine_say(e, XR_REPORT_warning,
		      "the event loop stood still for %llu ms, longer than the stall limit, "
		      "after which this node answered nobody",
		      (unsigned long long)(why.ns / NS_PER_MS));
	xr_group_step_down_all(e, &why);
}

/* Many votes, one kick, one fsync; before datagrams are sealed, as the disk is slowest. */
static void kick_writer(struct xr_engine *e)
{
	if (e->submitted)
		e->host->kick(e->world);
	e->submitted = false;
}

/*
 * With very many elections under way there is always more to do, and at this thread's priority
 * nobody else would get the CPU: not the kernel's own threads, which complete its disk writes, nor
 * another node's engine here, whose answers it waits for.
 */
void xr_engine_give_way(struct xr_engine *e)
{
	kick_writer(e);
	e->ended_ns = xr_engine_now_ns(e);
	if (!e->config->realtime || e->ended_ns - e->rested_ns < BUSY_NS)
		return;
	e->host->rest(e->world, WAY_NS);
	e->ended_ns = e->rested_ns = xr_engine_now_ns(e);
}

/* The host's timer has come, and no turn has served it yet. */
static bool is_due(const struct xr_engine *e, uint64_t now_ns)
{
	return e->armed_ns && !xr_before(now_ns, e->armed_ns);
}

/*
 * Each turn begins here: find out whether this process itself stood still, then renew the
 * deadline (rule 8). A turn that leaves a timer waiting does not: a loop that turns, and never comes
 * to its timers, is as good as dead.
 */
static void begin_turn(struct xr_engine *e)
{
	struct xr_control *c = e->env.control;
	uint64_t now_ns = xr_engine_now_ns(e), waits_ns = disk_waits_ns(e, now_ns);

	if (now_ns - e->ended_ns > WAY_NS)
		e->rested_ns = now_ns;
	if (e->turned_ns && now_ns - e->turned_ns >= stall_ns(e))
		after_stall(e, now_ns);
	check_disk(e, now_ns, waits_ns);
	XR_PAUSE;
	if (!is_due(e, now_ns)) {
		*(volatile __u64 *)&c->alive_until_ns = (waits_ns ? waits_ns : now_ns) +
							stall_ns(e);
		*(volatile __u64 *)&c->heard_ns = now_ns; /* the warden looks at it */
	}
	if (now_ns - e->shown_ns > SHOW_NS) {
		e->shown_ns = now_ns;
		e->host->show(e->world, now_ns);
		xr_look_around(e, now_ns);
	}
	e->turned_ns = now_ns;
}

static void arm_timer(struct xr_engine *e)
{
	uint64_t next_ns = xr_timers_next_ns(&e->timers);
	uint64_t renew_ns = e->turned_ns + stall_ns(e) / 4;

	if (next_ns > renew_ns)
		next_ns = renew_ns;
	if (next_ns > e->path.next_ns)
		next_ns = e->path.next_ns;
	if (next_ns > xr_introduce_next_ns(e))
		next_ns = xr_introduce_next_ns(e);
	if (next_ns < e->turned_ns && e->armed_ns && e->armed_ns <= e->turned_ns)
		return; /* it is due already, and to set it anew would put it off */
	if (next_ns < e->turned_ns)
		next_ns = e->turned_ns; /* left for the next turn, which is not late for that */
	if (next_ns == e->armed_ns)
		return;
	e->armed_ns = next_ns;
	e->host->arm(e->world, next_ns);
}

/* Each turn ends here: what it had to say leaves, and the timer is set. */
static void end_turn(struct xr_engine *e)
{
	if (e->over)
		return;
	kick_writer(e);
	XR_PAUSE;
	xr_outbox_flush(&e->outbox);
	xr_crowd_tell(&e->crowd, e->turned_ns, e->host->report, e->world);
	arm_timer(e);
	xr_engine_give_way(e);
}

void xr_engine_begin(struct xr_engine *e)
{
	begin_turn(e);
	end_turn(e);
}

/* Was it late because this loop had work, or because it did not run? */
static void say_why_late(const struct xr_engine *e, uint64_t late_ns, struct xr_report *r)
{
	uint64_t worked_ns = e->ended_ns - e->armed_ns;

	if ((int64_t)worked_ns > (int64_t)late_ns / 2)
		snprintf(r->note, sizeof(r->note), "its last turn took %llu ms, with %d datagrams",
			 (unsigned long long)((e->ended_ns - e->turned_ns) / NS_PER_MS),
			 e->received);
	else
		snprintf(r->note, sizeof(r->note), "it did not get the CPU");
}

/* Late by half of D: it may be us who slept, not the leader. */
static bool is_late(struct xr_engine *e, uint64_t now_ns)
{
	uint64_t late_ns = now_ns - e->armed_ns;

	if (!e->armed_ns || (int64_t)late_ns < (int64_t)e->timing.min_timeout_ns / 2)
		return false;
	if (late_ns >= e->timing.min_timeout_ns && now_ns - e->stall_said_ns > NS_PER_S &&
	    now_ns - e->turned_ns < stall_ns(e)) { /* or after_stall() says it */
		struct xr_report r = {
			.at_ns = now_ns,
			.kind = XR_REPORT_stalled,
			.took_ns = late_ns,
		};

		say_why_late(e, late_ns, &r);
		e->stall_said_ns = now_ns;
		e->host->report(e->world, &r);
	}
	return true;
}

void xr_engine_timer(struct xr_engine *e)
{
	uint64_t now_ns = xr_engine_now_ns(e);
	bool late = is_late(e, now_ns);
	struct xr_due due[XR_TIMERS_BLOCK];
	uint32_t n, begun = 0;

	e->armed_ns = 0;
	begin_turn(e);
	xr_receive_all(e, DRAIN_TIMER); /* rule 11: ask before acting */
	if (!e->over) {
		xr_introduce_look(e, now_ns);
		xr_path_look(e, now_ns);
	}
	while (!e->over && begun < BEGIN_TURN && (n = xr_timers_due(&e->timers, now_ns, due)))
		begun += xr_group_timers(e, due, n, now_ns, late);
	end_turn(e);
}

/* Whatever woke it, a turn serves the timer that is due: what arrives cannot keep it waiting. */
void xr_engine_receive(struct xr_engine *e)
{
	if (is_due(e, xr_engine_now_ns(e))) {
		xr_engine_timer(e);
		return;
	}
	begin_turn(e);
	xr_receive_all(e, DRAIN_TURN);
	end_turn(e);
}

/* All that wait became durable at once: a few thousand a turn, or heartbeats would be late. */
void xr_engine_durable(struct xr_engine *e)
{
	struct xr_done done[256];
	size_t n, most = 16;

	begin_turn(e);
	while (most-- && (n = e->host->reap(e->world, done, ARRAY_SIZE(done))))
		for (size_t i = 0; i < n; i++) {
			if (!done[i].err && done[i].entry)
				xr_value_taken(e, done[i].vote.group, done[i].entry);
			else if (!done[i].err)
				xr_group_durable(e, &done[i].vote);
		}
	if (e->news && !e->over)
		xr_introduce_news(e);
	end_turn(e);
}

void xr_engine_order(struct xr_engine *e, const struct xr_order *order, struct xr_order_result *r)
{
	begin_turn(e);
	memset(r, 0, sizeof(*r));
	switch (order->kind) {
	case XR_ORDER_STEP_DOWN:
		xr_group_order(e, order, r);
		break;
	case XR_ORDER_PAUSE:
	case XR_ORDER_RESUME:
		xr_stand_order(e, order, r);
		break;
	case XR_ORDER_ASK:
		xr_introduce_ask_all(e);
		break;
	case XR_ORDER_TELL:
		xr_introduce_show(e, r->known);
		break;
	default:
		xr_value_order(e, order, r);
		break;
	}
	end_turn(e);
}

void xr_engine_stop(struct xr_engine *e, enum xr_cause cause)
{
	struct xr_why_event why = {.cause = cause};
	bool asked = cause != XR_CAUSE_ORPHAN;

	xr_group_step_down_all(e, &why);
	if (e->over)
		return; /* it has ended already */
	xr_outbox_flush(&e->outbox);
	xr_crowd_end(&e->crowd, e->host->report, e->world);
	e->env.control->alive_until_ns = 0;
	xr_engine_say(
		e, XR_REPORT_stopped, "%s; it led no group any more",
		asked ? "as asked"
		      : "its warden was killed, and nobody would start it again: start xraftd");
	e->host->end(e->world, asked ? 0 : 1);
}
