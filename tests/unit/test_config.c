// SPDX-License-Identifier: GPL-2.0-only
/* The configuration file: what is accepted, and the sentence for each thing that is not. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include "config/config.h"

#define BASE_LINES 17

/* Line n of the file is base[n]. */
static const char *const base[BASE_LINES + 1] = {
	[1] = "# a comment",
	[2] = "[cluster]",
	[3] = "name = demo                 ; another comment",
	[4] = "auth = none",
	[5] = "[self]",
	[6] = "node = 1",
	[7] = "interface = eth0",
	[8] = "[timing]",
	[9] = "election_ms = 150-300",
	[10] = "heartbeat_ms = 50",
	[11] = "[nodes]",
	[12] = "1 = 10.0.0.1:7007",
	[13] = "2 = 10.0.0.2",
	[14] = "3 = 10.0.0.3",
	[15] = "[groups]",
	[16] = "main = 1: 1 2 3",
	[17] = "other = 7: 1,2, 3",
};

#define KEY_A "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY_B "ff0102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define X10   "xxxxxxxxxx"
#define X100  X10 X10 X10 X10 X10 X10 X10 X10 X10 X10

static char dir[64], conf[128], key_file[128];

static void write_file(const char *path, const char *text, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static int read_text(struct xr_config *c, const char *text, struct xr_why *why)
{
	write_file(conf, text, strlen(text), 0600);
	return xr_config_read(c, conf, why);
}

/* The base with line `line` replaced by `text`, which may be several lines, or none. */
static int read_with(struct xr_config *c, int line, const char *text, struct xr_why *why)
{
	char all[4096] = "";

	for (int i = 1; i <= BASE_LINES; i++) {
		const char *s = i == line ? text : base[i];

		if (s) {
			strcat(all, s);
			strcat(all, "\n");
		}
	}
	return read_text(c, all, why);
}

static int read_with_key(struct xr_config *c, struct xr_why *why)
{
	char line[256];

	snprintf(line, sizeof(line), "key = %s", key_file);
	return read_with(c, 4, line, why);
}

/* "FILE:LINE: ...want..." and a remedy behind a semicolon. */
static void assert_why(const struct xr_why *why, const char *path, int line, const char *want)
{
	char at[256];

	snprintf(at, sizeof(at), "%s:%d: ", path, line);
	if (strncmp(why->text, at, strlen(at)) || !strstr(why->text, want) ||
	    !strchr(why->text, ';') || strchr(why->text, '\n'))
		fail_msg("wanted %s...%s...; have %s", at, want, why->text);
}

/*
 * ---- what is accepted ----
 */
static void assert_ip(const struct xr_peer *node, const char *ip, int port)
{
	struct in6_addr want;

	assert_int_equal(inet_pton(AF_INET6, ip, &want), 1);
	assert_memory_equal(node->ip, &want, sizeof(want));
	assert_int_equal(node->port, port);
	assert_int_equal(node->used, 1);
}

static void test_base(void **state)
{
	struct xr_config c;
	struct xr_why why = {""};

	(void)state;
	if (read_with(&c, 0, NULL, &why))
		fail_msg("%s", why.text);
	assert_string_equal(c.cluster, "demo");
	assert_true(c.auth_none);
	assert_int_equal(c.self, 1);
	assert_string_equal(c.interface, "eth0");
	assert_int_equal(c.xdp, XR_XDP_AUTO);
	assert_ip(&c.nodes[1], "::ffff:10.0.0.1", 7007);
	assert_ip(&c.nodes[2], "::ffff:10.0.0.2", XR_PORT);
	assert_int_equal(c.nodes[4].used, 0);
	assert_int_equal(c.ngroups, 2);
	assert_string_equal(c.groups[0].name, "main");
	assert_int_equal(c.groups[0].voters, 0xe);
	assert_int_equal(c.groups[0].line, 16);
	assert_int_equal(c.groups[1].id, 7);
	assert_int_equal(c.groups[1].voters, 0xe);
	xr_config_free(&c);
	assert_null(c.groups);
}

/* What is in force, as a file would say it, which then says the same. */
static void test_print(void **state)
{
	static const char want[] =
		"\n[cluster]\n"
		"name                 = demo\n"
		"auth                 = none\n"
		"\n[self]\n"
		"node                 = 1\n"
		"interface            = eth0\n"
		"xdp                  = auto                           ; default\n"
		"state                = /var/lib/xraft/demo.1          ; default\n"
		"socket               = /run/xraft/demo.1.sock         ; default\n"
		"realtime             = 20                             ; default\n"
		"value_bytes          = 256                            ; default\n"
		"\n[timing]\n"
		"election_ms          = 150.5-300\n"
		"heartbeat_ms         = 50\n"
		"stall_limit_ms       = 1000                           ; default\n"
		"clock_drift_permille = 100                            ; default\n"
		"failback             = never                          ; default\n\n[hooks]\n"
		"time_limit_ms        = 10000                          ; default\n";
	struct xr_config c, again;
	struct xr_why why = {""};
	char text[2048] = "";
	FILE *f;

	(void)state;
	assert_int_equal(read_with(&c, 9, "election_ms = 150.5-300.000", &why), 0);
	f = fmemopen(text, sizeof(text), "w");
	xr_config_print(&c, f);
	fclose(f);
	assert_string_equal(text, want);
	for (int i = 11; i <= BASE_LINES; i++)
		strcat(strcat(text, base[i]), "\n");
	if (read_text(&again, text, &why))
		fail_msg("%s", why.text);
	assert_memory_equal(&again, &c, offsetof(struct xr_config, groups));
	xr_config_free(&again);
	xr_config_free(&c);
}

/* No [timing] at all, IPv6, sections in another order, tabs, CRLF, no newline at the end. */
static void test_ipv6_and_defaults(void **state)
{
	static const char text[] = "\xef\xbb\xbf[groups] # last first\r\n"
				   "\tb = 131071 :2\r\n"
				   "a = 1: 1 2\r\n"
				   "\r\n"
				   "  [nodes]\r\n"
				   "  1 = fd00::1\r\n"
				   "  2 = [fd00::2]:9\r\n"
				   "  3 = [fd00::3]\r\n"
				   "; comment\r\n"
				   "[self]\r\n"
				   "node = 3\r\n"
				   "xdp = off\r\n"
				   "state = /s\r\n"
				   "socket = /t.sock\r\n"
				   "realtime = 0\r\n"
				   "[cluster]\r\n"
				   "name = A-b_9\r\n"
				   "auth = none";
	struct xr_config c;
	struct xr_why why = {""};

	(void)state;
	if (read_text(&c, text, &why))
		fail_msg("%s", why.text);
	assert_ip(&c.nodes[1], "fd00::1", XR_PORT);
	assert_ip(&c.nodes[2], "fd00::2", 9);
	assert_ip(&c.nodes[3], "fd00::3", XR_PORT);
	assert_string_equal(c.cluster, "A-b_9");
	assert_string_equal(c.interface, "");
	assert_int_equal(c.xdp, XR_XDP_OFF);
	assert_string_equal(c.state_dir, "/s");
	assert_string_equal(c.socket, "/t.sock");
	assert_int_equal(c.realtime, 0);
	assert_int_equal(c.min_timeout_us, 150000);
	assert_int_equal(c.max_timeout_us, 300000);
	assert_int_equal(c.heartbeat_us, 50000);
	assert_int_equal(c.stall_limit_us, 1000000);
	assert_int_equal(c.drift_permille, 100);
	assert_int_equal(c.ngroups, 2);
	assert_string_equal(c.groups[0].name, "a"); /* by id */
	assert_int_equal(c.groups[1].id, 131071);
	assert_int_equal(c.groups[1].voters, 1 << 2);
	xr_config_free(&c);
}

static void test_accepted(void **state)
{
	static const struct {
		int line;
		const char *text;
	} cases[] = {
		{9, "election_ms = 100 - 125"},
		{9, "election_ms = 100.125-100.5"},
		{10, "heartbeat_ms = 75"},
		{10, "heartbeat_ms = 0.1\nstall_limit_ms = 150\nclock_drift_permille = 0"},
		{10, "heartbeat_ms = 1.5\nstall_limit_ms = 600000\nclock_drift_permille = 500"},
		{7, "xdp = native\ninterface = br-0.100\nrealtime = 98"},
		{7, "xdp = generic\ninterface = fifteen-letters"},
		{13, "2 = 10.0.0.1:7008"},
		{7, "interface = e\nsocket = /" X100 "xxxxxx"},
		{3, "name = fifteen-letters"},
		{16, "1 = 1: 3 1 2"},
		{14, "3 = 10.0.0.3:65535"},
		{3, "name = demo\t; see # 7 ; and 8"},
		{7, "[self] ; again\ninterface: eth0"},
		{1, "[http]\nlisten = 0.0.0.0\n[cluster]"},
		{1, "[http]\nlisten = [::1]:80\n[agent]\nuser = nobody\n[cluster]"},
		{1,
		 "[addresses]\nmain = 10.0.0.100/24, fd00::100/64\nmain=10.0.0.101/32\n[cluster]"},
	};
	struct xr_config c;
	struct xr_why why = {""};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		if (read_with(&c, cases[i].line, cases[i].text, &why))
			fail_msg("%s: %s", cases[i].text, why.text);
		xr_config_free(&c);
	}
	assert_int_equal(read_with(&c, 9, "election_ms = 100.125-100.5", &why), 0);
	assert_int_equal(c.min_timeout_us, 100125);
	assert_int_equal(c.max_timeout_us, 100500);
	xr_config_free(&c);
}

static void test_nine_voters(void **state)
{
	struct xr_config c;
	struct xr_why why = {""};

	(void)state;
	assert_int_equal(read_with(&c, 14,
				   "3=10.0.0.3\n4=10.0.0.4\n5=10.0.0.5\n6=10.0.0.6\n7=10.0.0.7\n"
				   "8=10.0.0.8\n9=10.0.0.9\n[groups]\nall = 9: 1 2 3 4 5 6 7 8 9",
				   &why),
			 0);
	assert_string_equal(c.groups[2].name, "all");
	assert_int_equal(c.groups[2].voters, 0x3fe);
	xr_config_free(&c);
}

/*
 * ---- what is not ----
 */
static const struct {
	int line; /* of the base, replaced by `text` */
	const char *text;
	int at; /* line that is named */
	const char *want;
} wrong[] = {
	/* shape */
	{1, "[colour]", 1, "no section [colour]; use cluster"},
	{2, "[Cluster]", 2, "no section [Cluster]"},
	{2, "[cluster", 2, "close it with ]"},
	{2, "[cluster] name = x", 2, "put it on a line of its own"},
	{1, "name = x", 1, "before any section"},
	{6, "node 1", 6, "neither [section] nor NAME = VALUE"},
	{6, "node 1\nnode = 12", 6, "neither [section] nor NAME = VALUE"},
	{6, "node =", 6, "\"node\" has no value"},
	{6, "node = ; 1", 6, "\"node\" has no value"},
	{6, "nod = 1", 6, "[self] knows no key \"nod\""},
	{6, "name = demo", 6, "[self] knows no key \"name\""},
	{6, "node = 1\nnode = 1", 7, "node is already set in line 6"},
	{6, "node = 1\n  node = 2", 7, "node is already set in line 6"},
	{10, "heartbeat_ms = 50 # ms", 10, "begins with ; as in \"50 ; ms\""},
	{10, "heartbeat_ms = # ms", 10, "begins with ; as in \"50 ; ms\""},
	{10, "heartbeat_ms = 50; ms", 10, "needs a blank before its ;"},
	{7, "interface = e\nstate = /var/x # of demo", 8, "begins with ; as in"},
	{7, "interface = \"eth0\"", 7, "without quotes; remove them"},
	{14, "3 = 10.0.0.3 # c", 14, "begins with ; as in"},
	{16, "main = 1: 1 2 3 # all", 16, "begins with ; as in"},
	{1, "# " X100 X100, 1, "longer than 198 characters"},
	/* virtual addresses */
	{1, "[addresses]\ng 1 = 10.0.0.100/24\n[cluster]", 2, "no name of a group"},
	{1, "[addresses]\nmain = 10.0.0.100\n[cluster]", 2, "the length of its network"},
	{1, "[addresses]\nmain = 10.0.0.100/33\n[cluster]", 2, "the length of its network"},
	{1, "[addresses]\nmain = fd00::1/0\n[cluster]", 2, "the length of its network"},
	{1, "[addresses]\nmain = 10.0.0.100/24 eth1\n[cluster]", 2, "\"eth1\" is no address"},
	{1, "[addresses]\nmain = 127.0.0.2/8\n[cluster]", 2, "is this machine's own"},
	{1, "[addresses]\nmain = 224.0.0.1/4\n[cluster]", 2, "is no unicast address"},
	{1, "[addresses]\nmain = fe80::1/64\n[cluster]", 2, "valid on one link only"},
	{1, "[addresses]\ng9 = 10.0.0.100/24\n[cluster]", 2, "there is no group g9"},
	{1, "[addresses]\nmain = 10.0.0.2/24\n[cluster]", 2, "the address of node 2"},
	{1, "[addresses]\nmain = 10.0.0.9/24\nmain = 10.0.0.9/24\n[cluster]", 3,
	 "already in line 2"},
	/* HTTP */
	{1, "[http]\nlisten = localhost\n[cluster]", 2, "is no IP address"},
	{1, "[http]\nlisten = 127.0.0.1:0\n[cluster]", 2, "no usable port"},
	{1, "[http]\nport = 80\n[cluster]", 2, "[http] knows no key \"port\""},
	/* hooks */
	{1, "[hooks]\nbecome_leader = start-it\n[cluster]", 2, "is not an absolute path"},
	{1, "[hooks]\non_lead = /start-it\n[cluster]", 2, "[hooks] knows no key \"on_lead\""},
	{1, "[hooks]\ntime_limit_ms = 0\n[cluster]", 2, "is no duration"},
	/* sections and keys that must be there */
	{2, NULL, 2, "before any section"},
	{5, NULL, 5, "[cluster] knows no key \"node\""},
	{3, NULL, 2, "no name; add name = NAME"},
	{4, NULL, 2,
	 "no key; make one with \"xraft keygen FILE\" and add key = FILE, or write auth"},
	{4, "auth = none\nkey = /k", 4, "both a key and auth = none"},
	{6, NULL, 5, "add node = ID"},
	{7, NULL, 5, "add interface = NAME, or xdp = off"},
	{7, "xdp = native", 5, "add interface = NAME, or xdp = off"},
	/* [cluster] */
	{3, "name = de mo", 3, "no name for a cluster"},
	{3, "name = sixteen--letters", 3, "no name for a cluster"},
	{3, "name = d/../mo", 3, "no name for a cluster"},
	{4, "auth = all", 4, "auth = all is unknown"},
	{4, "key = demo.key", 4, "not an absolute path; begin it with /"},
	{4, "key = /nowhere/demo.key", 4, "no key file /nowhere/demo.key; make one with"},
	{4, "key = /proc/self/status/x", 4, "cannot be opened (Not a directory)"},
	{4, "key = /dev/null", 4, "no regular file"},
	/* [self] */
	{6, "node = 0", 6, "node = 0 is no node id"},
	{6, "node = 10", 6, "node = 10 is no node id"},
	{6, "node = 1x", 6, "node = 1x is no node id"},
	{6, "node = -1", 6, "node = -1 is no node id"},
	{6, "node = 18446744073709551617", 6, "is no node id"},
	{6, "node = 4", 6, "this is node 4, which is not in [nodes]"},
	{7, "interface = sixteen--letters", 7, "no name of an interface"},
	{7, "interface = a/b", 7, "no name of an interface"},
	{7, "interface = a b", 7, "no name of an interface"},
	{7, "interface = ..", 7, "no name of an interface"},
	{7, "interface = e\nxdp = skb", 8, "xdp = skb is unknown"},
	{7, "interface = e\nstate = var", 8, "state = var is not an absolute path"},
	{7, "interface = e\nsocket = run", 8, "socket = run is not an absolute path"},
	{7, "interface = e\nsocket = /" X100 "xxxxxxx", 8,
	 "path of socket is longer than 107 bytes"},
	{7, "interface = e\nrealtime = 99", 8, "realtime = 99 is no priority"},
	{7, "interface = e\nrealtime = off", 8, "realtime = off is no priority"},
	/* [timing] */
	{9, "election_ms = 150", 9, "is no interval"},
	{9, "election_ms = 150-", 9, "is no interval"},
	{9, "election_ms = -300", 9, "is no interval"},
	{9, "election_ms = 150-300 ms", 9, "is no interval"},
	{9, "election_ms = 150-300-400", 9, "is no interval"},
	{9, "election_ms = 150.-300", 9, "is no interval"},
	{9, "election_ms = 150.1234-300", 9, "is no interval"},
	{9, "election_ms = 150-600000.001", 9, "is no interval"},
	{9, "election_ms = 150-99999999999999999999", 9, "is no interval"},
	{9, "election_ms = 300-150", 9, "ends before it begins"},
	{9, "election_ms = 1.999-150", 9, "begin it with at least 2"},
	{9, "election_ms = 20-40", 10,
	 "heartbeat_ms = 50 is more than two thirds of the minimum election timeout; set "
	 "heartbeat_ms to at most 13.3333"},
	{10, "election_ms = 1-2", 10, "election_ms is already set in line 9"},
	{10, "heartbeat_ms = 100.001", 10, "set heartbeat_ms to at most 100"},
	{10, "heartbeat_ms = 0.099", 10, "heartbeat_ms = 0.099 is no duration"},
	{10, "heartbeat_ms = 5e1", 10, "heartbeat_ms = 5e1 is no duration"},
	{10, "stall_limit_ms = 19.999", 10, "is no usable limit; use a number from 20"},
	{10, "stall_limit_ms = 149.999", 10,
	 "less than an election timeout: a daemon would be given up that nobody misses yet; set "
	 "stall_limit_ms to at least 300"},
	{9, "election_ms = 1000.001-2000", 9, "stall_limit_ms = 1000 (the default) is less"},
	{9, "election_ms = 150-150", 9, "nothing to draw"},
	{10, "clock_drift_permille = 501", 10, "is no rate"},
	{10, "clock_drift_permille = 0.1", 10, "is no rate"},
	/* [nodes] */
	{12, "0 = 10.0.0.1", 12, "\"0\" is no node id"},
	{12, "10 = 10.0.0.1", 12, "\"10\" is no node id"},
	{12, "one = 10.0.0.1", 12, "\"one\" is no node id"},
	{14, "2 = 10.0.0.3", 14, "node 2 is already in line 13"},
	{14, "3 = 10.0.0.2", 14, "node 2 in line 13 has the same address and port"},
	{14, "3 = 10.0.0.1:7007", 14, "node 1 in line 12 has the same address"},
	{14, "3 = fd00::3", 14, "node 1 in line 12 has an address of the other IP version"},
	{14, "3 = node3.example", 14, "names are not looked up"},
	{14, "3 = 10.0.0", 14, "is no IP address"},
	{14, "3 = 10.0.0.256", 14, "is no IP address"},
	{14, "3 = [10.0.0.3]:7007", 14, "is no IP address"},
	{14, "3 = [fd00::3", 14, "is no IP address"},
	{14, "3 = [fd00::3]7007", 14, "is no IP address"},
	{14, "3 = [fd00::3:7007", 14, "is no IP address"},
	{14, "3 = fd00::3:7007", 14,
	 "write [fd00::3]:7007 if 7007 is the port, [fd00::3:7007] if it belongs to the address"},
	{14, "3 = 127.0.0.1", 14, "one has a loopback address, which no other machine reaches"},
	{12, "1 = 127.0.0.1", 13, "of this node and node 1 in line 12 one has a loopback address"},
	{14, "3 = ::ffff:10.0.0.3", 14, "is no IP address"},
	{14, "3 = fe80::1%eth0", 14, "is no IP address"},
	{14, "3 = " X100, 14, "is no IP address"},
	{14, "3 = 10.0.0.3 50", 14, "\"50\" stands behind the address, where a priority may"},
	{14, "3 = 10.0.0.3 priorities 50", 14, "stands behind the address"},
	{14, "3 = 10.0.0.3 priority", 14, "\"\" is no priority; use a whole number from 1"},
	{14, "3 = 10.0.0.3 priority 256", 14, "\"256\" is no priority"},
	{14, "3 = 10.0.0.3 priority -1", 14, "\"-1\" is no priority"},
	{14, "3 = 10.0.0.3 priority 1 2", 14, "\"1 2\" is no priority"},
	{14, "3 = 10.0.0.3 priority 0\n[groups]\nw = 9: 3\n[nodes]", 16,
	 "all voters of group w are witnesses (priority 0), so nobody could lead it"},
	{10, "failback = 0", 10,
	 "is no number of seconds; use a whole number from 1 to 86400, or never"},
	{10, "failback = 90000", 10, "is no number of seconds"},
	{10, "failback = 1.5", 10, "is no number of seconds"},
	{14, "3 = 10.0.0.3:0", 14, "no usable port"},
	{14, "3 = 10.0.0.3:65536", 14, "no usable port"},
	{14, "3 = 10.0.0.3:", 14, "no usable port"},
	{14, "3 = 10.0.0.3:http", 14, "no usable port"},
	{14, "3 = [fd00::3]:x", 14, "no usable port"},
	{14, "3 = 0.0.0.0", 14, "0.0.0.0 means no host"},
	{14, "3 = 255.255.255.255", 14, "is no unicast address"},
	{14, "3 = 224.0.0.1", 14, "is no unicast address"},
	{14, "3 = ::", 14, ":: means no host"},
	{14, "3 = ff02::1", 14, "is no unicast address"},
	{14, "3 = fe80::1", 14, "is valid on one link only"},
	/* [groups] */
	{16, "ma.in = 1: 1 2 3", 16, "\"ma.in\" is no name for a group"},
	{16, "sixteen--letters = 1: 1 2 3", 16, "is no name for a group"},
	{16, X100 " = 1: 1 2 3", 16, "is no name for a group"},
	{16, "main = 1 2 3", 16, "group main has no id; write NAME = ID: VOTERS"},
	{16, "main = one: 1 2 3", 16, "group main has no id"},
	{16, "main = 0: 1 2 3", 16,
	 "an id out of range; write NAME = ID: VOTERS with an id from 1"},
	{16, "main = 131072: 1 2 3", 16, "group main has an id out of range"},
	{16, "main = 1:", 16, "the group has no voters"},
	{16, "main = 1: ,", 16, "the group has no voters"},
	{16, "main = 1: 1 2 x", 16, "voter \"x\" is no node id"},
	{16, "main = 1: 1 2 3x", 16, "voter \"3x\" is no node id"},
	{16, "main = 1: 1 0", 16, "voter \"0\" is no node id"},
	{16, "main = 1: 1 2 10", 16, "voter \"10\" is no node id"},
	{16, "main = 1: 1 2 1", 16, "voter 1 is listed twice"},
	{16, "main = 1: 1 2 4", 16, "voter 4 of group main is not in [nodes]"},
	{17, "main = 7: 1 2 3", 17, "group main is already in line 16"},
	{17, "other = 1: 1 2 3", 17, "group id 1 is already that of main in line 16"},
	{16, "z = 1: 1\na = 2: 1\nz = 3: 1", 18, "group z is already in line 16"},
	{16, "z = 1: 1\na = 2: 1\nm = 3: 1\nb = 2: 1", 19,
	 "group id 2 is already that of a in line 17"},
};

static void test_wrong(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct xr_why why = {""};
		struct xr_config c;

		if (read_with(&c, wrong[i].line, wrong[i].text, &why) != -EINVAL)
			fail_msg("accepted: %s",
				 wrong[i].text ? wrong[i].text : base[wrong[i].line]);
		assert_why(&why, conf, wrong[i].at, wrong[i].want);
		assert_null(c.groups); /* nothing is left to free */
		assert_int_equal(c.cluster[0], 0);
	}
}

static void test_priorities(void **state)
{
	struct xr_why why = {""}, rest = {""};
	struct xr_config c, other;

	(void)state;
	assert_int_equal(read_with(&c, 14, "3 = 10.0.0.3:7000\t priority  0", &why), 0);
	assert_int_equal(c.nodes[1].priority, XR_PRIORITY);
	assert_int_equal(c.nodes[3].priority, 0);
	assert_int_equal(c.nodes[3].port, 7000);
	assert_int_equal(xr_config_witnesses(&c), 1 << 3);
	assert_int_equal(c.failback_ms, 0);
	assert_int_equal(read_with(&other, 14, "3 = 10.0.0.3:7000 priority 255 ; the best", &why),
			 0);
	assert_int_equal(other.nodes[3].priority, 255);
	assert_int_equal(xr_config_differs(&c, &other, 9, &rest, &why), 0);
	assert_string_equal(rest.text, "");
	xr_config_free(&other);
	assert_int_equal(read_with(&other, 10, "failback = 60", &why), 0);
	assert_int_equal(other.failback_ms, 60000);
	xr_config_free(&other);
	xr_config_free(&c);
	assert_int_equal(read_text(&c,
				   "[cluster]\nname=a\nauth=none\n[self]\nnode=1\nxdp=off\n"
				   "[nodes]\n1=::1 priority 0\n[groups]\ng=1:1\n",
				   &why),
			 -EINVAL);
	assert_non_null(strstr(why.text, ":7: all nodes are witnesses (priority 0)"));
}

/* A reload takes nodes that come, move, go or rank otherwise; but not where it moves this one. */
static void test_nodes_taken(void **state)
{
	struct xr_why why = {""}, rest = {""};
	struct xr_config c, other;

	(void)state;
	assert_int_equal(read_with(&c, 16, "main = 1: 1 2", &why), 0);
	assert_int_equal(read_with(&other, 17,
				   "other = 7: 1 2 3\nmore = 2: 1 4\n[nodes]\n4 = 10.0.0.4", &why),
			 0);
	memcpy(&other.nodes[3].ip[12], "\x0a\x00\x00\x09", 4);
	other.nodes[2].priority = 7;
	other.groups[0].digest = c.groups[0].digest;
	assert_int_equal(xr_config_differs(&c, &other, 9, &rest, &why), 0);
	assert_string_equal(rest.text, "");
	assert_int_equal(xr_config_take(&c, &other, 9, &why), 1);
	assert_ip(&c.nodes[3], "::ffff:10.0.0.9", XR_PORT);
	assert_ip(&c.nodes[4], "::ffff:10.0.0.4", XR_PORT);
	assert_int_equal(c.nodes[2].priority, 7);

	other.nodes[1].port++;
	other.nodes[2].priority = 8;
	other.nodes[4].used = 0;
	other.ngroups--;
	assert_int_equal(xr_config_differs(&c, &other, 9, &rest, &why), 0);
	assert_non_null(strstr(rest.text, "node 1, priority of node 2, node 4"));
	assert_int_equal(xr_config_take(&c, &other, 9, &why), 0);
	assert_int_equal(c.nodes[1].port, 7007);
	assert_int_equal(c.nodes[2].priority, 7);
	assert_int_equal(c.nodes[4].used, 1);
	xr_config_free(&other);
	xr_config_free(&c);
}

/* What works and is not wise: each is told, and a good file is told nothing. */
static void test_unwise(void **state)
{
	static const struct {
		int line;
		const char *text, *want;
	} cases[] = {
		{9, "election_ms = 150-180", "write it as 150-300"},
		{9, "election_ms = 90-1000", "steps down only after 1000 ms"},
		{10, "stall_limit_ms = 299", "stall_limit_ms = 299 is less than the larger"},
		{10, "heartbeat_ms = 0.5", "300 heartbeats in an election timeout"},
		{10, "heartbeat_ms = 50\nclock_drift_permille = 0", "two leases can overlap"},
		{13, "2 = 10.0.0.1:7008", "nodes share an address"},
		{14, "3 = 169.254.7.7", "169.254.0.0/16"},
		{17, "other = 7: 1 2", "group other has 2 voters, which can lose no more"},
		{14, "3 = 10.0.0.3\n4 = 10.0.0.4", "node 4 votes in no group by [groups]"},
		{17, "other = 2000: 1 2 3", "number the groups from 1"},
		{10, "failback = 60", "failback = 60 hands over to nodes of higher priority"},
		{7, "interface = e\nuser = root", "user = root"},
		{7, "interface = e\nuser = nobody", "user = nobody"},
		{7, "interface = e\nrealtime = 91", "realtime = 91"},
		{7, "interface = e\ngroup = games", NULL},
		{7, "interface = e", NULL},
	};
	struct xr_why why = {""};
	struct xr_config c;

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		struct xr_findings f = {0};
		const char *text;

		if (read_with(&c, cases[i].line, cases[i].text, &why))
			fail_msg("%s: %s", cases[i].text, why.text);
		xr_config_unwise(&c, &f);
		xr_config_free(&c);
		text = f.n ? f.list[0].text : "";
		if (f.n != (cases[i].want ? 2 : 1) ||
		    (cases[i].want && !strstr(text, cases[i].want)))
			fail_msg("%s: %zu: %s", cases[i].text, f.n, text);
		assert_non_null(strstr(f.list[f.n - 1].text, "auth = none")); /* the base has it */
		for (size_t j = 0; j < f.n; j++)
			assert_true(f.list[j].grade == XR_UNWISE && strstr(f.list[j].text, "; "));
	}
	assert_int_equal(read_text(&c,
				   "[cluster]\nname=a\nauth=none\n[self]\nnode=1\nxdp=off\n"
				   "[nodes]\n1=::1\n[groups]\ng=1:1\n",
				   &why),
			 0);
	struct xr_findings f = {0};
	xr_config_unwise(&c, &f);
	assert_non_null(strstr(f.list[0].text, "all nodes have loopback addresses"));
	xr_config_free(&c);
}

/* What root reads, nobody else may change: neither of the two files, nor their folder's names. */
static void test_open_to_others(void **state)
{
	static const char key[] = "1 " KEY_A;
	struct xr_why why = {""};
	struct xr_config c;

	(void)state;
	if (geteuid())
		skip();
	write_file(key_file, key, strlen(key), 0600);
	assert_int_equal(read_with_key(&c, &why), 0);
	xr_config_free(&c);
	for (unsigned int mode = 0602; mode <= 0620; mode += 016) { /* 0602 and 0620 */
		assert_int_equal(chmod(conf, mode), 0);
		assert_int_equal(xr_config_read(&c, conf, &why), -EINVAL);
		assert_non_null(strstr(why.text, "can change it, and root reads it"));
		assert_non_null(strstr(why.text, "; chmod go-w /"));
	}
	assert_int_equal(chmod(conf, 0644) | chown(conf, 65534, 0), 0);
	assert_int_equal(xr_config_read(&c, conf, &why), -EINVAL);
	assert_non_null(strstr(why.text, "; chown root /"));
	assert_int_equal(chown(conf, 0, 0) | chown(key_file, 65534, 0), 0);
	assert_int_equal(xr_config_read(&c, conf, &why), -EINVAL);
	assert_why(&why, conf, 4, "; chown root /");
	assert_int_equal(chown(key_file, 0, 0) | chmod(dir, 0777), 0);
	assert_int_equal(xr_config_read(&c, conf, &why), -EINVAL);
	assert_non_null(strstr(why.text, "; chmod o-w /"));
	assert_int_equal(chmod(dir, 0700), 0);
}

/* Each section left out in turn, and sections that are there but empty. */
static void test_missing(void **state)
{
	static const struct {
		const char *text;
		int at;
		const char *want;
	} cases[] = {
		{"", 1, "there is no section [cluster]; add it"},
		{"\n# nothing\n\n", 3, "there is no section [cluster]"},
		{"[cluster]\nname = a\n[nodes]\n[groups]\n", 4, "there is no section [self]"},
		{"[cluster]\nname = a\n[self]\n[groups]\n", 4, "there is no section [nodes]"},
		{"[cluster]\nname = a\n[self]\n[nodes]", 4, "there is no section [groups]"},
		{"[cluster]\nname=a\nauth=none\n[self]\nnode=1\nxdp=off\n[nodes]\n1=::1\n[groups]"
		 "\n",
		 9, "there is no group"},
		{"[cluster]\nname=a\nauth=none\n[self]\nnode=1\nxdp=off\n[nodes]\n[groups]\ng=1:"
		 "1\n",
		 5, "this is node 1, which is not in [nodes]"},
		{"[cluster]\nname=a\nauth=none\n[self]\nnode=1\nxdp=off\n[timing]\n"
		 "election_ms=20-40\n[nodes]\n1=::1\n[groups]\ng=1:1\n",
		 8, "heartbeat_ms = 50 (the default) is more than two thirds"},
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		struct xr_why why = {""};
		struct xr_config c;

		assert_int_equal(read_text(&c, cases[i].text, &why), -EINVAL);
		assert_why(&why, conf, cases[i].at, cases[i].want);
	}
}

static void test_unreadable(void **state)
{
	struct xr_why why = {""};
	struct xr_config c;

	(void)state;
	assert_int_equal(xr_config_read(&c, "/nowhere/x.conf", &why), -EINVAL);
	assert_string_equal(why.text, "/nowhere/x.conf: the file cannot be opened (No such file or "
				      "directory); check its path and mode");
	assert_int_equal(xr_config_read(&c, dir, &why), -EINVAL);
	assert_non_null(strstr(why.text, "the file cannot be read (Is a directory)"));
	write_file(conf, "[cluster]\na\0b\n", 14, 0600);
	assert_int_equal(xr_config_read(&c, conf, &why), -EINVAL);
	assert_why(&why, conf, 2, "NUL byte");
	assert_int_equal(xr_config_read(&c, "/nowhere/x.conf", NULL), -EINVAL);
}

/* A line of just the longest length is read whole, the next byte is not. */
static void test_longest_line(void **state)
{
	struct xr_why why = {""};
	struct xr_config c;
	char line[256];

	(void)state;
	snprintf(line, sizeof(line), "interface = e\nstate = /%s", X100 X100);
	line[14 + 198] = 0;
	assert_int_equal(read_with(&c, 7, line, &why), 0);
	assert_int_equal(strlen(c.state_dir), 198 - strlen("state = "));
	xr_config_free(&c);
	strcat(line, "x");
	assert_int_equal(read_with(&c, 7, line, &why), -EINVAL);
	assert_why(&why, conf, 8, "longer than 198 characters");
}

/*
 * ---- keys ----
 */
static const struct {
	const char *text;
	mode_t mode;
	int at; /* line of the key file; 0: of the configuration */
	const char *want;
} wrong_keys[] = {
	{"1 " KEY_A "\n", 0640, 0, "is open to others (mode 640); chmod 600 /"},
	{"1 " KEY_A "\n", 0602, 0, "is open to others (mode 602); chmod 600 /"},
	{"", 0600, 1, "the file holds no key; make one"},
	{"# nothing\n\n", 0600, 3, "the file holds no key"},
	{KEY_A "\n", 0600, 1, "not an id from 0 to 255 and 64 hex digits"},
	{"\n1\n", 0600, 2, "64 hex digits"},
	{"256 " KEY_A "\n", 0600, 1, "64 hex digits"},
	{"-1 " KEY_A "\n", 0600, 1, "64 hex digits"},
	{"1 " KEY_A "00\n", 0600, 1, "64 hex digits"},
	{"1 " KEY_A "0\n", 0600, 1, "64 hex digits"},
	{"1 " KEY_A " 2\n", 0600, 1, "64 hex digits"},
	{"1 00" X10 "\n", 0600, 1, "64 hex digits"},
	{"1 0001\n", 0600, 1, "64 hex digits"},
	{"1 " ZEROS "\n", 0600, 1, "zeros is no secret"},
	{"1 " KEY_A "\n3 " KEY_B "\n", 0600, 2, "the ids 1 and 3 are both odd"},
	{"2 " KEY_A "\n2 " KEY_B "\n", 0600, 2, "the ids 2 and 2 are both even"},
	{"1 " KEY_A "\n2 " KEY_B "\n4 " KEY_B "\n", 0600, 3, "this is a third key"},
};

static void test_wrong_keys(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(wrong_keys); i++) {
		struct xr_why why = {""};
		struct xr_config c;
		int at = wrong_keys[i].at;

		write_file(key_file, wrong_keys[i].text, strlen(wrong_keys[i].text),
			   wrong_keys[i].mode);
		if (read_with_key(&c, &why) != -EINVAL)
			fail_msg("accepted: %s", wrong_keys[i].text);
		assert_why(&why, at ? key_file : conf, at ? at : 4, wrong_keys[i].want);
		assert_null(strstr(why.text, "00010203")); /* no key in any message */
		assert_true(sodium_is_zero((uint8_t *)c.keys, sizeof(c.keys)));
	}
}

static void test_large_key_file(void **state)
{
	struct xr_why why = {""};
	struct xr_config c;
	char text[4096];

	(void)state;
	memset(text, '#', sizeof(text));
	write_file(key_file, text, sizeof(text), 0600);
	assert_int_equal(read_with_key(&c, &why), -EINVAL);
	assert_why(&why, conf, 4, "more than 4096 bytes");
}

/* BLAKE2b-128 keyed with the secret over "xraft wire 1demo", by Python's hashlib. */
static void test_derivation(void **state)
{
	static const char text[] = "# of demo\n\n  2\t" KEY_A " # to send with\r\n255 " KEY_B;
	struct xr_why why = {""};
	struct xr_config c;

	(void)state;
	write_file(key_file, text, strlen(text), 0400);
	if (read_with_key(&c, &why))
		fail_msg("%s", why.text);
	assert_false(c.auth_none);
	assert_string_equal(c.key_file, key_file);
	assert_int_equal(c.nkeys, 2);
	assert_int_equal(c.keys[0].id, 2);
	assert_int_equal(c.keys[0].used, 1);
	assert_true(c.keys[0].sip.k0 == 0x4f74e963c979999bull);
	assert_true(c.keys[0].sip.k1 == 0xc5745633e0e1c321ull);
	assert_int_equal(c.keys[1].id, 255);
	assert_int_equal(c.keys[1].used, 1);
	assert_true(c.keys[1].sip.k0 != c.keys[0].sip.k0);
	xr_config_free(&c);
	assert_true(sodium_is_zero((uint8_t *)&c, sizeof(c)));

	assert_int_equal(read_with(&c, 0, NULL, &why), 0); /* auth = none */
	assert_int_equal(c.nkeys, 1);
	assert_int_equal(c.keys[0].id, 0);
	assert_int_equal(c.keys[0].used, 1);
	assert_true(c.keys[0].sip.k0 == 0x13b4da7fe3481a1cull);
	assert_true(c.keys[0].sip.k1 == 0xa38110e6d8bc3a1cull);
	xr_config_free(&c);
}

/* The same secret in another cluster is another key. */
static void test_derivation_by_cluster(void **state)
{
	struct xr_why why = {""};
	struct xr_config c;
	char lines[300];

	(void)state;
	write_file(key_file, "1 " KEY_A, strlen("1 " KEY_A), 0600);
	snprintf(lines, sizeof(lines), "key = %s\n[cluster]", key_file);
	assert_int_equal(read_with(&c, 4, lines, &why), 0);
	assert_true(c.keys[0].sip.k0 == 0x4f74e963c979999bull);
	xr_config_free(&c);
	snprintf(lines, sizeof(lines),
		 "[cluster]\nname=prod\nkey=%s\n[self]\nnode=1\nxdp=off\n[nodes]\n1=::1\n[groups]\n"
		 "g=1:1\n",
		 key_file);
	assert_int_equal(read_text(&c, lines, &why), 0);
	assert_true(c.keys[0].sip.k0 == 0x6a6937b7134d35beull);
	assert_true(c.keys[0].sip.k1 == 0x24cc5134652262b8ull);
	xr_config_free(&c);
}

/*
 * ---- groups ----
 */

/* Golden values by an implementation of its own in Python, checked with the authors' vector. */
static void test_digest(void **state)
{
	static const uint8_t no_key[crypto_shorthash_KEYBYTES];
	uint8_t data[24] = "other";
	uint64_t hash;

	(void)state;
	assert_int_equal(xr_config_digest("main", 0xe), 0xd542);
	assert_int_equal(xr_config_digest("main", 0x6), 0x89ff);
	assert_int_equal(xr_config_digest("other", 0xe), 0x3525);
	assert_int_equal(xr_config_digest("z35939", 0xe), 1); /* folds to 0 */
	data[16] = 0xe;
	crypto_shorthash((uint8_t *)&hash, data, sizeof(data), no_key);
	hash ^= hash >> 32;
	hash ^= hash >> 16;
	assert_int_equal(hash & 0xffff, 0x3525);
}

static void test_many_groups(void **state)
{
	char *text = NULL;
	size_t size, n = 100000;
	FILE *f = open_memstream(&text, &size);
	struct xr_why why = {""};
	struct xr_config c;
	uint64_t began_ns;

	(void)state;
	for (int i = 1; i <= 14; i++)
		fprintf(f, "%s\n", base[i]);
	fprintf(f, "[groups]\n");
	for (size_t i = 0; i < n; i++)
		fprintf(f, "g%zu = %zu: 1 2 3\n", i, 1 + i * 7919 % 131071);
	fclose(f);
	began_ns = xr_now_ns();
	if (read_text(&c, text, &why))
		fail_msg("%s", why.text);
	assert_true(xr_now_ns() - began_ns < 5 * NS_PER_S);
	assert_int_equal(c.ngroups, n);
	for (size_t i = 1; i < n; i++)
		assert_true(c.groups[i - 1].id < c.groups[i].id);
	xr_config_free(&c);
	free(text);
}

static void test_too_many_groups(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	struct xr_why why = {""};
	struct xr_config c;

	(void)state;
	fprintf(f, "[groups]\n");
	for (int i = 0; i <= XR_GROUPS_MAX; i++)
		fprintf(f, "g%d = 1: 1\n", i);
	fclose(f);
	assert_int_equal(read_text(&c, text, &why), -EINVAL);
	assert_why(&why, conf, XR_GROUPS_MAX + 2, "more than 131072 groups");
	free(text);
}

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/xraft-config-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(conf, sizeof(conf), "%s/x.conf", dir);
	snprintf(key_file, sizeof(key_file), "%s/x.key", dir);
	return sodium_init();
}

static int remove_dir(void **state)
{
	(void)state;
	unlink(conf);
	unlink(key_file);
	return rmdir(dir);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_ipv6_and_defaults),
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_nine_voters),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_priorities),
		cmocka_unit_test(test_nodes_taken),
		cmocka_unit_test(test_unwise),
		cmocka_unit_test(test_open_to_others),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_longest_line),
		cmocka_unit_test(test_wrong_keys),
		cmocka_unit_test(test_large_key_file),
		cmocka_unit_test(test_derivation),
		cmocka_unit_test(test_derivation_by_cluster),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_many_groups),
		cmocka_unit_test(test_too_many_groups),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
