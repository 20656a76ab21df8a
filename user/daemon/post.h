/* SPDX-License-Identifier: GPL-2.0-only */
/* All of a host that an outbox asks for, where a process only sends. `world` is a struct xr_trains. */
#ifndef XRAFT_POST_H
#define XRAFT_POST_H

#include "engine/host.h"

extern const struct xr_host xr_post_host;

#endif
