/* SPDX-License-Identifier: GPL-2.0-only */
/* The configuration file of a node, for the daemon, the command and the tests. */
#ifndef XRAFT_CONFIG_H
#define XRAFT_CONFIG_H

#include <limits.h>
#include <net/if.h>
#include "common/common.h"
#include "common/findings.h"
#include "nic/nic.h"
#include "xraft/maps.h"

struct xr_config_group {
	uint32_t id;
	uint32_t voters; /* bit n: node n */
	uint16_t digest; /* of name and voters, xr_config_digest() */
	char name[XR_NAME_SIZE];
	int line; /* of the file, for messages */
};

#define XR_ADDRESSES_MAX 64
#define XR_HTTP_PORT	 7070

enum xr_hook {
	XR_HOOK_BECOME,
	XR_HOOK_LOSE,
	XR_HOOK_NEW,
	XR_HOOK_QUORUM,
	XR_HOOK_VALUE,
	XR_HOOKS,
};

struct xr_config {
	char cluster[XR_NAME_SIZE];
	char key_file[PATH_MAX];
	bool auth_none;
	struct xr_key
		keys[2]; /* derived from the key file and the cluster's name; sends with [0] */
	int nkeys;

	uint8_t self;
	char interface[IF_NAMESIZE];
	enum xr_xdp xdp;
	char state_dir[PATH_MAX];
	char socket[PATH_MAX];
	char user[32];	      /* that the engine becomes; "": xraft */
	char group[32];	      /* whose members may read; "": xraft, if there is one */
	int realtime;	      /* SCHED_FIFO priority, 0 = ordinary */
	uint32_t value_bytes; /* room for a group's value in the maps */

	struct xr_peer nodes[XR_NODE_MAX + 1]; /* by id; .used where it exists */

	uint32_t min_timeout_us, max_timeout_us, heartbeat_us, stall_limit_us, drift_permille;
	uint32_t failback_ms; /* 0: never */

	struct xr_config_group *groups; /* owned; sorted by id */
	size_t ngroups;

	struct xr_nic_address addresses[XR_ADDRESSES_MAX];
	size_t naddresses;
	struct xr_peer http;		/* where the agent listens; .used: at all */
	char hooks[XR_HOOKS][PATH_MAX]; /* programs that the agent calls; "": none */
	char hook_user[32];		/* as whom; "": as the agent */
	uint32_t hook_limit_us;
	char agent_user[32]; /* that the agent becomes; "": as the engine */

	uint32_t given; /* bit n: the file sets what stands in row n of the table of keys */
};

/* Read and validate. -EINVAL and a sentence "FILE:LINE: what is wrong; what to do". */
int xr_config_read(struct xr_config *c, const char *path, struct xr_why *why);
void xr_config_free(struct xr_config *c);

/* What it says and had better not: each XR_UNWISE. What is refused, xr_config_read() has said. */
void xr_config_unwise(const struct xr_config *c, struct xr_findings *f);

bool xr_config_is_ipv4(const struct xr_peer *node);
bool xr_config_is_loopback(const struct xr_peer *node);

/* Bit n: node n is a witness, which votes and never leads. */
uint32_t xr_config_witnesses(const struct xr_config *c);

/* Does it ask for something that the agent does? */
bool xr_config_wants_agent(const struct xr_config *c);

bool xr_config_has_hooks(const struct xr_config *c);

/* The group of this id, or NULL. */
const struct xr_config_group *xr_config_group(const struct xr_config *c, uint32_t id);

/*
 * Take over from `fresh` what may change without a restart: the keys, the nodes unless it moves this one,
 * and groups under ids that are new and below `ngroups`. Returns how many groups came; -EINVAL and
 * a sentence where the file is another node's by now, -ENOMEM. Then nothing has changed.
 */
int xr_config_take(struct xr_config *c, const struct xr_config *fresh, uint32_t ngroups,
		   struct xr_why *why);

/*
 * What `fresh` says otherwise and a reload does not take: "election_ms, node 3: need a restart", into
 * `text`; "" if there is nothing. Such a group, which a restart would refuse: -EINVAL and a sentence.
 */
int xr_config_differs(const struct xr_config *c, const struct xr_config *fresh, uint32_t ngroups,
		      struct xr_why *text, struct xr_why *why);

/* 16 bits over name and voters: two nodes that differ do not talk about the group (rule 10). */
uint16_t xr_config_digest(const char *name, uint32_t voters);

/*
 * What is in force of [cluster], [self] and [timing], as a file would say it, with the defaults
 * marked; and the table of all keys: type, unit, limits, default. Two blanks at least part columns.
 */
void xr_config_print(const struct xr_config *c, FILE *out);
void xr_config_print_keys(FILE *out);

#endif
