"""A follow-up question becomes one that stands alone, where a program of RAG over a conversation asks for that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx

PATH = "/v3/chat-completions/HCX-005"
ENGLISH = (
    "Given a chat history and the latest user question, formulate a standalone question which can be understood "
    "without the chat history. Do NOT answer the question, just reformulate it if needed."
)
KOREAN = "대화 기록과 마지막 질문을 보고, 기록 없이도 뜻이 통하는 질문으로 다시 쓰세요. 답하지 마세요."
CONDENSE = """
  Given the following conversation between a user and an AI assistant and a follow up question from user,
  rephrase the follow up question to be a standalone question.

  Chat History:
  user: 배송은 며칠이 걸립니까?
assistant: 서울은 하루가 걸립니다.
  Follow Up Input: 그럼 그 비용은 얼마입니까?
  Standalone question:"""
CONDENSE_TAGGED = """Given a conversation (between Human and Assistant) and a follow up message from Human, rewrite the
message to be a standalone question that captures all relevant context from the conversation.

<Chat History>
user: What is the refund policy?
assistant: Seven days.

<Follow Up Message>
How do I start?

<Standalone question>
"""


def answer(client: httpx.Client, *turns: tuple[str, str]) -> str:
    """Return the text that answers a conversation."""
    body = {"messages": [{"role": role, "content": said} for role, said in turns], "maxTokens": 500}
    found: str = client.post(PATH, json=body).json()["result"]["message"]["content"]
    return found


@pytest.mark.parametrize("instruction", [ENGLISH, KOREAN], ids=["English", "Korean"])
@pytest.mark.parametrize(
    ("earlier", "last", "expected"),
    [
        ("배송은 며칠이 걸립니까?", "그 비용은 얼마입니까?", "배송 비용은 얼마입니까?"),
        ("배송은 며칠이 걸립니까?", "배송 비용은 얼마입니까?", "배송 비용은 얼마입니까?"),
        ("What is the refund policy?", "How do I start?", "About refund policy: How do I start?"),
    ],
)
def test_by_a_system_message(either: httpx.Client, instruction: str, earlier: str, last: str, expected: str) -> None:
    """The last question gets the words that the one before was about, unless it has them; it is not answered."""
    turns = [("system", instruction), ("user", earlier), ("assistant", "서울은 하루입니다."), ("user", last)]
    assert answer(either, *turns) == expected


def test_a_first_question_stays(either: httpx.Client) -> None:
    """A question without one before it is given back."""
    assert answer(either, ("system", KOREAN), ("user", "배송은 며칠이 걸립니까?")) == "배송은 며칠이 걸립니까?"


def test_in_one_prompt(either: httpx.Client) -> None:
    """Prompts that hold the conversation are understood too, with a label or a tag before the last question."""
    assert answer(either, ("user", CONDENSE)) == "배송 비용은 얼마입니까?"
    assert answer(either, ("user", CONDENSE_TAGGED)) == "About refund policy: How do I start?"


def test_other_rewriting_is_no_follow_up(either: httpx.Client) -> None:
    """A text that is to be written anew is not taken for a conversation."""
    text = "다음 문장을 존댓말로 다시 써 주세요: 나는 밥을 먹었다."
    assert answer(either, ("user", "배송은 며칠이 걸립니까?"), ("assistant", "하루"), ("user", text)) != f"배송 {text}"
