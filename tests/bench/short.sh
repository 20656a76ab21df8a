#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# usage: short.sh NAME [OPTIONS]
# A bench in its short form, as a test: it runs, and no ratio is far off. Times are not judged.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

export XR_BUILD=${XR_BUILD:-$xr_root/build}

need_built xraftd xraft bpf/pass.bpf.o tests/bench/bench_rtt tests/witness
command -v jq >/dev/null || skip "jq is missing; scripts/setup installs it"
[[ -e /sys/class/net/lo/queues/rx-0/rps_cpus ]] || skip "this kernel has no RPS"
exec "$xr_root/scripts/bench" "$@" --quick --check
