// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include "agent/hooks.h"
#include "lib/value.h"

#define CAUSE_NS       (200 * NS_PER_MS)
#define UNDER_WAY_MOST 32 /* at a time, of all groups */

const char *const xr_hook_names[XR_HOOKS] = {
	[XR_HOOK_BECOME] = "become_leader", [XR_HOOK_LOSE] = "lose_leadership",
	[XR_HOOK_NEW] = "new_leader",	    [XR_HOOK_QUORUM] = "quorum_lost",
	[XR_HOOK_VALUE] = "new_value",
};

/* What has been told of a group. */
struct xr_told {
	bool known;	  /* anything at all */
	bool calling;	  /* a program is under way */
	bool quorum_lost; /* by the daemon's word, and not told yet */
	uint64_t
		asked_ns; /* since when the daemon's word of the cause is waited for; 0: it is not */
	uint8_t leader;	  /* that new_leader was told of, */
	uint32_t term;	  /* and of which term */
	uint64_t token;	  /* of become_leader; 0: it was told lose_leadership */
	uint64_t lost_ns; /* since when the lease is not held, though nobody else leads */
	char cause[24];	  /* that the daemon gave last, and was not told yet */
	bool looked;	  /* for a value */
	uint64_t entry;	  /* the newest committed one that was seen, */
	char *value;	  /* and what new_value was told, owned; NULL: nothing */
};

/*
 * ---- calling ----
 */
static bool call(struct xr_agent *a, struct xr_call *call)
{
	memcpy(call->name, a->maps.groups[call->group].name, sizeof(call->name) - 1);
	if (send(a->hooks_fd, call, sizeof(*call), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return false; /* the next look tries again */
	a->told[call->group].calling = true;
	a->calling++;
	return true;
}

static bool tell(struct xr_agent *a, size_t id, enum xr_hook hook, uint64_t token, uint8_t leader)
{
	const char *cause = a->told[id].cause;
	struct xr_call c = {.group = (uint32_t)id, .hook = hook, .leader = leader, .token = token};

	if (!a->config.hooks[hook][0])
		return true; /* nobody wants to know */
	snprintf(c.cause, sizeof(c.cause), "%s", cause[0] ? cause : "unknown");
	return call(a, &c);
}

static int on_called(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct xr_agent *a = arg;
	struct xr_called called;

	(void)source;
	(void)events;
	if (recv(fd, &called, sizeof(called), MSG_DONTWAIT) != (ssize_t)sizeof(called)) {
		if (errno == EAGAIN)
			return 0;
		xr_say(a->name, 3, "the process that calls hooks has ended; the agent ends, too");
		return sd_event_exit(a->loop, 1);
	}
	a->told[called.group].calling = false;
	a->calling--;
	xr_hooks_look(a);
	return 0;
}

/*
 * ---- looking ----
 */

/* As with addresses: a fence for a moment is no loss. */
static bool is_lost(struct xr_agent *a, size_t id, uint64_t now_ns)
{
	struct xr_told *t = &a->told[id];
	uint64_t term;
	unsigned int leader = xr_leader(a->handle, (int)id, &term);

	if ((leader && leader != a->config.self) || term != t->token)
		return true;
	if (!t->lost_ns)
		t->lost_ns = now_ns;
	return now_ns - t->lost_ns > a->config.max_timeout_us * NS_PER_US;
}

/* Its word of the cause comes a moment after the maps changed; an engine that was killed says none. */
static bool waits_for_cause(struct xr_told *t, uint64_t now_ns)
{
	if (!t->asked_ns)
		t->asked_ns = now_ns;
	return !t->cause[0] && now_ns - t->asked_ns < CAUSE_NS;
}

static void done(struct xr_told *t)
{
	t->asked_ns = 0;
	t->cause[0] = '\0';
}

static void tell_lost(struct xr_agent *a, size_t id, uint64_t now_ns)
{
	struct xr_told *t = &a->told[id];

	if (!t->known)
		snprintf(t->cause, sizeof(t->cause), "agent_starts");
	else if (waits_for_cause(t, now_ns))
		return;
	if (!tell(a, id, XR_HOOK_LOSE, t->token, (uint8_t)xr_leader(a->handle, (int)id, NULL)))
		return;
	t->token = 0;
	t->known = true;
	done(t);
}

static void tell_led(struct xr_agent *a, size_t id, uint64_t token, uint64_t now_ns)
{
	struct xr_told *t = &a->told[id];

	if (waits_for_cause(t, now_ns) || !tell(a, id, XR_HOOK_BECOME, token, a->config.self))
		return;
	t->token = token;
	t->lost_ns = 0;
	t->known = true;
	done(t);
}

/* Whether there was nothing to tell. */
static bool tell_leader(struct xr_agent *a, size_t id)
{
	struct xr_told *t = &a->told[id];
	uint64_t term;
	unsigned int leader = xr_leader(a->handle, (int)id, &term);

	if (!leader || (leader == t->leader && term == t->term))
		return true;
	if (!tell(a, id, XR_HOOK_NEW, term, (uint8_t)leader))
		return false;
	t->leader = (uint8_t)leader;
	t->term = (uint32_t)term;
	return !t->calling;
}

/* One that is committed, and that a look has not seen. */
static bool find_entry(const struct xr_agent *a, size_t id, struct xr_entry *entry)
{
	const struct xr_value *v = xr_maps_value(&a->maps, id);
	uint64_t committed, seen = a->told[id].entry;

	if (!a->maps.copied && v && *(const volatile __u64 *)&v->committed == seen)
		return false;
	return !xr_value_read(&a->maps, id, entry, &committed) && committed == entry->id &&
	       entry->id != seen;
}

/* A new leader makes the entry anew: what counts is another value. */
static void tell_value(struct xr_agent *a, size_t id)
{
	struct xr_told *t = &a->told[id];
	struct xr_call c = {.group = (uint32_t)id, .hook = XR_HOOK_VALUE};
	bool first = !t->looked;
	struct xr_entry entry;

	if (!a->config.hooks[XR_HOOK_VALUE][0])
		return;
	t->looked = true;
	if (!find_entry(a, id, &entry))
		return;
	c.entry = entry.id;
	c.token = xr_entry_term(entry.id);
	c.leader = (uint8_t)xr_leader(a->handle, (int)id, NULL);
	snprintf(c.cause, sizeof(c.cause), first ? "agent_starts" : "committed");
	memcpy(c.value, entry.value, entry.size);
	if (t->value && !strcmp(t->value, c.value)) {
		t->entry = entry.id;
	} else if (call(a, &c)) {
		t->entry = entry.id;
		free(t->value);
		t->value = strdup(c.value); /* without it the next entry is told in any case */
	} else {
		t->looked = !first;
	}
}

/* The first that is due, what concerns this node's own leadership before all else. */
static void look(struct xr_agent *a, size_t id, uint64_t now_ns)
{
	struct xr_told *t = &a->told[id];
	uint64_t token = 0;
	bool led = xr_is_leader(a->handle, (int)id, &token);

	if (led && token == t->token)
		t->lost_ns = 0;
	if (!t->token && led)
		tell_led(a, id, token, now_ns);
	else if (!t->known || (t->token && token != t->token && (led || is_lost(a, id, now_ns))))
		tell_lost(a, id, now_ns);
	else if (t->quorum_lost)
		t->quorum_lost = !tell(a, id, XR_HOOK_QUORUM, 0, 0);
	else if (tell_leader(a, id))
		tell_value(a, id);
}

void xr_hooks_look(struct xr_agent *a)
{
	uint64_t now_ns = xr_now_ns();

	for (size_t id = 0; a->told && id < a->maps.ngroups; id++)
		if (a->maps.groups[id].members && !a->told[id].calling &&
		    a->calling < UNDER_WAY_MOST)
			look(a, id, now_ns);
}

void xr_hooks_event(struct xr_agent *a, const json_t *event)
{
	const char *kind = json_string_value(json_object_get(event, "event"));
	const char *group = json_string_value(json_object_get(event, "group"));
	const char *cause = json_string_value(json_object_get(event, "cause"));
	int id = a->told && group ? xr_group_id(a->handle, group) : -1;

	if (id < 0 || !kind || !cause)
		return;
	if (strcmp(kind, "elected") && strcmp(kind, "stepped_down"))
		return;
	snprintf(a->told[id].cause, sizeof(a->told[id].cause), "%s", cause);
	if (!strcmp(kind, "stepped_down") && !strcmp(cause, "quorum_lost") &&
	    (uint64_t)json_integer_value(json_object_get(event, "at_ns")) > a->started_ns)
		a->told[id].quorum_lost = true;
}

/*
 * ---- begin and end ----
 */
int xr_hooks_open(struct xr_agent *a, const struct xr_user *agent_user, struct xr_why *why)
{
	struct xr_user user = *agent_user;
	int err = 0;

	if (!xr_config_has_hooks(&a->config))
		return 0;
	if (a->config.hook_user[0])
		err = xr_machine_user(&user, a->config.hook_user, why);
	if (err)
		return err;
	a->hooks_fd = xr_runner_start(a, &user, why);
	return a->hooks_fd < 0 ? a->hooks_fd : 0;
}

int xr_hooks_start(struct xr_agent *a, struct xr_why *why)
{
	int err;

	if (a->hooks_fd < 0)
		return 0;
	a->told = calloc(a->maps.ngroups, sizeof(*a->told));
	if (!a->told)
		return xr_fail(why, -ENOMEM, "no memory for %zu groups", a->maps.ngroups);
	err = sd_event_add_io(a->loop, NULL, a->hooks_fd, EPOLLIN, on_called, a);
	return err < 0 ? xr_fail(why, err, "no event loop: %s", strerror(-err)) : 0;
}

/*
 * Until all that was called has ended, of which the runner makes sure: whoever ends this node, ends
 * what is left of it once xraftd has gone.
 */
static void wait_for_runner(const struct xr_agent *a)
{
	struct xr_called called;
	ssize_t n;

	shutdown(a->hooks_fd, SHUT_WR);
	do
		n = recv(a->hooks_fd, &called, sizeof(called), 0);
	while (n > 0 || (n < 0 && errno == EINTR));
}

/* Whom it told that this node leads is told, before nobody is left to tell when it no longer does. */
void xr_hooks_close(struct xr_agent *a)
{
	for (size_t id = 0; a->told && id < a->maps.ngroups; id++) {
		struct xr_told *t = &a->told[id];

		free(t->value);
		if (!t->token)
			continue;
		snprintf(t->cause, sizeof(t->cause), "agent_ends");
		tell(a, id, XR_HOOK_LOSE, t->token, (uint8_t)xr_leader(a->handle, (int)id, NULL));
	}
	free(a->told);
	a->told = NULL;
	if (a->hooks_fd >= 0)
		wait_for_runner(a);
	xr_close_fd(&a->hooks_fd);
}
