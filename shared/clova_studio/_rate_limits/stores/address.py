"""The address of a store, which may hold a password, and what is wrong with it before anything is sent."""

from __future__ import annotations

import functools
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from clova_studio._errors import ConfigurationError
from clova_studio._secrets import Secrets

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from clova_studio._rate_limits.stores.interface import QuotaStore

__all__ = ["StoreAddress", "checked_store", "network_file_system"]

_SCHEMES = {
    "sqlite": "sqlite",
    "redis": "redis",
    "rediss": "rediss",
    "valkey": "redis",
    "valkeys": "rediss",
}
_FORMS = "sqlite:///path, redis://host:6379/0, rediss://..., valkey://... or a QuotaStore"
_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = frozenset(
    {
        *("nfs", "nfs3", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afs", "ncpfs", "coda"),
        *("ceph", "fuse.ceph", "glusterfs", "fuse.glusterfs", "lustre", "gpfs", "beegfs", "ocfs2", "gfs2", "pvfs2"),
        *(
            "fuse.sshfs",
            "fuse.s3fs",
            "fuse.gcsfuse",
            "fuse.rclone",
            "fuse.davfs",
            "davfs",
            "fuse.juicefs",
            "fuse.goofys",
        ),
    }
)


class StoreAddress(str):
    """Where a store is. As text it shows no user, no password and no options; a pickle holds them.

    Args:
        url: As the user gives it.
        name: The parameter or variable that it comes from.

    Attributes:
        kind: ``"sqlite"`` or ``"redis"``.
        path: Of an SQLite file, absolute.

    Raises:
        ConfigurationError: It cannot be one.
    """

    __slots__ = ("_secrets", "_url", "kind", "path")

    _secrets: Secrets
    _url: str
    kind: str
    path: str

    def __new__(cls, url: str, name: str = "store") -> Self:
        """Take an address apart."""
        if isinstance(url, cls):
            return url
        try:
            parts = urlsplit(url.strip())
            # First of all, so that no message shows it.
            hidden = [parts.password, unquote(parts.password or ""), *(value for _, value in parse_qsl(parts.query))]
            secrets = Secrets(hidden)
            path, shown = _shown(parts, name)
        except ValueError:
            raise ConfigurationError(f"{name} is not a valid address: it must be {_FORMS}") from None
        made = super().__new__(cls, shown)
        made.kind = "sqlite" if path else "redis"
        made.path, made._secrets = path, secrets
        made._url = shown if path else url.strip()
        return made

    def check_machine(self, name: str = "store") -> None:
        """Refuse what can never work on this machine.

        Raises:
            ConfigurationError: redis-py is missing, or the file is on a network file system.
        """
        if self.kind == "redis" and not _has_redis():
            raise ConfigurationError(f"{name}: {self} needs redis-py: pip install 'clova-studio[redis]'")
        if self.kind == "sqlite" and (system := _network_file_system(self.path)) is not None:
            raise ConfigurationError(
                f"{name}: {self.path} is on a network file system ({system}), where SQLite cannot lock: use a local "
                "file for the processes of one machine, or redis:// for several machines"
            )

    def open(self) -> QuotaStore:
        """Return the store. Nothing is connected yet."""
        if self.kind == "sqlite":
            from clova_studio._rate_limits.stores.sqlite import SQLiteQuotaStore

            return SQLiteQuotaStore(self.path)
        from clova_studio._rate_limits.stores.redis import RedisQuotaStore

        return RedisQuotaStore(self)

    def for_redis(self) -> str:
        """Return the address as redis-py takes it, with all that is secret."""
        scheme, rest = self._url.split("://", 1)
        return f"{_SCHEMES[scheme.lower()]}://{rest}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoreAddress) and self._url == other._url

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self._url)

    def __reduce__(self) -> tuple[type[StoreAddress], tuple[str]]:
        return StoreAddress, (self._url,)


def _shown(parts: SplitResult, name: str) -> tuple[str, str]:
    """Return the path of an SQLite file, empty for other stores, and how an address is shown."""
    scheme, host, port = parts.scheme, parts.hostname, parts.port
    if scheme not in _SCHEMES:
        raise ConfigurationError(f"{name} must be {_FORMS}; got another kind of address")
    if scheme == "sqlite":
        if host or not parts.path.strip("/") or parts.query or parts.fragment or ":memory:" in parts.path:
            raise ConfigurationError(
                f"{name}: an SQLite store is a file: sqlite:///quota.db in the current folder, or with an absolute "
                "path sqlite:////var/quota.db"
            )
        # Absolute now: a process that is started from this one may have another folder.
        path = os.path.abspath(unquote(parts.path[1:]))  # noqa: PTH100  as it is written
        return path, f"sqlite:///{quote(path)}"
    if not host:
        raise ConfigurationError(f"{name} names no host: it must be such as redis://host:6379/0")
    if parts.username == "***" or parts.query == "***":
        raise ConfigurationError(
            f"{name} is an address whose password was masked, as in a dump: name it again, or set the variable "
            "CLOVASTUDIO_QUOTA_STORE"
        )
    where = f"[{host}]" if ":" in host else host
    port_words = "" if port is None else f":{port}"
    hidden = "***@" if parts.password or parts.username else ""
    return "", f"{scheme}://{hidden}{where}{port_words}{parts.path}{'?***' if parts.query else ''}"


def checked_store(name: str, value: Any) -> StoreAddress | QuotaStore:
    """Return a store in the form that is kept.

    Args:
        name: The parameter or variable that it comes from.
        value: An address or a ``QuotaStore``.

    Raises:
        ConfigurationError: It is neither.
    """
    if isinstance(value, str):
        return StoreAddress(value, name)
    from clova_studio._rate_limits.stores.interface import QuotaStore

    if isinstance(value, QuotaStore):
        return value
    raise ConfigurationError(f"{name} must be {_FORMS}; got {type(value).__name__}")


@functools.cache
def _has_redis() -> bool:
    return find_spec("redis") is not None


@functools.lru_cache(maxsize=64)
def _network_file_system(path: str) -> str | None:
    try:
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="replace")
    except OSError:  # another system than Linux
        return None
    return network_file_system(os.path.realpath(path), mounts)


def network_file_system(path: str, mounts: str) -> str | None:
    """Return the name of the network file system that a file is on, None for a local one.

    Args:
        path: The absolute path, links followed.
        mounts: The text of Linux's ``/proc/self/mountinfo``.
    """
    best, system = -1, ""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields, kinds = before.split(" "), after.split(" ")
        if len(fields) < 5:  # noqa: PLR2004  the fifth is where it is mounted
            continue
        point = fields[4].replace("\\040", " ")
        if (path == point or path.startswith(point.rstrip("/") + "/")) and len(point) >= best:
            best, system = len(point), kinds[0]
    return system if system in _NETWORK else None
