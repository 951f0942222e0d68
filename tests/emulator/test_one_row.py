"""One row is enough: a new error code and a new model are served everywhere once the emulator's tables have them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import clova_studio.emulator

EMULATOR = Path(clova_studio.emulator.__file__).parent


def run_with_row(folder: Path, module: str, before: str, row: str, script: str) -> Any:
    """Run a script on a copy of the emulator that has one row more, and give the JSON value that it prints."""
    package = folder / "clova_studio"
    shutil.copytree(EMULATOR, package / "emulator", ignore=shutil.ignore_patterns("__pycache__"))
    (package / "__init__.py").touch()
    table = package / "emulator" / module
    text = table.read_text(encoding="utf-8")
    assert text.count(before) == 1
    table.write_text(text.replace(before, f"{row}\n{before}"), encoding="utf-8")
    (folder / "script.py").write_text(script, encoding="utf-8")  # its folder comes first on the path
    done = subprocess.run(
        [sys.executable, str(folder / "script.py")], capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


SERVE = """
import asyncio, json
import httpx
from clova_studio.emulator import Fault, create_app

async def main(app, *requests):
    found = []
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://emulator", headers={"authorization": "Bearer nv-key"}
    ) as client:
        for method, path, body in requests:
            answer = await client.request(method, path, json=body)
            found.append([answer.status_code, answer.json()])
    print(json.dumps(found))

CHAT = {"messages": [{"role": "user", "content": "hello"}]}
"""


def test_error_code(tmp_path: Path) -> None:
    """Faults by code or status have the status and message of a new code; configurations accept it."""
    script = (
        SERVE
        + """
config = {
    "routers": [
        {
            "id": "a",
            "domains": [{"name": "b", "description": "c"}],
            "errors": [{"keyword": "broken", "code": "41800"}],
        }
    ]
}
faults = [Fault("status", code="41800", path="HCX-005"), Fault("status", status=418, path="HCX-007")]
asyncio.run(
    main(
        create_app(config=config, faults=faults),
        ("POST", "/v3/chat-completions/HCX-005", CHAT),
        ("POST", "/v3/chat-completions/HCX-007", CHAT),
        ("POST", "/v1/routers/a/versions/1/route", {"query": "broken"}),
    )
)
"""
    )
    found = run_with_row(
        tmp_path, "rules/refusals.py", '    "42400": (424,', '    "41800": (418, "A new refusal"),', script
    )
    assert [status for status, _ in found] == [418, 418, 418]
    assert all(body["status"] == {"code": "41800", "message": "A new refusal"} for _, body in found)


def test_model(tmp_path: Path) -> None:
    """A new model chats, natively and in OpenAI's form, is listed, counted and can be trained."""
    script = (
        SERVE
        + """
storage = {"trainingDataset" + name: "a.csv" for name in ("FilePath", "Bucket", "AccessKey", "SecretKey")}
asyncio.run(
    main(
        create_app(),
        ("GET", "/v1/openai/models", None),
        ("POST", "/v3/chat-completions/HCX-NEW", CHAT),
        ("POST", "/v1/openai/chat/completions", {"model": "HCX-NEW", **CHAT}),
        ("POST", "/v3/api-tools/chat-tokenize/HCX-NEW", CHAT),
        ("POST", "/tuning/v2/tasks", {"model": "HCX-NEW", **storage}),
    )
)
"""
    )
    found = run_with_row(
        tmp_path,
        "rules/catalogue.py",
        '        Model("HCX-DASH-002",',
        '        Model("HCX-NEW", 3, 64_000, 64_000, 4_096, tools=True),',
        script,
    )
    assert [status for status, _ in found] == [200] * 5, found
    models, native, compatible, _, task = (body for _, body in found)
    assert "HCX-NEW" in {model["id"] for model in models["data"]}
    assert native["result"]["message"]["content"]
    assert compatible["model"] == "HCX-NEW"
    assert task["result"]["model"] == "HCX-NEW"
