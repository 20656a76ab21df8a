# SPDX-License-Identifier: GPL-2.0-only
"""Cases about the processor rather than the card: what is compiled for it, and how it orders memory."""
import os
import pathlib
import time

from vm import Failed

# Their data, where a machine has it.
GOLDEN, OBJECT, VARIANTS = "tests/datagrams.txt", "tests/xraft.bpf.o", "tests/race"
ENVIRONMENT = f"XR_GOLDEN=/{GOLDEN} XR_BPF_OBJECT=/{OBJECT} XR_RACE_VARIANTS=/{VARIANTS}"
TESTS = """test_rules test_siphash test_wire test_journal test_writer test_maps test_xraft test_nic_path
test_nic_random test_address""".split()
RACE_S = int(os.environ.get("XR_RACE_SECONDS", "600"))


def pack(bench, names):
    """These tests go into the machines, with what they read."""
    source = pathlib.Path(__file__).resolve().parents[1]
    bench.programs += [bench.build / "tests" / name for name in names]
    places = {GOLDEN: source / "golden/datagrams.txt", OBJECT: bench.build / "bpf/xraft.bpf.o"}
    for file in (bench.build / "race").glob("*.bpf.o"):
        places[f"{VARIANTS}/{file.name}"] = file
    bench.files |= {place: (file.read_bytes(), 0o644) for place, file in places.items()}


def passes(vm, name, environment="", limit_s=900):
    """What a test of cmocka says last; it may skip parts, and says so."""
    said = vm.run(f"mkdir -p /var/tmp; {ENVIRONMENT} {environment} {name} 2>&1", check=False, limit_s=limit_s)
    if vm.rc or "PASSED" not in said:
        raise Failed(f"{name}: code {vm.rc}\n{said.strip()[-2500:]}")
    return [line for line in said.splitlines() if not line.startswith("[")]


def tests(bench):
    """The unit tests of what is compiled for a processor, and the loaded program's."""
    pack(bench, TESTS)
    (node,) = bench.nodes(1)
    for name in TESTS:
        for line in passes(node.vm, name):
            if "SKIP" in line:
                bench.say(f"{name}: {line}")
        bench.say(f"{name} passes")
    return {}


def race(bench):
    """Rule 4 on the loaded program, for ten minutes, with two CPUs; then the variants without it."""
    pack(bench, ["test_nic_race"])
    (node,) = bench.nodes(1)
    if int(node.vm.run("nproc")) < 2:
        raise Failed("one CPU cannot race with itself: --queues 2")
    began = time.monotonic()
    lines = passes(node.vm, "test_nic_race", f"XR_RACE_SECONDS={RACE_S}", RACE_S + 900)
    if time.monotonic() - began < RACE_S or "SKIP" in "".join(lines[:2]):
        raise Failed("it was not run in full:\n" + "\n".join(lines))
    for line in lines:
        bench.say(line)  # a variant that was raced too rarely to be caught says so
    return {}
