/* SPDX-License-Identifier: GPL-2.0-only */
/* The one rig of a test program, and what to do when there can be none. */
#ifndef XRAFT_TESTS_NEED_H
#define XRAFT_TESTS_NEED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sodium.h>
#include "rig.h"

static struct rig rig;
static struct xr_why rig_why;
static int rig_error;

/* First line of each test: no rights is a reason to skip, and to say so; all else is a failure. */
static inline void need_rig(void)
{
	if (rig_error == -EPERM || rig_error == -EACCES) {
		print_message("SKIP: %s (needs root: network namespaces and BPF)\n", rig_why.text);
		skip();
	}
	if (rig_error)
		fail_msg("%s", rig_why.text);
}

/* Opens the object that argv[1] or XR_BPF_OBJECT names. */
static inline void open_rig(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : getenv("XR_BPF_OBJECT");

	if (!path || sodium_init() < 0) {
		fprintf(stderr, "usage: %s xraft.bpf.o (or set XR_BPF_OBJECT)\n", argv[0]);
		exit(2);
	}
	rig_error = rig_open(&rig, path, &rig_why);
}

/* What main() returns: 77 is "skipped". */
static inline int close_rig(int failed)
{
	rig_close(&rig);
	return rig_error == -EPERM || rig_error == -EACCES ? 77 : failed;
}

#endif
