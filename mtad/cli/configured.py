"""What mtad.toml says of policies, for verbs that look at scripts without a node."""

from __future__ import annotations

from pathlib import Path

import typer
from dns.resolver import NoResolverConfiguration

from mtad.cli.node_client import EXIT_USAGE
from mtad.cli.options import DEFAULT_CONFIG
from mtad.config.read import ConfigurationErrors, read
from mtad.config.settings import Dns, Settings
from mtad.dns.asking import Names
from mtad.dns.resolver import Resolver, ResolverLimits
from mtad.mail.programs import NoPrograms, Programs
from mtad.maps.shelf import Shelf, build_shelf
from mtad.programs.folder import programs_of
from mtad.telemetry.events import LineEvents


def settings_of(config: Path | None) -> Settings | None:
    """Read this mtad.toml, or the one in its usual place if it is there; ends a bad one with usage."""
    if config is None and not DEFAULT_CONFIG.exists():
        return None
    settings = read(config or DEFAULT_CONFIG)
    if isinstance(settings, ConfigurationErrors):
        typer.echo(str(settings), err=True)
        raise typer.Exit(EXIT_USAGE)
    return settings


def maps_of(settings: Settings | None) -> Shelf:
    """Build the maps that scripts name."""
    return build_shelf(settings.policy.maps) if settings is not None else Shelf()


def programs_in(settings: Settings | None) -> Programs:
    """Return the programs that scripts name."""
    return programs_of(settings, LineEvents()) if settings is not None else NoPrograms()


def logins_of(settings: Settings | None) -> frozenset[str] | None:
    """Return the names that routes may log in with; None where that is not known."""
    return None if settings is None else frozenset(settings.delivery.credentials)


def names_of(settings: Settings | None) -> Names:
    """Return who is asked for what is in DNS; ends with usage where this machine knows nobody."""
    asked = settings.dns if settings is not None else Dns()
    servers = [(server.host, server.port) for server in asked.servers]
    try:
        return Resolver(servers, ResolverLimits(lookup_seconds_max=asked.timeout_seconds))
    except NoResolverConfiguration as error:
        typer.echo(f"DNS cannot be asked: {error}", err=True)
        raise typer.Exit(EXIT_USAGE) from None
