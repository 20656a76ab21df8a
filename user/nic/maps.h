/* SPDX-License-Identifier: GPL-2.0-only */
/* The shared maps as a process holds them: file descriptors, and memory where they are mmaped. */
#ifndef XRAFT_MAPS_ACCESS_H
#define XRAFT_MAPS_ACCESS_H

#include <string.h>
#include "common/common.h"
#include "xraft/maps.h"

struct xr_maps {
	struct xr_group *groups; /* [ngroups] */
	struct xr_acks *acks;	 /* [ngroups] */
	struct xr_peer *peers;	 /* [XR_NODE_MAX + 1] */
	struct xr_control *control;
	void *values; /* [ngroups] of value_size bytes: xr_maps_value() */
	size_t value_size;
	size_t ngroups;
	bool copied; /* the arrays are ours, as the maps were when they were opened: xr_maps_look() */
	/* -1 where the kernel refuses BPF and the arrays above are plain memory. */
	int groups_fd, acks_fd, control_fd, peers_fd, values_fd, stats_fd, events_fd, addresses_fd,
		key_fd, socket_fd;
};

#define XR_MAPS_NONE                                                                               \
	{                                                                                          \
		.groups_fd = -1, .acks_fd = -1, .control_fd = -1, .peers_fd = -1, .values_fd = -1, \
		.stats_fd = -1, .events_fd = -1, .addresses_fd = -1, .key_fd = -1, .socket_fd = -1 \
	}

/*
 * "<bpffs>/xraft/<cluster>-<node>", where the maps of a node are pinned. Not with a dot: bpffs
 * refuses names with dots (EPERM), so a cluster's name must not contain one either.
 */
void xr_maps_dir(char *dir, size_t size, const char *cluster, uint8_t node);

/* The i-th pinned map, from 0: its name, or NULL after the last; and where its descriptor stands. */
const char *xr_maps_name(size_t i);
int *xr_maps_fd(struct xr_maps *m, size_t i);

/*
 * Open what is pinned in `dir`. Read-only unless `writable`; -ENOENT: no pins; -EPROTO: of another
 * ABI (sizes and XR_ABI are compared); -EACCES. On failure nothing is left open. The kernel maps
 * memory only for those who may write: a reader without that right gets copies of the arrays.
 */
int xr_maps_open(struct xr_maps *m, const char *dir, bool writable, struct xr_why *why);

/* What is configured of a peer: its counters are the NIC path's, and its lives the engine's (rule 17). */
static inline bool xr_peer_is_at(const struct xr_peer *a, const struct xr_peer *b)
{
	return !memcmp(a->ip, b->ip, sizeof(a->ip)) && a->port == b->port && a->used == b->used;
}

static inline void xr_peer_take(struct xr_peer *peer, const struct xr_peer *from)
{
	memcpy(peer->ip, from->ip, sizeof(peer->ip));
	peer->port = from->port;
	peer->used = from->used;
	peer->priority = from->priority;
}

/* The id of the group of that name; m->ngroups: there is none here. */
size_t xr_maps_group(const struct xr_maps *m, const char *name);

/* The entry of a group as it is shown, with the value behind it; NULL: there is no such map. */
static inline struct xr_value *xr_maps_value(const struct xr_maps *m, size_t group)
{
	return m->values ? (struct xr_value *)((char *)m->values + group * m->value_size) : NULL;
}

/* Of a record in xr_values with room for so many bytes. */
static inline size_t xr_maps_value_size(size_t bytes)
{
	return sizeof(struct xr_value) + (bytes + 7) / 8 * 8;
}

/* So many bytes of a value find room. */
static inline size_t xr_maps_value_room(const struct xr_maps *m)
{
	return m->value_size - sizeof(struct xr_value);
}

/* Copy the value under this key, by a system call; every aligned word of it is whole. */
bool xr_maps_look(int fd, uint32_t key, void *value);

/*
 * mmap a set of which the descriptors are open: groups, acks, peers, control, and values unless
 * values_fd is -1. A program names all but the values, which it does not use.
 */
int xr_maps_mmap(struct xr_maps *m, bool writable, struct xr_why *why);

/* Plain memory, for a kernel that lends us no maps. */
int xr_maps_alloc(struct xr_maps *m, size_t ngroups, size_t value_bytes, struct xr_why *why);

/* Sum over CPUs: out[XR_STATS_NIC], out[XR_STATS_DAEMON]. Zero where there is no map. */
int xr_maps_stats(const struct xr_maps *m, struct xr_stats out[2]);

/*
 * The time namespace of this process, as xr_control.timens tells it; 0: /proc does not tell. Where
 * the kernel has none there is one clock, number 1.
 */
uint64_t xr_maps_timens(void);

void xr_maps_close(struct xr_maps *m);

#endif
