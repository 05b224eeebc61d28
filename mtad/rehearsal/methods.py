"""SPF, DKIM, DMARC and ARC as a test plays them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mtad.mail.authenticity import RESULTS, Finding, Method, Subject, Untried


@dataclass(slots=True)
class PlayedMethods:
    """SPF and its kin find what a test says that they find; of what it says nothing they are not available."""

    found: dict[Method, list[Finding]] = field(default_factory=dict)
    of_helo: list[Finding] | None = None

    async def findings(self, method: Method, subject: Subject) -> Sequence[Finding] | Untried:
        """Return what the test has said of a method."""
        is_of_helo = method is Method.SPF and not subject.reverse_path and self.of_helo is not None
        found = self.of_helo if is_of_helo else self.found.get(method)
        return Untried(f"{method} is not available") if found is None else found

    def put(self, method: str, of: str, result: str) -> None:
        """Have a method find this; a signature beside those that are found already.

        of   "helo" for SPF of that name, otherwise the words of _OF
        Errors: ValueError.
        """
        which = Method(method)
        if result not in RESULTS[which]:
            raise ValueError(f"{result!r} is none of {', '.join(sorted(RESULTS[which]))}")
        if which is Method.SPF and of == "helo":
            self.of_helo = [Finding(result)]
            return
        finding = Finding(result, **dict(zip(_OF[which], of.split(), strict=False)))
        before = self.found.get(which, []) if which is Method.DKIM else []
        self.found[which] = [*before, finding]


_OF: Mapping[Method, Sequence[str]] = {  # the words that a finding is told by
    Method.SPF: ("domain",),
    Method.DKIM: ("domain", "selector"),
    Method.DMARC: ("domain", "policy"),
    Method.ARC: (),
}
