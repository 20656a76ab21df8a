/* SPDX-License-Identifier: GPL-2.0-only */
/* `xraft doctor`: a list of checks. Each adds one or more findings; none changes anything, unless `try`. */
#ifndef XRAFT_DOCTOR_H
#define XRAFT_DOCTOR_H

#include "cli/cli.h"
#include "machine/machine.h"

enum doctor_result { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

struct doctor {
	struct xr_config config;
	bool configured; /* `config` holds */
	const char *config_path;
	const char *interface; /* "" where it is not known */
	bool try;	       /* attach a program for a moment */
	bool want_xdp;	       /* false: the configuration says xdp = off */
	json_t *checks;
	int failed;
};

/* `remedy`: what to do, "" where nothing is to be done. */
__attribute__((format(printf, 5, 6))) void doctor_add(struct doctor *d, const char *name,
						      enum doctor_result result, const char *remedy,
						      const char *found, ...);

/* user/cli/doctor_system.c */
void doctor_kernel(struct doctor *d);
void doctor_rights(struct doctor *d);
void doctor_bpffs(struct doctor *d);
void doctor_clock(struct doctor *d);
void doctor_realtime(struct doctor *d);
void doctor_disk(struct doctor *d);

/* Has this process a right? */
bool doctor_has(int capability);

/* user/cli/doctor_cluster.c: all nodes, as they tell a daemon here. Returns an exit code. */
int doctor_cluster(const struct cli *cli, bool as_json);

/* user/cli/features.c: NETDEV_XDP_ACT_* of the driver; -EOPNOTSUPP: this kernel does not say. */
int64_t doctor_xdp_features(unsigned int ifindex);

/* user/cli/doctor_nic.c */
void doctor_xdp(struct doctor *d);
void doctor_interface(struct doctor *d);

#endif
