"""The operator's commands: promote, demote, refill, and the planned switchover that makes no duplicates.

A switchover drains the owner's work, waits until the peer has every result durable, steps down, and only then names
the peer. Until the step down any trouble makes the owner resume. Stepping down needs no write: a member that starts
is passive, whatever it was.
"""

from __future__ import annotations

from collections.abc import Callable

from replicator.core import risks
from replicator.core.authority import STANDING_BY, Cue, Ownership
from replicator.core.events import BeginEmpty, Command, Drain, Effect, Send, Settings, Told
from replicator.core.journal import Journal
from replicator.core.messages import Handover
from replicator.core.peer import Peer
from replicator.core.values import Mode, Protection, Role

Session = int | None
UNFIT = "a record came that this version does not understand, and is not here: upgrade this node"
NO_WITNESS = "the witness does not answer: the peer could not take over"


class Commands:
    """At most one switchover at a time, and what the other commands answer."""

    def __init__(self, settings: Settings, ownership: Ownership, journal: Journal, peer: Peer) -> None:
        self._settings = settings
        self._ownership = ownership
        self._journal = journal
        self._peer = peer
        self._verbs: dict[str, Callable[[Command, Session, Protection, int, list[Effect]], str]] = {
            "promote": self._promote,
            "demote": self._demote,
            "switchover": self._switchover,
            "refill": self._refill,
        }
        self._token = 0
        self._is_draining = False
        self._attempt = 0
        self._deadline = 0
        self._target: int | None = None  # own seq by which all results are in; None until drained
        self._awaited: int | None = None  # the token of a switchover whose taker was not heard as active yet

    def command(self, command: Command, session: Session, protection: Protection, now: int, out: list[Effect]) -> None:
        """Begin what the operator wants, or say why not. session: of a link on which the peer greeted us."""
        verb = self._verbs.get(command.verb)
        refusal = verb(command, session, protection, now, out) if verb else f"unknown command {command.verb!r}"
        if refusal:
            out.append(Told(command.token, False, refusal, self._risk(command.verb, session, now)))

    def _risk(self, verb: str, session: Session, now: int) -> str:
        """Return what a command may cost when nothing holds it back."""
        if verb == "promote":
            return risks.of_promotion(self._settings, self._ownership, self._peer, self._journal, now)
        if verb == "demote" and self._ownership.is_owner:
            return risks.of_demotion(self._settings, self._peer, self._journal, is_heard=session is not None)
        if verb == "refill" and self._may_refill:
            return self._refill_risk(session)[1]
        return ""

    def _promote(self, command: Command, session: Session, protection: Protection, now: int, out: list[Effect]) -> str:
        own = self._ownership
        if own.role is Role.PROMOTING or own.is_owner:
            out.append(Told(command.token, True, f"already {own.role.name.lower()}"))
        elif own.is_unfit and not (command.force and not own.is_granted_by_another):
            return f"{UNFIT}: force, if {self._settings.peer} is gone for good"
        elif own.has_heard_active(now) and not command.force:
            return f"{self._settings.peer} is active: use switchover there, or force"
        elif self._settings.authority is Mode.MANUAL and session is None and not command.force:
            return f"{self._settings.peer} is not heard, and may be active: force, if it is not"
        else:
            risk = self._risk(command.verb, session, now) if command.force else ""
            out.append(Told(command.token, True, own.promote(Cue.ORDERED, now, out, force=command.force), risk))
        return ""

    def _demote(self, command: Command, session: Session, protection: Protection, now: int, out: list[Effect]) -> str:
        own = self._ownership
        if not own.is_owner:
            return f"this member is {own.role.name.lower()}, not the owner"
        if session is None and not command.force:
            return "no peer would take over: force, if nobody is to deliver"
        risk = self._risk(command.verb, session, now)
        self._end_switchover("demoted meanwhile", out)
        own.demote(now, out)
        text = "demoted; it promotes again when told to, or after another was active"
        out.append(Told(command.token, True, text, risk))
        return ""

    @property
    def _may_refill(self) -> bool:
        return self._settings.peer_node >= 0 and self._ownership.role in STANDING_BY

    def _refill_risk(self, session: Session) -> tuple[str, str]:
        return risks.of_refilling(self._settings, self._peer, self._journal, is_heard=session is not None)

    def _refill(self, command: Command, session: Session, protection: Protection, now: int, out: list[Effect]) -> str:
        """Begin anew with an empty store, when the peer has everything and nothing is on its way to the disk."""
        if self._settings.peer_node < 0:
            return "this node has no peer that would fill it"
        if not self._may_refill:
            return f"this node is {self._ownership.role.name.lower()}: hand the queue over first, by switchover"
        why, risk = self._refill_risk(session)
        if why and not command.force:
            return why
        out.append(BeginEmpty(command.token, risk))
        return ""

    # --- switchover -----------------------------------------------------------------------------------------

    def _switchover(
        self, command: Command, session: Session, protection: Protection, now: int, out: list[Effect]
    ) -> str:
        if self._ownership.role is not Role.ACTIVE:
            return f"this member is {self._ownership.role.name.lower()}, not active"
        if session is None:
            return "there is no link to the peer"
        if protection is not Protection.PROTECTED:
            return f"the peer has not caught up: {protection.name.lower()}"
        if not self._ownership.can_hand_over(now):
            return NO_WITNESS
        self._ownership.move(Cue.DRAIN, out)
        self._token, self._is_draining = command.token, True
        self._deadline = now + self._settings.drain_within
        self._target = None
        self._attempt += 1
        out.append(Drain(self._attempt))
        return ""

    def drained(self, attempt: int) -> None:
        """Note that no work is in flight any more: what is written by now is all that the taker must have."""
        if self._is_draining and attempt in (0, self._attempt):
            self._target = self._journal.seq

    def advance(self, session: Session, now: int, out: list[Effect]) -> None:
        """Hand over when the peer has everything; resume when that takes too long."""
        if not self._is_draining:
            return
        own = self._ownership
        if own.role is Role.FENCED:
            self._end_switchover("the lease ran out meanwhile", out)
        elif own.role is not Role.DRAINING:
            self._end_switchover(f"outranked: this member is {own.role.name.lower()}", out)
        elif session is None:
            self._give_up("the link to the peer broke", out)
        elif not own.can_hand_over(now):
            self._give_up(NO_WITNESS, out)
        elif self.may_hand_over():
            self._is_draining = False
            own.hand_over(now, out)
            out.append(Send(session, Handover(own.authority)))
            self._awaited, self._deadline = self._token, now + self._settings.promote_after
        elif now >= self._deadline:
            waiting = "work in flight did not end" if self._target is None else "the peer did not confirm everything"
            self._give_up(waiting, out)

    def may_hand_over(self) -> bool:
        """Tell whether all results are on both disks."""
        target, journal, peer = self._target, self._journal, self._peer
        if target is None or journal.own_durable < target or peer.own_durable < target:
            return False
        return peer.lacks_of_others(journal) == 0

    def _give_up(self, why: str, out: list[Effect]) -> None:
        self._ownership.move(Cue.GIVEN_UP, out)
        self._end_switchover(f"{why}: resumed as owner", out)

    def _end_switchover(self, why: str, out: list[Effect]) -> None:
        if self._is_draining:
            self._is_draining = False
            out.append(Told(self._token, False, why))

    def confirm(self, now: int, out: list[Effect]) -> None:
        """Tell the operator who owns now, as soon as it is known."""
        if self._awaited is None:
            return
        if self._ownership.has_heard_active(now):
            out.append(Told(self._awaited, True, f"{self._settings.peer} is active"))
        elif self._ownership.is_owner:
            out.append(Told(self._awaited, False, "the peer did not take over: this member owns again"))
        elif now < self._deadline:
            return
        else:
            out.append(Told(self._awaited, False, "handed over, and the peer is not heard as active"))
        self._awaited = None
