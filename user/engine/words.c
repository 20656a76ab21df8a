// SPDX-License-Identifier: GPL-2.0-only
/* Reports in sentences. */
#include <string.h>
#include "engine/words.h"

const struct xr_kind_words xr_kind_words[XR_REPORT_END] = {
#define X(name, level, sentence) {#name, level, sentence},
	XR_REPORTS(X)
#undef X
};

/* In a cause {node} {term} {ms} are those that the cause speaks of; by default the other node. */
const struct xr_cause_words xr_cause_words[] = {
	[XR_CAUSE_NONE] = {"none", "for no stated reason"},
	[XR_CAUSE_START] = {"start", "no leader heard since this node started"},
	[XR_CAUSE_SILENCE] = {"silence", "no heartbeat from node {node} for {ms} ms"},
	[XR_CAUSE_NO_LEADER] = {"no_leader", "no leader heard for {ms} ms"},
	[XR_CAUSE_SPLIT] = {"split", "nobody won term {term} in {ms} ms"},
	[XR_CAUSE_RESIGNED] = {"resigned", "node {node} resigned term {term}"},
	[XR_CAUSE_ALONE] = {"alone", "this node is the only voter"},
	[XR_CAUSE_NEWER_TERM] = {"newer_term", "node {node} is in term {term}"},
	[XR_CAUSE_HAS_LEADER] = {"has_leader", "heard node {node} {ms} ms ago"},
	[XR_CAUSE_PROMISE] = {"promise", "promised at its start not to vote for another {ms} ms"},
	[XR_CAUSE_LEASE] = {"lease", "leads itself, with a lease that holds"},
	[XR_CAUSE_VOTED] = {"voted", "voted for node {node} in this term"},
	[XR_CAUSE_OLD_TERM] = {"old_term", "term {term} is over"},
	[XR_CAUSE_OLD_LOG] = {"old_log", "the log of node {node} is older"},
	[XR_CAUSE_NOT_VOTER] = {"not_voter", "node {node} is no voter of the group"},
	[XR_CAUSE_LEAP] = {"leap", "term {term} is a leap beyond reason"},
	[XR_CAUSE_QUORUM_LOST] = {"quorum_lost", "no majority has answered for {ms} ms"},
	[XR_CAUSE_STALLED] = {"stalled", "the event loop of this node stood still for {ms} ms"},
	[XR_CAUSE_DISK] = {"disk", "a disk write has not completed for {ms} ms"},
	[XR_CAUSE_SHUTDOWN] = {"shutdown", "asked to stop"},
	[XR_CAUSE_GONE] = {"gone", "the socket of node {node} is gone, no heartbeat for {ms} ms"},
	[XR_CAUSE_ORDER] = {"order", "asked to step down"},
	[XR_CAUSE_ORPHAN] = {"orphan", "its warden is gone"},
	[XR_CAUSE_HAD_LEADER] = {"had_leader", "heard the leader of an earlier term {ms} ms ago"},
	[XR_CAUSE_REMOVED] = {"removed", "this node is a voter no longer"},
	[XR_CAUSE_PAUSED] = {"paused", "paused: it does not stand until it is resumed"},
	[XR_CAUSE_FAILBACK] = {"failback",
			       "hands over to node {node}, of higher priority and well for {ms} "
			       "ms"},
	[XR_CAUSE_TRANSFER] = {"transfer", "asked to hand over to node {node}"},
	[XR_CAUSE_STRANGER] = {"stranger",
			       "a majority has not told yet what it knows of this node"},
};

_Static_assert(ARRAY_SIZE(xr_cause_words) == XR_CAUSE_END, "a sentence a cause");

void xr_text_add(struct xr_text *t, const char *fmt, ...)
{
	size_t room = sizeof(t->s) - t->len;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(t->s + t->len, room, fmt, ap);
	va_end(ap);
	if (len > 0)
		t->len += (size_t)len < room ? (size_t)len : room - 1;
}

void xr_text_fill(struct xr_text *t, const char *sentence,
		  void (*put)(struct xr_text *t, const char *word, size_t len, const void *arg),
		  const void *arg)
{
	while (*sentence) {
		size_t len = strcspn(sentence, "{");

		xr_text_add(t, "%.*s", (int)len, sentence);
		sentence += len;
		if (!*sentence)
			return;
		len = strcspn(++sentence, "}");
		if (!sentence[len])
			return;
		put(t, sentence, len, arg);
		sentence += len + 1;
	}
}

/* Below 100 ms with a decimal. */
static void add_ms(struct xr_text *t, uint64_t ns)
{
	uint64_t tenths = (ns + NS_PER_MS / 20) / (NS_PER_MS / 10);

	if (tenths < 1000)
		xr_text_add(t, "%u.%u", (unsigned int)(tenths / 10), (unsigned int)(tenths % 10));
	else
		xr_text_add(t, "%llu", (unsigned long long)((ns + NS_PER_MS / 2) / NS_PER_MS));
}

struct facts {
	const struct xr_report *report;
	uint8_t node;
	uint32_t term;
	uint64_t ns;
};

static bool is(const char *word, size_t len, const char *name)
{
	return strlen(name) == len && !memcmp(word, name, len);
}

static void put_word(struct xr_text *t, const char *word, size_t len, const void *arg)
{
	const struct facts *f = arg;
	const struct xr_report *r = f->report;
	uint8_t node = r->cause_node ? r->cause_node : r->node;

	if (is(word, len, "group"))
		xr_text_add(t, "%.*s", (int)sizeof(r->group_name), r->group_name);
	else if (is(word, len, "note"))
		xr_text_add(t, "%.*s", (int)sizeof(r->note), r->note);
	else if (is(word, len, "term"))
		xr_text_add(t, "%u", f->term);
	else if (is(word, len, "node"))
		xr_text_add(t, "%u", f->node);
	else if (is(word, len, "ms"))
		add_ms(t, f->ns);
	else if (is(word, len, "entry"))
		xr_text_add(t, "%u.%u", xr_entry_term(r->entry), (uint32_t)r->entry);
	else if (is(word, len, "cause"))
		xr_text_fill(t, xr_cause_words[r->cause].sentence, put_word,
			     &(struct facts){r, node, r->cause_term, r->cause_ns});
}

/* One line stays one line, whatever a note holds. */
void xr_words_report(struct xr_text *t, const struct xr_report *r)
{
	t->len = 0;
	t->s[0] = 0;
	xr_text_fill(t, xr_kind_words[r->kind].sentence, put_word,
		     &(struct facts){r, r->node, r->term, r->took_ns});
	if (r->more)
		xr_text_add(t, "; and %u more like it", r->more);
	for (size_t i = 0; i < t->len; i++)
		if ((unsigned char)t->s[i] < ' ' || t->s[i] == 0x7f)
			t->s[i] = ' ';
}
