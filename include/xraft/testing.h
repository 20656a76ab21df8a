/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * XR_PAUSE marks where another CPU may come in between. It is nothing in what is shipped; the
 * simulator gives it a meaning, so that the daemon can fence and vote inside a run of the NIC path.
 */
#ifndef XRAFT_TESTING_H
#define XRAFT_TESTING_H

#ifndef XR_PAUSE
#define XR_PAUSE (void)0
#endif

#endif
