"""The sink over a real socket, as a process, and its record."""

from __future__ import annotations

import asyncio
import contextlib
import json
import smtplib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mtad.lab.conversation import AfterDot, Program, Taken
from mtad.lab.sink import Delivery, Record, Sink, main, read_record, serve_control, tell

MESSAGE = b"X-Lab-Id: n1\r\n\r\nHello\r\n"


class Bench:
    """A listening sink, and what it kept."""

    def __init__(self) -> None:
        self.taken: list[Taken] = []
        self.sink = Sink(self.taken.append)
        self.port = 0

    async def dialog(self, *octets: bytes) -> bytes:
        """Send all at once after the greeting; return everything until the sink closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"".join(octets))
        async with asyncio.timeout(60):
            said = await reader.read()
        writer.close()
        await writer.wait_closed()
        return said


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    made.port = await made.sink.listen()
    yield made
    await made.sink.close()


ENVELOPE = b"EHLO me\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nRCPT TO:<c@y.test>\r\nDATA\r\n"
QUIT = b"QUIT\r\n"


async def test_a_whole_session_sent_at_once(bench: Bench) -> None:
    said = await bench.dialog(ENVELOPE, MESSAGE, b".\r\n", QUIT)
    assert said.startswith(b"220 sink.test ESMTP")
    assert said.endswith(b"221 2.0.0 Bye\r\n")
    assert bench.sink.counts.messages == 1
    assert bench.sink.counts.recipients == 2
    assert [taken.lab_id for taken in bench.taken] == ["n1"]


async def test_python_smtplib_agrees(bench: Bench) -> None:
    def send() -> dict[str, tuple[int, bytes]]:
        with smtplib.SMTP("127.0.0.1", bench.port, timeout=10) as client:
            return client.sendmail("a@x.test", ["b@y.test"], MESSAGE + b".dot\r\n")

    assert await asyncio.to_thread(send) == {}
    assert bench.taken[0].content.endswith(b"\r\n.dot\r\n")


async def test_a_delayed_reply_comes_after_the_replies_before_it_and_before_those_after_it(bench: Bench) -> None:
    bench.sink.program = Program(delay_seconds=0.05)
    said = await bench.dialog(ENVELOPE, MESSAGE, b".\r\n", b"NOOP\r\n", QUIT)
    assert [line[:3] for line in said.splitlines()][-4:] == [b"354", b"250", b"250", b"221"]


async def test_close_after_the_dot(bench: Bench) -> None:
    bench.sink.program = Program(after_dot=AfterDot.CLOSE)
    said = await bench.dialog(ENVELOPE, MESSAGE, b".\r\n")
    assert said.splitlines()[-1].startswith(b"354")
    assert bench.sink.counts.messages == 1


async def test_a_client_that_sends_on_while_it_hangs_is_cut_off(bench: Bench) -> None:
    bench.sink.program = Program(after_dot=AfterDot.HANG)
    with contextlib.suppress(ConnectionError):  # else TimeoutError
        await bench.dialog(ENVELOPE, MESSAGE, b".\r\n", b"x" * 4_000_000)
    assert bench.sink.counts.messages == 0


async def test_more_sessions_than_the_limit_are_closed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtad.lab.sink.SESSIONS_MAX", 0)
    assert await bench.dialog() == b""


async def test_the_control_port_changes_the_answers(bench: Bench) -> None:
    control = await serve_control(bench.sink)
    port = int(control.sockets[0].getsockname()[1])
    assert await tell("127.0.0.1", port, "dot 451") == "ok"
    said = await bench.dialog(ENVELOPE, MESSAGE, b".\r\n", QUIT)
    assert b"\r\n451 4.3.0 " in said
    assert json.loads(await tell("127.0.0.1", port, "counts")) == {"sessions": 1, "messages": 0, "recipients": 0}
    assert "commands:" in await tell("127.0.0.1", port, "dance")
    assert await tell("127.0.0.1", port, "x" * 5000) == ""
    control.close()
    await control.wait_closed()


async def test_sessions_that_hang_are_broken_off_when_told(bench: Bench) -> None:
    control = await serve_control(bench.sink)
    port = int(control.sockets[0].getsockname()[1])
    assert await tell("127.0.0.1", port, "after-dot hang") == "ok"
    hanging = asyncio.create_task(bench.dialog(ENVELOPE, MESSAGE, b".\r\n"))
    while not bench.sink.counts.sessions:
        await asyncio.sleep(0.01)
    done, _ = await asyncio.wait([hanging], timeout=0.1)
    assert not done
    assert await tell("127.0.0.1", port, "drop") == "ok"
    assert b"354" in await asyncio.wait_for(hanging, 5)
    assert bench.taken == []
    control.close()
    await control.wait_closed()


def test_the_record_is_one_line_a_recipient(tmp_path: Path) -> None:
    record = Record(tmp_path / "record", tmp_path)
    record.keep(Taken("n\t1", "a@x.test", ("b@y.test", "c@y.test"), MESSAGE))
    record.close()
    kept = list(read_record(tmp_path / "record"))
    assert [(entry.lab_id, entry.recipient) for entry in kept] == [("n 1", "b@y.test"), ("n 1", "c@y.test")]
    assert [path.read_bytes() for path in tmp_path.glob("*.eml")] == [MESSAGE]


def test_the_oldest_contents_give_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtad.lab.sink.CONTENTS_MAX", 2)
    record = Record(tmp_path / "record", tmp_path)
    for content in (b"1", b"2", b"3"):
        record.keep(Taken("n", "a@x.test", ("b@y.test",), content))
    record.close()
    assert sorted(path.read_bytes() for path in tmp_path.glob("*.eml")) == [b"2", b"3"]


def test_a_line_that_is_being_written_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "record"
    assert list(read_record(path)) == []
    path.write_text("1\tn\tb@y.test\n2\tm\tc@y")
    assert list(read_record(path)) == [Delivery(1, "n", "b@y.test")]


async def test_as_a_process(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mtad.lab.sink", "serve", "--lmtp", "--record", str(tmp_path / "record")),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        ports = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
        reader, writer = await asyncio.open_connection("127.0.0.1", ports["port"])
        told = await asyncio.to_thread(main, ["tell", str(ports["control_port"]), "dot", "552", "c@y.test"])
        assert (told, capsys.readouterr().out) == (0, "ok\n")
        assert await asyncio.to_thread(main, ["tell", str(ports["control_port"]), "dance"]) == 1
        writer.write(ENVELOPE.replace(b"EHLO", b"LHLO") + MESSAGE + b".\r\n" + QUIT)
        said = await asyncio.wait_for(reader.read(), 10)
        assert [line[:3] for line in said.splitlines()][-3:] == [b"250", b"552", b"221"]
        writer.close()
        await writer.wait_closed()
    finally:
        process.terminate()
        assert await process.wait() == 0
    assert [entry.recipient for entry in read_record(tmp_path / "record")] == ["b@y.test"]
    assert await asyncio.to_thread(main, ["tell", str(ports["control_port"]), "counts"]) == 1
