# SPDX-License-Identifier: GPL-2.0-only
"""xraft on these machines: a node each, what it says, and what it leaves behind."""
import json

from vm import Failed, wait_for

CONF = """[cluster]
name = vm
key = /etc/xraft/key
[self]
node = {self}
interface = eth0
xdp = {xdp}
state = /state/xraft
[timing]
election_ms = 600-1200
heartbeat_ms = 150
[nodes]
{nodes}
[groups]
main = 1: {ids}
"""
LIST = "for p in /proc/[0-9]*; do case $(readlink $p/exe) in */xraftd) echo ${p#/proc/};; esac; done"


class Node:
    """`addresses` are those of all nodes."""

    def __init__(self, vm, number, addresses):
        self.vm, self.number, self.addresses, self.xdp = vm, number, addresses, "auto"

    def configure(self):
        ids = " ".join(str(n) for n in self.addresses)
        text = CONF.format(
            self=self.number, xdp=self.xdp, ids=ids,
            nodes="\n".join(f"{n} = {a}" for n, a in self.addresses.items()))
        self.vm.run(f"cat >/run/xraft.conf <<'END'\n{text}END")

    def address_up(self):
        self.vm.run(f"ip link set eth0 up; ip addr add {self.addresses[self.number]}/24 dev eth0")

    def launch(self, new=False):
        self.vm.run(f"setsid xraftd --config /run/xraft.conf {'--new' if new else ''} </dev/null >>/run/log 2>&1 &")

    def start(self, new=False):
        self.configure()
        self.launch(new)
        wait_for(f"node {self.number} takes part", self.alive, every_s=0.5)

    def alive(self):
        status = self.status()
        if not status.get("alive") and not self.pids():
            raise Failed(f"node {self.number} has ended: {self.log()}")
        return status.get("answering")

    def pids(self):
        return self.vm.run(LIST).split()

    def kill(self, name="KILL"):
        """Warden and engine, both at once."""
        self.vm.run(f"kill -{name} $({LIST}); true")
        wait_for("xraftd ends", lambda: not self.pids())

    def status(self):
        said = self.vm.run(f"xraft -n vm.{self.number} status --json 2>/dev/null", check=False)
        return json.loads(said) if said.startswith("{") else {}

    def group(self):
        return (self.status().get("groups") or [{}])[0]

    def nic(self):
        """(mode, how it is attached): ("native", "dispatcher")"""
        nic = self.status().get("nic", {})
        return nic.get("mode"), nic.get("attach")

    def count(self, name, of="nic"):
        return self.status().get("counters", {}).get(of, {}).get(name, 0)

    def doctor(self, *options):
        """{check: (result, sentence)}"""
        said = json.loads(self.vm.run(f"xraft doctor --json --config /run/xraft.conf {' '.join(options)}", check=False))
        return {check["name"]: (check["result"], check["found"]) for check in said["checks"]}

    def log(self, lines=12):
        return self.vm.run(f"tail -n {lines} /run/log", check=False)

    def remove(self):
        """Ends it; then nothing may be left attached, loaded or pinned."""
        self.kill("TERM")
        self.vm.run(f"xraft -n vm.{self.number} detach")
        left = self.leftovers()
        if left:
            raise Failed(f"node {self.number} leaves behind: {left}")

    def leftovers(self):
        # The kernel frees programs a little after the last descriptor.
        return wait_until_empty(lambda: self.vm.run(
            "bpftool prog show | grep -E 'xr_nic|xr_pass'; find /sys/fs/bpf -type f; find /sys/fs/bpf/xraft -mindepth 1",
            check=False).strip())


def wait_until_empty(what):
    try:
        wait_for("nothing is left", lambda: not what(), 60)
    except Failed:
        return what()
    return ""


def agreed(nodes):
    """The leader that all these nodes name, in one term; None while there is none."""
    groups = {n.number: n.group() for n in nodes}
    views = {(g.get("leader"), g.get("term")) for g in groups.values()}
    if len(views) != 1:
        return None
    leader = views.pop()[0]
    return leader if groups.get(leader, {}).get("role") == "leader" else None


def elect(nodes, limit_s=180):
    try:
        return wait_for("one leader, known to all", lambda: agreed(nodes), limit_s)
    except Failed as failed:
        said = "\n".join(f"node {n.number}: {n.group()}\n{n.log(8)}" for n in nodes)
        raise Failed(f"{failed}\n{said}") from None


def answers_natively(nodes, leader, limit_s=180):
    """Heartbeats that followers' cards answer go on."""
    for node in nodes:
        if node.number == leader:
            continue
        before = node.count("heartbeat_answered")
        wait_for(f"node {node.number} answers in its NIC path",
                 lambda n=node, b=before: n.count("heartbeat_answered") > b + 3, limit_s)
