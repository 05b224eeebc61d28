"""A queue copied while it is in use, and restored: what it lacks comes from the peer, what was finished stays away."""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from replicator.settings import NO_PEER
from replicator.status import Submitted
from tests.fakes.waiting import until
from tests.integration.bench import LOCAL, REMOTE, Bench, ended, put, settled
from tests.integration.sending import QUEUE_ALL, queue_ids, send
from tests.peers.mtad import AS_USED, MtadNode, pair
from tests.peers.process import wait_until


def restore(bench: Bench, backup: Path) -> None:
    """Put a backup in the place of the first node's store, as the how-to says."""
    path = bench.settings(0).store_path
    path.rename(path.with_name("before"))
    shutil.copytree(backup, path)


async def test_a_restored_backup_gets_what_it_lacks_from_the_peer(bench: Bench, tmp_path: Path) -> None:
    bench.hurry()  # the copy's other identity is believed in when the one before was silent for as long
    a, b = await bench.pair()
    await a.submit([put(b"kept")], wait=True)
    await a.submit([put(b"ended")], wait=True)
    octets = await a.back_up(tmp_path / "backup")
    assert octets == (tmp_path / "backup" / "data.mdb").stat().st_size
    await until(lambda: b.item(b"ended") is not None)
    await a.submit(ended(a, b"ended"), wait=False)
    await a.submit([put(b"later")], wait=True)
    await until(lambda: b.item(b"ended") is None)
    await bench.end(a)
    restore(bench, tmp_path / "backup")
    a, _ = await bench.start(bench.settings(0))
    await bench.linked(a, b)
    await until(lambda: a.item(b"later") is not None and a.item(b"ended") is None)
    assert [item.key for item in b.items()] == [b"kept", b"later"]
    assert (await a.verify()).differences == ()
    await a.submit([put(b"new")], wait=True)
    assert [item.key for item in b.items()] == [b"kept", b"later", b"new"]


async def test_a_backup_is_a_store_of_its_own(bench: Bench, tmp_path: Path) -> None:
    settings = replace(bench.settings(0), peer_node=NO_PEER)
    a, _ = await bench.start(settings)
    await until(lambda: a.is_owner)
    await a.submit([put(b"k", b"blob" * 1_000)], wait=True)
    await a.back_up(tmp_path / "backup")
    copy, _ = await bench.start(replace(settings, store_path=tmp_path / "backup"))
    assert copy.item(b"k") == a.item(b"k")
    assert await copy.blob(b"k") == b"blob" * 1_000
    assert copy._store.image().store_id != a._store.image().store_id
    assert copy.status().epoch >= a.status().epoch


async def test_a_copy_is_of_one_moment_while_mail_flows(bench: Bench, tmp_path: Path) -> None:
    settings = replace(bench.settings(0), peer_node=NO_PEER)
    a, _ = await bench.start(settings)
    await until(lambda: a.is_owner)

    async def flow() -> None:
        for number in range(10_000):
            await a.submit([put(b"%06d" % number, b"x" * 5_000)], wait=True)

    flowing = asyncio.create_task(flow())
    await until(lambda: a.status().totals.items > 50)
    await a.back_up(tmp_path / "backup")
    before = a.status().totals.items
    await until(lambda: a.status().totals.items > before)
    flowing.cancel()
    copy, report = await bench.start(replace(settings, store_path=tmp_path / "backup"))
    count = copy.status().totals.items
    assert 50 < count < a.status().totals.items
    assert [item.key for item in copy.items(limit=10_000)] == [b"%06d" % number for number in range(count)]
    await report.wait_for("replica.scrubbed")
    assert not report.named("replica.damaged")


async def test_the_file_is_made_small_while_mail_flows(bench: Bench) -> None:
    a, b = await bench.pair()
    owner, other = await settled(a, b)
    await owner.submit([put(b"large", b"x" * 3_000_000)], wait=True)
    await owner.submit(ended(owner, b"large"), wait=False)
    await until(lambda: other.item(b"large") is None)
    answers: list[Submitted] = []

    async def flow() -> None:
        for number in range(10_000):
            answers.append(await owner.submit([put(b"%06d" % number)], wait=True))

    flowing = asyncio.create_task(flow())
    await until(lambda: len(answers) > 20)
    for node in (other, owner):
        came = await node.compact()
        assert came.refused == ""
        assert came.octets < came.octets_before - 2_000_000
        count = len(answers)
        await until(lambda: len(answers) > count + 20)  # noqa: B023
    flowing.cancel()
    assert set(answers) <= {REMOTE, LOCAL}
    await bench.linked(a, b)
    assert owner.is_owner
    assert (await owner.verify()).differences == ()
    assert other.status().totals.items >= len(answers)


async def test_nothing_is_written_over(bench: Bench, tmp_path: Path) -> None:
    a, _ = await bench.start(replace(bench.settings(0), peer_node=NO_PEER))
    with pytest.raises(FileExistsError):
        await a.back_up(bench.settings(0).store_path)
    with pytest.raises(FileNotFoundError):
        await a.back_up(tmp_path / "not" / "there")


def shell_lines() -> list[str]:
    """Return the commands of the how-to, in their order."""
    page = Path(__file__).parents[2] / "docs" / "how-to" / "back-up-and-restore.md"
    blocks = re.findall(r"^```sh\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def run_line(node: MtadNode, line: str, backups: Path) -> str:
    """Run one line of the how-to on this node instead of on a machine of its own."""
    line = line.replace("/var/lib/mtad", str(node.store)).replace("/var/backups/mtad", str(backups))
    words = shlex.split(line)
    if words[0] == "mtactl":
        return node.mtactl(*words[1:])
    if words == ["systemctl", "stop", "mtad"]:
        assert node.stop() == 0
    elif words == ["systemctl", "start", "mtad"]:
        node.start()
        wait_until(node.is_protected, "both nodes are level", node.log)
    else:
        subprocess.run(words, check=True)
    return ""


def test_the_commands_of_the_how_to_work(tmp_path: Path) -> None:
    with pair(QUEUE_ALL, AS_USED) as (one, two):
        assert send(one)[0] == 250
        lines = shell_lines()
        assert lines[0].startswith("mtactl queue backup ")
        run_line(one, lines[0], tmp_path)
        assert send(two)[0] == 250
        told = [run_line(one, line, tmp_path) for line in lines[1:]]
        assert "the same 2 messages" in told[-2]
        assert re.match(r"From .* to .* in .* s\.", told[-1])
        assert len(queue_ids(one)) == 2
        assert (one.store / "queue-before" / "data.mdb").exists()
