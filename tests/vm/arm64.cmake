# SPDX-License-Identifier: GPL-2.0-only
# How arm64.py builds for Debian's arm64: its cross compiler over a tree of its arm64 packages, XR_SYSROOT.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES XR_SYSROOT)
set(CMAKE_SYSROOT ${XR_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${XR_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${XR_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${XR_SYSROOT}/usr/share/pkgconfig)
