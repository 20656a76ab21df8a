/* SPDX-License-Identifier: GPL-2.0-only */
/* A group's entry as xr_values shows it, read whole or not at all: for programs and for people. */
#ifndef XRAFT_LIB_VALUE_H
#define XRAFT_LIB_VALUE_H

#include <string.h>
#include "nic/maps.h"

#define XR_VALUE_TRIES 100000

/* Where this process has only copies: one more. */
static inline bool xr_value_copy(const struct xr_maps *m, size_t group, struct xr_value *to)
{
	const volatile __u64 *from = (const volatile __u64 *)xr_maps_value(m, group);

	if (m->copied)
		return xr_maps_look(m->values_fd, (uint32_t)group, to);
	if (!from)
		return false;
	for (size_t i = 0; i < m->value_size / 8; i++)
		((__u64 *)to)[i] = from[i];
	return true;
}

/*
 * `*shown`: all but the value. Returns 0; -ENOENT: there never was an entry;
 * -EMSGSIZE: there is no room for its value here, of which the rest is told; -EAGAIN: whoever wrote it
 * has not come to an end; -ENODEV: it can be read no more. `group` is below m->ngroups.
 */
static inline int xr_value_look(const struct xr_maps *m, size_t group, struct xr_entry *entry,
				struct xr_value *shown)
{
	struct {
		struct xr_value v;
		char value[XR_VALUE_MAX];
	} a, b;
	int tries = 0;

	if (!m->values || m->value_size > sizeof(a))
		return -ENODEV;
	do {
		if (!xr_value_copy(m, group, &a.v))
			return -ENODEV;
		__sync_synchronize();
		if (!xr_value_copy(m, group, &b.v))
			return -ENODEV;
	} while ((a.v.sequence & 1 || memcmp(&a, &b, m->value_size)) && ++tries < XR_VALUE_TRIES);
	if (tries == XR_VALUE_TRIES)
		return -EAGAIN;
	*shown = a.v;
	memset(entry, 0, sizeof(*entry));
	entry->id = a.v.id;
	entry->voters = a.v.voters;
	entry->learners = a.v.learners;
	entry->size = a.v.size;
	memcpy(entry->birth, a.v.birth, sizeof(entry->birth));
	if (!entry->id)
		return -ENOENT;
	if (entry->size > XR_VALUE_MAX || entry->size > xr_maps_value_room(m))
		return -EMSGSIZE;
	memcpy(entry->value, a.value, entry->size);
	return 0;
}

/* `*committed`: the newest id that is known to be. */
static inline int xr_value_read(const struct xr_maps *m, size_t group, struct xr_entry *entry,
				uint64_t *committed)
{
	struct xr_value shown = {0};
	int err = xr_value_look(m, group, entry, &shown);

	*committed = shown.committed;
	return err;
}

#endif
