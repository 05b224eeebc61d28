"""One session of the laboratory's sink, without I/O: octets in, steps out (RFC 5321, RFC 2033, RFC 2920, RFC 3030).

`Program` says how to answer, and may be replaced while sessions are open: then their next command sees it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

COMMAND_OCTETS_MAX = 4096
RECIPIENTS_MAX = 10_000
MESSAGE_OCTETS_MAX = 128 * 1024 * 1024
HEADER_OCTETS_MAX = 256 * 1024
_PATH = re.compile(rb"\s*(?:FROM|TO):\s*<([^>]*)>", re.IGNORECASE)
_ID = {
    name: re.compile(rb"^" + name + rb":[ \t]*([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
    for name in (b"X-Lab-Id", b"Message-ID")
}

REPLIES: Mapping[int, str] = {
    250: "2.0.0 Ok: taken by the laboratory's sink",
    421: "4.3.2 The laboratory closes",
    450: "4.2.0 The laboratory says later",
    451: "4.3.0 The laboratory says later",
    452: "4.2.2 The laboratory is full",
    550: "5.1.1 The laboratory knows no such recipient",
    552: "5.2.2 The laboratory says too much",
    554: "5.7.1 The laboratory says no",
}
EVERYONE = ""


class AfterDot(Enum):
    """What follows the final dot of a message."""

    REPLY = "reply"
    HANG = "hang"  # no reply, ever
    CLOSE = "close"  # taken, and the connection closed without a reply


@dataclass(frozen=True, slots=True)
class Program:
    """How the sink answers; codes by recipient, `EVERYONE` for those not named."""

    greeting: int = 220
    mail: int = 250
    rcpt: Mapping[str, int] = field(default_factory=dict)
    dot: Mapping[str, int] = field(default_factory=dict)
    after_dot: AfterDot = AfterDot.REPLY
    delay_seconds: float = 0.0  # before the reply to the final dot

    def code(self, codes: Mapping[str, int], recipient: str) -> int:
        """Return the code for a recipient; 250 where nothing is said."""
        return codes.get(recipient, codes.get(EVERYONE, 250))

    def dot_codes(self, recipients: Iterable[str], *, is_lmtp: bool) -> list[int]:
        """Return the replies to the final dot: one a recipient for LMTP (RFC 2033 §4.2), otherwise the worst."""
        codes = [self.code(self.dot, recipient) for recipient in recipients]
        return codes if is_lmtp else [max(codes, default=250)]


@dataclass(frozen=True, slots=True)
class Taken:
    """One message that the sink has taken, for these recipients."""

    lab_id: str  # X-Lab-Id, else Message-ID, else ''
    reverse_path: str
    recipients: tuple[str, ...]
    content: bytes  # dots unstuffed


@dataclass(frozen=True, slots=True)
class Step:
    """What a conversation wants done, in this order: keep the messages, wait, send, close."""

    octets: bytes = b""
    taken: tuple[Taken, ...] = ()
    delay_seconds: float = 0.0
    is_closing: bool = False


def lab_id_of(content: bytes) -> str:
    """Return X-Lab-Id, else Message-ID, of the header section; '' for neither."""
    end = content.find(b"\r\n\r\n", 0, HEADER_OCTETS_MAX)
    header = content[: end + 2 if end >= 0 else HEADER_OCTETS_MAX]
    for pattern in _ID.values():
        if (found := pattern.search(header)) is not None:
            return found[1].decode("utf-8", "replace").strip()
    return ""


class Conversation:
    """One session: feed it what arrives, do its next steps until there is none or one closes."""

    def __init__(self, program: Callable[[], Program], *, is_lmtp: bool, hostname: str) -> None:
        self._program = program
        self._is_lmtp = is_lmtp
        self._hostname = hostname
        self._buffer = bytearray()
        self._searched = 0  # octets of the buffer without an end of data
        self._is_data = False
        self._chunk_left: int | None = None  # octets of the BDAT chunk still to come
        self._is_last_chunk = False
        self._chunks = bytearray()
        self._reverse_path: str | None = None
        self._recipients: list[str] = []

    def greet(self) -> Step:
        """Return what the session begins with."""
        code = self._program().greeting
        if code != 220:
            return Step(_line(code), is_closing=True)
        return Step(f"220 {self._hostname} {'LMTP' if self._is_lmtp else 'ESMTP'} laboratory\r\n".encode())

    def feed(self, octets: bytes) -> None:
        """Add what has arrived."""
        self._buffer += octets

    @property
    def octets_waiting(self) -> int:
        """How much has arrived that no step has used."""
        return len(self._buffer)

    def next_step(self) -> Step | None:
        """Take one command, chunk or message off what has arrived; None when it is not whole yet."""
        if self._is_data:
            return self._data()
        if self._chunk_left is not None:
            return self._chunk()
        end = self._buffer.find(b"\n", 0, COMMAND_OCTETS_MAX)
        if end < 0:
            return Step(_line(421), is_closing=True) if len(self._buffer) >= COMMAND_OCTETS_MAX else None
        line = bytes(self._buffer[:end]).rstrip(b"\r")
        del self._buffer[: end + 1]
        verb, _, rest = line.partition(b" ")
        action = _VERBS.get(verb.upper())
        return action(self, rest) if action is not None else Step(b"500 5.5.2 Unknown command\r\n")

    def _hello(self, _rest: bytes) -> Step:
        self._drop()
        extensions = ("PIPELINING", "SIZE 134217728", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING")
        lines = [f"250-{self._hostname}", *(f"250-{name}" for name in extensions[:-1]), f"250 {extensions[-1]}"]
        return Step("".join(line + "\r\n" for line in lines).encode())

    def _helo(self, _rest: bytes) -> Step:
        self._drop()
        return Step(f"250 {self._hostname}\r\n".encode())

    def _mail(self, rest: bytes) -> Step:
        found = _PATH.match(rest)
        if found is None:
            return Step(b"501 5.5.4 Syntax error\r\n")
        if self._reverse_path is not None:
            return Step(b"503 5.5.1 Nested MAIL\r\n")
        code = self._program().mail
        if code == 250:
            self._reverse_path = found[1].decode("utf-8", "replace")
        return Step(_line(code, "2.1.0 Ok"))

    def _rcpt(self, rest: bytes) -> Step:
        found = _PATH.match(rest)
        if found is None:
            return Step(b"501 5.5.4 Syntax error\r\n")
        if self._reverse_path is None:
            return Step(b"503 5.5.1 MAIL first\r\n")
        if len(self._recipients) >= RECIPIENTS_MAX:
            return Step(b"452 4.5.3 Too many recipients\r\n")
        recipient = found[1].decode("utf-8", "replace")
        program = self._program()
        code = program.code(program.rcpt, recipient)
        if code == 250:
            self._recipients.append(recipient)
        return Step(_line(code, "2.1.5 Ok"))

    def _start_data(self, _rest: bytes) -> Step:
        if not self._recipients:
            return Step(b"503 5.5.1 RCPT first\r\n")
        self._is_data, self._searched = True, 0
        return Step(b"354 End data with <CR><LF>.<CR><LF>\r\n")

    def _data(self) -> Step | None:
        if self._buffer.startswith(b".\r\n"):
            content, end = b"", 3
        else:
            found = self._buffer.find(b"\r\n.\r\n", max(0, self._searched - 4))
            if found < 0:
                self._searched = len(self._buffer)
                return Step(_line(552), is_closing=True) if self._searched > MESSAGE_OCTETS_MAX else None
            content, end = bytes(self._buffer[: found + 2]), found + 5
        del self._buffer[:end]
        self._is_data = False
        if content.startswith(b"."):
            content = content[1:]
        return self._end(content.replace(b"\r\n.", b"\r\n"))

    def _start_chunk(self, rest: bytes) -> Step:
        words = rest.upper().split()
        if not words or not words[0].isdigit() or words[1:] not in ([], [b"LAST"]):
            return Step(b"501 5.5.4 Syntax error\r\n", is_closing=True)
        if int(words[0]) + len(self._chunks) > MESSAGE_OCTETS_MAX:
            return Step(_line(552), is_closing=True)
        self._chunk_left, self._is_last_chunk = int(words[0]), len(words) == 2
        return Step()

    def _chunk(self) -> Step | None:
        taken = min(self._chunk_left or 0, len(self._buffer))
        self._chunks += self._buffer[:taken]
        del self._buffer[:taken]
        self._chunk_left = (self._chunk_left or 0) - taken
        if self._chunk_left:
            return None
        self._chunk_left = None
        if not self._recipients:
            self._chunks.clear()
            return Step(b"503 5.5.1 RCPT first\r\n")
        return self._end(bytes(self._chunks)) if self._is_last_chunk else Step(b"250 2.0.0 Ok\r\n")

    def _end(self, content: bytes) -> Step:
        """Answer the end of a message."""
        program = self._program()
        recipients, reverse_path = tuple(self._recipients), self._reverse_path or ""
        self._drop()
        codes = program.dot_codes(recipients, is_lmtp=self._is_lmtp)
        per_recipient = codes if self._is_lmtp else codes * len(recipients)
        kept = tuple(who for who, code in zip(recipients, per_recipient, strict=True) if code == 250)
        taken = (Taken(lab_id_of(content), reverse_path, kept, content),) if kept else ()
        if program.after_dot is AfterDot.HANG:
            return Step(delay_seconds=float("inf"))
        if program.after_dot is AfterDot.CLOSE:
            return Step(taken=taken, delay_seconds=program.delay_seconds, is_closing=True)
        return Step(b"".join(_line(code) for code in codes), taken, program.delay_seconds)

    def _reset(self, _rest: bytes) -> Step:
        self._drop()
        return Step(b"250 2.0.0 Ok\r\n")

    def _noop(self, _rest: bytes) -> Step:
        return Step(b"250 2.0.0 Ok\r\n")

    def _quit(self, _rest: bytes) -> Step:
        return Step(b"221 2.0.0 Bye\r\n", is_closing=True)

    def _drop(self) -> None:
        self._reverse_path = None
        self._recipients = []
        self._chunks.clear()


_VERBS: Mapping[bytes, Callable[[Conversation, bytes], Step]] = {
    b"EHLO": Conversation._hello,
    b"LHLO": Conversation._hello,
    b"HELO": Conversation._helo,
    b"MAIL": Conversation._mail,
    b"RCPT": Conversation._rcpt,
    b"DATA": Conversation._start_data,
    b"BDAT": Conversation._start_chunk,
    b"RSET": Conversation._reset,
    b"NOOP": Conversation._noop,
    b"QUIT": Conversation._quit,
}


def _line(code: int, text: str = "") -> bytes:
    """Return one reply line; `text` stands in for the usual one of a 250."""
    said = text if text and code == 250 else REPLIES.get(code, f"{code // 100}.0.0 The laboratory says {code}")
    return f"{code} {said}\r\n".encode()


def changed(program: Program, words: list[str]) -> Program | str:
    """Return the program after one control command, or what is wrong with the command.

    dot CODE [RECIPIENT] · rcpt CODE [RECIPIENT] · mail CODE · greeting CODE · after-dot reply|hang|close ·
    delay SECONDS · reset
    """
    match words:
        case ["reset"]:
            return Program()
        case ["dot" | "rcpt", code, *who] if _is_code(code) and len(who) <= 1:
            codes = {**(program.dot if words[0] == "dot" else program.rcpt), (who[0] if who else EVERYONE): int(code)}
            return replace(program, dot=codes) if words[0] == "dot" else replace(program, rcpt=codes)
        case ["mail", code] if _is_code(code):
            return replace(program, mail=int(code))
        case ["greeting", code] if _is_code(code):
            return replace(program, greeting=int(code))
        case ["after-dot", ("reply" | "hang" | "close") as what]:
            return replace(program, after_dot=AfterDot(what))
        case ["delay", seconds] if re.fullmatch(r"\d{1,4}(\.\d{1,3})?", seconds):
            return replace(program, delay_seconds=float(seconds))
    return "commands: dot CODE [RECIPIENT], rcpt CODE [RECIPIENT], mail CODE, greeting CODE, " + (
        "after-dot reply|hang|close, delay SECONDS, reset, counts, drop"
    )


def _is_code(text: str) -> bool:
    return re.fullmatch(r"[245]\d\d", text) is not None
