// SPDX-License-Identifier: GPL-2.0-only
/* Reports: their sentences, their JSON, their order, and what happens when nobody reads them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "engine/crowd.h"
#include "daemon/report.h"

#define SLOTS	   4096
#define TIME_LEN   strlen("00:00:00.000000 ")
#define PATIENT_MS 20000

/* stderr is a file in memory, or a pipe; what it was comes back after each test. */
static int real_stderr = -1, pipe_fd = -1;
static struct xr_reporter *reporter;

static int save_stderr(void **state)
{
	(void)state;
	unsetenv("JOURNAL_STREAM");
	reporter = NULL;
	real_stderr = dup(STDERR_FILENO);
	dup2(memfd_create("stderr", MFD_CLOEXEC), STDERR_FILENO);
	return real_stderr < 0;
}

static int restore_stderr(void **state)
{
	(void)state;
	dup2(real_stderr, STDERR_FILENO);
	xr_close_fd(&real_stderr);
	xr_close_fd(&pipe_fd);
	return 0;
}

/* Make stderr a pipe of one page that is full, so that the next line waits. */
static void clog_stderr(void)
{
	char dots[4096];
	int fds[2];

	memset(dots, '.', sizeof(dots));
	dots[sizeof(dots) - 1] = '\n';
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_true(fcntl(fds[1], F_SETPIPE_SZ, sizeof(dots)) >= (int)sizeof(dots));
	for (int room = fcntl(fds[1], F_GETPIPE_SZ); room > 0; room -= (int)sizeof(dots))
		assert_int_equal(write(fds[1], dots, sizeof(dots)), sizeof(dots));
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	pipe_fd = fds[0];
}

static void start(void)
{
	struct xr_why why = {""};

	if (xr_reporter_start(&reporter, "demo", 1, &why))
		fail_msg("%s", why.text);
}

static void stop(void)
{
	xr_reporter_stop(reporter);
	reporter = NULL;
}

/* Report `n`, that can be told from the others. */
static void put(uint32_t n)
{
	struct xr_report r = {.kind = XR_REPORT_term_adopted, .term = n, .group_name = "main"};

	xr_report(reporter, &r);
}

static json_t *next_json(uint64_t *cursor, int timeout_ms)
{
	char line[XR_REPORT_LINE_MAX];
	size_t len = xr_reporter_read(reporter, cursor, NULL, line, sizeof(line), timeout_ms);
	json_t *json;

	if (!len)
		return NULL;
	assert_int_equal(len, strlen(line));
	assert_int_equal(line[len - 1], '\n');
	assert_ptr_equal(strchr(line, '\n'), line + len - 1);
	json = json_loadb(line, len, 0, NULL);
	assert_non_null(json);
	return json;
}

static json_int_t next_term(uint64_t *cursor, int timeout_ms)
{
	json_t *json = next_json(cursor, timeout_ms);
	json_int_t term = json ? json_integer_value(json_object_get(json, "term")) : -1;

	json_decref(json);
	return term;
}

/* All that stands in the memory that stderr is, with a final NUL. */
static char *printed(void)
{
	off_t size = lseek(STDERR_FILENO, 0, SEEK_END);
	char *text = calloc(1, (size_t)size + 1);

	assert_non_null(text);
	assert_int_equal(pread(STDERR_FILENO, text, (size_t)size, 0), size);
	return text;
}

static int count_lines(const char *text)
{
	int lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

/*
 * ---- sentences ----
 */
static const struct {
	struct xr_report report;
	const char *want;
} sentences[] = {
	{{.kind = XR_REPORT_started, .note = "3 groups"}, "started: 3 groups"},
	{{.kind = XR_REPORT_warning, .note = "the disk {ms} is slow"}, "the disk {ms} is slow"},
	{{.kind = XR_REPORT_election_started,
	  .term = 5,
	  .cause = XR_CAUSE_SILENCE,
	  .cause_node = 2,
	  .cause_ns = 231 * NS_PER_MS},
	 "main: starts an election for term 5: no heartbeat from node 2 for 231 ms"},
	{{.kind = XR_REPORT_prevote_started, .term = 6, .cause = XR_CAUSE_START},
	 "main: asks whether it would win term 6: no leader heard since this node started"},
	{{.kind = XR_REPORT_election_started,
	  .term = 6,
	  .cause = XR_CAUSE_NO_LEADER,
	  .cause_ns = 99949999},
	 "main: starts an election for term 6: no leader heard for 99.9 ms"},
	{{.kind = XR_REPORT_election_started,
	  .term = 6,
	  .cause = XR_CAUSE_SPLIT,
	  .cause_term = 5,
	  .cause_ns = 99950000},
	 "main: starts an election for term 6: nobody won term 5 in 100 ms"},
	{{.kind = XR_REPORT_election_started,
	  .term = 6,
	  .cause = XR_CAUSE_RESIGNED,
	  .cause_term = 5,
	  .cause_node = 3},
	 "main: starts an election for term 6: node 3 resigned term 5"},
	{{.kind = XR_REPORT_election_started, .term = 1, .cause = XR_CAUSE_ALONE},
	 "main: starts an election for term 1: this node is the only voter"},
	{{.kind = XR_REPORT_elected, .term = 5, .took_ns = 1320000},
	 "main: leads in term 5, 1.3 ms after its election started"},
	{{.kind = XR_REPORT_elected, .term = 5},
	 "main: leads in term 5, 0.0 ms after its election started"},
	{{.kind = XR_REPORT_following, .term = 4000000000u, .node = 9},
	 "main: follows node 9 in term 4000000000"},
	{{.kind = XR_REPORT_vote_granted, .term = 5, .node = 2},
	 "main: votes for node 2 in term 5"},
	{{.kind = XR_REPORT_vote_refused,
	  .term = 7,
	  .node = 3,
	  .cause = XR_CAUSE_HAS_LEADER,
	  .cause_node = 2,
	  .cause_ns = 12340000},
	 "main: refuses node 3 its vote for term 7: heard node 2 12.3 ms ago"},
	{{.kind = XR_REPORT_vote_refused,
	  .term = 7,
	  .node = 3,
	  .cause = XR_CAUSE_PROMISE,
	  .cause_ns = 120 * NS_PER_MS},
	 "main: refuses node 3 its vote for term 7: promised at its start not to vote for another "
	 "120 ms"},
	{{.kind = XR_REPORT_vote_refused, .term = 7, .node = 3, .cause = XR_CAUSE_LEASE},
	 "main: refuses node 3 its vote for term 7: leads itself, with a lease that holds"},
	{{.kind = XR_REPORT_vote_refused,
	  .term = 7,
	  .node = 3,
	  .cause = XR_CAUSE_VOTED,
	  .cause_node = 2},
	 "main: refuses node 3 its vote for term 7: voted for node 2 in this term"},
	{{.kind = XR_REPORT_vote_refused,
	  .term = 7,
	  .node = 3,
	  .cause = XR_CAUSE_OLD_TERM,
	  .cause_term = 6},
	 "main: refuses node 3 its vote for term 7: term 6 is over"},
	{{.kind = XR_REPORT_vote_refused, .term = 7, .node = 3, .cause = XR_CAUSE_OLD_LOG},
	 "main: refuses node 3 its vote for term 7: the log of node 3 is older"},
	{{.kind = XR_REPORT_vote_refused,
	  .term = 7,
	  .node = 3,
	  .cause = XR_CAUSE_NOT_VOTER,
	  .cause_node = 3},
	 "main: refuses node 3 its vote for term 7: node 3 is no voter of the group"},
	{{.kind = XR_REPORT_vote_refused,
	  .term = 7,
	  .node = 3,
	  .cause = XR_CAUSE_LEAP,
	  .cause_term = 2000000},
	 "main: refuses node 3 its vote for term 7: term 2000000 is a leap beyond reason"},
	{{.kind = XR_REPORT_stepped_down,
	  .term = 7,
	  .cause = XR_CAUSE_QUORUM_LOST,
	  .cause_ns = 300 * NS_PER_MS},
	 "main: no longer leads in term 7: no majority has answered for 300 ms"},
	{{.kind = XR_REPORT_stepped_down,
	  .term = 7,
	  .cause = XR_CAUSE_STALLED,
	  .cause_ns = 1500 * NS_PER_MS},
	 "main: no longer leads in term 7: the event loop of this node stood still for 1500 ms"},
	{{.kind = XR_REPORT_stepped_down,
	  .term = 7,
	  .cause = XR_CAUSE_DISK,
	  .cause_ns = 1000 * NS_PER_MS},
	 "main: no longer leads in term 7: a disk write has not completed for 1000 ms"},
	{{.kind = XR_REPORT_stepped_down, .term = 7, .cause = XR_CAUSE_ORPHAN},
	 "main: no longer leads in term 7: its warden is gone"},
	{{.kind = XR_REPORT_stepped_down, .term = 7, .cause = XR_CAUSE_SHUTDOWN},
	 "main: no longer leads in term 7: asked to stop"},
	{{.kind = XR_REPORT_resignation, .term = 7, .node = 2}, "main: node 2 resigned term 7"},
	{{.kind = XR_REPORT_term_adopted,
	  .term = 8,
	  .cause = XR_CAUSE_NEWER_TERM,
	  .cause_node = 2,
	  .cause_term = 8},
	 "main: enters term 8: node 2 is in term 8"},
	{{.kind = XR_REPORT_stalled, .took_ns = 45600000, .note = "the host was busy"},
	 "the event loop stood still for 45.6 ms; it asks before it acts: the host was busy"},
	{{.kind = XR_REPORT_path_delivered, .node = 2},
	 "answers of the NIC path are delivered, node 2 says"},
	{{.kind = XR_REPORT_error, .note = "two\nlines\tand \x1b[31mred\x7f"},
	 "two lines and  [31mred "},
	/* what no caller should hand in */
	{{.kind = 255, .note = "kind"}, "kind"},
	{{.kind = XR_REPORT_term_adopted, .term = 1, .cause = 255},
	 "main: enters term 1: for no stated reason"},
};

static void test_sentences(void **state)
{
	char *all, *line, *rest;

	(void)state;
	start();
	for (unsigned int i = 0; i < ARRAY_SIZE(sentences); i++) {
		struct xr_report r = sentences[i].report;

		strcpy(r.group_name, "main");
		xr_report(reporter, &r);
	}
	stop();
	rest = all = printed();
	for (unsigned int i = 0; i < ARRAY_SIZE(sentences); i++) {
		line = strsep(&rest, "\n");
		assert_non_null(rest);
		line += TIME_LEN;
		assert_memory_equal(line, "demo.1: ", 8);
		assert_string_equal(line + 8, sentences[i].want);
	}
	assert_string_equal(rest, "");
	free(all);
}

/* Neither name nor note is ended by a NUL, and the note is cut in a character. */
static void test_unterminated(void **state)
{
	struct xr_report r = {.kind = XR_REPORT_error};
	uint64_t cursor = 0;
	const char *text;
	json_t *json;

	(void)state;
	memset(r.group_name, 'g', sizeof(r.group_name));
	memset(r.note, '"', sizeof(r.note));
	r.note[0] = '\xc3';
	r.note[1] = '\xa9';
	r.note[sizeof(r.note) - 1] = '\xc3';
	start();
	xr_report(reporter, &r);
	json = next_json(&cursor, PATIENT_MS);
	assert_non_null(json);
	text = json_string_value(json_object_get(json, "text"));
	assert_int_equal(strlen(text), sizeof(r.note));
	assert_memory_equal(text, "??\"", 3);
	assert_int_equal(text[sizeof(r.note) - 1], '?');
	assert_string_equal(json_string_value(json_object_get(json, "group")), "gggggggggggggggg");
	json_decref(json);
	stop();
}

/* The longest of each: nothing is cut off, and it fits where XR_REPORT_LINE_MAX says. */
static void test_longest_text(void **state)
{
	struct xr_report r = {.kind = XR_REPORT_stalled, .took_ns = UINT64_MAX};
	uint64_t cursor = 0;
	json_t *json;
	char *all;

	(void)state;
	memset(r.note, '\\', sizeof(r.note));
	start();
	xr_report(reporter, &r);
	json = next_json(&cursor, PATIENT_MS);
	assert_non_null(json);
	assert_true(strlen(json_string_value(json_object_get(json, "text"))) > sizeof(r.note) + 60);
	json_decref(json);
	stop();
	all = printed();
	assert_string_equal(all + strlen(all) - 3, "\\\\\n");
	free(all);
}

/*
 * ---- stderr ----
 */

/* A report is told with the time at which it happened, not at which it is printed. */
static void test_time_of_day(void **state)
{
	struct xr_report r = {.kind = XR_REPORT_started, .at_ns = xr_now_ns() - 5000 * NS_PER_MS};
	time_t want = time(NULL) - 5;
	unsigned int h, m, s, us;
	struct tm tm;
	long have;
	char *all;

	(void)state;
	start();
	xr_report(reporter, &r);
	stop();
	all = printed();
	assert_int_equal(sscanf(all, "%2u:%2u:%2u.%6u demo.1: started", &h, &m, &s, &us), 4);
	localtime_r(&want, &tm);
	have = (h * 60L + m) * 60 + s - ((tm.tm_hour * 60L + tm.tm_min) * 60 + tm.tm_sec);
	have = (have + 86400) % 86400; /* midnight */
	assert_true(have <= 1);
	free(all);
}

static void test_journal(void **state)
{
	char stream[64], *all;
	struct xr_report r = {.kind = XR_REPORT_error, .note = "no"};
	struct stat st;

	(void)state;
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	start();
	xr_report(reporter, &r);
	put(3);
	stop();
	all = printed();
	assert_string_equal(all, "<3>demo.1: no\n"
				 "<5>demo.1: main: enters term 3: for no stated reason\n");
	free(all);
}

/* The journal's stream is inherited, but stderr has been sent elsewhere. */
static void test_not_the_journal(void **state)
{
	char stream[64], *all;
	struct stat st;

	(void)state;
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino + 1);
	setenv("JOURNAL_STREAM", stream, 1);
	start();
	put(3);
	stop();
	all = printed();
	assert_non_null(strstr(all, " demo.1: main"));
	assert_int_equal(all[2], ':');
	free(all);
}

/*
 * ---- JSON ----
 */
static const char *string_of(const json_t *json, const char *name)
{
	return json_string_value(json_object_get(json, name));
}

static json_int_t number_of(const json_t *json, const char *name)
{
	return json_integer_value(json_object_get(json, name));
}

static json_t *json_of(const struct xr_report *r, uint64_t *cursor)
{
	xr_report(reporter, r);
	return next_json(cursor, PATIENT_MS);
}

static void test_json(void **state)
{
	struct xr_report r = {.at_ns = xr_now_ns(),
			      .kind = XR_REPORT_election_started,
			      .group = 1,
			      .group_name = "main",
			      .term = 5,
			      .cause = XR_CAUSE_SILENCE,
			      .cause_node = 2,
			      .cause_term = 4,
			      .cause_ns = 231000000};
	uint64_t cursor = 0;
	char day[32];
	time_t now = time(NULL);
	json_t *json;

	(void)state;
	start();
	json = json_of(&r, &cursor);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:", gmtime(&now));
	assert_int_equal(number_of(json, "schema"), 1);
	assert_string_equal(string_of(json, "epoch"), xr_reporter_origin(reporter)->epoch);
	assert_int_equal(strlen(string_of(json, "epoch")), 16);
	assert_int_equal(number_of(json, "seq"), 1);
	assert_memory_equal(string_of(json, "time"), day, strlen(day));
	assert_int_equal(strlen(string_of(json, "time")), strlen("2026-01-01T00:00:00.000000Z"));
	assert_int_equal(number_of(json, "at_ns"), r.at_ns);
	assert_string_equal(string_of(json, "cluster"), "demo");
	assert_int_equal(number_of(json, "node"), 1);
	assert_string_equal(string_of(json, "event"), "election_started");
	assert_string_equal(string_of(json, "group"), "main");
	assert_int_equal(number_of(json, "term"), 5);
	assert_string_equal(string_of(json, "cause"), "silence");
	assert_int_equal(number_of(json, "cause_node"), 2);
	assert_int_equal(number_of(json, "cause_term"), 4);
	assert_int_equal(number_of(json, "cause_ns"), 231000000);
	assert_string_equal(
		string_of(json, "text"),
		"main: starts an election for term 5: no heartbeat from node 2 for 231 ms");
	assert_int_equal(json_object_size(json), 15);
	assert_int_equal(cursor, 1);
	json_decref(json);

	/* what does not apply is left out */
	r = (struct xr_report){.kind = XR_REPORT_started, .note = "3 groups"};
	json = json_of(&r, &cursor);
	assert_int_equal(json_object_size(json), 9);
	assert_int_equal(number_of(json, "seq"), 2);
	assert_true(number_of(json, "at_ns") > 0);
	assert_string_equal(string_of(json, "text"), "started: 3 groups");
	json_decref(json);
	stop();
}

/* Who leads, whom it is about besides, and whom the cause speaks of, are three members. */
static void test_json_nodes(void **state)
{
	struct xr_report r = {.kind = XR_REPORT_vote_refused, .node = 3, .cause_node = 2};
	uint64_t cursor = 0;
	json_t *json;

	(void)state;
	start();
	json = json_of(&r, &cursor);
	assert_int_equal(number_of(json, "peer"), 3);
	assert_int_equal(number_of(json, "cause_node"), 2);
	assert_null(json_object_get(json, "leader"));
	json_decref(json);
	r = (struct xr_report){.kind = XR_REPORT_elected, .cause_node = 2};
	json = json_of(&r, &cursor);
	assert_int_equal(number_of(json, "leader"), 1);
	assert_null(json_object_get(json, "peer"));
	json_decref(json);
	r = (struct xr_report){.kind = XR_REPORT_following, .node = 3};
	json = json_of(&r, &cursor);
	assert_int_equal(number_of(json, "leader"), 3);
	assert_null(json_object_get(json, "peer"));
	json_decref(json);
	stop();
}

/* Those of the groups named, and none that speaks of several. */
static void test_filter(void **state)
{
	struct xr_report r = {.kind = XR_REPORT_elected, .group_name = "other"};
	struct xr_filter filter = {.n = 1, .groups = {{.name = "main"}}};
	uint64_t cursor = 0;
	char line[XR_REPORT_LINE_MAX];

	(void)state;
	start();
	xr_report(reporter, &r);
	strcpy(r.group_name, "main");
	r.more = 7;
	xr_report(reporter, &r);
	xr_report(reporter, &(struct xr_report){.kind = XR_REPORT_started});
	r.more = 0;
	r.term = 9;
	xr_report(reporter, &r);
	assert_true(xr_reporter_read(reporter, &cursor, &filter, line, sizeof(line), PATIENT_MS));
	assert_non_null(strstr(line, "\"seq\":4,"));
	assert_int_equal(cursor, 4);
	assert_int_equal(xr_reporter_read(reporter, &cursor, &filter, line, sizeof(line), 0), 0);
	stop();
}

/*
 * ---- order, loss, the end ----
 */
static void test_order(void **state)
{
	uint64_t cursor = 0;
	char *all, *line, *rest;

	(void)state;
	start();
	for (uint32_t i = 1; i <= 3000; i++)
		put(i);
	for (uint32_t i = 1; i <= 3000; i++)
		assert_int_equal(next_term(&cursor, PATIENT_MS), i);
	assert_int_equal(cursor, 3000);
	stop();
	rest = all = printed();
	for (unsigned int i = 1; i <= 3000; i++) {
		unsigned int term = 0;

		line = strsep(&rest, "\n");
		assert_int_equal(sscanf(line + TIME_LEN, "demo.1: main: enters term %u", &term), 1);
		assert_int_equal(term, i);
	}
	assert_string_equal(rest, "");
	free(all);
}

static void expect_lost(uint64_t *cursor, const char *want)
{
	json_t *json = next_json(cursor, PATIENT_MS);
	const char *text = json_string_value(json_object_get(json, "text"));

	assert_string_equal(json_string_value(json_object_get(json, "event")), "warning");
	if (strncmp(text, want, strlen(want)))
		fail_msg("wanted %s..., have %s", want, text);
	json_decref(json);
}

/* A thread that reads what stderr holds, so that lines can go on. */
static void *unclog(void *arg)
{
	char buf[4096];

	(void)arg;
	while (read(pipe_fd, buf, sizeof(buf)) > 0)
		;
	return NULL;
}

/* Losses are told where they happened: behind what came before them, before what comes after. */
static void test_loss(void **state)
{
	uint64_t cursor = 0;
	pthread_t thread;
	int null;

	(void)state;
	clog_stderr();
	start();
	put(1);
	assert_int_equal(next_term(&cursor, PATIENT_MS), 1); /* taken out; its line waits */
	for (uint32_t i = 2; i <= SLOTS + 1 + 100; i++)
		put(i);
	assert_int_equal(next_term(&cursor, 0), -1); /* the thread waits for stderr */
	pthread_create(&thread, NULL, unclog, NULL);
	for (uint32_t i = 2; i <= SLOTS + 1; i++)
		assert_int_equal(next_term(&cursor, PATIENT_MS), i);
	expect_lost(&cursor, "100 reports were lost here: ");
	put(9999);
	assert_int_equal(next_term(&cursor, PATIENT_MS), 9999);
	assert_int_equal(next_term(&cursor, 0), -1); /* told once */
	stop();
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	dup2(null, STDERR_FILENO); /* closes the pipe: the thread ends */
	close(null);
	pthread_join(thread, NULL);
}

static void read_pipe_lines(int lines)
{
	char c;

	while (lines && read(pipe_fd, &c, 1) == 1)
		lines -= c == '\n';
}

/* The same, when more comes while the ring is still nearly full. */
static void test_loss_in_order(void **state)
{
	uint64_t cursor = 0;
	pthread_t thread;
	int null;

	(void)state;
	clog_stderr();
	start();
	put(1);
	assert_int_equal(next_term(&cursor, PATIENT_MS), 1);
	for (uint32_t i = 2; i <= SLOTS + 1 + 7; i++)
		put(i);
	read_pipe_lines(1); /* room for some lines: slots become free */
	assert_int_equal(next_term(&cursor, PATIENT_MS), 2);
	put(9999);
	pthread_create(&thread, NULL, unclog, NULL);
	for (uint32_t i = 3; i <= SLOTS + 1; i++)
		assert_int_equal(next_term(&cursor, PATIENT_MS), i);
	expect_lost(&cursor, "7 reports were lost here: ");
	assert_int_equal(next_term(&cursor, PATIENT_MS), 9999);
	stop();
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	dup2(null, STDERR_FILENO);
	close(null);
	pthread_join(thread, NULL);
}

/* The election thread is not held up by a stderr that takes nothing. */
static void test_never_blocks(void **state)
{
	uint64_t began_ns;

	(void)state;
	clog_stderr();
	start();
	began_ns = xr_now_ns();
	for (uint32_t i = 0; i < 3 * SLOTS; i++)
		put(i);
	assert_true(xr_now_ns() - began_ns < 2 * NS_PER_S);
	stop();
	assert_true(xr_now_ns() - began_ns < 6 * NS_PER_S); /* nor is the end, for long */
}

static void test_stop_drains(void **state)
{
	int lines = 0;
	char *all;

	(void)state;
	start();
	for (uint32_t i = 0; i < 2000; i++)
		put(i);
	stop();
	all = printed();
	for (const char *s = all; (s = strchr(s, '\n')); s++)
		lines++;
	assert_int_equal(lines, 2000);
	free(all);
}

/* stderr closed, or a pipe whose reader has gone: the reports still reach those who watch. */
static void test_no_stderr(void **state)
{
	uint64_t cursor = 0;

	(void)state;
	clog_stderr();
	xr_close_fd(&pipe_fd);
	start();
	put(1);
	assert_int_equal(next_term(&cursor, PATIENT_MS), 1);
	close(STDERR_FILENO);
	put(2);
	assert_int_equal(next_term(&cursor, PATIENT_MS), 2);
	stop();
}

/*
 * ---- those who watch ----
 */
struct watcher {
	pthread_t thread;
	uint64_t cursor;
	json_int_t term;
	uint64_t took_ns;
};

static void *watch(void *arg)
{
	struct watcher *w = arg;
	uint64_t began_ns = xr_now_ns();

	w->term = next_term(&w->cursor, PATIENT_MS);
	w->took_ns = xr_now_ns() - began_ns;
	return NULL;
}

/* Both who want all that is kept, and who want only what comes. */
static void test_readers_wake(void **state)
{
	struct watcher w[2] = {{.cursor = 0}, {.cursor = UINT64_MAX}};

	(void)state;
	start();
	for (int i = 0; i < 2; i++)
		pthread_create(&w[i].thread, NULL, watch, &w[i]);
	usleep(50000);
	for (int i = 0; i < 2; i++) {
		do {
			put(7); /* again: a slow watcher may have missed it */
			usleep(10000);
		} while (pthread_tryjoin_np(w[i].thread, NULL));
		assert_int_equal(w[i].term, 7);
		assert_true(w[i].took_ns < PATIENT_MS / 2 * NS_PER_MS);
	}
	assert_int_equal(w[0].cursor, 1);
	stop();
}

static void test_stop_wakes_readers(void **state)
{
	struct watcher w = {.cursor = 0};

	(void)state;
	start();
	put(1);
	assert_int_equal(next_term(&w.cursor, PATIENT_MS), 1);
	pthread_create(&w.thread, NULL, watch, &w);
	usleep(100000);
	stop();
	pthread_join(w.thread, NULL);
	assert_int_equal(w.term, -1);
	assert_true(w.took_ns < PATIENT_MS / 2 * NS_PER_MS);
}

static void test_reader_times_out(void **state)
{
	uint64_t cursor = 0, began_ns = xr_now_ns(), took_ns;

	(void)state;
	start();
	assert_int_equal(next_term(&cursor, 60), -1);
	took_ns = xr_now_ns() - began_ns;
	assert_true(took_ns >= 60 * NS_PER_MS && took_ns < 5 * NS_PER_S);
	assert_int_equal(next_term(&cursor, 0), -1);
	assert_int_equal(next_term(&cursor, -1), -1);
	stop();
}

/* Only the last lines are kept; who comes late is told what is missing. */
static void test_old_lines_go(void **state)
{
	uint64_t cursor = 0, late = XR_FROM_OLDEST, newest = XR_FROM_NOW, lost = 3;
	char small[40];
	json_t *json;

	(void)state;
	start();
	for (uint32_t i = 0; i < SLOTS + 10; i++) {
		put(i + 1);
		assert_int_equal(next_term(&cursor, PATIENT_MS), i + 1);
	}
	assert_int_equal(next_term(&late, 0), 11);
	assert_int_equal(late, 11);
	assert_int_equal(next_term(&newest, 0), -1);
	assert_int_equal(newest, SLOTS + 10);
	/* or, behind an event that it saw, how many */
	json = next_json(&lost, 0);
	assert_string_equal(string_of(json, "event"), "lost");
	assert_int_equal(number_of(json, "lost"), 7);
	assert_int_equal(number_of(json, "seq"), 10);
	json_decref(json);
	assert_int_equal(next_term(&lost, 0), 11);
	/* half a line would be worse than none */
	assert_int_equal(xr_reporter_read(reporter, &late, NULL, small, sizeof(small), 0), 0);
	assert_int_equal(late, SLOTS + 10);
	stop();
}

/*
 * ---- the thread ----
 */

/* The thread id of the reporter, 0 if there is none. */
static pid_t find_thread(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	pid_t found = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		char path[300], name[32] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fgets(name, sizeof(name), f) && !strcmp(name, "xraft-report\n"))
			found = atoi(entry->d_name);
		fclose(f);
	}
	closedir(dir);
	return found;
}

static unsigned long long blocked_signals(pid_t thread)
{
	unsigned long long blocked = 0;
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", thread);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		sscanf(line, "SigBlk: %llx", &blocked);
	fclose(f);
	return blocked;
}

static void test_thread_is_ordinary(void **state)
{
	struct sched_param first = {.sched_priority = 1}, ordinary = {0};
	bool realtime = !sched_setscheduler(0, SCHED_FIFO, &first);
	unsigned long long blocked;
	pid_t thread;

	(void)state;
	start();
	sched_setscheduler(0, SCHED_OTHER, &ordinary);
	thread = find_thread();
	assert_true(thread > 0);
	assert_int_equal(sched_getscheduler(thread), SCHED_OTHER);
	blocked = blocked_signals(thread);
	for (int sig = 1; sig < 32; sig++)
		if (sig != 9 && sig != 19) /* SIGKILL, SIGSTOP */
			assert_true(blocked >> (sig - 1) & 1);
	stop();
	assert_int_equal(find_thread(), 0);
	if (!realtime)
		skip(); /* not allowed to be SCHED_FIFO: half of it is not tested */
}

/* What the daemon does with a report about a group. */
static void put_in_crowd(struct xr_crowd *crowd, uint8_t kind, uint8_t node, int n)
{
	for (int i = 1; i <= n; i++) {
		struct xr_report r = {
			.at_ns = 1 + (uint64_t)i,
			.kind = kind,
			.node = node,
			.term = 7,
			.took_ns = (uint64_t)(i == n / 2 ? n : i % 10) * NS_PER_MS,
		};

		snprintf(r.group_name, sizeof(r.group_name), "g%d", i);
		if (!xr_crowd_hold(crowd, &r))
			xr_report(reporter, &r);
	}
}

static void tell(void *to, const struct xr_report *r)
{
	xr_report(to, r);
}

/* Some of each kind and node are told one by one, of the rest how many, with the slowest of them. */
static void test_crowd(void **state)
{
	static struct xr_crowd crowd;
	char *text;

	(void)state;
	start();
	put_in_crowd(&crowd, XR_REPORT_elected, 0, 1000);
	put_in_crowd(&crowd, XR_REPORT_following, 2, 500);
	put_in_crowd(&crowd, XR_REPORT_following, 3, XR_CROWD_FEW);
	xr_crowd_tell(&crowd, XR_CROWD_PERIOD_NS, tell, reporter); /* it is not yet over */
	xr_crowd_tell(&crowd, XR_CROWD_PERIOD_NS + 2, tell, reporter);
	xr_crowd_end(&crowd, tell, reporter); /* all is told */
	put_in_crowd(&crowd, XR_REPORT_elected, 0, 1);
	xr_crowd_end(&crowd, tell, reporter);
	stop();
	text = printed();
	assert_int_equal(count_lines(text), 3 * XR_CROWD_FEW + 2 + 1);
	assert_non_null(strstr(text, ": g16: leads in term 7, "));
	assert_null(strstr(text, ": g17: leads"));
	assert_non_null(strstr(text,
			       ": g500: leads in term 7, 1000 ms after its election started; and "
			       "983 more like it"));
	assert_non_null(strstr(text, ": g250: follows node 2 in term 7; and 483 more like it"));
	free(text);
}

/* What is said on and on: a few, then one line a second; and after some quiet again one by one. */
static void test_repetition(void **state)
{
	static struct xr_crowd crowd;
	struct xr_report r = {.kind = XR_REPORT_vote_refused, .node = 2, .at_ns = NS_PER_S};
	char *text;

	(void)state;
	start();
	for (int i = 0; i < 100000; i++, r.at_ns += NS_PER_MS / 10) {
		if (!xr_crowd_hold(&crowd, &r))
			xr_report(reporter, &r);
		xr_crowd_tell(&crowd, r.at_ns, tell, reporter);
	}
	xr_crowd_tell(&crowd, r.at_ns + 4 * XR_CROWD_PERIOD_NS, tell, reporter);
	for (int i = 0; i < 3; i++)
		if (!xr_crowd_hold(&crowd, &r))
			xr_report(reporter, &r);
	stop();
	text = printed();
	assert_int_equal(count_lines(text), XR_CROWD_FEW + 10 + 3);
	assert_non_null(strstr(text, "; and 9999 more like it"));
	free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, save_stderr, restore_stderr)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_sentences),
		TEST(test_unterminated),
		TEST(test_longest_text),
		TEST(test_time_of_day),
		TEST(test_journal),
		TEST(test_not_the_journal),
		TEST(test_json),
		TEST(test_json_nodes),
		TEST(test_filter),
		TEST(test_order),
		TEST(test_loss),
		TEST(test_loss_in_order),
		TEST(test_never_blocks),
		TEST(test_stop_drains),
		TEST(test_no_stderr),
		TEST(test_readers_wake),
		TEST(test_stop_wakes_readers),
		TEST(test_reader_times_out),
		TEST(test_old_lines_go),
		TEST(test_thread_is_ordinary),
		TEST(test_crowd),
		TEST(test_repetition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
