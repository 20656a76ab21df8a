/* SPDX-License-Identifier: GPL-2.0-only */
/* What was looked at, and what is not as it should be, each with its remedy behind "; ". */
#ifndef XRAFT_FINDINGS_H
#define XRAFT_FINDINGS_H

#include "common/common.h"

enum xr_grade {
	XR_FINE,
	XR_UNWISE, /* it works, but worse than it could: said, and gone on */
	XR_WRONG,  /* it cannot work: refused */
};

struct xr_finding {
	enum xr_grade grade;
	const char *about; /* in a word */
	char text[400];
};

struct xr_findings {
	size_t n;
	struct xr_finding list[40];
};

__attribute__((format(printf, 4, 5))) static inline void xr_find(struct xr_findings *f,
								 enum xr_grade grade,
								 const char *about, const char *fmt,
								 ...)
{
	struct xr_finding *new = &f->list[f->n];
	va_list ap;

	if (f->n == ARRAY_SIZE(f->list))
		return;
	f->n++;
	new->grade = grade;
	new->about = about;
	va_start(ap, fmt);
	vsnprintf(new->text, sizeof(new->text), fmt, ap);
	va_end(ap);
}

/* The first that is wrong, or NULL. */
static inline const struct xr_finding *xr_findings_wrong(const struct xr_findings *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->list[i].grade == XR_WRONG)
			return &f->list[i];
	return NULL;
}

#endif
