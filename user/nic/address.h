/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fence of the virtual addresses (rule 21): the map that names them, and the programs beside the XDP
 * program that look at what an interface sends, and receives where there is no XDP. Like the XDP
 * program they stay when the daemon stops, until a start or `xraft detach` takes them off.
 */
#ifndef XRAFT_NIC_ADDRESS_H
#define XRAFT_NIC_ADDRESS_H

#include <bpf/libbpf.h>
#include "nic/nic.h"

/*
 * Before `object` is loaded: make xr_addresses, with all of them in it, since an instant without
 * the map is one without the fence, and so that nobody can change it, root included; or take `map_fd`, which holds them already (-1: there is none).
 * Where there are no addresses the programs are left out.
 */
int xr_fence_prepare(struct bpf_object *object, const struct xr_nic_opts *o, int map_fd,
		     struct xr_why *why);

/* Are they on the interface, where `mode` needs them? True also without addresses. */
bool xr_fence_is_on(const struct xr_nic_opts *o, enum xr_nic_mode mode, unsigned int ifindex);

/*
 * Put the object's programs on the interface, or in the place of those of an earlier start without
 * a moment in between; and take this node's off every other interface. Without addresses only the
 * latter.
 */
int xr_fence_attach(struct bpf_object *object, const struct xr_nic_opts *o, enum xr_nic_mode mode,
		    unsigned int ifindex, struct xr_why *why);

/*
 * Take this node's off every interface of this network namespace but `keep`; a clsact that is
 * empty then goes, too. Returns how many were there; -errno: one stays.
 */
int xr_fence_detach(const struct xr_nic_opts *o, unsigned int keep);

#endif
