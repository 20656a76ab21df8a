/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of user/config/ share; nobody else includes it. */
#ifndef XRAFT_CONFIG_PRIVATE_H
#define XRAFT_CONFIG_PRIVATE_H

#include <string.h>
#include "config/config.h"

#define XR_BLANKS " \t\r"
#define XR_MS_MAX 600000 /* of any duration: ten minutes */

enum xr_section {
	XR_NO_SECTION,
	XR_SECTION_CLUSTER,
	XR_SECTION_SELF,
	XR_SECTION_TIMING,
	XR_SECTION_NODES,
	XR_SECTION_GROUPS,
	XR_SECTION_ADDRESSES,
	XR_SECTION_AGENT,
	XR_SECTION_HTTP,
	XR_SECTION_HOOKS,
	XR_SECTIONS
};

extern const char *const xr_section_names[XR_SECTIONS];

/* A setting is a key of the file; the word key is left to the secrets. */
enum xr_setting_id {
	XR_SET_NAME,
	XR_SET_KEY,
	XR_SET_AUTH,
	XR_SET_NODE,
	XR_SET_INTERFACE,
	XR_SET_XDP,
	XR_SET_STATE,
	XR_SET_SOCKET,
	XR_SET_USER,
	XR_SET_GROUP,
	XR_SET_REALTIME,
	XR_SET_VALUE,
	XR_SET_ELECTION,
	XR_SET_HEARTBEAT,
	XR_SET_STALL,
	XR_SET_DRIFT,
	XR_SET_FAILBACK,
	XR_SET_AGENT_USER,
	XR_SET_HTTP_LISTEN,
	XR_SET_HOOK_BECOME,
	XR_SET_HOOK_LOSE,
	XR_SET_HOOK_NEW,
	XR_SET_HOOK_QUORUM,
	XR_SET_HOOK_VALUE,
	XR_SET_HOOK_USER,
	XR_SET_HOOK_LIMIT,
	XR_SETTINGS
};

/* One reading of one file. */
struct xr_parse {
	struct xr_config *c;
	const char *path;
	FILE *file;
	struct xr_why *why;
	int err; /* of the first error, which is the one that is told */
	int line;
	enum xr_section section;
	int heading[XR_SECTIONS];      /* line of [section], 0: not there */
	int setting_line[XR_SETTINGS]; /* line of the setting, 0: not there */
	int node_line[XR_NODE_MAX + 1];
	size_t room; /* for groups */
	char address_group[XR_ADDRESSES_MAX][XR_NAME_SIZE];
	int address_line[XR_ADDRESSES_MAX];
};

__attribute__((format(printf, 3, 4))) void xr_parse_fail(struct xr_parse *p, int line,
							 const char *fmt, ...);

#define fail_at(p, line, ...) xr_parse_fail(p, line, __VA_ARGS__)
#define fail(p, ...)	      fail_at(p, (p)->line, __VA_ARGS__)

struct xr_setting;

/* values.c: how a kind of value is read and shown. */
struct xr_value_type {
	const char *name;
	uint32_t scale; /* of minimum and maximum: how many of what is kept make one of the unit */
	void (*read)(struct xr_parse *p, const struct xr_setting *s, const char *value);
	void (*show)(const struct xr_setting *s, const void *at, char *text, size_t size);
};

extern const struct xr_value_type xr_type_name, xr_type_path, xr_type_interface, xr_type_user,
	xr_type_word, xr_type_number, xr_type_duration, xr_type_interval, xr_type_listen,
	xr_type_seconds;

/* What differs, as a list of names. */
struct xr_names {
	struct xr_why *text;
	int n, left_out; /* those for which there was no room */
};

__attribute__((format(printf, 2, 3))) void xr_names_add(struct xr_names *names, const char *fmt,
							...);
/*
 * nodes.c: the nodes that a reload leaves. All that `fresh` has, unless it moves this node itself, whose
 * socket and NIC path are bound to its address: then all as they are.
 */
const struct xr_peer *xr_nodes_taken(const struct xr_config *c, const struct xr_config *fresh);

/* nodes.c, groups.c: for xr_config_differs(). */
void xr_nodes_differ(const struct xr_config *c, const struct xr_config *fresh,
		     struct xr_names *names);
int xr_groups_differ(const struct xr_config *c, const struct xr_config *fresh, uint32_t ngroups,
		     struct xr_names *names, struct xr_why *why);

/* A row of the table in settings.c. */
struct xr_setting {
	enum xr_section section;
	const char *name;
	const struct xr_value_type *type;
	size_t at, size; /* in struct xr_config */
	const char *unit;
	uint32_t min, max;	  /* in what is kept: microseconds for durations */
	const char *const *words; /* of a word, by value, ends with NULL; "": cannot be written */
	const char *preset;	  /* the default, as a file would say it; NULL: there is none */
	const char *unset;	  /* without a default: what it means that it is not there */
	const char *what;	  /* in complaints: "is no ..." */
	const char *text;	  /* what it is, in a line */
};

/* scan.c: take a number at *s and move *s behind it, or read one that is all of s. */
const char *xr_scan_blanks(const char *s);
bool xr_scan_number(const char **s, uint32_t max, uint32_t *out);
bool xr_scan_ms(const char **s, uint32_t *us);
bool xr_scan_all_number(const char *s, uint32_t min, uint32_t max, uint32_t *out);
bool xr_scan_name(const char *s, char name[XR_NAME_SIZE]);

/* nodes.c: an address, IPv4 as ::ffff:a.b.c.d; and why no machine can have it, or NULL. */
bool xr_split_address(const char *value, char *host, size_t size, const char **port);
bool xr_read_ip(const char *host, struct xr_peer *node);
const char *xr_useless_ip(const struct xr_peer *node);

/* What root believes, nobody else may change: -EPERM, and "FILE: sentence". */
int xr_own_file(int fd, const char *path, struct xr_why *why);

/* The rest: one step each of xr_config_read(). They say what is wrong by fail(). */
void xr_lines_read(struct xr_parse *p);
void xr_settings_read(struct xr_parse *p, const char *name, const char *value);
void xr_settings_fill(struct xr_parse *p);
void xr_nodes_read(struct xr_parse *p, const char *name, const char *value);
void xr_groups_read(struct xr_parse *p, const char *name, const char *value);
void xr_groups_check(struct xr_parse *p);
void xr_addresses_read(struct xr_parse *p, const char *name, const char *value);
void xr_addresses_check(struct xr_parse *p);
void xr_check_present(struct xr_parse *p);
void xr_check_timing(struct xr_parse *p);
void xr_check_nodes(struct xr_parse *p);

#endif
