"""Plays a dialog (*.txt): a whole SMTP session against a policy, in memory, with next hops that answer as it says.

    Given: policy = policy.sieve                    beside the dialog; a file, or a folder of *.sieve
    Given: domains = example.org example.net        those that the server is MX for
    Given: hostname = mx.example.org
    Given: client = 203.0.113.5                     where the session comes from; 192.0.2.1 is the default
    Given: map users ann@example.org = /home/ann    what a map holds; `map users fails`: it is down
    Given: dns MX example.com = 10 mx.example.com   a record; `dns MX example.com fails`: no answer comes
    Given: limits fail                              nobody knows what was counted
    Given: found dkim example.com s1 = pass         what SPF, DKIM, DMARC, ARC find; `found spf helo = none`: of HELO
    Given: milter opendkim = 550 5.7.1 No           or `pass`; `policy grey = DEFER Later`; `scanner x = spam 80`
    Given: user alice@example.org = pencil          who may log in, at `entrance submission`, which is over TLS

What transcripts say is in transcript.py, what else can be given and looked at in scene.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from mtad.admission.facts import Agent
from mtad.admission.listener import ListenerPolicy
from mtad.admission.policy import Policy, PolicyErrors, PolicySettings
from mtad.rehearsal import scene as scenes
from mtad.rehearsal import transcript as transcripts
from mtad.rehearsal.lookups import Lookups, PlayedLimits
from mtad.rehearsal.report import CaseReport, Failure, FileReport
from mtad.rehearsal.rooms import HOSTNAME, Rooms, SteppedTime
from mtad.rehearsal.scene import Scene
from mtad.rehearsal.transcript import Line, Transcript
from mtad.rehearsal.users import ListedUsers
from mtad.rehearsal.wire import MemoryWire
from mtad.server.listener import Identity, Server
from mtad.sieve.doors import Doors
from mtad.telemetry.events import CollectedEvents

_CLIENT = "192.0.2.1"
_PORT = 40000
_STOP_SECONDS = 5.0
_ALONE = ("policy", "domains", "hostname", "client")


@dataclass(slots=True)
class _Given:
    """What the lines of a dialog give.

    time     what passes in it

    values   of those that stand alone, as `policy = FILE`
    others   the rest, which scene.py knows
    """

    values: dict[str, str] = field(default_factory=lambda: {"hostname": HOSTNAME, "client": _CLIENT, "domains": ""})
    users: dict[str, str] = field(default_factory=dict)
    time: SteppedTime = field(default_factory=SteppedTime)
    lookups: Lookups = field(init=False)
    others: list[Line] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lookups = Lookups(PlayedLimits(lambda: round(self.time.utc * 1000)))

    @classmethod
    def by(cls, transcript: Transcript) -> _Given | Failure:
        """Read the lines, or say what is wrong with one of them."""
        found = cls()
        for line in transcript.given:
            try:
                found._take(line)
            except ValueError as error:
                return transcript.failure(line, f"{line.text!r}: {error}")
        return found

    def _take(self, line: Line) -> None:
        kind, what, argument, value = scenes.words(line.text)
        if kind == "user" and what:
            self.users[what] = value
        elif self.lookups.given(kind, what, argument, value):
            return
        elif kind in _ALONE and not what:
            self.values[kind] = value
        else:
            self.others.append(line)


async def play_dialog(path: Path, *, must_fail: bool = False) -> FileReport:
    """Play a dialog; it is one test, which its first comment names."""
    found = transcripts.read(path)
    if isinstance(found, Failure):
        return FileReport(str(path), errors=(str(found),), must_fail=must_fail)
    given = _Given.by(found)
    if isinstance(given, Failure):
        return FileReport(str(path), errors=(str(given),), must_fail=must_fail)
    scene = _scene(found, given)
    if not isinstance(scene, Scene):
        return FileReport(str(path), errors=scene, must_fail=must_fail)
    failure = await _played(found, scene, given.values)
    return FileReport(str(path), (CaseReport(found.title, 1, failure),), must_fail=must_fail)


def _scene(transcript: Transcript, given: _Given) -> Scene | tuple[str, ...]:
    """Return what a dialog is played with, or what is wrong with it."""
    path, events = transcript.path, CollectedEvents()
    if "policy" not in given.values:
        return (f"{path}: no policy: it needs a line 'Given: policy = FILE'",)
    domains, agent = given.values["domains"].split(), Agent(given.values["hostname"])
    doors = Doors(clock=lambda: datetime.fromtimestamp(given.time.utc, UTC))
    settings = PolicySettings(domains, doors=doors, outside=given.lookups.outside, agent=agent)
    policy = Policy.load(path.parent / given.values["policy"], settings, events)
    if isinstance(policy, PolicyErrors):
        return tuple(map(str, policy.errors))
    users = ListedUsers(given.users) if given.users else None
    scene = Scene(Rooms(ListenerPolicy(policy), time=given.time, authenticator=users), events=events)
    wrong = [(line, found) for line in given.others if (found := scenes.given(scene, line.text))]
    return tuple(str(transcript.failure(line, found)) for line, found in wrong) or scene


async def _played(transcript: Transcript, scene: Scene, values: Mapping[str, str]) -> Failure | None:
    identity = Identity(values["hostname"], is_binary_offered=scene.is_binary_offered)
    server = Server(identity, scene.limits, scene.rooms.collaborators(), scene.events, scene.rooms.time.clock())
    is_over_tls = scene.entrance.is_submission
    wire = MemoryWire(server, (values["client"], _PORT), scene.entrance, is_over_tls=is_over_tls)
    try:
        return await transcripts.play(transcript, wire, partial(scenes.then, scene))
    finally:
        await wire.close()
        await server.stop(_STOP_SECONDS)
