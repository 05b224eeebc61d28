"""The settings that a test file may change with test_config_set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mtad.admission.facts import Agent
from mtad.admission.policy import PolicySettings
from mtad.sieve.doors import Doors
from mtad.sieve.outside import Outside
from mtad.sieve.run import Limits
from mtad.telemetry.tally import Meter

_NUMBER_MAX = 1 << 32


@dataclass(frozen=True, slots=True)
class Setting:
    """One of them: what may stand there."""

    meaning: str
    is_right: Callable[[str], bool]


def _is_number(value: str) -> bool:
    return value.isascii() and value.isdecimal() and len(value) <= len(str(_NUMBER_MAX))


_NUMBER = Setting("a number", _is_number)

SETTINGS: Mapping[str, Setting] = {
    "node.domains": Setting("domains, separated by spaces", lambda value: bool(value.split())),
    "sieve_max_actions": _NUMBER,
    "sieve_max_redirects": _NUMBER,
    "sieve_variables_max_value_size": _NUMBER,
}

_LIMITS = {
    "sieve_max_actions": "actions_max",
    "sieve_max_redirects": "redirects_max",
    "sieve_variables_max_value_size": "value_length_max",
}


def limits_of(settings: Mapping[str, str]) -> Limits:
    """Return what one run of a script may spend."""
    return Limits(**{_LIMITS[name]: int(value) for name, value in settings.items() if name in _LIMITS})


def policy_settings_of(
    settings: Mapping[str, str], doors: Doors, outside: Outside, agent: Agent, meter: Meter
) -> PolicySettings:
    """Return what a policy works with."""
    domains = settings.get("node.domains", "").split()
    return PolicySettings(domains, limits_of(settings), doors=doors, outside=outside, agent=agent, meter=meter)
