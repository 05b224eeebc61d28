"""The votes of three that let a member own: its own, and either the witness's or its peer's.

Two sets of two out of three have one in common, and no voter speaks for two members at a time: the witness promises
its lease to one; a member that stands back for its peer does not ask the witness until its promise has passed, and one
that asks or owns stands back for nobody. What an earlier life of this member promised is not known to it, so it
begins bound. All promises are counted as lease.py says.
"""

from __future__ import annotations

from replicator.core.events import Settings
from replicator.core.grants import Ask, Denied, Granted, Release, Reply
from replicator.core.lease import held_until, promised_for
from replicator.core.messages import Consent, Plea

NOBODY = -1
ASKED_MAX = 16  # requests, and pleas, whose answers are still of use


class Votes:
    """What was asked for and given under one generation, and what was promised to the peer."""

    def __init__(self, settings: Settings, incarnation: int, now: int) -> None:
        self._node = settings.node
        self._incarnation = incarnation
        self._lease = settings.lease
        self.generation = 1
        self.until = now  # up to then this member may own
        self.witness_until = now  # as far as the witness's word goes
        self.bound_until = now + promised_for(settings.lease)
        self.consent: Consent | None = None  # to go with the next beat
        self._ticket = 0
        self._asked: dict[int, int] = {}  # when each request was sent that is not answered
        self._pleaded: dict[int, int] = {}  # when each beat was sent that asked the peer

    # --- the witness's --------------------------------------------------------------------------------------

    def ask(self, epoch: int, now: int) -> Ask:
        """Make a request."""
        self._ticket += 1
        self._note(self._asked, self._ticket, now)
        return Ask(self._node, self._incarnation, self.generation, self._ticket, epoch)

    def is_current(self, reply: Reply) -> bool:
        """Tell whether an answer is to this life and generation. Any other grants what was given up, or never ours."""
        return (reply.incarnation, reply.generation) == (self._incarnation, self.generation)

    def granted(self, granted: Granted, now: int) -> bool:
        """Take in a grant; tell whether it is of any use still."""
        asked_at = self._asked.pop(granted.ticket, None)
        if asked_at is None:
            return False
        until = self.counted_from(asked_at, min(granted.lease, self._lease), now)
        if until <= now:
            return False
        self.witness_until = max(until, self.witness_until)
        self.until = max(until, self.until)
        return True

    def denied(self, denied: Denied) -> None:
        """Take in a refusal."""
        self._asked.pop(denied.ticket, None)

    def counted_from(self, asked_at: int, lease: int, now: int) -> int:
        """Return up to when a lease allows to own: its time runs from before it was asked for."""
        return held_until(asked_at, lease)

    def is_undecided(self, now: int) -> bool:
        """Tell whether the witness may have granted something that would be of use."""
        return any(held_until(asked_at, self._lease) > now for asked_at in self._asked.values())

    # --- the peer's, and ours for it ------------------------------------------------------------------------

    def plead(self, ticket: int, now: int) -> Plea:
        """Ask the peer to stand back, with the beat of that ticket."""
        self._note(self._pleaded, ticket, now)
        return Plea(self.generation, self._lease)

    def consented(self, consent: Consent, now: int) -> bool:
        """Take in that the peer stands back; tell whether that is of any use still."""
        asked_at = self._pleaded.get(consent.ticket)
        if asked_at is None or consent.generation != self.generation:
            return False
        until = self.counted_from(asked_at, self._lease, now)
        self.until = max(until, self.until)
        return until > now

    def stand_back(self, plea: Plea, ticket: int, now: int) -> None:
        """Promise the peer not to ask the witness meanwhile."""
        self.bound_until = max(self.bound_until, now + promised_for(plea.lease))
        self.consent = Consent(plea.generation, ticket)

    def unbind(self, now: int) -> None:
        """Be free: the peer says that it uses no promise of ours, or of our earlier lives."""
        self.bound_until = now
        self.consent = None

    # --- giving up ------------------------------------------------------------------------------------------

    def give_up(self, heir: int, now: int) -> Release:
        """Begin a new generation: nothing counts that the earlier one was given, or will be."""
        release = Release(self._node, self._incarnation, self.generation, heir)
        self.generation += 1
        self.until = self.witness_until = now
        self._asked.clear()
        self._pleaded.clear()
        return release

    def release_of(self, granted: Granted) -> Release:
        """Give back what came too late to be of use."""
        return Release(self._node, self._incarnation, granted.generation, NOBODY)

    def link_up(self) -> None:
        """Forget what was said on the link before: its tickets begin anew."""
        self._pleaded.clear()
        self.consent = None

    @staticmethod
    def _note(sent: dict[int, int], ticket: int, now: int) -> None:
        sent[ticket] = now
        if len(sent) > ASKED_MAX:
            del sent[next(iter(sent))]
