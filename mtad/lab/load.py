"""A load client that behaves as a careful MTA: it tries until it is told 250, and writes down what it was told.

Several sessions share one run of messages. A session whose connection is lost, refused or answered 421 goes to the
next target, as a client with two MX hosts does (RFC 5321 §5.1); a message whose reply never came is sent again, with
the same X-Lab-Id. Nothing counts as accepted before its 250 has been read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

REPLY_LINES_MAX = 64
REPLY_SECONDS_MAX = 60.0
CONNECT_SECONDS_MAX = 5.0

Target = tuple[str, int]


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What to send, to whom, and how patiently.

    targets       tried in turn; sessions begin at different ones
    run           begins every X-Lab-Id, so that two runs do not meet in one record
    reverse_path  `{id}` in it becomes the message's X-Lab-Id
    recipients    used in turn, one a message
    """

    targets: tuple[Target, ...]
    run: str
    messages_count: int
    sessions_count: int
    recipients: tuple[str, ...]
    reverse_path: str
    size_octets: int = 2048
    attempts_max: int = 100
    pause_seconds: float = 0.1  # before a message is tried again
    rate_max: float = 0.0  # messages a second over all sessions; 0: as fast as they are answered
    reply_seconds_max: float = REPLY_SECONDS_MAX  # patience for a reply; then the next target


@dataclass(frozen=True, slots=True)
class Accepted:
    """One message that was answered 250."""

    lab_id: str
    recipient: str
    target: Target
    reply: str
    at_ms: int  # UTC, when the reply was read
    seconds: float  # from the first octet of the message to its reply
    attempts_count: int

    @property
    def is_through(self) -> bool:
        """Whether the next hop itself has answered (the reply carries its answer)."""
        return "Ok: delivered" in self.reply

    @property
    def is_queued(self) -> bool:
        """Whether the node has queued it."""
        return "queued as" in self.reply

    @property
    def is_on_two_disks(self) -> bool:
        """Whether the reply promised the second copy."""
        return "(2 copies)" in self.reply


@dataclass(frozen=True, slots=True)
class Failed:
    """One try that did not end with 250."""

    lab_id: str
    target: Target
    why: str
    is_in_doubt: bool  # the final dot was sent, and no reply came: the message may have been taken
    at_ms: int  # UTC


@dataclass(frozen=True, slots=True)
class Abandoned:
    """One message that was never answered 250, and the last thing that was said or happened."""

    lab_id: str
    why: str


@dataclass(slots=True)
class LoadResult:
    """What became of a run."""

    accepted: list[Accepted] = field(default_factory=list)
    abandoned: list[Abandoned] = field(default_factory=list)
    lost_replies_count: int = 0  # connections that broke after the final dot: the message may have been taken
    seconds: float = 0.0


class _Broken(Exception):  # noqa: N818
    """The connection is of no more use; `is_in_doubt` when the final dot had been sent."""

    def __init__(self, why: str, *, is_in_doubt: bool = False) -> None:
        super().__init__(why)
        self.is_in_doubt = is_in_doubt


class _Refused(Exception):  # noqa: N818
    """A reply other than 2xx where the session goes on."""


class _Session:
    """One connection to one target."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, reply_seconds_max: float) -> None:
        self._reader = reader
        self._writer = writer
        self._reply_seconds_max = reply_seconds_max

    @classmethod
    async def open(cls, target: Target, reply_seconds_max: float) -> _Session:
        """Connect and say EHLO. Errors: _Broken."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                reader, writer = await asyncio.open_connection(*target)
        except (OSError, TimeoutError) as error:
            raise _Broken(f"no connection: {type(error).__name__}") from error
        session = cls(reader, writer, reply_seconds_max)
        try:
            for octets in (b"", b"EHLO load.lab.test\r\n"):
                writer.write(octets)
                code, text = await session._reply()
                if code not in (220, 250):
                    raise _Broken(f"{code} {text}")
        except _Broken:
            session.close()
            raise
        return session

    async def send(self, reverse_path: str, recipient: str, content: bytes) -> str:
        """Send one message; return the text of its 250. Errors: _Refused, _Broken."""
        self._writer.write(f"MAIL FROM:<{reverse_path}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode())
        answers = [await self._reply() for _ in range(3)]
        for code, text in answers[:2]:
            if code // 100 != 2:
                if answers[2][0] == 354:
                    raise _Broken("354 after a refusal")
                await self._reset()
                raise _Refused(f"{code} {text}")
        if answers[2][0] != 354:
            await self._reset()
            raise _Refused(f"{answers[2][0]} {answers[2][1]}")
        self._writer.write(content + b".\r\n")
        try:
            code, text = await self._reply()
        except _Broken as broken:
            raise _Broken(str(broken), is_in_doubt=True) from broken
        if code != 250:
            raise _Refused(f"{code} {text}")
        return f"{code} {text}"

    async def quit(self) -> None:
        """Say QUIT, and close whatever the answer is."""
        try:
            self._writer.write(b"QUIT\r\n")
            await self._reply()
        except _Broken:
            pass
        finally:
            self.close()

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()

    async def _reset(self) -> None:
        self._writer.write(b"RSET\r\n")
        await self._reply()

    async def _reply(self) -> tuple[int, str]:
        """Read one reply. Errors: _Broken, also for 421."""
        lines: list[str] = []
        try:
            async with asyncio.timeout(self._reply_seconds_max):
                while len(lines) < REPLY_LINES_MAX:
                    line = (await self._reader.readuntil(b"\n")).decode("utf-8", "replace").rstrip("\r\n")
                    lines.append(line[4:])
                    if line[3:4] != "-":
                        break
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise _Broken(f"no reply: {type(error).__name__}") from error
        code = int(line[:3]) if line[:3].isdigit() else 0
        text = " ".join(lines)
        if code in (0, 421):
            raise _Broken(f"{code} {text}")
        return code, text


def content_of(lab_id: str, reverse_path: str, recipient: str, size_octets: int) -> bytes:
    """Return a message of about this size, with its id where the sink looks for it."""
    header = (
        f"X-Lab-Id: {lab_id}\r\nMessage-ID: <{lab_id}@load.lab.test>\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
        f"From: <{reverse_path}>\r\nTo: <{recipient}>\r\nSubject: Message {lab_id} of the laboratory\r\n\r\n"
    ).encode()
    line = b"All that is accepted arrives; the laboratory counts it.\r\n"
    return header + line * max(1, (size_octets - len(header)) // len(line))


async def run_load(
    plan: LoadPlan,
    accepted: Callable[[Accepted], None] = lambda _: None,
    failed: Callable[[Failed], None] = lambda _: None,
) -> LoadResult:
    """Send the plan's messages; `accepted` is told of each 250 as soon as it is read, `failed` of each other end."""
    result = LoadResult()
    numbers = iter(range(plan.messages_count))
    started = time.monotonic()

    def keep(answer: Accepted) -> None:
        result.accepted.append(answer)
        accepted(answer)

    sessions = [_Sender(plan, i, numbers, (keep, failed), result, started) for i in range(plan.sessions_count)]
    async with asyncio.TaskGroup() as group:
        for sender in sessions:
            group.create_task(sender.run())
    result.seconds = time.monotonic() - started
    return result


class _Sender:
    """One of the concurrent sessions: keeps a connection for as long as it holds, then takes the next target."""

    def __init__(
        self,
        plan: LoadPlan,
        first_target: int,
        numbers: Iterator[int],
        tell: tuple[Callable[[Accepted], None], Callable[[Failed], None]],
        result: LoadResult,
        started: float,
    ) -> None:
        self._plan = plan
        self._turn = first_target
        self._numbers = numbers
        self._keep, self._failed = tell
        self._result = result
        self._started = started
        self._session: _Session | None = None

    async def run(self) -> None:
        """Send messages until the run is used up."""
        for number in self._numbers:
            if self._plan.rate_max:
                await asyncio.sleep(self._started + number / self._plan.rate_max - time.monotonic())
            await self._send(number)
        if self._session is not None:
            await self._session.quit()

    async def _send(self, number: int) -> None:
        plan = self._plan
        lab_id = f"{plan.run}-{number:06}"
        recipient = plan.recipients[number % len(plan.recipients)]
        reverse_path = plan.reverse_path.replace("{id}", lab_id)
        content = content_of(lab_id, reverse_path, recipient, plan.size_octets)
        why = ""
        for attempt in range(1, plan.attempts_max + 1):
            target = plan.targets[self._turn % len(plan.targets)]
            begun = time.monotonic()
            is_in_doubt = False
            try:
                if self._session is None:
                    self._session = await _Session.open(target, plan.reply_seconds_max)
                reply = await self._session.send(reverse_path, recipient, content)
            except _Refused as refusal:
                why = str(refusal)
            except _Broken as broken:
                why, is_in_doubt = str(broken), broken.is_in_doubt
                self._result.lost_replies_count += is_in_doubt
                self._leave()
            else:
                seconds = time.monotonic() - begun
                self._keep(Accepted(lab_id, recipient, target, reply, int(time.time() * 1000), seconds, attempt))
                return
            self._failed(Failed(lab_id, target, why, is_in_doubt, int(time.time() * 1000)))
            await asyncio.sleep(plan.pause_seconds)
        self._result.abandoned.append(Abandoned(lab_id, why))

    def _leave(self) -> None:
        """Give up the connection and take the next target."""
        if self._session is not None:
            self._session.close()
            self._session = None
        self._turn += 1
