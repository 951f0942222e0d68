"""The demo: answers a question about a document, step by step as a LangChain program does it."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from clova_studio import ConfigurationError
from clova_studio.adapters import key_from_env, similar_key_words
from langchain_clova._demo._articles import article_index

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from langchain_core.documents import Document
    from langchain_core.vectorstores import InMemoryVectorStore

__all__ = ["CONSTITUTION", "DEFAULT_QUESTION", "Passage", "add_arguments", "answer", "build_index", "find", "run"]

CONSTITUTION = Path(__file__).with_name("constitution-ko.txt")
DEFAULT_QUESTION = "국회의원의 임기는 몇 년인가?"
_QUESTION_OF_ANY_FILE = "이 문서의 핵심 내용은 무엇인가?"
_PASSAGES = 4
_SYSTEM = (
    "당신은 문서를 근거로 답하는 도우미입니다. 아래 번호가 붙은 발췌문만 근거로 질문에 한국어로 간결하게 답하고, "
    "근거가 된 발췌문의 번호를 [1]처럼 적으세요. 발췌문에 답이 없으면 없다고 말하세요."
)


class Passage(NamedTuple):
    """A passage that an answer is based on: its text, its articles, and its span in the document in characters."""

    text: str
    articles: list[str]
    start: int
    end: int

    @property
    def place(self) -> str:
        """Where the passage is in the document, for a reader."""
        characters = f"{self.start:,}-{self.end:,}자"
        return f"{', '.join(self.articles)} ({characters})" if self.articles else characters


def build_index(text: str, *, show_progress_bar: bool = False, **settings: Any) -> InMemoryVectorStore:
    """Return an index of a text, which is split into topic passages that are embedded.

    Args:
        text: The document.
        show_progress_bar: Whether to draw a progress bar while embedding.
        **settings: Settings of the client, such as ``api_key`` and ``base_url``.
    """
    from langchain_core.vectorstores import InMemoryVectorStore

    from langchain_clova import ClovaEmbeddings, ClovaSegmentationTextSplitter

    splitter = ClovaSegmentationTextSplitter(
        post_process=True, post_process_min_size=100, post_process_max_size=300, add_start_index=True, **settings
    )
    store = InMemoryVectorStore(ClovaEmbeddings(show_progress_bar=show_progress_bar, **settings))
    store.add_documents(splitter.create_documents([text]))
    return store


def find(store: InMemoryVectorStore, text: str, question: str) -> list[Passage]:
    """Return the passages that are nearest to a question, nearest first, four at most."""
    articles = article_index(text)
    return [_passage(document, articles) for document in store.similarity_search(question, k=_PASSAGES)]


def answer(question: str, passages: list[Passage], *, model: str, **settings: Any) -> Iterator[str]:
    """Yield the answer to a question piece by piece, based on the passages."""
    from langchain_core.output_parsers import StrOutputParser
    from langchain_core.prompts import ChatPromptTemplate

    from langchain_clova import ChatClovaX

    prompt = ChatPromptTemplate.from_messages([("system", _SYSTEM), ("human", "{passages}\n\n질문: {question}")])
    chain = prompt | ChatClovaX(model=model, max_tokens=512, temperature=0.1, **settings) | StrOutputParser()
    numbered = "\n".join(f"[{i}] {passage.text}" for i, passage in enumerate(passages, 1))
    yield from chain.stream({"passages": numbered, "question": question})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``clova-studio demo``."""
    parser.description = (
        "Answer a question about a Korean document: it is split into topic passages, embedded and indexed, and the\n"
        "answer is streamed with the passages it is based on. Without a key a local emulator answers."
    )
    parser.epilog = """\
examples:
  clova-studio demo --question '대통령의 임기는 몇 년인가?'
  clova-studio demo notes.txt --question '핵심 내용은 무엇인가요?'

environment:
  CLOVASTUDIO_API_KEY   the key (nv-...); else NCP_CLOVASTUDIO_API_KEY; without one the emulator answers
  CLOVASTUDIO_BASE_URL  another address, such as that of an emulator"""
    parser.add_argument(
        "file",
        nargs="?",
        type=Path,
        default=CONSTITUTION,
        metavar="FILE",
        help="a text in UTF-8 (default: the Constitution of Korea)",
    )
    parser.add_argument("--question", default=None, help=f"what to ask (default: {DEFAULT_QUESTION})")
    parser.add_argument("--model", default="HCX-005", help="the chat model (default: HCX-005)")


def run(arguments: argparse.Namespace) -> int:
    """Run ``clova-studio demo``."""
    _check_extra()
    text = _read(arguments.file)
    question = arguments.question
    if question is None:
        question = DEFAULT_QUESTION if arguments.file == CONSTITUTION else _QUESTION_OF_ANY_FILE
    if not question.strip():
        raise ConfigurationError("--question is empty: ask something")
    with ExitStack() as stack:
        settings = _settings(stack)
        _say(f"문서: {arguments.file.name} ({len(text):,}자)")
        store = build_index(text, show_progress_bar=sys.stderr.isatty(), **settings)
        passages = find(store, text, question)
        _say(f"질문: {question}\n답변: ", end="")
        for piece in answer(question, passages, model=arguments.model, **settings):
            _say(piece, end="")
        _say("\n\n근거:")
        for i, passage in enumerate(passages, 1):
            _say(f"[{i}] {passage.place}\n    {_shortened(passage.text)}")
    return 0


def _settings(stack: ExitStack) -> dict[str, Any]:
    """Return the client's settings: for the service if there is a key, else for an emulator that the stack closes."""
    if key_from_env() is not None:
        return {}
    from clova_studio.emulator import serve

    # A little time between tokens, so that one sees the answer stream.
    server = stack.enter_context(serve(token_latency=0.02))
    similar, similar_ko = similar_key_words()
    if similar:
        _say(f"{similar_ko} ({similar})")
    _say(
        f"CLOVASTUDIO_API_KEY가 없어 로컬 에뮬레이터를 씁니다 (no key: a local emulator on {server.base_url} answers "
        "with extracts; it is not a language model)"
    )
    return {"base_url": server.base_url, "api_key": server.api_key}


def _passage(document: Document, articles: Any) -> Passage:
    start = document.metadata["start_index"]
    end = start + len(document.page_content)
    return Passage(document.page_content, articles.between(start, end), start, end)


def _read(path: Path) -> str:
    text = path.read_text(encoding="utf-8-sig")
    if not text.strip():
        raise ConfigurationError(f"{path} is empty: give a file with text")
    if text.startswith("%PDF-"):  # some PDFs are pure ASCII
        raise ConfigurationError(
            f"{path} is a PDF: save its text first, for example with pdftotext / PDF 파일은 읽을 수 없습니다. 먼저 "
            "텍스트로 저장하세요."
        )
    return text


def _check_extra() -> None:
    try:
        import numpy  # noqa: F401, ICN001  the vector store needs it
        import tqdm  # noqa: F401  the progress bar needs it
    except ImportError as exc:
        raise ImportError("the demo needs its extra: pip install 'clova-studio[demo]'") from exc


def _shortened(text: str, width: int = 70) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"


def _say(text: str, *, end: str = "\n") -> None:
    print(text, end=end, flush=True)  # noqa: T201  this is a command
