// SPDX-License-Identifier: GPL-2.0-only
/* sim: run seeds, count, and show what went wrong. */
#include <getopt.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include "sim/sim.h"

#define JOBS_MAX 64

struct totals {
	uint64_t seeds, elections, events, datagrams, writes, reads, virtual_ns, tried_liveness;
	uint64_t faults[SIM_FAULTS];
	uint64_t violations, first_bad, slowest_ns, slowest_seed;
};

struct run {
	uint64_t from, to; /* seeds; `to` counts */
	double hours;
	int jobs;
	struct sim_options options;
};

static const char usage[] =
	"usage: sim --seeds A-B [--hours H] [--nodes N] [--groups G] [--jobs J]\n"
	"       sim --fresh COUNT [--jobs J]\n"
	"       sim --trace SEED [--nodes N] [--groups G]\n"
	"\n"
	"  --seeds A-B   run these seeds; with --hours go on behind B until the time is over\n"
	"  --fresh N     run N seeds from a random one, which is printed\n"
	"  --trace S     run one seed and print all that happens in it\n"
	"  --nodes N     1 to 9 nodes, --groups G 1 to 16 groups; else each seed draws its own\n";

static volatile sig_atomic_t stopped; /* by a signal: finish the seed, print the sums */

static void on_signal(int signal)
{
	(void)signal;
	stopped = 1;
}

static double seconds(void)
{
	return (double)xr_now_ns() / 1e9;
}

static void add(struct totals *t, uint64_t seed, const struct sim_result *r)
{
	t->seeds++;
	t->elections += r->elections;
	t->events += r->events;
	t->datagrams += r->datagrams;
	t->writes += r->writes;
	t->reads += r->reads;
	t->virtual_ns += r->virtual_ns;
	t->tried_liveness += r->tried_liveness;
	for (int i = 0; i < SIM_FAULTS; i++)
		t->faults[i] += r->faults[i];
	if (r->violated && !t->violations++)
		t->first_bad = seed;
	if (r->settled_ns > t->slowest_ns) {
		t->slowest_ns = r->settled_ns;
		t->slowest_seed = seed;
	}
}

static void merge(struct totals *t, const struct totals *job)
{
	if (job->violations && (!t->violations || job->first_bad < t->first_bad))
		t->first_bad = job->first_bad;
	if (job->slowest_ns > t->slowest_ns) {
		t->slowest_ns = job->slowest_ns;
		t->slowest_seed = job->slowest_seed;
	}
	t->seeds += job->seeds;
	t->elections += job->elections;
	t->events += job->events;
	t->datagrams += job->datagrams;
	t->writes += job->writes;
	t->reads += job->reads;
	t->virtual_ns += job->virtual_ns;
	t->tried_liveness += job->tried_liveness;
	t->violations += job->violations;
	for (int i = 0; i < SIM_FAULTS; i++)
		t->faults[i] += job->faults[i];
}

static void print_totals(const struct totals *t, double took, int jobs)
{
	printf("\n%llu seeds, %llu elections won, %llu violations\n", (unsigned long long)t->seeds,
	       (unsigned long long)t->elections, (unsigned long long)t->violations);
	printf("%.0f s with %d job(s): %.0f elections a minute and job\n", took, jobs,
	       (double)t->elections / took * 60 / jobs);
	printf("%.0f s of virtual time, %.1f million events, %.1f million datagrams, %llu journal "
	       "writes\n",
	       (double)t->virtual_ns / 1e9, (double)t->events / 1e6, (double)t->datagrams / 1e6,
	       (unsigned long long)t->writes);
	printf("readers were told %.1f million times that their node leads\n",
	       (double)t->reads / 1e6);
	printf("liveness tried in %llu seeds; slowest: %.0f ms after the faults stopped (seed "
	       "%llu)\n\n",
	       (unsigned long long)t->tried_liveness, (double)t->slowest_ns / 1e6,
	       (unsigned long long)t->slowest_seed);
	for (int i = 0; i < SIM_FAULTS; i++)
		printf("%12llu  %s\n", (unsigned long long)t->faults[i], sim_fault_names[i]);
	if (t->violations)
		printf("\nfirst seed that failed: %llu\n", (unsigned long long)t->first_bad);
}

/* Job `job` takes every jobs-th seed. */
static void run_job(const struct run *run, int job, struct totals *t)
{
	struct sim_options o = run->options;
	double until = seconds() + run->hours * 3600;
	struct sim_result r;

	for (o.seed = run->from + job; o.seed <= run->to || seconds() < until;
	     o.seed += run->jobs) {
		sim_run(&o, &r, stdout);
		add(t, o.seed, &r);
		fflush(stdout);
		if (stopped || t->violations >= 20)
			break;
	}
}

static int run_all(const struct run *run)
{
	struct totals *jobs = mmap(NULL, JOBS_MAX * sizeof(*jobs), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct totals all = {0};
	double began = seconds();
	bool died = false;
	int status;

	if (jobs == MAP_FAILED)
		return 2;
	fflush(stdout);
	for (int job = 1; job < run->jobs; job++)
		if (fork() == 0) {
			run_job(run, job, &jobs[job]);
			exit(0);
		}
	run_job(run, 0, &jobs[0]);
	while (wait(&status) > 0 || errno == EINTR)
		died = died || status;
	for (int job = 0; job < run->jobs; job++)
		merge(&all, &jobs[job]);
	print_totals(&all, seconds() - began, run->jobs);
	return died ? 2 : all.violations ? 1 : 0;
}

static int trace_one(struct run *run)
{
	struct sim_result r;

	run->options.trace = stdout;
	run->options.fine = true;
	sim_run(&run->options, &r, stdout);
	printf("%s\n", r.violated ? r.invariant : "no violation");
	return r.violated;
}

static uint64_t fresh_seed(void)
{
	uint64_t seed = 0;

	if (getrandom(&seed, 5, 0) != 5)
		exit(2);
	return seed;
}

static bool parse(int argc, char **argv, struct run *run)
{
	static const struct option options[] = {
		{"seeds", required_argument, NULL, 's'}, {"fresh", required_argument, NULL, 'f'},
		{"trace", required_argument, NULL, 't'}, {"hours", required_argument, NULL, 'h'},
		{"nodes", required_argument, NULL, 'n'}, {"groups", required_argument, NULL, 'g'},
		{"jobs", required_argument, NULL, 'j'},	 {0},
	};
	char *end;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's') {
			run->from = strtoull(optarg, &end, 10);
			run->to = *end == '-' ? strtoull(end + 1, NULL, 10) : run->from;
		} else if (c == 'f') {
			run->from = fresh_seed();
			run->to = run->from + strtoull(optarg, NULL, 10) - 1;
		} else if (c == 't') {
			run->options.seed = strtoull(optarg, NULL, 10);
			run->options.trace = stdout;
		} else if (c == 'h') {
			run->hours = atof(optarg);
		} else if (c == 'n') {
			run->options.nodes = atoi(optarg);
		} else if (c == 'g') {
			run->options.groups = atoi(optarg);
		} else if (c == 'j') {
			run->jobs = atoi(optarg);
		} else {
			return false;
		}
	}
	return optind == argc && run->jobs > 0 && run->jobs <= JOBS_MAX &&
	       run->options.nodes <= XR_NODE_MAX && run->options.groups <= SIM_GROUPS &&
	       run->options.nodes >= 0 && run->options.groups >= 0 &&
	       (run->from || run->options.trace);
}

int main(int argc, char **argv)
{
	struct run run = {.jobs = 1};

	if (!parse(argc, argv, &run)) {
		fputs(usage, stderr);
		return 2;
	}
	if (run.options.trace)
		return trace_one(&run);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	printf("seeds %llu-%llu\n", (unsigned long long)run.from, (unsigned long long)run.to);
	return run_all(&run);
}
