/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who is there, and what does it know of us? After its start a node asks each peer, by a nonce, and
 * believes nobody else about a peer's life (rule 17); until a majority has told what it knows, the
 * node votes for nobody (rule 18). In a cluster where nothing changes nobody asks.
 */
#ifndef XRAFT_ENGINE_INTRODUCE_H
#define XRAFT_ENGINE_INTRODUCE_H

#include "common/common.h"
#include "xraft/wire.h"

struct xr_config_group;
struct xr_engine;
struct xr_datagram;
struct xr_peer;

#define XR_FACTS_SELF (XR_FACT_END - XR_FACT_SELF) /* facts that a node tells of itself */

/* What this node knows of a peer. */
struct xr_acquaintance {
	uint64_t life;	 /* as it told last; 0: it never did */
	uint64_t former; /* the one before: a life that comes back is one of two (rule 18) */
	bool introduced; /* it has told all that it knows of us */
	bool twice;	 /* two lives of it take turns */

	uint64_t nonce;	      /* of our open question; 0: none */
	uint64_t drawn_ns;    /* since when it has this nonce, */
	uint64_t drawn_from;  /* and asks from this group on */
	uint64_t asked_ns;    /* when it was last put */
	uint64_t ask_ns;      /* when to ask (again); UINT64_MAX: there is no reason to */
	uint64_t wait_ns;     /* between questions: doubles for as long as nobody tells */
	uint64_t from;	      /* of the groups before it, it has told */
	uint64_t path_nonce;  /* of the path test that goes with a question; 0: none */
	uint64_t path_former; /* of the one before: what it leads to takes two round trips */
	uint64_t large_nonce; /* of the newest large question */
	bool large_open;      /* it is not answered, nor one after it */
	uint32_t large_lost;  /* such questions, one after the other */

	uint64_t hinted_ns; /* when a question of a life that we do not know was last answered */
	uint64_t mark[XR_TYPE_END]; /* rule 17: newest `sent_ns` of each kind that was taken up */

	uint64_t told_ns; /* when it last told; 0: never */
	uint64_t took_ns; /* from the question to that */
	uint32_t differs; /* bit n: fact XR_FACT_SELF + n is not as here; said when it changes */
	struct xr_fact facts[XR_FACTS_SELF]; /* as it told them, in order; what 0: it did not */
};

/* What it told of itself; 0: nothing. */
static inline uint64_t xr_introduce_fact(const struct xr_acquaintance *a, uint32_t what)
{
	const struct xr_fact *fact = &a->facts[what - XR_FACT_SELF];

	return fact->what ? fact->value : 0;
}

void xr_introduce_init(struct xr_engine *e);

/* All groups that are configured: at the start, and after a reload. */
void xr_introduce_groups(struct xr_engine *e, const struct xr_config_group *groups, size_t n);

/* After a reload: those of [nodes] that come, move, go or rank otherwise. Bit n of the result: node n. */
uint32_t xr_introduce_nodes(struct xr_engine *e, const struct xr_peer *nodes);

/* When xr_introduce_look() has something to do. */
uint64_t xr_introduce_next_ns(const struct xr_engine *e);
void xr_introduce_look(struct xr_engine *e, uint64_t now_ns);

/* Ask `node` again: with `path`, whether our NIC path's answers reach it, too. */
void xr_introduce_ask(struct xr_engine *e, uint8_t node, bool path);

/* Now, unless it was asked a moment ago: for somebody who waits for what it tells. */
void xr_introduce_ask_soon(struct xr_engine *e, uint8_t node);

/* In a datagram as large as this node sends. Where it is lost, an ordinary question follows. */
void xr_introduce_ask_large(struct xr_engine *e, uint8_t node);

/* Something went wrong that a peer may know the reason of: ask all again, once the dust settles. */
void xr_introduce_doubt(struct xr_engine *e, uint64_t now_ns);

/* Ask all at once, for somebody who waits; then tell what is known, of this node itself, too. */
void xr_introduce_ask_all(struct xr_engine *e);
void xr_introduce_show(const struct xr_engine *e, struct xr_acquaintance known[XR_NODE_MAX + 1]);

/* Something that others were told is no longer so: have them ask. */
void xr_introduce_news(struct xr_engine *e);

/* XR_ASK, XR_TELL. */
void xr_introduce_asked(struct xr_engine *e, const struct xr_datagram *d);
void xr_introduce_told(struct xr_engine *e, const struct xr_datagram *d);

/* Rule 17: has nothing of this kind been taken up that was sent later? It is, now. */
bool xr_introduce_is_new(struct xr_engine *e, const struct xr_wire *h);

#endif
