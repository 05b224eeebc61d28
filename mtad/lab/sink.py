"""A server that plays the next hop: it takes mail by SMTP or LMTP, counts it, and misbehaves when told to.

Run as `python -m mtad.lab.sink serve --record FILE`; it says its ports in one line of JSON. `… tell HOST:PORT dot 451`
changes its answers while it runs. Every accepted pair of message and recipient is one line of the record file, written
before the reply, so that what a client was told is never more than what is recorded.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop

from mtad.lab.conversation import Conversation, Program, Step, Taken, changed

SESSIONS_MAX = 4096
CONTROL_LINE_OCTETS_MAX = 1024
TELL_SECONDS_MAX = 10.0
LAB_ID_LENGTH_MAX = 200
CONTENTS_MAX = 1000
HELD_OCTETS_MAX = 1024 * 1024  # what a client may send on while its reply is delayed


@dataclass(slots=True)
class Counts:
    """What a sink has done since it started."""

    sessions: int = 0
    messages: int = 0
    recipients: int = 0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One line of the record file."""

    at_ms: int  # UTC
    lab_id: str
    recipient: str


class Record:
    """The append-only file of what was taken; with a directory, the last CONTENTS_MAX contents as well."""

    def __init__(self, path: Path, contents: Path | None = None) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._contents = contents
        self._count = 0

    def keep(self, taken: Taken) -> None:
        """Write one line a recipient: milliseconds, id and recipient, parted by tabs."""
        at_ms = int(time.time() * 1000)
        lab_id = taken.lab_id[:LAB_ID_LENGTH_MAX].replace("\t", " ")
        lines = "".join(f"{at_ms}\t{lab_id}\t{recipient}\n" for recipient in taken.recipients)
        os.write(self._descriptor, lines.encode())
        if self._contents is not None:
            (self._contents / f"{self._count % CONTENTS_MAX:06}.eml").write_bytes(taken.content)
            self._count += 1

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def read_record(path: Path) -> Iterator[Delivery]:
    """Yield what a sink has recorded so far, oldest first; a line that is still being written is left out."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.endswith("\n"):
                at_ms, lab_id, recipient = line[:-1].split("\t")
                yield Delivery(int(at_ms), lab_id, recipient)


class Sink:
    """A listening sink. `program` may be replaced at any time.

    keep   called with each message before its reply is sent
    """

    def __init__(self, keep: Callable[[Taken], None], *, is_lmtp: bool = False, hostname: str = "sink.test") -> None:
        self.program = Program()
        self.counts = Counts()
        self._keep = keep
        self._is_lmtp = is_lmtp
        self._hostname = hostname
        self._server: asyncio.Server | None = None
        self._sessions: set[_Session] = set()

    async def listen(self, address: str = "127.0.0.1", port: int = 0) -> int:
        """Start to listen; return the port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, address, port, backlog=1024, family=socket.AF_INET)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and end all sessions."""
        self.drop()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def _session(self) -> _Session:
        return _Session(self, Conversation(lambda: self.program, is_lmtp=self._is_lmtp, hostname=self._hostname))

    def opened(self, session: _Session) -> bool:
        """Count a session in; False when there are too many."""
        self.counts.sessions += 1
        if len(self._sessions) >= SESSIONS_MAX:
            return False
        self._sessions.add(session)
        return True

    def closed(self, session: _Session) -> None:
        """Count a session out."""
        self._sessions.discard(session)

    def drop(self) -> None:
        """Break off all sessions, those that hang too."""
        for session in list(self._sessions):
            session.end()

    def take(self, taken: Taken) -> None:
        """Keep one message."""
        self.counts.messages += 1
        self.counts.recipients += len(taken.recipients)
        self._keep(taken)


class _Session(asyncio.Protocol):
    """Carries octets between a socket and a conversation."""

    def __init__(self, sink: Sink, conversation: Conversation) -> None:
        self._sink = sink
        self._conversation = conversation
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_held = False  # between a message and its delayed reply

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        if not self._sink.opened(self):
            self.end()
            return
        self._do(self._conversation.greet())

    def data_received(self, data: bytes) -> None:
        self._conversation.feed(data)
        if not self._is_held:
            self._go_on()
        elif self._conversation.octets_waiting > HELD_OCTETS_MAX:
            self.end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        self._sink.closed(self)

    def end(self) -> None:
        """Close the connection; what was written is still sent."""
        if self._transport is not None:
            self._transport.close()

    def _go_on(self) -> None:
        """Do steps while there are any; replies that follow on each other leave in one segment."""
        replies: list[bytes] = []
        while self._transport is not None and (step := self._conversation.next_step()) is not None:
            for taken in step.taken:
                self._sink.take(taken)
            if step.delay_seconds or step.is_closing:
                self._write(b"".join(replies))
                self._hold(step) if step.delay_seconds else self._do(step)
                return
            replies.append(step.octets)
        self._write(b"".join(replies))

    def _hold(self, step: Step) -> None:
        self._is_held = True
        if step.delay_seconds != float("inf"):
            self._timer = asyncio.get_running_loop().call_later(step.delay_seconds, self._resume, step)

    def _resume(self, step: Step) -> None:
        self._is_held, self._timer = False, None
        self._do(step)
        if not step.is_closing:
            self._go_on()

    def _do(self, step: Step) -> None:
        self._write(step.octets)
        if step.is_closing:
            self.end()

    def _write(self, octets: bytes) -> None:
        if octets and self._transport is not None:
            self._transport.write(octets)


async def serve_control(sink: Sink, address: str = "127.0.0.1", port: int = 0) -> asyncio.Server:
    """Listen for commands, one a line, each answered by one line: `ok`, the counts as JSON, or what is wrong."""

    async def on_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(_obey(sink, line.decode("utf-8", "replace").split()).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):  # ValueError: a line longer than the limit
            return
        finally:
            writer.close()

    return await asyncio.start_server(on_stream, address, port, limit=CONTROL_LINE_OCTETS_MAX)


def _obey(sink: Sink, words: list[str]) -> str:
    if words == ["counts"]:
        return json.dumps(asdict(sink.counts))
    if words == ["drop"]:
        sink.drop()
        return "ok"
    program = changed(sink.program, words)
    if isinstance(program, str):
        return program
    sink.program = program
    return "ok"


async def tell(address: str, port: int, command: str) -> str:
    """Send one command to a sink's control port; return its answer. Errors: OSError, TimeoutError."""
    async with asyncio.timeout(TELL_SECONDS_MAX):
        reader, writer = await asyncio.open_connection(address, port)
        try:
            writer.write(command.encode() + b"\n")
            return (await reader.readline()).decode("utf-8", "replace").rstrip("\n")
        finally:
            writer.close()


async def _serve(options: argparse.Namespace) -> int:
    """Run a sink until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if options.contents is not None:
        options.contents.mkdir(parents=True, exist_ok=True)
    record = Record(options.record, options.contents) if options.record is not None else None
    keep: Callable[[Taken], None] = record.keep if record is not None else lambda taken: None
    sink = Sink(keep, is_lmtp=options.lmtp, hostname=options.hostname)
    port = await sink.listen(options.address, options.port)
    control = await serve_control(sink, options.address, options.control_port)
    control_port = int(control.sockets[0].getsockname()[1])
    print(json.dumps({"port": port, "control_port": control_port}), flush=True)
    await stop.wait()
    await sink.close()
    control.close()
    if record is not None:
        record.close()
    return 0


def _tell(options: argparse.Namespace) -> int:
    """Send one command and print the answer; 1 when the sink did not obey."""
    host, _, port = options.control.rpartition(":")
    try:
        answer = asyncio.run(tell(host or "127.0.0.1", int(port), " ".join(options.words)))
    except (OSError, TimeoutError, ValueError) as error:
        print(f"the sink does not answer: {error}", file=sys.stderr)
        return 1
    print(answer)
    return 0 if answer == "ok" or answer.startswith("{") else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mtad.lab.sink", description="A next hop that does as it is told")
    verbs = parser.add_subparsers(dest="verb", required=True)
    serve = verbs.add_parser("serve", help="take mail until interrupted")
    serve.add_argument("--address", default="127.0.0.1", help="where it listens, its control port too")
    serve.add_argument("--port", type=int, default=0)
    serve.add_argument("--control-port", type=int, default=0)
    serve.add_argument("--lmtp", action="store_true", help="speak LMTP, not SMTP")
    serve.add_argument("--hostname", default="sink.test")
    serve.add_argument("--record", type=Path, help="append what is taken to this file")
    serve.add_argument("--contents", type=Path, help="keep each content in this directory")
    telling = verbs.add_parser("tell", help="change the answers of a running sink")
    telling.add_argument("control", metavar="[HOST:]PORT", help="its control port")
    telling.add_argument("words", nargs="+", help="for example: dot 451")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    return uvloop.run(_serve(options)) if options.verb == "serve" else _tell(options)


if __name__ == "__main__":
    raise SystemExit(main())
