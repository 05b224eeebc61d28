"""Transcripts that a postmaster can read: what the client says, what the server answers, what comes of it.

    # A comment; the first one says what the transcript shows.
    Given: greeting and EHLO
    Given: nexthop rcpt busy@example.net = 450 4.2.0 Mailbox busy
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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import translate
from pathlib import Path

from mtad.mail.dsn_request import MessageRequest, RecipientRequest, notify_text
from mtad.mail.outcome import Outcome, Result, Success
from mtad.mail.reply import Reply
from mtad.mail.sasl import Unavailable
from mtad.mail.verdict import Verdict
from mtad.server.entrance import LMTP, MX, SUBMISSION, Entrance
from mtad.server.limits import Limits
from mtad.server.rates import Act, Rate
from mtad.spool.door import Committed, Refusal, Refused
from mtad.telemetry.events import CollectedEvents
from tests.dialog.wires import Wire, greeted
from tests.fakes.server_rooms import FakeRooms
from tests.fakes.users import FakeUsers

ELLIPSIS = "..."
GREETED = "greeting and EHLO"  # given: the dialog begins after them
_BASE64 = re.compile(r"base64\(([^)]*)\)")
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|([nr0\\]))")
_OCTETS = {"n": "\n", "r": "\r", "0": "\0", "\\": "\\"}
_REPLY = re.compile(r"(\d{3}) (?:([245]\.\d+\.\d+) )?(.*)")


@dataclass
class Scene:
    """What a transcript is played with."""

    rooms: FakeRooms = field(default_factory=FakeRooms)
    limits: Limits = field(default_factory=Limits)
    events: CollectedEvents = field(default_factory=CollectedEvents)
    is_binary_offered: bool = False
    entrance: Entrance = MX
    is_over_tls: bool = False  # as far as the server knows


@dataclass(frozen=True)
class Transcript:
    """A transcript's lines, as (mark, text)."""

    lines: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, path: Path) -> Transcript:
        lines = []
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            mark, colon, text = line.partition(":")
            if not colon or mark not in ("C", "R", "X", "S", "Given", "Then"):
                raise ValueError(f"{path.name}:{number}: not a line of a transcript: {line!r}")
            lines.append((mark, text.removeprefix(" ")))
        return cls(tuple(lines))

    def scene(self) -> Scene:
        scene = Scene()
        for mark, text in self.lines:
            if mark == "Given" and text != GREETED:
                _given(scene, text)
        return scene

    async def play(self, wire: Wire, scene: Scene, *, is_octet_by_octet: bool) -> None:
        """Say the client's lines and compare the server's."""
        said = b""
        is_skipping = False
        for mark, text in self.lines:
            if mark in _SAID:
                said += _SAID[mark](text)
                continue
            await _send(wire, said, is_octet_by_octet=is_octet_by_octet)
            said = b""
            if mark == "S":
                found = await _line(wire)
                pattern = re.compile(translate(text.replace("[", "[[]")))
                while is_skipping and found[3:4] == "-" and not pattern.match(found):
                    found = await _line(wire)
                is_skipping = text == ELLIPSIS
                assert is_skipping or pattern.match(found), f"expected {text!r}, got {found!r}"
            elif text == GREETED:
                await greeted(wire)
            elif mark == "Then":
                _then(scene, text)
        await _send(wire, said, is_octet_by_octet=is_octet_by_octet)


def _octets(text: str) -> bytes:
    return _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else _OCTETS[m[2]], text).encode("latin-1")


def _text_octets(text: str) -> bytes:
    """Return the octets of a line; what is not ASCII in the transcript is UTF-8, escapes are single octets."""
    text = _BASE64.sub(lambda m: base64.b64encode(_text_octets(m[1])).decode(), text)
    return b"".join(
        _octets(part) if part.startswith("\\") else part.encode() for part in re.split(r"(\\x..|\\.)", text)
    )


def _repeated(text: str) -> bytes:
    count, _, line = text.partition(" * ")
    return (_text_octets(line) + b"\r\n") * int(count)


_SAID: Mapping[str, Callable[[str], bytes]] = {
    "C": lambda text: _text_octets(text) + b"\r\n",
    "R": _text_octets,
    "X": _repeated,
}


async def _line(wire: Wire) -> str:
    """Return the server's next line, or what stands for its end in a transcript."""
    line = (await wire.line()).decode("utf-8")
    assert line.endswith("\r\n") or not line, f"not ended by CRLF: {line!r}"
    return line.removesuffix("\r\n") or "<closed>"


async def _send(wire: Wire, octets: bytes, *, is_octet_by_octet: bool) -> None:
    if is_octet_by_octet:
        for at in range(len(octets)):
            await wire.send(octets[at : at + 1])
    elif octets:
        await wire.send(octets)


def _reply(text: str) -> Reply:
    found = _REPLY.fullmatch(text)
    assert found is not None, text
    return Reply.of(int(found[1]), found[2] or "", found[3])


def _outcome(text: str) -> Outcome:
    if text == "lost":
        return Outcome(Result.UNKNOWN, Reply.of(451, "4.4.2", "Connection lost"), "mx.example.net")
    reply = _reply(text)
    results = {2: Result.DELIVERED, 4: Result.DELAYED, 5: Result.FAILED}
    return Outcome(results[reply.code // 100], reply, "mx.example.net")


def _given(scene: Scene, text: str) -> None:
    """Set the scene: `policy`, `nexthop`, `queue`, `server`, `rate` (a minute) or `limit`, a space, what about it."""
    about, _, value = (part.strip() for part in text.partition("="))
    kind, _, rest = about.partition(" ")
    rooms = scene.rooms
    match kind, rest.partition(" "):
        case "policy", ("trusts", _, _):
            rooms.policy.verdicts["connect"] = Verdict(is_trusted=True)
        case "policy", ("discards", _, stage):
            rooms.policy.verdicts[stage] = Verdict(is_discarded=True)
        case "policy", ("fails", _, stage):
            rooms.policy.verdicts[stage] = RuntimeError("secret of the policy")
        case "policy", ("closes", _, stage):
            rooms.policy.verdicts[stage] = Verdict(_reply(value), is_disconnect=True)
        case "policy", ("says", _, stage):
            rooms.policy.verdicts[stage] = Verdict(text=value)
        case "policy", ("queues", _, address):
            rooms.policy.dispositions[address] = replace(
                rooms.policy.disposition, queue_at_once=value == "at once", queue_on_transient=value == "on transient"
            )
        case "policy", (stage, _, argument):
            rooms.policy.verdicts[f"{stage} {argument}".strip()] = Verdict(_reply(value))
        case "nexthop", ("rcpt", _, address):
            rooms.delivery.at_rcpt[address] = RuntimeError("secret") if value == "fault" else _outcome(value)
        case "nexthop", ("end", _, address):
            rooms.delivery.at_end[address] = _outcome(value)
        case "nexthop", ("delivers", _, how):
            rooms.delivery.delivered = replace(rooms.delivery.delivered, success=Success(how))
        case "queue", ("copies", _, _):
            rooms.door.answer = Committed(int(value))
        case "queue", ("refuses", _, _):
            rooms.door.answer = Refused(Refusal(value))
        case "server", ("offers", _, "BINARYMIME"):
            scene.is_binary_offered = True
        case "rate", (act, _, _):
            rates = {**scene.limits.rates, Act(act): Rate(int(value), 60)}
            scene.limits = replace(scene.limits, rates=rates)
        case "entrance", ("LMTP", _, _):
            scene.entrance = LMTP
        case "entrance", ("submission", _, _):
            scene.entrance = SUBMISSION
            scene.is_over_tls = value == "over TLS"
            rooms.authenticator = FakeUsers(alice="pencil", bob="gr\u00fcn")
        case "users", ("fail", _, _):
            rooms.authenticator = FakeUsers(RuntimeError("secret of the users"))
        case "users", ("unavailable", _, _):
            rooms.authenticator = FakeUsers(Unavailable("no file"))
        case "limit", (name, _, _):
            scene.limits = _with_limit(scene.limits, name, int(value))
        case _:
            raise ValueError(f"unknown: Given: {text}")


def _shown(request: MessageRequest, requests: Mapping[str, RecipientRequest]) -> str:
    """Return what next hops were told of the sender's wishes."""
    words = [f"RET={request.ret}" if request.ret else "", f"ENVID={request.envid}" if request.envid else ""]
    for address, of in requests.items():
        notify = notify_text(of.notify)
        words += [address, f"NOTIFY={notify}" if notify else "", f"ORCPT={of.original}" if of.original else ""]
    return " ".join(word for word in words if word)


def _with_limit(limits: Limits, name: str, value: int) -> Limits:
    if hasattr(limits.session, name):
        return replace(limits, session=replace(limits.session, **{name: value}))
    if hasattr(limits.content, name):
        return replace(limits, content=replace(limits.content, **{name: value}))
    return replace(limits, **{name: value})


def _then(scene: Scene, text: str) -> None:
    """Check what came of it."""
    about, _, value = (part.strip() for part in text.partition("="))
    rooms = scene.rooms
    match about.partition(" "):
        case ("delivered", _, _):
            assert len(rooms.delivery.contents) == int(value)
        case ("content", _, _):
            assert rooms.delivery.contents[-1].endswith(_text_octets(value)), rooms.delivery.contents[-1]
        case ("top", _, _):
            pattern = translate(_text_octets(value).decode().replace("[", "[[]"))
            assert re.match(pattern, rooms.delivery.contents[-1].decode()), rooms.delivery.contents[-1]
        case ("queued", _, _):
            found = {address: s.rank.name for m in rooms.door.messages.values() for address, s in m.recipients.items()}
            wanted = dict(pair.split(" ") for pair in value.split(", ")) if value != "nothing" else {}
            assert found == wanted
        case ("aborted", _, _):
            assert sum(through.is_aborted for through in rooms.delivery.opened) == int(value)
        case ("report", _, _):
            found = [message.content.decode() for message in rooms.door.messages.values() if message.dsn_of]
            assert "; ".join(found) == value
        case ("passed", _, "on"):
            through = rooms.delivery.opened[-1]
            said = through.mail.request, through.requests
            assert _shown(*said) == value, _shown(*said)
        case ("event", _, name):
            assert len(scene.events.named(name)) == int(value), scene.events.events
        case ("waited", _, _):
            assert rooms.time.slept_seconds == float(value)
        case ("asked", _, _):
            assert rooms.policy.asked == _text_octets(value).decode().split(", ")
        case _:
            raise ValueError(f"unknown: Then: {text}")
