/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is looked at (engine/looks.h) as JSON, for programs:
 *
 *   [{"name":"program", "node":null,     or the node that it is about
 *     "ok":true, "since":"2026-01-31T12:00:00Z",       of this state
 *     "looked_ms_ago":812,
 *     "detail":"...", "remedy":"..."}]   null where it is well
 *
 * What was never looked at is not in it.
 */
#ifndef XRAFT_DAEMON_LOOKS_H
#define XRAFT_DAEMON_LOOKS_H

#include <jansson.h>
#include "engine/looks.h"

/* A new reference, or NULL. */
json_t *xr_looks_json(const struct xr_looks *looks);

#endif
