// SPDX-License-Identifier: GPL-2.0-only
/*
 * The checker of histories, checked: a good history passes, and each bad one, which differs from
 * it in a line or two, is refused for the reason that it has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "common/common.h"
#include "chaos/history.h"

/*
 * Three nodes, one group. Node 1 leads in term 1, is cut off at 1 s; node 2 leads in term 2, and
 * restarts; node 3 leads in term 3. Times are in milliseconds here; run() makes them nanoseconds.
 *
 * Of node 1 "a" is set, and "b" in its place, which node 2 makes anew in its term. Of node 2 "c" is
 * set; it has it alone when it is killed, and node 3 makes "b" anew. Node 1 refuses "d".
 */
#define A "af63dc4c8601ec8c 11"
#define B "af63df4c8601f1a5 11"
#define C "af63de4c8601eff2 11"
#define D "af63d94c8601e773 11"
static const char good[] = "C 0 3 1\n"
			   "O 1 1\n"
			   "O 1 2\n"
			   "O 1 3\n"
			   "V 1 1 1 1 0 n 0\n"
			   "M 100 storm\n"
			   "D 100 100 1 1 1 1\n"
			   "D 100 100 2 1 1 1\n"
			   "D 100 100 3 1 1 3\n"
			   "V 100 100 1 1 1 l 1\n"
			   "V 100 100 2 1 1 f 1\n"
			   "V 100 101 3 1 1 f 1\n"
			   "M 1000 cut node 1\n"
			   "L 102 1040 1 1 1\n"
			   "M 300 asked 1 1 a\n"
			   "E 301 301 1 1 1 1 u " A "\n"
			   "E 301 302 1 1 1 1 c " A "\n"
			   "E 302 303 2 1 1 1 u " A "\n"
			   "E 303 304 2 1 1 1 c " A "\n"
			   "M 305 told 1 1 committed 1.1 a\n"
			   "E 302 306 3 1 1 1 c " A "\n"
			   "M 900 asked 1 1 b\n"
			   "E 901 902 1 1 1 2 u " B "\n"
			   "E 902 903 1 1 1 2 c " B "\n"
			   "M 904 told 1 1 committed 1.2 b\n"
			   "E 904 905 2 1 1 2 c " B "\n"
			   "D 1200 1201 3 1 2 2\n"
			   "D 1200 1201 2 1 2 2\n"
			   "V 1200 1202 3 1 2 n 0\n"
			   "V 1200 1202 2 1 2 l 2\n"
			   "V 1202 1203 3 1 2 f 2\n"
			   "V 1203 1205 1 1 1 n 0\n"
			   "E 1206 1207 2 1 2 3 u " B "\n"
			   "E 1206 1207 3 1 2 3 u " B "\n"
			   "E 1207 1208 2 1 2 3 c " B "\n"
			   "E 1208 1209 3 1 2 3 c " B "\n"
			   "M 2000 heal 1000\n"
			   "D 2003 2004 1 1 2 0\n"
			   "V 2003 2004 1 1 2 f 2\n"
			   "E 2010 2011 1 1 2 3 c " B "\n"
			   "M 3000 storm\n"
			   "M 3100 asked 1 1 d\n"
			   "M 3101 told 1 1 refused d\n"
			   "M 3400 asked 1 2 c\n"
			   "E 3401 3402 2 1 2 4 u " C "\n"
			   "M 3500 kill node 2\n"
			   "M 3501 told 1 2 unknown c\n"
			   "L 1204 3600 2 1 2\n"
			   "O 3700 2\n"
			   "V 3600 3700 2 1 2 n 0\n"
			   "D 3800 3801 3 1 3 3\n"
			   "D 3800 3801 1 1 3 3\n"
			   "V 3800 3802 3 1 3 l 3\n"
			   "V 3800 3803 1 1 3 f 3\n"
			   "E 3804 3805 3 1 3 4 u " B "\n"
			   "E 3805 3806 3 1 3 4 c " B "\n"
			   "E 3805 3806 1 1 3 4 c " B "\n"
			   "M 4000 heal 1000\n"
			   "D 4100 4101 2 1 3 0\n"
			   "V 4100 4102 2 1 3 f 3\n"
			   "E 4103 4104 2 1 3 4 c " B "\n"
			   "L 3804 5000 3 1 3\n"
			   "E 4999 4999 1 1 3 4 c " B "\n"
			   "E 4999 4999 2 1 3 4 c " B "\n"
			   "E 4999 4999 3 1 3 4 c " B "\n"
			   "R 103 104 1030 1031 1 1 1\n"
			   "R 1032 1033 1038 1039 1 1 1\n"
			   "R 1205 1206 3500 3501 2 1 2\n"
			   "R 3805 3806 4990 4991 3 1 3\n"
			   "Q 5000 1 1000 500\n"
			   "Q 5000 2 1000 600\n"
			   "Q 5000 3 1000 700\n"
			   "S 5000 50000 100 200 0\n";

static struct xr_figures figures;

/* Append one line, with its times (one, two for V, D, L and E, four for R) in nanoseconds. */
static void put_line(FILE *out, const char *line, size_t len)
{
	int times = line[0] == 'R' ? 4 : strchr("VDLE", line[0]) ? 2 : 1;
	const char *rest = line + 1;

	fprintf(out, "%c", line[0]);
	for (int i = 0; i < times; i++) {
		unsigned long t;
		int used = 0;

		if (sscanf(rest, " %lu%n", &t, &used) != 1)
			break;
		fprintf(out, " %lu000000", t);
		rest += used;
	}
	fwrite(rest, len - (size_t)(rest - line), 1, out);
}

/* The good history, with each `old` line replaced by `new` ("" removes it); pairs, NULL ends. */
static char *edited(const char *const edits[])
{
	char *text = NULL;
	size_t size, found = 0, wanted = 0;
	FILE *out = open_memstream(&text, &size);

	for (const char *line = good; *line; line = strchr(line, '\n') + 1) {
		size_t len = (size_t)(strchr(line, '\n') - line) + 1;
		const char *put = line;

		for (size_t i = 0; edits && edits[i]; i += 2) {
			if (strlen(edits[i]) + 1 != len || strncmp(edits[i], line, len - 1) != 0)
				continue;
			put = edits[i + 1];
			found++;
		}
		if (put == line)
			put_line(out, line, len);
		for (const char *end; put != line && *put; put = *end ? end + 1 : end) {
			end = strchrnul(put, '\n');
			put_line(out, put, (size_t)(end - put));
			fputc('\n', out);
		}
	}
	fclose(out);
	while (edits && edits[wanted * 2])
		wanted++;
	assert_int_equal(found, wanted); /* the line that a test wants to change is there */
	return text;
}

static int check(const char *text, char **said)
{
	FILE *in = fmemopen((void *)text, strlen(text), "r");
	size_t size;
	FILE *out = open_memstream(said, &size);
	int violations = xr_history_check(in, out, &figures);

	fclose(in);
	fclose(out);
	return violations;
}

static void good_history_passes(void **state)
{
	_cleanup_free_ char *text = edited(NULL);
	char *said;

	(void)state;
	assert_int_equal(check(text, &said), 0);
	assert_string_equal(said, "");
	free(said);
	assert_int_equal(figures.elections, 3);
	assert_int_equal(figures.leases, 3);
	assert_int_equal(figures.heals, 2);
	assert_int_equal(figures.worst_gap_ns, 204 * NS_PER_MS);
	assert_int_equal(figures.worst_heal_ns, 102 * NS_PER_MS);
	assert_int_equal(figures.rounds, 50000);
	assert_int_equal(figures.asked, 4);
	assert_int_equal(figures.set, 2);
	assert_int_equal(figures.refused, 1);
	assert_int_equal(figures.unknown, 1);
	assert_int_equal(figures.told, 5);
	assert_int_equal(figures.committed, 4);
	assert_int_equal(figures.certain, 5);
	assert_int_equal(figures.worst_entry_ns, 104 * NS_PER_MS);
	assert_int_equal(figures.readers, 3);
	assert_int_equal(figures.read_terms, 3);
	assert_int_equal(figures.calls, 3000);
	assert_int_equal(figures.worst_call_ns, 700);
}

/* Refused, and for that reason. */
#define REFUSED(reason, ...) refused(reason, (const char *const[]){__VA_ARGS__, NULL})

static void refused(const char *reason, const char *const edits[])
{
	_cleanup_free_ char *text = edited(edits);
	char *said;
	int violations = check(text, &said);

	if (violations <= 0 || !strstr(said, reason))
		fail_msg("%d violations, and '%s' is not in: %s", violations, reason, said);
	free(said);
}

#define PASSES(...) passes((const char *const[]){__VA_ARGS__, NULL})

static void passes(const char *const edits[])
{
	_cleanup_free_ char *text = edited(edits);
	char *said;

	assert_int_equal(check(text, &said), 0);
	free(said);
}

static void two_leaders_in_a_term(void **state)
{
	(void)state;
	REFUSED("two leaders, 1 and 3", "V 100 101 3 1 1 f 1", "V 100 101 3 1 1 l 3");
	/* Seen in what followers believe alone. */
	REFUSED("two leaders, 1 and 2", "V 100 101 3 1 1 f 1", "V 100 101 3 1 1 f 2");
	/* In a lease that was seen while the view was not. */
	REFUSED("two leaders, 1 and 3", "L 102 1040 1 1 1", "L 102 1040 1 1 1\nL 1041 1042 3 1 1");
	REFUSED("leads and follows in one view", "V 100 101 3 1 1 f 1", "V 100 101 3 1 1 l 1");
}

static void leader_without_a_majority(void **state)
{
	(void)state;
	REFUSED("leads without a majority", "D 100 100 2 1 1 1", "D 100 100 2 1 1 2");
	REFUSED("leads without a majority", "D 1200 1201 3 1 2 2", "D 1200 1201 3 1 2 3",
		"D 2003 2004 1 1 2 0", "D 2003 2004 1 1 2 1");
}

static void term_that_goes_back(void **state)
{
	(void)state;
	REFUSED("durable term went back from 2 to 1", "D 3800 3801 3 1 3 3", "D 3800 3801 3 1 1 3");
	REFUSED("view went back from term 2 to 1", "V 3600 3700 2 1 2 n 0",
		"V 3600 3700 2 1 1 n 0");
	/* After a restart, too; maps that were just made are no term. */
	REFUSED("durable term went back", "O 3700 2", "O 3700 2\nD 3700 3701 2 1 1 1");
}

static void vote_that_changes(void **state)
{
	(void)state;
	REFUSED("changed its vote from 1 to 2", "D 100 100 2 1 1 1",
		"D 100 100 2 1 1 1\nD 110 111 2 1 1 2");
	REFUSED("changed its vote from 1 to 0", "D 100 100 2 1 1 1",
		"D 100 100 2 1 1 1\nD 110 111 2 1 1 0");
}

static void leases_that_overlap(void **state)
{
	(void)state;
	REFUSED("two leases at once", "L 102 1040 1 1 1", "L 102 1205 1 1 1");
	REFUSED("two leases at once", "L 102 1040 1 1 1", "L 102 1204 1 1 1"); /* one instant */
	REFUSED("two leases at once", "L 102 1040 1 1 1", "L 102 9000 1 1 1"); /* encloses both */
	/* Not of the newest other lease, but of one before it. */
	REFUSED("node 3's of term 3 and node 1's of term 1", "L 102 1040 1 1 1",
		"L 102 1040 1 1 1\nL 3900 3901 1 1 1");
	/* A leader that follows itself in a new term. */
	REFUSED("two leases at once", "L 3804 5000 3 1 3", "L 3804 5000 3 1 3\nL 4900 5000 3 1 4");
}

static void lease_of_an_older_term(void **state)
{
	(void)state;
	REFUSED("a lease of term 1 after one of term 2", "L 102 1040 1 1 1",
		"L 102 1040 1 1 1\nL 3700 3701 1 1 1");
}

static void reader_of_an_older_term(void **state)
{
	(void)state;
	/* A call that had begun when the newer one returned may return later. */
	PASSES("R 1032 1033 1038 1039 1 1 1", "R 1032 1033 1206 1300 1 1 1");
	REFUSED("in term 1 by a call that began 1.000 ms after one of term 2 had returned on node "
		"2",
		"R 1032 1033 1038 1039 1 1 1", "R 1032 1033 1207 1300 1 1 1");
	/* It is the last call that counts, whichever node and run it is of. */
	REFUSED("node 1's reader was told that it leads in term 1", "R 103 104 1030 1031 1 1 1",
		"R 103 104 4000 4001 1 1 1");
	/* And the first one of the newer term, not that of the newest. */
	REFUSED("after one of term 3 had returned on node 3", "R 1205 1206 3500 3501 2 1 2",
		"R 1205 1206 3807 3808 2 1 2");
	REFUSED("two leaders, 1 and 2", "R 1032 1033 1038 1039 1 1 1",
		"R 1032 1033 1038 1039 2 1 1");
}

static void disagreement_after_the_faults(void **state)
{
	(void)state;
	REFUSED("the nodes do not agree", "V 4100 4102 2 1 3 f 3", "");
	REFUSED("agreed for good only after 1001 ms", "V 2003 2004 1 1 2 f 2",
		"V 2003 3001 1 1 2 f 2", "M 3000 storm", "M 3400 storm");
	/* They agreed, and then no longer. */
	REFUSED("the nodes do not agree", "M 3000 storm", "V 2900 2901 3 1 2 n 0\nM 3000 storm");
	/* The next faults come before they have to. */
	PASSES("M 2000 heal 1000", "M 2000 heal 1001", "M 3000 storm",
	       "V 2900 2901 3 1 2 n 0\nM 3000 storm");
	/* Nobody leads, though all follow the same. */
	REFUSED("the nodes do not agree", "V 3800 3802 3 1 3 l 3", "V 3800 3802 3 1 3 n 0");
}

static void one_id_stands_for_one_entry(void **state)
{
	(void)state;
	REFUSED("entry 1.1 stands for two values", "E 302 303 2 1 1 1 u " A,
		"E 302 303 2 1 1 1 u " B);
	REFUSED("entry 2.3 names two sets of members", "E 1208 1209 3 1 2 3 c " B,
		"E 1208 1209 3 1 2 3 c af63df4c8601f1a5 12");
	/* Who set it was told of an id that nodes have for another value. */
	REFUSED("entry 1.1 stands for two values", "M 904 told 1 1 committed 1.2 b",
		"M 904 told 1 1 committed 1.1 b");
}

static void entry_that_goes_back(void **state)
{
	(void)state;
	REFUSED("node 3's entry went back from 2.3 to 1.2", "E 1208 1209 3 1 2 3 c " B,
		"E 1208 1209 3 1 2 3 c " B "\nE 1300 1301 3 1 1 2 c " B);
	/* Also one that it had for itself, through a restart. */
	REFUSED("node 2's entry went back from 2.4 to 2.3", "O 3700 2",
		"O 3700 2\nE 3700 3701 2 1 2 3 c " B);
	PASSES("O 3700 2", "M 3699 wiped 2\nO 3700 2\nE 3700 3701 2 1 2 3 c " B);
	REFUSED("went back from 2.4 to 2.3", "O 3700 2",
		"M 3699 wiped 1\nO 3700 2\nE 3700 3701 2 1 2 3 c " B);
}

static void committed_entry_is_lost(void **state)
{
	(void)state;
	/* Node 2 makes anew what it had before "b". */
	REFUSED("entry 2.2 was made without 1.2, which was committed", "E 1206 1207 2 1 2 3 u " B,
		"E 1206 1207 2 1 2 2 u " A);
	/* Only who ordered it was told that it is committed. */
	REFUSED("entry 3.4 was made without 2.4", "M 3501 told 1 2 unknown c",
		"M 3501 told 1 2 committed 2.4 c");
	/* What is not known to be committed may be lost, and is: this is the good history. */
	PASSES("E 3401 3402 2 1 2 4 u " C, "E 3401 3402 2 1 2 4 u " C "\nM 3403 nothing");
}

static void value_that_comes_back(void **state)
{
	static const char again[] = "entry 3.4 has a value again that 1.2 had replaced";

	(void)state;
	REFUSED(again, "E 3804 3805 3 1 3 4 u " B, "E 3804 3805 3 1 3 4 u " A,
		"E 3805 3806 3 1 3 4 c " B, "E 3805 3806 3 1 3 4 c " A, "E 3805 3806 1 1 3 4 c " B,
		"E 3805 3806 1 1 3 4 c " A, "E 4103 4104 2 1 3 4 c " B, "E 4103 4104 2 1 3 4 c " A,
		"E 4999 4999 1 1 3 4 c " B, "E 4999 4999 1 1 3 4 c " A, "E 4999 4999 2 1 3 4 c " B,
		"E 4999 4999 2 1 3 4 c " A, "E 4999 4999 3 1 3 4 c " B, "E 4999 4999 3 1 3 4 c " A);
	/* Who asks twice may get it twice. */
	PASSES("M 3400 asked 1 2 c", "M 3399 asked 1 2 a\nM 3400 asked 1 2 c",
	       "M 3501 told 1 2 unknown c", "M 3501 told 1 2 unknown c\nM 3502 told 1 2 unknown a",
	       "E 3804 3805 3 1 3 4 u " B, "E 3804 3805 3 1 3 4 u " A, "E 3805 3806 3 1 3 4 c " B,
	       "E 3805 3806 3 1 3 4 c " A, "E 3805 3806 1 1 3 4 c " B, "E 3805 3806 1 1 3 4 c " A,
	       "E 4103 4104 2 1 3 4 c " B, "E 4103 4104 2 1 3 4 c " A, "E 4999 4999 1 1 3 4 c " B,
	       "E 4999 4999 1 1 3 4 c " A, "E 4999 4999 2 1 3 4 c " B, "E 4999 4999 2 1 3 4 c " A,
	       "E 4999 4999 3 1 3 4 c " B, "E 4999 4999 3 1 3 4 c " A);
}

static void value_of_nobody(void **state)
{
	(void)state;
	REFUSED("entry 2.4 has a value that nobody asked for", "E 3401 3402 2 1 2 4 u " C,
		"E 3401 3402 2 1 2 4 u 1234 11");
	REFUSED("entry 2.4 has a value whose order was refused", "E 3401 3402 2 1 2 4 u " C,
		"E 3401 3402 2 1 2 4 u " D);
	/* Members change with no value, too. */
	PASSES("E 3401 3402 2 1 2 4 u " C, "E 3401 3402 2 1 2 4 u cbf29ce484222325 11");
}

static void leader_with_an_older_entry(void **state)
{
	static const char why[] = "node 1 led, with a lease, and told of 1.1 as committed, ";

	(void)state;
	/* Node 1 still tells of "a" when "b" was told, to a reader or to who set it. */
	REFUSED(why, "E 901 902 1 1 1 2 u " B, "E 1000 1001 1 1 1 2 u " B, "E 902 903 1 1 1 2 c " B,
		"");
	REFUSED(why, "E 901 902 1 1 1 2 u " B, "E 906 907 1 1 1 2 u " B, "E 902 903 1 1 1 2 c " B,
		"", "M 904 told 1 1 committed 1.2 b", "");
	REFUSED(why, "E 901 902 1 1 1 2 u " B, "E 905 907 1 1 1 2 u " B, "E 902 903 1 1 1 2 c " B,
		"", "E 904 905 2 1 1 2 c " B, "");
	/* It was told then, but held no lease any more; or told of "b" as not known to be committed. */
	PASSES("L 102 1040 1 1 1", "L 102 904 1 1 1", "E 901 902 1 1 1 2 u " B,
	       "E 1000 1001 1 1 1 2 u " B, "E 902 903 1 1 1 2 c " B, "");
	PASSES("E 902 903 1 1 1 2 c " B, "E 1000 1001 1 1 1 2 c " B);
}

static void entries_that_differ_after_the_faults(void **state)
{
	static const char none[] = "the nodes do not tell the same entry as committed";

	(void)state;
	REFUSED(none, "E 4103 4104 2 1 3 4 c " B, "", "E 4999 4999 2 1 3 4 c " B, "");
	REFUSED(none, "E 4103 4104 2 1 3 4 c " B, "E 4103 4104 2 1 3 4 u " B,
		"E 4999 4999 2 1 3 4 c " B, "E 4999 4999 2 1 3 4 u " B);
	REFUSED("had the same entry only after 1001 ms", "E 2010 2011 1 1 2 3 c " B, "",
		"M 3000 storm", "E 2010 3001 1 1 2 3 c " B "\nM 3002 storm");
	/* The faults return before they have to agree, or an order is not answered, or was just now. */
	PASSES("E 2010 2011 1 1 2 3 c " B, "", "M 2000 heal 1000", "M 2000 heal 1001");
	PASSES("E 2010 2011 1 1 2 3 c " B, "", "M 3101 told 1 1 refused d", "",
	       "M 3100 asked 1 1 d", "", "V 2003 2004 1 1 2 f 2",
	       "V 2003 2004 1 1 2 f 2\nM 2005 asked 1 1 d");
	PASSES("E 2010 2011 1 1 2 3 c " B, "", "M 3101 told 1 1 refused d", "",
	       "M 3100 asked 1 1 d", "", "V 2003 2004 1 1 2 f 2",
	       "V 2003 2004 1 1 2 f 2\nM 1999 asked 1 1 d\nM 2001 told 1 1 refused d");
	/* All agree, and on less than somebody was told. */
	REFUSED("all nodes have 3.4, and 3.5 was told of as committed", "M 3501 told 1 2 unknown c",
		"M 3501 told 1 2 committed 3.5 c");
}

static void nothing_seen_is_nothing_shown(void **state)
{
	(void)state;
	REFUSED("not one lease was seen", "L 102 1040 1 1 1", "", "L 1204 3600 2 1 2", "",
		"L 3804 5000 3 1 3", "");
	REFUSED("nothing was seen of node 1", "D 100 100 1 1 1 1", "", "D 2003 2004 1 1 2 0", "",
		"D 3800 3801 1 1 3 3", "");
	REFUSED("no reader was ever told", "R 103 104 1030 1031 1 1 1", "",
		"R 1032 1033 1038 1039 1 1 1", "", "R 1205 1206 3500 3501 2 1 2", "",
		"R 3805 3806 4990 4991 3 1 3", "");
	REFUSED("no value was set", "M 305 told 1 1 committed 1.1 a", "M 305 told 1 1 unknown a",
		"M 904 told 1 1 committed 1.2 b", "M 904 told 1 1 unknown b");
}

static void offending_lines_and_schedule_are_printed(void **state)
{
	static const char *const edits[] = {"L 102 1040 1 1 1", "L 102 1205 1 1 1", NULL};
	_cleanup_free_ char *text = edited(edits);
	char *said;

	(void)state;
	assert_int_equal(check(text, &said), 1);
	assert_non_null(strstr(said, "line 14: L 102000000 1205000000 1 1 1\n"));
	assert_non_null(strstr(said, "line 48: L 1204000000 3600000000 2 1 2\n"));
	assert_non_null(strstr(said, " cut node 1\n"));
	assert_non_null(strstr(said, "for at least 1.000 ms"));
	free(said);
}

static void not_a_history(const char *old, const char *new)
{
	const char *const edits[] = {old, new, NULL};
	_cleanup_free_ char *text = edited(edits);
	char *said;

	assert_int_equal(check(text, &said), -1);
	free(said);
}

static void what_is_no_history(void **state)
{
	char *said;

	(void)state;
	assert_int_equal(check("\n", &said), -1);
	free(said);
	not_a_history("C 0 3 1", "");
	not_a_history("S 5000 50000 100 200 0", ""); /* the recorder died */
	not_a_history("O 1 1", "C 0 3 1");
	not_a_history("V 100 100 1 1 1 l 1", "V 100 100 4 1 1 l 4");
	not_a_history("V 100 100 1 1 1 l 1", "V 100 100 1 2 1 l 1");
	not_a_history("V 100 100 1 1 1 l 1", "V 100 100 1 1 1 x 1");
	not_a_history("V 100 100 1 1 1 l 1", "V 100 100 1 1 1 l");
	not_a_history("L 102 1040 1 1 1", "L 1040 102 1 1 1");
	not_a_history("R 103 104 1030 1031 1 1 1", "R 103 104 102 1031 1 1 1");
	not_a_history("R 103 104 1030 1031 1 1 1", "R 103 104 1030 1031 1 1");
	not_a_history("M 1000 cut node 1", "X 1000");
	not_a_history("E 2010 2011 1 1 2 3 c " B, "E 2010 2011 1 1 2 3 d " B);
	not_a_history("E 2010 2011 1 1 2 3 c " B, "E 2010 2011 1 1 2 3 c 1234");
	not_a_history("E 2010 2011 1 1 2 3 c " B, "E 2010 2011 1 1 0 0 c " B);
	not_a_history("E 2010 2011 1 1 2 3 c " B, "E 2010 2011 4 1 2 3 c " B);
	not_a_history("M 300 asked 1 1 a", "M 300 asked 1 4 a");
	not_a_history("M 300 asked 1 1 a", "M 300 asked 2 1 a");
	not_a_history("M 300 asked 1 1 a", "M 300 asked 1");
	not_a_history("M 3101 told 1 1 refused d", "M 3101 told 1 1 perhaps d");
	not_a_history("M 904 told 1 1 committed 1.2 b", "M 904 told 1 1 committed b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_history_passes),
		cmocka_unit_test(two_leaders_in_a_term),
		cmocka_unit_test(leader_without_a_majority),
		cmocka_unit_test(term_that_goes_back),
		cmocka_unit_test(vote_that_changes),
		cmocka_unit_test(leases_that_overlap),
		cmocka_unit_test(lease_of_an_older_term),
		cmocka_unit_test(reader_of_an_older_term),
		cmocka_unit_test(disagreement_after_the_faults),
		cmocka_unit_test(one_id_stands_for_one_entry),
		cmocka_unit_test(entry_that_goes_back),
		cmocka_unit_test(committed_entry_is_lost),
		cmocka_unit_test(value_that_comes_back),
		cmocka_unit_test(value_of_nobody),
		cmocka_unit_test(leader_with_an_older_entry),
		cmocka_unit_test(entries_that_differ_after_the_faults),
		cmocka_unit_test(nothing_seen_is_nothing_shown),
		cmocka_unit_test(offending_lines_and_schedule_are_printed),
		cmocka_unit_test(what_is_no_history),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
