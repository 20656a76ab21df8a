# SPDX-License-Identifier: GPL-2.0-only
"""Three nodes over what kernels stack upon cards, and over bad networks, in one machine."""
import re

from cases import begin, doctor_is_right, expect, how, killed, undisturbed
from nodes import answers_natively, elect, remove
from spaces import NUMBERS, build, nodes_in, tear_down
from vm import Failed, wait_for

TAGS_STAY = "eth0 txvlan off rxvlan off"
VLAN = "ip link add link eth0 name eth0.5 type vlan id 5"
BRIDGE = "ip link add br0 type bridge && ip link set eth0 master br0"
MACVLAN = "ip link add link eth0 name mv0 type macvlan mode bridge"
BOND = """ip link add bond0 type bond mode active-backup miimon 100
for p in eth0 eth1; do ip link set $p down; ip link set $p master bond0; done
ip link set bond0 up"""

# What people read: (interface =, where the address is, what makes them in each namespace)
NETWORKS = {
    "veth": ("eth0", "eth0", "true"),
    "VLAN in the frame": ("eth0", "eth0.5", f"ethtool -K {TAGS_STAY}; {VLAN}"),
    "VLAN taken off": ("eth0", "eth0.5", VLAN),
    "VLAN device": ("eth0.5", "eth0.5", VLAN),
    "bridge's port": ("eth0", "br0", BRIDGE),
    "bridge": ("br0", "br0", BRIDGE),
    "below macvlan": ("eth0", "mv0", MACVLAN),
    "macvlan": ("mv0", "mv0", MACVLAN),
    "bond": ("bond0", "bond0", BOND),
}


def path(node):
    return node.status().get("nic", {}).get("path")


def tried(nodes):
    """How nodes answer, once they know whether answers arrive."""
    if how(nodes[0]) != "by the daemon":
        for node in nodes:
            wait_for(f"node {node.number} knows whether its answers arrive", lambda n=node: path(n) != "untested")
    if path(nodes[0]) == "lost":
        return "by the daemon"
    return how(nodes[0])


def three(bench, nodes):
    """They elect, answer where they say that they do, and outlive their leader. Returns how they answer."""
    for node in nodes:
        node.configure()
    asked = nodes[0].doctor()
    leader = begin(nodes)
    mode, attached = nodes[0].nic()
    came = tried(nodes)
    if came != "by the daemon":
        answers_natively(nodes, leader)
    warned = "takes off the tags" in asked.get("interface", ("", ""))[1]
    expect(warned == (came == "by the daemon"), f"they answer {came}; doctor had said: {asked.get('interface')}")
    doctor_is_right(bench, asked, mode, attached)
    running = nodes[0].doctor()
    expect((came == "by the daemon") == (running["answers"][0] != "ok"),
           f"they answer {came}, and doctor says: {running['answers']}")
    bench.say(f"{came}; doctor: {running['answers'][1]}")
    killed(bench, nodes, leader)
    if came == "by the daemon":
        helps(nodes)
    return came


def helps(nodes):
    """The remedy that log, status and doctor name."""
    for node in nodes:
        node.end()
        node.xdp = "generic"
        node.start()
    elect(nodes)
    expect(tried(nodes).startswith("generic"), "with xdp = generic answers arrive")


def lay(vm, script):
    """The switches, the cables and what `script` makes of them. A switch with VLANs takes nothing else."""
    cables = [(n, "eth0", "sw") for n in NUMBERS] + [(n, "eth1", "sw2") for n in NUMBERS if "eth1" in script]
    spaces = build(vm, cables)
    if VLAN in script:
        vm.run("ip link set sw type bridge vlan_filtering 1 vlan_default_pvid 0\n"
               + "".join(f"/opt/bridge vlan add dev s{n}-eth0 vid 5\n" for n in NUMBERS))
    if TAGS_STAY in script:
        vm.run("".join(f"ethtool -K s{n}-{TAGS_STAY}\n" for n in NUMBERS))
    for space in spaces:
        space.run(f"set -e; {script}")
    return spaces


def tell(name, nodes, attempt):
    """What came of it; a failure says where, and what the first node knows."""
    try:
        return attempt()
    except Failed as failed:
        raise Failed(f"{name}: {failed}\n{nodes[0].check()}\n{nodes[0].log(20)}") from None


def networks(bench):
    """VLAN, bridge, macvlan, bond: elected, answered in the kernel or said why not, a leader replaced."""
    (vm,) = bench.machines(1, cpus=2)
    found = {}
    for name, (interface, at, script) in NETWORKS.items():
        bench.say(f"{name}: the program on {interface}, the address on {at}")
        nodes = nodes_in(lay(vm, script), interface, at)
        found[name] = tell(name, nodes, lambda n=nodes: three(bench, n))
        remove(nodes)
        tear_down(vm)
    return found


# What people read: (addresses, how the router's differ from those in the same network)
ROUTED = {
    "IPv6": {1: "fd09::1", 2: "fd09::2", 3: "fd09::3"},
    "two subnets": {1: "10.9.0.1", 2: "10.9.0.2", 3: "10.9.1.3"},
    "two subnets, IPv6": {1: "fd09::1", 2: "fd09::2", 3: "fd09:0:0:1::3"},
}


def routed(bench):
    """IPv6, and peers behind a router."""
    (vm,) = bench.machines(1, cpus=2)
    vm.run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
    found = {}
    for name, addresses in ROUTED.items():
        bench.say(f"{name}: {', '.join(addresses.values())}")
        away = "two subnets" in name
        spaces = build(vm, [(n, "eth0", "sw2" if away and n == 3 else "sw") for n in NUMBERS])
        nodes = nodes_in(spaces, addresses=addresses)
        for n, switch in ((1, "sw"), (3, "sw2")) if away else ():
            router = addresses[n][:-1] + "99"
            vm.run(f"ip addr add {router}{'/64 nodad' if ':' in router else '/24'} dev {switch}")
            for node in nodes[2:] if n == 3 else nodes[:2]:
                node.vm.run(f"ip route add default via {router}")
        found[name] = tell(name, nodes, lambda n=nodes: three(bench, n))
        remove(nodes)
        tear_down(vm)
    return found


# What is done to every frame on its way to a node, and how that shows: at the queues, or in a counter.
NETEM = {
    "1 % lost": ("loss 1%", r"dropped [1-9]"),
    "reordered": ("delay 40ms reorder 50% 50%", "drop_replay"),
    "doubled": ("duplicate 30%", "drop_replay"),
    "50 ms late": ("delay 50ms", r"delay 50ms"),
}


def shows(vm, nodes, sign):
    """Was done what was asked for?"""
    if sign == "drop_replay":
        return sum(node.count(sign) for node in nodes)
    return re.search(sign, vm.run("tc -s qdisc show dev s1-eth0; tc -s qdisc show dev s2-eth0; "
                                  "tc -s qdisc show dev s3-eth0"))


def steady(bench, vm, nodes, sign):
    """It shows, and nobody misses the leader."""
    for node in nodes:
        node.election, node.heartbeat = "600-1200", 75
    begin(nodes)
    came = tried(nodes)
    undisturbed(nodes)
    wait_for(f"it shows: {sign}", lambda: shows(vm, nodes, sign))
    return came


def netem(bench):
    """Frames lost, reordered, doubled, late: one leader, and nobody misses it."""
    (vm,) = bench.machines(1, cpus=2)
    found = set()
    for name, (what, sign) in NETEM.items():
        nodes = nodes_in(build(vm))
        for n in NUMBERS:
            vm.run(f"tc qdisc add dev s{n}-eth0 root netem {what}")
        found.add(tell(name, nodes, lambda n=nodes, s=sign: steady(bench, vm, n, s)))
        bench.say(f"{name}: nobody missed the leader")
        remove(nodes)
        tear_down(vm)
    expect(len(found) == 1, f"all answer alike: {found}")
    return {"veth": found.pop()}
