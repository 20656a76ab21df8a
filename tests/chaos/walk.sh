#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# A short walk of a group to other nodes and back, with readers; at a timing that a busy machine and
# sanitizers keep.
set -Eeuo pipefail
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

export XR_BUILD=${XR_BUILD:-$xr_root/build}
need_built
"$xr_root/scripts/cluster" walk --no-build --readers --walks 2 --seed 7 --timing 50-100 --heartbeat 10 --stall 500
