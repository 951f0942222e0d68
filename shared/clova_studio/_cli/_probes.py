"""The doctor's requests, in order: the service without a key, the key, a chat; and what else to try when one fails."""

from __future__ import annotations

import functools
import json
import os
import time
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from clova_studio import ClovaStudio, ClovaStudioError, ConfigurationError
from clova_studio._catalogue import model_info
from clova_studio._cli._diagnosis import KeyKind, Situation, diagnose
from clova_studio._cli._findings import Finding, finding
from clova_studio._cli._parsing import connect, key_settings
from clova_studio._cli._report import Report
from clova_studio._cli._store_probe import examine_store, without_store
from clova_studio._config import BASE_URLS, make_request_id
from clova_studio._errors import RateLimitError
from clova_studio._responses import transport_error
from clova_studio._secrets import KEY_VARIABLES, key_variable, similar_key_words, tidied
from clova_studio._transport import make_client

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from clova_studio.types._base import Result

__all__ = ["examine"]

_PREFIXES = ("", "testapp", "serviceapp")
# Shows where requests would go, before the key is read; it is never sent.
_NO_KEY = "none"
_HELLO = {"role": "user", "content": "안녕"}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def examine(arguments: argparse.Namespace) -> Report:
    """Return the report of all checks."""
    store, findings = examine_store()
    with without_store():
        report = _examine(arguments)
    report.store = store
    report.findings += findings
    return report


def _examine(arguments: argparse.Namespace) -> Report:
    with connect(arguments, api_key=_NO_KEY, apigw_api_key=None) as client:
        base_url = client.base_url
    also = _also(arguments.also)
    kind, source = _key_kind()
    parts = urlsplit(base_url)
    situation = Situation(
        host=parts.netloc,
        key_kind=kind,
        source=source or "",
        region=next((name for name, url in BASE_URLS.items() if url == base_url), None),
        model=arguments.model,
        proxy=_proxy(parts.scheme, parts.netloc),
    )
    report = Report(
        key={"kind": kind, "source": source},
        address={
            "base_url": base_url,
            "region": situation.region,
            "path_prefix": arguments.path_prefix,
            "proxy": situation.proxy,
        },
    )
    report.findings += _local_findings(parts.scheme, parts.hostname or "", kind)
    reached = _reach(base_url, arguments.timeout, situation, report)
    if kind == "none":
        english, korean = (words and f" {words}." for words in similar_key_words())
        report.findings.append(finding("no_key", detail=english, detail_ko=korean))
    elif reached:
        _ask_with_key(arguments, situation, also, report)
    return report


def _key_kind() -> tuple[KeyKind, str | None]:
    source, keys = key_variable(), key_settings()
    if not keys:
        return "none", None
    if keys["api_key"].startswith("nv-"):
        return "new", source
    return ("old pair" if "apigw_api_key" in keys else "old"), source


def _also(where: str | None) -> str | None:
    if where is None or where in BASE_URLS:
        return where if where is None else BASE_URLS[where]
    if urlsplit(where).scheme not in {"http", "https"}:
        raise ConfigurationError("--also must be 'public', 'gov' or a URL")
    return where.rstrip("/")


def _proxy(scheme: str, netloc: str) -> str | None:
    """Return host and port of the proxy that the environment names for an address, without its credentials."""
    proxies = getproxies()
    address = proxies.get(scheme) or proxies.get("all")
    if not address or proxy_bypass(netloc):
        return None
    return urlsplit(address if "://" in address else f"//{address}").netloc.rpartition("@")[2]


def _local_findings(scheme: str, host: str, kind: KeyKind) -> list[Finding]:
    """Return what is known without a request."""
    found = []
    values = {key for name in KEY_VARIABLES if (key := tidied(os.environ.get(name, "")))}
    if len(values) > 1:
        found.append(finding("two_keys"))
    texts = {name: os.environ.get(name, "") for name in (*KEY_VARIABLES, "NCP_APIGW_API_KEY")}
    found += [finding("quoted_key", source=name) for name, text in texts.items() if tidied(text) != text]
    if kind == "new" and os.environ.get("NCP_APIGW_API_KEY", "").strip():
        found.append(finding("second_key_unused"))
    if kind != "none" and scheme == "http" and host not in _LOOPBACK:
        found.append(finding("not_encrypted"))
    return found


def _reach(base_url: str, timeout: float, situation: Situation, report: Report) -> bool:
    """Ask without a key and return whether the service answered; a refusal is an answer too."""
    request_id = make_request_id()
    started = time.perf_counter()
    try:
        with make_client() as http:
            answer = http.get(
                f"{base_url}/v1/openai/models",
                headers={"Accept": "application/json", "X-NCP-CLOVASTUDIO-REQUEST-ID": request_id},
                timeout=timeout,
            )
    except ConfigurationError as exc:  # the proxy's address is not valid, or needs a package
        report.checks.append(_check("reach", started, ok=False))
        report.findings.append(finding("proxy", exc, proxy=situation.proxy))
        return False
    except Exception as exc:
        error = transport_error(exc, request_id)
        if error is None:
            raise
        error.__cause__ = exc
        report.checks.append(_check("reach", started, ok=False))
        report.findings.append(diagnose(error, situation))
        return False
    spoke = _is_object(answer.content) or answer.status_code in {401, 403}
    note = "the emulator" if "x-clova-emulator" in answer.headers else ""
    report.checks.append(_check("reach", started, ok=spoke, status=answer.status_code, note=note))
    if not spoke:
        name = "service_error" if answer.status_code >= 500 else "not_the_service"  # noqa: PLR2004  of a gateway
        found = finding(name, host=situation.host, status=answer.status_code)
        if answer.status_code == 407:  # noqa: PLR2004  proxy authentication required
            found = finding("proxy", proxy=situation.proxy or situation.host)
        report.findings.append(found)
    return spoke


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False


def _ask_with_key(arguments: argparse.Namespace, situation: Situation, also: str | None, report: Report) -> None:
    try:
        client = connect(arguments, **_once())
    except ConfigurationError as error:
        # The key in the environment is not valid: the options passed their checks without it.
        second = error.message.startswith("apigw_api_key")
        source = "NCP_APIGW_API_KEY" if second else situation.source
        detail = error.message.removeprefix("apigw_api_key ").removeprefix("api_key ")
        report.findings.append(finding("malformed_key", source=source, detail=detail))
        return
    with client:
        probes = [("key", "token calculator", _count)]
        if not arguments.no_chat:
            probes.append(("chat", arguments.model, _chat))
        for name, quota, send in probes:
            failure = _try(report, name, quota, functools.partial(send, client, arguments.model))
            if failure is not None:
                report.findings.append(_diagnosed(failure, arguments, replace(situation, quota=quota), also))
                # The chat has a quota of its own; after any other failure it would fail too.
                if not isinstance(failure, RateLimitError):
                    return
    if situation.key_kind == "old pair" and report.ok:
        report.findings.append(finding("old_pair"))


def _try(report: Report, name: str, quota: str, send: Callable[[], Result]) -> ClovaStudioError | None:
    """Send a request and report it; return its error, None if there was none."""
    started = time.perf_counter()
    try:
        result = send()
    except ConfigurationError:
        raise
    except ClovaStudioError as error:
        status, code = getattr(error, "status_code", None), getattr(error, "code", None)
        report.checks.append(_check(name, started, ok=False, status=status, code=code, note=quota))
        limit = getattr(error, "rate_limit", None)
        if limit is not None:
            report.rate_limits[quota] = limit.model_dump()
        return error
    report.checks.append(_check(name, started, ok=True, status=200, note=quota))
    report.rate_limits[quota] = None if result.rate_limit is None else result.rate_limit.model_dump()
    return None


def _check(
    name: str, started: float, *, ok: bool, status: int | None = None, code: str | None = None, note: str = ""
) -> dict[str, Any]:
    spent = round((time.perf_counter() - started) * 1_000, 1)
    return {"name": name, "ok": ok, "milliseconds": spent, "status_code": status, "code": code, "note": note}


def _diagnosed(
    error: ClovaStudioError, arguments: argparse.Namespace, situation: Situation, also: str | None
) -> Finding:
    """Return what an error means; send more requests where these help to find the cause."""
    found = diagnose(error, situation)
    # A test key on /serviceapp was reported as a plain 400.
    if found.id in {"service_key_without_app", "wrong_path"} or (
        found.id == "refused_request" and arguments.path_prefix
    ):
        others = (prefix for prefix in _PREFIXES if prefix != arguments.path_prefix)
        works = next((prefix for prefix in others if _is_good(arguments, path_prefix=prefix)), None)
        if works is not None:
            tried, good = (f"/{prefix}" if prefix else "''" for prefix in (arguments.path_prefix, works))
            name = "wrong_path_prefix" if works else "needless_path_prefix"
            return finding(name, error, tried=tried, works=good, prefix=works)
    if found.id == "wrong_key" and also is not None and _is_good(arguments, base_url=also):
        region = next((name for name, url in BASE_URLS.items() if url == also), None)
        option = f"--region {region} (region={region!r})" if region else f"--base-url {also}"
        there = urlsplit(also).netloc
        return finding("wrong_region", error, here=situation.host, there=there, option=option)
    return found


def _is_good(arguments: argparse.Namespace, **settings: Any) -> bool:
    """Return whether the service accepts the key with other settings."""
    try:
        with connect(arguments, **_once(), **settings) as client:
            _count(client, arguments.model)
    except RateLimitError:
        return True  # the service checks the quota after the key
    except ClovaStudioError:
        return False
    return True


def _once() -> dict[str, Any]:
    """Return the settings of a client whose every request is sent at once, whatever was learnt of the quota before."""
    return {"max_retries": 0, "max_wait": 0.0, "quota_group": str(uuid.uuid4())}


def _count(client: ClovaStudio, model: str) -> Result:
    return client.count_chat_tokens([_HELLO], model=model)


def _chat(client: ClovaStudio, model: str) -> Result:
    # One token of output is accepted (observed). A thinking model would spend it on thinking.
    info = model_info(model)
    options: dict[str, Any] = {"thinking": "none"} if info.known and info.thinking else {}
    return client.chat([_HELLO], model=model, max_tokens=1, **options)
