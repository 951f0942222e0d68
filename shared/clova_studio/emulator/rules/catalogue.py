"""Features and limits of each model, from the model page of the user guide and the chat pages."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Model:
    """Facts about one chat model."""

    name: str
    version: int  # of the API that serves it: 1 or 3
    context: int  # largest number of input and output tokens together
    max_input: int
    max_output: int
    images: bool = False
    thinking: bool = False
    structured: bool = False  # whether it has the responseFormat field
    tools: bool = False
    tunable: bool = True  # page on training tasks: "not HCX-007"
    # Of a request that sets no limit. The v3 page no longer prints it; its edition of 2025 said 100, as v1's does.
    default_output: int = 100

    @property
    def v3(self) -> bool:
        """Whether API version 3 serves it."""
        return self.version == 3  # noqa: PLR2004 - the name of a version


MODELS = {
    model.name: model
    for model in (
        Model("HCX-003", 1, 8_192, 7_600, 4_096),
        Model("HCX-DASH-001", 1, 4_096, 3_500, 4_096),
        Model("HCX-005", 3, 128_000, 128_000, 4_096, images=True, tools=True),
        Model("HCX-DASH-002", 3, 32_000, 32_000, 4_096, tools=True),
        Model(
            "HCX-007",
            3,
            128_000,
            128_000,
            32_768,
            thinking=True,
            structured=True,
            tools=True,
            tunable=False,
            default_output=512,
        ),
    )
}


def as_tuned(base: Model) -> Model:
    """A tuned model: its base, with text alone ("Chat Completions v3" page)."""
    return replace(base, images=False, thinking=False, structured=False, tools=False)


# Tuned models share the quota of their base. The base of a task that was not created in the emulator is unknown; the
# larger model of the generation is assumed.
TUNED_V1 = as_tuned(MODELS["HCX-003"])
TUNED_V3 = as_tuned(MODELS["HCX-005"])

# The page on RAG Reasoning names no model; this one has its features: tools, texts and 128,000 tokens.
RAG_REASONING_MODEL = MODELS["HCX-005"]

# "Chat Completions v3, thinking" page: the default output limit of each effort.
THINKING_DEFAULTS = {"none": 512, "low": 5_120, "medium": 10_240, "high": 20_480}

# "Chat Completions v3, function calling" page: the smallest output limit with tools.
TOOLS_MIN_OUTPUT = 1_024

# Embedding pages: token limit of each embedding model.
EMBEDDING_LIMITS = {"clir-emb-dolphin": 500, "clir-sts-dolphin": 500, "bge-m3": 8_192}
EMBEDDING_V2_MODEL = "bge-m3"

# The models of the legacy completions. No current page has their limits: the output limit is that of the last page, and
# the context is larger.
COMPLETION_MODELS = {name: Model(name, 1, 4_096, 4_096, 2_048) for name in ("LK-D2", "LK-B")}
TUNED_COMPLETION = COMPLETION_MODELS["LK-D2"]
FADED_MODELS = frozenset({"LK-D"})
