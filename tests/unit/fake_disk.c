// SPDX-License-Identifier: GPL-2.0-only
#include "fake_disk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR	512u
#define PAGE	4096u
#define INODES	40
#define NAMES	4
#define HANDLES 16
#define PENDING 16

enum { DIRTY = 1, BAD = 2, LOST = 4 }; /* of a sector */

struct inode {
	bool used;
	unsigned char *cache, *medium, *flags;
	size_t size, medium_size, room;
	int locked_by; /* handle, -1 = nobody */
};

/* One state of the folder: names and the inodes they stand for. */
struct folder {
	struct {
		char name[16];
		int inode; /* -1 = unused */
	} entry[NAMES];
};

struct fake_state {
	uint64_t seed;
	struct inode inode[INODES];
	struct folder durable;
	struct folder pending[PENDING]; /* after each unsynced change; the last one is current */
	int changes;
	bool exists;	     /* the folder */
	int handle[HANDLES]; /* inode, -1 = free, INODES = the folder */
};

uint64_t fake_rand(uint64_t *seed, uint64_t limit)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return (z ^ (z >> 31)) % limit;
}

static uint64_t chance(struct fake_disk *f, uint64_t limit)
{
	return fake_rand(&f->state->seed, limit);
}

static struct folder *current(struct fake_state *s)
{
	return s->changes ? &s->pending[s->changes - 1] : &s->durable;
}

static struct inode *find(struct fake_disk *f, const char *name)
{
	struct folder *dir = current(f->state);

	for (int i = 0; i < NAMES; i++)
		if (dir->entry[i].inode >= 0 && !strcmp(dir->entry[i].name, name))
			return &f->state->inode[dir->entry[i].inode];
	return NULL;
}

static bool in_folder(const struct folder *dir, int inode)
{
	for (int i = 0; i < NAMES; i++)
		if (dir->entry[i].inode == inode)
			return true;
	return false;
}

static void drop_unused_inodes(struct fake_state *s)
{
	for (int i = 0; i < INODES; i++) {
		bool used = in_folder(&s->durable, i);

		for (int p = 0; p < s->changes; p++)
			used |= in_folder(&s->pending[p], i);
		for (int h = 0; h < HANDLES; h++)
			used |= s->handle[h] == i;
		if (used || !s->inode[i].used)
			continue;
		free(s->inode[i].cache);
		free(s->inode[i].medium);
		free(s->inode[i].flags);
		memset(&s->inode[i], 0, sizeof(s->inode[i]));
	}
}

static int new_inode(struct fake_state *s)
{
	drop_unused_inodes(s);
	for (int i = 0; i < INODES; i++)
		if (!s->inode[i].used) {
			s->inode[i].used = true;
			s->inode[i].locked_by = -1;
			return i;
		}
	abort();
}

/* A new state of the folder, a copy of the current one, to be changed. */
static struct folder *change(struct fake_state *s)
{
	struct folder now = *current(s);

	if (s->changes == PENDING) { /* the kernel wrote the oldest ones on its own */
		s->durable = s->pending[0];
		memmove(s->pending, s->pending + 1, sizeof(s->pending[0]) * (PENDING - 1));
		s->changes--;
	}
	s->pending[s->changes] = now;
	return &s->pending[s->changes++];
}

static int new_handle(struct fake_state *s, int inode)
{
	for (int h = 0; h < HANDLES; h++)
		if (s->handle[h] < 0) {
			s->handle[h] = inode;
			return h;
		}
	return -EMFILE;
}

static void grow(struct inode *n, size_t size)
{
	size_t room = n->room ? n->room : 65536;

	while (room < size)
		room *= 2;
	if (size > n->room) {
		n->cache = realloc(n->cache, room);
		n->medium = realloc(n->medium, room);
		n->flags = realloc(n->flags, room / SECTOR);
		memset(n->cache + n->room, 0, room - n->room);
		memset(n->medium + n->room, 0, room - n->room);
		memset(n->flags + n->room / SECTOR, 0, (room - n->room) / SECTOR);
		n->room = room;
	}
	if (size > n->size)
		n->size = size;
}

/* Counts a call and decides its fate: 0 go on, 1 do half of it and die, or an errno. */
static int enter(struct fake_disk *f, enum fake_op op)
{
	unsigned long all, mine;

	if (f->down)
		return -EIO;
	all = atomic_fetch_add(&f->count[FAKE_ANY], 1) + 1;
	mine = atomic_fetch_add(&f->count[op], 1) + 1;
	if (f->crash_at && all == f->crash_at) {
		f->down = true;
		return 1;
	}
	if (f->fail_at && ((f->fail_op == op && mine == f->fail_at) ||
			   (f->fail_op == FAKE_ANY && all == f->fail_at)))
		return -f->fail_err;
	return 0;
}

static int fake_open_dir(void *ctx, const char *path, bool create)
{
	struct fake_disk *f = ctx;
	int fate = enter(f, FAKE_OPEN_DIR);

	(void)path;
	if (fate < 0)
		return fate;
	if (create && (!fate || chance(f, 2)))
		f->state->exists = true;
	if (fate)
		return -EIO;
	return f->state->exists ? new_handle(f->state, INODES) : -ENOENT;
}

static void empty(struct inode *n)
{
	n->size = 0;
	if (!n->room)
		return;
	memset(n->cache, 0, n->room);
	memset(n->flags, DIRTY, n->room / SECTOR);
}

static int make(struct fake_disk *f, const char *name)
{
	int inode = new_inode(f->state);
	struct folder *dir = change(f->state);

	for (int i = 0; i < NAMES; i++)
		if (dir->entry[i].inode < 0) {
			strcpy(dir->entry[i].name, name);
			dir->entry[i].inode = inode;
			return inode;
		}
	return -ENOSPC;
}

static int fake_open(void *ctx, int dir, const char *name, enum xr_disk_how how)
{
	struct fake_disk *f = ctx;
	struct inode *n = find(f, name);
	int fate = enter(f, FAKE_OPEN), inode;

	if (fate < 0 || (fate && chance(f, 2)))
		return fate < 0 ? fate : -EIO;
	if (f->state->handle[dir] != INODES)
		return -EBADF;
	if (!n && how == XR_DISK_EXISTING)
		return -ENOENT;
	if (n && how == XR_DISK_FRESH)
		empty(n);
	inode = n ? (int)(n - f->state->inode) : make(f, name);
	if (inode < 0 || fate)
		return inode < 0 ? inode : -EIO;
	return new_handle(f->state, inode);
}

static void fake_close(void *ctx, int fd)
{
	struct fake_disk *f = ctx;

	for (int i = 0; i < INODES; i++)
		if (f->state->inode[i].locked_by == fd)
			f->state->inode[i].locked_by = -1;
	f->state->handle[fd] = -1;
}

static struct inode *opened(struct fake_disk *f, int fd)
{
	return &f->state->inode[f->state->handle[fd]];
}

static ssize_t fake_pread(void *ctx, int fd, void *buf, size_t bytes, uint64_t at)
{
	struct fake_disk *f = ctx;
	struct inode *n = opened(f, fd);

	if (enter(f, FAKE_READ))
		return -EIO;
	if (f->short_io && !chance(f, 4))
		return -EINTR;
	if (at >= n->size)
		return 0;
	if (bytes > n->size - at)
		bytes = n->size - at;
	if (f->short_io && bytes)
		bytes = 1 + chance(f, bytes);
	for (size_t s = at / SECTOR; s * SECTOR < at + bytes; s++)
		if (n->flags[s] & BAD)
			return -EIO;
	memcpy(buf, n->cache + at, bytes);
	return (ssize_t)bytes;
}

static ssize_t fake_pwrite(void *ctx, int fd, const void *buf, size_t bytes, uint64_t at)
{
	struct fake_disk *f = ctx;
	struct inode *n = opened(f, fd);
	int fate = enter(f, FAKE_WRITE);
	bool lost = f->lose_write_at && f->count[FAKE_WRITE] == f->lose_write_at;

	if (f->short_io && !fate && !chance(f, 4))
		return -EINTR;
	if (fate)
		bytes = chance(f, bytes);
	else if (f->short_io)
		bytes = 1 + chance(f, bytes);
	if (bytes) {
		grow(n, at + bytes);
		memcpy(n->cache + at, buf, bytes);
		for (size_t s = at / SECTOR; s * SECTOR < at + bytes; s++)
			n->flags[s] = (n->flags[s] & ~(BAD | LOST)) | DIRTY | (lost ? LOST : 0);
	}
	if (fate)
		return fate < 0 ? fate : -EIO;
	return (ssize_t)bytes;
}

static void flush_sector(struct inode *n, size_t s, size_t bytes)
{
	if (!(n->flags[s] & LOST))
		memcpy(n->medium + s * SECTOR, n->cache + s * SECTOR, bytes);
}

/*
 * Unsynced sectors reach the medium, or not, or in part: each by itself, or whole pages at a time,
 * which is the rule in practice. All are clean afterwards, as far as the cache goes.
 */
static void flush(struct fake_disk *f, struct inode *n, enum fake_luck luck)
{
	bool pages = chance(f, 2);
	uint64_t fate = luck == FAKE_NONE_SURVIVE ? 2 : 0;

	for (size_t s = 0; s < n->room / SECTOR; s++) {
		if (luck == FAKE_MIXED && !pages)
			fate = chance(f, 3);
		else if (luck == FAKE_MIXED && s % (PAGE / SECTOR) == 0)
			fate = 2 * chance(f, 2);
		if (!(n->flags[s] & DIRTY))
			continue;
		if (fate < 2)
			flush_sector(n, s, fate ? chance(f, SECTOR) : SECTOR);
		n->flags[s] &= ~(DIRTY | LOST);
	}
	if (luck == FAKE_ALL_SURVIVE || (luck == FAKE_MIXED && chance(f, 2)))
		n->medium_size = n->size;
}

static int fake_fdatasync(void *ctx, int fd)
{
	struct fake_disk *f = ctx;
	int fate = enter(f, FAKE_SYNC);

	if (atomic_load(&f->gated)) {
		atomic_fetch_add(&f->waiting, 1);
		while (sem_wait(&f->gate) < 0)
			;
		atomic_fetch_sub(&f->waiting, 1);
	}
	if (!f->down || fate == 1)
		flush(f, opened(f, fd), fate ? FAKE_MIXED : FAKE_ALL_SURVIVE);
	return fate > 0 ? -EIO : fate;
}

/* The unsynced changes to the folder up to one of them. */
static void flush_dir(struct fake_disk *f, int changes)
{
	if (changes)
		f->state->durable = f->state->pending[changes - 1];
}

static int fake_fsync_dir(void *ctx, int dir)
{
	struct fake_disk *f = ctx;
	int fate = enter(f, FAKE_SYNC_DIR);

	if (f->state->handle[dir] != INODES)
		return -EBADF;
	if (fate)
		return fate < 0 ? fate : -EIO;
	flush_dir(f, f->state->changes);
	f->state->changes = 0;
	drop_unused_inodes(f->state);
	return 0;
}

static int fake_rename(void *ctx, int dir, const char *from, const char *to)
{
	struct fake_disk *f = ctx;
	int fate = enter(f, FAKE_RENAME);
	struct folder *now;

	(void)dir;
	if (fate < 0 || (fate && chance(f, 2)))
		return fate < 0 ? fate : -EIO;
	if (!find(f, from))
		return -ENOENT;
	now = change(f->state);
	for (int i = 0; i < NAMES; i++)
		if (now->entry[i].inode >= 0 && !strcmp(now->entry[i].name, to))
			now->entry[i].inode = -1;
	for (int i = 0; i < NAMES; i++)
		if (now->entry[i].inode >= 0 && !strcmp(now->entry[i].name, from))
			strcpy(now->entry[i].name, to);
	return fate ? -EIO : 0;
}

static int fake_unlink(void *ctx, int dir, const char *name)
{
	struct fake_disk *f = ctx;
	int fate = enter(f, FAKE_UNLINK);
	struct folder *now;

	(void)dir;
	if (fate < 0 || (fate && chance(f, 2)))
		return fate < 0 ? fate : -EIO;
	if (!find(f, name))
		return -ENOENT;
	now = change(f->state);
	for (int i = 0; i < NAMES; i++)
		if (now->entry[i].inode >= 0 && !strcmp(now->entry[i].name, name))
			now->entry[i].inode = -1;
	return fate ? -EIO : 0;
}

static int fake_lock(void *ctx, int fd)
{
	struct fake_disk *f = ctx;
	struct inode *n = opened(f, fd);
	int fate = enter(f, FAKE_LOCK);

	if (fate)
		return fate < 0 ? fate : -EIO;
	if (n->locked_by >= 0 && n->locked_by != fd)
		return -EWOULDBLOCK;
	n->locked_by = fd;
	return 0;
}

static int64_t fake_size(void *ctx, int fd)
{
	struct fake_disk *f = ctx;

	return enter(f, FAKE_SIZE) ? -EIO : (int64_t)opened(f, fd)->size;
}

/* No operation of a script: nothing comes between. */
static int fake_in_place(void *ctx, const char *path, int dir, const char *name, int file)
{
	struct fake_disk *f = ctx;
	const struct inode *there = find(f, name);

	(void)path, (void)dir;
	if (!there)
		return -ENOENT;
	return there == opened(f, file) ? 0 : -ESTALE;
}

/* Clean pages go; the next read sees what the medium holds. */
static int fake_forget(void *ctx, int fd)
{
	struct fake_disk *f = ctx;
	struct inode *n = opened(f, fd);

	if (enter(f, FAKE_FORGET))
		return -EIO;
	for (size_t s = 0; !f->mapped && s < n->room / SECTOR; s++)
		if (!(n->flags[s] & DIRTY))
			memcpy(n->cache + s * SECTOR, n->medium + s * SECTOR, SECTOR);
	return f->mapped;
}

struct fake_disk *fake_disk_new(uint64_t seed)
{
	struct fake_disk *f = calloc(1, sizeof(*f));

	f->ops = (struct xr_disk){
		.ctx = f,
		.open_dir = fake_open_dir,
		.open = fake_open,
		.close = fake_close,
		.pread = fake_pread,
		.pwrite = fake_pwrite,
		.fdatasync = fake_fdatasync,
		.fsync_dir = fake_fsync_dir,
		.rename = fake_rename,
		.unlink = fake_unlink,
		.lock = fake_lock,
		.size = fake_size,
		.in_place = fake_in_place,
		.forget = fake_forget,
	};
	sem_init(&f->gate, 0, 0);
	f->state = calloc(1, sizeof(*f->state));
	f->state->seed = seed;
	memset(f->state->handle, 0xff, sizeof(f->state->handle));
	for (int i = 0; i < NAMES; i++)
		f->state->durable.entry[i].inode = -1;
	return f;
}

void fake_disk_restart(struct fake_disk *f)
{
	struct fake_state *s = f->state;

	memset(s->handle, 0xff, sizeof(s->handle));
	for (int i = 0; i < INODES; i++)
		s->inode[i].locked_by = -1;
	f->down = false;
	f->crash_at = f->fail_at = f->lose_write_at = 0;
	drop_unused_inodes(s);
}

void fake_disk_power_cut(struct fake_disk *f)
{
	struct fake_state *s = f->state;

	for (int i = 0; i < INODES; i++) {
		struct inode *n = &s->inode[i];

		if (!n->used)
			continue;
		flush(f, n, f->luck);
		n->size = n->medium_size;
		if (n->size < n->room)
			memset(n->medium + n->size, 0, n->room - n->size);
		if (n->room)
			memcpy(n->cache, n->medium, n->room);
	}
	if (f->luck == FAKE_ALL_SURVIVE)
		flush_dir(f, s->changes);
	else if (f->luck == FAKE_MIXED)
		flush_dir(f, (int)chance(f, (uint64_t)s->changes + 1));
	s->changes = 0;
	fake_disk_restart(f);
}

void fake_disk_free(struct fake_disk *f)
{
	for (int i = 0; i < INODES; i++) {
		free(f->state->inode[i].cache);
		free(f->state->inode[i].medium);
		free(f->state->inode[i].flags);
	}
	sem_destroy(&f->gate);
	free(f->state);
	free(f);
}

size_t fake_disk_size(struct fake_disk *f, const char *name)
{
	struct inode *n = find(f, name);

	return n ? n->size : 0;
}

bool fake_disk_peek(struct fake_disk *f, const char *name, void *buf, size_t bytes, size_t at)
{
	struct inode *n = find(f, name);

	if (!n || at + bytes > n->size)
		return false;
	memcpy(buf, n->medium + at, bytes);
	return true;
}

void fake_disk_poke(struct fake_disk *f, const char *name, const void *buf, size_t bytes, size_t at)
{
	struct inode *n = find(f, name);

	memcpy(n->cache + at, buf, bytes);
	memcpy(n->medium + at, buf, bytes);
}

void fake_disk_flip(struct fake_disk *f, const char *name, size_t byte, unsigned int bit)
{
	struct inode *n = find(f, name);

	n->cache[byte] ^= 1u << bit;
	n->medium[byte] = n->cache[byte];
}

void fake_disk_cut(struct fake_disk *f, const char *name, size_t bytes)
{
	struct inode *n = find(f, name);

	n->size = n->medium_size = bytes;
}

void fake_disk_spoil(struct fake_disk *f, const char *name, size_t bytes, size_t at)
{
	struct inode *n = find(f, name);

	for (size_t s = at / SECTOR; s * SECTOR < at + bytes; s++)
		n->flags[s] |= BAD;
}
