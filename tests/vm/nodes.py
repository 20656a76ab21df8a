# SPDX-License-Identifier: GPL-2.0-only
"""xraft on these machines: a node each, what it says, and what it leaves behind."""
import json

from vm import Failed, wait_for

CONF = """[cluster]
name = vm
key = /etc/xraft/key
[self]
node = {self}
interface = {interface}
xdp = {xdp}
state = /state/{self}
[timing]
election_ms = {election}
heartbeat_ms = {heartbeat}
stall_limit_ms = {stall}
[nodes]
{nodes}
[groups]
main = 1: {ids}
"""
# Those of this network namespace: a machine may carry several nodes.
LIST = ("here=$(readlink /proc/self/ns/net); "
        "for p in $(pidof xraftd); do [ \"$(readlink /proc/$p/ns/net)\" = \"$here\" ] && echo $p; done; true")


class Node:
    """`addresses` are those of all nodes. `vm` runs scripts: a machine, or a Space of one."""

    def __init__(self, vm, number, addresses):
        self.vm, self.number, self.addresses, self.xdp = vm, number, addresses, "auto"
        self.interface, self.election, self.heartbeat = "eth0", "600-1200", 150  # ms
        self.conf, self.logged = f"/run/xraft-{number}.conf", f"/run/log-{number}"

    def configure(self):
        ids = " ".join(str(n) for n in self.addresses)
        text = CONF.format(
            self=self.number, xdp=self.xdp, ids=ids, interface=self.interface,
            election=self.election, heartbeat=self.heartbeat, stall=self.election.split("-")[1],
            nodes="\n".join(f"{n} = [{a}]" if ":" in a else f"{n} = {a}" for n, a in self.addresses.items()))
        self.vm.run(f"cat >{self.conf} <<'END'\n{text}END")

    def address_up(self, at="eth0"):
        own = self.addresses[self.number]
        self.vm.run(f"ip link set {at} up; ip addr replace {own}{'/64 nodad' if ':' in own else '/24'} dev {at}")

    def launch(self, new=False):
        self.vm.run(f"setsid xraftd --config {self.conf} {'--new' if new else ''} </dev/null >>{self.logged} 2>&1 &")

    def check(self):
        """What xraftd says of its file and this machine, before it starts."""
        return self.vm.run(f"xraftd --check --config {self.conf} 2>&1", check=False)

    def start(self, new=False):
        self.configure()
        self.launch(new)
        self.wait()

    def wait(self):
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
        self.vm.run(f"kill -{name} $({LIST}) 2>/dev/null; true")
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
        said = json.loads(self.vm.run(f"xraft doctor --json --config {self.conf} {' '.join(options)}", check=False))
        return {check["name"]: (check["result"], check["found"]) for check in said["checks"]}

    def log(self, lines=12):
        return self.vm.run(f"tail -n {lines} {self.logged}", check=False)

    def end(self):
        self.kill("TERM")
        self.vm.run(f"xraft -n vm.{self.number} detach")

    def forget(self):
        """The next start is a first one."""
        self.vm.run(f"rm -rf /state/{self.number} {self.logged}")

    def leftovers(self):
        """What is attached, loaded or pinned. The kernel frees programs a little after the last descriptor;
        on a bond it keeps what was replaced (6.12: bond_xdp_set() puts the old one only where none follows)."""
        names = "xr_(nic|fence|try)" + ("" if self.interface == "bond0" else "|xdp_disp")
        return wait_until_empty(lambda: self.vm.run(
            f"bpftool prog show | grep -E '{names}'; find /sys/fs/bpf -type f; "
            f"find /sys/fs/bpf/xraft -mindepth 1; ip link show dev {self.interface} | grep xdp",
            check=False).strip())


def remove(nodes):
    """Ends them; then nothing may be left."""
    for node in nodes:
        node.end()
    for node in nodes:
        if left := node.leftovers():
            raise Failed(f"node {node.number} leaves behind: {left}")
        node.forget()


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
