"""What each error code of the service means for a caller: one row per code, read by errors, retries and ``doctor``.

Source: the troubleshooting pages of the API guide (clovastudio-troubleshoot), and for 40009 and 40104 observed traffic.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CODES", "ErrorCode", "hint_for", "lookup"]


class ErrorCode(NamedTuple):
    """A code of the service.

    Attributes:
        code: Its five digits.
        error: The name of the error class that it is raised as.
        hint: What to do, in English.
        hint_ko: The same in Korean.
        when: Parts of the message, in lower case, one of which must occur for this row to apply; empty for any message.
            Such a row stands before the code's general row.
        retry: Whether sending the same request again can help.
        closes_quota: Whether the code says that the account's quota is used up, for every caller.
        finding: What ``doctor`` calls it where the error's class does not decide.
    """

    code: str
    error: str
    hint: str
    hint_ko: str
    when: tuple[str, ...] = ()
    retry: bool = False
    closes_quota: bool = False
    finding: str = ""


CODES = (
    ErrorCode("40000", "BadRequestError", "Check the form of the request.", "요청 형식을 확인하세요."),
    ErrorCode(
        "40001",
        "BadRequestError",
        "A parameter is out of range, or the named features cannot be combined.",
        "파라미터가 범위를 벗어났거나 함께 쓸 수 없는 기능입니다.",
    ),
    ErrorCode("40002", "BadRequestError", "Leave the named parameter out.", "해당 파라미터를 빼고 요청하세요."),
    ErrorCode(
        "40003",
        "BadRequestError",
        "A request may have up to five images.",
        "한 요청에는 이미지를 최대 5개까지 보낼 수 있습니다.",
        when=("image",),
    ),
    ErrorCode(
        "40003",
        "ContextLengthError",
        "Shorten the input or lower the maximum output tokens.",
        "입력을 줄이거나 최대 출력 토큰 수를 낮추세요.",
    ),
    ErrorCode("40004", "BadRequestError", "Send a text that is not empty.", "비어 있지 않은 텍스트를 보내세요."),
    ErrorCode(
        "40005",
        "BadRequestError",
        "The answer cannot be given; change the request.",
        "답변을 제공할 수 없습니다. 요청 내용을 바꾸세요.",
    ),
    ErrorCode(
        "40009",
        "BadRequestError",
        "This model takes text only; use HCX-005 for images.",
        "텍스트 전용 모델입니다. 이미지는 HCX-005를 쓰세요.",
        when=("input format",),
    ),
    ErrorCode(
        "40009",
        "UnsupportedFunctionError",
        (
            "With tools: shorten their descriptions and enums, declare fewer of them, or try another model (HCX-007 is "
            "the best at tools); the model may also have invented a tool name, and tool_choice='none' answers without "
            "tools. The same request can pass later. Without tools: the model lacks this feature."
        ),
        (
            "도구를 쓰는 요청이라면 도구 설명과 enum을 줄이거나, 도구 수를 줄이거나, 다른 모델(HCX-007 권장)을 "
            "쓰세요. 모델이 없는 도구를 호출했을 수도 있습니다. tool_choice='none'이면 도구 없이 답합니다. 같은 요청이 "
            "나중에 성공하기도 합니다. 도구가 없는 요청이라면 모델이 지원하지 않는 기능입니다."
        ),
    ),
    ErrorCode(
        "40055",
        "BadRequestError",
        "Use only the JSON Schema keywords that structured outputs support.",
        "구조화된 출력이 지원하는 JSON 스키마 키워드만 사용하세요.",
    ),
    ErrorCode("40060", "BadRequestError", "Send BMP, PNG, JPEG or WEBP.", "BMP, PNG, JPEG, WEBP 이미지를 보내세요."),
    ErrorCode("40061", "BadRequestError", "An image may have up to 20 MB.", "이미지는 20MB 이하여야 합니다."),
    ErrorCode(
        "40063",
        "BadRequestError",
        (
            "Check the image: long side up to 2240 px, short side from 4 px, ratio up to 1:5, a reachable URL "
            "with a file extension."
        ),
        "이미지의 크기, 비율, URL을 확인하세요.",
        when=("download failed", "processing error"),
        retry=True,
    ),
    ErrorCode(
        "40063",
        "BadRequestError",
        (
            "Check the image: long side up to 2240 px, short side from 4 px, ratio up to 1:5, a reachable URL "
            "with a file extension."
        ),
        "이미지의 크기, 비율, URL을 확인하세요.",
    ),
    ErrorCode(
        "40080", "NotFoundError", "Check the model name.", "모델 이름을 확인하세요.", finding="model_unavailable"
    ),
    ErrorCode(
        "40082",
        "NotFoundError",
        "The model has been retired; choose a current one.",
        "종료된 모델입니다. 현재 제공되는 모델을 사용하세요.",
        finding="model_unavailable",
    ),
    ErrorCode(
        "40083",
        "BadRequestError",
        "The contract or subscription of this model may have ended.",
        "모델의 이용 계약 상태를 확인하세요.",
        finding="model_unavailable",
    ),
    ErrorCode(
        "40084",
        "NotFoundError",
        "This API does not serve this model (HCX-003 and HCX-DASH-001 are v1, the others v3).",
        "이 API에서 지원하지 않는 모델입니다.",
        finding="model_unavailable",
    ),
    ErrorCode(
        "40100",
        "AuthenticationError",
        "Check the key; a service key works only for the APIs of a registered service app.",
        "API 키를 확인하세요. 서비스 키는 등록된 서비스 앱의 API에서만 쓸 수 있습니다.",
        finding="service_key_without_app",
    ),
    ErrorCode(
        "40101",
        "AuthenticationError",
        "Check the signature of the key.",
        "키의 서명을 확인하세요.",
        finding="broken_authorization",
    ),
    ErrorCode(
        "40102",
        "AuthenticationError",
        "Use an nv- key as Bearer, or the old pair of headers.",
        "nv- 키를 사용하세요.",
        finding="broken_authorization",
    ),
    ErrorCode(
        "40103",
        "AuthenticationError",
        "The access token has expired; use an nv- key.",
        "액세스 토큰이 만료되었습니다. nv- 키를 사용하세요.",
        finding="token_expired",
    ),
    ErrorCode(
        "40104",
        "AuthenticationError",
        (
            "This key is not valid: give a whole test or service key, which starts with nv- (an old key goes "
            "with apigw_api_key=)."
        ),
        (
            "유효하지 않은 키입니다. nv-로 시작하는 테스트 키나 서비스 키를 온전히 넣으세요. 옛 키는 "
            "apigw_api_key=와 함께 쓰세요."
        ),
    ),
    ErrorCode(
        "40170",
        "AuthenticationError",
        "Apply for CLOVA Studio in the console first.",
        "콘솔에서 CLOVA Studio 이용을 먼저 신청하세요.",
        finding="no_subscription",
    ),
    ErrorCode("40300", "PermissionDeniedError", "The key has no right to this.", "이 요청에 대한 권한이 없습니다."),
    ErrorCode("40301", "PermissionDeniedError", "This belongs to another account.", "다른 계정의 자원입니다."),
    ErrorCode("40400", "NotFoundError", "Check the path or the id.", "경로나 ID를 확인하세요."),
    ErrorCode(
        "40600", "BadRequestError", "Ask for application/json or text/event-stream.", "Accept 헤더를 확인하세요."
    ),
    ErrorCode(
        "40800",
        "APIStatusError",
        "The service took too long; try again.",
        "시간이 초과되었습니다. 다시 시도하세요.",
        retry=True,
    ),
    ErrorCode(
        "41300",
        "BadRequestError",
        "A request may have up to 50 MB; send images as URLs.",
        "요청 본문은 50MB 이하여야 합니다.",
    ),
    ErrorCode(
        "41500", "BadRequestError", "Send JSON as application/json.", "Content-Type은 application/json이어야 합니다."
    ),
    ErrorCode(
        "41501", "BadRequestError", "Send JSON as application/json.", "Content-Type은 application/json이어야 합니다."
    ),
    ErrorCode("42400", "BadRequestError", "Check the request and try again.", "요청을 확인한 뒤 다시 시도하세요."),
    ErrorCode(
        "42900",
        "RateLimitError",
        "Wait for the next minute, or lower the maximum output tokens.",
        "1분 뒤에 다시 시도하세요.",
        retry=True,
        closes_quota=True,
    ),
    ErrorCode(
        "42901",
        "RateLimitError",
        (
            "The requests or tokens of this minute are used up (input plus the requested maximum output "
            "counts); wait, or lower the maximum output tokens."
        ),
        "분당 한도를 모두 썼습니다. 기다리거나 최대 출력 토큰 수를 낮추세요.",
        retry=True,
        closes_quota=True,
    ),
    ErrorCode(
        "42902",
        "RateLimitError",
        "The service is overloaded; try again shortly.",
        "서비스가 혼잡합니다. 잠시 뒤 다시 시도하세요.",
        retry=True,
        finding="overloaded",
    ),
    ErrorCode(
        "42903",
        "RateLimitError",
        "The image queue is full; try again shortly.",
        "이미지 대기열이 가득 찼습니다. 잠시 뒤 다시 시도하세요.",
        retry=True,
        finding="overloaded",
    ),
    ErrorCode(
        "50000", "ServerError", "An error of the service; try again.", "서비스 오류입니다. 다시 시도하세요.", retry=True
    ),
    ErrorCode(
        "50100", "ServerError", "This is not implemented by the service.", "서비스가 아직 지원하지 않는 기능입니다."
    ),
    ErrorCode(
        "50400",
        "ServerError",
        "The gateway timed out; try again, or stream long answers.",
        "게이트웨이 시간 초과입니다. 다시 시도하세요.",
        retry=True,
    ),
    ErrorCode("61002", "BadRequestError", "Send a query that is not empty.", "비어 있지 않은 질의를 보내세요."),
    ErrorCode(
        "61004",
        "BadRequestError",
        "A skill's API failed or took over 30 s: check it, and its call options.",
        "스킬의 API가 실패했거나 30초를 넘겼습니다. API와 호출 옵션을 확인하세요.",
    ),
    ErrorCode(
        "61005", "BadRequestError", "Contact the support of CLOVA Studio.", "CLOVA Studio 고객 지원에 문의하세요."
    ),
    ErrorCode(
        "62001",
        "BadRequestError",
        "The query could not be understood: change it, or the skill's description for the model.",
        "질의를 분석하지 못했습니다. 질의나 스킬의 모델용 설명을 바꿔 보세요.",
    ),
    ErrorCode(
        "63001",
        "BadRequestError",
        "The call of a skill failed: check its API.",
        "스킬 호출이 실패했습니다. 스킬의 API를 확인하세요.",
    ),
    ErrorCode(
        "63002",
        "BadRequestError",
        "The model called no API: check the skill's definition.",
        "API 호출이 없습니다. 스킬 정의를 확인하세요.",
    ),
    ErrorCode(
        "64000",
        "ServerError",
        "The model does not answer; try again.",
        "모델이 응답하지 않습니다. 다시 시도하세요.",
        retry=True,
    ),
    ErrorCode("64400", "ContextLengthError", "Shorten the input.", "입력을 줄이세요."),
    ErrorCode(
        "64429",
        "RateLimitError",
        "Wait for the next minute.",
        "1분 뒤에 다시 시도하세요.",
        retry=True,
        closes_quota=True,
    ),
    ErrorCode(
        "64424",
        "ServerError",
        "The model could not write an answer; try again.",
        "답변을 만들지 못했습니다. 다시 시도하세요.",
        retry=True,
    ),
    ErrorCode(
        "64500",
        "ServerError",
        "An error of the model server; try again.",
        "모델 서버 오류입니다. 다시 시도하세요.",
        retry=True,
    ),
    ErrorCode(
        "65001",
        "BadRequestError",
        "The router's model named a domain or filter that does not exist: rename them, or vary the query.",
        "라우터에 없는 도메인이나 필터가 나왔습니다. 이름이나 질의를 바꿔 보세요.",
    ),
    ErrorCode(
        "65002",
        "ServerError",
        "The router's answer could not be read; try again.",
        "라우터의 답을 해석하지 못했습니다. 다시 시도하세요.",
        retry=True,
    ),
    ErrorCode("65400", "ContextLengthError", "Shorten the input.", "입력을 줄이세요."),
)

_BY_CODE: dict[str, list[ErrorCode]] = {}
for _row in CODES:
    _BY_CODE.setdefault(_row.code, []).append(_row)


def lookup(code: str | None, message: str = "") -> ErrorCode | None:
    """Return the row of a code, None for a code that is not documented.

    Args:
        code: The five-digit code of the service.
        message: Its message; some codes have several meanings.
    """
    text = message.lower()
    for row in _BY_CODE.get(code or "", ()):
        if not row.when or any(part in text for part in row.when):
            return row
    return None


def hint_for(code: str | None, message: str = "") -> str | None:
    """Return what to do about an error, in English and Korean, or None where nothing is documented.

    Args:
        code: The five-digit code of the service.
        message: Its message.
    """
    row = lookup(code, message)
    return f"{row.hint} / {row.hint_ko}" if row else None
