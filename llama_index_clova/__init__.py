"""LlamaIndex integration of NAVER CLOVA Studio.

Needs ``pip install 'clova-studio[llama-index]'``. The package holds its name and its extra; its classes come with the
LlamaIndex adapter.
"""

from __future__ import annotations

from importlib.util import find_spec

__all__: list[str] = []

# The namespace package `llama_index` is there whenever any part of LlamaIndex is; what is needed is its core.
if find_spec("llama_index") is None or find_spec("llama_index.core") is None:
    raise ImportError("llama_index_clova needs LlamaIndex: pip install 'clova-studio[llama-index]'")
