// SPDX-License-Identifier: GPL-2.0-only
/*
 * libxraft (rule 16): each clause of "this node leads" taken away by itself, and whatever may
 * happen between two of its reads. The library's source is compiled in, with a hook between them.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void (*between)(int where);
static int pauses;
static void pause_here(void);
#define XR_PAUSE pause_here()
#include "lib/xraft.c"

/* A watch opens what the test hands it. */
static int open_scripted(struct xr_handle **out, const char *cluster, unsigned int node, char *why,
			 size_t size);
static void close_scripted(struct xr_handle *handle);
static bool stale_scripted(const struct xr_handle *handle);
#define xr_open	 open_scripted
#define xr_close close_scripted
#define xr_stale stale_scripted
#include "lib/watch.c"
#undef xr_open
#undef xr_close
#undef xr_stale

static struct xr_handle *h;
static int open_error, opens;
static bool replaced;
static struct xr_group *g;
static struct xr_acks *acks;
static struct xr_control *control;

static void pause_here(void)
{
	if (between)
		between(++pauses);
}

static int open_scripted(struct xr_handle **out, const char *cluster, unsigned int node, char *why,
			 size_t size)
{
	(void)cluster, (void)node;
	snprintf(why, size, "scripted");
	opens++;
	*out = open_error ? NULL : h;
	return open_error;
}

static void close_scripted(struct xr_handle *handle)
{
	(void)handle;
}

static bool stale_scripted(const struct xr_handle *handle)
{
	(void)handle;
	return replaced;
}

/* Node 1 of three leads group 1 in term 7, with an ack of node 2 a millisecond ago. */
static int start(void **state)
{
	static const struct xr_maps none = XR_MAPS_NONE;
	uint64_t now_ns = xr_now_ns();
	struct xr_why why;

	(void)state;
	between = NULL;
	pauses = open_error = opens = 0;
	replaced = false;
	h = calloc(1, sizeof(*h));
	h->maps = none;
	assert_int_equal(xr_maps_alloc(&h->maps, 2, 256, &why), 0);
	g = &h->maps.groups[1];
	acks = &h->maps.acks[1];
	control = h->maps.control;
	*control = (struct xr_control){
		.abi = XR_ABI,
		.self = 1,
		.min_timeout_us = 10000000, /* ten seconds, against what slows a test down */
		.drift_permille = 100,
		.alive_until_ns = now_ns + 60 * NS_PER_S,
		.timens = xr_maps_timens(),
	};
	*g = (struct xr_group){
		.view = {.term = 7, .leader = 1, .mode = XR_LEAD},
		.members = 0xe,
		.lead_since_ns = now_ns - 2 * NS_PER_MS,
		.name = "main",
	};
	acks->echo_ns[2] = now_ns - NS_PER_MS;
	strcpy(h->pin, "/proc/self/ns/time"); /* some file */
	assert_int_equal(look_around(h, &why), 0);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	xr_close(h);
	return 0;
}

static bool leads(void)
{
	pauses = 0;
	return xr_is_leader(h, 1, NULL);
}

static void leads_with_its_term_as_token(void **state)
{
	uint64_t token = 0;

	(void)state;
	assert_true(xr_is_leader(h, xr_group_id(h, "main"), &token));
	assert_int_equal(token, 7);
	assert_int_equal(xr_leader(h, 1, &token), 1);
	assert_int_equal(xr_group_id(h, "nobody"), -1);
	assert_false(xr_is_leader(h, 0, NULL)); /* no such group */
	assert_false(xr_is_leader(h, -1, NULL));
	assert_false(xr_is_leader(h, 2, NULL));
}

static void a_follower_does_not(void **state)
{
	(void)state;
	g->view.mode = XR_FOLLOW;
	assert_false(leads());
	g->view.mode = XR_NONE;
	assert_false(leads());
	assert_int_equal(xr_leader(h, 1, NULL), 0);
}

static void not_behind_the_deadline(void **state)
{
	(void)state;
	control->alive_until_ns = xr_now_ns() - 1;
	assert_false(leads());
	control->alive_until_ns = 0;
	assert_false(leads());
}

static void not_without_a_majority(void **state)
{
	(void)state;
	acks->echo_ns[2] = 0;
	assert_false(leads());
	acks->echo_ns[4] = xr_now_ns(); /* of no voter */
	assert_false(leads());
	acks->echo_ns[3] = xr_now_ns();
	assert_true(leads());
}

/* D (1-r)/(1+r) = 8.18 s after what was acked was sent. */
static void not_when_the_lease_is_over(void **state)
{
	(void)state;
	g->lead_since_ns = xr_now_ns() - 100 * NS_PER_S;
	acks->echo_ns[2] = xr_now_ns() - 8 * NS_PER_S;
	assert_true(leads());
	acks->echo_ns[2] = xr_now_ns() - 8182 * NS_PER_MS;
	assert_false(leads());
}

/* Rule 5: what an earlier leadership sent nobody promised to this one. */
static void not_by_acks_from_before_it_led(void **state)
{
	(void)state;
	acks->echo_ns[2] = g->lead_since_ns - 1;
	assert_false(leads());
	acks->echo_ns[2] = g->lead_since_ns;
	assert_true(leads());
}

static void fence_it(int where)
{
	if (where == 1)
		g->view = (struct xr_view){.term = 7, .mode = XR_NONE};
}

static void lead_anew(int where)
{
	if (where == 3)
		g->view.term = 9;
}

/* Fenced, or led anew in a later term, between two reads: the view is looked at again. */
static void not_if_the_view_has_changed_meanwhile(void **state)
{
	(void)state;
	between = fence_it;
	assert_false(leads());
	g->view = (struct xr_view){.term = 7, .leader = 1, .mode = XR_LEAD};
	between = lead_anew;
	assert_false(leads());
	between = NULL;
	assert_true(leads());
}

static void let_it_lapse(int where)
{
	struct timespec t;

	while (where == 2 &&
	       (clock_gettime(CLOCK_BOOTTIME, &t), xr_now_ns() <= control->alive_until_ns))
		;
}

/* The clock is read after what it is compared with: a pause before it counts. */
static void not_if_it_lapses_before_the_clock_is_read(void **state)
{
	(void)state;
	control->alive_until_ns = xr_now_ns() + 20 * NS_PER_MS;
	between = let_it_lapse;
	assert_false(leads());
}

/* In a child: once more looked at which clock it has; then as before. */
static void leads_in_a_child_with_the_same_clock(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (!pid) {
		bool before = h->place->clock == FORKED, led = leads();

		_exit(before && led && h->place->clock == SAME_CLOCK ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

/* What `child` returns; 77: it could not try. */
static int in_child(int (*child)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(child());
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int led_by_child(void)
{
	return leads();
}

static void not_in_a_child_with_another_clock(void **state)
{
	(void)state;
	h->timens = control->timens = 1; /* no namespace has this inode */
	assert_true(leads());		 /* it was this process' when the handle was opened */
	assert_int_equal(in_child(led_by_child), 0);
}

static void not_while_the_daemon_has_another_clock(void **state)
{
	uint64_t timens = control->timens;

	(void)state;
	control->timens = timens + 1;
	assert_false(leads());
	control->timens = 0; /* it cannot tell */
	assert_false(leads());
	control->timens = timens;
	assert_true(leads());
}

static int lead_without_proc(void)
{
	struct xr_why why = {""};

	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/proc", "tmpfs", 0, NULL))
		return 77;
	strcpy(h->pin, "/");
	return leads() || look_around(h, &why) != -EXDEV || !strstr(why.text, "mount /proc");
}

/* What a reader cannot check is "no". */
static void not_where_nobody_tells_which_clock_it_is(void **state)
{
	struct xr_why why;
	int code = in_child(lead_without_proc);

	(void)state;
	control->timens = 0;
	assert_int_equal(look_around(h, &why), -EXDEV);
	assert_non_null(strstr(why.text, "does not tell its time namespace"));
	if (code == 77)
		skip();
	assert_int_equal(code, 0);
}

/* By setns(), which no memory tells of. Half a second back, the lease would hold for longer. */
static int lead_in_another_namespace(void)
{
	static const char shift[] = "boottime -1 500000000\n";
	int offsets, space;

	if (!leads() || unshare(CLONE_NEWTIME))
		return 77;
	offsets = open("/proc/self/timens_offsets", O_WRONLY);
	if (write(offsets, shift, strlen(shift)) < 0)
		return 77;
	space = open("/proc/self/ns/time_for_children", O_RDONLY);
	return setns(space, CLONE_NEWTIME) ? 77 : leads();
}

static void not_after_it_went_to_another_clock(void **state)
{
	int code = in_child(lead_in_another_namespace);

	(void)state;
	if (code == 77)
		skip();
	assert_int_equal(code, 0);
}

/* That is no other clock, and the kernel is asked once. */
static void leads_when_somebody_sets_the_wall_clock(void **state)
{
	int64_t shift_ns = h->place->shift_ns;

	(void)state;
	h->place->shift_ns += 3600 * (int64_t)NS_PER_S;
	assert_true(leads());
	assert_in_range(h->place->shift_ns - shift_ns + 1000, 0, 2000);
}

/*
 * Any system call but exit kills. By a filter, since strict mode takes the time stamp counter away,
 * too, by which the vDSO reads the clock on most machines.
 */
static void allow_only_exit(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);

	if (!filter || seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(exit), 0) ||
	    seccomp_load(filter))
		_exit(2);
}

/*
 * ---- the value ----
 */

static struct xr_value *shown(void)
{
	return xr_maps_value(&h->maps, 1);
}

/* As the engine does, whose lines are value.c's. */
static void show(uint64_t id, const char *text, size_t size)
{
	struct xr_value *v = shown();
	uint64_t sequence = v->sequence | 1;

	*(volatile __u64 *)&v->sequence = sequence;
	__sync_synchronize();
	v->id = id;
	v->size = (uint16_t)size;
	memcpy(v + 1, text, size < 256 ? size : 256);
	__sync_synchronize();
	*(volatile __u64 *)&v->sequence = sequence + 1;
}

static void a_value_is_what_is_shown(void **state)
{
	struct xr_value_state told = {.id = 1};
	char text[XR_VALUE_MAX] = "";

	(void)state;
	assert_int_equal(xr_value(h, 1, text, sizeof(text), &told), -ENOENT);
	assert_int_equal(told.id, 0);
	assert_int_equal(xr_value(h, 2, text, sizeof(text), &told), -EINVAL);
	assert_int_equal(xr_value(h, -1, text, sizeof(text), &told), -EINVAL);
	show(7ull << 32 | 2, "hello", 5);
	assert_int_equal(xr_value(h, 1, text, sizeof(text), &told), 0);
	assert_memory_equal(text, "hello\0", 6);
	assert_true(told.id == (7ull << 32 | 2));
	assert_int_equal(told.size, 5);
	assert_false(told.committed);
	shown()->committed = told.id - 1;
	assert_int_equal(xr_value(h, 1, text, 5, &told), 0);
	assert_false(told.committed);
	shown()->committed = told.id;
	assert_int_equal(xr_value(h, 1, text, 5, &told), 0);
	assert_true(told.committed);
	show(7ull << 32 | 3, "", 0); /* an empty one is a value, too */
	assert_int_equal(xr_value(h, 1, text, 0, &told), 0);
	assert_int_equal(told.size, 0);
	assert_false(told.committed);
}

/* In the caller's room, in the maps; or it is never whole. The rest is told all the same. */
static void a_value_that_cannot_be_had(void **state)
{
	struct xr_value_state told;
	char text[XR_VALUE_MAX] = "", large[300] = "";

	(void)state;
	show(7ull << 32 | 2, "hello", 5);
	assert_int_equal(xr_value(h, 1, text, 4, &told), -EMSGSIZE);
	assert_string_equal(text, "");
	assert_int_equal(told.size, 5);
	show(7ull << 32 | 3, large, 257);
	shown()->committed = 7ull << 32 | 3;
	assert_int_equal(xr_value(h, 1, text, sizeof(text), &told), -EMSGSIZE);
	assert_int_equal(told.size, 257);
	assert_true(told.committed);
	assert_true(told.id == (7ull << 32 | 3));
	show(7ull << 32 | 4, "hello", 5);
	shown()->sequence++; /* the daemon died as it wrote */
	assert_int_equal(xr_value(h, 1, text, sizeof(text), &told), -EAGAIN);
	assert_int_equal(told.id, 0);
	assert_string_equal(text, "");
}

#define WRITES 300000

static void *show_all(void *arg)
{
	char text[256];

	for (uint64_t i = 1; i <= WRITES; i++) {
		memset(text, 'a' + (int)(i % 26), sizeof(text));
		show(i, text, 1 + i % 256);
	}
	return arg;
}

/* Never half of one and half of another: neither its bytes, nor its size or id with those of another. */
static void a_value_is_read_whole(void **state)
{
	struct xr_value_state told = {0};
	char text[XR_VALUE_MAX];
	pthread_t writer;
	long read = 0;

	(void)state;
	show(26, "a", 1);
	assert_int_equal(pthread_create(&writer, NULL, show_all, NULL), 0);
	while (told.id != WRITES) {
		int err = xr_value(h, 1, text, sizeof(text), &told);

		if (err == -EAGAIN)
			continue; /* the writer has lost its CPU in the midst of it */
		assert_int_equal(err, 0);
		read++;
		if (told.id == 26 && told.size == 1)
			continue;
		assert_int_equal(told.size, 1 + told.id % 256);
		for (size_t i = 0; i < told.size; i++)
			assert_int_equal(text[i], 'a' + (int)(told.id % 26));
	}
	pthread_join(writer, NULL);
	assert_true(read > 0);
}

static void makes_no_system_call(void **state)
{
	struct xr_value_state told;
	char text[16];
	int status;
	pid_t pid;

	(void)state;
	show(7, "hello", 5);
	assert_true(leads());
	pid = fork();
	if (!pid) {
		int led = leads(); /* it may look around once, after a fork */

		allow_only_exit();
		for (int i = 0; i < 1000; i++)
			led += leads() && !xr_value(h, 1, text, sizeof(text), &told);
		syscall(SYS_exit, led == 1001 ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

static void says_why_it_cannot_open(void **state)
{
	struct xr_handle *none = NULL;
	char why[200] = "";

	(void)state;
	assert_int_equal(xr_open(&none, "no-such-cluster", 1, why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "no-such-cluster"));
	assert_null(none);
	xr_close(NULL);
}

static void notices_that_the_maps_were_replaced(void **state)
{
	(void)state;
	assert_false(xr_stale(h));
	h->ino++;
	assert_true(xr_stale(h));
	strcpy(h->pin, "/no/such/file");
	assert_true(xr_stale(h));
}

/* What is left of 8.18 s is counted from the majority's newest ack, and ends with the deadline. */
static void tells_what_is_left_of_the_lease(void **state)
{
	uint64_t now_ns = xr_now_ns(), token = 0, left_ns;

	(void)state;
	g->lead_since_ns = now_ns - 100 * NS_PER_S;
	g->members = 0x3e; /* of five */
	acks->echo_ns[2] = now_ns - NS_PER_MS;
	acks->echo_ns[3] = now_ns - 3 * NS_PER_S;
	acks->echo_ns[4] = now_ns - 5 * NS_PER_S;
	left_ns = xr_lease_left(h, 1, &token);
	assert_in_range(left_ns, 4181 * NS_PER_MS, 5181818181);
	assert_int_equal(token, 7);
	control->alive_until_ns = xr_now_ns() + 2 * NS_PER_S;
	assert_in_range(xr_lease_left(h, 1, NULL), NS_PER_S, 2 * NS_PER_S);
	acks->echo_ns[3] = 0; /* node 4 remains, for a while */
	acks->echo_ns[4] = now_ns - 9 * NS_PER_S;
	assert_int_equal(xr_lease_left(h, 1, NULL), 0);
}

static void nothing_is_left_where_it_does_not_lead(void **state)
{
	(void)state;
	assert_true(xr_lease_left(h, 1, NULL) > 0);
	g->view.mode = XR_FOLLOW;
	assert_int_equal(xr_lease_left(h, 1, NULL), 0);
	assert_int_equal(xr_lease_left(h, -1, NULL), 0);
	assert_int_equal(xr_lease_left(h, 2, NULL), 0);
}

/* Whose lease nobody else extends: always a whole one, within the deadline. */
static void alone_it_has_a_whole_lease(void **state)
{
	struct xr_lease_timing timing;

	(void)state;
	g->members = 2;
	xr_timing(h, &timing);
	assert_int_equal(timing.lease_ns, 10 * NS_PER_S * 900 / 1100);
	assert_int_equal(timing.handover_ns, 10 * NS_PER_S);
	assert_int_equal(xr_lease_left(h, 1, NULL), timing.lease_ns);
}

static struct xr_watch *watch(void)
{
	struct xr_watch *w;

	assert_int_equal(xr_watch_open(&w, "demo", 1, ""), -EINVAL);
	assert_int_equal(xr_watch_open(&w, "demo", 1, "sixteen-and-more"), -EINVAL);
	assert_int_equal(xr_watch_open(&w, "demo", 1, "main"), 0);
	return w;
}

static bool woken(const struct xr_watch *w)
{
	struct pollfd p = {.fd = xr_watch_fd(w), .events = POLLIN};

	return poll(&p, 1, 60000) == 1;
}

static void a_watch_tells_of_each_change(void **state)
{
	struct xr_watch *w = watch();
	struct xr_state now;

	(void)state;
	assert_true(woken(w));
	assert_int_equal(xr_watch_look(w, &now), 1);
	assert_int_equal(now.token, 7);
	assert_int_equal(now.leader, 1);
	assert_true(now.left_ns);
	assert_true(woken(w)); /* again, without a change */
	assert_int_equal(xr_watch_look(w, &now), 0);
	g->view = (struct xr_view){.term = 8, .leader = 2, .mode = XR_FOLLOW};
	assert_true(woken(w));
	assert_int_equal(xr_watch_look(w, &now), 1);
	assert_int_equal(now.token, 0);
	assert_int_equal(now.left_ns, 0);
	assert_int_equal(now.leader, 2);
	assert_int_equal(now.term, 8);
	xr_watch_close(w);
	xr_watch_close(NULL);
}

/* Whatever becomes of the maps: first it knows nothing, then it opens what is there. */
static void a_watch_outlives_the_maps(void **state)
{
	struct xr_watch *w = watch();
	struct xr_state now;
	struct xr_lease_timing timing;

	(void)state;
	open_error = -ENOENT;
	assert_int_equal(xr_watch_look(w, &now), -ENOENT);
	assert_string_equal(xr_watch_why(w), "scripted");
	assert_false(xr_watch_timing(w, &timing));
	open_error = 0;
	assert_true(woken(w));
	assert_int_equal(xr_watch_look(w, &now), 1);
	assert_true(xr_watch_timing(w, &timing));
	assert_int_equal(opens, 2);
	replaced = true; /* but while it leads they are in use */
	w->checked_ns = 0;
	assert_int_equal(xr_watch_look(w, &now), 0);
	assert_int_equal(opens, 2);
	g->view.mode = XR_NONE; /* as the next start leaves them */
	assert_int_equal(xr_watch_look(w, &now), 1);
	w->checked_ns = 0;
	open_error = -ENOENT;
	assert_int_equal(xr_watch_look(w, &now), -ENOENT);
	assert_int_equal(now.leader, 0);
	open_error = 0;
	g->view.mode = XR_LEAD;
	assert_int_equal(xr_watch_look(w, &now), 1);
	assert_int_equal(now.token, 7);
	xr_watch_close(w);
}

static void a_watch_waits_for_its_group(void **state)
{
	struct xr_watch *w = watch();
	struct xr_state now;

	(void)state;
	g->members = 0;
	assert_int_equal(xr_watch_look(w, &now), -ESRCH);
	assert_non_null(strstr(xr_watch_why(w), "has no group main"));
	g->members = 0xe;
	assert_int_equal(xr_watch_look(w, &now), 1);
	xr_watch_close(w);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		T(leads_with_its_term_as_token),
		T(a_follower_does_not),
		T(not_behind_the_deadline),
		T(not_without_a_majority),
		T(not_when_the_lease_is_over),
		T(not_by_acks_from_before_it_led),
		T(not_if_the_view_has_changed_meanwhile),
		T(not_if_it_lapses_before_the_clock_is_read),
		T(leads_in_a_child_with_the_same_clock),
		T(not_in_a_child_with_another_clock),
		T(not_while_the_daemon_has_another_clock),
		T(not_where_nobody_tells_which_clock_it_is),
		T(not_after_it_went_to_another_clock),
		T(leads_when_somebody_sets_the_wall_clock),
		T(a_value_is_what_is_shown),
		T(a_value_that_cannot_be_had),
		T(a_value_is_read_whole),
		T(makes_no_system_call),
		T(says_why_it_cannot_open),
		T(notices_that_the_maps_were_replaced),
		T(tells_what_is_left_of_the_lease),
		T(nothing_is_left_where_it_does_not_lead),
		T(alone_it_has_a_whole_lease),
		T(a_watch_tells_of_each_change),
		T(a_watch_outlives_the_maps),
		T(a_watch_waits_for_its_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
