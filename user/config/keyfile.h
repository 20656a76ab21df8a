/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The key file: at most two lines "ID HEX", and comments. The first secret is sent with, both are
 * accepted. Sentences hold nothing of a secret.
 */
#ifndef XRAFT_KEYFILE_H
#define XRAFT_KEYFILE_H

#include "common/common.h"
#include "xraft/maps.h"

struct xr_secret {
	uint8_t id;
	uint8_t bytes[32];
};

struct xr_keyfile {
	struct xr_secret secrets[2];
	int n;
};

/* Opened only where it is a regular file that nobody else may read. */
int xr_keyfile_open(const char *path, struct xr_why *why);

/* -EINVAL and "FILE:LINE: what is wrong; what to do". */
int xr_keyfile_read(struct xr_keyfile *k, int fd, const char *path, struct xr_why *why);

/* A new file, or a new one in place of the old: a reader finds one of the two, whole. */
int xr_keyfile_create(const struct xr_keyfile *k, const char *path, struct xr_why *why);
int xr_keyfile_replace(const struct xr_keyfile *k, const char *path, struct xr_why *why);

/* A random secret: the first, or the second, in place of an old one. Returns its id. */
uint8_t xr_keyfile_add(struct xr_keyfile *k);

void xr_keyfile_forget(struct xr_keyfile *k);

/* What is on the wire: another cluster with the same key file has other keys there. */
void xr_secret_derive(const struct xr_secret *s, const char *cluster, struct xr_key *key);

#endif
