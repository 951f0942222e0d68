"""Configurations: from mappings and files, and what is said about wrong ones."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

import pytest
from emulator_support import connect

from clova_studio.emulator import create_app, serve
from clova_studio.emulator.console.config import load_config
from clova_studio.emulator.server.command import add_arguments

if TYPE_CHECKING:
    from pathlib import Path

YAML = """
routers:
  - id: shop0001
    versions: 2
    domains:
      - name: 주문
        description: 상품 주문과 결제
        keywords: [주문, 결제]
        content_filters:
          - {name: BrandInfo, keywords: [나이키]}
        safety_filters: [unethical]
      - name: 반품
        description: 반품과 환불을 묻는 말
    errors:
      - {keyword: 오류, code: "65001"}
skillsets:
  - id: shop0002
    skills:
      - name: 재고
        keywords: [재고]
        operation_id: getStock
        url: https://shop.example.com/stock/{item}
        method: POST
        parameters: {type: object, properties: {item: {type: string, enum: [신발, 모자]}}, required: [item]}
        responses:
          - {when: [모자], body: {left: 0}}
          - {body: {left: 12}}
        answer: "{item}은 {left}개 남았습니다. {unknown}"
      - name: 배송
        description: 배송 상태를 알려 준다
        operation_id: getDelivery
        url: https://shop.example.com/delivery
        responses: [{body: {state: 배송 중}}]
    errors:
      - {keyword: 고장, code: "61004", message: Skill is broken}
tuning: {seconds: 0}
"""


@pytest.fixture(params=["yaml", "json", "mapping"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """The same configuration from each of its sources."""
    import yaml

    value = yaml.safe_load(YAML)
    if request.param == "mapping":
        return value
    path = tmp_path / f"emulator.{request.param}"
    path.write_text(YAML if request.param == "yaml" else json.dumps(value), encoding="utf-8")
    return path if request.param == "yaml" else str(path)


def test_sources(source: Any) -> None:
    """Routers and skillsets come from a YAML file, a JSON file or a mapping, and work as configured."""
    with serve(config=source) as server, connect(server) as client:

        def route(query: str, version: int = 2) -> Any:
            return client.post(f"/v1/routers/shop0001/versions/{version}/route", json={"query": query}).json()

        def answer(query: str) -> Any:
            return client.post("/v1/skillsets/shop0002/versions/1/final-answer", json={"query": query}).json()

        assert route("나이키 신발 주문할게요")["result"]["blockedContent"] == {"result": ["BrandInfo"], "called": True}
        described = route("환불은 언제 되나요?", 1)["result"]
        assert described["domain"]["result"] == "반품"  # by the words of its description
        assert described["blockedContent"]["called"] is described["safety"]["called"] is False
        assert route("주문 오류가 났어요")["status"] == {"code": "65001", "message": "Invalid labels detected"}
        assert route("주문", 3)["status"]["code"] == "40400"
        stock = answer("모자 재고 있나요?")["result"]
        assert stock["finalAnswer"] == "모자은 0개 남았습니다. {unknown}"
        assert stock["apiResult"][0]["url"] == "https://shop.example.com/stock/모자"
        assert json.loads(stock["apiResult"][0]["requestBody"]) == {"item": "모자"}
        assert "12" in answer("신발 재고는?")["result"]["finalAnswer"]
        assert "배송 중" in answer("내 배송은 어디쯤 왔어?")["result"]["finalAnswer"]
        assert answer("재고 시스템 고장")["status"] == {"code": "61004", "message": "Skill is broken"}
        # What is given replaces the defaults of its kind.
        assert client.post("/v1/routers/travel01/versions/1/route", json={"query": "a"}).status_code == 404


def test_partial() -> None:
    """What is not given keeps its default."""
    config = load_config({"tuning": {"seconds": 5}})
    assert [router.id for router in config.routers] == ["travel01"]
    assert [skillset.id for skillset in config.skillsets] == ["weather1"]
    assert config.tuning.seconds == 5
    assert load_config(None).tuning.seconds == 1


DOMAIN: dict[str, Any] = {"name": "가", "description": "나"}
SKILL: dict[str, Any] = {"name": "가", "operation_id": "a", "url": "https://a.example.com"}


def router(**changes: Any) -> dict[str, Any]:
    """A configuration with one router."""
    return {"routers": [{"id": "a", "domains": [DOMAIN], **changes}]}


def domain(**changes: Any) -> dict[str, Any]:
    """A configuration with one domain."""
    return router(domains=[{**DOMAIN, **changes}])


def skill(**changes: Any) -> dict[str, Any]:
    """A configuration with one skill."""
    return {"skillsets": [{"id": "a", "skills": [{**SKILL, **changes}]}]}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ([], "The configuration must be a mapping, not []"),
        ({"router": []}, "The configuration has the unknown field 'router'; known are routers, skillsets, tuning"),
        ({"routers": {}}, "routers must be a valid list, not {}"),
        ({"routers": []}, "routers must have at least 1 item, not 0"),
        ({"routers": ["a"]}, "routers[0] must be a mapping, not 'a'"),
        ({"routers": [{"domains": [DOMAIN]}]}, "routers[0].id is missing"),
        (router(id="a/b"), "routers[0].id must match pattern '^[A-Za-z0-9_-]+$', not 'a/b'"),
        (router(id=5), "routers[0].id must be a valid string, not 5"),
        ({"routers": router()["routers"] * 2}, "routers has the id 'a' twice"),
        (router(versions=0), "routers[0].versions must be greater than or equal to 1, not 0"),
        (router(versions=True), "routers[0].versions must be a valid integer, not True"),
        (router(domains=[]), "routers[0].domains must have at least 1 item, not 0"),
        (router(domains=[DOMAIN, DOMAIN]), "routers[0].domains has the name '가' twice"),
        (domain(name="가" * 31), "routers[0].domains[0].name must have at most 30 characters, not '가가"),
        (domain(name="a!"), "routers[0].domains[0].name must match pattern '^[A-Za-z0-9가-힣 ]+$', not 'a!'"),
        (domain(name=" "), "routers[0].domains[0].name must not be blank"),
        (domain(description="가" * 401), "routers[0].domains[0].description must have at most 400 characters"),
        (domain(keywords="가"), "routers[0].domains[0].keywords must be a valid list, not '가'"),
        (
            domain(keyword=["가"]),
            "routers[0].domains[0] has the unknown field 'keyword'; known are name, description, keywords",
        ),
        (
            domain(safety_filters=["Rude"]),
            "routers[0].domains[0].safety_filters[0] must be 'Unethical' or 'Contentious', not 'Rude'",
        ),
        (
            domain(content_filters=[{"name": "가"}]),
            "routers[0].domains[0].content_filters[0].name must match pattern '^[A-Za-z_ ]+$', not '가'",
        ),
        (
            domain(content_filters=[{"name": "a"}] * 8),
            "routers[0].domains[0].content_filters must have at most 7 items, not 8",
        ),
        (
            router(errors=[{"keyword": "a", "code": "99999"}]),
            "routers[0].errors[0].code must be a code of the API guide, not '99999'",
        ),
        (skill(operation_id=None), "skillsets[0].skills[0].operation_id is missing"),
        (skill(url="weather"), "skillsets[0].skills[0].url must match pattern '^https?://\\S+$', not 'weather'"),
        (skill(method="PUT"), "skillsets[0].skills[0].method must be 'GET' or 'POST', not 'PUT'"),
        (skill(parameters=[]), "skillsets[0].skills[0].parameters must be a valid dictionary, not []"),
        (skill(parameters={"properties": {"a": 1}}), "skillsets[0].skills[0].parameters must be a JSON schema"),
        (
            skill(responses=[{"if": []}]),
            "skillsets[0].skills[0].responses[0] has the unknown field 'if'; known are when, body",
        ),
        ({"tuning": {"seconds": -1}}, "tuning.seconds must be greater than or equal to 0, not -1"),
        ({"tuning": {"failures": {"a": "b"}}}, "tuning.failures.a must be one of file.extension"),
        ({"tuning": {"failures": ["a"]}}, "tuning.failures must be a valid dictionary, not ['a']"),
    ],
)
def test_wrong_fields(config: Any, message: str) -> None:
    """What is wrong is a ValueError, before anything starts, that begins with the field's full name."""
    with pytest.raises(ValueError, match=r".") as error:
        serve(config=config)
    assert str(error.value).startswith(message)
    with pytest.raises(ValueError, match=r"."):
        create_app(config=config)


def test_wrong_files(tmp_path: Path) -> None:
    """A file that cannot be read or parsed is an error with its name."""
    with pytest.raises(FileNotFoundError, match=r"missing\.yaml"):
        load_config(tmp_path / "missing.yaml")
    for name in ("broken.yaml", "broken.json"):
        path = tmp_path / name
        path.write_text("{routers: [", encoding="utf-8")
        with pytest.raises(ValueError, match=name):
            load_config(path)


def test_wrong_time() -> None:
    """A negative time for training is refused."""
    with pytest.raises(ValueError, match="tuning_seconds"):
        serve(tuning_seconds=-1)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command takes a configuration file, and refuses a wrong one with the field's name."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    path = tmp_path / "emulator.yaml"
    path.write_text(YAML, encoding="utf-8")
    args = parser.parse_args(["--config", str(path), "--tuning-seconds", "0.5"])
    assert (args.config, args.tuning_seconds) == (str(path), 0.5)
    path.write_text("routers: [{id: a, domains: []}]\nskillsets: 5", encoding="utf-8")
    with pytest.raises(SystemExit):
        parser.parse_args(["--config", str(path)])
    said = capsys.readouterr().err
    assert "routers[0].domains must have at least 1 item, not 0\nskillsets must be a valid list, not 5\n" in said
