"""Who may deliver at a site: it does so by an operator's order alone, until it hears of a later grant.

What was ordered outlives a restart: the epoch on the disk is the site's own. It ends when a member at home is
active, whichever way the site learns of it. An order's epoch is above all that the pair may have come to while the site
heard nothing of it: members that come back with what they had would else take over by themselves.
"""

from __future__ import annotations

from replicator.core.authority import STANDING_BY, Cue, Ownership
from replicator.core.events import Effect
from replicator.core.values import Authority, Role

UNHEARD_MAX = 1_000  # takeovers of the pair that an order outranks without having heard of them


class Following(Ownership):
    """A site's ownership. Silence never makes it promote; an order is carried out whatever is heard."""

    def has_heard_active(self, now: int) -> bool:
        """Tell whether an active member was heard so lately that it must be taken to be alive."""
        return self._actives_heard > 0 and now - self._heard_at < self._settings.site_silence

    def heard(self, authority: Authority, role: Role, now: int, out: list[Effect]) -> None:
        """Take in what a member said of itself, or of the other: a later grant than ours was an operator's at home."""
        if self.breaks_silence(role):
            self.heard_active(authority, now)
            if self.role in STANDING_BY and self.seen.node == self._settings.node and authority < self.seen:
                authority = Authority(self.seen.epoch + 1, authority.node)  # what was ordered here is over for good
        is_outranked = self.is_outranked(authority)
        if authority > self.seen:
            self.seen = authority
            self._journal.keep_authority(authority, out)
        if is_outranked and self.role is Role.PROMOTING:
            self._claim(self.seen.epoch + 1, out)
        elif is_outranked:
            self.move(Cue.OUTRANKED, out)

    def rises_by(self, now: int) -> Cue | None:
        """Return SILENCE: being alone lets no site promote itself."""
        return Cue.SILENCE if self.silence_allows(now) else None

    def silence_allows(self, now: int) -> bool:
        """Tell whether to go on with what an operator ordered before this start."""
        is_ordered = self.seen.epoch > 0 and self.seen.node == self._settings.node
        return is_ordered and not self.is_standing_back and now - self._quiet_since >= self._settings.site_silence

    def promote(self, cue: Cue, now: int, out: list[Effect], *, force: bool = False) -> str:
        """Begin to promote: the new epoch goes to the disk first. Return what the operator is told."""
        return super().promote(cue, now, out, force=True)

    def epoch_by(self, cue: Cue) -> int:
        """Return the epoch that a promotion by that cue claims: an order's leaves room for what was not heard of."""
        return self.seen.epoch + 1 + (UNHEARD_MAX if cue is Cue.ORDERED else 0)
