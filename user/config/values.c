// SPDX-License-Identifier: GPL-2.0-only
/* The kinds of value that a setting has: how each is read, checked against its row, and shown. */
#include "config/private.h"

static void *place(struct xr_parse *p, const struct xr_setting *s)
{
	return (char *)p->c + s->at;
}

/*
 * ---- texts ----
 */
static void show_text(const struct xr_setting *s, const void *at, char *text, size_t size)
{
	(void)s;
	snprintf(text, size, "%s", (const char *)at);
}

static void read_name(struct xr_parse *p, const struct xr_setting *s, const char *value)
{
	if (!xr_scan_name(value, place(p, s)))
		fail(p, "\"%.40s\" is no %s; use %u to %u of A-Z a-z 0-9 _ -", value, s->what,
		     s->min, s->max);
}

static void read_path(struct xr_parse *p, const struct xr_setting *s, const char *value)
{
	if (value[0] != '/')
		fail(p, "%s = %.80s is not an absolute path; begin it with /", s->name, value);
	else if (strlen(value) > s->max)
		fail(p, "the path of %s is longer than %u bytes; choose a shorter one", s->name,
		     s->max);
	else
		strcpy(place(p, s), value);
}

static void read_interface(struct xr_parse *p, const struct xr_setting *s, const char *value)
{
	if (strlen(value) > s->max || strpbrk(value, "/ \t") || value[0] == '.')
		fail(p, "\"%.40s\" is no %s; \"ip link\" lists them", value, s->what);
	else
		strcpy(place(p, s), value);
}

static void read_user(struct xr_parse *p, const struct xr_setting *s, const char *value)
{
	if (strlen(value) > s->max)
		fail(p, "%s = %.40s is no %s; use one of at most %u characters", s->name, value,
		     s->what, s->max);
	else
		strcpy(place(p, s), value);
}

/*
 * ---- words and numbers ----
 */

/* In one byte or in four, as the field is. */
static void keep(struct xr_parse *p, const struct xr_setting *s, uint32_t n)
{
	if (s->size == sizeof(uint8_t))
		*(uint8_t *)place(p, s) = (uint8_t)n;
	else
		memcpy(place(p, s), &n, sizeof(n));
}

static uint32_t kept(const struct xr_setting *s, const void *at)
{
	uint32_t n;

	if (s->size == sizeof(uint8_t))
		return *(const uint8_t *)at;
	memcpy(&n, at, sizeof(n));
	return n;
}

static void read_word(struct xr_parse *p, const struct xr_setting *s, const char *value)
{
	char known[64] = "";

	for (uint32_t i = 0; s->words[i]; i++) {
		size_t len = strlen(known);

		if (!strcmp(value, s->words[i])) {
			keep(p, s, i);
			return;
		}
		snprintf(known + len, sizeof(known) - len, "%s%s",
			 !len		   ? ""
			 : s->words[i + 1] ? ", "
					   : " or ",
			 s->words[i]);
	}
	fail(p, "%s = %.40s is unknown; use %s", s->name, value, known);
}

static void show_word(const struct xr_setting *s, const void *at, char *text, size_t size)
{
	snprintf(text, size, "%s", s->words[kept(s, at)]);
}

static void read_number(struct xr_parse *p, const struct xr_setting *s, const char *value)
{
	uint32_t n;

	if (xr_scan_all_number(value, s->min, s->max, &n))
		keep(p, s, n);
	else
		fail(p, "%s = %.40s is no %s; use a whole number from %u to %u", s->name, value,
		     s->what, s->min, s->max);
}

static void show_number(const struct xr_setting *s, const void *at, char *text, size_t size)
{
	snprintf(text, size, "%u", kept(s, at));
}

/*
 * ---- durations: milliseconds in the file, microseconds in the program ----
 */
static void read_duration(struct xr_parse *p, const struct xr_setting *s, const char *value)
{
	const char *end = value;
	uint32_t us;

	if (xr_scan_ms(&end, &us) && !*end && us >= s->min && us <= s->max)
		keep(p, s, us);
	else
		fail(p, "%s = %.40s is no %s; use a number from %.7g to %.7g", s->name, value,
		     s->what, s->min / 1e3, s->max / 1e3);
}

static void show_duration(const struct xr_setting *s, const void *at, char *text, size_t size)
{
	snprintf(text, size, "%.9g", kept(s, at) / 1e3);
}

static bool scan_interval(const char *s, uint32_t us[2])
{
	if (!xr_scan_ms(&s, &us[0]))
		return false;
	s = xr_scan_blanks(s);
	if (*s != '-')
		return false;
	s = xr_scan_blanks(s + 1);
	return xr_scan_ms(&s, &us[1]) && !*s;
}

static void read_interval(struct xr_parse *p, const struct xr_setting *s, const char *value)
{
	uint32_t us[2];

	if (!scan_interval(value, us) || us[1] > s->max)
		fail(p, "%s = %.40s is no %s; write it as %s, up to %.7g %s", s->name, value,
		     s->what, s->preset, s->max / 1e3, s->unit);
	else if (us[0] > us[1])
		fail(p, "%s = %.40s ends before it begins; put the smaller number first", s->name,
		     value);
	else if (us[0] < s->min)
		fail(p, "%s = %.40s begins too early; begin it with at least %.7g", s->name, value,
		     s->min / 1e3);
	else
		memcpy(place(p, s), us, sizeof(us));
}

static void show_interval(const struct xr_setting *s, const void *at, char *text, size_t size)
{
	uint32_t us[2];

	(void)s;
	memcpy(us, at, sizeof(us));
	snprintf(text, size, "%.9g-%.9g", us[0] / 1e3, us[1] / 1e3);
}

/*
 * ---- seconds, or never ----
 */
static void read_seconds(struct xr_parse *p, const struct xr_setting *s, const char *value)
{
	uint32_t n = 0;

	if (!strcmp(value, "never") ||
	    xr_scan_all_number(value, s->min / s->type->scale, s->max / s->type->scale, &n))
		keep(p, s, n * s->type->scale);
	else
		fail(p, "%s = %.40s is no %s; use a whole number from %u to %u, or never", s->name,
		     value, s->what, s->min / s->type->scale, s->max / s->type->scale);
}

static void show_seconds(const struct xr_setting *s, const void *at, char *text, size_t size)
{
	uint32_t n = kept(s, at) / s->type->scale;

	if (n)
		snprintf(text, size, "%u", n);
	else
		snprintf(text, size, "never");
}

const struct xr_value_type xr_type_name = {"name", 1, read_name, show_text};
const struct xr_value_type xr_type_path = {"path", 1, read_path, show_text};
const struct xr_value_type xr_type_interface = {"interface", 1, read_interface, show_text};
const struct xr_value_type xr_type_user = {"user", 1, read_user, show_text};
const struct xr_value_type xr_type_word = {"word", 1, read_word, show_word};
const struct xr_value_type xr_type_number = {"number", 1, read_number, show_number};
const struct xr_value_type xr_type_duration = {"duration", 1000, read_duration, show_duration};
const struct xr_value_type xr_type_interval = {"interval", 1000, read_interval, show_interval};
const struct xr_value_type xr_type_seconds = {"seconds", 1000, read_seconds, show_seconds};
