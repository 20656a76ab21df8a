// SPDX-License-Identifier: GPL-2.0-only
/* A unit test over the planted sources: XR_PLANT names the bug that is switched on. */
#include <stdlib.h>
#include <string.h>
#include "sim/bugs.h"

enum xr_bug xr_planted;

__attribute__((constructor)) static void plant(void)
{
	static const char *const names[] = {"",
#define X(name, ...) #name,
					    XR_BUGS(X)
#undef X
	};
	const char *wanted = getenv("XR_PLANT");

	for (size_t i = 0; wanted && i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i], wanted))
			xr_planted = i;
}
