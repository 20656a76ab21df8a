/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a turn has to say, packed. One datagram is being filled for each peer and type; another echo,
 * or a full one, seals it. Sealed datagrams go to the host, at the latest by xr_outbox_flush() at the
 * end of a turn. What is for a peer that is not introduced is left out (rule 17).
 */
#ifndef XRAFT_ENGINE_PACK_H
#define XRAFT_ENGINE_PACK_H

#include "engine/host.h"

struct xr_outbox {
	const struct xr_host *host; /* now_ns, send, flush */
	void *world;
	struct xr_env *env;		 /* control and keys; not owned */
	uint8_t key_slot;		 /* of the key that seals */
	uint16_t begun[XR_NODE_MAX + 1]; /* bit n: the datagram of type n */
	uint64_t sealed_ns;		 /* `sent_ns` of the last datagram that passes a mark */
	struct xr_datagram open[XR_NODE_MAX + 1][XR_RESIGN + 1];
};

void xr_outbox_record(struct xr_outbox *box, uint8_t to, uint8_t type, uint64_t echo_ns,
		      const struct xr_record *record);
/* Nothing, if the datagram that is being filled says it already. */
void xr_outbox_ballot(struct xr_outbox *box, uint8_t to, uint8_t type,
		      const struct xr_ballot *ballot);
/* Of introductions and path tests: sealed at once, XR_FACT_MAX at most. */
void xr_outbox_facts(struct xr_outbox *box, uint8_t to, uint8_t type, const struct xr_fact *fact,
		     size_t n);
/* Sealed at once. */
void xr_outbox_append(struct xr_outbox *box, uint8_t to, uint8_t type,
		      const struct xr_record *record, const struct xr_entry *entry);
void xr_outbox_flush(struct xr_outbox *box);

#endif
