# SPDX-License-Identifier: GPL-2.0-only
"""What a case gets: kernels by name, machines with a node each, and a place to say what came of it."""
import os
import pathlib
import subprocess
import time

import arch
from debian import Debian, Unavailable
from spaces import MODULES, nodes_in
from vm import VM, Kernel

# name: package, suite
KERNELS = {
    "6.1": ("linux-image-amd64", "bookworm"),
    "6.1-rt": ("linux-image-rt-amd64", "bookworm"),
    "6.12": ("linux-image-amd64", "bookworm-backports"),
    "6.1-arm64": ("linux-image-arm64", "bookworm"),
    "6.12-arm64": ("linux-image-arm64", "bookworm-backports"),
    "sid": ("linux-image-amd64", "sid"),
}
SYSTEM_PROGRAMS = ("usr/sbin/bpftool", "bin/ip", "sbin/tc", "sbin/bridge")
# package: program
PROGRAMS = {"ethtool": "sbin/ethtool", "xdp-tools": "usr/sbin/xdp-filter"}


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "xraft-vm")


class Bench:
    def __init__(self, lan, build, kernel, nic="virtio-net-pci", queues=1):
        self.lan, self.nic, self.queues = lan, nic, queues
        self.card = nic.removesuffix("-pci") + (f", {queues} queues" if queues > 1 else "")
        self.vms, self.began = [], time.monotonic()
        self.arch = arch.of_kernel(kernel)
        self.debian = Debian(cache_folder(), self.arch.name)
        self.root, self.host_build = self.arch.root(self.debian), pathlib.Path(build)
        self.build = self.arch.build(self.debian, self.host_build)
        self.kernel = Kernel(self.debian.tree(*KERNELS[kernel]))
        self.initrd = lan.work / "initrd"
        self.programs, self.files = [], {}  # what a case wants besides

    def say(self, text):
        print(f"{time.monotonic() - self.began:6.1f} s  {text}", flush=True)

    def _make_initrd(self):
        key = self.lan.work / "key"
        subprocess.run([self.host_build / "xraft", "keygen", key], check=True, capture_output=True)
        files = self.files | {"etc/xraft/key": (key.read_bytes(), 0o600)}
        for file in (self.root / "usr/lib" / self.arch.triplet / "bpf").glob("*.o"):
            files[str(file.relative_to(self.root))] = (file.read_bytes(), 0o644)
        programs = [self.build / "xraft", self.build / "xraftd", *self.programs,
                    *(self.root / p for p in SYSTEM_PROGRAMS)]
        for program in programs:
            if not os.path.exists(program):
                raise Unavailable(f"{program} is missing; scripts/setup and scripts/build make it")
        programs += [self.debian.tree(package, "bookworm") / place for package, place in PROGRAMS.items()]
        files["opt/pass.bpf.o"] = ((self.build / "bpf/pass.bpf.o").read_bytes(), 0o644)
        busybox = self.debian.tree("busybox-static", "bookworm") / "bin/busybox"
        self.kernel.initramfs(self.initrd, busybox, programs, files, self.arch.libraries(self.root), MODULES)

    def machines(self, count, cpus=None):
        """They boot together."""
        if not self.initrd.exists():
            self._make_initrd()
        self.vms += [VM(self.lan, n, self.arch, self.kernel, self.initrd, self.nic, self.queues, cpus)
                     for n in range(1, count + 1)]
        for vm in self.vms:
            vm.start()
        for vm in self.vms:
            vm.ready()
        self.say(f"{count} of Linux {self.kernel.release} with {self.nic} run")
        return self.vms

    def nodes(self, count, cpus=None):
        """Machines, each with a node that is not yet started."""
        return nodes_in(self.machines(count, cpus))

    def end(self):
        for vm in self.vms:
            vm.cut_power()
