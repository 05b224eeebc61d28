"""What is done to a history from outside, as data: drawn from a seed, made smaller, and played again.

What a script does not tell (how long a message is under way, what a next hop answers) is drawn while the history is
played, from `noise`. Each fault has a seed of its own, so that leaving one out leaves the others what they were.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from replicator.core.values import AckLevel, Mode
from tests.simulation import faults
from tests.simulation.clock import MS, SECOND, Chance

Strike = tuple[str, int, int]
"""One exact fault of a sweep: ('crash' | 'wipe', node, effect) or ('drop' | 'duplicate' | 'delay', -1, message)."""


@dataclass(frozen=True)
class Plan:
    """What a history may contain; the rest is drawn from its seed."""

    faults_max: int = 6
    menu: tuple[str, ...] = ()  # names of faults; empty: all of them
    trouble_seconds: int = 6
    letters: tuple[int, int] = (4, 14)
    log_records_max: tuple[int, ...] = (1 << 30, 1 << 30, 12, 4)  # one of these, for both stores
    authority: Mode = Mode.PAIR
    beat: int = 250 * MS
    has_site: bool = False  # a third store follows across a WAN
    is_calm: bool = False  # no loss anywhere: a duplicate is a fault
    strikes: tuple[Strike, ...] = ()
    level: AckLevel = AckLevel.REMOTE_DURABLE
    claim_share: float = 0.4  # of the histories write down what is about to be delivered
    old_share: float = 0.2  # of the histories begin with a process of the older version


class Deed(NamedTuple):
    """One fault, or one act of an operator. seed: of what it draws when it comes."""

    when: int
    name: str
    seed: int


class Posting(NamedTuple):
    """One message that a client hands in."""

    when: int
    name: str
    parts: int
    node: int  # that is tried first


class Backup(NamedTuple):
    """An operator copies a node's disk, for a restore to put back."""

    when: int
    node: int


FOREVER = 1 << 62
GATHERED_OCTETS = (1, 600, 256 << 10)  # of a snapshot for one commit: one item, a few, all of them


class Abroad(NamedTuple):
    """How the site is fed."""

    delay: int  # a record is shipped to it when it is so old
    feed_after: int  # for so long the passive need not say that it feeds it
    silence: int  # after which a link across the WAN is given up


class Bounds(NamedTuple):
    """How the nodes are set up."""

    promote_after: int
    ack_within: int
    lease: int  # 0: there is no witness
    accept_alone: bool
    log_records_max: int
    gathered_octets_max: int
    abroad: Abroad | None = None  # None: there is no site
    claim: int = 0  # T_claim; 0: nobody claims


@dataclass(frozen=True)
class Script:
    """One history."""

    seed: int
    noise: int
    plan: Plan
    bounds: Bounds
    trouble: int  # for so long; then everything is healed
    deeds: tuple[Deed, ...]
    postings: tuple[Posting, ...]
    backups: tuple[Backup, ...]
    strikes: tuple[Strike, ...]
    are_hops_fickle: bool = True  # next hops say 451 and 550 before the heal, and lose replies
    old_until: tuple[int, ...] = (0, 0, 0)  # by node: what starts before then is a process of the older version

    @property
    def size(self) -> int:
        """How many things are in it that could be left out."""
        return len(self.deeds) + len(self.postings) + len(self.backups) + len(self.strikes)


def draw(seed: int, plan: Plan) -> Script:
    """Draw a script from a seed."""
    chance = Chance(seed)
    trouble = plan.trouble_seconds * SECOND
    bounds = Bounds(
        promote_after=chance.choice((800, 1_200, 2_000)) * MS,
        ack_within=chance.choice((500, 1_000, 2_000)) * MS,
        lease=chance.choice((1_000, 2_000, 3_000)) * MS if plan.authority is Mode.WITNESS else 0,
        accept_alone=chance.happens(0.75),
        log_records_max=chance.choice(plan.log_records_max),
        gathered_octets_max=GATHERED_OCTETS[seed % len(GATHERED_OCTETS)],
        abroad=_abroad(chance) if plan.has_site else None,
        claim=_claim(Chance(f"claims of {seed}"), plan),
    )
    return Script(
        seed=seed,
        noise=chance.getrandbits(32),
        plan=plan,
        bounds=bounds,
        trouble=trouble,
        deeds=_deeds(chance, plan, trouble),
        postings=tuple(
            Posting(chance.between(0, trouble), f"m{number}", 1 + chance.happens(0.4), chance.randrange(2))
            for number in range(chance.randint(*plan.letters))
        ),
        backups=tuple(
            Backup(chance.between(SECOND // 2, 3 * trouble // 4), node)
            for node in (0, 1)
            for _ in range(chance.choice((1, 1, 5)))
        ),
        strikes=plan.strikes,
        are_hops_fickle=True,
        old_until=_old_until(Chance(f"versions of {seed}"), plan, trouble),
    )


def _claim(chance: Chance, plan: Plan) -> int:
    return chance.choice((1_500, 4_000)) * MS if chance.happens(plan.claim_share) else 0


def _abroad(chance: Chance) -> Abroad:
    return Abroad(
        delay=chance.choice((0, 0, 400, 1_500)) * MS,
        feed_after=chance.choice((1_000, 2_000)) * MS,
        silence=chance.choice((1_500, 3_000)) * MS,
    )


def _deeds(chance: Chance, plan: Plan, trouble: int) -> tuple[Deed, ...]:
    names = plan.menu or faults.names(plan.authority, has_site=plan.has_site)
    first = min(trouble // 4, 3 * SECOND)
    return tuple(
        Deed(chance.between(first // 4, trouble), chance.choice(names), chance.getrandbits(32))
        for _ in range(chance.randint(min(1, plan.faults_max), plan.faults_max))
    )


def _old_until(chance: Chance, plan: Plan, trouble: int) -> tuple[int, ...]:
    """Draw which nodes are of the older version, and until when: a restart is no part of a calm history."""
    if not chance.happens(plan.old_share):
        return (0, 0, 0)
    first = chance.randrange(2)
    if plan.is_calm or chance.happens(0.4):
        times = (FOREVER, 0)
    else:
        times = (chance.between(SECOND, trouble), chance.choice((0, chance.between(SECOND, trouble))))
    of_site = FOREVER if plan.has_site and chance.happens(0.3) else 0
    return (*(times if first == 0 else times[::-1]), of_site)


def show(script: Script) -> str:
    """Write a script for a reader, in the order of time."""
    plan, bounds = script.plan, script.bounds
    lease = f", lease {bounds.lease // MS} ms" if bounds.lease else ""
    alone = "accepts" if bounds.accept_alone else "rejects"
    log = f", log of {bounds.log_records_max} records" if bounds.log_records_max < 1 << 30 else ""
    site = f", a site {bounds.abroad.delay // MS} ms behind" if bounds.abroad else ""
    claim = f", T_claim {bounds.claim // MS} ms" if bounds.claim else ""
    head = (
        f"authority {plan.authority}, T_p {bounds.promote_after // MS} ms, T_ack {bounds.ack_within // MS} ms{lease}, "
        f"{alone} alone{log}{site}{claim}; healed at {script.trouble // MS} ms"
        + ("" if script.are_hops_fickle else "; next hops take everything")
        + "".join(f"; node {node} is of version 1" for node, until in enumerate(script.old_until) if until)
    )
    acts = [(deed.when, f"fault: {deed.name}") for deed in script.deeds]
    acts += [(act.when, f"message {act.name} of {act.parts} recipients to node {act.node}") for act in script.postings]
    acts += [(until, f"node {node} is upgraded") for node, until in enumerate(script.old_until) if 0 < until < FOREVER]
    acts += [(backup.when, f"backup of node {backup.node}") for backup in script.backups]
    lines = [f"{when / MS:10.2f}  {what}" for when, what in sorted(acts)]
    lines += [f"            {_strike(strike)}" for strike in script.strikes]
    return "\n".join([head, *lines])


def _strike(strike: Strike) -> str:
    kind, node, number = strike
    return f"{kind} message {number}" if node < 0 else f"{kind} node {node} before its effect {number}"
