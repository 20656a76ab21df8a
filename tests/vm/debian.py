# SPDX-License-Identifier: GPL-2.0-only
"""Debian packages of other suites, fetched by an apt of its own and unpacked into a
cache. Nothing of the system is touched: sources, lists, state and archives are all in the cache."""
import fcntl
import os
import pathlib
import re
import shutil
import subprocess

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

CONF = """Dir::State "{0}";
Dir::State::lists "{0}/lists";
Dir::State::status "/dev/null";
Dir::Cache "{0}";
Dir::Etc::SourceList "{0}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Architecture "{1}";
APT::Architectures {{ "{1}"; }};
APT::Sandbox::User "root";
"""


class Unavailable(Exception):
    """It cannot be had here: a reason to skip, not to fail."""


def mirror():
    """Where this system has its own packages from."""
    release = re.search(r"^VERSION_CODENAME=(.*)$", pathlib.Path("/etc/os-release").read_text(), re.M)
    targets = subprocess.run(
        ["apt-get", "indextargets", "Created-By: Packages", "--format", "$(RELEASE) $(REPO_URI)"],
        check=False, capture_output=True, text=True).stdout
    for line in targets.splitlines():
        suite, uri = line.split()
        if release and suite == release[1]:
            return uri
    raise Unavailable("apt's sources name no mirror of this release of Debian")


class Debian:
    def __init__(self, cache, arch="amd64"):
        self.cache, self.arch = pathlib.Path(cache), arch
        self.apt = self.cache / f"apt-{arch}"
        self.trees = self.cache / "trees"
        self.updated = None  # the suite
        for folder in (self.apt / "lists/partial", self.apt / "archives/partial", self.trees):
            folder.mkdir(parents=True, exist_ok=True)

    def _run(self, *command, cwd=None):
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=cwd,
                              env=os.environ | {"APT_CONFIG": str(self.apt / "apt.conf"), "LC_ALL": "C"})
        if done.returncode:
            raise Unavailable(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()[-300:]}")
        return done.stdout

    def _update(self, suite):
        if self.updated == suite:
            return
        uri = mirror()
        (self.apt / "apt.conf").write_text(CONF.format(self.apt, self.arch))
        (self.apt / "sources.list").write_text(
            f"deb [signed-by={KEYRING}] {uri} {suite} main\n")
        self._run("apt-get", "-q", "update")
        self.updated = suite

    def _show(self, package, version):
        """(name, version, what it depends on in exactly this version)"""
        name = package.split(":")[0]
        text = self._run("apt-cache", "show", f"{package}={version}")
        depends = re.search(r"^Depends: (.*)$", text, re.M)
        same = re.findall(rf"([a-z0-9.+-]+) \(= {re.escape(version)}\)", depends[1] if depends else "")
        return name, [other for other in same if other.startswith("linux-")]

    def _newest(self, package, suite):
        for line in self._run("apt-cache", "madison", package).splitlines():
            _, version, source = (field.strip() for field in line.split("|"))
            if f" {suite}/" in source:
                return version
        raise Unavailable(f"{suite} has no {package}")

    def _download(self, package, version, tree):
        self._run("apt-get", "-q", "download", f"{package}={version}", cwd=self.apt / "archives")
        self._unpack(tree)

    def tree(self, package, suite):
        """The folder into which a package, and the parts of a kernel that it is made of, are unpacked."""
        return self._once(f"{suite}-{self.arch}-{package}", lambda fresh: self._fetch(package, suite, fresh))

    def together(self, name, packages):
        """The folder with these packages and all that they need, as if nothing were installed."""
        return self._once(f"{name}-{self.arch}", lambda fresh: self._install(packages, fresh))

    def _once(self, name, fill):
        tree = self.trees / name
        if tree.exists():
            return tree
        with open(self.cache / "lock", "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not tree.exists():
                fresh = tree.with_suffix(".new")
                shutil.rmtree(fresh, ignore_errors=True)
                fresh.mkdir()
                fill(fresh)
                fresh.rename(tree)
        return tree

    def _install(self, packages, tree):
        self._update("bookworm")
        self._run("apt-get", "-qy", "--no-install-recommends", "--download-only", "install", *packages)
        self._unpack(tree)

    def _unpack(self, tree):
        for deb in (self.apt / "archives").glob("*.deb"):
            self._run("dpkg-deb", "-x", str(deb), str(tree))
            deb.unlink()

    def _fetch(self, package, suite, fresh):
        self._update(suite)
        version = self._newest(package, suite)
        todo, done = [package], set()
        while todo:
            name = todo.pop()
            if name in done:
                continue
            done.add(name)
            self._download(name, version, fresh)
            todo += self._show(name, version)[1]
