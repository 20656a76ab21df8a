// SPDX-License-Identifier: GPL-2.0-only
/*
 * The checker checked: plant each known bug in turn and run seeds until an invariant breaks. One
 * that is not found within its seeds is a hole in the simulator. Without a bug none may break.
 */
#include <sys/mman.h>
#include <sys/wait.h>
#include "sim/sim.h"
#include "sim/bugs.h"

#define JOBS	    2
#define SOUND_SEEDS 1000 /* to be passed without a bug */

enum xr_bug xr_planted;

static const struct {
	const char *name, *text;
	int rule;
	uint64_t seeds;
} bugs[] = {{"(none)", "nothing is planted", 0, SOUND_SEEDS},
#define X(name, text, rule, seeds) {#name, text, rule, seeds},
	    XR_BUGS(X)
#undef X
};

struct found {
	uint64_t seed; /* 0: not found */
	char invariant[64];
};

static void hunt(enum xr_bug bug, struct found *found)
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
			strcpy(found->invariant, r.invariant);
			return;
		}
	}
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

	printf("%-20s %4s %6s %7s  %s\n", "bug", "rule", "seeds", "allowed", "what broke");
	for (size_t i = 0; i < ARRAY_SIZE(bugs); i++) {
		bool good = i ? found[i].seed : !found[i].seed;

		if (!wanted(i, names))
			continue;
		holes += !good;
		all++;
		printf("%-20s %4d %6llu %7llu  %s%s\n", bugs[i].name, bugs[i].rule,
		       (unsigned long long)found[i].seed, (unsigned long long)bugs[i].seeds,
		       found[i].seed ? found[i].invariant
		       : i	     ? "NOT FOUND: "
				     : "nothing",
		       found[i].seed || !i ? "" : bugs[i].text);
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
			if (wanted(bug, argv + 1))
				hunt(bug, &shared->found[bug]);
		exit(0);
	}
	while (wait(&status) > 0)
		died = died || status;
	return print_table(shared->found, argv + 1) || died;
}
