"""Skillsets. Source: the skillset final answer page of the API guide."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from clova_studio.types._base import Result, WireModel

__all__ = ["SelectedSkill", "SkillApiCall", "SkillsetChunk", "SkillsetResult"]


class SelectedSkill(WireModel):
    """A skill that the model chose.

    Attributes:
        name_for_human: Its name.
    """

    name_for_human: str | None = None


class SkillApiCall(WireModel):
    """A call that a skill made to its API.

    Attributes:
        url: The address that was called.
        request_body: What was sent, as text.
        response_body: What came back, as text.
        api_order: Its position in the order of calls.
        operation_id: The operation's id.
        name_for_human: The name of the skill.
    """

    url: str | None = None
    request_body: str | None = None
    response_body: str | None = None
    api_order: int | None = None
    operation_id: str | None = None
    name_for_human: str | None = None


class SkillsetResult(Result):
    """The final answer of a skillset. Source: the skillset final answer page of the API guide.

    Attributes:
        final_answer: The answer; ``""`` if the run did not finish.
        token_count: Tokens of the answer, as the service reports them.
        use_task: Whether the model that was called has been trained.
        api_result: The calls that the skills made, in order.
        selected_skill: The skills that were chosen; only streams have them.
    """

    final_answer: str
    token_count: int | None = None
    use_task: bool | None = None
    api_result: list[SkillApiCall] = Field(default_factory=list)
    selected_skill: list[SelectedSkill] = Field(default_factory=list)

    @field_validator("api_result", mode="before")
    @classmethod
    def _none_is_no_call(cls, value: Any) -> Any:
        return [] if value is None else value


class SkillsetChunk(Result):
    """An event of a skillset stream. Source: the skillset final answer page of the API guide.

    Attributes:
        event: ``planning``, ``cot``, ``token`` or ``finalAnswer``.
        selected_skill: With ``planning``: the skills that were chosen.
        api_result: With ``cot`` and ``finalAnswer``: the calls that were made.
        token_count: Tokens of this event.
        text: With ``token``: the next piece of the answer; with ``finalAnswer`` the rest, which no token contained.
        probs: With ``token``: probabilities, where the service sends them.
        stop_reason: With ``token``: ``length``, ``end_token`` or ``stop_before``.
        final_answer: With ``finalAnswer``: the whole answer.
    """

    event: str = ""
    selected_skill: list[SelectedSkill] | None = None
    api_result: list[SkillApiCall] | None = None
    token_count: int | None = None
    text: str = ""
    probs: list[Any] | None = None
    stop_reason: str | None = None
    final_answer: str | None = None

    @field_validator("text", mode="before")
    @classmethod
    def _none_is_no_text(cls, value: Any) -> Any:
        return "" if value is None else value

    @field_validator("selected_skill", mode="before")
    @classmethod
    def _one_shape(cls, value: Any) -> Any:
        # The guide's sample of this event is not valid JSON, so its shape is uncertain. Accepted are a list of skills,
        # one skill, and one skill with a list of names.
        if isinstance(value, dict):
            names = value.get("nameForHuman", value.get("name_for_human"))
            if isinstance(names, list):
                return [{"nameForHuman": name} for name in names]
            return [value]
        if isinstance(value, str):
            return [{"nameForHuman": value}]
        if isinstance(value, list):
            return [{"nameForHuman": item} if isinstance(item, str) else item for item in value]
        return value
