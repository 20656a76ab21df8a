/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The NIC path from outside: make the maps, load the program, attach it, pin the maps; and at a
 * start, first of all, fence the maps that an earlier life left behind (rule 6).
 */
#ifndef XRAFT_NIC_H
#define XRAFT_NIC_H

#include "common/common.h"
#include "nic/maps.h"

#define XR_PROGRAM   "xr_nic" /* its name in the kernel */
#define XR_FENCE_OUT "xr_fence_out"
#define XR_FENCE_IN  "xr_fence_in"

enum xr_xdp { XR_XDP_AUTO, XR_XDP_NATIVE, XR_XDP_GENERIC, XR_XDP_OFF };

struct xr_nic_address {
	struct xr_ip key;
	struct xr_address value;
};

struct xr_nic_opts {
	const char *cluster;
	uint8_t node;
	const char *interface;
	enum xr_xdp want;
	size_t ngroups;	    /* group ids are below it */
	size_t value_bytes; /* room for each group's value */
	uint32_t readers;   /* gid of the group that may read what is pinned; 0: root alone */
	const struct xr_nic_address *addresses; /* virtual ones, which the programs fence */
	size_t naddresses;
};

struct xr_nic {
	struct xr_maps maps;
	enum xr_nic_mode mode;
	enum xr_nic_attach attach;
	unsigned int ifindex;
	char remark[256];	   /* for people: a fallback and its reason; or "" */
	char stays[220];	   /* likewise: what of an earlier start nobody can take off */
	struct bpf_object *object; /* owned; NULL without BPF */
};

/*
 * Rule 6: fence every view of this node's, and set its deadline to 0: in the maps that are pinned,
 * and in those of programs that are attached though their pins are gone. Maps that cannot be fenced
 * (of another ABI) are unpinned, and the program that uses them is detached, or lets everything
 * pass. Returns 0 also where there is nothing; -EBUSY: an engine lives there, by pins of its own.
 */
int xr_nic_fence_leftovers(const struct xr_nic_opts *o, struct xr_why *why);

/*
 * Set the deadline to 0, then every view to NONE, keeping its term; visible to all on return. With
 * `led`, [ngroups], only those that lead, and led[id] is what stood there. Returns how many led.
 */
uint32_t xr_nic_fence(struct xr_maps *m, struct xr_view *led);

/*
 * Rule 19: what was stamped by another clock than ours, and lies ahead of `now_ns`, was never
 * stamped. For maps that are fenced and answer nobody yet.
 */
void xr_nic_forget_future(struct xr_maps *m, uint64_t now_ns);

/*
 * Make or adopt the maps, load, attach or replace, pin. The program answers nobody until the
 * deadline in xr_control is renewed. With XR_XDP_AUTO each step down is remarked: native,
 * generic, off. Call xr_nic_fence_leftovers() before; fill in maps.control after.
 */
int xr_nic_open(struct xr_nic *nic, const struct xr_nic_opts *o, struct xr_why *why);

/* Write keys into the maps, where there are maps. */
int xr_nic_write_keys(struct xr_nic *nic, const struct xr_key keys[2], struct xr_why *why);

/*
 * Rule 8: answer only while this bound socket is open. The kernel takes it out of xr_socket when its
 * last descriptor is closed, before anything else can notice.
 */
int xr_nic_write_socket(struct xr_nic *nic, int fd, struct xr_why *why);

/* Release memory and descriptors. Pins and the attached program stay: a restart adopts them. */
void xr_nic_close(struct xr_nic *nic);

/* user/nic/again.c: what became of it since (rule 20). */

struct xr_nic_found {
	bool ours;  /* the program is there, beside others or alone */
	bool taken; /* another one leaves no room: */
	char by[128];
	/* Of ours, or of that one. */
	enum xr_nic_mode mode;
	enum xr_nic_attach attach;
};

/* -EPERM: no right to look. */
int xr_nic_find(const struct xr_nic *nic, unsigned int ifindex, struct xr_nic_found *found);

/*
 * Attach the program to an interface where it is not any more, over the same maps: natively, else as
 * the configuration lets it. Never takes off another's.
 */
int xr_nic_attach_again(struct xr_nic *nic, const struct xr_nic_opts *o, unsigned int ifindex,
			struct xr_why *why);

/*
 * The same for the fence of the virtual addresses, on `ifindex`, where the program is in `mode`
 * (XR_NIC_OFF: it is not). 1: it was not there, and is; 0: it was, or there are no addresses.
 */
int xr_nic_fence_again(struct xr_nic *nic, const struct xr_nic_opts *o, enum xr_nic_mode mode,
		       unsigned int ifindex, struct xr_why *why);

/*
 * What is pinned: reading is the readers', writing root's. Refused rights cost readers, not
 * elections.
 */
void xr_nic_admit(const char *path, uint32_t readers, mode_t alone, mode_t together);

/* Pin what is not pinned any more. Returns how many; -EEXIST: others have their maps there. */
int xr_nic_pin_again(struct xr_nic *nic, const struct xr_nic_opts *o, struct xr_why *why);

/* Write what differs from `peers` anew. Bit n of what it returns: node n did. */
int xr_nic_mend_peers(struct xr_nic *nic, const struct xr_peer *peers);

/* user/nic/lock.c: one daemon for each node. */

/* See that bpffs is mounted, with our folder in it. */
int xr_nic_bpffs(struct xr_why *why);

/*
 * Take the lock of (cluster, node) before anything of it is fenced. -EBUSY: somebody holds it, and
 * the sentence says who. *fd stays -1 where no bpffs can be had, if XDP may be off: then nothing is
 * pinned that another could fence. Children inherit the lock; it ends with the last of them.
 */
int xr_nic_lock(const struct xr_nic_opts *o, int *fd, struct xr_why *why);
/* Where its folder was removed under it. 1: it is taken again; 0: it was there, or was never taken. */
int xr_nic_lock_again(const struct xr_nic_opts *o, int *fd, struct xr_why *why);
void xr_nic_unlock(const struct xr_nic_opts *o, int *fd);

/* user/nic/clock.c: has the NIC path the clock of this process (rule 19)? */

/* How far it is ahead of ours; -errno where the kernel does not run the program that asks. */
int xr_nic_clock_shift(int64_t *shift_ns);
/* -EXDEV: they differ. */
int xr_nic_check_clock(struct xr_why *why);

/* user/nic/attach.c: one program on one interface. */

/*
 * Attach `object`'s program to the interface, or put it in the place of the one that an earlier
 * life of this node left there, without a moment in between. Loads the object.
 */
int xr_attach(struct bpf_object *object, const struct xr_nic_opts *o, enum xr_nic_mode mode,
	      unsigned int ifindex, enum xr_nic_attach *how, struct xr_why *why);

/*
 * Detach this node's programs, if they are there. Never touches another's. -errno: one stays, for
 * the kernel's reason.
 */
int xr_detach(const struct xr_nic_opts *o, unsigned int ifindex);

#endif
