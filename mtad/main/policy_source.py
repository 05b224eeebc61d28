"""Loads the policy: first as the settings say, later as mtad.toml says then, with the maps that it names then.

Of mtad.toml nothing else is read anew: [policy] is what may change while sessions go on.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from mtad.admission.facts import Agent
from mtad.admission.policy import DEFAULT_POLICY, Policy, PolicyErrors, PolicySettings
from mtad.config.read import ConfigurationErrors, read
from mtad.config.settings import Policy as PolicyTable
from mtad.config.settings import Settings
from mtad.main.version import VERSION
from mtad.maps.shelf import Shelf, Unusable
from mtad.sieve.errors import SieveError
from mtad.sieve.outside import Outside
from mtad.telemetry.events import Events
from mtad.telemetry.tally import Meter, NobodyMeasures


@dataclass(frozen=True, slots=True)
class PolicySource:
    """Where a node's policy comes from.

    config   mtad.toml
    maps     those that the policy in effect may ask
    meter    hears what it measures
    """

    config: Path
    settings: Settings
    maps: Shelf
    outside: Outside
    events: Events
    meter: Meter = field(default_factory=NobodyMeasures)

    def first(self) -> Policy | PolicyErrors:
        """Compile the policy of the settings, with the maps that are on the shelf."""
        return self._compiled(self.settings.policy.file, replace(self.outside, maps=self.maps.maps))

    def anew(self) -> Policy | PolicyErrors:
        """Compile the policy that mtad.toml names now; where it is good, the shelf has the maps named beside it."""
        table = self._table()
        if isinstance(table, PolicyErrors):
            return table
        draft = self.maps.draft(table.maps)
        found: Policy | PolicyErrors = PolicyErrors(tuple(map(_map_error, draft.unusable)))
        try:
            if not draft.unusable:
                found = self._compiled(table.file, replace(self.outside, maps=draft.maps))
        finally:
            if isinstance(found, Policy):
                self.maps.take(draft)
            else:
                self.maps.discard(draft)
        return found

    def _table(self) -> PolicyTable | PolicyErrors:
        settings = read(self.config)
        if isinstance(settings, ConfigurationErrors):
            return PolicyErrors(tuple(SieveError(one.file, max(1, one.line), 1, one.text) for one in settings.errors))
        return settings.policy

    def _compiled(self, file: Path | None, outside: Outside) -> Policy | PolicyErrors:
        node = self.settings.node
        agent = Agent(node.hostname, node.domains[0], VERSION)
        known = PolicySettings(node.domains, outside=outside, agent=agent, meter=self.meter)
        found = Policy.load(file or DEFAULT_POLICY, known, self.events)
        if isinstance(found, Policy):
            for what in sorted(found.lacks):
                self.events.emit("policy.lacks", "warning", what=what)
        return found


def _map_error(unusable: Unusable) -> SieveError:
    return SieveError(unusable.where, unusable.line, 1, f"map {unusable.name}: {unusable.why}")
