// SPDX-License-Identifier: GPL-2.0-only
/* Words and numbers out of a line. */
#include <ctype.h>
#include "config/private.h"

#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

const char *xr_scan_blanks(const char *s)
{
	return s + strspn(s, XR_BLANKS);
}

/* Decimal digits, nothing else, up to `max`. */
bool xr_scan_number(const char **s, uint32_t max, uint32_t *out)
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

bool xr_scan_all_number(const char *s, uint32_t min, uint32_t max, uint32_t *out)
{
	return xr_scan_number(&s, max, out) && !*s && *out >= min;
}

/* Milliseconds with up to three decimals, as microseconds. */
bool xr_scan_ms(const char **s, uint32_t *us)
{
	uint32_t whole, unit = 100;

	if (!xr_scan_number(s, XR_MS_MAX, &whole))
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

bool xr_scan_name(const char *s, char name[XR_NAME_SIZE])
{
	size_t len = strspn(s, NAME_CHARS);

	if (!len || s[len] || len >= XR_NAME_SIZE)
		return false;
	memcpy(name, s, len + 1);
	return true;
}
