"""The witness: a third vote that says which member may deliver, and lets one of the two take over safely.

`step(now, event)` is pure, as a member's is. What is durable is the last grant of an epoch, kept before it is
answered; for how long it is promised is not. After a start the witness therefore takes every lease that its record
may stand for to be running: the recorded holder may renew, all others wait. So epochs only rise, an epoch has one
owner, and nobody is granted what another may still hold.
"""

from __future__ import annotations

from typing import NamedTuple

from replicator.core.grants import Ask, Denied, Granted, Release, Reply, Request
from replicator.core.lease import promised_for

NOBODY = -1


class Grant(NamedTuple):
    """The last grant of an epoch, and to whom. lease: for how long each renewal of it is good."""

    epoch: int
    node: int
    incarnation: int
    generation: int
    lease: int


NO_GRANT = Grant(0, NOBODY, 0, 0, 0)


class Requested(NamedTuple):
    """A member's request came. token: under which the driver wants the answer."""

    token: int
    request: Request


class Keep(NamedTuple):
    """Make this grant durable before any later effect is carried out."""

    grant: Grant


class Answered(NamedTuple):
    """Say this to the member; None: taken note of."""

    token: int
    reply: Reply | None


Effect = Keep | Answered


class Witness:
    """The witness of one pair, from its start to its end.

    now   nanoseconds of CLOCK_BOOTTIME, never going back
    """

    def __init__(self, grant: Grant, lease: int, now: int) -> None:
        self.grant = grant
        self._lease = lease
        self._quiet_until = now + promised_for(max(lease, grant.lease))
        self._promised_until = now  # to the holder of the grant
        self._is_released = False
        self._heir = NOBODY  # whom the last holder named
        self._heir_until = now

    def step(self, now: int, event: Requested) -> list[Effect]:
        """Take in one request; return what is to be done about it, in this order."""
        request = event.request
        if isinstance(request, Release):
            self._release(request, now)
            return [Answered(event.token, None)]
        return self._ask(event.token, request, now)

    def holder(self, now: int) -> int:
        """Return the node that a lease is promised to; NOBODY when there is none, or none that is known of."""
        return NOBODY if self._is_released or now >= self._promised_until else self.grant.node

    # --- asking ---------------------------------------------------------------------------------------------

    def _ask(self, token: int, ask: Ask, now: int) -> list[Effect]:
        why = "" if self._is_renewal(ask) else self.objection(ask, now)
        if why:
            grant = self.grant
            denied = Denied(ask.incarnation, ask.generation, ask.ticket, grant.epoch, grant.node, why)
            return [Answered(token, denied)]
        effects: list[Effect] = []
        if not self._is_renewal(ask):
            epoch = max(self.grant.epoch, ask.epoch) + 1
            self.grant = Grant(epoch, ask.node, ask.incarnation, ask.generation, self._lease)
            self._is_released = False
            effects.append(Keep(self.grant))
        elif self.grant.lease < self._lease:  # it was granted under a shorter one
            self.grant = self.grant._replace(lease=self._lease)
            effects.append(Keep(self.grant))
        self._heir = NOBODY
        self._promised_until = now + promised_for(self._lease)
        granted = Granted(ask.incarnation, ask.generation, ask.ticket, self.grant.epoch, self._lease)
        effects.append(Answered(token, granted))
        return effects

    def _is_last(self, request: Request) -> bool:
        """Tell whether it was this member, in this life and generation, that the last epoch was granted to."""
        return self.grant[1:4] == (request.node, request.incarnation, request.generation)

    def _is_renewal(self, ask: Ask) -> bool:
        return self._is_last(ask) and not self._is_released and ask.epoch <= self.grant.epoch

    def objection(self, ask: Ask, now: int) -> str:
        """Return why no new epoch may be granted; "" when it may.

        A later generation of the holder's own life has given the earlier one up, whether or not we were told.
        """
        grant = self.grant
        is_same_life = (ask.node, ask.incarnation) == (grant.node, grant.incarnation)
        if is_same_life and ask.generation < grant.generation:
            return "given up"
        if is_same_life and ask.generation == grant.generation and self._is_released:
            return "given up"
        if not is_same_life and now < self._quiet_until:
            return "just started"
        if not is_same_life and now < self._promised_until and not self._is_released:
            return "held"
        if self._heir not in (NOBODY, ask.node) and now < self._heir_until:
            return "kept for another"
        return ""

    # --- giving up ------------------------------------------------------------------------------------------

    def _release(self, release: Release, now: int) -> None:
        """Free what is held under exactly that generation. A late release of an earlier one frees nothing."""
        if self.is_held_by(release):
            self._is_released = True
            self._quiet_until = now  # it was the only one that may have held
            self._heir = release.to
            self._heir_until = now + promised_for(self._lease)

    def is_held_by(self, release: Release) -> bool:
        """Tell whether a release speaks of what is held now."""
        return self._is_last(release) and not self._is_released
