"""Runs the witness of a pair. Its folder has `ca.pem`, `NAME.pem` and `NAME.key`, and keeps its state."""

from __future__ import annotations

import asyncio
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from mtad.config.forms import LISTENER, Unfit
from mtad.main.processes import notify, run_until_stopped
from mtad.private_file import is_open_to_others
from mtad.startup.certificates import BadCertificate, Certificate, load_authority, load_pair
from mtad.telemetry.events import LineEvents
from replicator.transport.certificates import Credentials
from replicator.witness import WitnessServer, WitnessSettings, WitnessStateError

EXIT_FAILED = 1
MEMBERS_COUNT = 2


def misunderstood(name: str, listen: str, members: Sequence[str]) -> list[str]:
    """Return what is wrong with what was asked for."""
    address = LISTENER.read(listen)
    wrong = []
    if isinstance(address, Unfit):
        wrong.append(f"--listen {listen!r} {address.why}; allowed: {LISTENER.allowed}")
    if len(set(members)) != MEMBERS_COUNT or len(members) != MEMBERS_COUNT:
        given = " ".join(f"--member {member}" for member in members)
        wrong.append(f"{given}: a witness serves the two nodes of a pair; give --member twice, with both node.name")
    if name in members:
        wrong.append(f"--name {name!r} is a node's own name")
    return wrong


def witness_settings(
    folder: Path, name: str, listen: str, group: str, members: tuple[str, ...], lease_seconds: float
) -> WitnessSettings:
    """Return what the witness is told. Its files are named as `mtad init --witness` names them."""
    credentials = Credentials(folder / "ca.pem", folder / f"{name}.pem", folder / f"{name}.key")
    return WitnessSettings(group, members, listen, folder / "state", credentials, lease_seconds)


def problems(settings: WitnessSettings, name: str) -> list[str]:
    """Return what is wrong with the certificates; nothing when the members will take this witness for theirs."""
    credentials = settings.credentials
    authority = load_authority(credentials.ca_path)
    pair = load_pair(credentials.cert_path, credentials.key_path)
    found = [str(loaded) for loaded in (authority, pair) if isinstance(loaded, BadCertificate)]
    if isinstance(pair, Certificate):
        if not pair.is_for(name):
            found.append(f"{pair.file} is for {', '.join(pair.names) or 'nobody'}, not for {name}")
        if isinstance(authority, Certificate) and not pair.is_signed_by(authority):
            found.append(f"{pair.file} is not signed by {authority.file}")
    found = [f"{each}; `mtad init --witness` makes a witness's certificate" for each in found]
    if isinstance(pair, Certificate) and is_open_to_others(mode := stat.S_IMODE(credentials.key_path.stat().st_mode)):
        found.append(f"{credentials.key_path} is open to others (mode {mode:04o}); chmod 600 {credentials.key_path}")
    return found


def run(settings: WitnessSettings) -> int:
    """Serve until SIGTERM or SIGINT, or until the state cannot be kept. Return the exit code."""
    ends: list[int] = []

    async def serve(stop: asyncio.Event) -> None:
        server = WitnessServer(settings, LineEvents())
        try:
            await server.start()
        except (WitnessStateError, OSError) as error:
            print(f"mtad: {error}", file=sys.stderr)
            ends.append(EXIT_FAILED)
            return
        notify("READY=1")
        stopped, failed = asyncio.create_task(stop.wait()), asyncio.create_task(server.failed.wait())
        await asyncio.wait([stopped, failed], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        failed.cancel()
        await server.stop()
        if server.failed.is_set():
            ends.append(EXIT_FAILED)

    run_until_stopped(serve)
    return ends[0] if ends else 0
