"""A store in Redis or Valkey, for the processes of many machines. Needs redis-py, the extra ``redis``."""

from __future__ import annotations

import random
import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from clova_studio._rate_limits.stores.interface import QuotaStore
from clova_studio._rate_limits.stores.records import Delta, Known, QuotaStoreError
from clova_studio._secrets import mask

if TYPE_CHECKING:
    from collections.abc import Callable

    from clova_studio._rate_limits.stores.address import StoreAddress
    from clova_studio._rate_limits.stores.records import Change

__all__ = ["RedisQuotaStore"]

# Seconds for a connection, and for an answer.
_PATIENCE = 0.25
# Others may change the quota in between: then what they changed is looked at, and the change is made anew. Meanwhile
# nobody else changes anything, for so many seconds at most; they try again after so many.
_RESERVED = 0.05
_MOMENTS = 0.0005, 0.002
_LONGEST = 0.9
_LONGEST_REASON = 200

# One step: compare the version that the asker knows with that of the quota, and write, or tell what has changed since.
#
# KEYS: the quota's facts, the versions of its permits, their records. They have one hash tag: one node of a cluster.
# ARGV: known epoch and version, the time by the asker ("" if it does not know), seconds to keep permits, seconds until
# everything expires, an epoch for a new quota, the new state ("" to write nothing), who asks, seconds of a reservation,
# then ids and records.
#
# Who wanted to write and came too late has the quota reserved: with many askers the next try would fail, too.
#
# The clock is the server's. It must not jump, so the quota has a clock of its own beside it: it never runs backwards,
# and if it is a second off what an asker expects who has asked before, the server's was set, and the asker is right.
_SCRIPT = """
local time = redis.call('TIME')
local real = tonumber(time[1]) + tonumber(time[2]) / 1000000
local facts = redis.call('HMGET', KEYS[1], 'epoch', 'version', 'state', 'skew', 'last', 'holder', 'held')
local epoch, version = facts[1] or ARGV[6], tonumber(facts[2] or '0')
local skew = tonumber(facts[4] or '0')
local expected = tonumber(ARGV[3])
local now = real + skew
local last = tonumber(facts[5] or now)
if expected and math.abs(expected - now) > 1 and (expected >= last or not facts[1]) then now = expected end
if now < last then now = last end
if math.abs(real + skew - now) > 1 then skew = now - real end

if facts[6] and facts[6] ~= ARGV[8] then
  local left = tonumber(facts[7]) - real
  if left > 0 and left <= tonumber(ARGV[9]) then return {'busy', string.format('%.6f', now), epoch, version} end
end
local current = epoch == ARGV[1] and version == tonumber(ARGV[2])
local timely = expected and math.abs(expected - now) <= 0.25
if current and ARGV[7] == '' then
  if facts[6] == ARGV[8] then redis.call('HDEL', KEYS[1], 'holder', 'held') end
  return {'current', string.format('%.6f', now), epoch, version}
end
if current and timely then
  version = version + 1
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'version', version, 'state', ARGV[7], 'skew', string.format('%.6f', skew),
    'last', string.format('%.6f', now))
  redis.call('HDEL', KEYS[1], 'holder', 'held')
  for i = 10, #ARGV, 2 do
    redis.call('ZADD', KEYS[2], version, ARGV[i])
    redis.call('HSET', KEYS[3], ARGV[i], string.format('%.3f ', now) .. ARGV[i + 1])
  end
  if #ARGV >= 10 then
    for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, 31)) do
      local record = redis.call('HGET', KEYS[3], id)
      if record and tonumber(string.match(record, '^%S+')) >= now - tonumber(ARGV[4]) then break end
      redis.call('ZREM', KEYS[2], id)
      redis.call('HDEL', KEYS[3], id)
    end
  end
  for i = 1, 3 do redis.call('EXPIRE', KEYS[i], math.ceil(tonumber(ARGV[5]))) end
  return {'written', string.format('%.6f', now), epoch, version}
end
if facts[1] and ARGV[7] ~= '' then
  redis.call('HSET', KEYS[1], 'holder', ARGV[8], 'held', string.format('%.6f', real + tonumber(ARGV[9])))
end
local found = {'changed', string.format('%.6f', now), epoch, version, (not current) and facts[3] or false}
if not current then
  local since = epoch == ARGV[1] and '(' .. ARGV[2] or '-inf'
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], since, '+inf')) do
    local record = redis.call('HGET', KEYS[3], id)
    if record then
      found[#found + 1] = id
      found[#found + 1] = string.match(record, '^%S+ (.*)$')
    end
  end
end
return found
"""


class RedisQuotaStore(QuotaStore):
    """Keeps quotas in Redis or Valkey, for the processes of many machines.

    Args:
        address: Such as ``redis://host:6379/0``, with ``rediss://`` encrypted; None if there is a client.
        client: A ``redis.Redis`` or ``redis.RedisCluster`` of yours: its time limits and retries should be short.
        prefix: What the names of all keys begin with.
    """

    kind = "redis"

    def __init__(
        self, address: StoreAddress | str | None = None, *, client: Any = None, prefix: str = "clova-studio:quota"
    ) -> None:
        super().__init__()
        if isinstance(address, str):
            from clova_studio._rate_limits.stores.address import StoreAddress

            address = StoreAddress(address)
        self._address = address
        self._given = client
        self._prefix = prefix
        self._client: Any = None
        self._script: Any = None
        # What the clock of each quota is ahead of this process's.
        self._ahead: dict[str, float] = {}
        self._holder = uuid.uuid4().hex[:12]

    def __reduce__(self) -> tuple[type[Self], tuple[object, ...]]:
        if self._address is None:
            raise TypeError("a store with a client of yours cannot be pickled: give it an address")
        return type(self), (self._address,)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._address!r})"

    def update(self, quota: str, known: Known, change: Callable[[Delta], Change | None]) -> Known:
        """See ``QuotaStore.update``.

        Args:
            quota: The name of the quota.
            known: Up to where the caller knows it.
            change: Returns what to write, see there.

        Raises:
            QuotaStoreError: The server does not answer, or refuses.
        """
        wanted = None
        if known.epoch and quota in self._ahead:
            # Mostly nobody has changed anything since.
            wanted = change(Delta(time.monotonic() + self._ahead[quota], known, None, ()))
        end = time.monotonic() + _LONGEST
        reserved = False
        while True:
            word, found, state, permits = self._ask(quota, known, wanted)
            if word == "busy":
                if time.monotonic() > end:
                    raise QuotaStoreError("others change it all the time")
                time.sleep(random.uniform(*_MOMENTS))  # noqa: S311  so that two do not meet again
                continue
            known = found
            if word != "changed":
                return known
            reserved = wanted is not None
            wanted = change(Delta(time.monotonic() + self._ahead[quota], known, state, permits))
            if wanted is None and not reserved:
                return known

    def _ask(
        self, quota: str, known: Known, wanted: Change | None
    ) -> tuple[str, Known, str | None, list[tuple[str, str]]]:
        keys = [f"{self._prefix}:{{{quota}}}:{name}" for name in ("facts", "versions", "permits")]
        ahead = self._ahead.get(quota)
        begin = time.monotonic()
        arguments: list[Any] = [known.epoch, known.version, "" if ahead is None else f"{begin + ahead:.6f}"]
        keep, expires, text = (0, 0, "") if wanted is None else (wanted.keep, wanted.expires, wanted.state)
        # Another one than before, if there was one: who knows the old one must see that all is lost.
        epoch = uuid.uuid4().hex if known.version or not known.epoch else known.epoch
        arguments += [keep, expires, epoch, text, self._holder, _RESERVED]
        if wanted is not None:
            for name, record in wanted.permits.items():
                arguments += [name, record]
        reply = [_text(value) for value in self._run(keys, arguments)]
        end = time.monotonic()
        word, now, epoch, version = reply[:4]
        self._set_clock(quota, float(now), begin, end)
        state = reply[4] if len(reply) > 4 else None  # noqa: PLR2004  the four before it
        return word, Known(epoch, int(version)), state, list(zip(reply[5::2], reply[6::2], strict=True))

    def _set_clock(self, quota: str, now: float, begin: float, end: float) -> None:
        """Take the server's time, which it told at some moment of the question."""
        ahead = self._ahead.get(quota)
        if ahead is None or not now - end <= ahead <= now - begin:
            self._ahead[quota] = now - (begin + end) / 2

    def _run(self, keys: list[str], arguments: list[Any]) -> Any:
        from redis.exceptions import RedisError

        try:
            if self._client is None:
                self._client = self._given if self._given is not None else self._connect()
                self._script = self._client.register_script(_SCRIPT)
            return self._script(keys=keys, args=arguments)
        except (RedisError, OSError, ValueError) as exc:
            reason = mask(f"{type(exc).__name__}: {exc}")[:_LONGEST_REASON]
        self.close()
        raise QuotaStoreError(reason)

    def _connect(self) -> Any:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        return redis.Redis.from_url(
            "" if self._address is None else self._address.for_redis(),
            socket_timeout=_PATIENCE,
            socket_connect_timeout=_PATIENCE,
            retry=Retry(NoBackoff(), 0),
        )

    def close(self) -> None:
        """Close the connection, unless it is yours; another question opens it again."""
        client, self._client, self._script = self._client, None, None
        if client is not None and client is not self._given:
            with suppress(Exception):
                client.close()


def _text(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
