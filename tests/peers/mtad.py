"""Nodes of our own as processes: configured in a folder, started, asked by mtactl, killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtad.cli.node_client import NodeClient, NodeError
from mtad.cli.shapes import entry_object, status_object
from mtad.config.show import toml_value
from mtad.lab.ports import free_port
from mtad.pb import admin_pb2 as pb
from mtad.startup import provision
from tests.peers.process import READY_SECONDS_MAX, greets, open_folder, tail, wait_until

GROUP = "pair"
DOMAIN = "mtad.test"
NAMES = ("one", "two", "far")
# However busy the machine is, no node takes over and no confirmation is late, in tests that are not about that.
PATIENT = {"promote_after_seconds": 300, "ack_within_seconds": 60}
AS_USED = {"replication": {"promote_after_seconds": 3, "ack_within_seconds": 2}}
POLICY = """\
require ["envelope", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.route", "vnd.mtad.queue"];
stage "connect" { accept :relay; }
stage "deliver" { %s }
"""


def policy_to(port: int, *, transport: str = "smtp", actions: str = "", retry: str = "") -> str:
    """Return a policy that sends all mail to one port of loopback; `actions` are added to its deliver stage."""
    plan = f"retry {retry};" if retry else ""
    return POLICY % f'route :host "127.0.0.1" :nomx :port {port} :tls "none" "{transport}"; {actions} {plan}'


@dataclass(slots=True)
class MtadNode:
    """One node's files, and its process while it runs."""

    folder: Path
    smtp_port: int
    name: str
    node_id: int
    process: subprocess.Popen[bytes] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        """Its mtad.toml."""
        return self.folder / "mtad.toml"

    @property
    def log(self) -> Path:
        """Its events."""
        return self.folder / "log"

    @property
    def store(self) -> Path:
        """The folder of its queue."""
        return self.folder / "data"

    def start(self) -> None:
        """Start it and wait until all its processes are up. Errors: PeerUnavailable, with the end of its log."""
        before = self._ready_count()
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mtad.main", "run", "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={**os.environ, **self.environment},
            )
        process = self.process
        wait_until(
            lambda: process.poll() is not None or (self._ready_count() > before and greets(self.smtp_port)),
            f"{self.name} greets",
            self.log,
        )
        assert process.poll() is None, f"{self.name} ended with {process.returncode}\n{tail(self.log)}"

    def _ready_count(self) -> int:
        return self.log.read_text(errors="replace").count("event=node.ready") if self.log.exists() else 0

    def kill(self) -> None:
        """Kill it as a power failure does: at once, with all its children."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(READY_SECONDS_MAX)

    def stop(self) -> int:
        """End it kindly; returns its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(READY_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode

    @property
    def is_running(self) -> bool:
        """Tell whether the supervisor lives."""
        return self.process is not None and self.process.poll() is None

    def mtactl(self, *words: str, expect: int | None = 0) -> str:
        """Run mtactl against this node and return what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "mtad.cli", *words],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "MTAD_CONFIG": str(self.config)},
            check=False,
        )
        assert expect is None or done.returncode == expect, (words, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def asked(self) -> NodeClient:
        """Return what mtactl asks this node by: tests that wait for something ask often, and a process takes long."""
        return NodeClient(str(self.folder / "run" / "admin.sock"))

    def status(self) -> dict[str, Any]:
        """Return what `mtactl status --json` prints; nothing, when the node does not answer."""
        with self.asked() as node:
            try:
                return status_object(node.status())
            except NodeError:
                return {}

    def queue(self) -> list[dict[str, Any]]:
        """Return what `mtactl queue list --json` prints, by line. Errors: NodeError."""
        with self.asked() as node:
            return [entry_object(entry) for entry in node.messages(pb.Selection(all=True))]

    def sites(self) -> dict[str, dict[str, Any]]:
        """Return what `mtactl site list --json` prints, by name."""
        found = self.status()
        return {site["node"]: site for site in (*found.get("sites", ()), *found.get("members", ()))}

    def is_protected(self) -> bool:
        """Tell whether what it accepts now gets two copies."""
        return self.status().get("peer", {}).get("durability") == "remote-durable"

    def has_role(self, role: str) -> bool:
        """Tell whether it has this role now."""
        return self.status().get("role") == role

    def memory_octets(self) -> int:
        """Return the resident memory of all its processes."""
        assert self.process is not None
        return sum(_resident(pid) for pid in (self.process.pid, *_children(self.process.pid)))


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


def _resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _toml(settings: Mapping[str, Mapping[str, Any]]) -> str:
    """Return tables as TOML: texts, numbers, tables and lists of them are all that we need."""
    lines: list[str] = []
    for table, values in settings.items():
        lines += [f"[{table}]", *(f"{key} = {toml_value(value)}" for key, value in values.items()), ""]
    return "\n".join(lines)


def _write(node: MtadNode, policy: str, peer: tuple[MtadNode, int, int] | None, extra: Mapping[str, Any]) -> None:
    tables: dict[str, dict[str, Any]] = {
        "node": {
            "name": node.name,
            "id": node.node_id,
            "hostname": f"{node.name}.{DOMAIN}",
            "domains": [DOMAIN],
            "data_dir": str(node.store),
            "run_dir": str(node.folder / "run"),
            "workers": 0,
        },
        "smtp": {},
        "policy": {"file": str(node.folder / "policy.sieve")},
        "dns": {"servers": ["127.0.0.1:1"], "timeout_seconds": 1},
    }
    if peer is not None:
        other, own_port, other_port = peer
        keys = node.folder.parent / "keys"
        tables["replication"] = {
            **PATIENT,
            "group": GROUP,
            "listen": f"127.0.0.1:{own_port}",
            "ca": str(keys / "ca.pem"),
            "cert": str(keys / f"{node.name}.pem"),
            "key": str(keys / f"{node.name}.key"),
        }
        tables["replication.peer"] = {
            "name": other.name,
            "id": other.node_id,
            "address": f"127.0.0.1:{other_port}",
        }
    for table, values in extra.items():
        tables.setdefault(table, {}).update(values)
    tables["smtp"]["listen"] = [f"127.0.0.1:{node.smtp_port}", *extra.get("smtp", {}).get("listen", ())]
    dkim = f'[[dkim.keys]]\ndomain = "{DOMAIN}"\nselector = "s1"\nfile = "{node.folder.parent}/keys/dkim.pem"\n'
    node.config.write_text(_toml(tables) + dkim)
    (node.folder / "policy.sieve").write_text(policy)


def _lay(folder: Path, count: int) -> list[MtadNode]:
    keys = folder / "keys"
    provision.make_private_folder(keys)
    provision.make_dkim_key(keys / "dkim.pem")
    nodes = []
    for index in range(count):
        node = MtadNode(folder / NAMES[index], free_port(), NAMES[index], index + 1)
        for path in (node.folder, node.store, node.folder / "run"):
            provision.make_private_folder(path)
        nodes.append(node)
    return nodes


@contextmanager
def single(policy: str, extra: Mapping[str, Any] | None = None) -> Iterator[MtadNode]:
    """Run one node without a pair.

    extra   settings by table, over those that the tests have; `smtp.listen` is added to its SMTP port
    """
    with open_folder("node") as folder, ExitStack() as ends:
        (node,) = _lay(folder, 1)
        _write(node, policy, None, extra or {})
        ends.callback(_end, node)
        node.start()
        yield node


@contextmanager
def pair(policy: str, extra: Mapping[str, Any] | None = None) -> Iterator[tuple[MtadNode, MtadNode]]:
    """Run two nodes; the block starts when the first is active and what it accepts gets two copies."""
    with open_folder("pair") as folder, ExitStack() as ends:
        one, two = _lay(folder, 2)
        ca = provision.make_ca(folder / "keys")
        for node in (one, two):
            provision.make_member_certificate(ca, node.name, folder / "keys")
        ports = free_port(), free_port()
        _write(one, policy, (two, *ports), extra or {})
        _write(two, policy, (one, *ports[::-1]), extra or {})
        for node in (one, two):
            ends.callback(_end, node)
            node.start()
        _begin(one)
        yield one, two


@contextmanager
def pair_with_site(
    policy: str, extra: Mapping[str, Any] | None = None, terms: Mapping[str, Any] | None = None
) -> Iterator[tuple[MtadNode, MtadNode, MtadNode]]:
    """Run a pair and a site that follows it; the block starts when the pair is protected and the site is fed.

    terms   of the pair's links to the site
    """
    with open_folder("site") as folder, ExitStack() as ends:
        one, two, far = _lay(folder, 3)
        ca = provision.make_ca(folder / "keys")
        for node in (one, two, far):
            provision.make_member_certificate(ca, node.name, folder / "keys")
        ports, far_port = (free_port(), free_port()), free_port()
        reached = {"name": far.name, "id": far.node_id, "address": f"127.0.0.1:{far_port}", **(terms or {})}
        of_members = {**(extra or {}), "replication": {**(extra or {}).get("replication", {}), "sites": [reached]}}
        _write(one, policy, (two, *ports), of_members)
        _write(two, policy, (one, *ports[::-1]), of_members)
        keys = folder / "keys"
        followed = {
            "group": GROUP,
            "listen": f"127.0.0.1:{far_port}",
            "ca": str(keys / "ca.pem"),
            "cert": str(keys / f"{far.name}.pem"),
            "key": str(keys / f"{far.name}.key"),
            "members": [{"name": node.name, "id": node.node_id} for node in (one, two)],
        }
        _write(far, policy, None, {**(extra or {}), "replication": followed})
        for node in (far, one, two):
            ends.callback(_end, node)
            node.start()
        _begin(one)
        wait_until(lambda: two.sites()["far"]["is_fed"], "the passive ships to the site", two.log)
        yield one, two, far


def _begin(one: MtadNode) -> None:
    """Have the first of a pair own, by order, and wait until what it accepts gets two copies."""
    one.mtactl("replica", "promote")
    wait_until(lambda: one.has_role("active") and one.is_protected(), "the pair is protected", one.log)


def _end(node: MtadNode) -> None:
    if node.process is not None and node.process.poll() is None:
        node.stop()


def children_of(pid: int) -> dict[str, int]:
    """Return the children of a node's first process by what they do: `spool`, `worker0`, `worker1`."""
    try:
        texts = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    found = {}
    for text in texts:
        try:
            words = Path(f"/proc/{text}/cmdline").read_text().split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if "mtad.main.spool_process" in words:
            found["spool"] = int(text)
        elif "mtad.main.worker" in words:
            found["worker" + words[words.index("--index") + 1]] = int(text)
    return found
