"""A permit as a store keeps it: one line of JSON."""

from __future__ import annotations

import json
from typing import Any

from clova_studio._rate_limits.permits import Permit

__all__ = ["StoredPermit"]

GONE = "gone"


class _Cost:
    """The tokens of a request that another process has."""

    __slots__ = ("_input", "_output")

    def __init__(self, tokens: int, output: int) -> None:
        self._input = tokens
        self._output = output

    def input_tokens(self) -> int:
        return self._input

    def output_tokens(self) -> int:
        return self._output


class StoredPermit(Permit):
    """A permit of any process. Its times are those of the store.

    Attributes:
        id: No other has it.
        owner: The process.
    """

    __slots__ = ("id", "owner")

    def __init__(self, permit_id: str, owner: str, estimate: int, output: int) -> None:
        super().__init__(0, _Cost(estimate, output))
        self.id = permit_id
        self.owner = owner
        self.estimate = estimate

    @classmethod
    def read(cls, permit_id: str, text: str) -> StoredPermit:
        """Return the permit of a record.

        Raises:
            ValueError: It is something else; or TypeError.
        """
        permit = cls(permit_id, "", 0, 0)
        permit.update(text)
        return permit

    def update(self, text: str) -> None:
        """Take what a record says.

        Raises:
            ValueError: It is something else; or TypeError.
        """
        sent, time, in_flight, estimate, output, tokens, owner = json.loads(text)
        if not isinstance(owner, str) or not isinstance(estimate, int):
            raise TypeError("not the record of a permit")
        self.granted = True
        self.sent, self.time, self.in_flight = float(sent), float(time), bool(in_flight)
        self.owner, self.estimate = owner, estimate
        self._charge = None if output is None else _Cost(estimate, int(output))
        self._tokens = None if tokens is None else float(tokens)

    def written(self) -> str:
        """Return its record."""
        values: list[Any] = [
            round(self.sent, 6),
            round(self.time, 6),
            int(self.in_flight),
            self.estimate or 0,
            None if self._charge is None else self._charge.output_tokens(),
            None if self._tokens is None else round(self._tokens, 2),
            self.owner,
        ]
        return json.dumps(values, separators=(",", ":"))

    def charge(self, tokens: float | None) -> None:
        """Set what it is charged."""
        self._tokens = tokens
