"""What a run of the doctor finds; the probes fill it in, the command prints it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clova_studio._cli._findings import Finding

__all__ = ["Report"]


@dataclass
class Report:
    """What a run of the doctor found; the fields are those of its JSON."""

    key: dict[str, Any] = field(default_factory=dict)  # its kind and the variable that holds it; never the key itself
    address: dict[str, Any] = field(default_factory=dict)
    checks: list[dict[str, Any]] = field(default_factory=list)  # the requests that were sent, in order
    # Model or tool -> what the headers of its answer reported, None without such headers.
    rate_limits: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    # Where processes share the quota: its address without secrets, and how it does; None without a store.
    store: dict[str, Any] | None = None
    versions: dict[str, str | None] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong that stops requests."""
        return not any(finding.severity == "error" for finding in self.findings)
