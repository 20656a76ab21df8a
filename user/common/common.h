/* SPDX-License-Identifier: GPL-2.0-only */
/* What every module in user/ leans on: clock, cleanup by scope, errors with a sentence. */
#ifndef XRAFT_COMMON_H
#define XRAFT_COMMON_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_US 1000ull
#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull

/* Where the NIC path's answers do not arrive: for log, status and doctor. */
#define XR_PATH_REMEDY                                                                         \
	"set xdp = generic; or, for a VLAN, leave the tag in the frame (ethtool -K INTERFACE " \
	"rxvlan off); or, on a veth, load a native XDP program on the other end (pass.bpf.o)"

/*
 * Where a state lacks promises of its node, and nobody has those that it lacks: the machine keeps its
 * id, by another birth (rule 27). Its maps know the state that is lost, so they go first.
 */
#define XR_JOIN_ANEW                                                                             \
	"let this machine join anew: xraft detach, remove its state folder, xraftd --join, and " \
	"where the group is led xraft member remove and add (man xraftd, A DEAD MACHINE)"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* CLOCK_BOOTTIME, the clock of every stamp (rule 5): it does not stop in suspend. */
static inline uint64_t xr_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* The time of day, which people and NTP set. No rule counts by it. */
static inline uint64_t xr_wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/*
 * An error that a person can act on: what is wrong and what to do, in one sentence. A function
 * that takes one returns a negative errno and fills it; it does not log. The caller decides.
 * xr_fail() takes the negative errno that it returns.
 */
struct xr_why {
	char text[512];
};

__attribute__((format(printf, 3, 4))) static inline int xr_fail(struct xr_why *why, int err,
								const char *fmt, ...)
{
	va_list ap;

	if (why) {
		va_start(ap, fmt);
		vsnprintf(why->text, sizeof(why->text), fmt, ap);
		va_end(ap);
	}
	return err;
}

/* Cleanup by scope: a reader sees at the declaration that nothing leaks. An unset fd is -1. */
static inline void xr_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static inline void xr_free_ptr(void *p)
{
	free(*(void **)p);
}

static inline void xr_close_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define _cleanup_fd_   __attribute__((cleanup(xr_close_fd)))
#define _cleanup_free_ __attribute__((cleanup(xr_free_ptr)))
#define _cleanup_file_ __attribute__((cleanup(xr_close_file)))

/* Hand a resource on to the caller: the cleanup above then finds nothing to do. */
static inline int xr_steal_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#endif
