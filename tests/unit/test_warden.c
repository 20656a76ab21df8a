// SPDX-License-Identifier: GPL-2.0-only
/*
 * The warden's decisions over a scripted NIC path, a fake disk and scripted deaths. The sources are
 * compiled in, with a hook where a process could die or others could look.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>
#include "unit/fake_disk.h"

static void pause_here(void);
#define XR_PAUSE pause_here()
#include "nic/fence.c"
#include "daemon/warden.c"

#define GROUPS 6 /* of the maps: one more than is configured */
#define D_NS   (150 * NS_PER_MS)

static struct xr_warden w = {.node_fd = -1, .lock_fd = -1};
static struct fake_disk *disk;
static struct xr_group groups[GROUPS];
static struct xr_acks acks[GROUPS];
static struct xr_peer peers[XR_NODE_MAX + 1];
static struct xr_control control;
static uint64_t clock_ns = NS_PER_S;
static int leftovers_err;
static bool lock_is_held;
static char path[] = "/tmp/xraft-test-warden-XXXXXX";

static struct {
	char order[8];	    /* what was called, a letter each */
	void (*look)(void); /* at each pause */
	int pauses;
	struct {
		uint8_t to;
		struct xr_ballot ballot;
	} sent[8];
	int nsent;
	bool flushed;
} seen;

/*
 * ---- the world ----
 */
static void pause_here(void)
{
	seen.pauses++;
	if (seen.look)
		seen.look();
}

/* Each call takes a second. */
static void called(char what)
{
	seen.order[strlen(seen.order)] = what;
	clock_ns += NS_PER_S;
}

int xr_rights_own(const struct xr_user *user, const char *dir, struct xr_why *why)
{
	(void)user, (void)why;
	assert_string_equal(dir, "/state");
	called('r');
	return 0;
}

int xr_nic_lock(const struct xr_nic_opts *o, int *fd, struct xr_why *why)
{
	(void)why;
	assert_string_equal(o->cluster, w.config.cluster);
	assert_int_equal(o->node, 1);
	called('l');
	*fd = lock_is_held ? -1 : 77;
	return lock_is_held ? -EBUSY : 0;
}

void xr_nic_unlock(const struct xr_nic_opts *o, int *fd)
{
	(void)o;
	if (*fd == 77)
		called('u');
	*fd = -1;
}

int xr_nic_fence_leftovers(const struct xr_nic_opts *o, struct xr_why *why)
{
	(void)why;
	assert_int_equal(o->node, 1);
	called('f');
	return leftovers_err;
}

int xr_nic_open(struct xr_nic *nic, const struct xr_nic_opts *o, struct xr_why *why)
{
	(void)why;
	assert_int_equal(o->ngroups, 5);
	nic->maps = (struct xr_maps){.groups = groups,
				     .acks = acks,
				     .peers = peers,
				     .control = &control,
				     .ngroups = GROUPS};
	called('o');
	return 0;
}

static uint64_t read_clock(void *world)
{
	(void)world;
	return clock_ns;
}

/* Rule 5: whatever was led is fenced before this leaves. */
static void note_sent(void *world, uint8_t to, const void *bytes, size_t size)
{
	const struct xr_wire *h = bytes;
	const struct xr_ballot *b = (const struct xr_ballot *)(h + 1);

	assert_ptr_equal(world, &seen);
	assert_int_equal(h->type, XR_RESIGN);
	assert_int_equal(h->source, 1);
	assert_int_equal(h->lives, 0x1000 + to);
	assert_int_equal(h->tag, xr_tag(h, (const char *)h + size, size, &w.config.keys[0].sip));
	assert_int_equal(control.alive_until_ns, 0);
	for (int id = 0; id < GROUPS; id++)
		assert_int_not_equal(groups[id].view.mode, XR_LEAD);
	for (int i = 0; i < h->count; i++) {
		seen.sent[seen.nsent].to = to;
		seen.sent[seen.nsent++].ballot = b[i];
	}
}

static void note_flush(void *world)
{
	(void)world;
	seen.flushed = true;
}

static const struct xr_host host = {.now_ns = read_clock, .send = note_sent, .flush = note_flush};

/*
 * ---- the stage: node 1 of three, four groups ----
 */
static void write_config(const char *cluster, int d_ms, const char *more)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fprintf(f,
		"[cluster]\nname = %s\nauth = none\n[self]\nnode = 1\nxdp = off\nstate = /state\n"
		"[timing]\nelection_ms = %d-%d\nheartbeat_ms = 10\n"
		"[nodes]\n1 = 10.0.0.1\n2 = 10.0.0.2\n3 = 10.0.0.3\n"
		"[groups]\na = 1: 1 2 3\nb = 2: 1 2 3\nc = 3: 1 2\nd = 4: 1 2 3\n%s",
		cluster, d_ms, 2 * d_ms, more);
	fclose(f);
}

static void leave(void)
{
	xr_warden_close(&w);
	xr_config_free(&w.config);
}

static uint32_t birth; /* that main() draws, with --join */

/* A new process. */
static int enter(bool fresh, struct xr_why *why)
{
	leave();
	memset(&w, 0, sizeof(w));
	memset(&seen, 0, sizeof(seen));
	w.config_path = path;
	w.birth = birth;
	w.disk = &disk->ops;
	w.host = &host;
	w.world = &seen;
	assert_int_equal(xr_config_read(&w.config, path, why), 0);
	return xr_warden_open(&w, fresh, why);
}

/* An engine has lived here before; this is the second warden. */
static int start(void **state)
{
	struct xr_why why;

	(void)state;
	disk = fake_disk_new(1);
	memset(groups, 0, sizeof(groups));
	memset(acks, 0, sizeof(acks));
	leftovers_err = 0;
	write_config("demo", 150, "");
	assert_int_equal(enter(true, &why), 0);
	control.alive_until_ns = 7; /* of a life before */
	return enter(false, &why);
}

static int stop(void **state)
{
	(void)state;
	leave();
	fake_disk_free(disk);
	return 0;
}

static struct xr_journal *open_journal(void)
{
	struct xr_journal_opts opts = {
		.dir = "/state", .cluster = "demo", .node = 1, .disk = &disk->ops};
	struct xr_journal *journal = NULL;

	assert_int_equal(xr_journal_open(&journal, &opts, NULL), 0);
	return journal;
}

static void view(int id, uint32_t term, uint8_t leader, enum xr_mode mode)
{
	groups[id].view = (struct xr_view){.term = term, .leader = leader, .mode = mode};
	groups[id].members = w.config.groups[id - 1].voters;
	groups[id].digest = w.config.groups[id - 1].digest;
}

/*
 * ---- starts ----
 */
static void starts_in_rule_6s_order(void **state)
{
	(void)state;
	assert_string_equal(seen.order, "lrfo");
	assert_int_equal(peers[3].ip[15], 3);
	assert_int_equal(control.answer, 0); /* until a peer has said that answers arrive */
	assert_int_equal(w.fenced_ns, clock_ns - NS_PER_S); /* after f, before o */
	assert_int_equal(w.promise_ns, D_NS);
	assert_int_equal(xr_warden_promise_until_ns(&w), w.fenced_ns + D_NS);
	assert_int_equal(control.alive_until_ns, 0);
	assert_int_equal(control.self, 1);
	assert_int_equal(control.min_timeout_us * NS_PER_US, D_NS);
	assert_int_equal(control.groups, GROUPS);
	assert_int_equal(seen.pauses, 4);
}

/* Rule 19: of a clock that was ahead of this one. The replay mark is another node's clock. */
static void stamps_of_tomorrow_are_not_adopted(void **state)
{
	const uint64_t tomorrow_ns = clock_ns + 86400 * NS_PER_S;
	struct xr_why why;

	(void)state;
	groups[1].contact_ns = groups[2].lead_since_ns = acks[3].echo_ns[9] = tomorrow_ns;
	groups[2].contact_ns = groups[1].lead_since_ns = acks[3].echo_ns[1] = clock_ns;
	groups[1].replay = UINT64_MAX;
	assert_int_equal(enter(false, &why), 0);
	assert_true(!groups[1].contact_ns && !groups[2].lead_since_ns && !acks[3].echo_ns[9]);
	assert_int_equal(groups[2].contact_ns, groups[1].lead_since_ns);
	assert_int_equal(groups[2].contact_ns, acks[3].echo_ns[1]);
	assert_true(groups[2].contact_ns > 0);
	assert_int_equal(groups[1].replay, UINT64_MAX);
	/* What they stood for is promised, also by a node that calls itself new. */
	leave();
	fake_disk_free(disk);
	disk = fake_disk_new(4);
	groups[1].contact_ns = tomorrow_ns;
	assert_int_equal(enter(true, &why), 0);
	assert_int_equal(xr_warden_promise_until_ns(&w), w.fenced_ns + D_NS);
}

/* Rule 6: who has used a D has promised it, also where the power goes at once. */
static void promise_is_durable_before_views_are_fenced(void **state)
{
	struct xr_journal *journal;
	struct xr_why why;

	(void)state;
	write_config("demo", 200, "");
	leftovers_err = -EIO;
	assert_int_equal(enter(false, &why), -EIO);
	assert_string_equal(seen.order, "lrf"); /* and nothing is opened where the fence fails */
	leave();
	disk->luck = FAKE_NONE_SURVIVE;
	fake_disk_power_cut(disk);
	journal = open_journal();
	assert_int_equal(xr_journal_promise_ns(journal), 200 * NS_PER_MS);
	xr_journal_close(journal);
}

static void promise_holds_for_the_largest_d_ever_used(void **state)
{
	struct xr_why why;

	(void)state;
	write_config("demo", 40, "");
	assert_int_equal(enter(false, &why), 0);
	assert_int_equal(control.min_timeout_us, 40000);
	assert_int_equal(xr_warden_promise_until_ns(&w), w.fenced_ns + D_NS);
	write_config("demo", 300, "");
	assert_int_equal(enter(false, &why), 0);
	assert_int_equal(xr_warden_promise_until_ns(&w), w.fenced_ns + 2 * D_NS);
}

/* What an earlier life of a node that calls itself new has promised, nobody knows (rule 18). */
static void new_node_keeps_the_promise(void **state)
{
	struct xr_why why;

	(void)state;
	leave();
	fake_disk_free(disk);
	disk = fake_disk_new(2);
	assert_int_equal(enter(true, &why), 0);
	assert_true(w.fenced_ns > 0);
	assert_int_equal(xr_warden_promise_until_ns(&w), w.fenced_ns + D_NS);
	xr_warden_spawned(&w);
	xr_warden_bury(&w);
	xr_warden_reaped(&w, W_EXITCODE(0, SIGKILL), 0);
	assert_int_equal(xr_warden_promise_until_ns(&w), clock_ns + D_NS);
}

/* Rule 27: drawn for a state that is not there yet, and from then on read from it. */
static void birth_is_that_of_the_state(void **state)
{
	struct xr_why why;

	(void)state;
	assert_int_equal(control.birth, 0);
	leave();
	fake_disk_free(disk);
	disk = fake_disk_new(2);
	birth = 0xb1b2b3b4;
	assert_int_equal(enter(true, &why), 0);
	assert_int_equal(control.birth, 0xb1b2b3b4);
	birth = 0;
	assert_int_equal(enter(false, &why), 0);
	assert_int_equal(control.birth, 0xb1b2b3b4);
	birth = 5; /* --join once more */
	assert_int_equal(enter(true, &why), -EEXIST);
	assert_non_null(strstr(why.text, "start without --join"));
	birth = 0;
}

static bool has(const char *name)
{
	char byte;

	return fake_disk_peek(disk, name, &byte, 1, 0);
}

/* So it can be started as new once more; what was decided, or is of a start before, stays. */
static void refused_first_start_leaves_no_state(void **state)
{
	struct xr_vote vote = {.group = 4, .term = 1, .digest = 1, .name = "d"};
	struct xr_journal *journal;
	struct xr_journal_opts opts;
	struct xr_why why;

	(void)state;
	assert_int_equal(enter(true, &why), -EEXIST);
	xr_warden_take_back(&w);
	assert_true(has("journal"));
	leave();
	fake_disk_free(disk);
	disk = fake_disk_new(2);
	leftovers_err = -EIO;
	assert_int_equal(enter(true, &why), -EIO);
	assert_true(has("journal"));
	xr_warden_take_back(&w);
	assert_false(has("journal"));
	leave();
	disk->luck = FAKE_NONE_SURVIVE;
	fake_disk_power_cut(disk);
	leftovers_err = 0;
	assert_int_equal(enter(false, &why), -ENOENT);
	assert_int_equal(enter(true, &why), 0);
	opts = journal_opts(&w);
	assert_int_equal(xr_journal_open(&journal, &opts, NULL), 0);
	assert_int_equal(xr_journal_append(journal, &vote, NULL, 1, NULL), 0);
	xr_journal_close(journal);
	xr_warden_take_back(&w);
	assert_true(has("journal"));
}

/* What a start refuses, it has not touched. */
static void refuses_state_that_is_not_its_own(void **state)
{
	struct xr_vote vote = {.group = 4, .term = 1, .digest = 1, .name = "d"};
	struct xr_journal *journal;
	struct xr_why why;

	(void)state;
	assert_int_equal(enter(true, &why), -EEXIST);
	assert_string_equal(seen.order, "l");
	leave();
	journal = open_journal();
	assert_int_equal(xr_journal_append(journal, &vote, NULL, 1, NULL), 0);
	xr_journal_close(journal);
	assert_int_equal(enter(false, &why), -EINVAL);
	assert_string_equal(seen.order, "l");
	assert_non_null(strstr(why.text, ":19: group d (id 4) has state under another name"));
	write_config("other", 150, "");
	assert_int_equal(enter(false, &why), -EMEDIUMTYPE);
	assert_string_equal(seen.order, "l");
}

/* Another state folder does not make another node of it: what runs is left alone. */
static void a_second_daemon_touches_nothing(void **state)
{
	struct xr_why why;

	(void)state;
	leave();
	fake_disk_free(disk);
	disk = fake_disk_new(3);
	lock_is_held = true;
	assert_int_equal(enter(true, &why), -EBUSY);
	assert_string_equal(seen.order, "l");
	lock_is_held = false;
	assert_int_equal(enter(true, &why), 0); /* nor has it made a state */
	leave();
	assert_string_equal(seen.order, "lrfou"); /* given back when it ends */
}

static void holds_the_folders_lock(void **state)
{
	struct xr_journal_opts opts = {
		.dir = "/state", .cluster = "demo", .node = 1, .disk = &disk->ops};

	(void)state;
	assert_null(w.journal);
	assert_int_equal(xr_journal_lock(&opts, NULL), -EBUSY);
	xr_warden_close(&w);
	assert_true(xr_journal_lock(&opts, NULL) >= 0);
}

/*
 * ---- deaths ----
 */

/* The deadline goes first: it ends all answers at once. */
static void at_the_first_look(void)
{
	assert_int_equal(control.alive_until_ns, 0);
	if (seen.pauses == 1)
		assert_int_equal(groups[1].view.mode, XR_LEAD);
}

static void engine_dies(void)
{
	for (uint8_t node = 2; node <= 3; node++)
		peers[node].lives = 0x1000 + node; /* it had met them (rule 17) */
	view(1, 7, 1, XR_LEAD);
	view(2, 5, 2, XR_FOLLOW);
	view(3, 9, 1, XR_LEAD);
	view(4, 3, 0, XR_NONE);
	acks[1].echo_ns[2] = clock_ns - NS_PER_S;
	acks[1].echo_ns[3] = clock_ns;
	acks[3].echo_ns[2] = clock_ns - NS_PER_S;
	acks[3].echo_ns[3] = clock_ns; /* no voter of it */
	control.alive_until_ns = clock_ns + NS_PER_S;
	seen.pauses = 0;
}

static void assert_view(int id, uint32_t term, uint8_t leader, enum xr_mode mode)
{
	assert_int_equal(groups[id].view.term, term);
	assert_int_equal(groups[id].view.leader, leader);
	assert_int_equal(groups[id].view.mode, mode);
}

static void assert_sent(int i, uint8_t to, uint32_t group, uint32_t term, uint8_t heir)
{
	assert_int_equal(seen.sent[i].to, to);
	assert_int_equal(seen.sent[i].ballot.group, group);
	assert_int_equal(seen.sent[i].ballot.term, term);
	assert_int_equal(seen.sent[i].ballot.digest, w.config.groups[group - 1].digest);
	assert_int_equal(seen.sent[i].ballot.node, heir);
}

static void burial_fences_what_was_led_then_resigns_it(void **state)
{
	(void)state;
	engine_dies();
	seen.look = at_the_first_look;
	assert_int_equal(xr_warden_bury(&w), 2);
	assert_view(1, 7, 0, XR_NONE);
	assert_view(2, 5, 2, XR_FOLLOW);
	assert_view(3, 9, 0, XR_NONE);
	assert_view(4, 3, 0, XR_NONE);
	assert_int_equal(seen.nsent, 3);
	assert_true(seen.flushed);
	assert_sent(0, 2, 1, 7, 3);
	assert_sent(1, 2, 3, 9, 2);
	assert_sent(2, 3, 1, 7, 3);
	assert_int_equal(seen.pauses, 1 + GROUPS + 1);
}

/* Nor is what another engine leads later told of the one before. */
static void burial_is_quiet_where_nothing_was_led(void **state)
{
	(void)state;
	engine_dies();
	xr_warden_bury(&w);
	seen.nsent = 0;
	view(1, 8, 3, XR_FOLLOW);
	assert_int_equal(xr_warden_bury(&w), 0);
	assert_int_equal(seen.nsent, 0);
}

/* What the dying process did after its burial is undone: rule 6 from here on. */
static void reaped_everything_is_fenced(void **state)
{
	(void)state;
	engine_dies();
	clock_ns += NS_PER_S;
	xr_warden_reaped(&w, 0, 0);
	assert_view(1, 7, 0, XR_NONE);
	assert_view(2, 5, 0, XR_NONE);
	assert_view(4, 3, 0, XR_NONE);
	assert_int_equal(control.alive_until_ns, 0);
	assert_int_equal(w.fenced_ns, clock_ns);
	assert_int_equal(seen.nsent, 0);
}

static void assert_next(int status, uint64_t lived_ns, uint64_t pause_ns)
{
	struct xr_warden_next next = xr_warden_reaped(&w, status, lived_ns);

	assert_true(next.again);
	assert_int_equal(next.pause_ns, pause_ns);
}

static void crashed_engines_are_replaced_ever_later(void **state)
{
	const uint64_t long_life_ns = 20 * D_NS; /* ten of the longest timeout */

	(void)state;
	assert_next(SIGSEGV, 0, D_NS);
	assert_string_equal(w.died_of, "signal 11 (Segmentation fault)");
	assert_next(SIGKILL, long_life_ns, 2 * D_NS);
	assert_next(SIGKILL, long_life_ns + 1, D_NS);
	for (int i = 1; i < 7; i++)
		assert_next(SIGKILL, 0, D_NS << i);
	assert_next(SIGKILL, 0, 10 * NS_PER_S);
	assert_next(SIGKILL, 0, 10 * NS_PER_S);
}

/* It ended by itself, or going on would make it worse (rule 14). */
static void others_stay_down(void **state)
{
	struct xr_warden_next next = xr_warden_reaped(&w, W_EXITCODE(3, 0), 0);

	(void)state;
	assert_false(next.again);
	assert_int_equal(next.code, 3);
	next = xr_warden_reaped(&w, W_EXITCODE(0, 0), 0);
	assert_false(next.again);
	assert_int_equal(next.code, 0);
	next = xr_warden_reaped(&w, SIGABRT, 0);
	assert_false(next.again);
	assert_int_equal(next.code, 1);
}

/*
 * ---- a life ----
 */
static void hung_is_who_has_not_turned_for_two_stall_limits(void **state)
{
	uint64_t stall_ns = w.config.stall_limit_us * NS_PER_US;

	(void)state;
	clock_ns += 10 * stall_ns;
	control.heard_ns = clock_ns - 2 * stall_ns;
	assert_false(xr_warden_is_hung(&w, clock_ns));
	control.heard_ns--;
	assert_true(xr_warden_is_hung(&w, clock_ns));
	assert_true(xr_warden_is_hung(&w, clock_ns - stall_ns / 2 + 1));
	assert_false(xr_warden_is_hung(&w, clock_ns - stall_ns / 2)); /* it slept itself */
	control.heard_ns = clock_ns + 1;
	assert_false(xr_warden_is_hung(&w, clock_ns));
	control.heard_ns = 0; /* somebody wrote over the record: what was seen before counts */
	assert_false(xr_warden_is_hung(&w, clock_ns));
	clock_ns += 2 * stall_ns + 2;
	assert_true(xr_warden_is_hung(&w, clock_ns));
	w.heard_ns = 0;
	assert_false(xr_warden_is_hung(&w, clock_ns));
}

static void reload_takes_what_is_new_and_its_own(void **state)
{
	struct xr_why why, rest;

	(void)state;
	write_config("other", 150, "e = 5: 1 2 3\n");
	assert_int_equal(xr_warden_reload(&w, &rest, &why), -EINVAL);
	assert_non_null(strstr(why.text, "node 1 of cluster other; restart"));
	write_config("demo", 150, "e = nonsense\n");
	assert_int_equal(xr_warden_reload(&w, &rest, &why), -EINVAL);
	assert_int_equal(w.config.ngroups, 4);
	write_config("demo", 40, "e = 5: 1 2 3\nf = 6: 1 2 3\n"); /* the maps have no room for f */
	assert_int_equal(xr_warden_reload(&w, &rest, &why), 1);
	assert_int_equal(w.config.ngroups, 5);
	assert_int_equal(w.config.groups[4].id, 5);
	assert_int_equal(w.config.min_timeout_us * NS_PER_US, D_NS);
	assert_non_null(strstr(rest.text, "election_ms"));
	assert_non_null(strstr(rest.text, "group f: need a restart"));
	write_config("demo", 40, "e = 5: 1 2\n"); /* a start would refuse it */
	assert_int_equal(xr_warden_reload(&w, &rest, &why), -EINVAL);
	assert_non_null(strstr(why.text, "(id 5) has another name or other voters"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		T(starts_in_rule_6s_order),
		T(stamps_of_tomorrow_are_not_adopted),
		T(promise_is_durable_before_views_are_fenced),
		T(promise_holds_for_the_largest_d_ever_used),
		T(new_node_keeps_the_promise),
		T(birth_is_that_of_the_state),
		T(refused_first_start_leaves_no_state),
		T(refuses_state_that_is_not_its_own),
		T(a_second_daemon_touches_nothing),
		T(holds_the_folders_lock),
		T(burial_fences_what_was_led_then_resigns_it),
		T(burial_is_quiet_where_nothing_was_led),
		T(reaped_everything_is_fenced),
		T(crashed_engines_are_replaced_ever_later),
		T(others_stay_down),
		T(hung_is_who_has_not_turned_for_two_stall_limits),
		T(reload_takes_what_is_new_and_its_own),
	};
	int failed;

	close(mkstemp(path));
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
