"""The how-to's script moves an address with the active node: run by a pair of processes, with an `ip` of our own."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.integration.sending import QUEUE_ALL
from tests.integration.test_docs import ROOT, blocks
from tests.peers.mtad import AS_USED, pair
from tests.peers.process import open_folder, wait_until

PAGE = ROOT / "docs" / "how-to" / "move-an-address.md"
# An interface is a file that holds its address. As with the real one, deleting what is not there fails.
IP = """\
#!/bin/sh
set -eu
place="$ADDRESSES"
case "$*" in
"address replace 192.0.2.25/24 dev eth0") echo 192.0.2.25 > "$place" ;;
"address delete 192.0.2.25/24 dev eth0") rm "$place" ;;
"-o address show dev eth0 to 192.0.2.25") cat "$place" 2>/dev/null || true ;;
*) echo "ip: not understood: $*" >&2; exit 255 ;;
esac
"""
ARPING = '#!/bin/sh\necho "$*" >> "$ADDRESSES.told"\n'


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def lay(folder: Path) -> Path:
    """Write the page's script, and what it calls; return what runs it so, with a file for each node's interface."""
    (script,) = [block.text for block in blocks(PAGE) if block.text.startswith("#!/bin/sh")]
    write(folder / "ip", IP)
    write(folder / "arping", ARPING)
    moved = write(folder / "move-address", script)
    return write(
        folder / "on-role", f'#!/bin/sh\nexport PATH="{folder}:$PATH" ADDRESSES="{folder}/at-$4"\nexec {moved} "$@"\n'
    )


def test_the_script_takes_each_role_from_wherever_it_was() -> None:
    with open_folder("address") as folder:
        script, place = lay(folder), folder / "at-mx1"
        for role in ("passive", "active", "active", "draining", "passive", "passive", "active", "fenced", "stopped"):
            was = place.exists()
            done = subprocess.run([script, "none", role, "1", "mx1"], capture_output=True, text=True, check=False)
            assert (done.returncode, done.stderr) == (0, "")
            assert place.exists() == (role == "active" or (role == "draining" and was))
        assert (folder / "at-mx1.told").read_text() == "-q -A -c 2 -I eth0 192.0.2.25\n" * 3


def test_the_address_is_where_the_active_node_is() -> None:
    with open_folder("address") as folder:
        hook = {"replication.on_role": {"command": str(lay(folder)), "timeout_seconds": 5}}
        with pair(QUEUE_ALL, {**hook, **AS_USED}) as (one, two):
            places = folder / "at-one", folder / "at-two"

            def is_at(number: int) -> bool:
                return [place.exists() for place in places] == [number == 0, number == 1]

            wait_until(lambda: is_at(0), "the address is at the first", one.log)
            one.mtactl("replica", "switchover")
            wait_until(lambda: is_at(1), "the address has moved", two.log)
            assert two.stop() == 0
            assert not places[1].exists()
            wait_until(lambda: is_at(0), "the address has come back", one.log)
            for node in (one, two):
                assert "replica.hook_failed" not in node.log.read_text()
            assert "event=replica.hook " in two.log.read_text()
