"""Programs as a test plays them: none is run."""

from __future__ import annotations

from dataclasses import dataclass, field

from mtad.mail.programs import Broken, Declined, Done, Programs, Result, Task

_STATUS_MAX = 255


@dataclass(slots=True)
class PlayedPrograms:
    """Those that a test has named end as it says; the others, which policies may name too, cannot be run."""

    results: dict[str, Result] = field(default_factory=dict)

    def problem(self, name: str) -> str:
        """Let policies name what they like."""
        return ""

    async def run(self, task: Task) -> Result:
        """Answer for a program."""
        result = self.results.get(task.program, Broken(f"no test says what {task.program} answers"))
        is_too_long = isinstance(result, Done) and len(result.output) > task.output_octets_max > 0
        return Broken(f"it wrote more than {task.output_octets_max} octets") if is_too_long else result

    def put(self, name: str, answer: str) -> None:
        """Have a program end so from now on: "0" and what it writes, or another status. Errors: ValueError."""
        status, _, output = answer.partition(" ")
        if not status.isdecimal() or int(status) > _STATUS_MAX or (output and int(status)):
            raise ValueError(f'{answer!r} is neither "0" with what the program writes nor another status')
        octets = output.encode("utf-8", "surrogateescape")
        self.results[name] = Declined(int(status)) if int(status) else Done(octets)


@dataclass(frozen=True, slots=True)
class Unrun:
    """Programs that are known, and not run."""

    programs: Programs

    def problem(self, name: str) -> str:
        """Say why one could not be run."""
        return self.programs.problem(name)

    async def run(self, task: Task) -> Result:
        """Run nothing."""
        return Broken("programs are run with --programs alone")
