"""A process that the supervisor starts: it is handed its sockets, tells when it is up, and ends with its parent."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from mtad.config.read import ConfigurationErrors, read
from mtad.config.settings import Settings
from mtad.main.processes import die_with_parent, run_until_stopped
from mtad.main.start import explained


@dataclass(frozen=True, slots=True)
class Handed:
    """What such a process is handed.

    config    where the settings were read, for whoever reads them anew
    sockets   descriptors that listen, as `listening.adopt` takes them
    ready     the descriptor by which it tells that it is up
    """

    config: Path
    settings: Settings
    sockets: str
    ready: int


def run_child(name: str, serve: Callable[[Handed, asyncio.Event], Awaitable[None]], *expected: type[Exception]) -> None:
    """Run `serve(handed, stop)` by what stands on the command line.

    expected   what else may be wrong at its start, and is told without a traceback
    """
    parser = argparse.ArgumentParser(prog=f"mtad {name}")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--sockets", required=True)
    parser.add_argument("--ready", type=int, required=True)
    parser.add_argument("--index", type=int, help="of a worker: it stands in the list of processes")
    options = parser.parse_args()
    die_with_parent(options.parent)
    handed = Handed(options.config, _settings_again(options.config), options.sockets, options.ready)
    with explained(*expected):
        run_until_stopped(lambda stop: serve(handed, stop))


def _settings_again(path: Path) -> Settings:
    """Read the settings that the supervisor has read; end the process where they have become unreadable."""
    settings = read(path)
    if isinstance(settings, ConfigurationErrors):
        print(settings, file=sys.stderr)
        sys.exit(2)
    return settings
