"""Writes docs/reference/mtactl.md from the command line itself: `python -m mtad.cli.reference`.

With --check, only says whether the page is fresh.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.main import get_command

from mtad.cli.mtactl import app
from mtad.generated import write_or_check

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "mtactl.md"
WIDTH = 100
_HEAD = """\
# mtactl

<!-- Written by `python -m mtad.cli.reference` from mtad/cli. Change it there. -->

`mtactl` asks a running node, over the Unix socket `admin.sock` in its `node.run_dir`. Which node: `--node`, or the one
whose `mtad.toml` is given by `--config` or `MTAD_CONFIG`, or the one of `/etc/mtad/mtad.toml`. Where that cannot be
read, the socket is `/run/mtad/admin.sock`. Options stand behind the verb.

| exit code | means |
| --- | --- |
| 0 | done |
| 1 | refused, or not healthy; a destructive verb without `--yes` |
| 2 | usage, or a configuration that cannot be read |
| 3 | the node does not answer |

With `--json` a verb writes one object; `queue list`, `queue summary`, `site list` and `user list` write one a line.
Members are only ever added.

- `status`: `node`, `role` (`active` `passive` `promoting` `rejoining` `fenced` `alone`, of a site `following`),
  `epoch`, `position`, `peer` {`node`, `role`, `state`, `position`, `lag_records`, `lag_octets`, `lag_seconds`,
  `durability`, `level`, `problem`} or null, `witness`, `sites` and at a site `members` (each as `site list` has it),
  `bucket`, `lease_seconds`, `queue` {`messages`, `recipients`, `octets`, `oldest_seconds`}, `sessions`,
  `delivered_through`, `retries_answered` (messages that clients brought again and that were not delivered again),
  `retries_in_doubt` (those that were, since nobody knew), `unprotected_messages`, `damaged_messages`, `uptime_seconds`,
  `version`, `policy` (as `reload` has it), `problems` (empty when healthy).
- `reload`: `ok`, `loaded` (when the policy in effect was read, seconds since 1970), `errors` (of one that was to take
  its place, and did not: as `sieve check` has them).
- `queue list`: as `postqueue -j`: `queue_name`, `queue_id`, `arrival_time`, `message_size`, `forced_expire`, `sender`,
  `recipients` [{`address`, `delay_reason` where there is one}]; and `next_attempt` (seconds since 1970, or null),
  `attempts`, `position`, `queue` (as policy calls it; empty where it does not), `priority` (0 to 9).
- `queue show`: the same, and `client`, `ret` and `envid` (RFC 3461; empty where not given), `history` [{`address`,
  `state`, `notify`, `original_recipient`, `delay_told` and `deliver_by` (seconds since 1970, or 0), `late` (what is
  done with it behind `deliver_by`: `R`, it is returned, `N`, its sender is told), `route` (in words; empty where mail
  goes as the stage `deliver` says), `attempts` [{`at`, `node`, `result`, `next_hop`, `reply`}]}], and
  `octets_base64` where headers or content were asked for. The last attempt's `result` is `active` while it goes on, and
  `unknown` where its node has not told for long.
- `queue flush`, `hold`, `release`, `delete`: `verb`, `done`, `queue_ids`, `missing`, `refused`.
- `queue summary`: the name (as `domain`, `sender`, `reason` or `queue`), `messages`, `recipients`, `oldest_seconds`,
  `recipients_by_age_minutes`.
- `queue backup`: `done`, `octets`, `seconds`, `refused`.
- `queue compact`: `done`, `octets_before`, `octets`, `seconds`, `refused`.
- `replica promote`, `switchover`, `demote`: `verb`, `done`, `text`, `seconds`, `epoch`, `risk` (what it may cost;
  of what was refused, what it would by force).
- `replica verify`: `equal`, `messages`, `differences` [{`queue_id`, `what` (`only here` `only there` `state`
  `damaged here` `damaged there`)}], `is_cut_short`, `octets`, `seconds`, `refused`.
- `replica resync`: `done`, `refused`, `risk`, `messages`, `differences` and `is_cut_short` (what differs still, as
  `replica verify` has it), `fetched`, `set_aside` (the folder with what was here, or null), `seconds`.
- `site list`: `node`, `role`, `state` (`up` `greeting` `connecting` `down` `refused`), `is_fed` (this node ships to
  it), `lag_records`, `lag_octets`, `lag_seconds`, `problem`. `site promote`: as `replica promote`.
- `user add`, `passwd`, `delete`: `verb`, `done`, `name`, `refused`. `user list`: `name`, one object a line.
- `sieve check`: `files`, `ok`, `errors` [{`file`, `line`, `column`, `text`}], `warnings` [{`file`, `lacks`}].
- `sieve test`: `ok`, `files` [{`file`, `ok`, `errors`, `tests` [{`name`, `line`, `ok`, `failed_line`, `reason`}]}].
- `sieve trace`: `stages` [{`stage`, `recipient`, `steps` [{`file`, `line`, `name`, `value` (of a test; null for a
  command), `compared` [values], `facts` [{`source`, `question`, `answer`, `milliseconds`, `is_cached`}]}], `answer`
  {item: [values]}, `faults`, `facts` (asked by what then failed)}].
- `config check`: `file`, `ok`, `errors` [{`line`, `key`, `came`, `allowed`}]. `config show`: a table for each table.
"""


def commands() -> Iterator[tuple[str, str]]:
    """Yield each verb's full name and its help."""
    yield from _walk(get_command(app), "mtactl", None)


def _walk(command: Any, name: str, parent: typer.Context | None) -> Iterator[tuple[str, str]]:
    context = typer.Context(
        command, parent=parent, info_name=name.split(" ")[-1], terminal_width=WIDTH, max_content_width=WIDTH
    )
    inner: dict[str, Any] = getattr(command, "commands", {})
    if not inner:
        yield name, command.get_help(context)
    for word, each in inner.items():
        yield from _walk(each, f"{name} {word}", context)


def page() -> str:
    """Return the text of the page."""
    return "\n".join([_HEAD, *(f"## `{name}`\n\n```\n{text}\n```\n" for name, text in commands())])


def main() -> None:
    """Write the page, or check it."""
    write_or_check({PAGE: page()}, "mtad.cli.reference")


if __name__ == "__main__":
    main()
