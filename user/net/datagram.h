/* SPDX-License-Identifier: GPL-2.0-only */
/* Datagrams between nodes: the engine's socket, and an outbox that packs what a turn has to say. */
#ifndef XRAFT_NET_DATAGRAM_H
#define XRAFT_NET_DATAGRAM_H

#include <stdalign.h>
#include <netinet/in.h>
#include "common/common.h"
#include "net/env.h"

/* A received datagram, aligned as its fields need it. */
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

/* Sealed datagrams of one size, but for a shorter last one, that the kernel takes in one call. */
struct xr_train {
	size_t size, segment;
	uint8_t bytes[XR_TRAIN * XR_DATAGRAM_MAX];
};

/*
 * One datagram is being filled for each peer and type; another echo, or a full one, seals it.
 * Those for one peer leave together, at the latest by xr_outbox_flush() at the end of a turn.
 */
struct xr_outbox {
	int fd;
	struct xr_env *env;		 /* control, peers and keys; not owned */
	uint8_t key_slot;		 /* of the key that seals */
	bool no_trains;			 /* the kernel or the path does not take them */
	uint64_t lost;			 /* datagrams that the kernel would not take */
	uint16_t begun[XR_NODE_MAX + 1]; /* bit n: the datagram of type n */
	struct xr_datagram open[XR_NODE_MAX + 1][XR_RESIGN + 1];
	struct xr_train train[XR_NODE_MAX + 1];
};

void xr_outbox_record(struct xr_outbox *box, uint8_t to, uint8_t type, uint64_t echo_ns,
		      const struct xr_record *record);
void xr_outbox_ballot(struct xr_outbox *box, uint8_t to, uint8_t type,
		      const struct xr_ballot *ballot);
/* A datagram without bodies (XR_PATH_*), sent at once. */
void xr_outbox_bare(struct xr_outbox *box, uint8_t to, uint8_t type, uint64_t echo_ns);
void xr_outbox_flush(struct xr_outbox *box);

#endif
