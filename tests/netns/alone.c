// SPDX-License-Identifier: GPL-2.0-only
/*
 * A command that must never run twice, and who sees whether it did, to a tenth of a millisecond.
 *
 *   alone play FILE             as CMD of `xraft run`: three processes that nobody ends kindly: itself,
 *                               a child, and a child's child in a session of its own. Each notes in
 *                               FILE its token and, again and again, that it runs
 *   alone wait FILE TOKEN MS    until one with a larger token runs; prints "NODE TOKEN"
 *   alone judge FILE            1: two nodes' ran at once, or a token came after a larger one
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include "common/common.h"

#define SLOTS	100000
#define TICK_NS 50000
#define LIVE_NS (20 * NS_PER_MS)

/* One process, for as long as it ran. */
struct slot {
	uint64_t token, node, start_ns;
	_Atomic uint64_t last_ns;
};

static struct {
	_Atomic uint64_t n;
	struct slot slots[SLOTS];
} * seen;

static void play(void)
{
	const char *token = getenv("XRAFT_TOKEN"), *node = getenv("XRAFT_NODE");
	struct slot *s;

	signal(SIGTERM, SIG_IGN);
	prctl(PR_SET_TIMERSLACK, 1);
	if (fork() == 0) {
		if (fork() == 0)
			setsid();
	}
	s = &seen->slots[atomic_fetch_add(&seen->n, 1)];
	s->token = token ? strtoull(token, NULL, 10) : 0;
	s->node = node ? strtoull(node, NULL, 10) : 0;
	s->start_ns = xr_now_ns();
	for (;;) {
		atomic_store(&s->last_ns, xr_now_ns());
		nanosleep(&(struct timespec){.tv_nsec = TICK_NS}, NULL);
	}
}

static int wait_for(uint64_t token, uint64_t ms)
{
	uint64_t end_ns = xr_now_ns() + ms * NS_PER_MS;

	while (xr_now_ns() < end_ns) {
		for (uint64_t i = atomic_load(&seen->n); i-- > 0;) {
			const struct slot *s = &seen->slots[i];

			if (s->token > token && atomic_load(&s->last_ns) + LIVE_NS > xr_now_ns()) {
				printf("%" PRIu64 " %" PRIu64 "\n", s->node, s->token);
				return 0;
			}
		}
		nanosleep(&(struct timespec){.tv_nsec = 2 * TICK_NS}, NULL);
	}
	return 1;
}

static int by_start(const void *a, const void *b)
{
	const struct slot *x = a, *y = b;

	return x->start_ns < y->start_ns ? -1 : x->start_ns > y->start_ns;
}

/* In the order of their starts each must begin after all of another node or token have ended. */
static int judge(void)
{
	uint64_t n = atomic_load(&seen->n), changes = 0, ended_ns = 0, gap_ns = UINT64_MAX;
	const struct slot *before = NULL;
	int wrong = 0;

	qsort(seen->slots, n, sizeof(*seen->slots), by_start);
	for (uint64_t i = 0; i < n; i++) {
		const struct slot *s = &seen->slots[i];

		if (!s->start_ns)
			continue; /* ended between two lines */
		if (before && (s->node != before->node || s->token != before->token)) {
			double ms = (double)(int64_t)(s->start_ns - ended_ns) / 1e6;

			changes++;
			if (ms < 0)
				wrong += printf("node %" PRIu64 " ran with token %" PRIu64
						" while node %" PRIu64 " with %" PRIu64
						" still did, for %.3f ms\n",
						s->node, s->token, before->node, before->token,
						-ms) > 0;
			if (s->token < before->token ||
			    (s->token == before->token && s->node != before->node))
				wrong += printf("token %" PRIu64 " came after %" PRIu64 "\n",
						s->token, before->token) > 0;
			if (ms >= 0 && s->start_ns - ended_ns < gap_ns)
				gap_ns = s->start_ns - ended_ns;
			ended_ns = 0;
		}
		if (s->last_ns > ended_ns)
			ended_ns = s->last_ns;
		before = s;
	}
	printf("%" PRIu64 " processes, %" PRIu64
	       " changes of token, the least gap %.3f ms, %d wrong\n",
	       n, changes, gap_ns != UINT64_MAX ? (double)gap_ns / 1e6 : 0, wrong);
	return wrong != 0;
}

int main(int argc, char **argv)
{
	int fd = argc > 2 ? open(argv[2], O_RDWR | O_CREAT, 0600) : -1;

	if (fd < 0 || ftruncate(fd, sizeof(*seen)))
		return 2;
	/* Who judges sorts a copy. */
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
		    strcmp(argv[1], "judge") ? MAP_SHARED : MAP_PRIVATE, fd, 0);
	if (seen == MAP_FAILED)
		return 2;
	if (!strcmp(argv[1], "play"))
		play();
	if (!strcmp(argv[1], "wait") && argc == 5)
		return wait_for(strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
	return !strcmp(argv[1], "judge") ? judge() : 2;
}
