/* SPDX-License-Identifier: GPL-2.0-only */
/* Datagrams between nodes: a node's socket, and trains of datagrams for the kernel. */
#ifndef XRAFT_NET_DATAGRAM_H
#define XRAFT_NET_DATAGRAM_H

#include <stdalign.h>
#include "common/common.h"
#include "net/env.h"

/* A datagram, aligned as its fields need it. */
struct xr_datagram {
	alignas(8) union {
		struct xr_wire wire;
		uint8_t bytes[XR_DATAGRAM_MAX];
	};
	size_t size;
	struct xr_from from;
};

/* A UDP socket, bound to `self`, close-on-exec, non-blocking. */
int xr_socket_open(const struct xr_peer *self, struct xr_why *why);

/* 1: received; 0: nothing there; negative errno. Longer datagrams are cut and fail their check. */
int xr_socket_receive(int fd, struct xr_datagram *d);

/*
 * Take one ICMP message about what was sent from this socket out of its queue, which has to be
 * emptied each turn, or it keeps the socket readable. 1: nobody listens at *about; 0: none is left.
 * Others are skipped.
 */
int xr_socket_error(int fd, struct xr_from *about);

/* Send a sealed datagram. A lost datagram is the protocol's business; the errno is for counting. */
int xr_socket_send(int fd, const struct xr_peer *to, const void *data, size_t size);

#define XR_TRAIN 32 /* datagrams */

/* Datagrams of one size, but for a shorter last one, that the kernel takes in one call. */
struct xr_train {
	size_t size, segment;
	uint8_t bytes[XR_TRAIN * XR_DATAGRAM_MAX];
};

/* The way to the peers: datagrams for one of them leave together, at the latest by a flush. */
struct xr_trains {
	int fd;
	const struct xr_peer *peers; /* [XR_NODE_MAX + 1], not owned */
	bool no_trains;		     /* the kernel or the path does not take them */
	struct {
		uint64_t taken, lost; /* datagrams for that node */
		int err;	      /* of the last that was lost: -errno */
	} of[XR_NODE_MAX + 1];
	struct xr_train train[XR_NODE_MAX + 1];
};

void xr_trains_put(struct xr_trains *s, uint8_t to, const void *bytes, size_t size);
void xr_trains_flush(struct xr_trains *s);

#endif
