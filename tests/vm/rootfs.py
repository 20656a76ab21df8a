# SPDX-License-Identifier: GPL-2.0-only
"""What a machine boots into: busybox, the programs that a test names with the libraries they need, and the
kernel's modules, as a cpio archive (newc) that needs neither root nor a disk to be made."""
import lzma
import os
import pathlib
import re
import stat
import subprocess

INIT = r"""#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/opt:/bin:/sbin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm /run /tmp /state
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mount -t bpf bpf /sys/fs/bpf
ip link set lo up
for module in $(sed 's/.*xraft.load=\([^ ]*\).*/\1/; s/,/ /g' /proc/cmdline); do modprobe -q "$module"; done
# Votes are on a disk, which outlives a power cut.
# One line in: a script in base64. Out: its code, how many bytes it said, and these.
mount -t ext4 /dev/vda /state || echo 'no disk at /state' >/dev/ttyS0
until [ -e /dev/vport0p1 ]; do sleep 0.1; done
exec 3<>/dev/vport0p1
echo "ready $(uname -r)" >&3
while read -r line <&3; do
	echo "$line" | base64 -d >/run/script
	sh /run/script </dev/null >/run/said 2>&1 3>&-
	echo "$? $(wc -c </run/said)" >&3
	cat /run/said >&3
done
"""


class Archive:
    """cpio(5), newc."""

    def __init__(self):
        self.parts, self.names = [], set()

    def _entry(self, name, mode, data=b""):
        if name in self.names:
            return
        self.names.add(name)
        raw = name.encode() + b"\0"
        fields = (len(self.names), mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + raw
        self.parts += [head, b"\0" * (-len(head) % 4), data, b"\0" * (-len(data) % 4)]

    def folder(self, name):
        if name and name not in self.names:
            self.folder(os.path.dirname(name))
            self._entry(name, stat.S_IFDIR | 0o755)

    def add(self, name, data, mode=0o755):
        self.folder(os.path.dirname(name))
        self._entry(name, stat.S_IFREG | mode, data)

    def write(self, path):
        self._entry("TRAILER!!!", 0)
        pathlib.Path(path).write_bytes(b"".join(self.parts))


def needs(file):
    """The libraries and the loader that an ELF file names."""
    text = subprocess.run(["readelf", "-ld", file], check=False, capture_output=True, text=True).stdout
    return re.findall(r"\(NEEDED\).*\[(.*)\]", text) + re.findall(r"program interpreter: (.*)\]", text)


def add_program(archive, file, folders):
    """A program in /opt, and the libraries that it needs, which are in these folders."""
    archive.add(f"opt/{os.path.basename(file)}", pathlib.Path(file).read_bytes())
    todo, seen = [str(file)], set()
    while todo:
        for library in needs(todo.pop()):
            if library in seen:
                continue
            seen.add(library)
            found = find_library(os.path.basename(library), folders)
            # The loader has its place; others are where it looks.
            where = library.lstrip("/") if library.startswith("/") else f"usr/lib/{library}"
            archive.add(where, pathlib.Path(found).read_bytes())
            todo.append(found)


def find_library(name, folders):
    for folder in folders:
        if (folder / name).exists():
            return str(folder / name)
    raise FileNotFoundError(f"{name} is in none of {', '.join(map(str, folders))}")


class Modules:
    """The modules of an unpacked kernel package, by name."""

    def __init__(self, tree):
        (self.folder,) = [*pathlib.Path(tree).glob("lib/modules/*"), *pathlib.Path(tree).glob("usr/lib/modules/*")]
        self.release = self.folder.name
        self.files = {f.name.split(".ko")[0].replace("-", "_"): f for f in self.folder.rglob("*.ko*")}

    def _read(self, name):
        data = self.files[name].read_bytes()
        return lzma.decompress(data) if self.files[name].suffix == ".xz" else data

    def _wants(self, name, data):
        """What it needs, and what it asks for without naming it as needed (a checksum of ext4)."""
        needed = re.search(rb"\0depends=([^\0]*)\0", data)
        asked = re.findall(rb"\0softdep=pre: ([^\0]*)\0", data)
        names = needed[1].decode().split(",") if needed else []
        for line in asked:
            names += line.decode().split()
        return [n for n in (n.replace("-", "_") for n in names) if n in self.files and n != name]

    def pack(self, archive, names):
        """Those of `names` that are modules of this kernel, what they need, and modprobe's list of both."""
        wants, todo = {}, [n.replace("-", "_") for n in names]
        while todo:
            name = todo.pop()
            if name not in wants and name in self.files:
                data = self._read(name)
                wants[name] = self._wants(name, data)
                todo += wants[name]
                archive.add(f"lib/modules/{self.release}/{name}.ko", data, 0o644)
        lines = [f"{name}.ko:" + "".join(f" {w}.ko" for w in closure(wants, name)) for name in wants]
        archive.add(f"lib/modules/{self.release}/modules.dep", "\n".join([*lines, ""]).encode(), 0o644)


def closure(wants, name):
    """All that `name` needs, itself left out; what is needed stands behind who needs it, as depmod has it."""
    order = []

    def visit(n):
        for w in wants[n]:
            if w in order:
                order.remove(w)
            order.append(w)
            visit(w)

    visit(name)
    return order
