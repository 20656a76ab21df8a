/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The few file operations the journal needs, as a table, so that tests and the simulator can put
 * a disk under it that tears, loses, fails and dies on purpose. Every operation returns 0 or more,
 * or a negative errno. `ctx` belongs to the maker of the table and is handed to each operation.
 */
#ifndef XRAFT_JOURNAL_DISK_H
#define XRAFT_JOURNAL_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum xr_disk_how {
	XR_DISK_EXISTING, /* -ENOENT when it is not there */
	XR_DISK_CREATE,	  /* made when it is not there */
	XR_DISK_FRESH,	  /* made, or emptied */
};

struct xr_disk {
	void *ctx;
	/* A folder as a handle; `create` makes it (0700), durably, if it is not there. */
	int (*open_dir)(void *ctx, const char *path, bool create);
	/* A file in that folder (0600) as a handle to read and write. */
	int (*open)(void *ctx, int dir, const char *name, enum xr_disk_how how);
	void (*close)(void *ctx, int fd);
	/* Both may do less than asked, and may return -EINTR: use the two functions below. */
	ssize_t (*pread)(void *ctx, int fd, void *buf, size_t bytes, uint64_t at);
	ssize_t (*pwrite)(void *ctx, int fd, const void *buf, size_t bytes, uint64_t at);
	int (*fdatasync)(void *ctx, int fd);
	int (*fsync_dir)(void *ctx, int dir);
	int (*rename)(void *ctx, int dir, const char *from, const char *to);
	int (*unlink)(void *ctx, int dir, const char *name);
	/* Exclusive, at once or -EWOULDBLOCK; held until the handle is closed. */
	int (*lock)(void *ctx, int fd);
	int64_t (*size)(void *ctx, int fd);
	/*
	 * Is `file` still what its name leads to, from `path` through the folder `dir`? -ENOENT: the
	 * name is gone; -ESTALE: it leads to another file, or the path to another folder.
	 */
	int (*in_place)(void *ctx, const char *path, int dir, const char *name, int file);
	/*
	 * Drop what the page cache holds of a file, so that the next read asks the medium. 1: some of
	 * it stays, as pages do that a process has mapped, and what is read may never have got there.
	 */
	int (*forget)(void *ctx, int fd);
};

/* The machine's own disk. */
extern const struct xr_disk xr_disk_real;

/* All of it or a negative errno; -ENODATA when the file ends first. */
int xr_disk_read_all(const struct xr_disk *d, int fd, void *buf, size_t bytes, uint64_t at);

/* All of it or a negative errno; a device that takes nothing more is -ENOSPC. */
int xr_disk_write_all(const struct xr_disk *d, int fd, const void *buf, size_t bytes, uint64_t at);

#endif
