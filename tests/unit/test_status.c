// SPDX-License-Identifier: GPL-2.0-only
/* user/lib/status.c over hand-made memory: the JSON that programs rely on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include <bpf/bpf.h>
#include "config/config.h"
#include "lib/status.h"

static struct xr_maps maps;

static void show(size_t group, uint16_t size, const char *text)
{
	struct xr_value *v = xr_maps_value(&maps, group);

	memset(v, 0, maps.value_size);
	v->id = 4ull << 32 | 2;
	v->voters = 0xe;
	v->size = size;
	memcpy(v + 1, text, strlen(text));
}

/* A node 1 of three, alive in this very process, with a group led by itself and one followed. */
static int setup(void **state)
{
	struct xr_why why;
	struct xr_control *c;

	(void)state;
	assert_int_equal(xr_maps_alloc(&maps, 4, 256, &why), 0);
	c = maps.control;
	*c = (struct xr_control){
		.abi = XR_ABI,
		.self = 1,
		.answer = 1,
		.port = 7007,
		.alive_until_ns = xr_now_ns() + 3600 * NS_PER_S,
		.groups = 3,
		.min_timeout_us = 150000,
		.max_timeout_us = 300000,
		.heartbeat_us = 2500,
		.stall_limit_us = 1000000,
		.quorum_lapse_us = 150000,
		.drift_permille = 100,
		.pid = getpid(),
		.pid_start = xr_status_pid_start(getpid()),
		.nic_mode = XR_NIC_NATIVE,
		.nic_attach = XR_ATTACH_SINGLE,
		.tx_path = XR_TX_DELIVERED,
		.interface = "eth0",
		.cluster = "demo",
	};
	maps.groups[0] = (struct xr_group){
		.view = {.term = 4, .leader = 1, .mode = XR_LEAD},
		.members = 0xe | 0x10 << XR_LEARNER_SHIFT,
		.durable_term = 4,
		.voted_for = 1,
		.role = XR_LEADER,
		.digest = xr_config_digest("main", 0xe),
		.name = "main",
	};
	maps.groups[2] = (struct xr_group){
		.view = {.term = 6, .mode = XR_NONE},
		.members = 0x6,
		.durable_term = 7,
		.role = XR_CANDIDATE,
		.name = "fifteen-letters",
	};
	show(0, 5, "hello");
	xr_maps_value(&maps, 0)->committed = xr_maps_value(&maps, 0)->id;
	xr_maps_value(&maps, 0)->acked = 0x6; /* nodes 1 and 2 */
	maps.acks[0].paused = 1 << 1 | 1 << 3;
	maps.acks[0].paused_s = 1795780800; /* 2026-11-27 12:00 UTC */
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	xr_maps_close(&maps);
	return 0;
}

static json_t *status(void)
{
	struct xr_why why;
	json_t *s = xr_status_json(&maps, &why);

	assert_non_null(s);
	return s;
}

static json_t *group(json_t *s, size_t i)
{
	return json_array_get(json_object_get(s, "groups"), i);
}

static double number(json_t *object, const char *name)
{
	assert_true(json_is_number(json_object_get(object, name)));
	return json_number_value(json_object_get(object, name));
}

static const char *entry_text(size_t i)
{
	static char text[2048];
	json_t *s = status();
	char *dumped = xr_status_dump(json_object_get(group(s, i), "entry"), false);

	snprintf(text, sizeof(text), "%s", dumped);
	free(dumped);
	json_decref(s);
	return text;
}

/* Known to be committed or not; text or none; room for it, or none; or being written for ever. */
static void entries(void **state)
{
	struct xr_value *v = xr_maps_value(&maps, 2);

	(void)state;
	assert_string_equal(entry_text(1), "null");
	show(2, 5, "hello");
	assert_string_equal(entry_text(1), "{\"id\":\"4.2\",\"committed\":false,\"size\":5,"
					   "\"value\":\"hello\",\"missing\":null}");
	v->committed = v->id - 1; /* the one before */
	assert_non_null(strstr(entry_text(1), "\"committed\":false"));
	v->committed = v->id;
	assert_non_null(strstr(entry_text(1), "\"committed\":true"));
	show(2, 4, "\xff\xfe\xfd\xfc");
	assert_non_null(strstr(entry_text(1), "\"size\":4,\"value\":null"));
	show(2, 257, "more than there is room for");
	assert_non_null(strstr(entry_text(1), "\"size\":257,\"value\":null"));
	v->sequence = 1;
	assert_string_equal(entry_text(1), "null");
	memset(v, 0, maps.value_size);
}

/* [groups] names the first; without an entry, or where that cannot be read, nobody knows of others. */
static void voters_are_the_entrys(void **state)
{
	struct xr_value *v = xr_maps_value(&maps, 0);
	struct {
		uint16_t voters, size;
		bool same;
	} cases[] = {{0xe, 5, true}, {0x1e, 5, false}, {0x16, 257, false}, {0xe, 257, true}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *s;

		v->voters = cases[i].voters;
		v->size = cases[i].size;
		s = status();
		assert_int_equal(json_is_true(json_object_get(group(s, 0), "as_configured")),
				 cases[i].same);
		assert_true(json_is_true(json_object_get(group(s, 1), "as_configured")));
		json_decref(s);
	}
	show(0, 5, "hello");
}

static void expect_word(json_t *object, const char *name, const char *word)
{
	assert_string_equal(json_string_value(json_object_get(object, name)), word);
}

/* Everything but what depends on the clock, the process and the list of counters. */
static void golden(void **state)
{
	json_t *s = status();
	char *text;

	(void)state;
	assert_int_equal(json_object_del(s, "pid"), 0);
	assert_int_equal(json_object_del(s, "warden"), 0);
	assert_int_equal(json_object_del(s, "counters"), 0);
	text = xr_status_dump(s, false);
	assert_string_equal(
		text,
		"{\"node\":1,\"cluster\":\"demo\",\"alive\":true,\"answering\":true,"
		"\"warden_stopped\":false,\"loop_age_ms\":null,"
		"\"nic\":{\"interface\":\"eth0\",\"mode\":\"native\",\"attach\":\"single\","
		"\"answers\":true,\"path\":\"delivered\"},"
		"\"timing\":{\"min_timeout_ms\":150,\"max_timeout_ms\":300,\"heartbeat_ms\":2.5,"
		"\"stall_limit_ms\":1000,\"quorum_lapse_ms\":150,\"drift_permille\":100},"
		"\"nodes\":[],\"addresses\":[],"
		"\"summary\":{\"leads\":0,\"follows\":0,\"leaderless\":2,\"paused\":1},"
		"\"groups\":[{\"name\":\"main\",\"id\":0,\"role\":\"leader\","
		"\"leads\":false,\"lease_left_ms\":null,\"term\":4,"
		"\"leader\":1,\"voted_for\":1,\"contact_age_ms\":null,\"quorum_age_ms\":null,"
		"\"voters\":[1,2,3],\"as_configured\":true,\"learners\":[4],\"member\":true,"
		"\"paused\":true,\"paused_"
		"since\":\"2026-11-27T12:00:00Z\","
		"\"paused_voters\":[1,3],\"view\":{\"term\":4,\"mode\":\"lead\",\"leader\":1},"
		"\"entry\":{\"id\":\"4.2\",\"committed\":true,\"size\":5,\"value\":\"hello\","
		"\"missing\":[3]}},"
		"{\"name\":\"fifteen-letters\",\"id\":2,\"role\":\"candidate\","
		"\"leads\":false,\"lease_left_ms\":null,\"term\":7,"
		"\"leader\":null,\"voted_for\":null,\"contact_age_ms\":null,"
		"\"quorum_age_ms\":null,\"voters\":[1,2],\"as_configured\":true,\"learners\":[],"
		"\"member\":true,"
		"\"paused\":false,\"paused_since\":null,"
		"\"paused_voters\":[],"
		"\"view\":{\"term\":6,\"mode\":\"none\",\"leader\":null},"
		"\"entry\":null}]}");
	free(text);
	json_decref(s);
}

static void add_address(int fd, uint8_t last, uint32_t group)
{
	struct xr_ip key = {.ip = {[10] = 0xff, 0xff, 10, 0, 0, last}};
	struct xr_address value = {.group = group, .prefix = 24};

	assert_int_equal(bpf_map_update_elem(fd, &key, &value, BPF_ANY), 0);
}

/* Served is what the lease says at this moment, and nothing that was true at the start. */
static void addresses_are_served_by_lease(void **state)
{
	json_t *s, *list;

	(void)state;
	maps.addresses_fd = bpf_map_create(BPF_MAP_TYPE_HASH, "xr_addresses", sizeof(struct xr_ip),
					   sizeof(struct xr_address), 4, NULL);
	if (maps.addresses_fd < 0) {
		print_message("SKIP: no map (%s); needs root\n", strerror(errno));
		skip();
	}
	add_address(maps.addresses_fd, 100, 0);
	maps.groups[0].lead_since_ns = xr_now_ns() - NS_PER_S;
	maps.acks[0].echo_ns[2] = xr_now_ns() + 3600 * NS_PER_S; /* the future: no ack */
	s = status();
	list = json_object_get(s, "addresses");
	assert_int_equal(json_array_size(list), 1);
	expect_word(json_array_get(list, 0), "address", "10.0.0.100");
	expect_word(json_array_get(list, 0), "group", "main");
	assert_int_equal((int)number(json_array_get(list, 0), "prefix"), 24);
	assert_true(json_is_false(json_object_get(json_array_get(list, 0), "served")));
	json_decref(s);
	maps.control->min_timeout_us = 3600000000u;
	maps.acks[0].echo_ns[2] = xr_now_ns();
	s = status();
	list = json_object_get(s, "addresses");
	assert_true(json_is_true(json_object_get(json_array_get(list, 0), "served")));
	json_decref(s);
}

static void every_counter_has_its_name(void **state)
{
	json_t *s = status(), *counters = json_object_get(s, "counters");

	(void)state;
	assert_int_equal(json_object_size(json_object_get(counters, "nic")), XR_REASON_END);
	assert_int_equal(json_object_size(json_object_get(counters, "daemon")), XR_REASON_END);
	assert_int_equal((int)number(json_object_get(counters, "nic"), "heartbeat_answered"), 0);
	json_decref(s);
}

static void contact_age_is_in_milliseconds(void **state)
{
	double age;
	json_t *s;

	(void)state;
	maps.groups[0].contact_ns = 1; /* from before it led: nobody is asking */
	maps.groups[2].contact_ns = xr_now_ns() - 7 * NS_PER_S;
	s = status();
	age = number(group(s, 1), "contact_age_ms");
	assert_true(age >= 7000 && age < 8000);
	assert_true(json_is_null(json_object_get(group(s, 0), "contact_age_ms")));
	json_decref(s);
	maps.groups[2].contact_ns = xr_now_ns() + NS_PER_S; /* stamped after the clock was read */
	s = status();
	assert_true(number(group(s, 1), "contact_age_ms") == 0);
	json_decref(s);
}

/* A learner is a member; who is neither says so. */
static void members_by_the_own_birth(void **state)
{
	static const struct {
		uint32_t members;
		bool member;
	} cases[] = {{0xc, false}, {0xc | 0x2 << XR_LEARNER_SHIFT, true}, {0xe, true}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *s, *g;

		maps.groups[0].members = cases[i].members;
		s = status();
		g = json_array_get(json_object_get(s, "groups"), 0);
		assert_int_equal(json_is_true(json_object_get(g, "member")), cases[i].member);
		json_decref(s);
	}
}

/* Of five voters the leader and the two newest others are a majority. */
static void quorum_age_is_the_majoritys(void **state)
{
	uint64_t now_ns = xr_now_ns(), *echo = (uint64_t *)maps.acks[0].echo_ns;
	double age;
	json_t *s;

	(void)state;
	maps.groups[0].members = 0x3e;
	maps.groups[0].lead_since_ns = now_ns - 60 * NS_PER_S;
	echo[2] = now_ns - 40 * NS_PER_S;
	echo[3] = now_ns - 10 * NS_PER_S;
	echo[4] = now_ns - 90 * NS_PER_S; /* of an earlier leadership */
	echo[9] = now_ns;		  /* no voter */
	s = status();
	age = number(group(s, 0), "quorum_age_ms");
	assert_true(age >= 40000 && age < 41000);
	json_decref(s);
	echo[2] = 0;
	s = status();
	assert_true(json_is_null(json_object_get(group(s, 0), "quorum_age_ms")));
	json_decref(s);
	maps.groups[0].members = 0x2; /* alone */
	s = status();
	assert_true(number(group(s, 0), "quorum_age_ms") == 0);
	json_decref(s);
}

/* The view says LEAD all the time; whether it leads is asked of acks and deadline (rule 5). */
static void leads_while_its_lease_holds(void **state)
{
	uint64_t now_ns = xr_now_ns(), *echo = (uint64_t *)maps.acks[0].echo_ns;
	double left;
	json_t *s;

	(void)state;
	maps.control->min_timeout_us = 11000 * 1000; /* a lease of 9 s */
	maps.groups[0].lead_since_ns = now_ns - 60 * NS_PER_S;
	echo[2] = now_ns - NS_PER_S;
	s = status();
	left = number(group(s, 0), "lease_left_ms");
	assert_true(json_is_true(json_object_get(group(s, 0), "leads")));
	assert_true(left > 1000 && left <= 8000);
	assert_int_equal((int)number(json_object_get(s, "summary"), "leads"), 1);
	json_decref(s);
	maps.control->alive_until_ns = now_ns + 5 * NS_PER_S; /* never beyond the deadline */
	s = status();
	assert_true(number(group(s, 0), "lease_left_ms") <= 5000);
	json_decref(s);
	maps.control->alive_until_ns = now_ns - 1; /* paused */
	s = status();
	expect_word(group(s, 0), "role", "leader");
	assert_true(json_is_false(json_object_get(group(s, 0), "leads")));
	assert_true(json_is_null(json_object_get(group(s, 0), "lease_left_ms")));
	json_decref(s);
	maps.control->alive_until_ns = now_ns + 3600 * NS_PER_S;
	echo[2] = now_ns - 10 * NS_PER_S;
	s = status();
	assert_true(json_is_false(json_object_get(group(s, 0), "leads")));
	json_decref(s);
	echo[2] = now_ns;
	maps.control->timens = xr_maps_timens() + 1; /* by another clock */
	s = status();
	assert_true(json_is_false(json_object_get(group(s, 0), "leads")));
	json_decref(s);
}

/* Killed while it led: it leads nobody, whatever the maps still say. */
static void the_dead_lead_nobody(void **state)
{
	json_t *s;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	maps.control->pid = pid;
	s = status();
	assert_true(json_is_false(json_object_get(s, "alive")));
	assert_true(json_is_false(json_object_get(s, "answering")));
	assert_true(json_is_null(json_object_get(s, "pid")));
	assert_true(json_is_null(json_object_get(json_object_get(s, "nic"), "mode")));
	assert_true(json_is_null(json_object_get(json_object_get(s, "nic"), "path")));
	expect_word(group(s, 0), "role", "follower");
	assert_true(json_is_null(json_object_get(group(s, 0), "leader")));
	assert_int_equal((int)number(group(s, 0), "term"), 4);
	assert_int_equal((int)number(group(s, 0), "voted_for"), 1);
	expect_word(json_object_get(group(s, 0), "view"), "mode", "lead");
	json_decref(s);
}

static void a_zombie_is_dead(void **state)
{
	struct xr_control c = {0};
	siginfo_t info;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	c.pid = pid;
	assert_false(xr_status_alive(&c));
	waitpid(pid, NULL, 0);
}

static void a_pid_used_again_is_not_the_daemon(void **state)
{
	struct xr_control c = {.pid = getpid(), .pid_start = xr_status_pid_start(getpid())};

	(void)state;
	assert_true(c.pid_start != 0);
	assert_true(xr_status_alive(&c));
	c.pid_start++;
	assert_false(xr_status_alive(&c));
	c.pid_start = 0; /* not known */
	assert_true(xr_status_alive(&c));
	c.pid = 0;
	assert_false(xr_status_alive(&c));
	c.pid = -1; /* kill(-1, 0) means everyone */
	assert_false(xr_status_alive(&c));
}

/* As it is seen from outside of its container: its pid is somebody else's, or nobody's. */
static void pids_of_another_namespace_say_nothing(void **state)
{
	struct xr_control c = {.pid = 1 << 22, .pidns = xr_status_pidns() + 1};

	(void)state;
	assert_false(xr_status_alive(&c));
	c.alive_until_ns = xr_now_ns() + NS_PER_S;
	assert_true(xr_status_alive(&c));
	assert_false(xr_status_knows_pids(&c));
	c.pidns--;
	assert_false(xr_status_alive(&c));
	assert_true(xr_status_knows_pids(&c));
	c.pid = getpid();
	c.alive_until_ns = 0;
	c.pidns++;
	assert_false(xr_status_alive(&c));
}

static void a_stopped_daemon_is_alive_but_does_not_answer(void **state)
{
	json_t *s;
	int how;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(pid, &how, WUNTRACED);
	maps.control->pid = pid;
	maps.control->pid_start = xr_status_pid_start(pid);
	maps.control->warden_pid = pid;
	maps.control->alive_until_ns = xr_now_ns() - 1;
	s = status();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(json_is_true(json_object_get(s, "alive")));
	assert_true(json_is_false(json_object_get(s, "answering")));
	assert_true(json_is_true(json_object_get(s, "warden_stopped")));
	json_decref(s);
}

static void without_xdp_the_nic_answers_nothing(void **state)
{
	json_t *s, *nic;

	(void)state;
	maps.control->nic_mode = XR_NIC_OFF;
	maps.control->nic_attach = XR_ATTACH_NONE;
	s = status();
	nic = json_object_get(s, "nic");
	expect_word(nic, "mode", "off");
	expect_word(nic, "attach", "none");
	assert_true(json_is_false(json_object_get(nic, "answers")));
	json_decref(s);
}

/* Shared memory is input: a full or foreign name, enums of a later version. */
static void garbage_in_the_maps_is_still_json(void **state)
{
	char *text;
	json_t *s;

	(void)state;
	memset(maps.groups[0].name, 0xe4, sizeof(maps.groups[0].name));
	memset(maps.control->cluster, 'c', sizeof(maps.control->cluster));
	*(uint8_t *)&maps.groups[0].role = 77;
	*(uint8_t *)&maps.control->nic_mode = 77;
	maps.control->groups = UINT32_MAX;
	s = status();
	expect_word(group(s, 0), "name", "????????????????");
	expect_word(group(s, 0), "role", "unknown");
	expect_word(s, "cluster", "cccccccccccccccc");
	text = xr_status_dump(s, true);
	assert_non_null(text);
	free(text);
	json_decref(s);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(entries),
		T(voters_are_the_entrys),
		T(golden),
		T(members_by_the_own_birth),
		T(addresses_are_served_by_lease),
		T(every_counter_has_its_name),
		T(contact_age_is_in_milliseconds),
		T(quorum_age_is_the_majoritys),
		T(leads_while_its_lease_holds),
		T(the_dead_lead_nobody),
		cmocka_unit_test(a_zombie_is_dead),
		cmocka_unit_test(a_pid_used_again_is_not_the_daemon),
		cmocka_unit_test(pids_of_another_namespace_say_nothing),
		T(a_stopped_daemon_is_alive_but_does_not_answer),
		T(without_xdp_the_nic_answers_nothing),
		T(garbage_in_the_maps_is_still_json),
	};

	return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
