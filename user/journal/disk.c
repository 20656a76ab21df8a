// SPDX-License-Identifier: GPL-2.0-only
#include "journal/disk.h"

#include <fcntl.h>
#include <libgen.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#include "common/common.h"

static int result(int ret)
{
	return ret < 0 ? -errno : ret;
}

/*
 * With the folder above it, /var/lib/xraft on a clean machine, but no more: what is missing then may
 * be a disk. The name of a new folder is durable only when the folder above it is (rule 7).
 */
static int make_dir(const char *path, mode_t mode, int above)
{
	_cleanup_free_ char *copy = strdup(path);
	_cleanup_fd_ int parent = -1;
	const char *folder;
	int err = 0;

	if (!copy)
		return -ENOMEM;
	folder = dirname(copy);
	if (above && access(folder, F_OK) && errno == ENOENT)
		err = make_dir(folder, 0755, above - 1);
	if (err)
		return err;
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return -errno;
	parent = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return -errno;
	return result(fsync(parent));
}

static int real_open_dir(void *ctx, const char *path, bool create)
{
	int ret = create ? make_dir(path, 0700, 1) : 0;

	(void)ctx;
	if (ret < 0)
		return ret;
	return result(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int real_open(void *ctx, int dir, const char *name, enum xr_disk_how how)
{
	static const int flags[] = {
		[XR_DISK_EXISTING] = 0,
		[XR_DISK_CREATE] = O_CREAT,
		[XR_DISK_FRESH] = O_CREAT | O_TRUNC,
	};

	(void)ctx;
	return result(openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags[how], 0600));
}

static void real_close(void *ctx, int fd)
{
	(void)ctx;
	close(fd);
}

static ssize_t real_pread(void *ctx, int fd, void *buf, size_t bytes, uint64_t at)
{
	ssize_t n = pread(fd, buf, bytes, (off_t)at);

	(void)ctx;
	return n < 0 ? -errno : n;
}

static ssize_t real_pwrite(void *ctx, int fd, const void *buf, size_t bytes, uint64_t at)
{
	ssize_t n = pwrite(fd, buf, bytes, (off_t)at);

	(void)ctx;
	return n < 0 ? -errno : n;
}

static int real_fdatasync(void *ctx, int fd)
{
	(void)ctx;
	return result(fdatasync(fd));
}

static int real_fsync_dir(void *ctx, int dir)
{
	(void)ctx;
	return result(fsync(dir));
}

static int real_rename(void *ctx, int dir, const char *from, const char *to)
{
	(void)ctx;
	return result(renameat(dir, from, dir, to));
}

static int real_unlink(void *ctx, int dir, const char *name)
{
	(void)ctx;
	return result(unlinkat(dir, name, 0));
}

/* A process killed while it wrote holds its lock until the disk is done: wait a second for it. */
static int real_lock(void *ctx, int fd)
{
	int ret, tries = 20;

	(void)ctx;
	while ((ret = result(flock(fd, LOCK_EX | LOCK_NB))) == -EWOULDBLOCK && tries--)
		nanosleep(&(struct timespec){.tv_nsec = 50 * NS_PER_MS}, NULL);
	return ret;
}

static int64_t real_size(void *ctx, int fd)
{
	struct stat st;

	(void)ctx;
	return fstat(fd, &st) < 0 ? -errno : st.st_size;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* A path that may not be walked any more says nothing. */
static int real_in_place(void *ctx, const char *path, int dir, const char *name, int file)
{
	struct stat mine, there, folder, path_folder;

	(void)ctx;
	if (fstat(file, &mine) || fstat(dir, &folder))
		return -errno;
	if (fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW))
		return -errno;
	if (!is_same(&mine, &there))
		return -ESTALE;
	if (stat(path, &path_folder))
		return errno == ENOENT || errno == ENOTDIR ? -ENOENT : 0;
	return is_same(&folder, &path_folder) ? 0 : -ESTALE;
}

/* Pages of a file that are cached: 1, none: 0. Of a mapping that nobody touches the kernel tells. */
static int is_cached(int fd)
{
	unsigned char page[256];
	size_t chunk = sizeof(page) * (size_t)sysconf(_SC_PAGESIZE);
	int64_t bytes = real_size(NULL, fd);
	int ret = bytes < 0 ? (int)bytes : 0;

	for (int64_t at = 0; !ret && at < bytes; at += (int64_t)chunk) {
		void *map = mmap(NULL, chunk, PROT_READ, MAP_SHARED, fd, at);

		memset(page, 0, sizeof(page));
		if (map == MAP_FAILED)
			return -errno;
		ret = result(mincore(
			map, bytes - at < (int64_t)chunk ? (size_t)(bytes - at) : chunk, page));
		for (size_t i = 0; !ret && i < sizeof(page); i++)
			ret = page[i] & 1;
		munmap(map, chunk);
	}
	return ret;
}

/* The advice is no order: what others have mapped or locked stays. In memory there is no medium. */
static int real_forget(void *ctx, int fd)
{
	struct statfs fs;
	int ret = -posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);

	(void)ctx;
	if (ret || (!fstatfs(fd, &fs) && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC)))
		return ret;
	return is_cached(fd);
}

const struct xr_disk xr_disk_real = {
	.open_dir = real_open_dir,
	.open = real_open,
	.close = real_close,
	.pread = real_pread,
	.pwrite = real_pwrite,
	.fdatasync = real_fdatasync,
	.fsync_dir = real_fsync_dir,
	.rename = real_rename,
	.unlink = real_unlink,
	.lock = real_lock,
	.size = real_size,
	.in_place = real_in_place,
	.forget = real_forget,
};

int xr_disk_read_all(const struct xr_disk *d, int fd, void *buf, size_t bytes, uint64_t at)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t n = d->pread(d->ctx, fd, (char *)buf + done, bytes - done, at + done);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? (int)n : -ENODATA;
		done += (size_t)n;
	}
	return 0;
}

int xr_disk_write_all(const struct xr_disk *d, int fd, const void *buf, size_t bytes, uint64_t at)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t n = d->pwrite(d->ctx, fd, (const char *)buf + done, bytes - done,
				      at + done);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? (int)n : -ENOSPC;
		done += (size_t)n;
	}
	return 0;
}
