// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lines. libinih splits them into names and values; it is fed by a reader that counts them, so that
 * every complaint can name one.
 */
#include <ini.h>
#include "config/private.h"

static void read_heading(struct xr_parse *p, const char *line)
{
	size_t len = strcspn(++line, "]");
	const char *rest;

	if (!line[len]) {
		fail(p, "the section's name does not end; close it with ]");
		return;
	}
	rest = xr_scan_blanks(line + len + 1);
	if (*rest && *rest != '\n' && *rest != ';' && *rest != '#') {
		fail(p, "something follows the section's name; put it on a line of its own");
		return;
	}
	for (int i = XR_SECTION_CLUSTER; i < XR_SECTIONS; i++) {
		if (strlen(xr_section_names[i]) == len &&
		    !strncmp(line, xr_section_names[i], len)) {
			p->section = i;
			if (!p->heading[i])
				p->heading[i] = p->line;
			return;
		}
	}
	fail(p,
	     "there is no section [%.*s]; use cluster, self, timing, nodes, groups, "
	     "addresses, agent, http or hooks",
	     len < 40 ? (int)len : 40, line);
}

/*
 * libinih's reader, as fgets(): one line, without the blanks it begins with (libinih would take
 * it for a continuation). NULL at the end of the file and after an error.
 */
static char *next_line(char *line, int size, void *arg)
{
	struct xr_parse *p = arg;
	int c, len = 0;

	if (p->err)
		return NULL;
	c = getc_unlocked(p->file);
	if (c != EOF)
		p->line++;
	for (; c != EOF; c = getc_unlocked(p->file)) {
		if (!len && c && strchr(XR_BLANKS, c))
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

/*
 * libinih cuts a comment off where blank and ; stand, and nothing else. No value holds ; or #, and a
 * path that ends with a comment would name a folder that nobody means.
 */
static const char *explain_value(const char *value)
{
	const char *hash = strchr(value, '#');

	if (hash && (hash == value || strchr(XR_BLANKS, hash[-1])))
		return "a comment behind a value begins with ; as in \"50 ; ms\", and # begins one "
		       "only at the start of a line; write ; for the #";
	if (strchr(value, ';'))
		return "a comment behind a value needs a blank before its ; as in \"50 ; ms\"; add "
		       "the blank";
	if (value[0] == '"' || value[0] == '\'')
		return "values stand without quotes; remove them";
	return NULL;
}

/* libinih's handler. What it returns is not looked at: errors are in p->err. */
static int take_pair(void *arg, const char *section, const char *name, const char *value)
{
	const char *wrong = explain_value(value);
	struct xr_parse *p = arg;

	(void)section; /* read_heading() knows better: libinih cuts long names */
	if (p->err)
		return 1;
	if (p->section == XR_NO_SECTION)
		fail(p, "\"%.40s\" stands before any section; begin with [cluster]", name);
	else if (!value[0])
		fail(p, "\"%.40s\" has no value; give it one or remove the line", name);
	else if (wrong)
		fail(p, "%s", wrong);
	else if (p->section == XR_SECTION_NODES)
		xr_nodes_read(p, name, value);
	else if (p->section == XR_SECTION_GROUPS)
		xr_groups_read(p, name, value);
	else if (p->section == XR_SECTION_ADDRESSES)
		xr_addresses_read(p, name, value);
	else
		xr_settings_read(p, name, value);
	return 1;
}

void xr_lines_read(struct xr_parse *p)
{
	_cleanup_file_ FILE *file = fopen(p->path, "re");
	int bad;

	if (!file) {
		p->err = xr_fail(p->why, -EINVAL,
				 "%s: the file cannot be opened (%m); check its path and mode",
				 p->path);
		return;
	}
	if (xr_own_file(fileno(file), p->path, p->why)) {
		p->err = -EINVAL;
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
