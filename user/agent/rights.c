// SPDX-License-Identifier: GPL-2.0-only
#include <cap-ng.h>
#include <string.h>
#include <sys/prctl.h>
#include "agent/agent.h"

/*
 * CAP_NET_ADMIN puts addresses on an interface; without addresses nothing is kept. What else needs
 * rights is open by now: maps, raw sockets, a listening port. Its group is the readers',
 * whom the daemon's socket lets in; where there is none, its own (daemon/start.c).
 */
int xr_agent_drop(const struct xr_agent *a, const struct xr_user *user, struct xr_why *why)
{
	int err = 0;

	if (!geteuid() && user->uid) {
		capng_clear(CAPNG_SELECT_ALL);
		if (a->link)
			capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN);
		err = capng_change_id((int)user->uid,
				      (int)(user->readers ? user->readers : user->gid),
				      CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
	}
	if (err)
		return xr_fail(why, -EPERM, "cannot become user %s (libcap-ng: %d): %m", user->name,
			       err);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return xr_fail(why, -errno, "cannot renounce new privileges: %m");
	return 0;
}
