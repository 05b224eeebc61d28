"""Whom policy adds, takes out and puts in the place of others: nobody is lost behind a 250.

A model says who is to get the message. Behind a 250 each of them has it, is kept, or was refused for good and reported,
or withheld from a sender who may be forged; behind a refusal nobody is kept.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from mtad.mail.verdict import Addition, Verdict
from mtad.server.entrance import LMTP, MX
from mtad.server.limits import Limits
from mtad.server.listener import Identity, Server
from mtad.spool.door import Committed, Refusal, Refused
from mtad.telemetry.events import CollectedEvents
from tests.dialog.wires import MemoryWire, reply, say
from tests.fakes.server_rooms import DELAYED, FAILED, UNKNOWN, FakeRooms

KINDS = ("one", "none", "busy", "lost", "later")  # delivered, refused, delayed, not answered, queued by policy
SENDER = "a@client.example"
AT_END = {"none": FAILED, "busy": DELAYED, "lost": UNKNOWN}


def address(name: str) -> str:
    return f"{name}@example.net"


NAMED = [address(kind) for kind in KINDS]
ADDED = [address(f"x{kind}") for kind in KINDS] + NAMED
VERDICTS = st.builds(
    lambda added, is_discarded: Verdict(is_discarded=is_discarded, added=tuple(added)),
    st.lists(st.builds(Addition, st.sampled_from(ADDED), is_hidden=st.booleans()), max_size=2),
    st.booleans(),
)


@dataclass(frozen=True)
class Case:
    """What a client sends, and what policy and queue make of it."""

    names: list[str]
    at_rcpt: dict[str, Verdict]
    at_data: dict[str, Verdict]
    of_message: Verdict
    is_lmtp: bool
    is_trusted: bool
    has_room: bool

    @property
    def accepted(self) -> list[str]:
        """Who is to get it before the content is there."""
        found: list[str] = []
        for name in self.names:
            verdict = self.at_rcpt.get(name, Verdict())
            found += [] if verdict.is_discarded else [name]
            found += [one.address for one in verdict.added]
        return list(dict.fromkeys(found))

    @property
    def wanted(self) -> set[str]:
        """Who is to get it."""
        left = [a for a in self.accepted if not self.at_data.get(a, Verdict()).is_discarded]
        added = [one.address for a in self.accepted for one in self.at_data.get(a, Verdict()).added]
        added += [one.address for one in self.of_message.added]
        return {*added, *([] if self.of_message.is_discarded else left)}

    @property
    def verdicts(self) -> list[Verdict]:
        return [*self.at_rcpt.values(), *self.at_data.values(), self.of_message]

    @property
    def answered_for(self) -> set[str]:
        """Whom an LMTP client may hear of: those that it has named, and who stands for one of them."""
        return {*self.names, *(_first(one) for one in self.verdicts if one.is_discarded)}

    def stand_in(self, name: str) -> str:
        """Return who has the place of one that the client has named; '' is nobody."""
        return self._stand_in(name) or (name if name in self.wanted else "")

    def _stand_in(self, name: str) -> str:
        found = name
        for verdicts in (self.at_rcpt, self.at_data):
            verdict = verdicts.get(found, Verdict())
            if verdict.is_discarded:
                found = _first(verdict)
                if verdicts is self.at_data:
                    return found
        return _first(self.of_message) if found and self.of_message.is_discarded else found

    @property
    def untouched(self) -> list[str]:
        """Those of the named whom policy leaves alone."""
        at_data = self.at_data if not self.of_message.is_discarded else dict.fromkeys(self.names, Verdict())
        return [name for name in self.names if name not in self.at_rcpt and name not in at_data]


def _first(verdict: Verdict) -> str:
    return next((one.address for one in verdict.added if not one.is_hidden), "")


CASES = st.builds(
    Case,
    st.lists(st.sampled_from(NAMED), min_size=1, max_size=3, unique=True),
    st.dictionaries(st.sampled_from(NAMED), VERDICTS, max_size=2),
    st.dictionaries(st.sampled_from(ADDED), VERDICTS, max_size=2),
    VERDICTS,
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


@dataclass
class Played:
    """What came of a case."""

    rooms: FakeRooms
    events: CollectedEvents = field(default_factory=CollectedEvents)
    codes: list[str] = field(default_factory=list)  # that followed the content

    @property
    def kept(self) -> set[str]:
        return {a for one in self.rooms.door.messages.values() if not one.dsn_of for a in one.recipients}

    @property
    def sent_to(self) -> set[str]:
        return {a for through in self.rooms.delivery.opened if through.content for a in through.recipients}

    @property
    def told(self) -> set[str]:
        """Who is reported to the sender, or withheld from one who may be forged."""
        reports = [one.content.decode().split() for one in self.rooms.door.messages.values() if one.dsn_of]
        return {word for words in reports for word in words} | {
            str(one["recipient"]) for one in self.events.named("dsn.withheld")
        }

    def has(self, who: str) -> bool:
        return who in self.sent_to and self.rooms.delivery.at_end.get(who) is None


async def play(case: Case) -> Played:
    played = Played(FakeRooms())
    rooms = played.rooms
    policy = rooms.policy
    policy.verdicts |= {f"rcpt {name}": verdict for name, verdict in case.at_rcpt.items()}
    policy.verdicts["connect"] = Verdict(is_trusted=case.is_trusted or case.is_lmtp)
    policy.verdicts["data"] = replace(case.of_message, each=case.at_data)
    for kind, outcome in AT_END.items():
        rooms.delivery.at_end |= {address(kind): outcome, address(f"x{kind}"): outcome}
    for name in ("later", "xlater"):
        policy.dispositions[address(name)] = replace(policy.disposition, queue_at_once=True)
    rooms.door.answer = Committed(2) if case.has_room else Refused(Refusal.FULL)
    server = Server(Identity("mx.here.example"), Limits(), rooms.collaborators(), played.events, rooms.time.clock())
    wire = MemoryWire(server, entrance=LMTP if case.is_lmtp else MX)
    assert (await reply(wire))[0].startswith("220")
    await say(wire, f"{'LHLO' if case.is_lmtp else 'EHLO'} client.example", f"MAIL FROM:<{SENDER}>")
    rcpts = [line[:3] for line in await say(wire, *(f"RCPT TO:<{name}>" for name in case.names), "DATA")]
    assert rcpts == ["250"] * len(case.names) + ["354"]
    await wire.send(b"text\r\n.\r\nVRFY a\r\n")
    while not played.codes or played.codes[-1] != "252":
        played.codes.append((await reply(wire))[0][:3])
    played.codes.pop()
    await wire.close()
    return played


def test_nobody_is_lost_behind_a_250_and_nobody_gets_what_he_may_not() -> None:
    reached: Counter[str] = Counter()

    @settings(max_examples=300, deadline=None, derandomize=True, database=None)
    @given(CASES)
    def check(case: Case) -> None:
        played = asyncio.run(play(case))
        assert len(played.codes) == (len(case.names) if case.is_lmtp else 1)
        assert played.sent_to <= case.wanted, "who is taken out gets nothing"
        assert played.kept <= case.wanted
        codes = played.codes
        if case.is_lmtp:  # who is dropped hears 250, whatever becomes of the others
            codes = [code for name, code in zip(case.names, codes, strict=True) if case.stand_in(name)] or codes
        is_taken = any(code.startswith("2") for code in codes)
        if is_taken:
            for who in case.wanted:
                is_seen_to = played.has(who) or who in played.kept or who in played.told
                is_heard = case.is_lmtp and (who in case.answered_for or not case.has_room)
                is_heard = is_heard and any(not code.startswith("2") for code in played.codes)
                assert is_seen_to or is_heard, f"{who} is lost"
        else:
            assert played.kept == set(), "what is refused is not kept"
        for name, code in zip(case.names, played.codes, strict=False):
            if case.is_lmtp and name in case.untouched and code.startswith("2"):
                assert played.has(name) or name in played.kept, f"{name} hears 250 for nothing"
        reached["lmtp" if case.is_lmtp else "taken" if is_taken else "refused"] += 1
        reached["added and kept"] += any(who.startswith("x") for who in played.kept)
        reached["added and told"] += any(who.startswith("x") for who in played.told)
        reached["added and refused"] += not is_taken and any(who.startswith("x") for who in case.wanted)

    check()
    assert min(reached.values()) >= 10, reached
