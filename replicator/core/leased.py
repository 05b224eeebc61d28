"""Who may deliver where there is a witness: the owner of the last epoch, as long as somebody's word for it holds.

The witness alone grants epochs, and so decides who takes over. An owner goes on by the witness's renewals or by its
peer's consent, whichever reaches further: without either of the two nothing changes, without both it is fenced. A
passive that hears no active asks the witness, which grants when it has promised nobody else any longer.
"""

from __future__ import annotations

from replicator.core.authority import HOLDING, OWNING, STANDING_BY, Cue, Ownership, WitnessState
from replicator.core.events import AskWitness, Effect, Note, Settings
from replicator.core.grants import Denied, Granted, Reply
from replicator.core.journal import Journal
from replicator.core.messages import Beat, Consent, Plea
from replicator.core.values import Authority, Role
from replicator.core.votes import NOBODY, Votes


class Leased(Ownership):
    """Ownership by lease."""

    def __init__(self, settings: Settings, journal: Journal, authority: Authority, now: int) -> None:
        super().__init__(settings, journal, authority, now)
        self._votes = Votes(settings, journal.own.incarnation, now)
        self._heir = NOBODY
        self._asked_at = now - settings.lease
        self._answered_at = -1
        self._word = "silent"
        self._wanted_until = now  # an owner named us, or an operator did: silence is not waited for
        self._ordered_until = now  # an operator did: word of a site that was promoted does not end that

    def is_owner_at(self, now: int, spare: int) -> bool:
        """Tell whether this member may deliver for so long from now on."""
        return self.role is Role.ACTIVE and self.holds_until() - now >= spare

    @property
    def is_granted_by_another(self) -> bool:
        """Tell whether somebody else's word is needed to own: the witness's."""
        return True

    def holds_until(self) -> int:
        """Return up to when it may own."""
        return self._votes.until

    # --- what is heard --------------------------------------------------------------------------------------

    def heard(self, authority: Authority, role: Role, now: int, out: list[Effect]) -> None:
        """Take in what the peer said of itself. An epoch above ours was granted after ours had ended.

        An owner that named us knew nothing of a site's promotion that we hear of after that: it counts no longer. What
        an operator ordered here still does.
        """
        is_of_site = authority.node in self._sites
        if self.breaks_silence(role) and not is_of_site:
            self.heard_active(authority, now)
            self._wanted_until = self._ordered_until = now
        elif role in STANDING_BY:
            self._votes.unbind(now)
        if is_of_site and authority > self.seen:
            self._wanted_until = self._ordered_until
        is_outranked = authority > self.held and self.role in HOLDING
        if authority > self.seen:
            self.seen = authority
            self._journal.keep_authority(authority, out)
        if is_outranked or (self.role is Role.PROMOTING and authority > self._claimed):
            self.outranked(out)

    def outranked(self, out: list[Effect]) -> None:
        """Step down before a higher epoch."""
        self.move(Cue.OUTRANKED, out)

    def link_up(self) -> None:
        """Note that a new session began."""
        self._votes.link_up()

    def words(self, ticket: int, now: int) -> tuple[Plea | None, Consent | None]:
        """Return what goes with the beat of that ticket: an owner's plea, or the consent to one."""
        if self.role in HOLDING:
            return self._votes.plead(ticket, now), None
        consent, self._votes.consent = self._votes.consent, None
        return None, consent

    def heard_words(self, beat: Beat, now: int, out: list[Effect]) -> None:
        """Stand back for the rightful owner; go on when it is the peer that does."""
        if beat.consent is not None and self.role in HOLDING and self._votes.consented(beat.consent, now):
            self.move(Cue.RENEWED, out)
        if beat.plea is not None and beat.plea.lease <= self._settings.lease and self.may_consent(beat.authority):
            if self._votes.is_undecided(now):
                self._give_up(out)
            self._votes.stand_back(beat.plea, beat.ticket, now)

    def may_consent(self, authority: Authority) -> bool:
        """Tell whether this member would let an owner of that authority go on."""
        return self.role in STANDING_BY and authority >= self.seen and not self._is_wanted

    # --- the witness ----------------------------------------------------------------------------------------

    @property
    def _is_wanted(self) -> bool:
        return self._now < self._wanted_until

    def silence_allows(self, now: int) -> bool:
        """Tell whether no active peer was heard for long enough to ask."""
        return now - self._quiet_since >= self._settings.ask_after + self.stagger and not self.is_standing_back

    def may_seek(self, now: int) -> bool:
        """Tell whether this member would take over: it is wanted or hears nobody, and is bound to nobody."""
        is_free = self.role in STANDING_BY and now >= self._votes.bound_until
        return is_free and (self._is_wanted or self.silence_allows(now))

    def _ask_if_due(self, now: int, out: list[Effect]) -> None:
        if self.role in OWNING or self.role is Role.PROMOTING:
            every = self._settings.lease // 4
        elif self.role is Role.FENCED or self.may_seek(now):
            every = self._settings.beat
        else:
            return
        if now - self._asked_at >= every:
            self._asked_at = now
            out.append(AskWitness(self._votes.ask(self.seen.epoch, now)))

    def witness_said(self, reply: Reply, now: int, out: list[Effect]) -> None:
        """Take in an answer of the witness."""
        self._answered_at = now
        if not self._votes.is_current(reply):
            out.append(Note("replica.witness_stale", (("generation", reply.generation),)))
            if isinstance(reply, Granted) and self.is_past(reply):
                self._release_past(reply, out)
        elif isinstance(reply, Denied):
            self._word = "denied"
            self._votes.denied(reply)
            if reply.epoch > self.held.epoch and self.role in HOLDING:
                self._learn(Authority(reply.epoch, reply.node), out)
                self.outranked(out)
        elif self._votes.granted(reply, now):
            self._word = "granted"
            self._granted(reply, now, out)

    def is_past(self, granted: Granted) -> bool:
        """Tell whether a grant is to an earlier generation of this life."""
        return granted.generation < self._votes.generation

    def _release_past(self, granted: Granted, out: list[Effect]) -> None:
        out.append(AskWitness(self._votes.release_of(granted)))

    def _learn(self, authority: Authority, out: list[Effect]) -> None:
        if authority > self.seen:
            self.seen = authority
            self._journal.keep_authority(authority, out)

    def _granted(self, granted: Granted, now: int, out: list[Effect]) -> None:
        """Use a grant: go on under the epoch that we hold, or make a new one durable first."""
        if self.role in STANDING_BY and (not self.may_seek(now) or self._is_outlived(granted)):
            self._give_up(out)
        elif self.role in HOLDING and granted.epoch == self.held.epoch:
            self.move(Cue.RENEWED, out)
        elif self.role is not Role.PROMOTING or granted.epoch != self._claimed.epoch:
            self.move(Cue.GRANTED, out)
            self._heard_at_claim = self._actives_heard
            self._claim(granted.epoch, out)

    def _is_outlived(self, granted: Granted) -> bool:
        """Tell whether a grant is below what was heard since it was asked for: a site was promoted meanwhile."""
        return Authority(granted.epoch, self._settings.node) < self.seen

    # --- promotion ------------------------------------------------------------------------------------------

    def promote(self, cue: Cue, now: int, out: list[Effect], *, force: bool = False) -> str:
        """Ask the witness at once, and until this is old. Return what the operator is told.

        force   has no meaning here: nobody may own while another's lease runs
        """
        if cue is Cue.HANDOVER:
            self._votes.unbind(now)
        if self.role in STANDING_BY and not self.is_unfit:
            self.is_held_back = False
            self._wanted_until = now + 2 * self._settings.lease
            if cue is Cue.ORDERED:
                self._ordered_until = self._wanted_until
            self._asked_at = now - self._settings.lease
            self._ask_if_due(now, out)
        return "asking the witness"

    def rises_by(self, now: int) -> None:
        """Return None: the witness's grant alone makes this member promote."""

    def tick(self, now: int, out: list[Effect]) -> None:
        """Act on a claim that is durable; ask when it is time."""
        super().tick(now, out)
        self._ask_if_due(now, out)

    def _use_claim(self, now: int, out: list[Effect]) -> None:
        """Act under the epoch that is durable now, if the lease still runs and no active was heard."""
        if self.role is Role.PROMOTING and self.holds_until() <= now:
            self.move(Cue.EXPIRED, out)
        else:
            super()._use_claim(now, out)

    def expire(self, now: int, out: list[Effect]) -> None:
        """Stop owning when the time is over."""
        super().expire(now, out)
        if self.role in OWNING and self.holds_until() <= now:
            self.move(Cue.EXPIRED, out)

    # --- giving up ------------------------------------------------------------------------------------------

    def move(self, cue: Cue, out: list[Effect]) -> bool:
        """Do what the table says; who stops holding gives back what it held."""
        was = self.role
        is_moved = super().move(cue, out)
        if is_moved and self.role in STANDING_BY and was not in STANDING_BY:
            self._give_up(out)
        if is_moved and self.role is Role.ACTIVE:
            self._wanted_until = self._ordered_until = self._now
        return is_moved

    def _give_up(self, out: list[Effect]) -> None:
        out.append(AskWitness(self._votes.give_up(self._heir, self._now)))

    def can_hand_over(self, now: int) -> bool:
        """Tell whether the witness answers, so that it would grant the peer what we release."""
        return self._votes.witness_until - now > self._settings.lease // 2

    def hand_over(self, now: int, out: list[Effect]) -> None:
        """Step down in favour of the peer, which gets T_p to take over before this member would again."""
        self._heir = self._settings.peer_node
        super().hand_over(now, out)
        self._heir = NOBODY

    def witness_state(self, now: int) -> WitnessState:
        """Say how things are with the witness."""
        heard_ago = now - self._answered_at if self._answered_at >= 0 else -1
        word = self._word if 0 <= heard_ago < self._settings.lease else "silent"
        left = max(0, self.holds_until() - now) if self.role in HOLDING else 0
        return WitnessState(word, left, heard_ago)
