"""A property graph: built from a text by triples in words or by a schema, and queried."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Literal

import pytest
from llama_index.core import Document, PropertyGraphIndex
from llama_index.core.indices.property_graph import SchemaLLMPathExtractor, SimpleLLMPathExtractor
from program_support import MODELS, statuses

from llama_index_clova import ClovaEmbedding, ClovaX

if TYPE_CHECKING:
    from clova_studio.emulator import EmulatorServer

# The answers of the extraction are scripted: finding facts is beyond the emulator. The queries are answered by it.
TEXT = "김하늘은 네이버에서 일한다. 네이버 본사는 성남에 있다."
TRIPLES = "(김하늘, 일하는 곳, 네이버)\n(네이버, 본사가 있는 곳, 성남)"
GRAPH = {
    "triplets": [
        {
            "subject": {"type": "PERSON", "name": "김하늘", "properties": {"직업": "개발자", "나이": 30}},
            "relation": {"type": "WORKS_AT"},
            "object": {"type": "COMPANY", "name": "네이버"},
        },
        {
            "subject": {"type": "COMPANY", "name": "네이버"},
            "relation": {"type": "LOCATED_IN"},
            "object": {"type": "CITY", "name": "성남"},
        },
        {
            "subject": {"type": "CITY", "name": "성남"},
            "relation": {"type": "WORKS_AT"},
            "object": {"type": "PERSON", "name": "김하늘"},
        },
    ]
}
ENTITIES = Literal["PERSON", "COMPANY", "CITY"]
RELATIONS = Literal["WORKS_AT", "LOCATED_IN"]
ALLOWED = [("PERSON", "WORKS_AT", "COMPANY"), ("COMPANY", "LOCATED_IN", "CITY")]
QUESTION = "네이버 본사는 어디에 있습니까?"


def build(llm: ClovaX, account: dict[str, Any], extractor: Any) -> PropertyGraphIndex:
    """Build a graph of the text."""
    return PropertyGraphIndex.from_documents(
        [Document(text=TEXT)], llm=llm, embed_model=ClovaEmbedding(**account), kg_extractors=[extractor]
    )


def facts(index: PropertyGraphIndex) -> set[tuple[str, str, str]]:
    """Return the triples of a graph."""
    found: Any = index.property_graph_store.get_triplets(entity_names=["김하늘", "네이버", "성남"])
    return {(subject.name, relation.label, target.name) for subject, relation, target in found}


def ask(engine: Any, *, asynchronous: bool, streaming: bool) -> tuple[str, list[str], int]:
    """Return an answer, its sources and the number of its pieces."""

    async def main() -> tuple[str, Any, int]:
        response = await engine.aquery(QUESTION)
        pieces = [piece async for piece in response.async_response_gen()] if streaming else [str(response)]
        return "".join(pieces), response.source_nodes, len(pieces)

    if asynchronous:
        text, sources, count = asyncio.run(main())
    else:
        response = engine.query(QUESTION)
        pieces = list(response.response_gen) if streaming else [str(response)]
        text, sources, count = "".join(pieces), response.source_nodes, len(pieces)
    return text, [source.text for source in sources], count


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_graph_of_triples(server: EmulatorServer, account: dict[str, Any], model: str) -> None:
    """Triples in words become a graph, from whose facts and texts a query is answered, whole and streamed."""
    llm = ClovaX(model=model, **account)
    server.script([TRIPLES])
    index = build(llm, account, SimpleLLMPathExtractor(llm=llm, raise_on_error=True))
    assert facts(index) == {("김하늘", "일하는 곳", "네이버"), ("네이버", "본사가 있는 곳", "성남")}
    for asynchronous in (False, True):
        for streaming in (False, True):
            engine = index.as_query_engine(llm=llm, include_text=True, streaming=streaming)
            answer, sources, pieces = ask(engine, asynchronous=asynchronous, streaming=streaming)
            assert "성남에 있다" in answer
            assert any("네이버 -> 본사가 있는 곳 -> 성남" in source for source in sources)
            assert (pieces > 2) == streaming
    assert statuses(server) == [200] * 9  # one to extract; for each query one for keywords, one for the answer


@pytest.mark.slow
@pytest.mark.each_behaviour("_running")
@pytest.mark.parametrize("model", MODELS)
def test_graph_by_a_schema(server: EmulatorServer, account: dict[str, Any], model: str) -> None:
    """A schema of entities and relations is asked for as the model can, and what it does not allow is left out."""
    llm = ClovaX(model=model, **account)
    native = model == "HCX-007"
    whole = json.dumps(GRAPH, ensure_ascii=False)
    server.script([whole if native else {"tool_calls": [{"name": "KGSchema", "arguments": GRAPH}]}])
    extractor = SchemaLLMPathExtractor(
        llm,
        possible_entities=ENTITIES,
        possible_relations=RELATIONS,
        kg_validation_schema=ALLOWED,
        possible_entity_props=["직업"],
        raise_on_error=True,
    )
    index = build(llm, account, extractor)
    assert facts(index) == {("김하늘", "WORKS_AT", "네이버"), ("네이버", "LOCATED_IN", "성남")}
    (person,) = index.property_graph_store.get(ids=["김하늘"])
    assert person.label == "PERSON"
    assert person.properties["직업"] == "개발자"
    assert "나이" not in person.properties
    accepted = next(request.body for request in server.requests if request.status == 200)
    assert ("responseFormat" in accepted) == native
    assert not any(word in str(accepted) for word in ("$ref", "$defs", "'null'"))
    answer, _, _ = ask(index.as_query_engine(llm=llm, include_text=True), asynchronous=False, streaming=False)
    assert "성남에 있다" in answer
