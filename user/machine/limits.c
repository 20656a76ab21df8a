// SPDX-License-Identifier: GPL-2.0-only
/* What the kernel lets this process have: of whoever runs this, and so of the daemon that he starts. */
#include <sys/resource.h>
#include "machine/machine.h"

/* An engine of nine nodes holds some 60; then those who ask it over HTTP, and what libraries need. */
#define FILES_NEEDED 128

uint64_t xr_machine_journal_bytes(const struct xr_config *c)
{
	return (5 << 20) + 512 * c->ngroups;
}

/* RLIM_INFINITY is the largest number. */
static rlim_t limit_of(int resource)
{
	struct rlimit limit;

	return getrlimit((__rlimit_resource_t)resource, &limit) ? RLIM_INFINITY : limit.rlim_cur;
}

void xr_machine_limits(const struct xr_config *c, struct xr_findings *f)
{
	rlim_t files = limit_of(RLIMIT_NOFILE), bytes = limit_of(RLIMIT_FSIZE);
	uint64_t needed = xr_machine_journal_bytes(c);

	if (files < FILES_NEEDED)
		xr_find(f, XR_WRONG, "limits",
			"a process may have %llu files open here, and a node needs %d; set "
			"LimitNOFILE=1024 in the service, or ulimit -n 1024",
			(unsigned long long)files, FILES_NEEDED);
	if (bytes < needed)
		xr_find(f, XR_WRONG, "limits",
			"a file may have %llu kB here, and the journal takes up to %llu; set "
			"LimitFSIZE=infinity in the service, or ulimit -f unlimited",
			(unsigned long long)bytes / 1024, (unsigned long long)needed / 1024);
}
