/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * XR_PAUSE marks where another CPU may come in between, or this process may end. It is nothing in
 * what is shipped. The simulator and fuzz_engine compile the same lines with XR_SIMULATED: there it
 * lets others go on for a while, and may not return.
 */
#ifndef XRAFT_TESTING_H
#define XRAFT_TESTING_H

#ifdef XR_SIMULATED
void sim_pause(void);
#define XR_PAUSE sim_pause()
#endif

#ifndef XR_PAUSE
#define XR_PAUSE (void)0
#endif

#endif
