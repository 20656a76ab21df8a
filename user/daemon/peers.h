/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the nodes of a cluster have told this one, as JSON:
 *
 *   {"node":1, "cluster":"demo",
 *    "nodes":[{"node":1, "self":true, "told":true,
 *              "min_timeout_us":150000, "max_timeout_us":300000, "heartbeat_us":50000,
 *              "stall_limit_us":1000000, "drift_permille":100, "groups":"8d0e...", "keys":"0x3",
 *              "nic":"native", "path":"delivered"},
 *             {"node":2, "self":false, "told":true, "told_in_ms":0.21, "twice":false, ...,
 *              "differs":["heartbeat_us"]},
 *             {"node":3, "self":false, "told":false}]}
 *
 * `told`: it has answered the question that was just put; what it told before that is left out.
 * `twice`: two machines take turns to be this node. `differs`: what is not as with the node asked.
 */
#ifndef XRAFT_DAEMON_PEERS_H
#define XRAFT_DAEMON_PEERS_H

#include <jansson.h>
#include "engine/introduce.h"
#include "nic/maps.h"

/* A new reference. `asked_ns`: when the question was put. */
json_t *xr_peers_json(const struct xr_maps *m, const struct xr_acquaintance *known,
		      uint64_t asked_ns);

#endif
