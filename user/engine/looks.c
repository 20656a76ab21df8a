// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include "engine/looks.h"

#define FEW 3 /* datagrams are none */

static const struct {
	const char *name, *wrong, *remedy, *ended;
} words[] = {
#define X(name, wrong, remedy, ended) {#name, wrong, remedy, ended},
	XR_LOOKS(X)
#undef X
};

const char *xr_look_name(enum xr_look_kind kind)
{
	return words[kind].name;
}

/* A writer that died in the middle leaves an odd number, from which the next one goes on. */
static void write_look(struct xr_look_slot *slot, const struct xr_look *look)
{
	uint32_t odd = atomic_load_explicit(&slot->sequence, memory_order_relaxed) | 1;

	atomic_store_explicit(&slot->sequence, odd, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	slot->look = *look;
	atomic_store_explicit(&slot->sequence, odd + 1, memory_order_release);
}

bool xr_look_read(const struct xr_looks *looks, enum xr_look_kind kind, uint8_t node,
		  struct xr_look *out)
{
	const struct xr_look_slot *slot = &looks->of[kind][node];
	bool whole = false;

	for (int tries = 0; tries < 1000 && !whole; tries++) {
		uint32_t before = atomic_load_explicit(&slot->sequence, memory_order_acquire);

		*out = slot->look;
		atomic_thread_fence(memory_order_acquire);
		whole = !(before & 1) &&
			atomic_load_explicit(&slot->sequence, memory_order_relaxed) == before;
	}
	out->what[sizeof(out->what) - 1] = '\0';
	return whole;
}

/*
 * What was passed up since the last look may still wait in the socket, of a process that was paused:
 * only what was there before it, and a turn of the loop has not brought in, is lost.
 */
void xr_look_at_arrivals(struct xr_looks *looks, struct xr_look_arrivals *a, uint64_t passed,
			 uint64_t received, uint64_t now_ns)
{
	bool arrives = received != a->received;
	uint64_t lost;

	/* Or it stood still itself; or there is no address for it to arrive at. */
	if (arrives || now_ns - a->looked_ns > NS_PER_S ||
	    looks->of[XR_LOOK_address][0].look.state == XR_LOOK_WRONG) {
		a->passed = a->before = passed;
		a->arrived_ns = now_ns;
	}
	lost = a->before - a->passed;
	if (lost >= FEW && now_ns - a->arrived_ns > 3 * NS_PER_S / 2)
		xr_look_wrong(looks, XR_LOOK_input, 0, now_ns,
			      "%llu datagrams in %.1f s, of which none arrived",
			      (unsigned long long)lost, 1e-9 * (double)(now_ns - a->arrived_ns));
	else if (arrives || passed == a->passed)
		xr_look_well(looks, XR_LOOK_input, 0, now_ns);
	a->before = passed;
	a->received = received;
	a->looked_ns = now_ns;
}

uint32_t xr_looks_deaf(const struct xr_looks *looks)
{
	uint32_t deaf = 0;
	struct xr_look look;

	xr_each_node(node)
		if (looks) {
			xr_look_read(looks, XR_LOOK_peer, node, &look);
			deaf |= (uint32_t)(look.state == XR_LOOK_WRONG) << node;
		}
	return deaf;
}

void xr_look_note(struct xr_looks *looks, enum xr_look_kind kind, uint8_t node, uint64_t now_ns,
		  const char *what)
{
	struct xr_look_slot *slot = &looks->of[kind][node];
	enum xr_look_state state = what[0] ? XR_LOOK_WRONG : XR_LOOK_WELL;
	struct xr_look look = slot->look;

	if (look.state != state) {
		look.since_ns = now_ns;
		look.begun += state == XR_LOOK_WRONG;
	}
	look.state = state;
	look.looked_ns = now_ns;
	if (what[0])
		snprintf(look.what, sizeof(look.what), "%s", what);
	write_look(slot, &look);
}

void xr_look_forget(struct xr_looks *looks, enum xr_look_kind kind, uint8_t node)
{
	struct xr_look look = looks->of[kind][node].look;

	look.state = XR_LOOK_NEVER;
	write_look(&looks->of[kind][node], &look);
}

void xr_look_well(struct xr_looks *looks, enum xr_look_kind kind, uint8_t node, uint64_t now_ns)
{
	xr_look_note(looks, kind, node, now_ns, "");
}

void xr_look_wrong(struct xr_looks *looks, enum xr_look_kind kind, uint8_t node, uint64_t now_ns,
		   const char *fmt, ...)
{
	char what[sizeof(((struct xr_look *)0)->what)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	xr_look_note(looks, kind, node, now_ns, what);
}

/*
 * ---- sentences ----
 */
struct facts {
	const struct xr_looks *looks;
	uint8_t node;
	const char *what;
};

static void put_word(struct xr_text *t, const char *word, size_t len, const void *arg)
{
	const struct facts *f = arg;
	const struct {
		const char *name, *text;
	} texts[] = {
		{"what", f->what},
		{"interface", f->looks->interface},
		{"pins", f->looks->pins},
		{"others", f->looks->others},
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (strlen(texts[i].name) == len && !memcmp(word, texts[i].name, len))
			xr_text_add(t, "%s", texts[i].text);
	if (!strncmp(word, "node}", 5))
		xr_text_add(t, "%u", f->node);
	if (!strncmp(word, "port}", 5))
		xr_text_add(t, "%u", f->looks->port);
}

static void fill(const struct xr_looks *l, struct xr_text *t, const char *sentence, uint8_t node,
		 const char *what)
{
	xr_text_fill(t, sentence, put_word, &(struct facts){l, node, what});
}

void xr_look_says(const struct xr_looks *looks, enum xr_look_kind kind, uint8_t node,
		  const struct xr_look *look, struct xr_text *wrong, struct xr_text *remedy)
{
	const char *behind = strstr(look->what, "; ");
	char what[sizeof(look->what)];

	snprintf(what, sizeof(what), "%.*s",
		 behind ? (int)(behind - look->what) : (int)sizeof(look->what), look->what);
	*wrong = *remedy = (struct xr_text){0};
	fill(looks, wrong, words[kind].wrong, node, what);
	fill(looks, remedy, behind ? behind + 2 : words[kind].remedy, node, what);
}

void xr_look_ended(const struct xr_looks *looks, enum xr_look_kind kind, uint8_t node,
		   struct xr_text *text)
{
	*text = (struct xr_text){0};
	fill(looks, text, words[kind].ended, node, "");
}

/*
 * ---- to people ----
 */
static void tell_one(struct xr_looks *looks, enum xr_look_kind kind, uint8_t node,
		     void (*tell)(void *world, bool wrong, uint8_t node, const char *text),
		     void *world)
{
	struct xr_look_told *told = &looks->told[kind][node];
	struct xr_text text, remedy;
	struct xr_look look;

	xr_look_read(looks, kind, node, &look);
	if (look.begun != told->begun) {
		told->begun = look.begun;
		told->open = true;
		xr_look_says(looks, kind, node, &look, &text, &remedy);
		xr_text_add(&text, "; %s", remedy.s);
		tell(world, true, node, text.s);
	}
	if (!told->open || look.state == XR_LOOK_WRONG)
		return;
	told->open = false;
	if (look.state == XR_LOOK_WELL) {
		xr_look_ended(looks, kind, node, &text);
		tell(world, false, node, text.s);
	}
}

void xr_looks_tell(struct xr_looks *looks,
		   void (*tell)(void *world, bool wrong, uint8_t node, const char *text),
		   void *world)
{
	for (int kind = 0; kind < XR_LOOK_END; kind++)
		for (uint8_t node = 0; node <= XR_NODE_MAX; node++)
			if (looks->of[kind][node].look.begun)
				tell_one(looks, kind, node, tell, world);
}
