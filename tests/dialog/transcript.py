"""Transcripts of the server alone: as mtad.rehearsal.transcript says, and with a policy and users that are played.

Given: policy trusts              at connect
Given: policy discards rcpt       or data
Given: policy fails mail          it raises
Given: policy closes ehlo = 550 5.7.1 Go away
Given: policy says rcpt = text    what a positive reply says
Given: policy queues a@example.net = at once        or on transient
Given: policy rcpt a@example.net = 550 5.7.1 No     a verdict of one stage
Given: entrance submission = over TLS               with the users alice and bob
Given: users fail                 or unavailable
Then: report = a@example.net failed
Then: asked = connect, ehlo client.example
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from mtad.mail.sasl import Unavailable
from mtad.mail.verdict import Verdict
from mtad.rehearsal import scene as shared
from mtad.rehearsal.scene import parse_reply, words
from mtad.rehearsal.transcript import Transcript, text_octets
from tests.fakes.server_rooms import FakeRooms
from tests.fakes.users import FakeUsers


@dataclass
class Scene(shared.Scene):
    """What a transcript is played with."""

    rooms: FakeRooms = field(default_factory=FakeRooms)
    is_over_tls: bool = False  # as far as the server knows

    @classmethod
    def of(cls, transcript: Transcript) -> Scene:
        scene = cls()
        for line in transcript.given:
            assert not (wrong := _given(scene, line.text)), transcript.failure(line, wrong)
        return scene

    def then(self, text: str) -> str:
        """Compare what came of it with what a line expects; '' when it is so."""
        about, _, value = (part.strip() for part in text.partition("="))
        if about == "report":
            kept = self.rooms.door.messages.values()
            found = "; ".join(message.content.decode() for message in kept if message.dsn_of)
            return "" if found == value else found
        if about == "asked":
            asked = self.rooms.policy.asked
            return "" if asked == text_octets(value).decode().split(", ") else str(asked)
        return shared.then(self, text)


def _given(scene: Scene, text: str) -> str:
    kind, what, argument, value = words(text)
    rooms = scene.rooms
    match kind, what:
        case "policy", "trusts":
            rooms.policy.verdicts["connect"] = Verdict(is_trusted=True)
        case "policy", "discards":
            rooms.policy.verdicts[argument] = Verdict(is_discarded=True)
        case "policy", "fails":
            rooms.policy.verdicts[argument] = RuntimeError("secret of the policy")
        case "policy", "closes":
            rooms.policy.verdicts[argument] = Verdict(parse_reply(value), is_disconnect=True)
        case "policy", "says":
            rooms.policy.verdicts[argument] = Verdict(text=value)
        case "policy", "queues":
            rooms.policy.dispositions[argument] = replace(
                rooms.policy.disposition, queue_at_once=value == "at once", queue_on_transient=value == "on transient"
            )
        case "policy", _:
            rooms.policy.verdicts[f"{what} {argument}".strip()] = Verdict(parse_reply(value))
        case "users", "fail":
            rooms.authenticator = FakeUsers(RuntimeError("secret of the users"))
        case "users", "unavailable":
            rooms.authenticator = FakeUsers(Unavailable("no file"))
        case _:
            if (kind, what) == ("entrance", "submission"):
                scene.is_over_tls = value == "over TLS"
                rooms.authenticator = FakeUsers(alice="pencil", bob="gr\u00fcn")
            return shared.given(scene, text)
    return ""
