// SPDX-License-Identifier: GPL-2.0-only
#include <cap-ng.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include "daemon/rights.h"

int xr_rights_own(const struct xr_user *user, const char *dir, struct xr_why *why)
{
	const struct dirent *entry;
	DIR *folder;
	int err = 0;

	if (geteuid())
		return 0;
	folder = opendir(dir);
	if (!folder)
		return xr_fail(why, -errno, "cannot open %s: %m", dir);
	if (fchown(dirfd(folder), user->uid, user->gid))
		err = -errno;
	while (!err && (entry = readdir(folder))) {
		struct stat st;

		if (!fstatat(dirfd(folder), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
		    S_ISREG(st.st_mode) &&
		    fchownat(dirfd(folder), entry->d_name, user->uid, user->gid,
			     AT_SYMLINK_NOFOLLOW))
			err = -errno;
	}
	closedir(folder);
	if (err)
		return xr_fail(why, err, "cannot give %s to user %s: %s", dir, user->name,
			       strerror(-err));
	return 0;
}

/* The reason stands beside each kind; what is not here is refused (EPERM). */
static const int allowed[] = {
	/* time, memory, threads; those of libmicrohttpd come and go */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(brk),
	SCMP_SYS(mmap),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(futex),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_setscheduler),
	SCMP_SYS(sched_setparam),
	SCMP_SYS(sched_getparam),
	SCMP_SYS(sched_getscheduler),
	SCMP_SYS(getpid),
	SCMP_SYS(getppid),
	SCMP_SYS(gettid),
	SCMP_SYS(tgkill),
	SCMP_SYS(getrandom),
	SCMP_SYS(restart_syscall),
	/* signals */
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(signalfd4),
	SCMP_SYS(kill),
	/* sockets that exist, and those that the API's listener accepts */
	SCMP_SYS(sendto),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg),
	SCMP_SYS(accept4),
	SCMP_SYS(shutdown),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	SCMP_SYS(sendfile),
	/* the loop */
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(timerfd_create),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(eventfd2),
	SCMP_SYS(ioctl),
	/* the journal and its compaction; /proc, for whether a process lives; what is printed */
	SCMP_SYS(openat),
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(close),
	SCMP_SYS(lseek),
	SCMP_SYS(fdatasync),
	SCMP_SYS(fsync),
	SCMP_SYS(fallocate),
	SCMP_SYS(ftruncate),
	SCMP_SYS(fadvise64),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(fstatfs),
	SCMP_SYS(flock),
	SCMP_SYS(fcntl),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	/* a thread's name; how priorities and stacks are asked for */
	SCMP_SYS(prctl),
	SCMP_SYS(prlimit64),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
};

static int allow(scmp_filter_ctx filter)
{
	static const int bpf_commands[] = {BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_ELEM,
					   BPF_MAP_GET_NEXT_KEY};
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(allowed) && !err; i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	/* Threads, but no processes and no namespaces. */
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				       SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	/* Memory may not become code. */
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/* Counters are read and keys written through descriptors that it holds. */
	for (size_t i = 0; i < ARRAY_SIZE(bpf_commands) && !err; i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(bpf), 1,
				       SCMP_A0(SCMP_CMP_EQ, bpf_commands[i]));
	/* glibc falls back to clone() where this one does not exist. */
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return err;
}

static int filter_calls(struct xr_why *why)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err = filter ? seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) : -ENOMEM;

	if (!err)
		err = allow(filter);
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	if (err)
		return xr_fail(why, err, "the kernel refuses the engine's seccomp filter: %s",
			       strerror(-err));
	return 0;
}

/* Threads other than this one lose their capabilities with the user id; so they keep none. */
static int become(const struct xr_user *user, struct xr_why *why)
{
	int err;

	if (geteuid() || !user->uid)
		return 0;
	capng_clear(CAPNG_SELECT_ALL);
	err = capng_change_id((int)user->uid, (int)user->gid,
			      CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
	if (err)
		return xr_fail(why, -EPERM,
			       "cannot become user %s (libcap-ng: %d): %m; it takes CAP_SETUID, "
			       "CAP_SETGID and CAP_SETPCAP",
			       user->name, err);
	return 0;
}

int xr_rights_drop(const struct xr_user *user, struct xr_why *why)
{
	int err = become(user, why);

	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err = xr_fail(why, -errno, "cannot renounce new privileges: %m");
	return err ? err : filter_calls(why);
}
