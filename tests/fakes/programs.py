"""Programs that end as a test says, and remember what they were to do."""

from __future__ import annotations

from mtad.mail.programs import Done, Result, Task


class RememberedPrograms:
    """All of them end in the same way."""

    def __init__(self, result: Result | None = None, problem: str = "") -> None:
        self.tasks: list[Task] = []
        self._result = result or Done()
        self._problem = problem

    def problem(self, name: str) -> str:
        """Return what was given."""
        return self._problem

    async def run(self, task: Task) -> Result:
        """Remember it."""
        self.tasks.append(task)
        return self._result
