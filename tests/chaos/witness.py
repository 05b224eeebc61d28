"""The witness of the pair under test: a process, and a cable from each node to it."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack
from pathlib import Path

from mtad.lab.child import Child
from mtad.lab.layout import HOST
from mtad.lab.ports import free_port
from mtad.lab.wire import Wire
from mtad.startup.provision import Ca, make_member_certificate

NAME = "w"


class Witness:
    """May be killed and started again; `wires[i]` is the one over which node i reaches it."""

    def __init__(self, folder: Path, port: int, wires: tuple[Wire, Wire]) -> None:
        self.wires = wires
        self._folder = folder
        self._port = port
        self._child: Child | None = None

    @classmethod
    async def lay(cls, stack: AsyncExitStack, folder: Path) -> Witness:
        """Lay its cables; it does not run yet. The folder is the laboratory's."""
        port = free_port()
        first, second = await Wire.lay(HOST, port), await Wire.lay(HOST, port)
        for wire in (first, second):
            stack.push_async_callback(wire.close)
        return cls(folder, port, (first, second))

    @property
    def settings(self) -> tuple[str, str]:
        """What each node is told of it, in [replication]."""
        first, second = (
            f'authority = "witness"\nwitness = {{ name = "{NAME}", address = "{HOST}:{wire.port}" }}\n'
            for wire in self.wires
        )
        return first, second

    async def start(self) -> None:
        """Start it, if it does not run; the laboratory's keys are there."""
        if self._child is not None and self._child.is_running:
            return
        made, keys = self._folder / "witness", self._folder / "keys"
        if not made.exists():
            make_member_certificate(Ca(keys / "ca.pem", keys / "ca.key"), NAME, made)
            (made / "ca.pem").write_bytes((keys / "ca.pem").read_bytes())
        where = ("--dir", str(made), "--name", NAME, "--listen", f"{HOST}:{self._port}", "--group", "laboratory")
        command = (sys.executable, "-m", "mtad.main", "witness", *where, "--member", "mx1", "--member", "mx2")
        self._child = await Child.start("witness", command, self._folder / "witness.log")

    async def kill(self) -> None:
        """SIGKILL it."""
        if self._child is not None:
            self._child.kill()
            await self._child.ended()

    async def stop(self) -> None:
        """End it."""
        if self._child is not None:
            await self._child.stop()
