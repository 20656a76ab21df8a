/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rule 4 on the loaded program: one CPU runs heartbeats of 58 groups through it, another fences
 * these groups, looks at the contact stamps and votes where they are old, as rule 3 says. No
 * group may be both acked and voted in. (tests/unit/test_rules.c hammers the native build.)
 */
#include <string.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <linux/bpf.h>
#include "need.h"

#define RACE_NS	  (2 * NS_PER_S)
#define RACE_MAX  (15 * NS_PER_S) /* on a busy machine, until the race was run at all */
#define RACE_HITS 10

static cpu_set_t all_cpus;

struct race {
	atomic_ulong nic __attribute__((aligned(64))), daemon __attribute__((aligned(64)));
	atomic_ulong done;
	atomic_bool stop;
	__u64 old_ns;  /* the contact before the race */
	__u64 span_ns; /* how long a run takes: where in it the fence falls is random */
	bool voted[XR_RECORDS];
};

/* Spin, but let go of the CPU if the other thread seems to have none. */
static void wait_for(atomic_ulong *other, unsigned long turn)
{
	for (int spins = 1; atomic_load(other) < turn; spins++)
		if (spins % 4096 == 0)
			sched_yield();
}

static void *daemon_thread(void *arg)
{
	union xr_word fenced = {.view = {.term = 7, .mode = XR_NONE}};
	uint64_t x = 0x9e3779b97f4a7c15ull;
	struct race *race = arg;

	pthread_setaffinity_np(pthread_self(), sizeof(all_cpus), &all_cpus);
	for (unsigned long turn = 1;; turn++) {
		uint64_t start;

		wait_for(&race->nic, turn);
		if (atomic_load(&race->stop))
			return NULL;
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		for (start = xr_now_ns() + x % race->span_ns; xr_now_ns() < start;)
			;
		for (int i = 0; i < XR_RECORDS; i++) {
			struct xr_group *g = &rig.groups[x & 1 ? i : XR_RECORDS - 1 - i];

			__atomic_store_n((__u64 *)&g->view, fenced.word, __ATOMIC_RELAXED);
			__atomic_thread_fence(__ATOMIC_SEQ_CST);
			race->voted[g - rig.groups] = __atomic_load_n(&g->contact_ns,
								      __ATOMIC_RELAXED) ==
						      race->old_ns;
		}
		atomic_store(&race->done, turn);
	}
}

static void build(struct packet *p, const struct world *w)
{
	memset(p, 0, sizeof(*p));
	p->d.h = (struct xr_wire){.magic = XR_WIRE_MAGIC,
				  .version = XR_WIRE_VERSION,
				  .type = XR_HEARTBEAT,
				  .source = 2,
				  .dest = RIG_SELF,
				  .count = XR_RECORDS,
				  .key_id = 4,
				  .sent_ns = NS_PER_S};
	for (__u32 i = 0; i < XR_RECORDS; i++)
		p->d.rec[i] = (struct xr_record){
			.group = i, .term = 7, .digest = (__u16)(0x1000 + i)};
	p->payload = p->udp_len = -1;
	p->from = 2;
	p->to = RIG_SELF;
	p->from_port = p->to_port = XR_PORT;
	frame_build(p, w->keys);
}

struct tally {
	unsigned long turns, acked, voted, withheld, both;
};

static void one_turn(struct race *race, unsigned long turn, const struct packet *p, struct world *w,
		     struct tally *t)
{
	static struct outcome out;
	const struct xr_record *rec;
	__u64 began, ended;

	w->control.alive_until_ns = xr_now_ns() + NS_PER_S;
	rig_load(&rig, w);
	race->old_ns = w->groups[0].contact_ns;
	atomic_store(&race->nic, turn);
	assert_int_equal(rig_run_kernel(&rig, p->frame, p->len, &out, &began, &ended), 0);
	wait_for(&race->done, turn);
	t->turns++;
	t->withheld += out.moved.heartbeat_withheld;
	race->span_ns = (race->span_ns * 7 + (ended - began)) / 8;
	for (int i = 0; i < XR_RECORDS; i++) {
		__u16 flags;

		rec = (const void *)(out.frame + p->at + sizeof(struct xr_wire));
		memcpy(&flags, (const char *)&rec[i] + offsetof(struct xr_record, flags), 2);
		t->voted += race->voted[i];
		if (out.verdict != XDP_TX || !(flags & XR_ACKED))
			continue;
		t->acked++;
		t->both += race->voted[i];
	}
}

static bool raced_enough(const struct tally *t, uint64_t ns)
{
	return t->both || ns > RACE_MAX || (ns > RACE_NS && t->withheld > RACE_HITS);
}

static void no_ack_contradicts_a_vote(void **state)
{
	static struct race race = {.span_ns = 5000};
	uint64_t begin = xr_now_ns();
	struct tally t = {0};
	struct packet p;
	struct world w;
	pthread_t daemon;

	(void)state;
	need_rig();
	if (CPU_COUNT(&all_cpus) < 1) {
		print_message("SKIP: one CPU cannot race with itself\n");
		skip();
	}
	world_default(&w, false);
	build(&p, &w);
	assert_int_equal(pthread_create(&daemon, NULL, daemon_thread, &race), 0);
	for (unsigned long turn = 1; !raced_enough(&t, xr_now_ns() - begin); turn++)
		one_turn(&race, turn, &p, &w, &t);
	atomic_store(&race.stop, true);
	atomic_store(&race.nic, t.turns + 1);
	pthread_join(daemon, NULL);
	print_message("%lu turns: %lu acked, %lu voted, %lu withheld, %lu contradictions\n",
		      t.turns, t.acked, t.voted, t.withheld, t.both);
	assert_int_equal(t.both, 0);
	if (!t.acked || !t.voted || !t.withheld) {
		print_message("SKIP: the two threads never met; is there but one CPU free?\n");
		skip();
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_ack_contradicts_a_vote),
	};
	int first;

	/* The rig stays on the first CPU that we may use; the daemon has the others. */
	sched_getaffinity(0, sizeof(all_cpus), &all_cpus);
	for (first = 0; first < CPU_SETSIZE && !CPU_ISSET(first, &all_cpus);)
		first++;
	CPU_CLR(first, &all_cpus);
	open_rig(argc, argv);
	return close_rig(cmocka_run_group_tests(tests, NULL, NULL));
}
