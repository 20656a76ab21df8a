#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# A short soak, of all kinds, with readers; at a timing that a busy machine and sanitizers keep.
set -Eeuo pipefail
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

export XR_BUILD=${XR_BUILD:-$xr_root/build}
need_built
"$xr_root/scripts/cluster" soak --no-build --readers --kills 40 --seed 7 --timing 50-100 --heartbeat 10 --stall 1000 \
	--one-term 85 --kinds crash:4,kill:3,transfer:3,order:2,term:2,link:2,set:4,stall:1,hang:1,pause:2
