"""What recording and replay share of the wire and of the request log: a refusal of their own, and no secrets."""

from clova_studio.emulator.recording.events import as_bytes
from clova_studio.emulator.recording.interactions import Request, body_bytes
from clova_studio.emulator.recording.secrets import MASK, Secrets, is_secret_header
from clova_studio.emulator.rules.facts import Facts
from clova_studio.emulator.server.hints import HINT_HEADER, printable
from clova_studio.emulator.server.http_connection import HttpConnection
from clova_studio.emulator.server.request_log import RecordedRequest, RequestLog
from clova_studio.emulator.server.routes import is_openai_path
from clova_studio.emulator.server.wire import failure, openai_failure

_CODE = "40400"


def show(
    record: RecordedRequest, log: RequestLog, request: Request, connection: HttpConnection, secrets: Secrets
) -> None:
    """Fill the entry of the request log with what is free of secrets."""
    record.path = secrets.mask(record.path)
    record.query = dict(request.query)
    record.headers = {
        name: MASK if is_secret_header(name) else secrets.mask(value) for name, value in connection.headers.items()
    }
    log.complete(record, as_bytes(request.body["text"]) if "text" in request.body else body_bytes(request.body))


async def refuse(connection: HttpConnection, record: RecordedRequest, request: Request, facts: Facts) -> None:
    """Answer, in the emulator's form, that a request is not in the recording."""
    record.code, record.message = _CODE, "Not in the recording"
    message = f"{record.message}: {request.method} {request.path}. {record.hint}"
    as_openai = is_openai_path(connection.raw_path)
    body = openai_failure(_CODE, message) if as_openai else failure(_CODE, message, facts)
    headers = {"content-type": "application/json", HINT_HEADER: printable(record.hint)}
    await connection.answer(404, headers, body)
