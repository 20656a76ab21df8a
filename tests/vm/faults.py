# SPDX-License-Identifier: GPL-2.0-only
"""What happens to machines: power, cables, cards, addresses; and cards that hand frames to several CPUs."""
import json

from cases import answers, begin, expect, how, others, undisturbed
from nodes import answers_natively, elect, remove
from vm import wait_for


def up(nodes):
    """As a machine's boot has it: address, then xraftd, without --new."""
    for node in nodes:
        node.address_up()
        node.configure()
        node.launch()
    for node in nodes:
        node.wait()


def terms_only_grow(nodes, leader, before):
    term = nodes[leader - 1].group()["term"]
    expect(term > before, f"the votes of term {before} are remembered, and the next leader has term {term}")
    return term


def kill_all(bench, nodes, leader, term):
    for node in nodes:
        node.kill()
    up(nodes)
    leader = elect(nodes)
    bench.say(f"all killed at once: node {leader} leads, term {terms_only_grow(nodes, leader, term)}")


def power_of_all(bench, nodes, leader, term):
    for node in nodes:
        node.vm.reset()
    for node in nodes:
        node.vm.ready()
    up(nodes)
    leader = elect(nodes)
    bench.say(f"power gone at all: node {leader} leads, term {terms_only_grow(nodes, leader, term)}")


def power_of_leader(bench, nodes, leader, term):
    victim = nodes[leader - 1]
    victim.vm.reset()
    next_one = elect(others(nodes, leader))
    terms_only_grow(nodes, next_one, term)
    victim.vm.ready()
    up([victim])
    elect(nodes)
    bench.say(f"power gone at node {leader}, which led: node {next_one} follows it, and it is back")


def link(bench, nodes, leader, term):
    victim = nodes[leader - 1]
    victim.vm.link(False)
    next_one = elect(others(nodes, leader))
    terms_only_grow(nodes, next_one, term)
    wait_for("the one that is cut off steps down", lambda: victim.group().get("role") != "leader")
    wait_for("it says why", lambda: "has no carrier" in str(victim.doctor()))
    victim.vm.link(True)
    elect(nodes)
    wait_for("all is well again", lambda: "has no carrier" not in str(victim.doctor()))
    bench.say(f"the link of node {leader}, which led, was cut: node {next_one} follows it, and it is back")


def card(bench, nodes, leader, term):
    victim, was = nodes[leader - 1], how(nodes[leader - 1])
    victim.vm.unplug()
    next_one = elect(others(nodes, leader))
    terms_only_grow(nodes, next_one, term)
    wait_for("the one without a card says so", lambda: "there is no interface eth0" in str(victim.doctor()))
    victim.vm.plug()
    victim.address_up()
    elect(nodes)
    wait_for("its program is on the new card", lambda: how(victim) == was)
    answers_natively([victim], next_one)
    bench.say(f"the card of node {leader}, which led, was unplugged: node {next_one} follows it; on the new card: {was}")


def address(bench, nodes, leader, term):
    victim = others(nodes, leader)[0]
    own = victim.addresses[victim.number]
    victim.vm.run(f"ip addr del {own}/24 dev eth0; ip addr add 10.9.0.99/24 dev eth0")
    wait_for("it says that its address is gone", lambda: f"{own}, this node's address, is on no" in str(victim.doctor()))
    expect(elect(others(nodes, victim.number)) == leader, "the leader stays")
    victim.vm.run(f"ip addr del 10.9.0.99/24 dev eth0; ip addr add {own}/24 dev eth0")
    elect(nodes)
    wait_for("all is well again", lambda: "is on no interface" not in str(victim.doctor()))
    expect(nodes[0].group()["term"] == term, f"the term stays {term}")
    bench.say(f"node {victim.number} had another address for a while, said so, and is back")


def cluster(bench):
    """Three machines: killed at once, power, link, card and address gone and back."""
    nodes = bench.nodes(3)
    leader = begin(nodes)
    answers(bench, nodes, leader)
    result = how(nodes[0])
    for fault in address, kill_all, power_of_all, power_of_leader, link, card:
        leader = elect(nodes)
        fault(bench, nodes, leader, nodes[leader - 1].group()["term"])
        answers(bench, nodes, elect(nodes))
    remove(nodes)
    return result


def by_cpu(node, name):
    """What each CPU has counted at the NIC path."""
    said = node.vm.run(f"bpftool -j map lookup pinned /sys/fs/bpf/xraft/vm-{node.number}/xr_stats key 0 0 0 0")
    return [cpu["value"][name] for cpu in json.loads(said)["formatted"]["values"]]


def both_cpus(nodes, leader):
    """Do acks of the leader's only group come in by both?"""
    before = by_cpu(nodes[leader - 1], "ack_stamped")
    wait_for("acks come in", lambda: sum(by_cpu(nodes[leader - 1], "ack_stamped")) > sum(before) + 100)
    return [now - b for now, b in zip(by_cpu(nodes[leader - 1], "ack_stamped"), before)]


def spread_anew(node):
    """Another key for the card's hash of flows; or, where a card has one queue, the kernel hands on: now to
    this CPU, now to that."""
    if node.vm.queues > 1:
        node.vm.run("ethtool -X eth0 hkey $(head -c 40 /dev/urandom | od -An -v -tx1 | xargs | tr ' ' :)")
    else:
        node.vm.run("f=/sys/class/net/eth0/queues/rx-0/rps_cpus; pidof usleep || "
                    "{ while :; do echo 1 >$f; usleep 3000; echo 2 >$f; usleep 3000; done & } >/dev/null 2>&1")


def spread(bench):
    """Acks of one group come in by two CPUs at once; nothing of it is lost, and the term stays."""
    nodes = bench.nodes(3, cpus=2)
    for node in nodes:
        node.heartbeat = 20
    leader = begin(nodes)
    answers(bench, nodes, leader)
    node = nodes[leader - 1]
    for _ in range(20):
        spread_anew(node)
        if min(counted := both_cpus(nodes, leader)) > 20:
            break
    bench.say(f"acks by CPU: {counted}")
    expect(min(counted) > 20, f"acks come in by both CPUs: {counted}")
    undisturbed(nodes)
    result = how(node)
    remove(nodes)
    return result
