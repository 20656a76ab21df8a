// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtual addresses: where this node leads they are on its interface. That none is served at two
 * machines is the kernel's fence (bpf/address.h); this only makes them appear and go.
 */
#include <arpa/inet.h>
#include <string.h>
#include "agent/agent.h"

#define CHECK_NS (5 * NS_PER_S) /* somebody may have taken an address off */

/* A neighbour may lose the first ones: a switch may just be learning where a port leads. */
static const uint64_t announce_after_ns[] = {
	0, 100 * NS_PER_MS, 500 * NS_PER_MS, 1 * NS_PER_S, 2 * NS_PER_S, 5 * NS_PER_S,
};

static const char *text_of(const struct xr_nic_address *a, char text[INET6_ADDRSTRLEN + 4])
{
	struct xr_peer peer = {.used = 1};
	char ip[46];

	memcpy(peer.ip, a->key.ip, sizeof(peer.ip));
	snprintf(text, INET6_ADDRSTRLEN + 4, "%s/%u", xr_machine_address(&peer, ip),
		 a->value.prefix);
	return text;
}

static void say_failure(const struct xr_agent *a, size_t i, const char *what, int err)
{
	char text[INET6_ADDRSTRLEN + 4];

	xr_say(a->name, 3, "cannot %s %s at %s: %s; tried again until it works", what,
	       text_of(&a->config.addresses[i], text), a->config.interface, strerror(-err));
}

/*
 * ---- one address ----
 */
static void announce(struct xr_agent *a, size_t i, uint64_t now_ns)
{
	struct xr_served *s = &a->served[i];
	int err;

	if (s->said == ARRAY_SIZE(announce_after_ns) || xr_before(now_ns, s->announce_ns))
		return;
	err = xr_link_announce(a->link, &a->config.addresses[i]);
	if (err && !s->said)
		say_failure(a, i, "announce", err);
	if (++s->said < ARRAY_SIZE(announce_after_ns))
		s->announce_ns = now_ns + announce_after_ns[s->said];
}

static void put(struct xr_agent *a, size_t i, uint64_t token, uint64_t now_ns)
{
	struct xr_served *s = &a->served[i];
	int added = xr_link_add(a->link, &a->config.addresses[i]);
	char text[INET6_ADDRSTRLEN + 4];

	s->seen_ns = now_ns;
	if (added < 0) {
		if (!s->known || s->token != token)
			say_failure(a, i, "put", added);
		s->token = token;
		s->known = true;
		return;
	}
	if (s->on && s->token == token && !added)
		return; /* as it should be */
	xr_say(a->name, 5, "%s is at %s: %s leads %s in term %llu",
	       text_of(&a->config.addresses[i], text), a->config.interface, a->name,
	       xr_config_group(&a->config, a->config.addresses[i].value.group)->name,
	       (unsigned long long)token);
	*s = (struct xr_served){.known = true, .on = true, .token = token, .seen_ns = now_ns};
}

static void take_away(struct xr_agent *a, size_t i, const char *reason)
{
	struct xr_served *s = &a->served[i];
	int removed = xr_link_remove(a->link, &a->config.addresses[i]);
	char text[INET6_ADDRSTRLEN + 4];

	if (removed < 0) {
		if (s->on || !s->known)
			say_failure(a, i, "take away", removed);
		s->on = false;
		s->known = true;
		return;
	}
	if (removed)
		xr_say(a->name, 5, "%s is taken away from %s: %s",
		       text_of(&a->config.addresses[i], text), a->config.interface, reason);
	*s = (struct xr_served){.known = true};
}

/*
 * A view is fenced for a moment whenever a vote is considered, and an ack may be late: what comes
 * back at once does not end connections. Until it does the fence drops all.
 */
static bool is_lost(struct xr_agent *a, size_t i, uint64_t now_ns)
{
	struct xr_served *s = &a->served[i];
	uint64_t term;
	unsigned int leader = xr_leader(a->handle, (int)a->config.addresses[i].value.group, &term);

	if ((leader && leader != a->config.self) || term != s->token)
		return true;
	if (!s->lost_ns)
		s->lost_ns = now_ns;
	return now_ns - s->lost_ns > a->config.max_timeout_us * NS_PER_US;
}

static void look(struct xr_agent *a, size_t i, uint64_t now_ns)
{
	struct xr_served *s = &a->served[i];
	uint64_t token;

	if (xr_is_leader(a->handle, (int)a->config.addresses[i].value.group, &token)) {
		s->lost_ns = 0;
		if (!s->on || s->token != token || now_ns - s->seen_ns > CHECK_NS)
			put(a, i, token, now_ns);
		if (s->on)
			announce(a, i, now_ns);
	} else if (!s->known) {
		take_away(a, i, "left behind by an earlier start, and this node does not lead");
	} else if (s->on && is_lost(a, i, now_ns)) {
		take_away(a, i, "this node leads no longer");
	}
}

/*
 * ---- all of them ----
 */
int xr_addresses_open(struct xr_agent *a, struct xr_why *why)
{
	return a->config.naddresses ? xr_link_open(&a->link, why) : 0;
}

/* Where the fence is, and no other interface that may have its name by now (rule 21). */
static void aim(struct xr_agent *a)
{
	if (a->link)
		xr_link_is(a->link, *(const volatile __u32 *)&a->maps.control->ifindex);
}

void xr_addresses_look(struct xr_agent *a)
{
	uint64_t now_ns = xr_now_ns();

	aim(a);
	for (size_t i = 0; i < a->config.naddresses; i++)
		look(a, i, now_ns);
}

/* This one may have been paused while its xraftd was killed, and another one started. */
static bool is_replaced(const struct xr_agent *a)
{
	return a->warden && *(const volatile __s32 *)&a->maps.control->warden_pid != a->warden;
}

void xr_addresses_close(struct xr_agent *a)
{
	aim(a);
	for (size_t i = 0; i < a->config.naddresses && a->link && !is_replaced(a); i++)
		take_away(a, i, "the agent ends");
	xr_link_close(a->link);
	a->link = NULL;
}
