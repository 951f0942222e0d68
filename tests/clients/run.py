"""Tries foreign clients of the OpenAI-compatible path, each in an environment of its own: ``make clients``.

For each client: what it sends by default and the service refuses, the hint that the emulator gives, and the switch that
helps. The rows are those of the table in the documentation. Needs a package index.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from clova_studio.emulator import serve
from clova_studio.emulator.server.hints import HABITS

if TYPE_CHECKING:
    from clova_studio.emulator import EmulatorServer

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parents[1] / ".clients"

# Client, as the hints name it -> what is installed for its program.
CLIENTS = {
    "openai-python": ("openai", ["openai"]),
    "langchain-naver": ("langchain_naver", ["langchain-naver==0.1.1"]),
    "langchain-openai": ("langchain_openai", ["langchain-openai"]),
    "pydantic-ai": ("pydantic_ai", ["pydantic-ai-slim[openai]"]),
    "litellm": ("litellm", ["litellm"]),
    "instructor": ("instructor", ["instructor"]),
    "openai-like": ("openai_like", ["llama-index-llms-openai-like", "llama-index-embeddings-openai-like"]),
}


def install(client: str) -> str:
    """Make a client's environment, if there is none, and return its Python."""
    folder = ENVIRONMENTS / client
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "uv", "venv", "-q", "--python", sys.executable, str(folder)], check=True)
    wanted = CLIENTS[client][1]
    subprocess.run([sys.executable, "-m", "uv", "pip", "install", "-q", "--python", str(python), *wanted], check=True)
    return str(python)


def attempt(client: str, python: str, server: EmulatorServer) -> list[str]:
    """Run a client's program and return what it sends; an error where the emulator's hint does not fit."""
    script = HERE / f"client_{CLIENTS[client][0]}.py"
    seen = len(server.requests)
    done = subprocess.run(
        [python, str(script), f"{server.base_url}/v1/openai", server.api_key],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{client}: {done.stdout}\n{done.stderr}")
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    hints = [request.hint for request in server.requests[seen:] if request.status == 400]
    for row in rows:
        habit = next(habit for habit in HABITS if habit.sends == row["sends"])
        if habit.hint not in hints:
            raise RuntimeError(f"{client}: no hint for {row['sends']}; there were {hints}")
        if client not in habit.clients:
            raise RuntimeError(f"{client} sends {row['sends']}, and the hint does not name it: {habit.clients}")
        if row["answered"] is False:
            raise RuntimeError(f"{client}: the switch for {row['sends']} brings no answer")
    return [row["sends"] for row in rows]


def main() -> int:
    """Try the clients that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clients", nargs="*", choices=[*CLIENTS, []], help="clients to try (default: all)")
    parser.add_argument("--here", action="store_true", help="use this environment, which has the clients already")
    arguments = parser.parse_args()
    wanted = arguments.clients or list(CLIENTS)
    logging.getLogger("clova_studio.emulator").setLevel(logging.ERROR)  # the refusals are what is tried
    for client in wanted:
        python = sys.executable if arguments.here else install(client)
        for behaviour in ("observed", "documented"):
            with serve(behaviour=behaviour) as server:
                print(f"{client} ({behaviour}): {', '.join(attempt(client, python, server))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
