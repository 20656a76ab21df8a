// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rule 4 against rule 3, on the loaded program: one CPU runs heartbeats of 87 groups through it,
 * another decides about these groups through the mmaped maps as the daemon does, both as fast as
 * they can and with nothing between them but the maps. (test_rules.c hammers the native build.)
 *
 * What is proven: a vote ends a term, and is given on the strength of the contact that the second
 * look of rule 3 saw. An answer carries the very time that was stamped before it left. So for each
 * group and term: no answer's stamp may be newer than the contact that the vote saw. Both sides
 * write down what they did, each in memory of its own; it is compared when they rest.
 *
 * And that an answer names no entry of a later term (rule 24): the entry was read before the second
 * look, and that one is taken after the vote.
 *
 * And what it is worth: programs with the second look left out, with a stamp that is no barrier, and
 * with the entry read last (race.cmake builds them into XR_RACE_VARIANTS), and a daemon without the
 * barrier, must each be caught. On x86 a compare-exchange is a barrier by itself, so the daemon without one
 * fences by a plain store.
 *
 *   test_nic_race [OBJECT [ROUNDS]]   at least so many runs, and as many decisions; otherwise a
 *                                     few seconds. XR_RACE_ROUNDS does the same; XR_RACE_SECONDS
 *                                     asks for time instead.
 */
#include <string.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <linux/bpf.h>
#include "need.h"

#define RACE_NS	    (3 * NS_PER_S)
#define RACE_MAX    (15 * NS_PER_S) /* on a busy machine, until the race was run at all */
#define RACE_HITS   100
#define CAUGHT_MAX  (60 * NS_PER_S) /* a variant that is not caught by then is a failure */
#define CAUGHT_HITS 30000
#define MEASURED    500	      /* runs, from which D comes */
#define TERMS	    (1 << 14) /* before both sides rest */
#define GROUPS	    XR_RECORDS

static cpu_set_t all_cpus;
static const char *object;
static unsigned long rounds, seconds;
/* A vote needs a contact so old: as long as a run, so that votes fall where the next stamp does. */
static uint64_t d_ns;

struct tally {
	unsigned long runs, acked, named, decisions, votes, restored, withheld, contradictions;
};

/* By group and term: the newest stamp that was answered, and what the vote that ended it saw. */
static __u64 acked[GROUPS][TERMS], saw[GROUPS][TERMS];

struct daemon {
	pthread_t thread;
	atomic_bool rest __attribute__((aligned(64))), stop;
	atomic_bool resting __attribute__((aligned(64)));
	bool barrier;
	atomic_ulong decisions, votes, restored; /* this thread alone writes them */
	union xr_word published[GROUPS];
	__u64 voted_at[GROUPS]; /* the contact of the last vote: a term is heard before it ends */
};

/* Spin, but let go of the CPU if the other thread seems to have none. */
static void wait_for(atomic_bool *flag, bool value)
{
	for (int spins = 1; atomic_load(flag) != value; spins++)
		if (spins % 4096 == 0)
			sched_yield();
}

/*
 * ---- the daemon ----
 */
static union xr_word view(__u32 term, __u8 leader, enum xr_mode mode)
{
	return (union xr_word){.view = {.term = term, .leader = leader, .mode = mode}};
}

/* Rule 2: from the word that was last written; nobody else writes. */
static void publish(struct daemon *d, int i, union xr_word next)
{
	__u64 *word = (__u64 *)&rig.groups[i].view;

	if (__sync_val_compare_and_swap(word, d->published[i].word, next.word) !=
	    d->published[i].word)
		abort();
	d->published[i] = next;
}

static __u64 contact(int i)
{
	return *(volatile __u64 *)&rig.groups[i].contact_ns;
}

static bool is_old(__u64 contact_ns)
{
	return (__s64)(xr_now_ns() - contact_ns) >= (__s64)d_ns;
}

/* Fence and look again: rule 3, or without its barrier. */
static __u64 fence(struct daemon *d, int i)
{
	union xr_word fenced = view(d->published[i].view.term, 0, XR_NONE);

	if (!d->barrier) {
		*(volatile __u64 *)&rig.groups[i].view = fenced.word;
		d->published[i] = fenced;
		return contact(i);
	}
	publish(d, i, fenced);
	__sync_synchronize();
	return contact(i);
}

static void add(atomic_ulong *counter)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

/* By the engine's plain store, beside the NIC path's note that it is committed. */
static void name_entry(int i, __u32 index)
{
	*(volatile __u32 *)&rig.groups[i].entry = index;
}

/* Decide, fence, look again, vote, publish; then the new leader's entry, which has its term's number. */
static void decide(struct daemon *d, int i)
{
	union xr_word before = d->published[i];
	__u32 term = before.view.term;
	__u64 seen = contact(i);

	if (!is_old(seen) || seen == d->voted_at[i] || term + 1 == TERMS)
		return;
	add(&d->decisions);
	seen = fence(d, i);
	if (!is_old(seen)) {
		publish(d, i, before);
		add(&d->restored);
		return;
	}
	saw[i][term] = seen;
	d->voted_at[i] = seen;
	name_entry(i, 0);
	publish(d, i, view(term + 1, 0, XR_NONE));
	publish(d, i, view(term + 1, 2, XR_FOLLOW));
	name_entry(i, term + 1);
	add(&d->votes);
}

static void *daemon_thread(void *arg)
{
	uint64_t x = 0x9e3779b97f4a7c15ull;
	struct daemon *d = arg;

	pthread_setaffinity_np(pthread_self(), sizeof(all_cpus), &all_cpus);
	while (!atomic_load(&d->stop)) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		decide(d, x % GROUPS);
		if (!atomic_load_explicit(&d->rest, memory_order_relaxed))
			continue;
		atomic_store(&d->resting, true);
		wait_for(&d->rest, false);
		atomic_store(&d->resting, false);
	}
	return NULL;
}

/*
 * ---- the leader, and the NIC path that answers it ----
 */
static void build(struct packet *p, const struct world *w)
{
	memset(p, 0, sizeof(*p));
	p->d.h = (struct xr_wire){.magic = XR_WIRE_MAGIC,
				  .version = XR_WIRE_VERSION,
				  .type = XR_HEARTBEAT,
				  .source = 2,
				  .dest = RIG_SELF,
				  .count = GROUPS,
				  .key_id = 4,
				  .sent_ns = xr_now_ns(),
				  .lives = RIG_LIVES(2, RIG_SELF)};
	for (__u32 i = 0; i < GROUPS; i++) {
		p->d.rec[i] = (struct xr_record){.group = i,
						 .term = xr_view_read(&rig.groups[i]).view.term,
						 .digest = (__u16)(0x1000 + i)};
		p->d.rec[i].entry = i % 2 ? p->d.rec[i].term | XR_COMMITTED : 0;
	}
	p->payload = p->udp_len = -1;
	p->from = 2;
	p->to = RIG_SELF;
	p->from_port = p->to_port = XR_PORT;
	frame_build(p, w->keys);
}

/* Write down what was answered. The answer's `sent_ns` is the time that the run has stamped. */
static void note_acks(const struct packet *p, const __u8 *answer, struct tally *t)
{
	struct xr_record rec;
	struct xr_wire h;

	memcpy(&h, answer + p->at, sizeof(h));
	for (int i = 0; i < GROUPS; i++) {
		memcpy(&rec, answer + p->at + sizeof(h) + i * sizeof(rec), sizeof(rec));
		if (!(rec.flags & XR_ACKED))
			continue;
		t->acked++;
		t->named += !!rec.entry;
		t->contradictions += rec.entry && (rec.entry & XR_INDEX_MAX) != rec.term;
		acked[i][rec.term] = h.sent_ns;
	}
}

static void one_run(const struct world *w, struct tally *t)
{
	static struct packet p;
	static __u8 answer[FRAME_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_out = answer, .data_size_out = sizeof(answer),
		    .repeat = 1);

	build(&p, w);
	run.data_in = p.frame;
	run.data_size_in = p.len;
	assert_int_equal(bpf_prog_test_run_opts(rig.prog, &run), 0);
	t->runs++;
	if (run.retval == XDP_TX)
		note_acks(&p, answer, t);
}

/*
 * ---- what came of it ----
 */
static void compare(struct tally *t)
{
	for (int i = 0; i < GROUPS; i++)
		for (int term = 0; term < TERMS; term++)
			if (saw[i][term] && (__s64)(acked[i][term] - saw[i][term]) > 0)
				t->contradictions++;
	memset(acked, 0, sizeof(acked));
	memset(saw, 0, sizeof(saw));
}

static void begin_again(struct daemon *d, struct world *w)
{
	w->now = xr_now_ns();
	w->control.alive_until_ns = w->now + 3600 * NS_PER_S;
	for (int i = 0; i < RIG_GROUPS; i++) {
		w->groups[i].view = view(1, 2, XR_FOLLOW).view;
		w->groups[i].contact_ns = w->now;
		w->groups[i].entry = 1;
	}
	rig_load(&rig, w);
	for (int i = 0; i < GROUPS; i++) {
		d->published[i] = view(1, 2, XR_FOLLOW);
		d->voted_at[i] = w->now;
	}
}

/* Let both rest, compare, and begin again in term 1. */
static void rest(struct daemon *d, struct world *w, struct tally *t)
{
	atomic_store(&d->rest, true);
	wait_for(&d->resting, true);
	compare(t);
	begin_again(d, w);
	atomic_store(&d->rest, false);
	wait_for(&d->resting, false);
}

static bool used_up(void)
{
	for (int i = 0; i < GROUPS; i++)
		if (xr_view_read(&rig.groups[i]).view.term > TERMS - TERMS / 8)
			return true;
	return false;
}

static unsigned long withheld(void)
{
	struct xr_stats each[libbpf_num_possible_cpus()];
	__u32 slot = XR_STATS_NIC;
	unsigned long sum = 0;

	if (!bpf_map_lookup_elem(rig.stats, &slot, each))
		for (int cpu = 0; cpu < rig.cpus; cpu++)
			sum += each[cpu].heartbeat_withheld;
	return sum;
}

static bool raced_enough(const struct tally *t, uint64_t ns, bool until_caught)
{
	if (until_caught)
		return t->contradictions || ns > CAUGHT_MAX;
	if (t->contradictions || seconds)
		return t->contradictions || ns > seconds * NS_PER_S;
	if (rounds)
		return t->runs >= rounds && t->decisions >= rounds;
	return ns > RACE_MAX || (ns > RACE_NS && t->withheld > RACE_HITS);
}

/* How long a run takes here, while nobody races with it. */
static uint64_t measure(const struct world *w)
{
	struct tally t = {0};
	uint64_t begin = xr_now_ns();

	for (int n = 0; n < MEASURED; n++)
		one_run(w, &t);
	return (xr_now_ns() - begin) / MEASURED;
}

static struct tally race(struct world *w, bool barrier, bool until_caught)
{
	static struct daemon d;
	struct tally t = {0};
	uint64_t begin;

	memset(&d, 0, sizeof(d));
	d.barrier = barrier;
	begin_again(&d, w);
	d_ns = measure(w);
	begin_again(&d, w);
	begin = xr_now_ns();
	assert_int_equal(pthread_create(&d.thread, NULL, daemon_thread, &d), 0);
	do {
		for (int n = 0; n < 1000; n++)
			one_run(w, &t);
		t.decisions = atomic_load(&d.decisions);
		t.withheld = withheld();
		if (used_up() || until_caught)
			rest(&d, w, &t);
	} while (!raced_enough(&t, xr_now_ns() - begin, until_caught));
	rest(&d, w, &t);
	atomic_store(&d.stop, true);
	pthread_join(d.thread, NULL);
	t.votes = atomic_load(&d.votes);
	t.restored = atomic_load(&d.restored);
	print_message(
		"%lu rounds: runs of %d heartbeats, %lu acked, %lu with an entry, %lu withheld; "
		"%lu decisions, %lu voted, %lu restored; %lu contradictions; %.1f s\n",
		t.runs, GROUPS, t.acked, t.named, t.withheld, t.decisions, t.votes, t.restored,
		t.contradictions, (double)(xr_now_ns() - begin) / 1e9);
	return t;
}

static struct tally race_with(const char *path, bool barrier, bool until_caught)
{
	struct world w;
	struct tally t;

	rig_error = rig_open(&rig, path, &rig_why);
	need_rig();
	if (CPU_COUNT(&all_cpus) < 1) {
		print_message("SKIP: one CPU cannot race with itself\n");
		skip();
	}
	world_default(&w, false);
	t = race(&w, barrier, until_caught);
	rig_close(&rig);
	return t;
}

static void no_answer_contradicts_a_vote(void **state)
{
	struct tally t = race_with(object, true, false);

	(void)state;
	assert_int_equal(t.contradictions, 0);
	assert_true(t.named || !t.acked);
	if (!t.acked || !t.votes || !t.withheld) {
		print_message("SKIP: the two threads never met; is there but one CPU free?\n");
		skip();
	}
}

static const char *variant(const char *name)
{
	static char path[4096];
	const char *folder = getenv("XR_RACE_VARIANTS");

	if (!folder) {
		print_message("SKIP: XR_RACE_VARIANTS does not name the folder of the variants\n");
		skip();
	}
	snprintf(path, sizeof(path), "%s/%s.bpf.o", folder, name);
	return path;
}

/* A failure only if the race was run often enough to say so. */
static void is_caught(const char *path, bool barrier)
{
	struct tally t = race_with(path, barrier, true);

	if (!t.contradictions && t.withheld < CAUGHT_HITS) {
		print_message("SKIP: the two threads hardly met; are there two free CPUs?\n");
		skip();
	}
	assert_true(t.contradictions);
}

static void second_look_left_out_is_caught(void **state)
{
	(void)state;
	is_caught(variant("no_second_look"), true);
}

static void stamp_that_is_no_barrier_is_caught(void **state)
{
	(void)state;
	is_caught(variant("plain_stamp"), true);
}

static void entry_read_late_is_caught(void **state)
{
	(void)state;
	is_caught(variant("entry_read_late"), true);
}

static void daemon_without_barrier_is_caught(void **state)
{
	(void)state;
	is_caught(object, false);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_answer_contradicts_a_vote),
		cmocka_unit_test(second_look_left_out_is_caught),
		cmocka_unit_test(stamp_that_is_no_barrier_is_caught),
		cmocka_unit_test(entry_read_late_is_caught),
		cmocka_unit_test(daemon_without_barrier_is_caught),
	};
	const char *text = argc > 2 ? argv[2] : getenv("XR_RACE_ROUNDS");
	int first, failed;

	object = argc > 1 ? argv[1] : getenv("XR_BPF_OBJECT");
	rounds = text ? strtoul(text, NULL, 0) : 0;
	text = getenv("XR_RACE_SECONDS");
	seconds = text ? strtoul(text, NULL, 0) : 0;
	if (!object || sodium_init() < 0) {
		fprintf(stderr, "usage: %s xraft.bpf.o [ROUNDS]\n", argv[0]);
		return 2;
	}
	/* The rig stays on the first CPU that we may use; the daemon has the others. */
	sched_getaffinity(0, sizeof(all_cpus), &all_cpus);
	for (first = 0; first < CPU_SETSIZE && !CPU_ISSET(first, &all_cpus);)
		first++;
	CPU_CLR(first, &all_cpus);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	return rig_error == -EPERM || rig_error == -EACCES ? 77 : failed;
}
