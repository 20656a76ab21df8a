// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include <sys/random.h>
#include "daemon/event.h"
#include "engine/words.h"
#include "lib/value.h"

void xr_origin_init(struct xr_origin *o, const char *cluster, unsigned int node)
{
	uint64_t random = xr_now_ns();

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = xr_now_ns(); /* of this boot, as good */
	snprintf(o->cluster, sizeof(o->cluster), "%s", cluster);
	snprintf(o->epoch, sizeof(o->epoch), "%016llx", (unsigned long long)random);
	o->node = node;
}

/* A note cut in the middle of a character is no UTF-8: then plain ASCII of it. */
static json_t *json_text(const char *s, size_t max)
{
	size_t len = strnlen(s, max);
	json_t *json = json_stringn(s, len);
	char plain[sizeof(((struct xr_text *)0)->s)];

	if (json)
		return json;
	for (size_t i = 0; i < len; i++)
		plain[i] = (unsigned char)s[i] < 0x80 ? s[i] : '?';
	return json_stringn(plain, len);
}

static void set_number(json_t *object, const char *name, uint64_t value)
{
	if (value)
		json_object_set_new(object, name, json_integer((json_int_t)value));
}

/* RFC 3339, in UTC, of a moment of CLOCK_BOOTTIME, by the wall clock as it stands now. */
static void format_time(char *text, size_t size, uint64_t at_ns)
{
	uint64_t wall_ns = xr_wall_ns() - (xr_now_ns() - at_ns);
	time_t s = (time_t)(wall_ns / NS_PER_S);
	char day[32];
	struct tm tm;

	gmtime_r(&s, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, size, "%s.%06uZ", day, (unsigned int)(wall_ns % NS_PER_S / NS_PER_US));
}

/* What every event begins with. */
static json_t *begin(const struct xr_origin *o, const char *event, uint64_t seq, uint64_t at_ns)
{
	char time[64];

	format_time(time, sizeof(time), at_ns);
	return json_pack("{s:i, s:s, s:I, s:s, s:I, s:s, s:i, s:s}", "schema", XR_EVENT_SCHEMA,
			 "epoch", o->epoch, "seq", (json_int_t)seq, "time", time, "at_ns",
			 (json_int_t)at_ns, "cluster", o->cluster, "node", (int)o->node, "event",
			 event);
}

static char *end(json_t *object, const char *text, size_t len)
{
	char *line;

	json_object_set_new(object, "text", json_text(text, len));
	line = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	return line;
}

static void set_entry(json_t *object, uint64_t id)
{
	if (id)
		json_object_set_new(object, "entry",
				    json_sprintf("%u.%u", xr_entry_term(id), (uint32_t)id));
}

/* The committed entry of a group, 0: there is none here to tell; the value belongs to it. */
static uint64_t read_committed(const struct xr_origin *o, size_t group, json_t **value)
{
	const struct xr_maps *m = o->maps;
	struct xr_entry entry;
	uint64_t committed;

	*value = NULL;
	if (!m || group >= m->ngroups || xr_value_read(m, group, &entry, &committed) ||
	    committed != entry.id)
		return 0;
	*value = json_stringn(entry.value, entry.size);
	return entry.id;
}

/* The leader that an event makes known, 0 if it is about another thing. */
static unsigned int leader_of(const struct xr_origin *o, const struct xr_report *r)
{
	if (r->kind == XR_REPORT_elected)
		return o->node;
	return r->kind == XR_REPORT_following ? r->node : 0;
}

char *xr_event_report(const struct xr_origin *o, uint64_t seq, const struct xr_report *r,
		      const char *text, size_t len)
{
	json_t *object = begin(o, xr_kind_words[r->kind].name, seq, r->at_ns);
	unsigned int leader = leader_of(o, r);
	json_t *value = NULL;

	if (r->group_name[0])
		json_object_set_new(object, "group",
				    json_text(r->group_name, sizeof(r->group_name)));
	set_number(object, "more", r->more);
	set_number(object, "term", r->term);
	set_number(object, "leader", leader);
	set_number(object, "peer", leader ? 0 : r->node);
	if (r->cause)
		json_object_set_new(object, "cause", json_string(xr_cause_words[r->cause].word));
	set_number(object, "cause_node", r->cause_node);
	set_number(object, "cause_term", r->cause_term);
	set_number(object, "cause_ns", r->cause_ns);
	set_number(object, "took_ns", r->took_ns);
	set_entry(object, r->entry);
	if (r->entry && read_committed(o, r->group, &value) == r->entry)
		json_object_set(object, "value", value);
	json_decref(value);
	return end(object, text, len);
}

char *xr_event_state(const struct xr_origin *o, uint64_t seq, const struct xr_maps *m, uint32_t id)
{
	const struct xr_group *g = &m->groups[id];
	static const char *const roles[] = {"follower", "candidate", "leader"};
	struct xr_view view = xr_view_read(g).view;
	uint32_t term = view.term > g->durable_term ? view.term : g->durable_term;
	unsigned int leader = view.mode == XR_NONE ? 0 : view.leader;
	/* The view is the truth, and the role is only shown: it may be a moment older. */
	uint64_t entry;
	unsigned int role = view.mode == XR_LEAD ? XR_LEADER : g->role == XR_CANDIDATE;
	char name[XR_NAME_SIZE + 1] = "";
	struct xr_text text = {0};
	json_t *object = begin(o, "state", seq, xr_now_ns()), *value;

	snprintf(name, sizeof(name), "%.*s", XR_NAME_SIZE, g->name);
	if (view.mode == XR_LEAD)
		xr_text_add(&text, "%s: leads in term %u", name, term);
	else if (leader)
		xr_text_add(&text, "%s: follows node %u in term %u", name, leader, term);
	else
		xr_text_add(&text, "%s: knows of no leader in term %u", name, term);
	entry = read_committed(o, id, &value);
	if (entry)
		xr_text_add(&text, ", entry %u.%u is committed", xr_entry_term(entry),
			    (uint32_t)entry);
	json_object_set_new(object, "group", json_text(name, sizeof(name)));
	json_object_set_new(object, "term", json_integer(term));
	json_object_set_new(object, "leader", leader ? json_integer(leader) : json_null());
	json_object_set_new(object, "role", json_string(roles[role]));
	set_entry(object, entry);
	if (value)
		json_object_set_new(object, "value", value);
	return end(object, text.s, text.len);
}

char *xr_event_lost(const struct xr_origin *o, uint64_t seq, uint64_t count, const char *text)
{
	json_t *object = begin(o, "lost", seq, xr_now_ns());

	set_number(object, "lost", count);
	return end(object, text, strlen(text));
}
