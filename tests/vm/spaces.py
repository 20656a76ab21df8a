# SPDX-License-Identifier: GPL-2.0-only
"""Three nodes in one machine, in network namespaces on a bridge: what the kernel stacks upon a card needs no
card. The machine itself is the switch, and the router."""
import shlex

from nodes import Node
from vm import PRELUDE

# For the machine that carries them.
MODULES = ("veth", "bridge", "8021q", "bonding", "macvlan", "sch_netem", "sch_prio", "cls_u32")
NUMBERS = (1, 2, 3)


class Space:
    """Runs scripts as a machine does, in a network namespace of it. bpffs stays the machine's."""

    def __init__(self, vm, name):
        self.vm, self.name = vm, name

    def run(self, script, check=True, **limits):
        return self.vm.run(f"nsenter --net=/run/netns/{self.name} sh -c {shlex.quote(PRELUDE + script)}", check, **limits)

    @property
    def rc(self):
        return self.vm.rc


def wire(vm, number, port, switch):
    """A cable from a namespace to a switch. What a veth sends back arrives where its other end has a program."""
    end = f"s{number}-{port}"
    vm.run(f"""set -e
ip link add {end} type veth peer name {port} netns n{number}
ip link set {end} master {switch}
ip link set {end} up
ip link set dev {end} xdpdrv obj /opt/pass.bpf.o sec xdp
ip -n n{number} link set {port} up""")


def build(vm, cables=tuple((n, "eth0", "sw") for n in NUMBERS)):
    """Switches, namespaces n1 to n3, and between them cables: (number, port, switch). Returns the namespaces."""
    vm.run(f"for m in {' '.join(MODULES)}; do modprobe -q $m; done; mkdir -p /run/netns")
    for switch in sorted({switch for _, _, switch in cables}):
        vm.run(f"ip link add {switch} type bridge mcast_snooping 0 && ip link set {switch} up")
    for n in NUMBERS:
        vm.run(f"ip netns add n{n} && ip -n n{n} link set lo up")
    for n, port, switch in cables:
        wire(vm, n, port, switch)
    return [Space(vm, f"n{n}") for n in NUMBERS]


def nodes_in(spaces, interface="eth0", at="eth0", addresses=None):
    """A node in each: its program on `interface`, its address on the interface `at`."""
    addresses = addresses or {n: f"10.9.0.{n}" for n in NUMBERS}
    nodes = [Node(space, n, addresses) for n, space in zip(NUMBERS, spaces)]
    for node in nodes:
        node.interface = interface
        node.address_up(at)
    return nodes


def tear_down(vm):
    """Namespaces end in their own time, and take their ends of the cables along."""
    vm.run("".join(f"ip netns del n{n}; " for n in NUMBERS) + """
for s in $(ls /sys/class/net | grep ^sw); do ip link del $s; done
for i in $(seq 100); do ls /sys/class/net | grep -q ^s || exit 0; sleep 0.1; done
ls /sys/class/net; exit 1""")
