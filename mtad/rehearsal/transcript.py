"""Transcripts that a postmaster can read: what the client says, what the server answers, what comes of it.

    # A comment; the first one says what the transcript shows.
    Given: greeting and EHLO          the dialog begins after them; what else can be given: scene.py, dialog.py
    C: EHLO client.example            a line of the client; \\n, \\r, \\0, \\xFF and \\\\ stand for octets
    R: half a line                    the same without CRLF
    X: 4 * spam                       the line four times
    S: 250 2.0.0 Ok                   a line of the server; * stands for any characters
    S: ...                            one or more lines of a reply, up to the one that comes next here
    S: <closed>                       the server closes the connection
    C: AUTH PLAIN base64(\\0alice@here.example\\0pencil)
    Then: delivered = 1

Lines of the client that stand together are sent together, or octet by octet.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import translate
from pathlib import Path

from mtad.rehearsal.report import Failure
from mtad.rehearsal.wire import Wire

GREETED = "greeting and EHLO"
LENGTH_MAX = 1 << 20  # of a file, in octets

_ELLIPSIS = "..."
_CLOSED = "<closed>"
_MARKS = ("C", "R", "X", "S", "Given", "Then")
_REPEATED_MAX = 100_000
_REPEATED = re.compile(r"(\d{1,6}) \* (.*)")
_BASE64 = re.compile(r"base64\(([^)]*)\)")
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|([nr0\\]))")
_ESCAPED_PART = re.compile(r"(\\x..|\\.)")
_OCTETS = {"n": "\n", "r": "\r", "0": "\0", "\\": "\\"}

Then = Callable[[str], str]
"""Compares what came of a dialog with what a line expects; '' when it is so, otherwise what it is instead."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a transcript."""

    number: int
    mark: str
    text: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """A transcript that was read; its title is the first comment."""

    path: Path
    title: str
    lines: tuple[Line, ...]

    @property
    def given(self) -> Iterator[Line]:
        """The lines that set the scene."""
        return (line for line in self.lines if line.mark == "Given" and line.text != GREETED)

    def failure(self, line: Line, reason: str) -> Failure:
        """Return that it fails at this line."""
        return Failure(str(self.path), line.number, reason)


def read(path: Path) -> Transcript | Failure:
    """Read a transcript."""
    try:
        with path.open("rb") as file:
            text = file.read(LENGTH_MAX + 1).decode("utf-8")
    except OSError as error:
        return Failure(str(path), 1, f"cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        return Failure(str(path), 1, "not UTF-8")
    if len(text) > LENGTH_MAX:
        return Failure(str(path), 1, f"longer than {LENGTH_MAX} octets")
    lines: list[Line] = []
    title = ""
    for number, written in enumerate(text.splitlines(), 1):
        if written.startswith("#"):
            title = title or written.lstrip("# ")
        elif written.strip():
            mark, colon, rest = written.partition(":")
            if not colon or mark not in _MARKS or (mark == "X" and _REPEATED.match(rest.strip()) is None):
                return Failure(str(path), number, f"not a line of a transcript: {written!r}")
            lines.append(Line(number, mark, rest.removeprefix(" ")))
    return Transcript(path, title or path.stem, tuple(lines))


async def play(transcript: Transcript, wire: Wire, then: Then, *, is_octet_by_octet: bool = False) -> Failure | None:
    """Say the client's lines and compare the server's; None when all is as it is written."""
    said = b""
    is_skipping = False
    for line in transcript.lines:
        if line.mark in _SAID:
            said += _SAID[line.mark](line.text)
            continue
        await _send(wire, said, is_octet_by_octet=is_octet_by_octet)
        said = b""
        wrong = ""
        if line.mark == "S":
            wrong = await _hear(wire, line.text, is_skipping=is_skipping)
            is_skipping = line.text == _ELLIPSIS
        elif line.text == GREETED and line.mark == "Given":
            wrong = await greet(wire)
        elif line.mark == "Then":
            wrong = then(line.text)
        if wrong:
            return transcript.failure(line, wrong)
    await _send(wire, said, is_octet_by_octet=is_octet_by_octet)
    return None


async def greet(wire: Wire) -> str:
    """Pass the greeting and EHLO; return what is wrong with them."""
    wrong = await _hear(wire, "220 *", is_skipping=False)
    if wrong:
        return wrong
    await wire.send(b"EHLO client.example\r\n")
    return await _hear(wire, "250 *", is_skipping=True)


async def _hear(wire: Wire, expected: str, *, is_skipping: bool) -> str:
    """Take the server's next line; return what is wrong with it."""
    found = await _line(wire)
    pattern = re.compile(translate(expected.replace("[", "[[]")))
    while is_skipping and found[3:4] == "-" and not pattern.match(found):
        found = await _line(wire)
    return "" if expected == _ELLIPSIS or pattern.match(found) else f"expected {expected!r}, got {found!r}"


async def _line(wire: Wire) -> str:
    """Return the server's next line, or what stands for its end in a transcript."""
    try:
        line = (await wire.line()).decode("utf-8", "backslashreplace")
    except TimeoutError:
        return "<nothing>"
    if line and not line.endswith("\r\n"):
        return f"{line}<without CRLF>"
    return line.removesuffix("\r\n") or _CLOSED


async def _send(wire: Wire, octets: bytes, *, is_octet_by_octet: bool) -> None:
    if is_octet_by_octet:
        for at in range(len(octets)):
            await wire.send(octets[at : at + 1])
    elif octets:
        await wire.send(octets)


def text_octets(text: str) -> bytes:
    """Return the octets of a line; what is not ASCII in the transcript is UTF-8, escapes are single octets."""
    text = _BASE64.sub(lambda match: base64.b64encode(text_octets(match[1])).decode(), text)
    return b"".join(_unescaped(part) if part.startswith("\\") else part.encode() for part in _ESCAPED_PART.split(text))


def _unescaped(text: str) -> bytes:
    plain = _ESCAPE.sub(lambda match: chr(int(match[1], 16)) if match[1] else _OCTETS[match[2]], text)
    return plain.encode("latin-1", "replace")


def _repeated(text: str) -> bytes:
    found = _REPEATED.match(text)
    return (text_octets(found[2]) + b"\r\n") * min(int(found[1]), _REPEATED_MAX) if found is not None else b""


_SAID: Mapping[str, Callable[[str], bytes]] = {
    "C": lambda text: text_octets(text) + b"\r\n",
    "R": text_octets,
    "X": _repeated,
}
