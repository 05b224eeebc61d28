"""A laboratory in which things can be broken: the pair, its disks and clocks, and a watch on both nodes."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc.aio

from mtad.cli.shapes import entry_object
from mtad.lab.layout import NodeShape
from mtad.lab.load import Accepted
from mtad.lab.pair import Laboratory, RunningNode, View, running_laboratory
from mtad.lab.sink import Delivery
from mtad.startup.provision import make_private_folder
from tests.chaos.cable import Cable, Namespaces, Wires
from tests.chaos.checker import SetBack, Sighting, Window, Wipe, copies_of, queue_id_of
from tests.chaos.plan import Era, Fault
from tests.chaos.witness import Witness
from tests.peers.mtad import children_of
from tests.peers.process import is_alive

DISK_OCTETS = 192 * 1024 * 1024
WATCH_SECONDS = 0.15
MTACTL_SECONDS_MAX = 30.0
BOUNCED = "nobody@example.test"
LATER = "later@example.test"
DSN_PATH = "you+{id}@lab.test"
FALSE_CLOCK = Path(__file__).parent / "clock"
IS_ROOT = os.geteuid() == 0

POLICY = """\
require ["envelope", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.route", "vnd.mtad.queue"];

stage "connect" {
    if ip :remote ["127.0.0.0/8", "198.18.0.0/15"] { accept :relay; }
}

stage "deliver" {
    if envelope :localpart "to" ["queued", "nobody"] { queue; } else { queue :transient; }
    retry :intervals ["1", "2", "3"];

    if envelope :domain "to" ["local.test", "lab.test"] {
        route :host "127.0.0.1" :nomx :port LMTP_PORT :tls "none" "lmtp";
    } else {
        route :port SMTP_PORT "smtp";
    }
}
"""
SETTINGS = "\n[delivery]\ndeadline_seconds = 2\n"


def now_ms() -> int:
    """Return UTC in milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Done:
    """A fault that was done."""

    fault: Fault
    at_ms: int
    node: str
    was_active: bool


@dataclass(slots=True)
class Marks:
    """What has been done to the pair in a round, for the checker."""

    done: list[Done] = field(default_factory=list)
    moods: list[Window] = field(default_factory=list)
    wipes: list[Wipe] = field(default_factory=list)
    deaths: list[int] = field(default_factory=list)
    stops: list[int] = field(default_factory=list)
    unheard: list[Window] = field(default_factory=list)
    split: list[Window] = field(default_factory=list)
    closing: list[Window] = field(default_factory=list)
    set_back: list[SetBack] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)  # promised two copies, and not on a disk that was looked at
    notes: list[str] = field(default_factory=list)


class World:
    """The pair under test.

    Nothing here may hold up the event loop: the cable between the nodes runs in it.
    """

    def __init__(self, laboratory: Laboratory, cable: Cable, witness: Witness | None, *, has_disks: bool) -> None:
        self.laboratory = laboratory
        self.cable = cable
        self.witness = witness
        self.has_disks = has_disks
        self.sightings: list[Sighting] = []  # of this round; those that it began with first
        self.accepted: list[Accepted] = []
        self.marks = Marks()
        self.untrusted: set[str] = set()  # nodes that are being broken now
        self.watched = asyncio.Event()  # both nodes have been seen
        self._views: dict[str, View | None] = {}
        self._locks = {node.name: asyncio.Lock() for node in laboratory.nodes}

    def begin(self, marks: Marks) -> None:
        """Begin a round, whose marks these are."""
        self.marks = marks
        self.accepted = []
        self.untrusted.clear()
        self.sightings = [self._sighting(node) for node in self.nodes]

    @property
    def nodes(self) -> tuple[RunningNode, RunningNode]:
        """Both nodes."""
        return self.laboratory.nodes

    def named(self, role: str) -> RunningNode:
        """Return the node that was last seen in this role; where there is none, any."""
        found = [node for node in self.nodes if (view := self._views.get(node.name)) and view.role == role]
        return found[0] if found else self.nodes[role == "passive"]

    def is_active(self, node: RunningNode) -> bool:
        """Tell whether a node was last seen to be active."""
        view = self._views.get(node.name)
        return view is not None and view.role == "active"

    def other(self, node: RunningNode) -> RunningNode:
        """Return the peer of a node."""
        return self.nodes[node is self.nodes[0]]

    # watching

    async def watch(self) -> None:
        """Look at both nodes again and again."""
        async with asyncio.TaskGroup() as group:
            for node in self.nodes:
                group.create_task(self._watch(node))

    async def _watch(self, node: RunningNode) -> None:
        while True:
            before = self._sighting(node)
            self._views[node.name] = await node.view()
            seen = self._sighting(node)
            if (seen.role, seen.epoch) != (before.role, before.epoch):
                self.sightings.append(seen)
            if len(self._views) == len(self.nodes):
                self.watched.set()
            await asyncio.sleep(WATCH_SECONDS)

    def _sighting(self, node: RunningNode) -> Sighting:
        view = self._views.get(node.name)
        return Sighting(now_ms(), node.name, view.role if view else "", view.epoch if view else 0)

    # processes

    async def kill(self, node: RunningNode) -> None:
        """SIGKILL the node: the kernel ends all its processes with the first."""
        if not node.child.is_running:
            return
        self.marks.deaths.append(now_ms())
        pids = process_ids(node)
        node.child.kill()
        await node.child.ended()
        while any(is_alive(pid) for pid in pids):
            await asyncio.sleep(0.01)

    @asynccontextmanager
    async def down(self, node: RunningNode) -> AsyncIterator[None]:
        """Keep a node down, whatever other faults do."""
        async with self._locks[node.name]:
            await self.kill(node)
            yield

    async def revive(self, node: RunningNode) -> None:
        """Start the node if it does not run, as an init system does; it may end again at once while it is broken."""
        async with self._locks[node.name]:
            if not node.child.is_running:
                await node.restart()

    async def mtactl(self, node: RunningNode, *words: str) -> tuple[int, str]:
        """Run mtactl against a node; return its exit code and what it said."""
        program = str(Path(sys.executable).with_name("mtactl"))
        process = await asyncio.create_subprocess_exec(
            program,
            *words,
            "--node",
            str(node.files.admin_socket),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(MTACTL_SECONDS_MAX):
                said, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            return -1, "no answer"
        return process.returncode or 0, said.decode("utf-8", "replace").strip()

    # the next hops

    async def tell_sinks(self, *commands: str) -> None:
        """Change how the next hops answer."""
        for command in commands:
            await self.laboratory.tell_sinks(command)

    async def delivered(self) -> list[Delivery]:
        """Return all that both sinks have taken."""
        return await asyncio.to_thread(lambda: list(self.laboratory.delivered()))

    # what is on the disks

    async def look_for_copies(self, *nodes: RunningNode) -> None:
        """Mark what was promised two copies and is neither in the queue of these nodes nor delivered."""
        promised = {
            queue_id: answer
            for answer in self.accepted
            if copies_of(answer.reply) == 2 and answer.recipient != BOUNCED and (queue_id := queue_id_of(answer.reply))
        }
        for node in nodes:
            if node.name in self.untrusted or not node.child.is_running:
                continue
            try:
                async with asyncio.timeout(MTACTL_SECONDS_MAX):
                    held = await node.queue_ids()
            except (grpc.aio.AioRpcError, TimeoutError):
                continue
            missing = {queue_id: answer for queue_id, answer in promised.items() if queue_id not in held}
            if missing:
                arrived = {(each.lab_id, each.recipient) for each in await self.delivered()}
                self.marks.absent += [
                    f"{answer.lab_id} ({queue_id}) not on {node.name}"
                    for queue_id, answer in missing.items()
                    if (answer.lab_id, answer.recipient) not in arrived
                ]

    async def queue_of(self, node: RunningNode) -> list[dict[str, Any]] | None:
        """Return what `mtactl queue list --json` says, without starting it; None when the node does not answer.

        Starting it takes longer than the queue stays as it is.
        """
        try:
            async with asyncio.timeout(MTACTL_SECONDS_MAX):
                entries = await node.queue()
        except (grpc.aio.AioRpcError, TimeoutError):
            return None
        return sorted((entry_object(entry) for entry in entries), key=lambda entry: str(entry["queue_id"]))

    async def waiting_ids(self) -> frozenset[str]:
        """Return the X-Lab-Ids of what is in the queue of a living node, by its sender."""
        before, _, after = DSN_PATH.partition("{id}")
        found: set[str] = set()
        for node in self.nodes:
            entries = await self.queue_of(node) or []
            found |= {str(entry["sender"]).removeprefix(before).removesuffix(after) for entry in entries}
        return frozenset(found)

    def logs_with(self, text: str) -> int:
        """Count a text in the logs of both nodes."""
        return sum(node.files.log.read_text(errors="replace").count(text) for node in self.nodes)


def process_ids(node: RunningNode) -> list[int]:
    """Return the pids of a node, its first process first."""
    return [node.child.pid, *children_of(node.child.pid).values()]


@contextmanager
def _small_disk(folder: Path) -> Iterator[None]:
    """Put a small file system of its own there."""
    make_private_folder(folder)
    options = f"size={DISK_OCTETS},mode=0700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def shape_of(era: Era, spaces: Namespaces | None, witness: Witness | None) -> NodeShape:
    """Return how the nodes are built."""
    if spaces is not None:
        return NodeShape(era.workers, SETTINGS, wrapper=spaces.wrapper, places=spaces.places)
    search_path = os.pathsep.join(filter(None, (str(FALSE_CLOCK), os.environ.get("PYTHONPATH"))))
    wrapper = ("/usr/bin/env", f"PYTHONPATH={search_path}", "MTAD_FALSE_CLOCK={folder}/clock")
    own = ("", "") if witness is None else witness.settings
    return NodeShape(era.workers, SETTINGS, own, wrapper if era.has_false_clock else ())


@asynccontextmanager
async def running_world(folder: Path, era: Era) -> AsyncIterator[World]:
    """Run a pair in an existing empty folder, watched and protected."""
    async with AsyncExitStack() as stack:
        for name in ("mx1", "mx2"):
            make_private_folder(folder / name)
            (folder / name / "clock").write_text("0\n")
            if IS_ROOT:
                stack.enter_context(_small_disk(folder / name / "queue"))
        witness = await Witness.lay(stack, folder) if era.authority == "witness" else None
        spaces = await _spaces(stack, era)
        shape = shape_of(era, spaces, witness)
        policy = POLICY if spaces is None else POLICY.replace("127.0.0.1", spaces.places.services)
        laboratory = await stack.enter_async_context(
            running_laboratory(folder, policy=policy, shape=shape, is_wired=spaces is None)
        )
        cable = Wires(laboratory.wires) if spaces is None else spaces
        if witness is not None:
            stack.push_async_callback(witness.stop)
            await witness.start()
        world = World(laboratory, cable, witness, has_disks=IS_ROOT)
        await world.tell_sinks(f"rcpt 550 {BOUNCED}", f"dot 451 {LATER}")
        await laboratory.wait_protected()
        watching = asyncio.create_task(world.watch())
        stack.push_async_callback(_cancelled, watching)
        await world.watched.wait()
        yield world


async def _spaces(stack: AsyncExitStack, era: Era) -> Namespaces | None:
    """Make the namespaces that the era asks for; None where they cannot be had, and all is on loopback then."""
    if not (era.has_namespaces and IS_ROOT):
        return None
    try:
        return await stack.enter_async_context(Namespaces.made())
    except OSError as error:
        print(f"no network namespaces, so all is on loopback: {error}", flush=True)
        return None


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def delete_store(node: RunningNode) -> None:
    """Delete what is on a node's disk, the node itself being down."""
    for path in (node.files.folder / "queue").iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
