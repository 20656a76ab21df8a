// SPDX-License-Identifier: GPL-2.0-only
/*
 * What do processes cost?
 *
 *   bench_meter SECONDS PID[,PID...]...
 *
 * Prints one JSON object, in it for each list of processes: CPU time by their own clocks, which on a
 * kernel without CONFIG_IRQ_TIME_ACCOUNTING includes the softirqs that ran in their context;
 * voluntary context switches, of all their threads and of the main thread of the last process alone;
 * memory.
 */
#include <dirent.h>
#include <string.h>
#include "common/common.h"

#define LISTS 9
#define PIDS  8

struct list {
	int npids;
	pid_t pid[PIDS];
	uint64_t cpu_ns, switches, main_switches;
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "bench_meter: %s: %m\n", what);
	exit(1);
}

static void nap(uint64_t ns)
{
	nanosleep(&(struct timespec){.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S}, NULL);
}

/* The number behind a name in a status file of /proc; 0: it has ended. */
static uint64_t status_of(const char *path, const char *name)
{
	_cleanup_file_ FILE *f = fopen(path, "re");
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			return strtoull(line + strlen(name), NULL, 10);
	return 0;
}

static uint64_t switches_of(pid_t pid, pid_t thread)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, thread);
	return status_of(path, "voluntary_ctxt_switches:");
}

static uint64_t all_switches_of(pid_t pid)
{
	uint64_t sum = 0;
	struct dirent *entry;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (atoi(entry->d_name))
			sum += switches_of(pid, atoi(entry->d_name));
	if (dir)
		closedir(dir);
	return sum;
}

static uint64_t cpu_of(pid_t pid)
{
	struct timespec t;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
		die("a process has ended");
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void read_list(const struct list *l, struct list *now)
{
	*now = (struct list){0};
	for (int i = 0; i < l->npids; i++) {
		now->cpu_ns += cpu_of(l->pid[i]);
		now->switches += all_switches_of(l->pid[i]);
		now->main_switches = switches_of(l->pid[i], l->pid[i]);
	}
}

static uint64_t memory_kb(const struct list *l)
{
	uint64_t sum = 0;
	char path[64];

	for (int i = 0; i < l->npids; i++) {
		snprintf(path, sizeof(path), "/proc/%d/status", l->pid[i]);
		sum += status_of(path, "VmRSS:");
	}
	return sum;
}

static struct list parse_list(char *text)
{
	struct list l = {0};

	for (char *pid = strtok(text, ","); pid && l.npids < PIDS; pid = strtok(NULL, ","))
		l.pid[l.npids++] = atoi(pid);
	return l;
}

int main(int argc, char **argv)
{
	struct list list[LISTS], before[LISTS], after[LISTS];
	uint64_t begin_ns, ns;
	int n = 0;

	if (argc < 2 || argc - 2 > LISTS || atof(argv[1]) <= 0) {
		fprintf(stderr, "usage: bench_meter SECONDS PID[,PID...]...\n");
		return 2;
	}
	for (; n < argc - 2; n++)
		list[n] = parse_list(argv[2 + n]);
	ns = (uint64_t)(atof(argv[1]) * 1e9);
	begin_ns = xr_now_ns();
	for (int i = 0; i < n; i++)
		read_list(&list[i], &before[i]);
	nap(ns);
	for (int i = 0; i < n; i++)
		read_list(&list[i], &after[i]);
	printf("{\"seconds\":%.4f,\"processes\":[", (double)(xr_now_ns() - begin_ns) / 1e9);
	for (int i = 0; i < n; i++)
		printf("%s{\"cpu_us\":%.1f,\"switches\":%llu,\"main_switches\":%llu,\"memory_kb\":%"
		       "llu}",
		       i ? "," : "", (double)(after[i].cpu_ns - before[i].cpu_ns) / 1e3,
		       (unsigned long long)(after[i].switches - before[i].switches),
		       (unsigned long long)(after[i].main_switches - before[i].main_switches),
		       (unsigned long long)memory_kb(&list[i]));
	printf("]}\n");
	return 0;
}
