/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The configuration file. libinih splits lines into names and values; it is fed by a reader that
 * counts the lines, so that every complaint can name one. What a single line can tell is checked
 * as it is read, what needs the whole file afterwards. The first error ends it.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <ini.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "daemon/config.h"
#include "xraft/siphash.h"

#define STATE_DIR    "/var/lib/xraft"
#define SOCKET_DIR   "/run/xraft"
#define NAME_CHARS   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
#define BLANKS	     " \t\r"
#define MS_MAX	     600000 /* of any duration: ten minutes */
#define KEY_FILE_MAX 4096
#define KEY_BYTES    32

enum section { NO_SECTION, CLUSTER, SELF, TIMING, NODES, GROUPS, SECTION_END };

static const char *const section_names[] = {
	[NO_SECTION] = "",   [CLUSTER] = "cluster", [SELF] = "self",
	[TIMING] = "timing", [NODES] = "nodes",	    [GROUPS] = "groups",
};

enum key {
	KEY_NAME,
	KEY_KEY,
	KEY_AUTH,
	KEY_NODE,
	KEY_INTERFACE,
	KEY_XDP,
	KEY_STATE,
	KEY_SOCKET,
	KEY_USER,
	KEY_REALTIME,
	KEY_ELECTION,
	KEY_HEARTBEAT,
	KEY_STALL,
	KEY_DRIFT,
	KEY_END,
};

struct parse {
	struct xr_config *c;
	const char *path;
	FILE *file;
	struct xr_why *why;
	int err; /* of the first error, which is the one that is told */
	int line;
	enum section section;
	int heading[SECTION_END]; /* line of [section], 0: not there */
	int key_line[KEY_END];	  /* line of the key, 0: not there */
	int node_line[XR_NODE_MAX + 1];
	size_t room; /* for groups */
};

/*
 * ---- complaints ----
 */
__attribute__((format(printf, 4, 5))) static void fail_in(struct parse *p, const char *path,
							  int line, const char *fmt, ...)
{
	char text[sizeof(p->why->text)];
	va_list ap;

	if (p->err)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	p->err = xr_fail(p->why, EINVAL, "%s:%d: %s", path, line, text);
}

#define fail_at(p, line, ...) fail_in(p, (p)->path, line, __VA_ARGS__)
#define fail(p, ...)	      fail_at(p, (p)->line, __VA_ARGS__)

/*
 * ---- words and numbers ----
 */
static const char *skip_blanks(const char *s)
{
	return s + strspn(s, BLANKS);
}

/* Decimal digits at *s, nothing else, up to `max`. Moves *s behind them. */
static bool take_number(const char **s, uint32_t max, uint32_t *out)
{
	uint64_t n = 0;

	if (!isdigit((unsigned char)**s))
		return false;
	for (; isdigit((unsigned char)**s); (*s)++) {
		n = n * 10 + (uint64_t)(**s - '0');
		if (n > max)
			return false;
	}
	*out = (uint32_t)n;
	return true;
}

static bool read_number(const char *s, uint32_t min, uint32_t max, uint32_t *out)
{
	return take_number(&s, max, out) && !*s && *out >= min;
}

/* Milliseconds with up to three decimals at *s, as microseconds. */
static bool take_ms(const char **s, uint32_t *us)
{
	uint32_t whole, unit = 100;

	if (!take_number(s, MS_MAX, &whole))
		return false;
	*us = whole * 1000;
	if (**s != '.')
		return true;
	if (!isdigit((unsigned char)*++*s))
		return false;
	for (; isdigit((unsigned char)**s); (*s)++, unit /= 10) {
		if (!unit)
			return false;
		*us += unit * (uint32_t)(**s - '0');
	}
	return true;
}

static bool read_ms(const char *s, uint32_t min_us, uint32_t *us)
{
	return take_ms(&s, us) && !*s && *us >= min_us && *us <= MS_MAX * 1000;
}

static bool read_name(const char *s, char name[XR_NAME_SIZE])
{
	size_t len = strspn(s, NAME_CHARS);

	if (!len || s[len] || len >= XR_NAME_SIZE)
		return false;
	memcpy(name, s, len + 1);
	return true;
}

/*
 * ---- [cluster], [self], [timing] ----
 */
static void key_name(struct parse *p, const char *value)
{
	if (!read_name(value, p->c->cluster))
		fail(p, "\"%.40s\" is no name for a cluster; use 1 to 15 of A-Z a-z 0-9 _ -",
		     value);
}

static void read_path(struct parse *p, const char *what, const char *value, size_t max, char *path)
{
	if (value[0] != '/')
		fail(p, "%s = %.80s is not an absolute path; begin it with /", what, value);
	else if (strlen(value) > max)
		fail(p, "the path of %s is longer than %zu bytes; choose a shorter one", what, max);
	else
		strcpy(path, value);
}

static void key_key(struct parse *p, const char *value)
{
	read_path(p, "key", value, PATH_MAX - 1, p->c->key_file);
}

static void key_auth(struct parse *p, const char *value)
{
	p->c->auth_none = true;
	if (strcmp(value, "none"))
		fail(p,
		     "auth = %.40s is unknown; only \"auth = none\" can be written, or key = FILE",
		     value);
}

static void key_node(struct parse *p, const char *value)
{
	uint32_t node;

	if (!read_number(value, 1, XR_NODE_MAX, &node))
		fail(p, "node = %.40s is no node id; use a number from 1 to 9", value);
	else
		p->c->self = (uint8_t)node;
}

static void key_interface(struct parse *p, const char *value)
{
	if (strlen(value) >= IF_NAMESIZE || strpbrk(value, "/ \t") || value[0] == '.')
		fail(p, "\"%.40s\" is no name of an interface; \"ip link\" lists them", value);
	else
		strcpy(p->c->interface, value);
}

static void key_xdp(struct parse *p, const char *value)
{
	static const char *const words[] = {
		[XR_XDP_AUTO] = "auto",
		[XR_XDP_NATIVE] = "native",
		[XR_XDP_GENERIC] = "generic",
		[XR_XDP_OFF] = "off",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
		if (!strcmp(value, words[i])) {
			p->c->xdp = i;
			return;
		}
	}
	fail(p, "xdp = %.40s is unknown; use auto, native, generic or off", value);
}

static void key_state(struct parse *p, const char *value)
{
	read_path(p, "state", value, PATH_MAX - 1, p->c->state_dir);
}

static void key_socket(struct parse *p, const char *value)
{
	read_path(p, "socket", value, sizeof(((struct sockaddr_un *)0)->sun_path) - 1,
		  p->c->socket);
}

static void key_user(struct parse *p, const char *value)
{
	if (!value[0] || strlen(value) >= sizeof(p->c->user))
		fail(p, "user = %.40s is no user's name; use one of at most %zu characters", value,
		     sizeof(p->c->user) - 1);
	else
		strcpy(p->c->user, value);
}

static void key_realtime(struct parse *p, const char *value)
{
	uint32_t priority;

	if (!read_number(value, 0, 98, &priority))
		fail(p, "realtime = %.40s is no priority; use 1 to 98, or 0 for off", value);
	else
		p->c->realtime = (int)priority;
}

static void key_election(struct parse *p, const char *value)
{
	struct xr_config *c = p->c;
	const char *s = value;
	bool ok = take_ms(&s, &c->min_timeout_us);

	s = skip_blanks(s);
	ok = ok && *s == '-';
	if (ok) {
		s = skip_blanks(s + 1);
		ok = read_ms(s, 0, &c->max_timeout_us);
	}
	if (!ok)
		fail(p, "election_ms = %.40s is no interval; write it as 150-300, up to %d ms",
		     value, MS_MAX);
	else if (c->min_timeout_us > c->max_timeout_us)
		fail(p, "election_ms = %.40s ends before it begins; put the smaller number first",
		     value);
	else if (c->min_timeout_us < 2000)
		fail(p, "election_ms = %.40s begins too early; begin it with at least 2", value);
}

static void key_heartbeat(struct parse *p, const char *value)
{
	if (!read_ms(value, 100, &p->c->heartbeat_us))
		fail(p, "heartbeat_ms = %.40s is no duration; use a number from 0.1 to %d", value,
		     MS_MAX);
}

static void key_stall(struct parse *p, const char *value)
{
	if (!read_ms(value, 20000, &p->c->stall_limit_us))
		fail(p, "stall_limit_ms = %.40s is no usable limit; use a number from 20 to %d",
		     value, MS_MAX);
}

static void key_drift(struct parse *p, const char *value)
{
	if (!read_number(value, 0, 500, &p->c->drift_permille))
		fail(p, "clock_drift_permille = %.40s is no rate; use a whole number from 0 to 500",
		     value);
}

static const struct {
	enum section section;
	const char *name;
	void (*read)(struct parse *p, const char *value);
} keys[KEY_END] = {
	[KEY_NAME] = {CLUSTER, "name", key_name},
	[KEY_KEY] = {CLUSTER, "key", key_key},
	[KEY_AUTH] = {CLUSTER, "auth", key_auth},
	[KEY_NODE] = {SELF, "node", key_node},
	[KEY_INTERFACE] = {SELF, "interface", key_interface},
	[KEY_XDP] = {SELF, "xdp", key_xdp},
	[KEY_STATE] = {SELF, "state", key_state},
	[KEY_SOCKET] = {SELF, "socket", key_socket},
	[KEY_USER] = {SELF, "user", key_user},
	[KEY_REALTIME] = {SELF, "realtime", key_realtime},
	[KEY_ELECTION] = {TIMING, "election_ms", key_election},
	[KEY_HEARTBEAT] = {TIMING, "heartbeat_ms", key_heartbeat},
	[KEY_STALL] = {TIMING, "stall_limit_ms", key_stall},
	[KEY_DRIFT] = {TIMING, "clock_drift_permille", key_drift},
};

static void read_key(struct parse *p, const char *name, const char *value)
{
	for (int i = 0; i < KEY_END; i++) {
		if (keys[i].section != p->section || strcmp(keys[i].name, name))
			continue;
		if (p->key_line[i]) {
			fail(p, "%s is already set in line %d; keep one of the two", name,
			     p->key_line[i]);
			return;
		}
		p->key_line[i] = p->line;
		keys[i].read(p, value);
		return;
	}
	fail(p, "[%s] knows no key \"%.40s\"; correct or remove it", section_names[p->section],
	     name);
}

/*
 * ---- [nodes] ----
 */
static bool is_ipv4(const struct xr_peer *node)
{
	return IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)node->ip);
}

/*
 * "10.0.0.1", "10.0.0.1:7007", "fd00::3", "[fd00::3]", "[fd00::3]:7007": the address to `host`,
 * the port's digits to *port, or NULL where there is none.
 */
static bool split_address(const char *value, char *host, size_t size, const char **port)
{
	const char *first = strchr(value, ':'), *end = value + strlen(value);
	bool bracket = value[0] == '[';

	if (bracket)
		end = strchr(value, ']');
	else if (first && first == strrchr(value, ':'))
		end = first;
	if (!end || end - value >= (ptrdiff_t)size)
		return false;
	value += bracket;
	snprintf(host, size, "%.*s", (int)(end - value), value);
	end += bracket;
	*port = *end ? end + 1 : NULL;
	return !*end || *end == ':';
}

/* IPv6 in brackets is IPv6, and IPv4 is kept as ::ffff:a.b.c.d. */
static bool read_ip(const char *host, struct xr_peer *node)
{
	if (inet_pton(AF_INET6, host, node->ip) == 1)
		return !is_ipv4(node);
	memset(node->ip, 0, 10);
	memset(node->ip + 10, 0xff, 2);
	return inet_pton(AF_INET, host, node->ip + 12) == 1;
}

/* Why a node cannot have this address, or NULL. */
static const char *useless_ip(const struct xr_peer *node)
{
	const struct in6_addr *ip = (const struct in6_addr *)node->ip;

	if (is_ipv4(node)) {
		if (node->ip[12] == 0)
			return "means no host";
		return node->ip[12] >= 224 ? "is no unicast address" : NULL;
	}
	if (IN6_IS_ADDR_UNSPECIFIED(ip))
		return "means no host";
	if (IN6_IS_ADDR_LINKLOCAL(ip))
		return "is valid on one link only";
	return IN6_IS_ADDR_MULTICAST(ip) ? "is no unicast address" : NULL;
}

static bool read_address(struct parse *p, const char *value, struct xr_peer *node)
{
	uint32_t number = XR_PORT;
	const char *port, *useless;
	char host[INET6_ADDRSTRLEN + 2];

	if (!split_address(value, host, sizeof(host), &port) || !read_ip(host, node) ||
	    (value[0] == '[' && is_ipv4(node))) {
		fail(p,
		     "\"%.60s\" is no IP address; write 10.0.0.1, 10.0.0.1:7007, fd00::1 or "
		     "[fd00::1]:7007 (names are not looked up)",
		     value);
		return false;
	}
	if (port && !read_number(port, 1, 65535, &number)) {
		fail(p, "\"%.60s\" has no usable port; use a number from 1 to 65535", value);
		return false;
	}
	useless = useless_ip(node);
	if (useless) {
		fail(p, "%s %s; give the node's own address", host, useless);
		return false;
	}
	node->port = (uint16_t)number;
	return true;
}

/* The nodes read before it: none has its address, and all are of its family. */
static void compare_node(struct parse *p, const struct xr_peer *node)
{
	for (int i = 1; i <= XR_NODE_MAX; i++) {
		const struct xr_peer *other = &p->c->nodes[i];

		if (!other->used)
			continue;
		if (is_ipv4(other) != is_ipv4(node))
			fail(p,
			     "node %d in line %d has an address of the other IP version; give all "
			     "nodes IPv4 or all IPv6",
			     i, p->node_line[i]);
		else if (!memcmp(other->ip, node->ip, sizeof(node->ip)) &&
			 other->port == node->port)
			fail(p,
			     "node %d in line %d has the same address and port; give each node its "
			     "own",
			     i, p->node_line[i]);
	}
}

static void read_node(struct parse *p, const char *name, const char *value)
{
	struct xr_peer node = {.used = 1};
	uint32_t id;

	if (!read_number(name, 1, XR_NODE_MAX, &id)) {
		fail(p, "\"%.40s\" is no node id; use a number from 1 to 9", name);
		return;
	}
	if (p->node_line[id]) {
		fail(p, "node %u is already in line %d; keep one of the two", id, p->node_line[id]);
		return;
	}
	if (!read_address(p, value, &node))
		return;
	compare_node(p, &node);
	p->c->nodes[id] = node;
	p->node_line[id] = p->line;
}

/*
 * ---- [groups] ----
 */

/* Node ids between blanks and commas. */
static bool read_voters(struct parse *p, const char *s, uint32_t *voters)
{
	static const char between[] = BLANKS ",";
	uint32_t node;

	*voters = 0;
	for (s += strspn(s, between); *s; s += strspn(s, between)) {
		size_t len = strcspn(s, between);
		const char *word = s;

		if (!take_number(&s, XR_NODE_MAX, &node) || !node || s != word + len) {
			fail(p, "voter \"%.*s\" is no node id; list the voters as in \"1: 1 2 3\"",
			     len < 40 ? (int)len : 40, word);
			return false;
		}
		if (*voters >> node & 1) {
			fail(p, "voter %u is listed twice; list each once", node);
			return false;
		}
		*voters |= 1u << node;
	}
	if (!*voters)
		fail(p, "the group has no voters; list them as in \"1: 1 2 3\"");
	return *voters;
}

static void add_group(struct parse *p, const struct xr_config_group *g)
{
	struct xr_config *c = p->c;

	if (c->ngroups == XR_GROUPS_MAX) {
		fail(p, "there are more than %d groups; split them over clusters", XR_GROUPS_MAX);
		return;
	}
	if (c->ngroups == p->room) {
		size_t room = p->room ? p->room * 2 : 64;
		void *groups = reallocarray(c->groups, room, sizeof(*c->groups));

		if (!groups) {
			fail(p, "no memory for %zu groups; free some", room);
			p->err = -ENOMEM;
			return;
		}
		c->groups = groups;
		p->room = room;
	}
	c->groups[c->ngroups++] = *g;
}

static void read_group(struct parse *p, const char *name, const char *value)
{
	struct xr_config_group g = {.line = p->line};

	if (!read_name(name, g.name)) {
		fail(p, "\"%.40s\" is no name for a group; use 1 to 15 of A-Z a-z 0-9 _ -", name);
		return;
	}
	if (!take_number(&value, XR_GROUPS_MAX - 1, &g.id) || !g.id ||
	    *(value = skip_blanks(value)) != ':') {
		fail(p, "group %s has no id; write NAME = ID: VOTERS with an id from 1 to %d",
		     g.name, XR_GROUPS_MAX - 1);
		return;
	}
	if (!read_voters(p, value + 1, &g.voters))
		return;
	g.digest = xr_config_digest(g.name, g.voters);
	add_group(p, &g);
}

uint16_t xr_config_digest(const char *name, uint32_t voters)
{
	static const struct xr_sip_key no_key; /* the datagram's tag is what protects it */
	__u64 words[XR_NAME_SIZE / sizeof(__u64)] = {0};
	struct xr_sip sip;
	uint64_t hash;

	memcpy(words, name, strnlen(name, XR_NAME_SIZE));
	xr_sip_init(&sip, &no_key);
	xr_sip_word(&sip, words[0]);
	xr_sip_word(&sip, words[1]);
	xr_sip_word(&sip, voters);
	hash = xr_sip_final(&sip, sizeof(words) + sizeof(__u64));
	hash ^= hash >> 32;
	hash ^= hash >> 16;
	return (uint16_t)hash ? (uint16_t)hash : 1;
}

/*
 * ---- lines ----
 */
static void read_heading(struct parse *p, const char *line)
{
	size_t len = strcspn(++line, "]");
	const char *rest;

	if (!line[len]) {
		fail(p, "the section's name does not end; close it with ]");
		return;
	}
	rest = skip_blanks(line + len + 1);
	if (*rest && *rest != '\n' && *rest != ';' && *rest != '#') {
		fail(p, "something follows the section's name; put it on a line of its own");
		return;
	}
	for (int i = CLUSTER; i < SECTION_END; i++) {
		if (strlen(section_names[i]) == len && !strncmp(line, section_names[i], len)) {
			p->section = i;
			if (!p->heading[i])
				p->heading[i] = p->line;
			return;
		}
	}
	fail(p, "there is no section [%.*s]; use cluster, self, timing, nodes or groups",
	     len < 40 ? (int)len : 40, line);
}

/*
 * libinih's reader, as fgets(): one line, without the blanks it begins with (libinih would take
 * it for a continuation). NULL at the end of the file and after an error.
 */
static char *next_line(char *line, int size, void *arg)
{
	struct parse *p = arg;
	int c, len = 0;

	if (p->err)
		return NULL;
	c = getc_unlocked(p->file);
	if (c != EOF)
		p->line++;
	for (; c != EOF; c = getc_unlocked(p->file)) {
		if (!len && c && strchr(BLANKS, c))
			continue;
		if (!c)
			fail(p, "the line holds a NUL byte; is this a text file");
		else if (len >= size - 2 && c != '\n')
			fail(p, "the line is longer than %d characters; shorten it", size - 2);
		if (p->err)
			return NULL;
		line[len++] = (char)c;
		if (c == '\n')
			break;
	}
	line[len] = 0;
	if (p->line == 1 && !strncmp(line, "\xef\xbb\xbf", 3))
		memmove(line, line + 3, (size_t)len - 2); /* a byte order mark */
	if (ferror(p->file))
		fail(p, "the file cannot be read (%m); give a text file");
	else if (line[0] == '[')
		read_heading(p, line);
	return p->err || (c == EOF && !len) ? NULL : line;
}

/* libinih's handler. What it returns is not looked at: errors are in p->err. */
static int take_pair(void *arg, const char *section, const char *name, const char *value)
{
	struct parse *p = arg;

	(void)section; /* read_heading() knows better: libinih cuts long names */
	if (p->err)
		return 1;
	if (p->section == NO_SECTION)
		fail(p, "\"%.40s\" stands before any section; begin with [cluster]", name);
	else if (!value[0])
		fail(p, "\"%.40s\" has no value; give it one or remove the line", name);
	else if (p->section == NODES)
		read_node(p, name, value);
	else if (p->section == GROUPS)
		read_group(p, name, value);
	else
		read_key(p, name, value);
	return 1;
}

static void read_lines(struct parse *p)
{
	_cleanup_file_ FILE *file = fopen(p->path, "re");
	int bad;

	if (!file) {
		p->err = xr_fail(p->why, EINVAL,
				 "%s: the file cannot be opened (%m); check its path and mode",
				 p->path);
		return;
	}
	p->file = file;
	bad = ini_parse_stream(next_line, p, take_pair, p);
	p->file = NULL;
	if (bad > 0 && (!p->err || bad < p->line)) {
		p->err = 0;
		fail_at(p, bad,
			"this is neither [section] nor NAME = VALUE; correct it, or begin a "
			"comment with #");
	}
}

/*
 * ---- the whole file ----
 */

/* Where to complain about what is not there: its section, or the end of the file. */
static int missing_line(const struct parse *p, enum section section)
{
	if (p->heading[section])
		return p->heading[section];
	return p->line ? p->line : 1;
}

static void check_present(struct parse *p)
{
	static const enum section required[] = {CLUSTER, SELF, NODES, GROUPS};
	const struct xr_config *c = p->c;

	for (unsigned int i = 0; i < ARRAY_SIZE(required); i++)
		if (!p->heading[required[i]])
			fail_at(p, missing_line(p, required[i]), "there is no section [%s]; add it",
				section_names[required[i]]);
	if (!p->key_line[KEY_NAME])
		fail_at(p, missing_line(p, CLUSTER), "the cluster has no name; add name = NAME");
	if (!p->key_line[KEY_NODE])
		fail_at(p, missing_line(p, SELF),
			"it is not said which node this is; add node = ID");
	if (!p->key_line[KEY_INTERFACE] && c->xdp != XR_XDP_OFF)
		fail_at(p, missing_line(p, SELF),
			"no interface is named; add interface = NAME, or xdp = off");
	if (p->key_line[KEY_KEY] && p->key_line[KEY_AUTH])
		fail_at(p, p->key_line[KEY_AUTH],
			"there are both a key and auth = none; remove one of the two");
	if (!p->key_line[KEY_KEY] && !p->key_line[KEY_AUTH])
		fail_at(p, missing_line(p, CLUSTER),
			"the cluster has no key; make one with \"xraft keygen FILE\" and add key = "
			"FILE, or write auth = none");
	if (!c->ngroups)
		fail_at(p, missing_line(p, GROUPS),
			"there is no group; add NAME = ID: VOTERS, as in \"main = 1: 1 2 3\"");
}

/*
 * A follower polls after four fifths of the minimum election timeout: by then a heartbeat that was
 * not lost has to have come.
 */
static void check_timing(struct parse *p)
{
	const struct xr_config *c = p->c;
	int line = p->key_line[KEY_HEARTBEAT];

	if (3ull * c->heartbeat_us > 2ull * c->min_timeout_us)
		fail_at(p, line ? line : p->key_line[KEY_ELECTION],
			"heartbeat_ms = %g%s is more than two thirds of the minimum election "
			"timeout; set heartbeat_ms to at most %g",
			c->heartbeat_us / 1000.0, line ? "" : " (the default)",
			c->min_timeout_us / 1500.0);
}

static void check_nodes(struct parse *p)
{
	const struct xr_config *c = p->c;
	uint32_t nodes = 0;

	for (int i = 1; i <= XR_NODE_MAX; i++)
		nodes |= (uint32_t)c->nodes[i].used << i;
	if (c->self && !c->nodes[c->self].used)
		fail_at(p, p->key_line[KEY_NODE],
			"this is node %d, which is not in [nodes]; add it there or correct the id",
			c->self);
	for (size_t i = 0; i < c->ngroups && !p->err; i++) {
		const struct xr_config_group *g = &c->groups[i];
		uint32_t unknown = g->voters & ~nodes;

		if (unknown)
			fail_at(p, g->line,
				"voter %d of group %s is not in [nodes]; add it there or correct "
				"the voters",
				__builtin_ctz(unknown), g->name);
	}
}

static int by_name(const void *a, const void *b)
{
	const struct xr_config_group *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : x->line - y->line;
}

static int compare_ids(const void *a, const void *b)
{
	const struct xr_config_group *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static int by_id(const void *a, const void *b)
{
	const struct xr_config_group *x = a, *y = b;
	int order = compare_ids(a, b);

	return order ? order : x->line - y->line;
}

/* Sorted, so that what is equal stands side by side; leaves them in the order of their ids. */
static void check_groups(struct parse *p)
{
	struct xr_config_group *g = p->c->groups;
	size_t n = p->c->ngroups;

	if (!n)
		return;
	qsort(g, n, sizeof(*g), by_name);
	for (size_t i = 1; i < n; i++)
		if (!strcmp(g[i - 1].name, g[i].name))
			fail_at(p, g[i].line,
				"group %s is already in line %d; rename one of the two", g[i].name,
				g[i - 1].line);
	qsort(g, n, sizeof(*g), by_id);
	for (size_t i = 1; i < n; i++)
		if (g[i - 1].id == g[i].id)
			fail_at(p, g[i].line,
				"group id %u is already that of %s in line %d; give each group its "
				"own",
				g[i].id, g[i - 1].name, g[i - 1].line);
}

static void set_defaults(struct xr_config *c)
{
	c->realtime = 20;
	c->min_timeout_us = 150000;
	c->max_timeout_us = 300000;
	c->heartbeat_us = 50000;
	c->stall_limit_us = 1000000;
	c->drift_permille = 100;
}

static void set_default_paths(struct xr_config *c)
{
	if (!c->state_dir[0])
		snprintf(c->state_dir, sizeof(c->state_dir), STATE_DIR "/%s.%d", c->cluster,
			 c->self);
	if (!c->socket[0])
		snprintf(c->socket, sizeof(c->socket), SOCKET_DIR "/%s.%d.sock", c->cluster,
			 c->self);
}

/*
 * ---- keys ----
 */

/* Another cluster with the same key file has other keys on the wire. */
static void derive_key(struct xr_config *c, uint8_t id, const uint8_t secret[KEY_BYTES])
{
	struct xr_key *key = &c->keys[c->nkeys++];
	char info[64];
	int len = snprintf(info, sizeof(info), "xraft wire 1%s", c->cluster);

	crypto_generichash((uint8_t *)&key->sip, sizeof(key->sip), (uint8_t *)info, (size_t)len,
			   secret, KEY_BYTES);
	key->used = 1;
	key->id = id;
}

/* "ID HEX", and perhaps a comment. */
static bool split_key_line(const char *s, uint32_t *id, uint8_t secret[KEY_BYTES])
{
	const char *end;
	size_t len;

	if (!take_number(&s, 255, id) || skip_blanks(s) == s)
		return false;
	s = skip_blanks(s);
	if (sodium_hex2bin(secret, KEY_BYTES, s, strlen(s), NULL, &len, &end) || len != KEY_BYTES)
		return false;
	end = skip_blanks(end);
	return !*end || *end == '#';
}

/* Nothing of the key appears in a message. */
static void read_key_line(struct parse *p, int line, const char *s)
{
	struct xr_config *c = p->c;
	uint8_t secret[KEY_BYTES];
	uint32_t id;

	if (!split_key_line(s, &id, secret))
		fail_in(p, c->key_file, line,
			"this is not an id from 0 to 255 and 64 hex digits; make a key with "
			"\"xraft keygen FILE\"");
	else if (sodium_is_zero(secret, sizeof(secret)))
		fail_in(p, c->key_file, line,
			"a key of zeros is no secret; make a key with \"xraft keygen FILE\"");
	else if (c->nkeys == 2)
		fail_in(p, c->key_file, line,
			"this is a third key; keep the one to send with and one other");
	else if (c->nkeys == 1 && (c->keys[0].id & 1) == (id & 1))
		fail_in(p, c->key_file, line,
			"the ids %d and %u are both %s; make one key's id odd and the other's even",
			c->keys[0].id, id, id & 1 ? "odd" : "even");
	else
		derive_key(c, (uint8_t)id, secret);
	sodium_memzero(secret, sizeof(secret));
}

static void read_key_text(struct parse *p, char *text)
{
	int number = 0;
	char *line;

	while ((line = strsep(&text, "\n")) && !p->err) {
		const char *s = skip_blanks(line);

		number++;
		if (*s && *s != '#')
			read_key_line(p, number, s);
	}
	if (!p->c->nkeys)
		fail_in(p, p->c->key_file, number,
			"the file holds no key; make one with \"xraft keygen FILE\"");
}

/* Complaints about the file as such stand at the line that names it. */
static void check_key_file(struct parse *p, int fd)
{
	int line = p->key_line[KEY_KEY];
	const char *path = p->c->key_file;
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		fail_at(p, line, "there is no key file %s; make one with \"xraft keygen %s\"", path,
			path);
	else if (fd < 0 || fstat(fd, &st))
		fail_at(p, line, "the key file %s cannot be opened (%m); check its path and owner",
			path);
	else if (!S_ISREG(st.st_mode))
		fail_at(p, line, "the key file %s is no regular file; name the file itself", path);
	else if (st.st_mode & 077)
		fail_at(p, line, "the key file %s is open to others (mode %03o); chmod 600 %s",
			path, st.st_mode & 0777, path);
	else if (st.st_size >= KEY_FILE_MAX)
		fail_at(p, line, "the key file %s has more than %d bytes; is it the right file",
			path, KEY_FILE_MAX);
}

/* By read() into one buffer that is wiped: stdio would leave copies of the key behind. */
static void read_key_file(struct parse *p)
{
	_cleanup_fd_ int fd = open(p->c->key_file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char text[KEY_FILE_MAX];
	ssize_t len;

	check_key_file(p, fd);
	if (p->err)
		return;
	len = read(fd, text, sizeof(text) - 1);
	if (len < 0) {
		fail_at(p, p->key_line[KEY_KEY],
			"the key file %s cannot be read (%m); check the disk", p->c->key_file);
		return;
	}
	text[len] = 0;
	read_key_text(p, text);
	sodium_memzero(text, sizeof(text));
}

static void make_keys(struct parse *p)
{
	static const uint8_t zeros[KEY_BYTES];

	if (sodium_init() < 0)
		fail_at(p, 0, "libsodium cannot start; check that the system has a random source");
	else if (p->c->auth_none)
		derive_key(p->c, 0, zeros);
	else
		read_key_file(p);
}

int xr_config_read(struct xr_config *c, const char *path, struct xr_why *why)
{
	static void (*const steps[])(struct parse *) = {read_lines,  check_present, check_timing,
							check_nodes, check_groups,  make_keys};
	struct parse p = {.c = c, .path = path, .why = why};

	memset(c, 0, sizeof(*c));
	set_defaults(c);
	for (unsigned int i = 0; i < ARRAY_SIZE(steps) && !p.err; i++)
		steps[i](&p);
	if (p.err)
		xr_config_free(c);
	else
		set_default_paths(c);
	return p.err;
}

const struct xr_config_group *xr_config_group(const struct xr_config *c, uint32_t id)
{
	struct xr_config_group key = {.id = id};

	return bsearch(&key, c->groups, c->ngroups, sizeof(key), compare_ids);
}

static bool is_new_group(const struct xr_config *c, const struct xr_config_group *g,
			 uint32_t ngroups)
{
	uint32_t known = 0;

	for (int node = 1; node <= XR_NODE_MAX; node++)
		known |= (uint32_t)c->nodes[node].used << node;
	return g->id < ngroups && !(g->voters & ~known) && !xr_config_group(c, g->id);
}

int xr_config_take(struct xr_config *c, const struct xr_config *fresh, uint32_t ngroups,
		   struct xr_why *why)
{
	size_t n = c->ngroups;
	struct xr_config_group *groups;

	/* Keys are derived from the cluster's name: those of another would fit no peer. */
	if (strcmp(fresh->cluster, c->cluster) || fresh->self != c->self)
		return xr_fail(why, -EINVAL,
			       "the file is now of node %u of cluster %s; restart xraftd",
			       fresh->self, fresh->cluster);
	groups = reallocarray(c->groups, n + fresh->ngroups + 1, sizeof(*groups));
	if (!groups)
		return xr_fail(why, -ENOMEM, "no memory for the groups");
	c->groups = groups;
	for (size_t i = 0; i < fresh->ngroups; i++)
		if (is_new_group(c, &fresh->groups[i], ngroups))
			c->groups[n++] = fresh->groups[i];
	n -= c->ngroups;
	c->ngroups += n;
	qsort(c->groups, c->ngroups, sizeof(*c->groups), by_id);
	memcpy(c->keys, fresh->keys, sizeof(c->keys));
	c->nkeys = fresh->nkeys;
	return (int)n;
}

void xr_config_free(struct xr_config *c)
{
	free(c->groups);
	sodium_memzero(c, sizeof(*c));
}
