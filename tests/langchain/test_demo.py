"""The demo: a question answered over the constitution, as `clova-studio demo` does it."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from clova_studio.emulator import serve
from langchain_clova import _demo
from langchain_clova._demo._articles import article_index

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXT = _demo.CONSTITUTION.read_text(encoding="utf-8")
QUESTIONS = {
    "국회의원의 임기는 몇 년인가?": "제42조",
    "대통령의 임기는 몇 년이며 중임할 수 있는가?": "제70조",
    "대한민국의 영토는 어디까지인가?": "제3조",
    "헌법재판소 재판관의 임기는 몇 년인가?": "제112조",
    "모든 국민은 법 앞에 평등한가?": "제11조",
    "국회의 정기회는 며칠을 넘을 수 없는가?": "제47조",
    "감사원장은 누가 임명하는가?": "제98조",
    "의무교육은 무상인가?": "제31조",
    "계엄은 누가 선포할 수 있는가?": "제77조",
    "헌법개정안은 국민투표에서 어떻게 확정되는가?": "제130조",
}


@pytest.fixture(scope="module")
def index() -> Iterator[Any]:
    """The constitution, split, embedded and indexed by the demo's own code."""
    with serve() as server:
        yield _demo.build_index(TEXT, base_url=server.base_url, api_key=server.api_key)


def test_the_right_article_is_among_four_passages(index: Any) -> None:
    """For ten questions over the constitution the right article is among the four passages at least eight times."""
    found = {
        question: [article for passage in _demo.find(index, TEXT, question) for article in passage.articles]
        for question in QUESTIONS
    }
    right = [question for question, article in QUESTIONS.items() if article in found[question]]
    assert len(right) >= 8, {question: found[question] for question in QUESTIONS if question not in right}
    assert QUESTIONS["국회의원의 임기는 몇 년인가?"] in found["국회의원의 임기는 몇 년인가?"]


def test_articles_of_a_stretch() -> None:
    """A stretch of the text is named by the articles that it touches, and by no chapter heading."""
    articles = article_index(TEXT)
    start = TEXT.index("제42조 국회의원의 임기는")
    assert articles.between(start, start + 20) == ["제42조"]
    assert articles.between(start, TEXT.index("제44조")) == ["제42조", "제43조"]
    chapter = TEXT.index("제3장 국회")
    assert articles.between(chapter, start) == ["제40조", "제41조"]
    assert articles.between(0, 100) == []
    assert articles.between(len(TEXT) - 20, len(TEXT)) == ["부칙 제6조"]
    assert article_index("조항이 없는 글").between(0, 5) == []


def demo(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, without a key unless given."""
    code = "import sys; from clova_studio._cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, "demo", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONIOENCODING": "utf-8", **environment},
    )


@pytest.mark.slow
def test_demo_without_a_key_answers_from_its_passages() -> None:
    """Without a key the demo says that it runs the emulator, answers, and names at most four passages with articles."""
    done = demo()
    assert done.returncode == 0, done.stderr
    assert "에뮬레이터" in done.stdout.splitlines()[0]
    answer = done.stdout.split("답변: ")[1].split("근거:")[0].strip()
    assert "국회의원의 임기는 4년으로 한다." in answer
    places = re.findall(r"^\[(\d)\] (.*제\d+조.*) \([\d,]+-[\d,]+자\)$", done.stdout, flags=re.MULTILINE)
    assert 1 <= len(places) <= 4
    assert any("제42조" in place for _, place in places)
    assert re.search(r"\[\d\]", answer)


@pytest.mark.slow
def test_demo_names_a_key_that_it_does_not_read(tmp_path: Path) -> None:
    """A key under a similar name is said by name before the emulator answers, in both languages, never by value."""
    file = tmp_path / "글.txt"
    file.write_text("환불은 7일 안에 신청한다.", encoding="utf-8")
    done = demo(str(file), "--question", "환불은?", HCX_API_KEY="nv-demo-key")
    assert done.returncode == 0, done.stderr
    assert "HCX_API_KEY is set, CLOVASTUDIO_API_KEY is not" in done.stdout.splitlines()[0]
    assert "nv-demo-key" not in done.stdout + done.stderr


@pytest.mark.slow
def test_passages_are_where_the_demo_says() -> None:
    """The character range of each passage is that of its text in the document."""
    done = demo("--question", "대통령의 임기는 몇 년인가?")
    for start, end, text in re.findall(r"\(([\d,]+)-([\d,]+)자\)\n {4}(.*)", done.stdout):
        stretch = TEXT[int(start.replace(",", "")) : int(end.replace(",", ""))]
        assert " ".join(stretch.split()).startswith(text.rstrip("…"))


@pytest.mark.slow
def test_demo_with_a_key_uses_the_service(tmp_path: Path) -> None:
    """With a key in the environment every request goes to the service with it, for a file of the user's own."""
    file = tmp_path / "회의록.txt"
    file.write_text(
        "회의는 3월 2일에 열렸다. 예산은 백만 원이다.\n\n다음 회의는 4월이다. 장소는 부산이다.", encoding="utf-8"
    )
    with serve(api_keys=["nv-demo-key"]) as server:
        done = demo(
            str(file),
            "--question",
            "예산은 얼마인가?",
            CLOVASTUDIO_API_KEY="nv-demo-key",
            CLOVASTUDIO_BASE_URL=server.base_url,
        )
        assert done.returncode == 0, done.stderr
        assert "에뮬레이터" not in done.stdout
        assert "백만 원" in done.stdout
        paths = {request.path for request in server.requests}
        assert all(request.status == 200 for request in server.requests)
    assert paths == {
        "/v1/api-tools/segmentation",
        "/v1/api-tools/embedding/v2",
        "/v3/chat-completions/HCX-005",
    }
    assert "nv-demo-key" not in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["no-such-file.txt"], 2, "no-such-file.txt"),
        (["--question", " "], 2, "--question"),
        (["EMPTY"], 2, "is empty"),
        (["BINARY"], 2, "utf-8"),
    ],
)
def test_wrong_use_of_the_demo(tmp_path: Path, arguments: list[str], code: int, named: str) -> None:
    """A missing, empty or unreadable file and an empty question are one line on stderr and exit code 2."""
    (tmp_path / "EMPTY").write_text(" \n")
    (tmp_path / "BINARY").write_bytes(b"\xff\xfe\x00\x81")
    arguments = [str(tmp_path / name) if name.isupper() else name for name in arguments]
    done = demo(*arguments)
    assert done.returncode == code
    assert named in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_a_refused_key_is_exit_code_one() -> None:
    """What the service refuses is one line with code and hint, and exit code 1."""
    with serve(api_keys=["nv-other"]) as server:
        done = demo(CLOVASTUDIO_API_KEY="nv-wrong", CLOVASTUDIO_BASE_URL=server.base_url)
    assert done.returncode == 1
    assert "40104" in done.stderr
    assert "nv-wrong" not in done.stderr
    assert "Traceback" not in done.stderr
