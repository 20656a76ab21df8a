/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state of a node as a JSON object, read from its maps alone: the same lines describe a daemon
 * that runs, one that hangs and one that died.
 *
 *   {"node":1, "cluster":"demo",
 *    "alive":true,       its process exists
 *    "answering":true,   and its deadline has not lapsed: a stopped or hung one is alive only
 *    "pid":4711,         the engine's; "warden":4710, its parent's; null: they are of another
 *                        pid namespace, and "alive" is what is "answering"
 *    "warden_stopped":false, "loop_age_ms":3.1,
 *    "nic":{"interface":"eth0", "mode":"native|generic|off",
 *           "attach":"dispatcher|single|none", "answers":true,
 *           "path":"untested|delivered|lost"},
 *    "timing":{"min_timeout_ms":150, "max_timeout_ms":300, "heartbeat_ms":50,
 *              "stall_limit_ms":1000, "quorum_lapse_ms":150, "drift_permille":100},
 *    "nodes":[{"node":1, "address":"10.0.0.1", "port":7007, "priority":100,
 *              "received":0, "answered":0}],
 *    "addresses":[{"address":"10.0.0.100", "prefix":24, "group":"main", "served":true}],
 *    "summary":{"leads":1, "follows":0, "leaderless":0, "paused":0},    of its groups
 *    "groups":[{"name":"main", "id":0, "role":"leader|candidate|follower",
 *               "leads":true, "lease_left_ms":131.4|null, "term":4,
 *               "leader":1|null, "voted_for":1|null, "contact_age_ms":7.4|null,
 *               "quorum_age_ms":1.2|null, "voters":[1,2,3], "as_configured":true,
 *               "learners":[], "member":true,
 *               "paused":false, "paused_since":null|"2026-11-26T22:08:13Z", "paused_voters":[],
 *               "view":{"term":4, "mode":"none|follow|lead", "leader":1|null},
 *               "entry":{"id":"4.2", "committed":true, "size":5, "value":"hello"|null,
 *                        "missing":[3]|null}|null}],
 *    "counters":{"nic":{"heartbeat_answered":0, ...}, "daemon":{...}}}
 *
 * `leads`: it holds the lease at this moment, as xr_is_leader() tells programs (rules 5 and 16), and
 * `lease_left_ms` says for how long, if nobody acks any more. `role` is only what its daemon last did:
 * that of a paused one stays, and its lease ends. `summary` counts leases. A virtual address is served
 * where `leads` is true of its group; elsewhere the kernel drops all that is sent to it or from it.
 * `term` is the larger of the view's and the durable one. A dead node leads and follows nobody:
 * its role is "follower" and its leader null; of its
 * XDP program nothing is known, so "mode", "attach" and "path" are null; `view` still shows the word that it left behind.
 * `contact_age_ms` is null when no leader was ever heard. `quorum_age_ms` is a leader's: how long
 * ago it sent what a majority (itself included) has acked since; null when none has yet.
 * `entry` is null where nobody ever set a value; `value` is null where it is longer than value_bytes.
 * `missing`, of a leader: the nodes that have not told it that they have the entry on disk.
 * `as_configured`: false where the voters of the entry, which count, are others than those of [groups],
 * which are the group's first.
 * `paused`: this node stands for no election in the group until it is resumed; `paused_voters` are those
 * of which it knows the same, itself counted.
 * Members may be added in later versions; those above stay.
 */
#ifndef XRAFT_STATUS_H
#define XRAFT_STATUS_H

#include <jansson.h>
#include <sys/types.h>
#include "nic/maps.h"

/* A new reference, or NULL and a sentence. */
json_t *xr_status_json(const struct xr_maps *m, struct xr_why *why);

/* "entry" of a group. `id` is below m->ngroups. */
json_t *xr_status_entry(const struct xr_maps *m, size_t id);

/* The same without "groups", of which there may be a hundred thousand. */
json_t *xr_status_brief(const struct xr_maps *m, struct xr_why *why);

/* As text: compact for programs, or indented. The caller frees. Times have a sensible precision. */
char *xr_status_dump(const json_t *status, bool indent);

/* In how many groups does this node stand for no election? */
unsigned int xr_status_pauses(const struct xr_maps *m);

/* Does the process of this control record exist? */
bool xr_status_alive(const struct xr_control *c);

/*
 * The engine and the warden fill `pid_start`, `netns` and `pidns` of struct xr_control by these.
 * 0: there is no such process, it is a zombie, or /proc cannot be read.
 */
uint64_t xr_status_pid_start(pid_t pid);
uint64_t xr_status_netns(void);
uint32_t xr_status_pidns(void);
/* False: they are of another pid namespace. */
bool xr_status_knows_pids(const struct xr_control *c);

#endif
