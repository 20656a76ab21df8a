/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's own reason for a refusal: libbpf and libxdp say it, and return an errno. */
#ifndef XRAFT_COMPLAINT_H
#define XRAFT_COMPLAINT_H

#include "common/common.h"

/* Forget what was said. From now on both say it here, and nowhere else. */
void xr_complaint_begin(void);

/* The kernel's word since then, else the last that a library said, else what `err` means. */
const char *xr_complaint(int err);

#endif
