/* SPDX-License-Identifier: GPL-2.0-only */
/* A thread beside the election thread: no signal is ever handled on it. */
#ifndef XRAFT_THREAD_H
#define XRAFT_THREAD_H

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>

/*
 * SCHED_FIFO at `priority`, or ordinary where that is 0 or refused, whatever its creator's is.
 * Stacks are small, since the daemon locks its memory. Returns 0 or an errno, positive, as
 * pthread_create does.
 */
static inline int xr_thread_start(pthread_t *thread, const char *name, int priority,
				  size_t stack_bytes, void *(*run)(void *), void *arg)
{
	struct sched_param param = {.sched_priority = priority};
	pthread_attr_t attr;
	sigset_t all;
	int err = pthread_attr_init(&attr);

	if (err)
		return err;
	sigfillset(&all);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, priority ? SCHED_FIFO : SCHED_OTHER);
	pthread_attr_setschedparam(&attr, &param);
	pthread_attr_setsigmask_np(&attr, &all);
	pthread_attr_setstacksize(&attr, stack_bytes);
	err = pthread_create(thread, &attr, run, arg);
	pthread_attr_destroy(&attr);
	if (err == EPERM && priority)
		return xr_thread_start(thread, name, 0, stack_bytes, run, arg);
	if (!err)
		pthread_setname_np(*thread, name);
	return err;
}

#endif
