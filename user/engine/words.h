/* SPDX-License-Identifier: GPL-2.0-only */
/* The words in which people read a report. */
#ifndef XRAFT_ENGINE_WORDS_H
#define XRAFT_ENGINE_WORDS_H

#include "engine/report.h"

struct xr_kind_words {
	const char *name; /* for programs */
	int level;	  /* as in syslog */
	const char *sentence;
};

struct xr_cause_words {
	const char *word; /* for programs */
	const char *sentence;
};

extern const struct xr_kind_words xr_kind_words[XR_REPORT_END];
extern const struct xr_cause_words xr_cause_words[XR_CAUSE_END];

/* What does not fit is cut. */
struct xr_text {
	size_t len;
	char s[1024];
};

__attribute__((format(printf, 2, 3))) void xr_text_add(struct xr_text *t, const char *fmt, ...);

/* Copy a sentence; where a {word} stands, `put` adds what it means. */
void xr_text_fill(struct xr_text *t, const char *sentence,
		  void (*put)(struct xr_text *t, const char *word, size_t len, const void *arg),
		  const void *arg);

/* The sentence of a report: one line, whatever a note holds. */
void xr_words_report(struct xr_text *t, const struct xr_report *r);

#endif
