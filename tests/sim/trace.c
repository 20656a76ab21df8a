// SPDX-License-Identifier: GPL-2.0-only
/* What happened lately, kept unformatted: it is seldom read. */
#include "sim/sim.h"

/* The formats are this program's own, and checked by whoever reads a trace. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void print_line(const struct trace_line *l, FILE *out)
{
	char text[200];

	snprintf(text, sizeof(text), l->format, l->word, (unsigned long long)l->arg[0],
		 (unsigned long long)l->arg[1], (unsigned long long)l->arg[2],
		 (unsigned long long)l->arg[3]);
	if (l->node)
		fprintf(out, "%12.6f ms  node %u  %s\n", (double)l->at_ns / 1e6, l->node, text);
	else
		fprintf(out, "%12.6f ms  ------  %s\n", (double)l->at_ns / 1e6, text);
}

void sim_trace(struct world *w, uint8_t node, const char *format, const char *word, uint64_t a,
	       uint64_t b, uint64_t c, uint64_t d)
{
	struct trace_line *l = &w->trace[w->ntrace++ % SIM_TRACE];

	*l = (struct trace_line){w->now_ns, node, format, word, {a, b, c, d}};
	if (w->options->trace)
		print_line(l, stdout);
}

void sim_trace_print(const struct world *w, FILE *out)
{
	uint64_t first = w->ntrace > SIM_TRACE ? w->ntrace - SIM_TRACE : 0;

	for (uint64_t i = first; i < w->ntrace; i++)
		print_line(&w->trace[i % SIM_TRACE], out);
}
