"""The handler of each API."""

from collections.abc import Callable

from clova_studio.emulator.apis.calls import ApiCall
from clova_studio.emulator.apis.chat import chat
from clova_studio.emulator.apis.completions import completions
from clova_studio.emulator.apis.embedding import embedding
from clova_studio.emulator.apis.openai_chat import openai_chat
from clova_studio.emulator.apis.openai_tools import openai_embeddings, openai_models
from clova_studio.emulator.apis.rag_reasoning import rag_reasoning
from clova_studio.emulator.apis.reranker import rerank
from clova_studio.emulator.apis.router import route_query
from clova_studio.emulator.apis.segmentation import segmentation
from clova_studio.emulator.apis.skillset import final_answer
from clova_studio.emulator.apis.sliding import slide
from clova_studio.emulator.apis.summarization import summarization
from clova_studio.emulator.apis.tokenizers import chat_tokenize, embedding_tokenize, tokenize
from clova_studio.emulator.apis.tuning import create_task, delete_task, delete_task_short, get_task, list_tasks
from clova_studio.emulator.server.delivery import Answer

HANDLERS: dict[str, Callable[[ApiCall], Answer]] = {
    "chat": chat,
    "chat-tokenize": chat_tokenize,
    "completions": completions,
    "embedding": embedding,
    "embedding-tokenize": embedding_tokenize,
    "embedding-v2": embedding,
    "openai-chat": openai_chat,
    "openai-embeddings": openai_embeddings,
    "openai-models": openai_models,
    "rag-reasoning": rag_reasoning,
    "reranker": rerank,
    "router": route_query,
    "segmentation": segmentation,
    "skillset": final_answer,
    "sliding": slide,
    "summarization": summarization,
    "tokenize": tokenize,
    "tuning-create": create_task,
    "tuning-delete": delete_task,
    "tuning-delete-short": delete_task_short,
    "tuning-get": get_task,
    "tuning-list": list_tasks,
}

SLOW = frozenset({"rag-reasoning", "reranker", "segmentation", "summarization"})
"""These compare every sentence of a text, so they run in a thread and do not block other requests."""

SCRIPTED = frozenset({"chat", "openai-chat"})
"""These use scripted answers."""
