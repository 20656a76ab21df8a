# SPDX-License-Identifier: GPL-2.0-only
"""What is tried. Each case gets a bench, and returns what a user may rely on there, for the table of support."""
import re

from nodes import answers_natively, elect, remove
from vm import Failed, wait_for

# The kernel gives up at a million; what comes near it today, another kernel refuses.
VERIFIED_MAX = 500_000


def expect(true, what):
    if not true:
        raise Failed(what)


def how(node):
    """In the table's words."""
    mode, attached = node.nic()
    shared = ", dispatcher" if attached == "dispatcher" else ", alone"
    return mode + shared if mode in ("native", "generic") else "by the daemon"


def verified_insns(node):
    said = node.vm.run("cat /proc/[0-9]*/fdinfo/* 2>/dev/null | grep verified_insns", check=False)
    return max((int(n) for n in re.findall(r"\d+", said)), default=0)


def doctor_is_right(bench, said, mode, attached):
    """What doctor said before the attempt, against what came of it."""
    result, found = said["native XDP"]
    native = mode == "native"
    bench.say(f"doctor says of native XDP: {result}: {found}; of the dispatcher: {said['dispatcher'][0]}")
    if result == "ok" or "takes no programs" in found or "has refused" in found:
        expect((result == "ok") == native, f"doctor says: {found}; but it is {mode}")
    expect((said["dispatcher"][0] == "ok") == (attached == "dispatcher"),
           f"doctor says of the dispatcher: {said['dispatcher']}; but it is attached by {attached}")


def refuses_native(bench, node):
    """Whoever asks for native and cannot have it is told, and gets no other."""
    node.configure()
    said = node.vm.run(f"xraftd --config {node.conf} --new 2>&1", check=False)
    expect(node.vm.rc == 1 and "native XDP is refused" in said, f"xdp = native is refused, in words: {said}")
    expect(not node.leftovers(), f"nothing is left of what was refused: {node.leftovers()}")
    bench.say(f"xdp = native: {said.strip().splitlines()[-1]}")


def probe(bench):
    """Each xdp = ..., what doctor says against what attaching did; nothing is left."""
    (node,) = bench.nodes(1)
    node.configure()
    asked, tried = node.doctor(), node.doctor("--try")
    result = None
    for xdp in "auto", "native", "generic", "off":
        node.xdp = xdp
        if xdp == "native" and not result.startswith("native"):
            refuses_native(bench, node)
            continue
        node.start(new=True)
        mode, attached = node.nic()
        bench.say(f"xdp = {xdp}: {mode}, {attached}")
        if xdp == "auto":
            result = how(node)
            doctor_is_right(bench, asked, mode, attached)
            expect((tried["native XDP"][0] == "ok") == (mode == "native"), f"doctor --try says: {tried['native XDP']}")
            verified = verified_insns(node)
            bench.say(f"the verifier looked at {verified} instructions")
            expect(0 < verified < VERIFIED_MAX, f"the verifier looks at {verified} instructions, of {VERIFIED_MAX}")
        expect(xdp in ("auto", mode), f"xdp = {xdp} became {mode}")
        remove([node])
    return result


def begin(nodes):
    for node in nodes:
        node.configure()
        node.launch(new=True)
    for node in nodes:
        node.wait()
    return elect(nodes)


def others(nodes, leader):
    return [node for node in nodes if node.number != leader]


def answers(bench, nodes, leader):
    """Followers answer where their node says it does."""
    if nodes[0].nic()[0] in ("native", "generic"):
        answers_natively(nodes, leader)
    bench.say(f"node {leader} leads; followers answer: {how(others(nodes, leader)[0])}")


def said(nodes, words):
    return sum(node.log(1000).count(words) for node in nodes)


def watched(nodes, beats):
    """(leader, term, who missed it) before and after so many heartbeats."""
    def look():
        leader = elect(nodes)
        return leader, nodes[leader - 1].group()["term"], said(nodes, "asks whether it would win")

    before = look()
    answered = {node.number: node.count("heartbeat_answered") for node in others(nodes, before[0])}
    for node in others(nodes, before[0]):
        wait_for(f"node {node.number} answers {beats} heartbeats",
                 lambda n=node: n.count("heartbeat_answered") >= answered[n.number] + beats or elect(nodes) != before[0])
    return before, look()


def undisturbed(nodes, beats=100):
    """Over so many heartbeats nobody misses the leader, and its term stays. A node that did not get the CPU
    of a busy host says so; then it is tried again."""
    for _ in range(6):
        stood = said(nodes, "the event loop stood still")
        before, after = watched(nodes, beats)
        if before == after:
            return
        if said(nodes, "the event loop stood still") == stood:
            break
    logs = "\n".join(node.log() for node in nodes)
    raise Failed(f"(leader, term, alarms) were {before}, and became {after}\n{logs}")


def killed(bench, nodes, leader):
    """Warden and engine of the leader at once: nobody is left to resign for it."""
    victim = nodes[leader - 1]
    victim.kill()
    elect(others(nodes, leader))
    victim.start()
    leader = elect(nodes)
    bench.say(f"node {victim.number} led, was killed, and is back")
    return leader


def short(bench):
    """Three machines elect, answer in their cards, and survive the death of a leader."""
    nodes = bench.nodes(3)
    nodes[0].configure()
    said = nodes[0].doctor()
    leader = begin(nodes)
    answers(bench, nodes, leader)
    doctor_is_right(bench, said, *nodes[0].nic())
    verified = verified_insns(nodes[0])
    bench.say(f"the verifier looked at {verified} instructions")
    expect(0 < verified < VERIFIED_MAX, f"the verifier looks at {verified} instructions, of {VERIFIED_MAX}")
    result = how(nodes[0])
    killed(bench, nodes, leader)
    remove(nodes)
    return result
