"""``clova-studio chat``: one question, or a conversation on a terminal."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

from clova_studio._cli._parsing import add_connection_options, connect
from clova_studio._cli._terminal import complain, is_terminal, note, read_text, say, say_json
from clova_studio._errors import AuthenticationError, ClovaStudioError, ConfigurationError
from clova_studio.adapters._empty_answers import thinking_tokens, why_empty

if TYPE_CHECKING:
    import argparse

    from clova_studio import ChatResult, ClovaStudio

__all__ = ["add_arguments", "run"]

# Options by the client's names -> their settings as command-line options.
_OPTIONS: dict[str, dict[str, Any]] = {
    "thinking": {"choices": ("none", "low", "medium", "high"), "help": "how much HCX-007 thinks"},
    "max_tokens": {"type": int, "metavar": "N", "help": "output cap, thinking included"},
    "temperature": {"type": float, "metavar": "X", "help": "0 to 1"},
    "top_p": {"type": float, "metavar": "X", "help": "above 0, up to 1"},
    "top_k": {"type": int, "metavar": "N", "help": "0 to 128"},
    "repetition_penalty": {"type": float, "metavar": "X", "help": "v3: up to 2, v1: up to 10"},
    "stop": {"action": "append", "metavar": "TEXT", "help": "where to end (can be repeated)"},
    "seed": {"type": int, "metavar": "N", "help": "0 is random"},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``clova-studio chat``."""
    parser.description = (
        "Ask a model. The answer goes to stdout as it arrives; thinking and the tokens used go to stderr.\n"
        "The prompt is the argument or stdin; on a terminal without an argument it is a conversation,\n"
        "in which /new starts over and Ctrl-D ends."
    )
    parser.epilog = """\
examples:
  clova-studio chat '한국의 수도는 어디인가요?'
  clova-studio chat --model HCX-007 --thinking high '12!는 몇 자리 수인가요?'
  cat report.txt | clova-studio chat --system '세 문장으로 요약해 줘.'"""
    parser.add_argument("prompt", nargs="?", metavar="PROMPT", help="what to ask; '-' reads stdin")
    parser.add_argument("--model", default="HCX-005", help="the chat model (default: %(default)s)")
    parser.add_argument("--system", metavar="TEXT", help="a system message")
    parser.add_argument("--task-id", metavar="ID", help="tuning task of a tuned model, whose base is --model")
    options = parser.add_argument_group("model options (the service's defaults apply to what is left out)")
    for name, settings in _OPTIONS.items():
        options.add_argument(f"--{name.replace('_', '-')}", **settings)
    output = parser.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="print the complete answer as JSON")
    output.add_argument("--quiet", action="store_true", help="print only the answer: no thinking, no usage")
    add_connection_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run ``clova-studio chat``; if an answer breaks off, what had arrived is printed."""
    talks = arguments.prompt is None and is_terminal(sys.stdin)
    if talks and arguments.json:
        raise ConfigurationError("--json is for one answer: give a PROMPT")
    with connect(arguments) as client:
        if talks:
            return _converse(client, arguments)
        prompt = read_text(None) if arguments.prompt in {None, "-"} else str(arguments.prompt)
        if not prompt.strip():
            raise ConfigurationError("PROMPT is empty: ask something")
        messages = [*_system(arguments), {"role": "user", "content": prompt}]
        if arguments.json:
            result = client.chat(messages, **_settings(arguments))
            say_json(result.model_dump(mode="json", exclude_none=True))
        else:
            result = _answer(client, messages, arguments)
            _report(result, arguments)
        _warn_if_empty(result, arguments)
    return 0


def _converse(client: ClovaStudio, arguments: argparse.Namespace) -> int:
    """Hold a conversation until the end of stdin. A turn that fails or is interrupted does not count."""
    messages: list[Any] = _system(arguments)
    note(f"{arguments.model}; /new starts over, Ctrl-D ends", colour="dim")
    while True:
        try:
            prompt = _ask()
        except EOFError:
            say()
            return 0
        if prompt.strip() == "/new":
            messages = _system(arguments)
        if prompt.strip() in {"", "/new"}:
            continue
        turn = [*messages, {"role": "user", "content": prompt}]
        try:
            result = _answer(client, turn, arguments)
        except AuthenticationError:
            raise
        except ClovaStudioError as error:
            complain(error)
        except KeyboardInterrupt:
            note("[interrupted]", colour="dim")
        else:
            _report(result, arguments)
            _warn_if_empty(result, arguments)
            if not result.is_empty:  # the service takes no empty turns back
                messages = [*turn, result.message]


def _ask() -> str:
    if is_terminal(sys.stdout):
        with contextlib.suppress(ImportError):  # not on every platform
            import readline  # noqa: F401  line editing and history for input()
        return input("> ")
    note("> ", end="")
    return input()


def _answer(client: ClovaStudio, messages: list[Any], arguments: argparse.Namespace) -> ChatResult:
    """Stream an answer to stdout, its thinking to stderr."""
    last, thinks = "\n", False
    try:
        with client.stream_chat(messages, **_settings(arguments)) as stream:
            for chunk in stream:
                thought, text = chunk.message.thinking_content, chunk.message.content
                if thought and not arguments.quiet:
                    note(thought, end="", colour="dim")
                    thinks = True
                if text:
                    if thinks:
                        note("")
                        thinks = False
                    say(text, end="")
                    last = text[-1]
            return stream.result()
    finally:
        if thinks:
            note("")
        if last != "\n":
            say()


def _report(result: ChatResult, arguments: argparse.Namespace) -> None:
    """Write to stderr what the answer cost and why it ended."""
    if arguments.quiet:
        return
    facts = [arguments.model]
    usage = result.usage
    if usage is not None:
        details = usage.completion_tokens_details
        thought = details.thinking_tokens if details is not None else None
        spent = f"{usage.prompt_tokens:,} in + {usage.completion_tokens:,} out"
        if thought:
            spent += f" ({thought:,} of them thinking)"
        facts.append(f"{spent} = {usage.total_tokens:,} tokens")
    if result.is_empty:
        facts.append("length")
    elif result.finish_reason == "length":
        facts.append("cut off at the output cap: raise --max-tokens")
    elif result.finish_reason:
        facts.append(result.finish_reason)
    note(f"[{'; '.join(facts)}]", colour="dim")


def _warn_if_empty(result: ChatResult, arguments: argparse.Namespace) -> None:
    """Say on stderr, also with --quiet and --json, why there is no answer."""
    if result.is_empty:
        thought = bool(result.message.thinking_content or thinking_tokens(result.usage))
        names = ("--max-tokens", "--thinking")
        why = why_empty(arguments.model, arguments.max_tokens, result.usage, thought=thought, names=names)
        complain(f"warning: {why}")


def _system(arguments: argparse.Namespace) -> list[Any]:
    return [] if arguments.system is None else [{"role": "system", "content": arguments.system}]


def _settings(arguments: argparse.Namespace) -> dict[str, Any]:
    given = {name: getattr(arguments, name) for name in (*_OPTIONS, "task_id")}
    return {"model": arguments.model, **{name: value for name, value in given.items() if value is not None}}
