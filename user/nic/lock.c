// SPDX-License-Identifier: GPL-2.0-only
/*
 * One daemon for each (cluster, node) of a bpffs. The pins are what a second one would fence, so the
 * lock lies beside them: whoever sees the same pins, from whatever network, mount or pid namespace,
 * meets the same lock. It is a folder, since bpffs has no files, and the kernel lets go of it with
 * the last process that holds it.
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include "nic/nic.h"

#define LOCKS XR_BPFFS_DIR "/lock"

int xr_nic_bpffs(struct xr_why *why)
{
	struct statfs fs;

	if (!statfs("/sys/fs/bpf", &fs) && fs.f_type != BPF_FS_MAGIC &&
	    mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=0711"))
		return xr_fail(why, -errno,
			       "cannot mount bpffs on /sys/fs/bpf: %m; run as root, or mount it: "
			       "mount -t bpf bpf /sys/fs/bpf");
	if (mkdir(XR_BPFFS_DIR, 0755) && errno != EEXIST)
		return xr_fail(why, -errno, "cannot create %s: %m; run as root", XR_BPFFS_DIR);
	chmod(XR_BPFFS_DIR, 0755); /* which nodes there are is no secret; each has its readers */
	return 0;
}

static void lock_path(char *path, size_t size, const struct xr_nic_opts *o)
{
	snprintf(path, size, LOCKS "/%s-%u", o->cluster, o->node);
}

/* Whoever took the lock, as this pid namespace knows it; 0: it does not. */
static pid_t holder(int fd)
{
	_cleanup_file_ FILE *f = fopen("/proc/locks", "re");
	char line[128], wanted[64];
	struct stat st;
	int pid;

	if (!f || fstat(fd, &st))
		return 0;
	snprintf(wanted, sizeof(wanted), " %02x:%02x:%llu ", major(st.st_dev), minor(st.st_dev),
		 (unsigned long long)st.st_ino);
	while (fgets(line, sizeof(line), f))
		if (strstr(line, wanted) && sscanf(line, "%*s FLOCK %*s %*s %d", &pid) == 1)
			return pid;
	return 0;
}

static int held(const struct xr_nic_opts *o, int fd, struct xr_why *why)
{
	pid_t pid = holder(fd);
	char who[64] = "a process of another pid namespace";

	if (pid > 0)
		snprintf(who, sizeof(who), "%s %d",
			 kill(pid, 0) && errno == ESRCH ? "a child of the dead process" : "process",
			 pid);
	return xr_fail(why, -EBUSY,
		       "node %u of cluster %s runs on this machine already: %s holds " LOCKS
		       "/%s-%u; stop that xraftd first, or give this node an id of its own",
		       o->node, o->cluster, who, o->cluster, o->node);
}

/* A process killed while it wrote holds its lock until the disk is done: wait a second for it. */
static int take(int fd)
{
	int tries = 20;

	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK || !tries--)
			return -errno;
		nanosleep(&(struct timespec){.tv_nsec = 50 * NS_PER_MS}, NULL);
	}
	return 0;
}

/* Is what is locked still what the next one finds? Its last holder has removed it, if not. */
static bool is_there(int fd, const char *path)
{
	struct stat mine, there;

	return !fstat(fd, &mine) && !stat(path, &there) && mine.st_ino == there.st_ino;
}

int xr_nic_lock(const struct xr_nic_opts *o, int *out, struct xr_why *why)
{
	bool optional = o->want == XR_XDP_OFF || o->want == XR_XDP_AUTO;
	char path[256];
	int err;

	*out = -1;
	lock_path(path, sizeof(path), o);
	while (!(err = xr_nic_bpffs(why))) {
		_cleanup_fd_ int fd = -1;

		if ((!mkdir(LOCKS, 0700) || errno == EEXIST) &&
		    (!mkdir(path, 0700) || errno == EEXIST))
			fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			continue; /* removed between the two */
		err = fd < 0 ? -errno : take(fd);
		if (fd < 0)
			xr_fail(why, err, "cannot lock %s: %s; run as root", path, strerror(-err));
		else if (err)
			held(o, fd, why);
		if (err)
			break;
		if (is_there(fd, path)) {
			*out = xr_steal_fd(&fd);
			return 0;
		}
	}
	if (!optional || (err != -EACCES && err != -EPERM))
		return err;
	if (why)
		why->text[0] =
			'\0'; /* who may not lock has no right to fence what is pinned, either */
	return 0;
}

int xr_nic_lock_again(const struct xr_nic_opts *o, int *fd, struct xr_why *why)
{
	char path[256];
	int fresh, err;

	lock_path(path, sizeof(path), o);
	if (*fd < 0 || is_there(*fd, path))
		return 0;
	err = xr_nic_lock(o, &fresh, why);
	if (err || fresh < 0)
		return err;
	xr_close_fd(fd);
	*fd = fresh;
	return 1;
}

void xr_nic_unlock(const struct xr_nic_opts *o, int *fd)
{
	char path[256];

	lock_path(path, sizeof(path), o);
	if (*fd >= 0 && !rmdir(path))
		rmdir(LOCKS); /* the last one does; whoever makes a lock meanwhile tries again */
	xr_close_fd(fd);
}
