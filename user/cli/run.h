/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `xraft run`: a command that lives only while its node leads.
 *
 *   guard   what was started: waits for the runner, and ends what a dead runner leaves behind
 *   runner  its child: looks at the lease, starts the command, ends it before the lease does
 *   CMD     the runner's child, with all that descends from it: the tree
 *
 * Guard and runner are subreapers, so what loses its parent in the tree becomes theirs. A stopped
 * runner looks at nothing: a timer of the kernel kills it before the lease ends, and its death
 * kills CMD, whatever userspace is doing.
 */
#ifndef XRAFT_RUN_H
#define XRAFT_RUN_H

#include <signal.h>
#include <stdatomic.h>
#include <sys/types.h>
#include "cli/cli.h"

#define RUN_LOST 75 /* with --once, the lease was lost: "try again" in sysexits.h */

struct run {
	struct cli_node node;
	const char *group;
	char **command;
	uint64_t grace_ns;
	bool once;
	bool pid_namespace;
	_Atomic uint64_t
		*until_ns; /* shared with the command until it begins: when it has to end */
	int nice;	   /* of the command, as this was started */
	sigset_t signals;  /* that guard and runner wait for */
	sigset_t original; /* the mask that the command gets */
};

/* Ordinary work must not make this process late. */
void run_raise_priority(const struct run *r, bool tell);

/* user/cli/runner.c: the runner's process; returns its exit code. */
int run_runner(struct run *r);

/* user/cli/spawn.c */

/* The command, in its own process group, with its environment; -errno. It ends with this process. */
pid_t run_spawn(const struct run *r, uint64_t token);

/* Send SIGKILL to all that descends from this process. One pass: what forks meanwhile needs another. */
void run_kill_tree(void);

/* What a wait status becomes in a shell: the exit code, or 128 and the signal. */
int run_exit_code(int status);

/* One line on stderr, unless that would wait. */
__attribute__((format(printf, 2, 3))) void run_say(const struct run *r, const char *fmt, ...);

#endif
