"""A service that cannot be reached: no name, no port, no TLS. Each is typed, tried again, and mended if it passes."""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest
from fault_support import KINDS, TEXT, Account, Line, RawServer, good

import clova_studio as cs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# A certificate for 127.0.0.1 that nobody vouches for, valid until 2126, and its key: made for this test.
CERTIFICATE = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgXBBHzsaQRfgxinYm
UXrNUYdHQ3x3JSUWBYjnDN9392OhRANCAAQ0nTGY6ddnLZOvhmIXcNpP4Sjnf9op
D7xEU44f8tgqMToLJ73g/iNmSpBAihht7H7DDwmySAnfHX3NMw1ZL4Gk
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBkDCCATagAwIBAgIUbQOLmA0fSnier3L2fXoDjY+cBiIwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJMTI3LjAuMC4xMCAXDTI2MTEyMjAzMjA0OFoYDzIxMjYxMDI5
MDMyMDQ4WjAUMRIwEAYDVQQDDAkxMjcuMC4wLjEwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQ0nTGY6ddnLZOvhmIXcNpP4Sjnf9opD7xEU44f8tgqMToLJ73g/iNm
SpBAihht7H7DDwmySAnfHX3NMw1ZL4Gko2QwYjAdBgNVHQ4EFgQUt2EY8GG77a65
i7ZkJFvBr3uwFWwwHwYDVR0jBBgwFoAUt2EY8GG77a65i7ZkJFvBr3uwFWwwDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0gAMEUC
IQD3CN0hXI/JXqYEGVc7cZS9cU8YQVpHCqipB00iVfhoLwIgUeRZJuv5MVzgN4bL
kcP0l6UVyzbsjODUy3I/Lwig+4g=
-----END CERTIFICATE-----
"""
VERBS = ["chat", "stream"]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[str]]:
    """Make the first lookups of any name fail, and all later ones lead to loopback; return the names looked up."""
    real = socket.getaddrinfo

    def install(failures: int) -> list[str]:
        asked: list[str] = []

        def getaddrinfo(host: Any, port: Any, *args: Any, **options: Any) -> Any:
            name = host.decode() if isinstance(host, bytes) else host
            if name[:1].isdigit():
                return real(host, port, *args, **options)
            asked.append(name)
            if len(asked) <= failures:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return real("127.0.0.1", port, *args, **options)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return asked

    return install


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("kind", KINDS)
def test_names_that_cannot_be_resolved(kind: str, verb: str, names: Callable[[int], list[str]]) -> None:
    """An unknown host is an APIConnectionError after N + 1 lookups; one that is known the next time is a success."""
    asked = names(99)
    with pytest.raises(cs.APIConnectionError, match="Name or service not known") as caught:
        getattr(Account(kind, "http://nothing.invalid:80"), verb)()
    assert not isinstance(caught.value, cs.APITimeoutError)
    assert asked == ["nothing.invalid"] * 4
    asked = names(1)
    with RawServer(good) as server:
        assert getattr(Account(kind, f"http://nothing.invalid:{server.port}"), verb)() == TEXT
        assert (len(asked), len(server.requests)) == (2, 1)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("kind", KINDS)
def test_ports_that_refuse(kind: str, verb: str) -> None:
    """A port where nobody listens is an APIConnectionError."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(cs.APIConnectionError) as caught:
        getattr(Account(kind, f"http://127.0.0.1:{port}"), verb)()
    assert not isinstance(caught.value, cs.APITimeoutError)


@pytest.fixture
def full() -> Iterator[str]:
    """Listen on a port whose queue is full, so that connecting gets no answer."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(8):
            filler = stack.enter_context(socket.socket())
            filler.settimeout(0)
            filler.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("kind", KINDS)
def test_ports_that_do_not_answer(kind: str, verb: str, full: str) -> None:
    """A connection that is not taken within the limit is an APITimeoutError."""
    with pytest.raises(cs.APITimeoutError):
        getattr(Account(kind, full, timeout=cs.Timeouts(connect=0.1), max_retries=0), verb)()


def raw(line: Line) -> None:
    """Answer in plain HTTP whatever came."""
    line.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    line.close()


HANDSHAKES: dict[str, tuple[Callable[[Line], Any], type[cs.ClovaStudioError]]] = {
    "plain HTTP": (raw, cs.APIConnectionError),
    "closed": (Line.close, cs.APIConnectionError),
    "reset": (lambda line: line.close(reset=True), cs.APIConnectionError),
    "silent": (Line.hold, cs.APITimeoutError),
}


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("name", HANDSHAKES)
@pytest.mark.parametrize("kind", KINDS)
def test_tls_with_who_does_not_speak_it(kind: str, name: str, verb: str) -> None:
    """A TLS handshake that fails or gets no answer is typed and tried again; nothing of the request was sent."""
    greeting, wanted = HANDSHAKES[name]
    limits = cs.Timeouts(connect=0.1 if name == "silent" else 30)
    with RawServer(good, greeting=greeting) as server:
        url = server.base_url.replace("http", "https")
        with pytest.raises(wanted) as caught:
            getattr(Account(kind, url, timeout=limits, max_retries=1), verb)()
        assert isinstance(caught.value, cs.APITimeoutError) is (wanted is cs.APITimeoutError)
        assert len(server.lines) == 2
        assert server.requests == []


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("kind", KINDS)
def test_certificates_that_nobody_vouches_for(kind: str, verb: str, tmp_path: Path) -> None:
    """A server with an untrusted certificate is refused before the key is sent."""
    (tmp_path / "own.pem").write_text(CERTIFICATE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "own.pem")
    with RawServer(good, tls=context) as server:
        url = server.base_url.replace("http", "https")
        with pytest.raises(cs.APIConnectionError, match=r"(?i)certificate.verify.failed"):
            getattr(Account(kind, url, max_retries=1), verb)()
        assert len(server.lines) == 2
        assert server.requests == []


NO_ADDRESSES = ["http://a..b", f"http://{'a' * 64}.invalid", "http://[::1", "http://127.0.0.1:99999", "http://127.0.0.1:x",
                "http://a b", "http://a\tb", "http://a\x00b"]  # fmt: skip
NO_HEADERS = [{"X Team": "a"}, {"": "a"}, {"X-Team\r\nX-Evil": "a"}, {"팀": "a"}, {"X-Team": "한글"},
              {"X-Team": "a\r\nX-Evil: b"}, {"X-Team": " a"}, {"X-Team": 5}, {"X-Team": b"a"}, {5: "a"}]  # fmt: skip


@pytest.mark.parametrize("make", [cs.ClovaStudio, cs.AsyncClovaStudio])
def test_settings_that_no_request_can_carry_are_refused(make: Any) -> None:
    """An address or a header that would only fail in the middle of a call is a ConfigurationError at once."""
    for url in NO_ADDRESSES:
        with pytest.raises(cs.ConfigurationError, match="base_url"):
            make("nv-test-key", base_url=url)
    for headers in NO_HEADERS:
        with pytest.raises(cs.ConfigurationError, match="headers"):
            make("nv-test-key", headers=headers)
    for url in ("http://[::1]:8080", "http://한글.example", "https://host/base/path/"):
        assert make("nv-test-key", base_url=url, headers={"X-Team": "a b", "X-Empty": ""}).base_url == url.rstrip("/")
