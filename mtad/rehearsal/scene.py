"""What a transcript is played with, and what is looked at afterwards.

Given: nexthop rcpt busy@example.net = 450 4.2.0 Mailbox busy       its answer to RCPT
Given: nexthop end busy@example.net = 550 5.7.1 No                  its answer to the data; `lost` is none
Given: queue refuses = full                                         or peer, failed; `queue copies = 1`
Given: limit recipients_max = 2                                     a limit of the server by its name
Given: rate messages = 1                                            of a client network, each minute
Given: entrance LMTP                                                or submission
Given: server offers BINARYMIME
Then: delivered = 1                                                 contents that went to next hops
Then: content = body\\r\\n                                            how the last of them ends; `top`: how it begins
Then: route a@example.net = lmtp unix:/run/dovecot/lmtp             where it went; `smtp` alone is to the MX
Then: queued = b@example.net WAITING                                recipients in the queue; or nothing
Then: due b@example.net = 300                                       seconds until the queue tries it
Then: priority = 3                                                  of the message that was queued last
Then: queue name = bulk                                             of the same
Then: aborted = 1                                                   transactions with next hops that were given up
Then: from = *=client.example=a@fwd.example                         the reverse-path that next hops were told
Then: from b@example.net = news+b=example.net@a.example             the same, where it names the recipient
Then: passed on = b@example.net NOTIFY=NEVER                        what next hops were told of the sender's wishes
Then: left out = c@example.net                                      of whom nothing more was said at the end of the data
Then: event mail.refused = 2                                        lines of the log
Then: signed by = s1._domainkey.a.example, b.example subject to     keys that policy wanted since the last such line
Then: waited = 5                                                    seconds
Then: time passes = 300                                             so many seconds, before what follows
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import translate
from typing import Any

from mtad.mail.deliver_by import DeliverBy
from mtad.mail.dsn_request import MessageRequest, RecipientRequest, notify_text
from mtad.mail.outcome import Outcome, Result, Success
from mtad.mail.reply import Reply
from mtad.rehearsal.rooms import NoSigner, Rooms
from mtad.rehearsal.transcript import text_octets
from mtad.server.entrance import LMTP, MX, SUBMISSION, Entrance
from mtad.server.limits import Limits
from mtad.server.rates import Act, Rate
from mtad.spool.door import Committed, Refusal, Refused
from mtad.telemetry.events import CollectedEvents

_REPLY = re.compile(r"(\d{3}) (?:([245]\.\d+\.\d+) )?(.*)")
_RESULTS = {2: Result.DELIVERED, 4: Result.DELAYED, 5: Result.FAILED}
_ENTRANCES = {"LMTP": LMTP, "submission": SUBMISSION, "MX": MX}


@dataclass
class Scene:
    """A server's surroundings."""

    rooms: Rooms
    limits: Limits = field(default_factory=Limits)
    events: CollectedEvents = field(default_factory=CollectedEvents)
    is_binary_offered: bool = False
    entrance: Entrance = MX


def words(text: str) -> tuple[str, str, str, str]:
    """Take `KIND WHAT ARGUMENT = VALUE` apart; what is not there is ''."""
    about, _, value = (part.strip() for part in text.partition("="))
    kind, _, rest = about.partition(" ")
    what, _, argument = rest.partition(" ")
    return kind, what, argument, value


def given(scene: Scene, text: str) -> str:
    """Set the scene by one line; return what is wrong with it."""
    kind, what, argument, value = words(text)
    setter = _GIVEN.get((kind, what)) or _GIVEN.get((kind, ""))
    try:
        wrong = setter(scene, what, argument, value) if setter is not None else "it is not known"
    except ValueError as error:
        wrong = str(error)
    return f"{text!r}: {wrong}" if wrong else ""


def then(scene: Scene, text: str) -> str:
    """Compare what came of a dialog with what a line expects; '' when it is so, otherwise what it is instead."""
    about, _, value = (part.strip() for part in text.partition("="))
    kind, _, rest = about.partition(" ")
    look = _THEN.get(about) or _THEN.get(kind)
    return look(scene, rest, value) if look is not None else f"{text!r} is not known"


def parse_reply(text: str) -> Reply:
    """Return a reply as a transcript writes it. Errors: ValueError."""
    found = _REPLY.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no reply")
    return Reply.of(int(found[1]), found[2] or "", found[3])


def _outcome(text: str) -> Outcome:
    if text == "lost":
        return Outcome(Result.UNKNOWN, Reply.of(451, "4.4.2", "Connection lost"), "mx.example.net")
    reply = parse_reply(text)
    if reply.code // 100 not in _RESULTS:
        raise ValueError(f"{text!r} answers nothing")
    return Outcome(_RESULTS[reply.code // 100], reply, "mx.example.net")


def _at_rcpt(scene: Scene, what: str, argument: str, value: str) -> str:
    scene.rooms.delivery.at_rcpt[argument] = RuntimeError("secret") if value == "fault" else _outcome(value)
    return ""


def _at_end(scene: Scene, what: str, argument: str, value: str) -> str:
    scene.rooms.delivery.at_end[argument] = _outcome(value)
    return ""


def _delivers(scene: Scene, what: str, argument: str, value: str) -> str:
    scene.rooms.delivery.delivered = replace(scene.rooms.delivery.delivered, success=Success(argument))
    return ""


def _copies(scene: Scene, what: str, argument: str, value: str) -> str:
    scene.rooms.door.answer = Committed(int(value))
    return ""


def _refuses(scene: Scene, what: str, argument: str, value: str) -> str:
    scene.rooms.door.answer = Refused(Refusal(value))
    return ""


def _binary(scene: Scene, what: str, argument: str, value: str) -> str:
    scene.is_binary_offered = True
    return "" if argument == "BINARYMIME" else "only BINARYMIME can be offered"


def _rate(scene: Scene, what: str, argument: str, value: str) -> str:
    rates = {**scene.limits.rates, Act(what): Rate(int(value), 60)}
    scene.limits = replace(scene.limits, rates=rates)
    return ""


def _entrance(scene: Scene, what: str, argument: str, value: str) -> str:
    entrance = _ENTRANCES.get(what)
    scene.entrance = entrance or scene.entrance
    return "" if entrance is not None else f"one of {', '.join(_ENTRANCES)}"


def _limit(scene: Scene, what: str, argument: str, value: str) -> str:
    limits = scene.limits
    changed: dict[str, Any] = {what: int(value)}
    if hasattr(limits.session, what):
        scene.limits = replace(limits, session=replace(limits.session, **changed))
    elif hasattr(limits.content, what):
        scene.limits = replace(limits, content=replace(limits.content, **changed))
    elif isinstance(getattr(limits, what, None), int):
        scene.limits = replace(limits, **changed)
    else:
        return "there is no such limit"
    return ""


_GIVEN: Mapping[tuple[str, str], Callable[[Scene, str, str, str], str]] = {
    ("nexthop", "rcpt"): _at_rcpt,
    ("nexthop", "end"): _at_end,
    ("nexthop", "delivers"): _delivers,
    ("queue", "copies"): _copies,
    ("queue", "refuses"): _refuses,
    ("server", "offers"): _binary,
    ("rate", ""): _rate,
    ("entrance", ""): _entrance,
    ("limit", ""): _limit,
}


def _instead(found: object, expected: object) -> str:
    return "" if found == expected else f"it is {found}"


def _content(scene: Scene, rest: str, value: str) -> str:
    contents = scene.rooms.delivery.contents
    return "" if contents and contents[-1].endswith(text_octets(value)) else f"it is {contents[-1:]}"


def _top(scene: Scene, rest: str, value: str) -> str:
    contents = scene.rooms.delivery.contents
    pattern = translate(text_octets(value).decode("utf-8", "replace").replace("[", "[[]"))
    return "" if contents and re.match(pattern, contents[-1].decode("utf-8", "replace")) else f"it is {contents[-1:]}"


def _queued(scene: Scene, rest: str, value: str) -> str:
    states = (item for message in scene.rooms.door.messages.values() for item in message.recipients.items())
    ranks = {address: state.rank.name for address, state in states}
    found = ", ".join(sorted(f"{address} {rank}" for address, rank in ranks.items())) or "nothing"
    return _instead(found, ", ".join(sorted(value.split(", "))))


def _due(scene: Scene, rest: str, value: str) -> str:
    now_ms = scene.rooms.time.clock().wall_ms()
    states = (item for message in scene.rooms.door.messages.values() for item in message.recipients.items())
    found = [max(0, state.due_ms - now_ms) // 1000 for address, state in states if address == rest]
    return _instead(str(found[-1]), value) if found else "it is not queued"


def _priority(scene: Scene, rest: str, value: str) -> str:
    messages = list(scene.rooms.door.messages.values())
    return _instead(str(messages[-1].priority), value) if messages else "nothing is queued"


def _queue_name(scene: Scene, rest: str, value: str) -> str:
    messages = list(scene.rooms.door.messages.values())
    return _instead(messages[-1].queue_name, value) if messages else "nothing is queued"


def _route(scene: Scene, rest: str, value: str) -> str:
    for through in reversed(scene.rooms.delivery.opened):
        if rest in through.routes:
            route = through.routes[rest]
            return _instead(" ".join((route.transport.value, *route.hosts)), value)
    return "it went nowhere"


def _aborted(scene: Scene, rest: str, value: str) -> str:
    return _instead(str(sum(through.is_aborted for through in scene.rooms.delivery.opened)), value)


def _passed_on(scene: Scene, rest: str, value: str) -> str:
    opened = scene.rooms.delivery.opened
    now_ms = scene.rooms.time.clock().wall_ms()
    return _instead(_shown(opened[-1].mail.request, opened[-1].requests, now_ms), value) if opened else "nothing was"


def _from(scene: Scene, rest: str, value: str) -> str:
    opened = scene.rooms.delivery.opened
    path = replace(opened[-1].mail, named=rest).path if opened else "none"
    return "" if re.match(translate(value), path) else f"it is {path}"


def _signed_by(scene: Scene, rest: str, value: str) -> str:
    signer = scene.rooms.signer
    asked = ", ".join(signer.asked) if isinstance(signer, NoSigner) else ""
    if isinstance(signer, NoSigner):
        signer.asked.clear()
    return _instead(asked or "none", value)


def _left_out(scene: Scene, rest: str, value: str) -> str:
    return _instead(" ".join(address for through in scene.rooms.delivery.opened for address in through.left_out), value)


def _shown(request: MessageRequest, requests: Mapping[str, RecipientRequest], now_ms: int) -> str:
    """Return what next hops were told of the sender's wishes."""
    found = [f"RET={request.ret}" if request.ret else "", f"ENVID={request.envid}" if request.envid else ""]
    found.append(_shown_time(request.by, now_ms))
    for address, of in requests.items():
        notify = notify_text(of.notify)
        found += [address, f"NOTIFY={notify}" if notify else "", f"ORCPT={of.original}" if of.original else ""]
        found.append(_shown_time(of.by, now_ms))
    return " ".join(word for word in found if word)


def _shown_time(by: DeliverBy | None, now_ms: int) -> str:
    return "" if by is None else f"BY={by.left(now_ms)}"


def _passes(scene: Scene, rest: str, value: str) -> str:
    if not value.isdecimal():
        return f"{value!r} are no seconds"
    scene.rooms.time.advance(int(value))
    return ""


_THEN: Mapping[str, Callable[[Scene, str, str], str]] = {
    "delivered": lambda scene, rest, value: _instead(str(len(scene.rooms.delivery.contents)), value),
    "content": _content,
    "top": _top,
    "due": _due,
    "priority": _priority,
    "queue name": _queue_name,
    "route": _route,
    "queued": _queued,
    "aborted": _aborted,
    "from": _from,
    "signed by": _signed_by,
    "passed on": _passed_on,
    "left out": _left_out,
    "event": lambda scene, rest, value: _instead(str(len(scene.events.named(rest))), value),
    "time passes": _passes,
    "waited": lambda scene, rest, value: _instead(f"{scene.rooms.time.slept_seconds:g}", value),
}
