# SPDX-License-Identifier: GPL-2.0-only
"""Processors: how qemu makes a machine of each, and where its programs come from."""
import dataclasses
import pathlib
import shutil
import subprocess

from debian import Unavailable

HERE = pathlib.Path(__file__).resolve().parent
# What xraft is built from, and what a machine runs besides.
ARM64_PACKAGES = """libc6-dev linux-libc-dev libgcc-12-dev libbpf-dev libxdp-dev libsodium-dev libsystemd-dev
libinih-dev libmicrohttpd-dev libjansson-dev libcap-ng-dev libseccomp-dev libcurl4-openssl-dev libmnl-dev
libcmocka-dev bpftool iproute2""".split()
ARM64_TARGETS = """xraft xraftd bpf_pass test_rules test_siphash test_wire test_journal test_writer test_maps
test_xraft test_nic_path test_nic_random test_nic_race test_address bpf_race""".split()


@dataclasses.dataclass(frozen=True)
class Arch:
    name: str  # Debian's
    triplet: str
    qemu: str
    machine: tuple  # and CPU
    console: str  # the serial line

    def libraries(self, root):
        folders = "lib64", "lib", f"lib/{self.triplet}", f"usr/lib/{self.triplet}"
        return [pathlib.Path(root) / folder for folder in folders]

    def root(self, _debian):
        """Where the programs of this machine are."""
        return pathlib.Path("/")

    def build(self, _debian, build):
        return build


class Arm64(Arch):
    def root(self, debian):
        return debian.together("xraft", ARM64_PACKAGES)

    def build(self, debian, build):
        """What ships, by Debian's cross compiler; beside what was built for this machine."""
        if not shutil.which("aarch64-linux-gnu-gcc"):
            raise Unavailable("aarch64-linux-gnu-gcc is missing; scripts/setup --vm installs it")
        folder = build / "arm64"
        for command in (
                ["cmake", "-S", HERE.parents[1], "-B", folder, "-G", "Ninja", "-DXR_WERROR=ON",
                 f"-DCMAKE_TOOLCHAIN_FILE={HERE / 'arm64.cmake'}", f"-DXR_SYSROOT={self.root(debian)}"],
                ["ninja", "-C", folder, *ARM64_TARGETS]):
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(f"the build for arm64 fails:\n{(done.stdout + done.stderr)[-3000:]}")
        return folder


AMD64 = Arch("amd64", "x86_64-linux-gnu", "qemu-system-x86_64", ("-machine", "q35", "-cpu", "max"), "ttyS0")
# A machine with memory that is ordered as weakly as qemu makes it, and compare-exchange in one instruction.
ARM64 = Arm64("arm64", "aarch64-linux-gnu", "qemu-system-aarch64", ("-machine", "virt,gic-version=3", "-cpu", "max,pauth-impdef=on"),
              "ttyAMA0")


def of_kernel(name):
    return ARM64 if name.endswith("-arm64") else AMD64
