"""``clova-studio doctor``."""

from __future__ import annotations

import json
import re
import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from clova_studio import APIConnectionError
from clova_studio._cli._diagnosis import Situation, diagnose, network_id
from clova_studio._cli._findings import FINDINGS
from clova_studio._errors import status_error
from clova_studio.emulator import Fault, serve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clova_studio.emulator import EmulatorServer

KEYS = {"nv-cli-test-key": "test", "nv-cli-service-key": "service", "nv-cli-lonely-key": "unregistered"}
OLD = "NTA0MjU2MWZlZTcxNDJiY"
PASSWORD = "proxy-password-words"


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def found_by(ran: Any) -> dict[str, Any]:
    """The JSON of a run, after the checks that hold for every run."""
    report = json.loads(ran.out)
    assert not ran.err
    assert ran.code == (0 if report["ok"] else 1)
    for finding in report["findings"]:
        for words in (finding["problem"], finding["remedy"]):
            assert words["en"]
            assert re.search("[가-힣]", words["ko"])
    return report


def ids(report: dict[str, Any]) -> list[str]:
    """The names of what is wrong."""
    return [finding["id"] for finding in report["findings"]]


def test_all_is_well(server: EmulatorServer, cli: Callable[..., Any]) -> None:
    """With a good key: kind of the key, latencies, versions, no finding, exit code 0; the first request has no key."""
    report = found_by(cli("doctor", "--json"))
    assert report["findings"] == []
    assert report["key"] == {"kind": "new", "source": "CLOVASTUDIO_API_KEY"}
    assert [(check["name"], check["ok"]) for check in report["checks"]] == [
        ("reach", True),
        ("key", True),
        ("chat", True),
    ]
    assert all(check["milliseconds"] > 0 for check in report["checks"])
    assert {"python", "clova-studio", "httpx", "pydantic", "tenacity"} <= set(report["versions"])
    assert "authorization" not in server.requests[0].headers
    assert server.requests[-1].body["maxTokens"] == 1
    text = cli("doctor").out
    assert "No problem found. / 문제가 없습니다." in text
    assert "the emulator" in text


def test_the_store_of_a_shared_quota(
    server: EmulatorServer, cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store that the variable names is tried: whether it works, how fast; what is wrong is said without secrets."""
    assert found_by(cli("doctor", "--json", "--no-chat"))["store"] is None
    monkeypatch.setenv("CLOVASTUDIO_QUOTA_STORE", f"sqlite:///{tmp_path}/quota.db")
    report = found_by(cli("doctor", "--json", "--no-chat"))
    assert report["findings"] == []
    assert report["store"]["ok"]
    assert report["store"]["milliseconds"] > 0
    assert "ms a question" in cli("doctor", "--no-chat").out
    (tmp_path / "folder").mkdir()
    for store, name, ok in (
        (f"sqlite:///{tmp_path}/folder", "store_fails", True),
        (f"redis://:{PASSWORD}@127.0.0.1:{free_port()}/0", "store_fails", True),
        ("memcached://host", "bad_store", False),
    ):
        monkeypatch.setenv("CLOVASTUDIO_QUOTA_STORE", store)
        ran = cli("doctor", "--json", "--no-chat")
        report = found_by(ran)
        assert (ids(report), report["ok"]) == ([name], ok)
        assert PASSWORD not in ran.out
        assert "failed" in cli("doctor", "--no-chat").out
    assert FINDINGS["slow_store"].severity == "warning"


def test_no_chat(server: EmulatorServer, cli: Callable[..., Any]) -> None:
    """With --no-chat no chat is sent; the model that thinks is told not to when one is."""
    assert len(found_by(cli("doctor", "--json", "--no-chat"))["checks"]) == 2
    assert not [request for request in server.requests if "completions" in request.path]
    assert found_by(cli("doctor", "--json", "--model", "HCX-007"))["ok"]
    assert server.requests[-1].body["thinking"] == {"effort": "none"}


@pytest.mark.parametrize("behaviour", ["observed", "documented"])
@pytest.mark.parametrize(
    ("key", "arguments", "expected"),
    [
        (None, [], "no_key"),
        ("nv-cli-unknown-key", [], "wrong_key"),
        (OLD, [], "old_style_key"),
        ("nv-cli-lonely-key", [], "service_key_without_app"),
        ("nv-cli-lonely-key", ["--path-prefix", "serviceapp"], "service_key_without_app"),
        ("nv-cli-test-key", ["--path-prefix", "serviceapp"], "needless_path_prefix"),
        ("nv-cli-service-key", ["--path-prefix", "testapp"], "needless_path_prefix"),
        ("Bearer nv-cli-test-key", [], "malformed_key"),
        ("nv-cli test-key", [], "malformed_key"),
        ("nv-cli-test-key", ["--model", "HCX-999"], "model_unavailable"),
    ],
)
def test_keys(
    behaviour: Any,
    key: str | None,
    arguments: list[str],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    cli: Callable[..., Any],
) -> None:
    """What is wrong with a key is named, and nothing else."""
    if key is not None:
        monkeypatch.setenv("CLOVASTUDIO_API_KEY", key)
    with serve(api_keys=KEYS, behaviour=behaviour) as server:
        monkeypatch.setenv("CLOVASTUDIO_BASE_URL", server.base_url)
        report = found_by(cli("doctor", "--json", *arguments))
        assert ids(report) == [expected]
        text = cli("doctor", *arguments)
    assert text.code == 1
    assert f"ERROR {expected}" in text.out
    assert report["findings"][0]["remedy"]["ko"] in text.out


@pytest.mark.parametrize("key", ["'nv-cli-test-key'", ' "nv-cli-test-key"', "nv-cli-test-key\n", "“nv-cli-test-key”"])
def test_a_key_in_quotes(
    server: EmulatorServer, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Any], key: str
) -> None:
    """Quotes and blanks around a key are a warning that names the variable, no more: requests work without them."""
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", key)
    ran = cli("doctor", "--json")
    assert (ran.code, ran.err) == (0, "")
    report = json.loads(ran.out)
    assert ids(report) == ["quoted_key"]
    assert "CLOVASTUDIO_API_KEY" in report["findings"][0]["problem"]["en"]


def test_a_key_under_a_similar_name(monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Any]) -> None:
    """A missing key whose value stands in a variable of a similar name is said by name, in both languages."""
    monkeypatch.setenv("CLOVA_STUDIO_API_KEY", "nv-cli-test-key")
    monkeypatch.setenv("CLOVASTUDIO_BASE_URL", f"http://127.0.0.1:{free_port()}")
    (finding,) = [item for item in found_by(cli("doctor", "--json"))["findings"] if item["id"] == "no_key"]
    assert "CLOVA_STUDIO_API_KEY is set, CLOVASTUDIO_API_KEY is not." in finding["problem"]["en"]
    assert "CLOVA_STUDIO_API_KEY" in finding["problem"]["ko"]


def test_a_prefix_that_is_missing(
    server: EmulatorServer, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Any]
) -> None:
    """Where only the prefixed path takes the key, the prefix is named."""
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", "nv-cli-service-key")
    server.add_fault(Fault("status", code="40100", path="/v3/", times=1))
    report = found_by(cli("doctor", "--json"))
    assert ids(report) == ["wrong_path_prefix"]
    assert "--path-prefix serviceapp" in report["findings"][0]["remedy"]["en"]


def test_the_old_pair(server: EmulatorServer, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Any]) -> None:
    """The old pair of keys works with a warning, or is refused as a pair; beside a new key the second is unused."""
    monkeypatch.setenv("NCP_APIGW_API_KEY", "storage-secret-words")
    report = found_by(cli("doctor", "--json"))
    assert (report["ok"], ids(report)) == (True, ["second_key_unused"])
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", OLD)
    assert ids(found_by(cli("doctor", "--json"))) == ["wrong_pair"]
    with serve() as open_server:
        monkeypatch.setenv("CLOVASTUDIO_BASE_URL", open_server.base_url)
        report = found_by(cli("doctor", "--json"))
    assert (report["ok"], ids(report)) == (True, ["old_pair"])


def test_two_keys(server: EmulatorServer, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Any]) -> None:
    """Two variables with different keys are a warning that says which is used."""
    monkeypatch.setenv("NCP_CLOVASTUDIO_API_KEY", "nv-cli-unknown-key")
    report = found_by(cli("doctor", "--json"))
    assert (report["ok"], ids(report)) == (True, ["two_keys"])


def test_another_cloud(server: EmulatorServer, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Any]) -> None:
    """A key of the other cloud is a wrong key with that hint; asked there too (--also), it is told for sure."""
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", "nv-cli-unknown-key")
    with serve(api_keys=["nv-cli-unknown-key"]) as there, serve(api_keys=["nv-other"]) as elsewhere:
        alone = found_by(cli("doctor", "--json"))
        assert ids(alone) == ["wrong_key"]
        assert "--region gov" in alone["findings"][0]["remedy"]["en"]
        assert not there.requests
        report = found_by(cli("doctor", "--json", "--also", there.base_url))
        assert ids(report) == ["wrong_region"]
        assert there.base_url in report["findings"][0]["remedy"]["en"]
        assert ids(found_by(cli("doctor", "--json", "--also", elsewhere.base_url))) == ["wrong_key"]
    assert cli("doctor", "--also", "nowhere").code == 2


def test_used_up_quota(monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Any]) -> None:
    """A 429 is told with limits, what is left and the reset; those of a good answer are shown too."""
    monkeypatch.setenv("CLOVASTUDIO_API_KEY", "nv-cli-test-key")
    with serve(rate_limits={"HCX-005": (1, 60_000), "chat-tokenize": (60, None)}) as server:
        monkeypatch.setenv("CLOVASTUDIO_BASE_URL", server.base_url)
        good = cli("doctor")
        assert good.code == 0
        assert "HCX-005: 0 of 1 requests left, reset in" in good.out
        report = found_by(cli("doctor", "--json"))
        assert ids(report) == ["quota_used_up"]
        assert "requests 0/1, reset" in report["findings"][0]["problem"]["ko"]
        assert report["rate_limits"]["HCX-005"]["limit_tokens"] == 60_000
        assert report["rate_limits"]["token calculator"]["limit_requests"] == 60


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault("status", code="40170"), "no_subscription"),
        (Fault("status", code="40103"), "token_expired"),
        (Fault("status", code="40102"), "broken_authorization"),
        (Fault("status", code="40300"), "forbidden"),
        (Fault("status", code="40400"), "wrong_path"),
        (Fault("status", code="42901"), "quota_used_up"),
        (Fault("status", code="42902"), "overloaded"),
        (Fault("status", code="50000"), "service_error"),
        (Fault("status", code="40003"), "refused_request"),
        (Fault("html", status=503), "service_error"),
        (Fault("html", status=200), "not_the_service"),
        (Fault("html", status=302), "not_the_service"),
        (Fault("html", status=407), "proxy"),
        (Fault("html", status=200, path="/v3/"), "not_the_service"),
        (Fault("reset"), "broken_connection"),
        (Fault("hang"), "timeout"),
    ],
)
def test_refusals(server: EmulatorServer, cli: Callable[..., Any], fault: Fault, expected: str) -> None:
    """Each way in which the service, or what stands before it, says no has its finding."""
    server.add_fault(fault)
    report = found_by(cli("doctor", "--json", "--timeout", "0.3" if fault.kind == "hang" else "10"))
    assert set(ids(report)) == {expected}


@pytest.mark.parametrize(
    ("address", "variables", "expected"),
    [
        ("http://127.0.0.1:{free}", {}, "refused"),
        ("https://127.0.0.1:{server}", {}, "tls"),
        ("http://no-such-host.invalid", {}, "dns"),
        ("http://clova.invalid", {"HTTP_PROXY": f"http://me:{PASSWORD}@127.0.0.1:{{free}}"}, "proxy"),
        ("http://clova.invalid", {"HTTP_PROXY": f"nonsense://me:{PASSWORD}@127.0.0.1:{{free}}"}, "proxy"),
    ],
)
def test_unreachable(
    address: str,
    variables: dict[str, str],
    expected: str,
    server: EmulatorServer,
    monkeypatch: pytest.MonkeyPatch,
    cli: Callable[..., Any],
) -> None:
    """Why a host is not reached is named; a proxy without its password."""
    ports = {"free": free_port(), "server": server.base_url.rpartition(":")[2]}
    monkeypatch.setenv("CLOVASTUDIO_BASE_URL", address.format(**ports))
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(**ports))
    report = found_by(cli("doctor", "--json"))
    assert [name for name in ids(report) if name != "not_encrypted"] == [expected]
    assert not server.requests
    assert cli("doctor").code == 1


@pytest.mark.parametrize(
    ("key", "expected", "english", "korean"),
    [
        (None, "no_key", "There is no API key.", "API 키가 없습니다."),
        (
            "nv-cli-unknown-key",
            "wrong_key",
            "The service does not know this key.",
            "서비스에 등록되지 않은 키입니다.",
        ),
        (
            OLD,
            "old_style_key",
            "is not a new one (new keys start with nv-), and the service refuses it on its own.",
            "nv-로 시작하는 새 키가 아니며, 이 키만으로는 인증되지 않습니다.",
        ),
        (
            "nv-cli-lonely-key",
            "service_key_without_app",
            "a service key works only for the APIs of a registered and approved service app.",
            "서비스 키는 등록되고 승인된 서비스 앱의 API에서만 쓸 수 있습니다.",
        ),
        (
            "nv-cli-test-key",
            "quota_used_up",
            "The quota of this minute is used up (HCX-005).",
            "1분당 한도를 모두 썼습니다(HCX-005).",
        ),
        (
            "nv-cli-test-key",
            "refused",
            "refuses the connection: nothing listens there.",
            "연결을 거부했습니다. 해당 포트에 실행 중인 서버가 없습니다.",
        ),
        (
            "nv-cli-other-cloud-key",
            "wrong_region",
            "The key belongs to another cloud: {here} refuses it and {there} accepts it.",
            "다른 클라우드의 키입니다. {here}에서는 거부되고 {there}에서는 인증됩니다.",
        ),
    ],
    ids=["no key", "wrong key", "old-style key", "service key without app", "429", "unreachable host", "wrong region"],
)
def test_common_failures_are_told_in_both_languages(
    key: str | None,
    expected: str,
    english: str,
    korean: str,
    monkeypatch: pytest.MonkeyPatch,
    cli: Callable[..., Any],
) -> None:
    """What a person reads of each common failure: one problem in plain words, English and Korean, a remedy for each."""
    if key is not None:
        monkeypatch.setenv("CLOVASTUDIO_API_KEY", key)
    quota = {"HCX-005": (0, 0)} if expected == "quota_used_up" else None
    with serve(api_keys=KEYS, rate_limits=quota) as here, serve(api_keys=["nv-cli-other-cloud-key"]) as there:
        address = f"http://127.0.0.1:{free_port()}" if expected == "refused" else here.base_url
        monkeypatch.setenv("CLOVASTUDIO_BASE_URL", address)
        ran = cli("doctor", *(["--also", there.base_url] if expected == "wrong_region" else []))
        hosts = {"here": here.base_url.removeprefix("http://"), "there": there.base_url.removeprefix("http://")}
    assert ran.code == 1
    assert re.findall("^(?:ERROR|WARNING) (.*)$", ran.out, flags=re.MULTILINE) == [expected]
    *_, problem, remedy, problem_ko, remedy_ko = ran.out.splitlines()
    assert english.format(**hosts) in problem
    assert korean.format(**hosts) in problem_ko
    for line, language in ((remedy, "[A-Za-z]{3}"), (remedy_ko, "[가-힣]")):
        assert re.match("    -> ", line)
        assert re.search(language, line)


def test_what_is_behind_a_connection_error() -> None:
    """The cause at the bottom decides, however deep it is."""

    def behind(*causes: BaseException) -> APIConnectionError:
        error: BaseException = causes[-1]
        for outer in reversed(causes[:-1]):
            outer.__cause__ = error
            error = outer
        top = APIConnectionError("x")
        top.__cause__ = error
        return top

    assert network_id(behind(OSError(), ssl.SSLCertVerificationError()), proxied=True) == "tls_certificate"
    assert network_id(behind(RuntimeError(), OSError(113, "no route")), proxied=False) == "no_route"
    assert network_id(behind(OSError(), socket.gaierror()), proxied=False) == "dns"


def test_the_old_address() -> None:
    """A new key that is refused at the old address is told to leave that address."""
    refused = status_error("Invalid Key", status_code=401, code="40104")
    assert diagnose(refused, Situation("clovastudio.apigw.ntruss.com")).id == "old_host"
    assert (
        diagnose(refused, Situation("clovastudio.stream.gov-ntruss.com", region="gov"))
        .remedy["en"]
        .count("--region public")
    )


def test_every_finding_is_in_both_languages() -> None:
    """Each problem and each remedy is there in English and in Korean, with the same facts in them."""

    def facts(text: str) -> set[str]:
        return {name.removesuffix("_ko") for name in re.findall(r"{(\w+)", text)}

    for name, words in FINDINGS.items():
        assert not re.search("[가-힣]", words.problem + words.remedy), name
        for text in (words.problem_ko, words.remedy_ko):
            assert re.search("[가-힣]", text) or "{hint_ko}" in text, name
        missing = facts(words.problem + words.remedy) ^ facts(words.problem_ko + words.remedy_ko)
        assert missing <= {"detail"}, name
