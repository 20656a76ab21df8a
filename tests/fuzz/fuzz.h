/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzz targets share: bytes taken one by one, and a way to say what is broken. A target
 * is linked with libFuzzer, or with replay.c, which runs files through it.
 */
#ifndef XRAFT_TESTS_FUZZ_H
#define XRAFT_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SKIPPED 77 /* exit code of a target that this machine cannot run */

/* Once, before the first input. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
/* One input; returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *at;
	size_t left;
};

/* The next `size` bytes; zeros where the input has ended. */
static inline void take(struct input *in, void *out, size_t size)
{
	size_t n = size < in->left ? size : in->left;

	memset(out, 0, size);
	if (n)
		memcpy(out, in->at, n);
	in->at += n;
	in->left -= n;
}

static inline uint8_t take8(struct input *in)
{
	uint8_t v;

	take(in, &v, sizeof(v));
	return v;
}

static inline uint16_t take16(struct input *in)
{
	uint16_t v;

	take(in, &v, sizeof(v));
	return v;
}

static inline uint32_t take32(struct input *in)
{
	uint32_t v;

	take(in, &v, sizeof(v));
	return v;
}

static inline uint64_t take64(struct input *in)
{
	uint64_t v;

	take(in, &v, sizeof(v));
	return v;
}

/* An invariant, with the sentence that it breaks. */
#define must(condition, ...)                                                    \
	do {                                                                    \
		if (!(condition)) {                                             \
			fprintf(stderr, "%s:%d: broken: ", __FILE__, __LINE__); \
			fprintf(stderr, __VA_ARGS__);                           \
			fputc('\n', stderr);                                    \
			abort();                                                \
		}                                                               \
	} while (0)

#endif
