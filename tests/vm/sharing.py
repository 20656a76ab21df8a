# SPDX-License-Identifier: GPL-2.0-only
"""Beside another XDP program, and at any MTU."""
import re

from cases import begin, doctor_is_right, expect, how
from networks import tell
from nodes import agreed, answers_natively, elect, remove
from spaces import build, nodes_in, tear_down
from vm import wait_for

OWN, ALLOWED, FILTERED = "10.9.0.1", "10.9.0.98", "10.9.0.99"
LOAD = f"xdp-filter load eth0 -p allow -f ipv4 && xdp-filter ip {FILTERED} -m src"
UNLOAD = "xdp-filter unload eth0"


def pinged(vm, address):
    """(sent, answered) of the pings from that address, which end."""
    said = vm.run(f"kill -INT $(cat /run/ping-{address}.pid); sleep 1; cat /run/ping-{address}")
    return tuple(int(n) for n in re.search(r"(\d+) packets transmitted, (\d+)", said).groups())


def filtering(vm, node, do=lambda: None):
    """While `do` goes on, all that xdp-filter lets pass comes through, nothing of the rest, and no frame
    finds xraft's program off: it has counted each."""
    before = node.count("pass_not_ours")
    for address, pause in (ALLOWED, 0.01), (FILTERED, 0.2):
        vm.run(f"ping -i {pause} -I {address} {OWN} >/run/ping-{address} 2>&1 & echo $! >/run/ping-{address}.pid")
    do()
    vm.run("sleep 2")
    (sent, answered), (_, passed) = pinged(vm, ALLOWED), pinged(vm, FILTERED)
    seen = node.count("pass_not_ours") - before
    expect(0 < sent <= answered + 1, f"{answered} of {sent} pings are answered beside xdp-filter")
    expect(not passed, f"{passed} pings have passed xdp-filter")
    return seen, answered


def restarted(bench, vm, nodes, node):
    """A follower, killed and started in the chain: the chain is never without its program or the filter."""
    leader, term = elect(nodes), node.group()["term"]

    def restart():
        node.kill()
        node.start()

    seen, answered = filtering(vm, node, restart)
    bench.say(f"node {node.number} was restarted beside the filter; of {answered} pings its program saw {seen}")
    expect(seen >= answered, f"xraft's program saw {seen} of {answered} pings")
    expect(elect(nodes) == leader and node.group()["term"] == term, "the leader and its term stay")


def beside(vm, node):
    """Both are there, say status and doctor."""
    expect(how(node) == "native, dispatcher", f"beside xdp-filter it is {how(node)}")
    said = node.doctor()["attached"]
    expect(said[0] == "ok" and "xdpfilt" in said[1] and "of node 1" in said[1], f"doctor says: {said}")
    filtering(vm, node)


def follower(nodes, node):
    """Node 1 follows, so that beats come to it."""
    if elect(nodes) == node.number:
        node.vm.run(f"xraft -n vm.{node.number} transfer main 2")
        wait_for("another leads", lambda: agreed(nodes) not in (None, node.number))


def share(bench, vm, nodes):
    node = nodes[0]
    node.vm.run(LOAD)
    begin(nodes)
    beside(vm, node)
    follower(nodes, node)
    restarted(bench, vm, nodes, node)
    node.vm.run(UNLOAD)
    answers_natively(nodes, elect(nodes))
    node.vm.run(LOAD)
    bench.say("xdp-filter was loaded first, went, and came back second")
    beside(vm, node)
    follower(nodes, node)
    restarted(bench, vm, nodes, node)
    answers_natively(nodes, elect(nodes))
    result = how(node)
    node.end()
    expect("xr_nic" not in node.vm.run("bpftool net show; xdp-filter status"), "xraft's is off")
    node.vm.run(UNLOAD)
    remove(nodes[1:])
    return result


def sharing(bench):
    """xdp-filter before and after xraftd: both do their work, a restart loses nothing, either goes first."""
    (vm,) = bench.machines(1, cpus=2)
    nodes = nodes_in(build(vm))
    vm.run(f"for a in {ALLOWED} {FILTERED}; do ip addr add $a/24 dev sw; done")
    result = tell("sharing", nodes, lambda: share(bench, vm, nodes))
    tear_down(vm)
    return {"beside xdp-filter": result}


def at_mtu(bench, node, mtu):
    """What is attached at this MTU, as doctor said; or the card has none such."""
    node.vm.run(f"ip link set eth0 mtu {mtu}")
    node.configure()
    asked, tried = node.doctor(), node.doctor("--try")
    node.start(new=True)
    bench.say(f"MTU {mtu}: {how(node)}; doctor says: {asked['native XDP'][1]}")
    doctor_is_right(bench, asked, *node.nic())
    expect((tried["native XDP"][0] == "ok") == (node.nic()[0] == "native"), f"doctor --try says: {tried['native XDP']}")
    small = mtu < 1500
    expect(("has an MTU of" in asked.get("interface", ("", ""))[1]) == (small or mtu > 3498),
           f"doctor says of the MTU: {asked.get('interface')}")
    result = how(node)
    remove([node])
    return result


def raised(bench, node):
    """The MTU goes up and down under a program that stays; each start makes the best of it, and says so."""
    node.vm.run("ip link set eth0 mtu 1500")
    node.start(new=True)
    node.vm.run("ip link set eth0 mtu 9000", check=False)
    refused = node.vm.rc != 0
    expect(node.nic()[0] == "native", "the program stays")
    if not refused:
        wait_for("the node says that a start may not do at this MTU",
                 lambda: "was raised from 1500 to 9000" in str(node.doctor()))
    node.kill()
    node.start()
    high = how(node)
    bench.say(f"MTU raised to 9000 under the program{' is refused' if refused else ''}, and a start: {high}")
    expect(refused or high.startswith("native") or "the XDP program of an earlier start stays on eth0" in node.log(),
           f"it says what has become of the program: {node.log()}")
    node.vm.run("ip link set eth0 mtu 1500")
    node.kill()
    node.start()
    expect(how(node) == "native, dispatcher", f"at 1500 it is native again, not {how(node)}; {node.log()}")
    remove([node])


def mtu(bench):
    """MTUs up and down across starts: what is attached is what doctor said."""
    (node,) = bench.nodes(1)
    found = {f"{bench.card}, MTU {mtu}": at_mtu(bench, node, mtu) for mtu in (600, 3498, 9000)}
    raised(bench, node)
    return found
