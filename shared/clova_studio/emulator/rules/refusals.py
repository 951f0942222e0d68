"""Refusals of the service: one exception, and the table of documented codes.

Source: the troubleshooting pages of the API guide (overview, 4xx, 5xx, and the skill pages for the 6xxxx codes).
"""

# Code -> (HTTP status, message). Where the guide prints several messages for one code, the first is the default.
CODES: dict[str, tuple[int, str]] = {
    "20000": (200, "OK"),
    "20400": (204, "No content"),
    "40000": (400, "Bad request"),
    "40001": (400, "Invalid parameter"),
    "40002": (400, "Unsupported parameter"),
    "40003": (400, "Context length exceeded"),
    "40004": (400, "Text empty"),
    "40005": (400, "Unavailable output"),
    "40009": (400, "Unsupported function"),
    "40055": (400, "Invalid response format schema"),
    "40060": (400, "Unsupported image format"),
    "40061": (400, "File size error"),
    "40063": (400, "Invalid image file"),
    "40080": (400, "Model not found"),
    "40082": (400, "Model fade out"),
    "40083": (400, "Model no resource"),
    "40084": (400, "Unsupported API for model"),
    "40100": (401, "Unauthorized"),
    "40101": (401, "Invalid signature"),
    "40102": (401, "Invalid Authentication Type"),
    "40103": (401, "Access token expired"),
    "40104": (401, "Invalid key"),
    "40170": (401, "No subscription request history found. Please request a subscription to use"),
    "40300": (403, "Forbidden"),
    "40301": (403, "No ownership"),
    "40400": (404, "Not found"),
    "40600": (406, "Not Acceptable"),
    "40800": (408, "Request timeout"),
    "41300": (413, "Request body size exceeded"),
    "41500": (415, "MediaType error"),
    "41501": (415, "No multipart boundary Content-Type"),
    "42400": (424, "Processing Failed"),
    "42900": (429, "Too many requests"),
    "42901": (429, "Too many requests - rate exceeded"),
    "42902": (429, "Too many requests - overloaded"),
    "42903": (429, "Too many requests - image queue"),
    "50000": (500, "Internal server error"),
    "50100": (501, "Not yet implemented"),
    "50400": (504, "Gateway timeout"),
    "61002": (400, "Missing input value"),
    "61004": (400, "Invalid action input"),
    "61005": (400, "Missing model url"),
    "62001": (400, "Invalid input value"),
    "63001": (400, "Invalid action in cot"),
    "63002": (400, "Requests_* action not in cot"),
    "64000": (500, "Model unavailable"),
    "64400": (400, "Context length exceeded"),
    "64424": (500, "Model generation failed"),
    "64429": (429, "Too many requests"),
    "64500": (500, "Model server error"),
    "65001": (400, "Invalid labels detected"),
    "65002": (500, "Response parsing failed"),
    "65400": (400, "Context length exceeded"),
}

_RATE_LIMIT = "42901"


class Refusal(Exception):  # noqa: N818 - an answer of the service, not an error of the emulator
    """The service refuses the request: HTTP status and headers, five-digit code and message of the envelope."""

    def __init__(
        self, code: str, message: str | None = None, *, status: int | None = None, headers: dict[str, str] | None = None
    ) -> None:
        documented_status, documented_message = CODES.get(code, (status or 500, "Internal server error"))
        self.status = documented_status if status is None else status
        self.code = code
        self.message = documented_message if message is None else message
        self.headers = dict(headers or {})
        super().__init__(f"{self.status} {self.code} {self.message}")


def invalid(*names: str) -> Refusal:
    """40001 with the names of the invalid parameters; several names are features that exclude each other."""
    return Refusal("40001", f"Invalid parameter: {', '.join(names)}" if names else "Invalid parameter")


def code_for_status(status: int) -> str:
    """The most likely code for an HTTP status, for faults that name only the status."""
    if status == CODES[_RATE_LIMIT][0]:
        return _RATE_LIMIT
    return next((code for code, (known, _) in CODES.items() if known == status), f"{status:03d}00")
