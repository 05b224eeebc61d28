"""What Debian's Pigeonhole does with a script and a message: `sieve-test`."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.differential.messages import Mail
from tests.peers.process import program

Outcome = tuple[str, ...]
"""What is done, a line each, in order; one line 'refused' when the script is not compiled, 'failed' when it fails."""

_SETTINGS = """\
mail_uid = 65534
mail_gid = 65534
mail_home = /tmp
mail_location = maildir:{folder}/mail
plugin {{
  sieve_extensions = +editheader
  sieve_max_actions = 0
  sieve_max_redirects = 100
}}
"""
_ACTION, _ABOUT = " * ", "        + "
_SECONDS = 60


class Pigeonhole:
    """Runs scripts in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._settings = folder / "dovecot.conf"
        self._settings.write_text(_SETTINGS.format(folder=folder))
        self._program = program("sieve-test")

    def play(self, script: str, mail: Mail) -> Outcome:
        """Return what comes of a script."""
        script_file, mail_file = self._folder / "tests.sieve", self._folder / "message.eml"
        script_file.write_text(script, newline="")
        mail_file.write_bytes(mail.content)
        command = [self._program, "-c", str(self._settings), "-C", "-f", mail.sender]
        command += ["-a", mail.recipient, "-r", mail.recipient, str(script_file), str(mail_file)]
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
        said, complaint = done.stdout.decode("utf-8", "surrogateescape"), done.stderr.decode("utf-8", "replace")
        if "failed to compile" in complaint:
            return ("refused",)
        if done.returncode != 0 or "final result: success" not in complaint:
            return ("failed",)
        return _actions(said)


def _actions(said: str) -> Outcome:
    """Return the actions, the implicit keep among them; the value of one may go over several lines."""
    performed, _, implicit = said.rpartition("\nImplicit keep:\n")
    found: list[str] = []
    for line in (performed + implicit).splitlines():
        if line.startswith(_ACTION):
            found.append(line.removeprefix(_ACTION))
        elif found and not line.startswith(_ABOUT) and line.strip() not in ("", "(none)"):
            found[-1] += f"\n{line}"
    return tuple(found)
