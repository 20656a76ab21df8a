# SPDX-License-Identifier: GPL-2.0-only
"""Machines under qemu, on a bridge in a network namespace of their own. Each runs scripts that it gets over
a line of its own. Everything ends with the process that began it, also when that is killed."""
import base64
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from debian import Unavailable
from rootfs import INIT, Archive, Modules, add_program

# Emulated machines beside other work are slow: a limit is for what never happens, not for what is late.
BOOT_S, SCRIPT_S = 600, 300
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)

# What a machine loads before it listens, and what a card needs.
FIRST = ("virtio_pci", "virtio_console", "virtio_blk", "crc32c_generic", "ext4")
DRIVERS = {"virtio-net-pci": "virtio_net", "e1000": "e1000", "e1000e": "e1000e", "vmxnet3": "vmxnet3"}

# busybox prefers its own.
PRELUDE = 'ip() { /opt/ip "$@"; }; tc() { /opt/tc "$@"; }\n'

DISK_MB = 32
MEM_MB = 384


class Failed(Exception):
    pass


def sh(*command, check=True):
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if check and done.returncode:
        raise Failed(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def wait_for(what, condition, limit_s=180, every_s=1):
    """What `condition` returns, as soon as it is true."""
    end = time.monotonic() + limit_s
    while not (value := condition()):
        if time.monotonic() > end:
            raise Failed(f"not within {limit_s} s: {what}")
        time.sleep(every_s)
    return value


class Kernel:
    """An unpacked kernel, and what boots with it."""

    def __init__(self, tree):
        self.tree = pathlib.Path(tree)
        self.modules = Modules(tree)
        self.release = self.modules.release
        found = [*self.tree.glob("boot/vmlinuz-*"), *self.tree.glob("usr/lib/modules/*/vmlinuz")]
        if not found:
            raise Unavailable(f"{tree} holds no kernel")
        self.image = found[0]

    def initramfs(self, out, busybox, programs, files, libraries, modules):
        """`programs` are put into /opt with what they need of `libraries`; `files` is {place: (content, mode)}."""
        a = Archive()
        for folder in "dev proc sys state run tmp var/lib sbin etc mnt".split():
            a.folder(folder)
        a.add("init", INIT.encode())
        a.add("bin/busybox", pathlib.Path(busybox).read_bytes())
        a.add("etc/passwd", b"root:x:0:0:root:/:/bin/sh\nxraft:x:999:999:xraft:/:/bin/false\n", 0o644)
        a.add("etc/group", b"root:x:0:\nxraft:x:999:\n", 0o644)
        for program in programs:
            add_program(a, program, libraries)
        for place, (content, mode) in files.items():
            a.add(place, content, mode)
        self.modules.pack(a, (*FIRST, *DRIVERS.values(), *modules))
        a.write(out)


class Lan:
    """The namespace, in it the bridge on which all machines have a tap, and a folder. Both are named after
    this process, so that the next run takes away what one that was killed has left."""

    def __init__(self):
        self.name = f"xr-vm-{os.getpid()}"
        self.work = pathlib.Path(tempfile.gettempdir()) / self.name

    def __enter__(self):
        if not os.path.exists("/dev/net/tun"):
            raise Unavailable("there is no /dev/net/tun")
        sweep()
        self.work.mkdir(mode=0o700)
        sh("ip", "netns", "add", self.name)
        # What is not a machine's has no address: it would ask for neighbours.
        self.enter("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
        sh("ip", "-n", self.name, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
        sh("ip", "-n", self.name, "link", "set", "br0", "up")
        return self

    def enter(self, *command):
        return sh("nsenter", f"--net=/run/netns/{self.name}", *command)

    def add_tap(self, tap, queues):
        sh("ip", "-n", self.name, "tuntap", "add", "dev", tap, "mode", "tap", "vnet_hdr",
           *(["multi_queue"] if queues > 1 else []))
        sh("ip", "-n", self.name, "link", "set", tap, "master", "br0", "up")

    def __exit__(self, *_):
        take_away(self.name)


def take_away(name):
    sh("ip", "netns", "del", name, check=False)
    shutil.rmtree(pathlib.Path(tempfile.gettempdir()) / name, ignore_errors=True)


def sweep():
    for folder in "/run/netns", tempfile.gettempdir():
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            pid = name.removeprefix("xr-vm-")
            if pid != name and pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
                take_away(name)


class VM:
    """One machine, with one card, eth0, and a disk at /state. It has a CPU for each of its queues, or as many as
    are asked for."""

    def __init__(self, lan, number, arch, kernel, initrd, nic="virtio-net-pci", queues=1, cpus=None):
        self.cpus = cpus or queues
        self.lan, self.number, self.arch, self.kernel, self.initrd = lan, number, arch, kernel, initrd
        self.nic, self.queues, self.tap = nic, queues, f"vm{number}"
        self.dir = lan.work / f"vm{number}"
        self.dir.mkdir(exist_ok=True)
        self.disk = self.dir / "disk"
        self.process = self.line = None
        self.rc = 0

    def card(self):
        """As QMP has it. It can be unplugged where it is on a port of its own; e1000 is older than these."""
        card = {"driver": self.nic, "id": "card", "netdev": "net", "mac": f"52:54:00:00:00:0{self.number}"}
        if self.nic != "e1000":
            card["bus"] = "rp"
        if self.queues > 1:
            card |= {"mq": True, "rss": True, "vectors": 2 * self.queues + 2}
        if self.nic.startswith("virtio"):
            card["romfile"] = ""
        return card

    def _command(self):
        queues = f",queues={self.queues}" if self.queues > 1 else ""
        load = ",".join([*FIRST, DRIVERS[self.nic]])
        return [
            "nsenter", f"--net=/run/netns/{self.lan.name}", self.arch.qemu, *self.arch.machine,
            "-accel", os.environ.get("XR_VM_ACCEL", "tcg"),
            "-m", str(MEM_MB), "-smp", str(self.cpus),
            "-display", "none", "-nodefaults",
            "-qmp", f"unix:{self.dir}/qmp,server=on,wait=off",
            "-kernel", str(self.kernel.image), "-initrd", str(self.initrd),
            "-append", f"console={self.arch.console} panic=1 quiet net.ifnames=0 tsc=reliable mitigations=off "
                       f"xraft.load={load}",
            "-serial", f"file:{self.dir}/console",
            "-chardev", f"socket,id=agent,path={self.dir}/agent,server=on,wait=off",
            "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=agent",
            "-netdev", f"tap,id=net,ifname={self.tap},script=no,downscript=no{queues}",
            "-drive", f"file={self.disk},if=none,id=disk,format=raw,cache=unsafe", "-device", "virtio-blk-pci,drive=disk",
            "-device", "pcie-root-port,id=rp,chassis=1,slot=1", "-device", json.dumps(self.card())]

    def start(self):
        self.lan.add_tap(self.tap, self.queues)
        with open(self.disk, "wb") as disk:
            disk.truncate(DISK_MB << 20)
        sh("mkfs.ext4", "-q", str(self.disk))
        with open(self.dir / "qemu.log", "w", encoding="utf-8") as log:
            # pylint: disable=consider-using-with,subprocess-popen-preexec-fn
            self.process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=die_with_parent)
        wait_for("qemu's socket", self._listens)
        self.line = socket.socket(socket.AF_UNIX)
        self.line.connect(str(self.dir / "agent"))

    def _listens(self):
        if self.process.poll() is not None:
            raise Failed(f"qemu: {(self.dir / 'qemu.log').read_text().strip()[-400:]}")
        return (self.dir / "agent").exists()

    def _receive(self, until, limit_s):
        """Bytes until `until(them)` is true."""
        data, end = b"", time.monotonic() + limit_s
        while not until(data):
            self.line.settimeout(max(0.01, end - time.monotonic()))
            try:
                more = self.line.recv(65536)
            except TimeoutError:
                more = b""
            if not more:
                raise Failed(f"machine {self.number} says nothing for {limit_s} s, or has ended: {self.console()}")
            data += more
        return data

    def console(self):
        path = self.dir / "console"
        return path.read_text(errors="replace")[-1500:].strip() if path.exists() else ""

    def ready(self):
        self._receive(lambda data: b"ready " in data and data.endswith(b"\n"), BOOT_S)

    def run(self, script, check=True, limit_s=SCRIPT_S):
        """What the script said; its code is in .rc."""
        self.line.sendall(base64.b64encode((PRELUDE + script).encode()) + b"\n")
        data = self._receive(lambda data: b"\n" in data, limit_s)
        head, said = data.split(b"\n", 1)
        self.rc, size = (int(word) for word in head.split())
        if len(said) < size:
            said += self._receive(lambda data: len(data) + len(said) >= size, limit_s)
        text = said.decode(errors="replace")
        if check and self.rc:
            raise Failed(f"machine {self.number}: code {self.rc} of: {script.strip()[:300]}\n{text.strip()[-1500:]}")
        return text

    def qmp(self, command, **arguments):
        """Orders to qemu itself, each over a connection of its own."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(str(self.dir / "qmp"))
            file = s.makefile("rw")
            for ask in {"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}:
                file.write(json.dumps(ask) + "\n")
                file.flush()
                while "return" not in (said := json.loads(file.readline())):
                    if "error" in said:
                        raise Failed(f"machine {self.number}: {command}: {said['error']['desc']}")

    def link(self, up):
        self.qmp("set_link", name="card", up=up)

    def unplug(self):
        self.qmp("device_del", id="card")
        wait_for("the card is out", lambda: "eth0" not in self.run("ls /sys/class/net"))

    def plug(self):
        """As soon as qemu has done with the old one."""
        wait_for("the card is in", self._plugged)
        wait_for("the kernel has found it", lambda: "eth0" in self.run("ls /sys/class/net"))

    def _plugged(self):
        try:
            self.qmp("device_add", **self.card())
        except Failed as failed:
            if "Duplicate" not in str(failed):
                raise
            return False
        return True

    def reset(self):
        """The power is gone for a moment."""
        self.qmp("system_reset")

    def cut_power(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            if self.line:
                self.line.close()
        self.process = None
