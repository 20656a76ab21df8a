// SPDX-License-Identifier: GPL-2.0-only
/* user/engine/looks.c: what is written down, what is said of it, and how often (rule 20). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <string.h>
#include "engine/looks.h"

static struct xr_looks looks;
static char told[8][1024];
static int ntold;

static void note(void *world, bool wrong, uint8_t node, const char *text)
{
	(void)world;
	assert_true(ntold < (int)ARRAY_SIZE(told));
	snprintf(told[ntold++], sizeof(told[0]), "%s %u %s", wrong ? "wrong" : "well", node, text);
}

static void tell(void)
{
	ntold = 0;
	xr_looks_tell(&looks, note, NULL);
}

static int setup(void **state)
{
	(void)state;
	memset(&looks, 0, sizeof(looks));
	strcpy(looks.interface, "eth0");
	strcpy(looks.pins, "/pins");
	strcpy(looks.others, "10.0.0.2, 10.0.0.3");
	looks.port = 7007;
	return 0;
}

static void nothing_is_said_of_what_is_well(void **state)
{
	(void)state;
	tell();
	assert_int_equal(ntold, 0);
	xr_look_well(&looks, XR_LOOK_program, 0, 1);
	tell();
	assert_int_equal(ntold, 0);
}

static void once_when_it_begins_and_once_when_it_ends(void **state)
{
	struct xr_look look;

	(void)state;
	for (uint64_t at_ns = 10; at_ns < 15; at_ns++) {
		xr_look_wrong(&looks, XR_LOOK_peer, 3, at_ns, "is silent for %d", (int)at_ns);
		tell();
		assert_int_equal(ntold, at_ns == 10);
	}
	xr_look_read(&looks, XR_LOOK_peer, 3, &look);
	assert_int_equal(look.state, XR_LOOK_WRONG);
	assert_int_equal(look.since_ns, 10);
	assert_int_equal(look.looked_ns, 14);
	assert_string_equal(look.what, "is silent for 14");
	for (uint64_t at_ns = 20; at_ns < 23; at_ns++) {
		xr_look_well(&looks, XR_LOOK_peer, 3, at_ns);
		tell();
		assert_int_equal(ntold, at_ns == 20);
	}
	xr_look_read(&looks, XR_LOOK_peer, 3, &look);
	assert_int_equal(look.since_ns, 20);
}

/* Nothing is made up of what nobody can look at any more. */
static void what_is_forgotten_ends_without_a_word(void **state)
{
	struct xr_look look;

	(void)state;
	xr_look_wrong(&looks, XR_LOOK_input, 0, 1, "5 datagrams");
	tell();
	xr_look_forget(&looks, XR_LOOK_input, 0);
	tell();
	assert_int_equal(ntold, 0);
	xr_look_read(&looks, XR_LOOK_input, 0, &look);
	assert_int_equal(look.state, XR_LOOK_NEVER);
	xr_look_well(&looks, XR_LOOK_input, 0, 2);
	tell();
	assert_int_equal(ntold, 0);
}

/* The warden mends a thing in one look: people hear of both. */
static void what_began_and_ended_between_two_turns_is_told(void **state)
{
	(void)state;
	xr_look_wrong(&looks, XR_LOOK_program, 0, 1, "somebody took it off");
	xr_look_well(&looks, XR_LOOK_program, 0, 2);
	tell();
	assert_int_equal(ntold, 2);
	assert_non_null(strstr(told[0], "wrong 0 the XDP program of this node is not on eth0: "
					"somebody took it off; xraftd attaches it again"));
	assert_string_equal(told[1], "well 0 the XDP program of this node is on eth0 again");
	tell();
	assert_int_equal(ntold, 0);
}

static void each_node_is_a_thing_of_its_own(void **state)
{
	(void)state;
	xr_look_wrong(&looks, XR_LOOK_peer, 2, 1, "is silent");
	xr_look_wrong(&looks, XR_LOOK_peer, 3, 1, "is silent");
	xr_look_well(&looks, XR_LOOK_peer, 2, 2);
	tell();
	assert_int_equal(ntold, 3);
	assert_non_null(strstr(told[0], "wrong 2 node 2 is silent"));
	assert_string_equal(told[1], "well 2 node 2 answers again");
	assert_non_null(strstr(told[2], "wrong 3 node 3 is silent"));
}

/* What the look itself knows better; and what is no placeholder stays, or ends the sentence. */
static void remedy_of_the_look_goes_first(void **state)
{
	struct xr_text wrong, remedy;
	struct xr_look look;

	(void)state;
	xr_look_wrong(&looks, XR_LOOK_input, 0, 1, "5 of 5");
	xr_look_read(&looks, XR_LOOK_input, 0, &look);
	xr_look_says(&looks, XR_LOOK_input, 0, &look, &wrong, &remedy);
	assert_non_null(strstr(wrong.s, "firewall"));
	assert_non_null(strstr(remedy.s, "allow UDP port 7007 from 10.0.0.2, 10.0.0.3"));
	xr_look_wrong(&looks, XR_LOOK_input, 0, 1, "5 of {x; open port {port} {y");
	xr_look_read(&looks, XR_LOOK_input, 0, &look);
	xr_look_says(&looks, XR_LOOK_input, 0, &look, &wrong, &remedy);
	assert_non_null(strstr(wrong.s, "5 of {x"));
	assert_string_equal(remedy.s, "open port 7007 ");
}

#define WRITES 2000000

/* Neither half of a sentence: a writer and a reader in two threads. */
static void *write_on(void *arg)
{
	char what[100];

	for (int i = 0; i < WRITES; i++) {
		memset(what, 'a' + i % 26, sizeof(what) - 1);
		what[sizeof(what) - 1] = '\0';
		xr_look_note(&looks, XR_LOOK_pins, 0, (uint64_t)i, what);
	}
	return arg;
}

static void a_reader_gets_whole_looks(void **state)
{
	struct xr_look look = {.state = XR_LOOK_NEVER};
	pthread_t writer;

	(void)state;
	pthread_create(&writer, NULL, write_on, NULL);
	while (look.looked_ns != WRITES - 1) {
		if (!xr_look_read(&looks, XR_LOOK_pins, 0, &look))
			continue;
		for (size_t i = 1; look.what[0] && i < 99; i++)
			assert_int_equal(look.what[i], look.what[0]);
	}
	pthread_join(writer, NULL);
}

/* One that was killed while it wrote keeps nobody from reading, nor the next from writing. */
static void a_dead_writer_stops_nobody(void **state)
{
	struct xr_look look;

	(void)state;
	looks.of[XR_LOOK_pins][0].sequence = 7;
	xr_look_read(&looks, XR_LOOK_pins, 0, &look);
	xr_look_wrong(&looks, XR_LOOK_pins, 0, 1, "gone");
	xr_look_read(&looks, XR_LOOK_pins, 0, &look);
	assert_string_equal(look.what, "gone");
	assert_int_equal(looks.of[XR_LOOK_pins][0].sequence % 2, 0);
}

#define LOOK_NS (250 * NS_PER_MS)

static enum xr_look_state arrivals(struct xr_look_arrivals *a, uint64_t passed, uint64_t received,
				   uint64_t now_ns)
{
	struct xr_look look;

	xr_look_at_arrivals(&looks, a, passed, received, now_ns);
	xr_look_read(&looks, XR_LOOK_input, 0, &look);
	return look.state;
}

static void what_does_not_come_in_is_lost(void **state)
{
	struct xr_look_arrivals a = {0};
	uint64_t now_ns = 9 * NS_PER_S;

	(void)state;
	arrivals(&a, 100, 50, now_ns); /* of an earlier life */
	for (int i = 1; i <= 6; i++)
		assert_int_equal(arrivals(&a, 100 + i, 50, now_ns += LOOK_NS), XR_LOOK_WELL);
	assert_int_equal(arrivals(&a, 107, 50, now_ns += LOOK_NS), XR_LOOK_WRONG);
	assert_string_equal(looks.of[XR_LOOK_input][0].look.what,
			    "6 datagrams in 1.8 s, of which none arrived");
	assert_int_equal(arrivals(&a, 108, 51, now_ns += LOOK_NS), XR_LOOK_WELL);
}

/* Where the card answers nothing comes in for long; what a paused process finds has not gone. */
static void what_waits_in_the_socket_is_not_lost(void **state)
{
	struct xr_look_arrivals a = {0};
	uint64_t now_ns = 9 * NS_PER_S;

	(void)state;
	arrivals(&a, 100, 50, now_ns);
	for (int i = 0; i < 8; i++)
		assert_int_equal(arrivals(&a, 100, 50, now_ns += LOOK_NS), XR_LOOK_WELL);
	now_ns += 2 * LOOK_NS; /* paused */
	assert_int_equal(arrivals(&a, 115, 50, now_ns += LOOK_NS), XR_LOOK_WELL);
	assert_int_equal(arrivals(&a, 115, 65, now_ns += LOOK_NS), XR_LOOK_WELL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(nothing_is_said_of_what_is_well),
		T(once_when_it_begins_and_once_when_it_ends),
		T(what_began_and_ended_between_two_turns_is_told),
		T(what_is_forgotten_ends_without_a_word),
		T(each_node_is_a_thing_of_its_own),
		T(remedy_of_the_look_goes_first),
		T(a_reader_gets_whole_looks),
		T(a_dead_writer_stops_nobody),
		T(what_does_not_come_in_is_lost),
		T(what_waits_in_the_socket_is_not_lost),
	};

	return cmocka_run_group_tests_name("looks", tests, NULL, NULL);
}
