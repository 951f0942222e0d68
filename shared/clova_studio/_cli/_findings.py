"""What can be wrong, and what to do about it: the doctor's texts, in English and Korean.

Source: the troubleshooting pages of the API guide for the codes, the overview page for keys and hosts, and recorded
refusals ("Invalid Key" for a key of the old kind, "No Service App" for a service key whose app is not approved).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

__all__ = ["FINDINGS", "Finding", "finding"]


class _Words(NamedTuple):
    problem: str
    remedy: str
    problem_ko: str
    remedy_ko: str
    severity: Literal["error", "warning"] = "error"


FINDINGS: dict[str, _Words] = {
    "no_key": _Words(
        "There is no API key.{detail}",
        "Make a test key in the CLOVA Studio console under 'API key' and set the environment variable "
        "CLOVASTUDIO_API_KEY to it.",
        "API 키가 없습니다.{detail_ko}",
        "CLOVA Studio 콘솔의 'API 키' 메뉴에서 테스트 키를 발급받아 환경 변수 CLOVASTUDIO_API_KEY에 설정하세요.",
    ),
    "malformed_key": _Words(
        "The text in {source} cannot be a key: {detail}.",
        "Copy only the key from the console: no quotes, no 'Bearer', no white space.",
        "{source}의 값은 키의 형식이 아닙니다.",
        "콘솔에서 키만 복사하세요. 따옴표, 'Bearer', 공백이 있으면 안 됩니다.",
    ),
    "quoted_key": _Words(
        "The text in {source} has quotes or blanks around the key. This package removes them; other programs may not.",
        "Set {source} to the key alone.",
        "{source}의 값은 키 앞뒤에 따옴표나 공백이 있습니다. 이 패키지는 빼고 쓰지만 다른 프로그램은 그렇지 않을 수 "
        "있습니다.",
        "{source}에 키만 설정하세요.",
        severity="warning",
    ),
    "old_style_key": _Words(
        "The key in {source} is not a new one (new keys start with nv-), and the service refuses it on its own.",
        "Make a test key in the console under 'API key'; or, for an app made before 2025, set NCP_APIGW_API_KEY to the "
        "second key of the old pair.",
        "{source}의 키는 nv-로 시작하는 새 키가 아니며, 이 키만으로는 인증되지 않습니다.",
        "콘솔의 'API 키' 메뉴에서 새 테스트 키를 발급받거나, 2025년 이전 앱이라면 옛 키 쌍의 두 번째 키를 "
        "NCP_APIGW_API_KEY에 설정하세요.",
    ),
    "wrong_pair": _Words(
        "The service refuses the old pair of keys (CLOVASTUDIO_API_KEY and NCP_APIGW_API_KEY).",
        "Check both against the console, or make a test key (nv-...) under 'API key' and unset NCP_APIGW_API_KEY.",
        "옛 키 쌍(CLOVASTUDIO_API_KEY, NCP_APIGW_API_KEY)이 거부되었습니다.",
        "콘솔에서 두 키를 확인하거나, 'API 키' 메뉴에서 nv- 키를 새로 발급받고 NCP_APIGW_API_KEY를 해제하세요.",
    ),
    "wrong_key": _Words(
        "The service does not know this key.",
        "Check in the console that it was not deleted and was copied whole, or make a new one. A key of the {other} "
        "cloud works only there: --region {region} ('doctor --also {region}' checks that).",
        "서비스에 등록되지 않은 키입니다.",
        "콘솔에서 키가 삭제되지 않았는지, 전체를 복사했는지 확인하거나 새로 발급받으세요. {other_ko} 클라우드의 "
        "키라면 그쪽에서만 쓸 수 있습니다: --region {region} ('doctor --also {region}'로 확인할 수 있습니다).",
    ),
    "wrong_region": _Words(
        "The key belongs to another cloud: {here} refuses it and {there} accepts it.",
        "Use {option}.",
        "다른 클라우드의 키입니다. {here}에서는 거부되고 {there}에서는 인증됩니다.",
        "{option} 옵션을 쓰세요.",
    ),
    "service_key_without_app": _Words(
        "The service refuses the key for this API: a service key works only for the APIs of a registered and approved "
        "service app.",
        "Register a service app for this model in the console and wait for its approval, or use a test key. If it is "
        "a test key, check that it was copied whole.",
        "이 API에 쓸 수 없는 키입니다. 서비스 키는 등록되고 승인된 서비스 앱의 API에서만 쓸 수 있습니다.",
        "콘솔에서 이 모델로 서비스 앱을 신청하고 승인을 기다리거나, 테스트 키를 쓰세요. 테스트 키라면 전체를 "
        "복사했는지 확인하세요.",
    ),
    "wrong_path_prefix": _Words(
        "The path prefix is wrong for this key: it is refused with {tried} and accepted with {works}.",
        "Use --path-prefix {prefix} (path_prefix={prefix!r}); /testapp is for test keys, /serviceapp for service keys.",
        "경로 접두사가 키와 맞지 않습니다. {tried}에서는 거부되고 {works}에서는 인증됩니다.",
        "--path-prefix {prefix}(path_prefix={prefix!r})를 쓰세요. /testapp은 테스트 키용, /serviceapp은 서비스 키용.",
    ),
    "needless_path_prefix": _Words(
        "The path prefix is wrong for this key: it is refused with {tried} and accepted without a prefix.",
        "Leave --path-prefix (path_prefix=) out: new apps do not need it.",
        "경로 접두사가 키와 맞지 않습니다. {tried}에서는 거부되고 접두사가 없으면 인증됩니다.",
        "--path-prefix(path_prefix=)를 지정하지 마세요. 새 앱에는 필요 없습니다.",
    ),
    "old_host": _Words(
        "{host} is the old address: keys that start with nv- cannot authenticate there.",
        "Leave --base-url and CLOVASTUDIO_BASE_URL out.",
        "{host}는 옛 주소이며 nv- 키로는 인증할 수 없습니다.",
        "--base-url과 CLOVASTUDIO_BASE_URL을 지정하지 마세요.",
    ),
    "token_expired": _Words(
        "The access token, which is of an old kind, has expired.",
        "Use an API key (nv-...) from the console instead.",
        "만료된 옛 액세스 토큰입니다.",
        "콘솔에서 발급받은 API 키(nv-...)를 쓰세요.",
    ),
    "broken_authorization": _Words(
        "The service could not read the Authorization header (code {code}).",
        "A proxy or gateway may change it: try without one, and check the key for stray characters.",
        "서비스가 Authorization 헤더를 해석하지 못했습니다(코드 {code}).",
        "프록시나 게이트웨이가 헤더를 바꾸지 않는지, 키에 불필요한 문자가 없는지 확인하세요.",
    ),
    "no_subscription": _Words(
        "The account has not subscribed to CLOVA Studio.",
        "Apply for CLOVA Studio in the NAVER Cloud console with the account that owns the key.",
        "CLOVA Studio 이용 신청 내역이 없는 계정입니다.",
        "키를 발급한 계정으로 네이버 클라우드 콘솔에서 CLOVA Studio 이용을 신청하세요.",
    ),
    "forbidden": _Words(
        "The key is valid, but has no permission for this.",
        "Check the permissions of the sub account in the console, or use a key of the owner.",
        "키는 유효하지만 이 요청에 대한 권한이 없습니다.",
        "콘솔에서 서브 계정의 권한을 확인하거나 소유자의 키를 쓰세요.",
    ),
    "quota_used_up": _Words(
        "The quota of this minute is used up ({quota}).{detail}",
        "Wait for the next window. Quotas are counted for the whole main account, per model, input plus the requested "
        "maximum output: lower the maximum output, send less at once, or give the client rate_limits=.",
        "1분당 한도를 모두 썼습니다({quota}).{detail}",
        "다음 1분까지 기다리세요. 한도는 메인 계정 전체에서 모델별로, 입력과 요청한 최대 출력 토큰을 합해 계산됩니다. "
        "최대 출력 토큰을 낮추거나 요청을 줄이거나 클라이언트에 rate_limits=를 주세요.",
    ),
    "overloaded": _Words(
        "The service is overloaded ({quota}); the account's own quota is not used up.",
        "Try again shortly.",
        "서비스가 혼잡합니다({quota}). 계정의 한도 문제는 아닙니다.",
        "잠시 뒤 다시 시도하세요.",
    ),
    "model_unavailable": _Words(
        "The key is valid, but the model {model} is not available: {message}.",
        "Choose another with --model ('clova-studio models' lists them).",
        "키는 유효하지만 {model} 모델을 쓸 수 없습니다: {message}.",
        "--model로 다른 모델을 고르세요('clova-studio models' 참고).",
    ),
    "wrong_path": _Words(
        "The service answers, but the path does not exist there.",
        "Check the base URL: it is the host alone, without /testapp or /v1.",
        "서비스는 응답하지만 해당 경로가 없습니다.",
        "기본 URL을 확인하세요. /testapp이나 /v1 없이 호스트만 써야 합니다.",
    ),
    "not_the_service": _Words(
        "What answers at {host} is not CLOVA Studio (HTTP {status}).",
        "Check the base URL, and whether a proxy, firewall or login page answers in its place.",
        "{host}에서 응답한 것은 CLOVA Studio가 아닙니다(HTTP {status}).",
        "기본 URL을 확인하고, 프록시나 방화벽, 로그인 페이지가 대신 응답하는지 확인하세요.",
    ),
    "service_error": _Words(
        "The service, or a gateway in front of it, failed (HTTP {status}).",
        "Try again in a few minutes; if it keeps failing, look at the notices of NAVER Cloud.",
        "서비스 또는 앞단 게이트웨이의 오류입니다(HTTP {status}).",
        "몇 분 뒤 다시 시도하고, 계속되면 네이버 클라우드 공지를 확인하세요.",
    ),
    "dns": _Words(
        "The host name {host} cannot be resolved.",
        "Check the network and its DNS, and the base URL for a typing error.",
        "호스트 이름 {host}을(를) 찾을 수 없습니다.",
        "네트워크와 DNS 설정, 기본 URL의 오타를 확인하세요.",
    ),
    "refused": _Words(
        "{host} refuses the connection: nothing listens there.",
        "Check the base URL and its port; if it is an emulator, start it ('clova-studio emulator').",
        "{host}에서 연결을 거부했습니다. 해당 포트에 실행 중인 서버가 없습니다.",
        "기본 URL과 포트를 확인하세요. 에뮬레이터라면 먼저 실행하세요('clova-studio emulator').",
    ),
    "tls_certificate": _Words(
        "The certificate of {host} is not trusted.",
        "Behind a company's proxy set SSL_CERT_FILE to its certificate authority; else check the clock and the base "
        "URL.",
        "{host}의 인증서를 신뢰할 수 없습니다.",
        "회사 프록시를 쓴다면 SSL_CERT_FILE에 해당 인증 기관(CA) 파일을 지정하고, 아니면 시스템 시각과 기본 URL을 "
        "확인하세요.",
    ),
    "tls": _Words(
        "No secure connection (TLS) to {host} can be made.",
        "Check whether the server speaks https, and that no proxy interferes with TLS.",
        "{host}와 보안 연결(TLS)을 맺지 못했습니다.",
        "기본 URL의 https 여부와 프록시의 TLS 간섭 여부를 확인하세요.",
    ),
    "proxy": _Words(
        "The proxy {proxy} does not let the connection through.",
        "Check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY, or list the host in NO_PROXY.",
        "프록시 {proxy}를 통한 연결에 실패했습니다.",
        "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY를 확인하거나 NO_PROXY에 호스트를 추가하세요.",
    ),
    "timeout": _Words(
        "{host} does not answer within the time limit.",
        "Check whether a firewall drops the connection, or set a longer --timeout.",
        "{host}이(가) 제한 시간 안에 응답하지 않습니다.",
        "방화벽이 연결을 막는지 확인하거나 --timeout을 늘리세요.",
    ),
    "no_route": _Words(
        "There is no network route to {host}.",
        "Check the network connection and VPN.",
        "{host}까지의 네트워크 경로가 없습니다.",
        "네트워크 연결과 VPN을 확인하세요.",
    ),
    "broken_connection": _Words(
        "The connection to {host} breaks before an answer arrives.",
        "Check for a firewall or proxy in between, and try again.",
        "{host}와의 연결이 응답 전에 끊어집니다.",
        "중간의 방화벽이나 프록시를 확인하고 다시 시도하세요.",
    ),
    "refused_request": _Words(
        "The service refuses the request: {message}.",
        "{hint}",
        "서비스가 요청을 거부했습니다: {message}.",
        "{hint_ko}",
    ),
    "second_key_unused": _Words(
        "NCP_APIGW_API_KEY is set but not used: a key that starts with nv- is sent alone.",
        "Unset it.",
        "NCP_APIGW_API_KEY가 설정되어 있지만 쓰이지 않습니다. nv- 키는 단독으로 쓰입니다.",
        "해당 변수를 해제하세요.",
        "warning",
    ),
    "old_pair": _Words(
        "This is the old pair of keys: it works here, but not with the OpenAI-compatible API.",
        "Make a key (nv-...) in the console under 'API key'.",
        "옛 키 쌍입니다. 여기서는 동작하지만 OpenAI 호환 API에서는 쓸 수 없습니다.",
        "콘솔의 'API 키' 메뉴에서 nv- 키를 발급받으세요.",
        "warning",
    ),
    "two_keys": _Words(
        "CLOVASTUDIO_API_KEY and NCP_CLOVASTUDIO_API_KEY hold different keys; the first is used.",
        "Unset the one that you do not want to use.",
        "CLOVASTUDIO_API_KEY와 NCP_CLOVASTUDIO_API_KEY의 키가 서로 다릅니다. 첫 번째 키가 쓰입니다.",
        "쓰지 않을 변수를 해제하세요.",
        "warning",
    ),
    "bad_store": _Words(
        "CLOVASTUDIO_QUOTA_STORE cannot be used: {problem}.",
        "Set it to sqlite:///path for the processes of one machine, or to redis://host:6379/0 for several machines; or "
        "unset it.",
        "CLOVASTUDIO_QUOTA_STORE를 쓸 수 없습니다: {problem}.",
        "한 컴퓨터의 프로세스끼리는 sqlite:///path, 여러 컴퓨터라면 redis://host:6379/0으로 설정하거나 해제하세요.",
    ),
    "store_fails": _Words(
        "The quota store {store} does not work: {problem}. Each process then goes on alone, with its own share of the "
        "quota.",
        "Check that the server runs and is reached from here, its password and its memory; for SQLite the folder, its "
        "permissions and the free space.",
        "한도 저장소 {store}이(가) 동작하지 않습니다: {problem}. 그동안 프로세스마다 자기 몫의 한도만 따로 씁니다.",
        "서버가 실행 중이고 여기서 연결되는지, 비밀번호와 메모리를 확인하세요. SQLite라면 폴더와 권한, 남은 용량을 "
        "확인하세요.",
        "warning",
    ),
    "slow_store": _Words(
        "The quota store {store} is slow: {milliseconds:.0f} ms for a question. From 250 ms on it is left out.",
        "Use a server that is nearer, or give the one that there is more to work with.",
        "한도 저장소 {store}이(가) 느립니다(질의당 {milliseconds:.0f}ms). 250ms를 넘으면 쓰이지 않습니다.",
        "더 가까운 서버를 쓰거나 서버의 부하를 줄이세요.",
        "warning",
    ),
    "not_encrypted": _Words(
        "The base URL is http: the key is sent over the network unencrypted.",
        "Use https.",
        "기본 URL이 http입니다. 키가 암호화되지 않은 채 전송됩니다.",
        "https를 쓰세요.",
        "warning",
    ),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem and its remedy, in English and Korean."""

    id: str  # its name for scripts, such as wrong_key
    severity: str  # "error", or "warning" for a problem that does not stop requests
    problem: dict[str, str]
    remedy: dict[str, str]
    status_code: int | None = None
    code: str | None = None  # the service's
    message: str | None = None  # the service's message, or the connection's error
    request_id: str | None = None  # for questions to NAVER's support


def finding(name: str, error: BaseException | None = None, **facts: Any) -> Finding:
    """Return a finding by its name, with the facts of the error that led to it."""
    words = FINDINGS[name]
    return Finding(
        id=name,
        severity=words.severity,
        problem={"en": words.problem.format(**facts), "ko": words.problem_ko.format(**facts)},
        remedy={"en": words.remedy.format(**facts), "ko": words.remedy_ko.format(**facts)},
        status_code=getattr(error, "status_code", None),
        code=getattr(error, "code", None),
        message=getattr(error, "message", None if error is None else str(error)),
        request_id=getattr(error, "request_id", None),
    )
