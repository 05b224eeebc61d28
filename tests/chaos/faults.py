"""How each fault is done and undone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
from collections.abc import Awaitable, Callable, Mapping

from mtad.lab.pair import RunningNode
from mtad.lab.wire import Wire
from tests.chaos.checker import SetBack, Wipe
from tests.chaos.plan import MAKES_TWO_OWNERS, STOPS_DELIVERY, Fault, Kind
from tests.chaos.world import Done, World, delete_store, now_ms, process_ids
from tests.peers.mtad import children_of

POWER_FAILS_SECONDS = 0.15  # the cable is out for so long before a kill: what the kernel would still send is gone
RESTARTS_COUNT = 3
REMOUNT_TRIES_MAX = 40
FILLER_STEP_OCTETS = 1024 * 1024

Undo = Callable[[], Awaitable[None]]
Inject = Callable[[World, Fault, RunningNode], Awaitable[Undo]]


async def apply(world: World, fault: Fault) -> None:
    """Do a fault, leave it for as long as it lasts, and undo it.

    What was promised two copies is looked for at its beginning and at its end, on nodes that it leaves alone.
    """
    node = world.named(fault.victim)
    began = now_ms()
    world.marks.done.append(Done(fault, began, node.name, world.is_active(node)))
    if fault.kind in STOPS_DELIVERY:
        world.untrusted.add(node.name)
    undo = await _INJECTIONS[fault.kind](world, fault, node)
    try:
        await world.look_for_copies(*world.nodes)
        await asyncio.sleep(max(0.0, fault.lasts_seconds - (now_ms() - began) / 1000))
        await world.look_for_copies(*world.nodes)
    finally:
        await undo()
        if fault.kind in MAKES_TWO_OWNERS and world.witness is None:
            world.marks.split.append((began, now_ms()))


async def _nothing() -> None:
    return


def _revive(world: World, node: RunningNode) -> Undo:
    async def undo() -> None:
        await world.revive(node)

    return undo


async def _kill_node(world: World, _fault: Fault, node: RunningNode) -> Undo:
    await world.kill(node)
    return _revive(world, node)


async def _power_loss(world: World, _fault: Fault, node: RunningNode) -> Undo:
    await world.cable.cut()
    await asyncio.sleep(POWER_FAILS_SECONDS)
    await world.kill(node)
    await world.cable.mend()
    return _revive(world, node)


async def _kill_spool(world: World, _fault: Fault, node: RunningNode) -> Undo:
    _kill_child(world, node, "spool")
    return _nothing


async def _kill_worker(world: World, fault: Fault, node: RunningNode) -> Undo:
    _kill_child(world, node, f"worker{int(fault.at_seconds * 10) % 2}")
    return _nothing


def _kill_child(world: World, node: RunningNode, name: str) -> None:
    pid = children_of(node.child.pid).get(name)
    if pid is None:  # it has just been killed by another fault, or its node has
        return
    world.marks.deaths.append(now_ms())
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


async def _kill_both(world: World, _fault: Fault, _node: RunningNode) -> Undo:
    await asyncio.gather(*(world.kill(node) for node in world.nodes))

    async def undo() -> None:
        for node in world.nodes:
            await world.revive(node)

    return undo


async def _restarts(world: World, fault: Fault, node: RunningNode) -> Undo:
    chance = random.Random(fault.at_seconds)
    for _ in range(RESTARTS_COUNT):
        await world.kill(node)
        await world.revive(node)
        await asyncio.sleep(chance.uniform(0.1, 2.0))
    await world.kill(node)
    return _revive(world, node)


async def _wipe(world: World, _fault: Fault, node: RunningNode) -> Undo:
    async with world.down(node):
        world.marks.wipes.append(Wipe(node.files.smtp_port, now_ms()))
        await asyncio.to_thread(delete_store, node)
    return _revive(world, node)


async def _pause(world: World, _fault: Fault, node: RunningNode) -> Undo:
    pids = process_ids(node)
    world.marks.stops.append(now_ms())
    _signal(pids, signal.SIGSTOP)

    async def undo() -> None:
        world.untrusted.discard(node.name)
        _signal(pids[::-1], signal.SIGCONT)

    return undo


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


async def _cut(world: World, _fault: Fault, _node: RunningNode) -> Undo:
    await world.cable.cut()
    return world.cable.mend


async def _cut_one_way(world: World, _fault: Fault, node: RunningNode) -> Undo:
    """The peer no longer hears the victim."""
    await world.cable.cut([world.nodes.index(node)])
    return world.cable.mend


async def _tear(world: World, _fault: Fault, _node: RunningNode) -> Undo:
    await world.cable.tear()
    return world.cable.mend


async def _delay(world: World, fault: Fault, _node: RunningNode) -> Undo:
    await world.cable.slow(fault.strength, 0.0)
    return world.cable.mend


async def _throttle(world: World, fault: Fault, _node: RunningNode) -> Undo:
    await world.cable.slow(0.0, fault.strength)
    return world.cable.mend


async def _kill_witness(world: World, _fault: Fault, _node: RunningNode) -> Undo:
    witness = world.witness
    assert witness is not None, "drawn where there is one"
    await witness.kill()
    return witness.start


async def _cut_witness(world: World, _fault: Fault, node: RunningNode) -> Undo:
    wire = _wire_to_witness(world, node)
    wire.pull()

    async def undo() -> None:
        wire.plug()

    return undo


async def _isolate(world: World, fault: Fault, node: RunningNode) -> Undo:
    """The node hears neither the other one nor the witness, and clients and next hops as ever."""
    began = now_ms()
    undo_witness = await _cut_witness(world, fault, node)
    await world.cable.cut()

    async def undo() -> None:
        world.marks.unheard.append((began, now_ms()))
        world.untrusted.discard(node.name)
        await world.cable.mend()
        await undo_witness()

    return undo


def _wire_to_witness(world: World, node: RunningNode) -> Wire:
    assert world.witness is not None, "drawn where there is one"
    return world.witness.wires[world.nodes.index(node)]


async def _disk_full(world: World, _fault: Fault, node: RunningNode) -> Undo:
    if not world.has_disks:
        world.marks.notes.append("disk-full needs root: not done")
        return _nothing
    filler = node.files.folder / "queue" / "filler"
    await asyncio.to_thread(_fill, str(filler))

    async def undo() -> None:
        filler.unlink()
        await world.revive(node)

    return undo


def _fill(path: str) -> None:
    """Write until nothing more goes on the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        for step in (FILLER_STEP_OCTETS, 4096):
            with contextlib.suppress(OSError):
                while os.write(descriptor, bytes(step)) == step:
                    pass
    finally:
        os.close(descriptor)


async def _read_only(world: World, _fault: Fault, node: RunningNode) -> Undo:
    """A node that starts again on a disk that can only be read: it must take nothing."""
    if not world.has_disks:
        await world.kill(node)
        world.marks.notes.append("read-only needs root: the node was killed only")
        return _revive(world, node)
    async with world.down(node):
        await _remount(node, "ro")
    await world.revive(node)

    async def undo() -> None:
        async with world.down(node):
            await _remount(node, "rw")
        await world.revive(node)

    return undo


async def _remount(node: RunningNode, how: str) -> None:
    """Errors: OSError, when the disk stays in use."""
    command = ["mount", "-o", f"remount,{how}", str(node.files.folder / "queue")]
    for _ in range(REMOUNT_TRIES_MAX):
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True)
        if done.returncode == 0:
            return
        await asyncio.sleep(0.1)  # threads of a process that is dead already may hold a file a little longer
    raise OSError(f"{' '.join(command)}: {done.stderr.decode()}")


async def _clock(world: World, fault: Fault, node: RunningNode) -> Undo:
    clock, began = node.files.folder / "clock", now_ms()
    clock.write_text(f"{fault.strength:.0f}\n")

    async def undo() -> None:
        clock.write_text("0\n")
        if fault.strength < 0:
            world.marks.set_back.append(SetBack(node.files.smtp_port, began, now_ms()))

    return undo


async def _switchover(world: World, _fault: Fault, _node: RunningNode) -> Undo:
    return await _command(world, world.named("active"), "replica", "switchover")


async def _force(world: World, _fault: Fault, _node: RunningNode) -> Undo:
    return await _command(world, world.named("passive"), "replica", "promote", "--force")


async def _command(world: World, node: RunningNode, *words: str) -> Undo:
    """Have an operator say something; the other faults of the round may keep it from being done."""
    code, said = await world.mtactl(node, *words)
    world.marks.notes.append(f"{node.name}: {' '.join(words)}: {code} {said[:200]}".replace("\n", " "))
    return _nothing


_INJECTIONS: Mapping[Kind, Inject] = {
    Kind.KILL_NODE: _kill_node,
    Kind.POWER_LOSS: _power_loss,
    Kind.KILL_SPOOL: _kill_spool,
    Kind.KILL_WORKER: _kill_worker,
    Kind.KILL_BOTH: _kill_both,
    Kind.RESTARTS: _restarts,
    Kind.WIPE: _wipe,
    Kind.PAUSE: _pause,
    Kind.CUT: _cut,
    Kind.CUT_ONE_WAY: _cut_one_way,
    Kind.TEAR: _tear,
    Kind.DELAY: _delay,
    Kind.THROTTLE: _throttle,
    Kind.DISK_FULL: _disk_full,
    Kind.READ_ONLY: _read_only,
    Kind.CLOCK: _clock,
    Kind.SWITCHOVER: _switchover,
    Kind.FORCE: _force,
    Kind.KILL_WITNESS: _kill_witness,
    Kind.CUT_WITNESS: _cut_witness,
    Kind.ISOLATE: _isolate,
}
