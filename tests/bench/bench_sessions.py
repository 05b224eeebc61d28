"""What a session costs: CPU for a message that is only accepted, and memory while sessions wait for their reply.

    python -m tests.bench.bench_sessions [--sessions 2000] [--messages 4000] [--octets 4096]

The server runs in a process of its own, on uvloop, with a policy and a next hop that cost nothing; TLS sessions are
made with a throw-away certificate. Reference (PERFORMANCE): 90 µs a message; 16 kB a plain session, 48 kB with TLS.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import resource
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import uvloop

from mtad.rehearsal.rooms import ScriptedDelivery, ScriptedThrough
from mtad.server.limits import Limits
from mtad.server.listener import Identity, Server
from tests.dialog.certificate import write_certificate
from tests.dialog.wires import listening_socket
from tests.fakes.server_rooms import FakeRooms


class Nothing:
    """Events that nobody reads."""

    def emit(self, name: str, /, level: str = "info", **fields: object) -> None:
        return


class ForgetfulDelivery(ScriptedDelivery):
    """A next hop that takes everything, at once or when the gate opens, and keeps nothing."""

    def open(self, reverse_path: str, *, is_8bit: bool, is_utf8: bool, trace: str) -> ScriptedThrough:
        return ScriptedThrough(self, reverse_path)


def resident_octets() -> int:
    """Return the memory of this process that is in RAM."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def serve(folder: Path) -> None:
    """Serve; answer each line on standard input with what the process has used so far."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    rooms = FakeRooms(delivery=ForgetfulDelivery())
    limits = Limits(sessions_max=100_000, sessions_per_client_max=100_000)
    server = Server(Identity("mx.here.example", context), limits, rooms.collaborators(), Nothing())
    listening = listening_socket()
    await server.start([listening])
    gc.freeze()
    print(listening.getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    while command := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        if command == "hold":
            rooms.delivery.gate = asyncio.Event()
        gc.collect()
        rooms.policy.asked.clear()
        usage = {"cpu": cpu_seconds(), "resident": resident_octets(), "sessions": server.sessions_count}
        print(json.dumps(usage), flush=True)


class Peer:
    """The server process."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "tests.bench.bench_sessions", "--serve", str(folder)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def ask(self, command: str = "usage") -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._line())
        return answer

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, octets: bytes, replies: int) -> None:
    writer.write(octets)
    for _ in range(replies):
        while (await reader.readline())[3:4] == b"-":
            pass


async def open_session(port: int, context: ssl.SSLContext | None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await _ask(reader, writer, b"", 1)
    if context is not None:
        await _ask(reader, writer, b"STARTTLS\r\n", 1)
        await writer.start_tls(context)
    await _ask(reader, writer, b"EHLO client.example\r\n", 1)
    return reader, writer


ENVELOPE = (b"MAIL FROM:<sender@client.example>\r\n", b"RCPT TO:<one@example.net>\r\n", b"DATA\r\n")


async def cpu(peer: Peer, *, messages: int, content: bytes, is_pipelined: bool, per_session: int) -> float:
    """Return the CPU seconds of the server for one message."""

    async def client(count: int) -> None:
        done = 0
        while done < count:
            reader, writer = await open_session(peer.port, None)
            for _ in range(min(per_session, count - done)):
                if is_pipelined:
                    await _ask(reader, writer, b"".join(ENVELOPE), 3)
                else:
                    for command in ENVELOPE:
                        await _ask(reader, writer, command, 1)
                await _ask(reader, writer, content + b"\r\n.\r\n", 1)
                done += 1
            await _ask(reader, writer, b"QUIT\r\n", 1)
            writer.close()
            await writer.wait_closed()

    await client(200)
    before = peer.ask()["cpu"]
    await asyncio.gather(*(client(messages // 20) for _ in range(20)))
    return (peer.ask()["cpu"] - before) / (messages // 20 * 20)


async def memory(peer: Peer, *, sessions: int, content: bytes, context: ssl.SSLContext | None) -> dict[str, float]:
    """Return the octets that a session costs, idle and while it waits for its reply."""
    await open_session(peer.port, context)
    start = peer.ask("hold")["resident"]
    opened = [await open_session(peer.port, context) for _ in range(sessions)]
    idle = peer.ask()["resident"]
    for reader, writer in opened:
        await _ask(reader, writer, b"".join(ENVELOPE), 3)
        writer.write(content + b"\r\n.\r\n")
        await writer.drain()
    await asyncio.sleep(1)
    waiting = peer.ask()
    assert waiting["sessions"] >= sessions
    for _, writer in opened:
        writer.transport.abort()
    return {"idle": (idle - start) / sessions, "waiting": (waiting["resident"] - start) / sessions}


async def bench(arguments: argparse.Namespace, folder: Path) -> None:
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE
    content = b"Subject: bench\r\n\r\n" + (b"x" * 70 + b"\r\n") * (arguments.octets // 72)
    for is_pipelined, per_session in ((False, 1000), (True, 1000), (False, 1)):
        peer = Peer(folder)
        seconds = await cpu(
            peer, messages=arguments.messages, content=content, is_pipelined=is_pipelined, per_session=per_session
        )
        peer.stop()
        manner = f"{'pipelined' if is_pipelined else 'one command at a time'}, {per_session} a session"
        print(f"accept {len(content)} octets, {manner}: {seconds * 1e6:.0f} µs CPU a message")
    for name, context in (("plain", None), ("TLS", client_context)):
        peer = Peer(folder)
        used = await memory(peer, sessions=arguments.sessions, content=content, context=context)
        peer.stop()
        print(
            f"{arguments.sessions} {name} sessions: idle {used['idle'] / 1000:.1f} kB, "
            f"waiting for the reply to {len(content)} octets {used['waiting'] / 1000:.1f} kB each"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sessions", type=int, default=2000)
    parser.add_argument("--messages", type=int, default=4000)
    parser.add_argument("--octets", type=int, default=4096)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if arguments.serve is not None:
            runner.run(serve(arguments.serve))
            return
        with tempfile.TemporaryDirectory() as folder:
            write_certificate(Path(folder))
            runner.run(bench(arguments, Path(folder)))


if __name__ == "__main__":
    main()
