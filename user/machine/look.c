// SPDX-License-Identifier: GPL-2.0-only
#include "machine/machine.h"

/*
 * In each period real-time threads may run for `runtime`; when others of higher priority have used it
 * up, this node's stand still until the next.
 */
static void look_at_throttling(const struct xr_config *c, struct xr_findings *f)
{
	_cleanup_file_ FILE *runtime = fopen("/proc/sys/kernel/sched_rt_runtime_us", "re");
	_cleanup_file_ FILE *period = fopen("/proc/sys/kernel/sched_rt_period_us", "re");
	long runtime_us, period_us;

	if (!c->realtime || !runtime || !period || fscanf(runtime, "%ld", &runtime_us) != 1 ||
	    fscanf(period, "%ld", &period_us) != 1)
		return;
	if (runtime_us == 0)
		xr_find(f, XR_UNWISE, "realtime",
			"this machine gives real-time threads no CPU at all; sysctl -w "
			"kernel.sched_rt_runtime_us=950000, or set realtime = 0");
	else if (runtime_us > 0 && c->stall_limit_us < period_us)
		xr_find(f, XR_UNWISE, "timing",
			"stall_limit_ms = %.7g is less than this machine can keep: beside other "
			"real-time threads a pause of up to %ld ms is possible; set it to %ld or "
			"more",
			c->stall_limit_us / 1e3, period_us / 1000, period_us / 1000);
}

void xr_machine_look(const struct xr_config *c, enum xr_occasion when, struct xr_findings *f)
{
	xr_machine_limits(c, f);
	xr_machine_network(c, when, f);
	xr_machine_folders(c, when, f);
	xr_machine_agent(c, f);
	look_at_throttling(c, f);
}
