"""``clova-studio models``: the catalogue, and what the service lists for the key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clova_studio._cli._parsing import add_connection_options, connect, key_settings
from clova_studio._cli._terminal import complain, note, say, say_json, table

if TYPE_CHECKING:
    import argparse

    from clova_studio import ModelInfo

__all__ = ["add_arguments", "run"]

_ABILITIES = ("tools", "images", "thinking", "structured_output")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``clova-studio models``."""
    parser.description = (
        "List the models that this package knows, with their limits in tokens and their abilities, and which model to\n"
        "begin with for what.\n"
        "With a key, also those that the service lists for it (OpenAI-compatible path 'models')."
    )
    parser.add_argument("--local", action="store_true", help="do not ask the service")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_connection_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run ``clova-studio models``; return 1 when the service did not list its models. The catalogue is always shown."""
    from dataclasses import asdict

    from clova_studio import EMBEDDING_MODELS, MODEL_USES, MODELS

    listed, code = _listed(arguments)
    if arguments.json:
        chat = [{name: value for name, value in asdict(info).items() if name != "known"} for info in MODELS.values()]
        say_json(
            {
                "chat": chat,
                "embedding": [asdict(info) for info in EMBEDDING_MODELS.values()],
                "uses": [asdict(use) for use in MODEL_USES],
                "listed": listed,
            }
        )
        return code
    mark = [] if listed is None else ["LISTED"]
    head = ["CHAT MODEL", "API", "CONTEXT", "INPUT", "OUTPUT", *mark, "ABILITIES"]
    say(table(head, [[*_limits(info), *_mark(info.name, listed), _abilities(info)] for info in MODELS.values()]))
    rows = [
        [info.name, f"{info.max_tokens:,}", f"{info.dimensions:,}", *_mark(info.name, listed)]
        for info in EMBEDDING_MODELS.values()
    ]
    say("\n" + table(["EMBEDDING MODEL", "INPUT", "DIMENSIONS", *mark], rows))
    say("\n" + _uses())
    others = [name for name in listed or [] if name not in MODELS and name not in EMBEDDING_MODELS]
    if others:
        say("\nalso listed by the service: " + ", ".join(others))
    return code


def _listed(arguments: argparse.Namespace) -> tuple[list[str] | None, int]:
    """Return the names that the service lists, None if it was not asked or did not answer, and the exit code."""
    from clova_studio import ClovaStudioError, ConfigurationError

    keys = key_settings()
    if arguments.local or not keys:
        return None, 0
    if "apigw_api_key" in keys:
        note("the old key pair is not accepted by the OpenAI-compatible API: the service was not asked")
        return None, 0
    try:
        with connect(arguments) as client:
            return [model.id for model in client.openai.models().data], 0
    except ConfigurationError:
        raise
    except ClovaStudioError as error:
        complain(error)
        return None, 1


def _uses() -> str:
    """Return the table of which model for what, and where its reasons are from."""
    from clova_studio import MODEL_USE_SOURCES, MODEL_USES

    rows = [[use.task, ", ".join(use.models), use.source, use.why] for use in MODEL_USES]
    sources = "\n".join(f"{name}: {text}" for name, text in MODEL_USE_SOURCES.items())
    return f"{table(['FOR', 'MODEL', 'SOURCE', 'BECAUSE'], rows)}\n\n{sources}"


def _limits(info: ModelInfo) -> list[str]:
    counts = (info.context_window, info.max_input_tokens, info.max_output_tokens)
    return [info.name, info.api, *(f"{count:,}" for count in counts)]


def _abilities(info: Any) -> str:
    return ", ".join(name.replace("_", " ") for name in _ABILITIES if getattr(info, name)) or "-"


def _mark(name: str, listed: list[str] | None) -> list[str]:
    return [] if listed is None else ["yes" if name in listed else "no"]
