/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Switches for tests; all of them are nothing in what is shipped. A simulator that finds no bug
 * proves something only if it finds those that are there: XR_BUG(name) is a known one, planted by
 * tests/sim/bugs.h in a build of its own. XR_PAUSE marks where another CPU may come in between.
 */
#ifndef XRAFT_TESTING_H
#define XRAFT_TESTING_H

#ifdef XR_PLANT_BUGS
#include "sim/bugs.h"
#define XR_BUG(name) (xr_planted == XR_BUG_##name)
#else
#define XR_BUG(name) 0
#endif

#ifndef XR_PAUSE
#define XR_PAUSE (void)0
#endif

#endif
