"""``clova-studio tokens``: the service's token calculators, or an estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clova_studio._cli._parsing import add_connection_options, connect
from clova_studio._cli._terminal import read_text, say, say_json
from clova_studio._errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``clova-studio tokens``."""
    parser.description = (
        "Count the tokens of a text, as a user's message to a chat model or as an input of embedding v2.\n"
        "Prints one number. The text is the argument, a file, or stdin."
    )
    parser.epilog = """\
examples:
  clova-studio tokens '안녕하세요?' --model HCX-007
  clova-studio tokens --embedding --file notes.txt
  cat notes.txt | clova-studio tokens --local"""
    parser.add_argument("text", nargs="?", metavar="TEXT", help="the text; '-' or nothing reads stdin")
    parser.add_argument("--file", metavar="FILE", help="count a file in UTF-8 instead")
    parser.add_argument("--model", default="HCX-005", help="the chat model that counts (default: %(default)s)")
    parser.add_argument("--system", metavar="TEXT", help="a system message to count too")
    parser.add_argument("--embedding", action="store_true", help="count for embedding v2 (bge-m3) instead of a chat")
    parser.add_argument(
        "--local", action="store_true", help="estimate by kind of letters, without the service; needs no key"
    )
    parser.add_argument("--json", action="store_true", help="print JSON with the counts of the parts")
    add_connection_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run ``clova-studio tokens``."""
    if arguments.text is not None and arguments.file is not None:
        raise ConfigurationError("TEXT and --file are both given: leave one of them out")
    if arguments.embedding and arguments.system is not None:
        raise ConfigurationError("--system is for a chat: leave it or --embedding out")
    text = read_text(arguments.file) if arguments.text in {None, "-"} else str(arguments.text)
    if not text.strip():
        raise ConfigurationError("the text is empty")
    roles = (("system", arguments.system), ("user", text))
    messages = [{"role": role, "content": content} for role, content in roles if content is not None]
    name = "bge-m3" if arguments.embedding else arguments.model
    if arguments.local:
        total = _estimate(text, messages, embedding=arguments.embedding)
        found = {"model": name, "total": total, "estimate": True}
    else:
        with connect(arguments) as client:
            if arguments.embedding:
                count = client.count_embedding_tokens(text)
            else:
                count = client.count_chat_tokens(messages, model=arguments.model)
        total = count.total
        parts = [{"role": message.role, "count": message.count} for message in count.messages]
        found = {"model": name, "total": total, "estimate": False, "messages": parts, "request_id": count.request_id}
    if arguments.json:
        say_json(found)
    else:
        say(str(total))
    return 0


def _estimate(text: str, messages: list[dict[str, str]], *, embedding: bool) -> int:
    from clova_studio._rate_limits.estimates import estimate_message_tokens, estimate_tokens

    return estimate_tokens(text) if embedding else estimate_message_tokens(messages)
