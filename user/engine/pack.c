// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include "engine/pack.h"

/*
 * Read before it leaves: leases count from here (rule 5). What passes the receiver's mark for its
 * kind (rule 17) must be newer than the last, also where the clock has not moved between two.
 */
static uint64_t sent_ns(struct xr_outbox *box, uint8_t type)
{
	uint64_t now_ns = box->host->now_ns(box->world);

	if (xr_type_body(type) == XR_BODY_RECORD)
		return now_ns;
	box->sealed_ns = xr_before(box->sealed_ns, now_ns) ? now_ns : box->sealed_ns + 1;
	return box->sealed_ns;
}

static void post(struct xr_outbox *box, uint8_t to, struct xr_datagram *d)
{
	struct xr_env *env = box->env;
	struct xr_key *key = &env->keys[box->key_slot];

	d->wire.magic = XR_WIRE_MAGIC;
	d->wire.version = XR_WIRE_VERSION;
	d->wire.source = env->control->self;
	d->wire.dest = to;
	d->wire.key_id = key->id;
	d->wire.spare = 0;
	d->wire.min_timeout_us = env->control->min_timeout_us;
	d->wire.sent_ns = sent_ns(box, d->wire.type);
	d->wire.tag = xr_tag(&d->wire, d->bytes + d->size, d->size, &key->sip);
	XR_PAUSE;
	box->host->send(box->world, to, d->bytes, d->size);
}

static void seal(struct xr_outbox *box, uint8_t to, struct xr_datagram *d)
{
	d->wire.lives = box->env->peers[to].lives;
	if (d->wire.lives)
		post(box, to, d);
	d->wire.count = 0;
	d->size = 0;
}

/* Room for one more body in the datagram of this type and echo to this peer. */
static void *room(struct xr_outbox *box, uint8_t to, uint8_t type, uint64_t echo_ns, size_t size)
{
	struct xr_datagram *d = &box->open[to][type];

	if (d->size && (d->wire.echo_ns != echo_ns || d->size + size > sizeof(d->bytes)))
		seal(box, to, d);
	if (!d->size) {
		d->wire = (struct xr_wire){.type = type, .echo_ns = echo_ns};
		d->size = sizeof(d->wire);
		box->begun[to] |= 1u << type;
	}
	d->size += size;
	d->wire.count++;
	return d->bytes + d->size - size;
}

void xr_outbox_record(struct xr_outbox *box, uint8_t to, uint8_t type, uint64_t echo_ns,
		      const struct xr_record *record)
{
	memcpy(room(box, to, type, echo_ns, sizeof(*record)), record, sizeof(*record));
}

/* Many repetitions of one request are one question. */
static bool is_said(const struct xr_datagram *d, const struct xr_ballot *ballot)
{
	const struct xr_ballot *b = (const struct xr_ballot *)(&d->wire + 1);

	for (size_t i = 0; d->size && i < d->wire.count; i++)
		if (!memcmp(&b[i], ballot, sizeof(*ballot)))
			return true;
	return false;
}

void xr_outbox_ballot(struct xr_outbox *box, uint8_t to, uint8_t type,
		      const struct xr_ballot *ballot)
{
	if (is_said(&box->open[to][type], ballot))
		return;
	memcpy(room(box, to, type, 0, sizeof(*ballot)), ballot, sizeof(*ballot));
}

void xr_outbox_facts(struct xr_outbox *box, uint8_t to, uint8_t type, const struct xr_fact *fact,
		     size_t n)
{
	struct xr_datagram d = {
		.wire = {.type = type, .count = (uint16_t)n},
		.size = sizeof(d.wire) + n * sizeof(*fact),
	};

	memcpy(&d.wire + 1, fact, n * sizeof(*fact));
	d.wire.lives = xr_type_introduces(type) ? box->env->control->life
						: box->env->peers[to].lives;
	if (d.wire.lives)
		post(box, to, &d);
}

void xr_outbox_append(struct xr_outbox *box, uint8_t to, uint8_t type,
		      const struct xr_record *record, const struct xr_entry *entry)
{
	struct xr_datagram d = {.wire = {.type = type, .lives = box->env->peers[to].lives}};
	struct xr_append *append = (struct xr_append *)(&d.wire + 1);
	uint32_t size = sizeof(*record) + xr_entry_size(entry);

	append->record = *record;
	memcpy(&append->entry, entry, XR_ENTRY_BASE + entry->size);
	d.wire.count = (uint16_t)(size / 8);
	d.size = sizeof(d.wire) + size;
	if (d.wire.lives)
		post(box, to, &d);
}

void xr_outbox_flush(struct xr_outbox *box)
{
	xr_each_node(to) {
		for (uint8_t type = 1; box->begun[to] >> type; type++)
			if (box->open[to][type].size)
				seal(box, to, &box->open[to][type]);
		box->begun[to] = 0;
	}
	box->host->flush(box->world);
}
