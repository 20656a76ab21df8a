// SPDX-License-Identifier: GPL-2.0-only
/* chaos_check HISTORY: 0 if nothing is wrong with it, 1 if so, 2 if it is not one. */
#include <inttypes.h>
#include "chaos/history.h"

static double ms(uint64_t ns)
{
	return (double)ns / 1e6;
}

static void print_entries(const struct xr_figures *f)
{
	if (f->asked)
		printf("%lu orders to set a value: %lu told that it is committed, %lu refused, %lu "
		       "that never knew\n",
		       f->asked, f->set, f->refused, f->unknown);
	printf("%lu entries were told, %lu of them as committed; %lu looks at one beside its "
	       "leader's lease; all nodes had the same after %.0f ms at worst\n",
	       f->told, f->committed, f->certain, ms(f->worst_entry_ns));
}

int main(int argc, char **argv)
{
	FILE *history = argc == 2 ? fopen(argv[1], "re") : NULL;
	struct xr_figures f;
	int violations;

	if (!history) {
		fprintf(stderr, "usage: chaos_check HISTORY\n");
		return 2;
	}
	violations = xr_history_check(history, stdout, &f);
	fclose(history);
	if (violations < 0)
		return 2;
	printf("%.1f s in %lu lines: %lu elections, %lu changes of a view, %lu leases\n",
	       ms(f.span_ns) / 1000, f.lines, f.elections, f.views, f.leases);
	printf("without a valid lease: %.1f ms at worst, %.1f ms in the median of changes of "
	       "term\n",
	       ms(f.worst_gap_ns), ms(f.typical_gap_ns));
	printf("from the end of all faults until all agree: %.0f ms at worst, %lu times\n",
	       ms(f.worst_heal_ns), f.heals);
	if (f.told)
		print_entries(&f);
	printf("%" PRIu64 " samples of all nodes, %.0f us apart in the mean, %.1f ms at worst, "
	       "%" PRIu64 " more than 1 ms\n",
	       f.rounds, ms(f.mean_ns) * 1000, ms(f.worst_sample_ns), f.late);
	if (f.readers)
		printf("%lu readers made %" PRIu64
		       " calls, at most %.1f ms apart, and were told of "
		       "%lu terms\n",
		       f.readers, f.calls, ms(f.worst_call_ns), f.read_terms);
	printf("%d violations\n", violations);
	return violations > 0;
}
