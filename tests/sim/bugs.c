// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tests tested: plant each known bug in turn. The unit tests that its row names have to fail,
 * and of as many seeds as it names one has to break an invariant. Without a bug all have to pass.
 */
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "sim/sim.h"
#include "sim/bugs.h"

#define JOBS	    2
#define SOUND_SEEDS 1000 /* to be passed without a bug */
#define ALL_TESTS   "rules timers engine introduce warden xraft core_election core_paper"
#define HANGS_S	    20 /* of tests that take less than a second */

enum xr_bug xr_planted;

static const struct {
	const char *name, *text;
	int rule;
	uint64_t seeds;
	const char *tests;
} bugs[] = {{"(none)", "nothing is planted", 0, SOUND_SEEDS, ALL_TESTS},
#define X(name, text, rule, seeds, tests) {#name, text, rule, seeds, tests},
	    XR_BUGS(X)
#undef X
};

struct found {
	bool missed; /* by one that should have found it */
	uint64_t seed;
	char what[160];
};

static void note(struct found *found, const char *what)
{
	size_t at = strlen(found->what);

	snprintf(found->what + at, sizeof(found->what) - at, "%s%s", at ? "; " : "", what);
}

static int start_test(const char *test, const char *bug, int *out)
{
	char path[512];
	int pipes[2];

	snprintf(path, sizeof(path), "%s%s", XR_PLANTED_TESTS, test);
	if (pipe(pipes))
		abort();
	if (!fork()) {
		setenv("XR_PLANT", bug, 1);
		dup2(pipes[1], STDOUT_FILENO);
		dup2(pipes[1], STDERR_FILENO);
		close(pipes[0]);
		close(pipes[1]);
		setrlimit(RLIMIT_CPU, &(struct rlimit){HANGS_S, HANGS_S});
		execl(path, path, NULL);
		abort();
	}
	close(pipes[1]);
	*out = pipes[0];
	return 0;
}

/* True if it fails; `what`: its first case that does. */
static bool test_fails(const char *test, const char *bug, char *what, size_t size)
{
	char line[512], failed[96] = "", *at;
	int out, status = 0;
	FILE *f;

	start_test(test, bug, &out);
	f = fdopen(out, "r");
	while (f && fgets(line, sizeof(line), f)) {
		at = strstr(line, "[  FAILED  ] ");
		if (at && !failed[0])
			sscanf(at, "[  FAILED  ] %95s", failed);
	}
	if (f)
		fclose(f);
	wait(&status);
	if (WIFSIGNALED(status))
		snprintf(failed, sizeof(failed), "dies of signal %d", WTERMSIG(status));
	snprintf(what, size, "test_%s: %s", test, failed);
	return status;
}

static void run_tests(unsigned int bug, struct found *found)
{
	char tests[128], what[128], *rest = tests, *test;

	snprintf(tests, sizeof(tests), "%s", bugs[bug].tests);
	while ((test = strsep(&rest, " ")))
		if (!*test)
			continue;
		else if (test_fails(test, bug ? bugs[bug].name : "", what, sizeof(what)))
			note(found, what);
		else
			found->missed = true;
}

static void hunt(unsigned int bug, struct found *found)
{
	struct sim_options o = {.seed = 1};
	struct sim_result r;

	xr_planted = bug;
	for (; o.seed <= bugs[bug].seeds; o.seed++) {
		/* Small is fast, but some bugs need a crowd. */
		o.nodes = o.seed % 4 ? 3 : 0;
		o.groups = o.seed % 4 ? 1 : 0;
		sim_run(&o, &r, bug ? NULL : stdout);
		if (r.violated) {
			found->seed = o.seed;
			note(found, r.invariant);
			return;
		}
	}
	found->missed = found->missed || bugs[bug].seeds;
}

static bool wanted(unsigned int bug, char **names)
{
	bool all = !*names;

	for (; *names; names++)
		all = all || !strcmp(*names, bugs[bug].name);
	return all;
}

static int print_table(const struct found *found, char **names)
{
	int holes = 0, all = 0;

	printf("%-22s %4s %6s %7s  %s\n", "bug", "rule", "seeds", "allowed", "found by");
	for (size_t i = 0; i < ARRAY_SIZE(bugs); i++) {
		bool good = i ? !found[i].missed && found[i].what[0] : !found[i].what[0];

		if (!wanted(i, names))
			continue;
		holes += !good;
		all++;
		printf("%-22s %4d %6llu %7llu  %s%s%s\n", bugs[i].name, bugs[i].rule,
		       (unsigned long long)found[i].seed, (unsigned long long)bugs[i].seeds,
		       found[i].what, good ? "" : " NOT FOUND BY ALL: ", good ? "" : bugs[i].text);
	}
	printf("%d of %d as they should be\n", all - holes, all);
	return holes != 0;
}

/* Each process takes the next bug that nobody has taken. `sim_bugs NAME ...`: only these. */
int main(int argc, char **argv)
{
	struct {
		struct found found[ARRAY_SIZE(bugs)];
		unsigned int next;
	} *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			 -1, 0);
	bool died = false;
	unsigned int bug;
	int status;

	(void)argc;
	if (shared == MAP_FAILED)
		return 2;
	for (int job = 0; job < JOBS; job++) {
		if (fork())
			continue;
		while ((bug = __sync_fetch_and_add(&shared->next, 1)) < ARRAY_SIZE(bugs))
			if (wanted(bug, argv + 1)) {
				run_tests(bug, &shared->found[bug]);
				hunt(bug, &shared->found[bug]);
			}
		exit(0);
	}
	while (wait(&status) > 0)
		if (status) {
			fprintf(stderr,
				"a worker ends with status %#x; its bug is not in the table\n",
				status);
			died = 1;
		}
	return print_table(shared->found, argv + 1) || died;
}
