"""Who links what: the dependency graph holds the promise that the agent has no keys (I5).

`deny.toml` says who may depend on `gated` and `sandbox` directly; here the whole graph of each function
is walked, since a detour through another crate would link just as much.
"""

import json
import subprocess
import tomllib
import unittest
from pathlib import Path

ROOT = Path(__file__).parent.parent
FUNCTIONS = {"ingress", "processor", "approver", "reconciler"}
WITHOUT_KEYS = FUNCTIONS - {"approver"}
SHIPPED = "aarch64-unknown-linux-gnu"
REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"


def metadata():
    """Return what cargo resolved for the shipped platform; it fails if Cargo.lock is not up to date."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", SHIPPED]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


class Graph:
    """The resolved packages and their edges."""

    def __init__(self, resolved):
        self.packages = {p["id"]: (p["name"], p["version"]) for p in resolved["packages"]}
        self.members = {self.packages[i][0]: i for i in resolved["workspace_members"]}
        # (from, to, kind); cargo's kind of a normal dependency is none.
        self.edges = {
            (node["id"], dep["pkg"], kind["kind"] or "normal")
            for node in resolved["resolve"]["nodes"]
            for dep in node["deps"]
            for kind in dep["dep_kinds"]
        }

    def linked(self, member):
        """Return (name, version) of all that a member's normal graph has, itself included."""
        found, left = set(), [self.members[member]]
        while left:
            if (package := left.pop()) not in found:
                found.add(package)
                left += [to for start, to, kind in self.edges if start == package and kind == "normal"]
        return {self.packages[i] for i in found}

    def dependents(self, name):
        """Return who depends directly on the package `name`, in any way."""
        return {self.packages[start][0] for start, to, _ in self.edges if self.packages[to][0] == name}

    def with_edge(self, start, to):
        """Return a graph in which one more member depends on another."""
        other = object.__new__(Graph)
        other.packages, other.members = self.packages, self.members
        other.edges = self.edges | {(self.members[start], self.members[to], "normal")}
        return other


def violations(graph):
    """Return all that the graph has and must not have, in words."""
    found = []
    for member in sorted(graph.members):
        linked = graph.linked(member)
        names = {name for name, _ in linked}
        if member in WITHOUT_KEYS and "gated" in names:
            found.append(f"{member} links gated: it must not be able to act")
        if member in FUNCTIONS and "sandbox" in names:
            found.append(f"{member} links sandbox: stand-ins are not shipped")
        for name in sorted(names & {"aws-lc-rs", "aws-lc-sys", "openssl-sys", "native-tls"}):
            found.append(f"{member} links {name}: turn off the default TLS features of what brings it")
        if old := [version for name, version in linked if name == "hyper" and version.startswith("0.")]:
            found.append(f"{member} links hyper {old[0]}: turn off the default features of the aws-sdk crates")
    if others := graph.dependents("gated") - {"approver", "stories"}:
        found.append(f"{sorted(others)} depend on gated: only the approver acts")
    return found


class Dependencies(unittest.TestCase):
    """The graph as cargo resolves it, and with leaks."""

    @classmethod
    def setUpClass(cls):
        cls.graph = Graph(metadata())

    def test_nobody_links_what_is_forbidden(self):
        self.assertEqual([], violations(self.graph))
        linked = {member: len(self.graph.linked(member)) - 1 for member in sorted(FUNCTIONS)}
        print("crates linked:", ", ".join(f"{member} {count}" for member, count in linked.items()))

    def test_the_approver_does_link_the_gated_effects(self):
        self.assertIn("gated", {name for name, _ in self.graph.linked("approver")})

    def test_an_injected_leak_is_caught(self):
        for start, to in [("processor", "gated"), ("connectors", "gated"), ("ingress", "sandbox"), ("runtime", "sandbox")]:
            with self.subTest(f"{start} depends on {to}"):
                self.assertNotEqual([], violations(self.graph.with_edge(start, to)))

    def test_every_function_is_a_member(self):
        self.assertLessEqual(FUNCTIONS | {"gated", "sandbox"}, self.graph.members.keys())

    def test_every_crate_comes_from_the_public_registry(self):
        lock = tomllib.loads((ROOT / "Cargo.lock").read_text(encoding="utf-8"))
        self.assertEqual({REGISTRY}, {p["source"] for p in lock["package"] if "source" in p})
        outside = [p["name"] for p in lock["package"] if "source" not in p and p["name"] not in self.graph.members]
        self.assertEqual([], outside)

    def test_no_configuration_redirects_the_registry(self):
        config = tomllib.loads((ROOT / ".cargo/config.toml").read_text(encoding="utf-8"))
        self.assertEqual(set(), config.keys() & {"source", "registries", "registry"})


if __name__ == "__main__":
    unittest.main()
