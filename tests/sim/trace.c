// SPDX-License-Identifier: GPL-2.0-only
/* What happened lately, a line a step; kept unformatted, as it is seldom read. */
#include "engine/words.h"
#include "sim/sim.h"

/* The formats are this program's own, and checked by whoever reads a trace. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void print_line(const struct world *w, const struct trace_line *l, FILE *out)
{
	struct xr_text text = {0};

	if (l->format)
		xr_text_add(&text, l->format, l->word, (unsigned long long)l->arg[0],
			    (unsigned long long)l->arg[1], (unsigned long long)l->arg[2],
			    (unsigned long long)l->arg[3]);
	else
		xr_words_report(&text, &w->reports[l - w->trace]);
	fprintf(out, "%10.3f ms  ", (double)(l->at_ns - NS_PER_S) / 1e6);
	if (l->node)
		fprintf(out, "node %u  %s\n", l->node, text.s);
	else
		fprintf(out, "------  %s\n", text.s);
}

static void add(struct world *w, struct trace_line l)
{
	struct trace_line *to = &w->trace[w->ntrace++ % SIM_TRACE];

	*to = l;
	if (w->options->trace && (w->options->fine || !l.fine))
		print_line(w, to, w->options->trace);
}

void sim_trace(struct world *w, uint8_t node, const char *format, const char *word, uint64_t a,
	       uint64_t b, uint64_t c, uint64_t d)
{
	add(w, (struct trace_line){w->now_ns, node, false, format, word, {a, b, c, d}});
}

void sim_trace_fine(struct world *w, uint8_t node, const char *format, const char *word, uint64_t a,
		    uint64_t b, uint64_t c, uint64_t d)
{
	add(w, (struct trace_line){w->now_ns, node, true, format, word, {a, b, c, d}});
}

/* In the words in which a log has it. */
void sim_trace_report(struct world *w, uint8_t node, const struct xr_report *r)
{
	w->reports[w->ntrace % SIM_TRACE] = *r;
	add(w, (struct trace_line){.at_ns = w->now_ns, .node = node});
}

void sim_trace_print(const struct world *w, FILE *out)
{
	uint64_t first = w->ntrace > SIM_TRACE ? w->ntrace - SIM_TRACE : 0;

	for (uint64_t i = first; i < w->ntrace; i++)
		print_line(w, &w->trace[i % SIM_TRACE], out);
}
