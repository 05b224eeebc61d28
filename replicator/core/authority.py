"""Who may deliver: roles, and the failure detector of a pair without a witness (with one: leased.py).

Two members without a third vote cannot have both automatic takeover and exclusive delivery; this pair chooses takeover.
What bounds the cost: a passive promotes only after it has heard of no active one for T_p *while it was running*;
the new epoch is on disk before it is used, and then everything that arrived meanwhile is looked at once more; of two
actives the one with the lower (epoch, node) steps down as soon as it hears of the other; an owner that stood still for
about T_p delivers nothing for as long afterwards, which is time enough to hear that it was replaced.
Authority fences deliveries alone. It never decides whose data is kept.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from replicator.core.events import Effect, RoleChanged, Settings
from replicator.core.grants import Reply
from replicator.core.journal import Journal
from replicator.core.messages import Beat, Consent, Plea
from replicator.core.values import Authority, Mode, Role


class Cue(IntEnum):
    """What moves a role."""

    ALONE = 1  # no peer is configured
    SILENCE = 2  # no active one was heard for T_p, while we ran
    HANDOVER = 3  # a drained owner named us
    ORDERED = 4  # an operator said so
    CONFIRMED = 5  # the epoch is on disk, and still no active one was heard
    CONTESTED = 6  # an active one was heard while the epoch was on its way to the disk
    PAUSED = 7  # we did not run for a while: what seemed silence was our own
    OUTRANKED = 8  # an active one of a higher authority was heard
    DRAIN = 9  # an operator wants the peer to own
    HANDED_OVER = 10  # drained, and the peer has everything
    GIVEN_UP = 11  # draining took too long, or the peer went away meanwhile
    DEMOTED = 12
    CAUGHT_UP = 13  # we have all that the peer has
    GRANTED = 14  # the witness gave us an epoch
    EXPIRED = 15  # nobody's word that we may deliver holds any more
    RENEWED = 16  # it holds again, under the same epoch
    UNFIT = 17  # a record came that this version would have to understand


class Move(NamedTuple):
    """What a cue leads to."""

    role: Role
    why: str


class WitnessState(NamedTuple):
    """How things are with the witness."""

    word: str  # 'none', 'granted', 'denied', 'silent'
    lease_left: int  # nanoseconds for which this member may own; 0: it may not
    heard_ago: int  # nanoseconds since it last answered; -1: never


NO_WITNESS = WitnessState("none", 0, -1)

_PROMOTIONS = {
    Cue.SILENCE: Move(Role.PROMOTING, "no active member is heard"),
    Cue.HANDOVER: Move(Role.PROMOTING, "the owner hands over"),
    Cue.ORDERED: Move(Role.PROMOTING, "ordered by the operator"),
}

TRANSITIONS: dict[tuple[Role, Cue], Move] = {
    (Role.PASSIVE, Cue.ALONE): Move(Role.PROMOTING, "no peer is configured"),
    **{(Role.PASSIVE, cue): move for cue, move in _PROMOTIONS.items()},
    **{(Role.REJOINING, cue): move for cue, move in _PROMOTIONS.items()},
    (Role.PROMOTING, Cue.CONFIRMED): Move(Role.ACTIVE, "the epoch is durable and uncontested"),
    (Role.PROMOTING, Cue.CONTESTED): Move(Role.PASSIVE, "an active member was heard after all"),
    (Role.PROMOTING, Cue.PAUSED): Move(Role.PASSIVE, "this process stood still"),
    (Role.PROMOTING, Cue.HANDOVER): Move(Role.PROMOTING, "the owner hands over to a member that is promoting"),
    (Role.PROMOTING, Cue.OUTRANKED): Move(Role.PASSIVE, "an active member has a higher epoch"),
    (Role.ACTIVE, Cue.OUTRANKED): Move(Role.REJOINING, "an active member has a higher epoch"),
    (Role.DRAINING, Cue.OUTRANKED): Move(Role.REJOINING, "an active member has a higher epoch"),
    (Role.ACTIVE, Cue.DRAIN): Move(Role.DRAINING, "switchover ordered by the operator"),
    (Role.ACTIVE, Cue.DEMOTED): Move(Role.PASSIVE, "demoted by the operator"),
    (Role.DRAINING, Cue.DEMOTED): Move(Role.PASSIVE, "demoted by the operator"),
    (Role.DRAINING, Cue.HANDED_OVER): Move(Role.PASSIVE, "handed over"),
    (Role.DRAINING, Cue.GIVEN_UP): Move(Role.ACTIVE, "the switchover was given up"),
    (Role.REJOINING, Cue.CAUGHT_UP): Move(Role.PASSIVE, "caught up"),
    # with a witness
    (Role.PASSIVE, Cue.GRANTED): Move(Role.PROMOTING, "the witness grants it"),
    (Role.REJOINING, Cue.GRANTED): Move(Role.PROMOTING, "the witness grants it"),
    (Role.FENCED, Cue.GRANTED): Move(Role.PROMOTING, "the witness grants it anew"),
    (Role.PROMOTING, Cue.EXPIRED): Move(Role.PASSIVE, "the lease ran out before the epoch was durable"),
    (Role.ACTIVE, Cue.EXPIRED): Move(Role.FENCED, "the lease ran out"),
    (Role.DRAINING, Cue.EXPIRED): Move(Role.FENCED, "the lease ran out"),
    (Role.FENCED, Cue.RENEWED): Move(Role.ACTIVE, "the lease is renewed"),
    (Role.FENCED, Cue.OUTRANKED): Move(Role.REJOINING, "there is a higher epoch"),
    **{
        (role, Cue.UNFIT): Move(Role.PASSIVE, "a record came that this version does not understand")
        for role in (Role.PROMOTING, Role.ACTIVE, Role.DRAINING, Role.FENCED)
    },
}

STANDING_BY = (Role.PASSIVE, Role.REJOINING)
OWNING = (Role.ACTIVE, Role.DRAINING)
HOLDING = (*OWNING, Role.FENCED)  # the owner by its epoch


class Ownership:
    """This member's role, and the grants of authority that it has seen, claimed or holds."""

    def __init__(self, settings: Settings, journal: Journal, authority: Authority, now: int) -> None:
        self._settings = settings
        self._journal = journal
        self._sites = frozenset(site.node for site in settings.sites)
        self.role = Role.PASSIVE  # also of a restarted owner: its peer may have taken over
        self.seen = authority  # the highest that is known, whoever's
        self.held = authority  # the one we act under, as long as we own
        self.is_held_back = False  # demoted: does not promote itself until another has been active under a later grant
        self.is_unfit = False  # the peer wrote what this version does not understand: another must own
        self._quiet_since = now  # the last moment that speaks against silence
        self._heard_at = now  # when an active peer was last heard
        self._actives_heard = 0  # how often
        self._heard_at_claim = 0
        self._claimed = authority
        self._claim_ticket = 0  # of the epoch on its way to the disk; 0: none
        self._is_forced = False
        self._now = now
        self._in_doubt_until = now  # it may have been replaced while it stood still

    @property
    def authority(self) -> Authority:
        """What this member tells others: the grant it holds, or the highest it knows of."""
        return self.held if self.role in OWNING else self.seen

    @property
    def is_owner(self) -> bool:
        """Tell whether this member owns the queue, be it to hand it over."""
        return self.role in OWNING

    @property
    def is_abroad(self) -> bool:
        """Tell whether a site was promoted last: an operator ordered that, and only an operator takes it back."""
        return self.seen.node in self._sites

    @property
    def is_granted_by_another(self) -> bool:
        """Tell whether somebody else's word is needed to own, which no order replaces."""
        return False

    def has_heard_active(self, now: int) -> bool:
        """Tell whether an active peer was heard so lately that it must be taken to be alive."""
        return self._actives_heard > 0 and now - self._heard_at < self._settings.promote_after

    def is_owner_at(self, now: int, spare: int) -> bool:
        """Tell whether this member may deliver for so long from now on. Without a lease a role has no end."""
        return self.role is Role.ACTIVE and now >= self._in_doubt_until and not self._may_be_replaced(now - self._now)

    def _may_be_replaced(self, gap: int) -> bool:
        """Tell whether the peer may have taken over while this member stood still for so long."""
        settings = self._settings
        is_pair = settings.peer_node >= 0 and settings.authority is Mode.PAIR
        return is_pair and gap >= settings.promote_after - 2 * settings.beat

    # --- what is heard --------------------------------------------------------------------------------------

    def breaks_silence(self, role: Role) -> bool:
        """Tell whether hearing a peer of that role speaks against taking over. Two passives must not wait."""
        return role in OWNING

    def heard(self, authority: Authority, role: Role, now: int, out: list[Effect]) -> None:
        """Take in what the peer said of itself.

        Only an active peer outranks us, and the grant of a site that it has heard of. One that is not active may know
        of a higher epoch that never was used (its claim, on disk, then contested): the owner then claims one above,
        lest the unused one outrank it one day. While the peer is promoting nothing is done: it will be active, or give
        its claim up.
        """
        if self.breaks_silence(role) and authority.node not in self._sites:
            self.heard_active(authority, now)
        is_outranked = (role in OWNING or authority.node in self._sites) and self.is_outranked(authority)
        if authority > self.seen:
            self.seen = authority
            self._journal.keep_authority(authority, out)
        if is_outranked and self.role is Role.PROMOTING and self._is_forced:
            self._claim(self.seen.epoch + 1, out)
        elif is_outranked:
            self.move(Cue.OUTRANKED, out)
        elif self.role in OWNING and role in STANDING_BY and self._must_claim_above(authority):
            self._claim(self.seen.epoch + 1, out)

    def _must_claim_above(self, authority: Authority) -> bool:
        return authority > self.held and not self._claim_ticket

    def alive(self, now: int) -> None:
        """Note that an active peer was heard."""
        self._quiet_since = self._heard_at = now
        self._actives_heard += 1

    def heard_active(self, authority: Authority, now: int) -> None:
        """Note that an active peer was heard; one under a later grant than our last ends a demotion.

        What the owner before us says still, or what it said before it heard of us, is nothing of what came after.
        """
        self.alive(now)
        if authority > self.held:
            self.is_held_back = False

    def is_outranked(self, authority: Authority) -> bool:
        """Tell whether an active peer of that authority ends our ownership, or our claim to it."""
        mine = self.held if self.role in OWNING else self._claimed
        return authority > mine

    def paused(self, now: int, out: list[Effect]) -> None:
        """Note that this process did not run for a while: silence is measured anew. Called before `expire`."""
        self._quiet_since = now
        if self._may_be_replaced(now - self._now):
            self._in_doubt_until = now + self._settings.promote_after
        if self.role is Role.PROMOTING and self._settings.peer_node >= 0 and not self._is_forced:
            self.move(Cue.PAUSED, out)

    # --- promotion ------------------------------------------------------------------------------------------

    def silence_allows(self, now: int) -> bool:
        """Tell whether no active peer was heard for T_p."""
        if self._settings.authority is Mode.MANUAL or self.is_standing_back:
            return False
        return now - self._quiet_since >= self._settings.promote_after + self.stagger

    @property
    def is_standing_back(self) -> bool:
        """Tell whether this member leaves it to others to own, whatever it hears."""
        return self.is_held_back or self.is_abroad or self.is_unfit

    @property
    def stagger(self) -> int:
        """How much longer than its peer this member waits: two that both began as passives must not rise together.

        Who has heard an active one is alone when that is silent, and waits no longer.
        """
        is_second = self._settings.node > self._settings.peer_node and not self._actives_heard
        return 2 * self._settings.beat if is_second else 0

    def promote(self, cue: Cue, now: int, out: list[Effect], *, force: bool = False) -> str:
        """Begin to promote: the new epoch goes to the disk first. Return what the operator is told.

        force   whatever the peer says
        """
        if (self.role, cue) not in TRANSITIONS or (self.is_unfit and not force):
            return f"not from {self.role.name.lower()}"
        self._is_forced = force
        self.is_held_back = False
        self.move(cue, out)
        self._heard_at_claim = self._actives_heard
        self._claim(self.epoch_by(cue), out)
        return f"promoting with epoch {self.seen.epoch}"

    def epoch_by(self, cue: Cue) -> int:
        """Return the epoch that a promotion by that cue claims: the next that is known of."""
        return self.seen.epoch + 1

    def _claim(self, epoch: int, out: list[Effect]) -> None:
        self.seen = self._claimed = Authority(epoch, self._settings.node)
        self._claim_ticket = self._journal.keep_authority(self._claimed, out)

    def is_contested(self) -> bool:
        """Tell, looking again, whether an active peer was heard since the claim was made."""
        return self._actives_heard > self._heard_at_claim and not self._is_forced

    def rises_by(self, now: int) -> Cue | None:
        """Return what lets this member promote itself now; None: nothing does."""
        if self._settings.peer_node < 0:
            return None if self.is_held_back or self.is_abroad else Cue.ALONE
        return Cue.SILENCE if self.silence_allows(now) else None

    def tick(self, now: int, out: list[Effect]) -> None:
        """Act on a claim that is durable, or promote. All input that had arrived was taken in before."""
        if self._claim_ticket and self._claim_ticket <= self._journal.durable_ticket:
            self._claim_ticket = 0
            self._use_claim(now, out)
        elif (cue := self.rises_by(now)) is not None:
            self.promote(cue, now, out)

    def _use_claim(self, now: int, out: list[Effect]) -> None:
        """Act under the claim that is durable now, unless it is contested."""
        if self.role is Role.PROMOTING and self.is_contested():
            self.move(Cue.CONTESTED, out)
            return
        self.held = self._claimed
        self._in_doubt_until = now
        self.move(Cue.CONFIRMED, out)

    # --- the table ------------------------------------------------------------------------------------------

    def move(self, cue: Cue, out: list[Effect]) -> bool:
        """Do what the table says; tell whether it says anything."""
        move = TRANSITIONS.get((self.role, cue))
        if move is None:
            return False
        if move.role in STANDING_BY:
            self._claim_ticket = 0
        self.role = move.role
        out.append(RoleChanged(move.role, self.authority, move.why))
        return True

    def can_hand_over(self, now: int) -> bool:
        """Tell whether a peer that is named could take over."""
        return True

    def hand_over(self, now: int, out: list[Effect]) -> None:
        """Step down in favour of the peer, which gets T_p to take over before this member would again."""
        self.move(Cue.HANDED_OVER, out)
        self._quiet_since = now
        self._actives_heard = 0

    def demote(self, now: int, out: list[Effect]) -> None:
        """Step down, and stay down until told otherwise or until another member has been active."""
        self.move(Cue.DEMOTED, out)
        self._quiet_since = now
        self.is_held_back = True

    def stand_aside(self, now: int, out: list[Effect]) -> None:
        """Own no longer, and not again in this life: what the peer wrote is not understood here."""
        self.is_unfit = True
        self._quiet_since = now
        self.move(Cue.UNFIT, out)

    # --- what a pair with a witness says besides (leased.py); one without says nothing -----------------------

    def link_up(self) -> None:
        """Note that a new session began."""

    def expire(self, now: int, out: list[Effect]) -> None:
        """Stop owning when the time is over. Called at each step, before its event."""
        self._now = now

    def words(self, ticket: int, now: int) -> tuple[Plea | None, Consent | None]:
        """Return what goes with the beat of that ticket."""
        return None, None

    def heard_words(self, beat: Beat, now: int, out: list[Effect]) -> None:
        """Take in what came with a beat."""

    def witness_said(self, reply: Reply, now: int, out: list[Effect]) -> None:
        """Take in an answer of the witness."""

    def witness_state(self, now: int) -> WitnessState:
        """Say how things are with the witness."""
        return NO_WITNESS
