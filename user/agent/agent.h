/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xraft-agent: what people and programs do with a leader. It reads the maps, as any program can,
 * and the daemon's events, which only tell it when to look. Nothing of the election waits for it,
 * and it may die at any time: leases, and the fence of virtual addresses, are the kernel's.
 */
#ifndef XRAFT_AGENT_H
#define XRAFT_AGENT_H

#include <jansson.h>
#include <stdatomic.h>
#include <systemd/sd-event.h>
#include "config/config.h"
#include "daemon/report.h"
#include "machine/machine.h"
#include "xraft/xraft.h"

struct xr_events;
struct xr_told;
struct xr_link;

/* What the agent knows of a virtual address. */
struct xr_served {
	bool known;	   /* it was looked at since the start */
	bool on;	   /* the interface has it, by us */
	uint64_t token;	   /* of the lease under which it was put there */
	uint64_t lost_ns;  /* since when the lease is not held, though nobody else leads; 0: held */
	uint64_t seen_ns;  /* when it was last seen to be on the interface */
	unsigned int said; /* announcements so far, */
	uint64_t announce_ns; /* and when the next is due */
};

#define XR_COUNTED_EVENTS 4

struct xr_agent {
	struct xr_config config;
	char name[XR_NAME_SIZE + 4]; /* "demo.1" */
	struct xr_handle *handle;    /* for what leadership means, and */
	struct xr_maps maps;	     /* for all that can be seen besides */
	struct sd_event *loop;
	struct xr_events *events;
	pid_t warden;	      /* which started it; 0: somebody else did */
	struct xr_link *link; /* NULL without addresses */
	struct xr_served served[XR_ADDRESSES_MAX];
	int http_fd; /* -1: does not listen */
	struct MHD_Daemon *http;
	_Atomic int relays; /* of events, under way */
	_Atomic uint64_t counts[XR_COUNTED_EVENTS][XR_CAUSE_END];
	struct xr_told *told; /* [maps.ngroups]; NULL without hooks */
	int hooks_fd;	      /* to the process that calls them; -1: there are none */
	unsigned int calling; /* hooks under way */
	uint64_t started_ns;
	uint64_t last_event_ns;	 /* of the daemon's, and */
	uint64_t known_until_ns; /* up to when a stream that began anew tells what is known */
};

/* ---- addresses.c ---- */

/* Open what needs rights. */
int xr_addresses_open(struct xr_agent *a, struct xr_why *why);
/* Put each address where the lease is held, take it away where it is lost, announce what is due. */
void xr_addresses_look(struct xr_agent *a);
/* Take all away, unless the agent of another xraftd has them by now. */
void xr_addresses_close(struct xr_agent *a);

/* ---- hooks.c, see hooks.h ---- */

/* Start the process that calls them; `user` is the agent's. Before anything else is opened. */
int xr_hooks_open(struct xr_agent *a, const struct xr_user *user, struct xr_why *why);
int xr_hooks_start(struct xr_agent *a, struct xr_why *why);
/* Call what is due. */
void xr_hooks_look(struct xr_agent *a);
/* The daemon's word of a cause. */
void xr_hooks_event(struct xr_agent *a, const json_t *event);
void xr_hooks_close(struct xr_agent *a);

/* ---- link.c: one interface by rtnetlink ---- */

/* -errno with a sentence: no right. The caller closes it. */
int xr_link_open(struct xr_link **out, struct xr_why *why);
/* Which interface all that follows is about. */
void xr_link_is(struct xr_link *l, unsigned int index);
void xr_link_close(struct xr_link *l);
/* 1: it was not there before; 0: it was. -errno. */
int xr_link_add(struct xr_link *l, const struct xr_nic_address *a);
/* 1: it was there; 0: it was not. -errno. */
int xr_link_remove(struct xr_link *l, const struct xr_nic_address *a);
/* Tell the neighbours where it is now: gratuitous ARP, or an unsolicited advertisement. */
int xr_link_announce(struct xr_link *l, const struct xr_nic_address *a);

/* ---- events.c: a thread that reads the daemon's events, again and again ---- */

typedef void (*xr_event_fn)(struct xr_agent *a, const char *line);

/*
 * Calls `on_event` in the loop with each JSON line of `xraft watch`, and with NULL when the stream
 * begins anew, so that something may have been missed.
 */
int xr_events_start(struct xr_agent *a, xr_event_fn on_event, struct xr_why *why);

/* ---- rights.c ---- */

/* Become the agent's user for good, with no more than the capabilities that its tasks need. */
int xr_agent_drop(const struct xr_agent *a, const struct xr_user *user, struct xr_why *why);

#endif
