"""Names of models and of tuning tasks as callers give them: which form goes where, and what was probably meant."""

from __future__ import annotations

import functools
import re
import warnings
from typing import TYPE_CHECKING, Any

from clova_studio._catalogue import EMBEDDING_MODELS, MODELS, TUNED_MODEL_PREFIX
from clova_studio._errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["check_task_id", "forget_warnings", "nearest", "task_of", "tell_of_model"]

# Observed: the OpenAI-compatible path names a tuned model ft:tuning-1883-250519-..., the native one its short task id.
_LONG_FORM = "tuning-"
_ALIKE = 0.65
_WITHOUT_LETTERS = re.compile(r"[^A-Z]")
_WITHOUT_DIGITS = re.compile(r"[^0-9]")


def check_task_id(value: Any, name: str = "task_id") -> str:
    """Return the id of a tuning task, without the ``ft:`` that precedes it where it is given like a model's name.

    Args:
        value: What the caller gave.
        name: The parameter that it was given as.

    Raises:
        ConfigurationError: It is empty, not a string, or the name of a tuned model on the OpenAI-compatible path.
    """
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"{name} must be the id of a tuning task, got {value!r}")
    task_id = value.removeprefix(TUNED_MODEL_PREFIX)
    if not task_id.strip():
        raise ConfigurationError(f"{name} must have the id of a tuning task after 'ft:', got {value!r}")
    if task_id.startswith(_LONG_FORM):
        raise ConfigurationError(
            f"{name}={value!r} names a tuned model on the OpenAI-compatible path, where it goes as "
            f"client.openai.chat(model='{TUNED_MODEL_PREFIX}{task_id}'); it is not the id of its task: give the short "
            "id that tuning.list() and 'clova-studio tuning list' show, such as 'bjlkpn9s'"
        )
    return task_id


def task_of(model: str, task_id: Any) -> str | None:
    """Return the task of a tuned model on the native path, None for a model that is not tuned.

    Args:
        model: The model's name: ``ft:`` and a task's id is a tuned one.
        task_id: The task as given beside it, None for none.

    Raises:
        ConfigurationError: The two name different tasks, or one of them is none.
    """
    named = isinstance(model, str) and model.startswith(TUNED_MODEL_PREFIX)
    if task_id is None:
        return check_task_id(model, "model") if named else None
    checked = check_task_id(task_id)
    if named and check_task_id(model, "model") != checked:
        raise ConfigurationError(f"model={model!r} and task_id={task_id!r} name two tuned models: give one")
    return checked


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that was probably meant, None if the name may well be another model's.

    Names that differ in their numbers are different models: the next one must not be taken for a typing error.

    Args:
        name: A name that is not known.
        known: The names that are.
    """
    from difflib import SequenceMatcher

    letters, number = _parts(name)
    alike = {
        other: SequenceMatcher(None, letters, _parts(other)[0]).ratio() for other in known if _parts(other)[1] == number
    }
    best = max(alike, key=alike.__getitem__, default=None)
    return best if best is not None and alike[best] >= _ALIKE else None


@functools.lru_cache(maxsize=256)
def tell_of_model(name: str, *, embedding: bool = False) -> str:
    """Return what to add to a refusal of a model that is not known; warn, once, of a name that is nearly a known one.

    The name is sent as it is all the same: a new model works on the day it appears.

    Args:
        name: A name that is not among those known.
        embedding: Whether it is that of an embedding model.
    """
    known = tuple(EMBEDDING_MODELS if embedding else MODELS)
    near = nearest(name, known)
    if near is None:
        names = ", ".join(known)
        return f"The models that are known here are {names}. / 이 패키지가 아는 모델은 {names}입니다."
    warnings.warn(f"model {name!r} is not known, and is sent as it is: did you mean {near!r}?", stacklevel=2)
    return f"Did you mean {near!r}? / {near!r}을(를) 쓰려던 것 아닌가요?"


def forget_warnings() -> None:
    """Give each warning once more."""
    tell_of_model.cache_clear()


def _parts(name: str) -> tuple[str, int | None]:
    """Return the letters of a name, and the number that its digits make."""
    upper = name.upper()
    digits = _WITHOUT_DIGITS.sub("", upper)
    letters = _WITHOUT_LETTERS.sub("", upper).replace("HYPERCLOVAX", "HCX")
    return letters, int(digits[:18]) if digits else None
