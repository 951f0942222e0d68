"""Training tasks: their state, their failures, their pages, and the models that come of them."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from emulator_support import connect, user

from clova_studio.emulator import EmulatorServer, serve
from clova_studio.emulator.console.tuning_reasons import REASONS
from clova_studio.emulator.console.tuning_tasks import NewTask, TaskStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

TASKS = "/tuning/v2/tasks"
# The example of the page on creation.
EXAMPLE = {
    "name": "cs-v1",
    "model": "HCX-005",
    "tuningType": "PEFT",
    "trainEpochs": 8,
    "learningRate": 1.0e-4,
    "trainingDatasetFilePath": "train/cs.csv",
    "trainingDatasetBucket": "my-bucket",
    "trainingDatasetAccessKey": "access",
    "trainingDatasetSecretKey": "secret",
    "validationSplitRatio": 0,
    "loraR": 8,
    "loraAlpha": 64,
}
OTHER = {"authorization": "Bearer nv-other"}


@pytest.fixture(scope="module")
def shared() -> Iterator[EmulatorServer]:
    """A server whose training takes no time."""
    with serve(tuning_seconds=0, config={"tuning": {"failures": {"unlucky": "resource.timeout"}}}) as running:
        yield running


@pytest.fixture
def server(shared: EmulatorServer) -> Iterator[EmulatorServer]:
    """The server, without what the test before left in it."""
    yield shared
    shared.reset()


@pytest.fixture
def client(server: EmulatorServer) -> Iterator[httpx.Client]:
    """A client of it."""
    with connect(server) as client:
        yield client


def create(client: httpx.Client, **changes: Any) -> dict[str, Any]:
    """A new task."""
    answer = client.post(TASKS, json={**EXAMPLE, **changes})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["result"]
    return found


def get(client: httpx.Client, task: str) -> dict[str, Any]:
    """A task."""
    found: dict[str, Any] = client.get(f"{TASKS}/{task}").json()["result"]
    return found


def test_create(client: httpx.Client) -> None:
    """A new task waits, with the page's fields, an id of eight characters and a status that says nothing yet."""
    task = create(client)
    assert re.fullmatch(r"[a-z0-9]{8}", task["id"])
    assert (task["name"], task["model"], task["status"]) == ("cs-v1", "HCX-005", "WAIT")
    assert (task["trainEpochs"], task["learningRate"], task["createdClientType"]) == (8, 1e-4, "API")
    assert len(task["statusInfo"]) == 13
    assert set(task["statusInfo"].values()) == {None}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0900", task["createdDate"])
    assert "method" not in task


def test_defaults(client: httpx.Client) -> None:
    """What is not given has the page's defaults, and numbers may be written as strings."""
    bare = {name: value for name, value in EXAMPLE.items() if name.startswith("training") or name == "model"}
    task = client.post(TASKS, json=bare).json()["result"]
    assert (task["trainEpochs"], task["learningRate"], task["taskType"]) == (8, 1e-4, "GENERATION")
    assert task["name"]
    task = create(client, trainEpochs="3", learningRate="1.0E-5", taskType="CLASSIFICATION")
    assert (task["trainEpochs"], task["learningRate"], task["taskType"]) == (3, 1e-5, "CLASSIFICATION")


def test_course() -> None:
    """A task waits, runs with growing steps, and has succeeded, by the clock alone."""
    now = 0.0
    store = TaskStore(seconds=8.0, clock=lambda: now)
    name = store.create("nv-a", NewTask(None, "HCX-005", "GENERATION", 4, 1e-4, "a.jsonl"))["id"]
    task = store.find(name)
    assert task is not None
    seen = []
    for now in (0.0, 1.9, 2.1, 5.0, 7.9, 8.0, 99.0):
        view = task.view(store.elapsed(task))
        seen.append((view["status"], view["statusInfo"]["currStep"]))
        assert (store.base_model(name) == "HCX-005") == (now >= 8)
    assert [status for status, _ in seen] == ["WAIT", "WAIT", "RUNNING", "RUNNING", "RUNNING", "SUCCEEDED", "SUCCEEDED"]
    steps = [step for _, step in seen if step is not None]
    assert steps == sorted(steps)
    assert view["statusInfo"]["currStep"] == view["statusInfo"]["totalTrainSteps"]
    assert (view["statusInfo"]["sendWeightSuccess"], view["statusInfo"]["currEpoch"]) == (True, 4)


def test_time_passes() -> None:
    """The setting says how long it takes, in a running server too."""
    with serve(tuning_seconds=0.3) as server, connect(server) as client:
        begin = time.monotonic()
        name = create(client)["id"]
        seen = []
        while (status := get(client, name)["status"]) in {"WAIT", "RUNNING"}:
            seen.append(status)
            time.sleep(0.01)
        assert status == "SUCCEEDED"
        assert 0.29 <= time.monotonic() - begin < 2
        assert list(dict.fromkeys(seen)) == ["WAIT", "RUNNING"]


@pytest.mark.parametrize("reason", REASONS)
def test_failures_by_path(client: httpx.Client, reason: str) -> None:
    """A documented reason in the dataset's path makes the task fail with it and its message."""
    task = get(client, create(client, trainingDatasetFilePath=f"train/{reason}.csv")["id"])
    assert task["status"] == "FAILED"
    info = task["statusInfo"]
    assert (info["failureReason"], info["message"]) == (reason, REASONS[reason])
    assert info["endDatetime"]
    assert info["sendWeightSuccess"] is None


def test_failures_by_rule(client: httpx.Client) -> None:
    """A wrong extension fails, and so does a path with a word of the configuration."""
    for path, reason in (("train/cs.xlsx", "file.extension"), ("unlucky/cs.csv", "resource.timeout")):
        task = get(client, create(client, trainingDatasetFilePath=path)["id"])
        assert (task["status"], task["statusInfo"]["failureReason"]) == ("FAILED", reason)


def test_pages(client: httpx.Client) -> None:
    """Tasks are listed in pages, the newest first, with the method that only lists have."""
    names = [create(client, name=f"t{number}")["id"] for number in range(5)]
    page = client.get(TASKS, params={"page": 1, "size": 2}).json()["result"]
    assert {key: page[key] for key in page if key != "content"} == {
        "totalPages": 3,
        "totalElements": 5,
        "size": 2,
        "number": 1,
    }
    assert [task["id"] for task in page["content"]] == [names[2], names[1]]
    assert {task["method"] for task in page["content"]} == {"LoRA"}
    whole = client.get(TASKS).json()["result"]
    assert (whole["size"], whole["number"], len(whole["content"])) == (20, 0, 5)
    assert client.get(TASKS, params={"page": 9}).json()["result"]["content"] == []


@pytest.mark.parametrize("query", ["page=-1", "page=x", "page=1.5", "size=0", "size=101", "size=", "page=NaN"])
def test_wrong_pages(client: httpx.Client, query: str) -> None:
    """A page or size out of range is 40001 with its name."""
    answer = client.get(f"{TASKS}?{query}")
    name = query.partition("=")[0]
    assert answer.json()["status"] == {"code": "40001", "message": f"Invalid parameter: {name}"}


def test_ownership(client: httpx.Client) -> None:
    """Tasks are their creator's: others see none, and may neither get nor delete them."""
    name = create(client)["id"]
    assert client.get(TASKS, headers=OTHER).json()["result"]["totalElements"] == 0
    for method in ("GET", "DELETE"):
        answer = client.request(method, f"{TASKS}/{name}", headers=OTHER)
        assert (answer.status_code, answer.json()["status"]["code"]) == (403, "40301")
    assert get(client, name)["id"] == name


def test_delete(client: httpx.Client) -> None:
    """A deleted task is gone; the answer to its deletion has a status only, in both behaviours."""
    name = create(client)["id"]
    answer = client.delete(f"{TASKS}/{name}")
    assert answer.content == b'{"status":{"code":"20000","message":"OK"}}'
    for method in ("GET", "DELETE"):
        assert client.request(method, f"{TASKS}/{name}").json()["status"]["code"] == "40400"
    chat = client.post(f"/v3/tasks/{name}/chat-completions", json=user("a"))
    assert chat.json()["status"]["code"] == "40080"


def test_delete_path(client: httpx.Client) -> None:
    """The path of the page's URI table exists in the documented behaviour only."""
    name = create(client)["id"]
    assert client.delete(f"/v2/tasks/{name}").status_code == 404
    with serve(behaviour="documented") as server, connect(server) as other:
        name = create(other)["id"]
        assert other.delete(f"/v2/tasks/{name}").status_code == 200
        assert other.get(f"{TASKS}/{name}").status_code == 404


def test_tuned_models(client: httpx.Client) -> None:
    """A finished task answers on the paths of its generation and through ft:, and counts as its base."""
    third, first = create(client)["id"], create(client, model="HCX-003")["id"]
    for path, code in (
        (f"/v3/tasks/{third}/chat-completions", "20000"),
        (f"/v1/tasks/{third}/chat-completions", "40084"),
        (f"/v1/tasks/{first}/chat-completions", "20000"),
        (f"/v2/tasks/{first}/chat-completions", "20000"),
        (f"/v3/tasks/{first}/chat-completions", "40084"),
        (f"/v1/tasks/{third}/completions", "40084"),
    ):
        body = {"text": "a"} if path.endswith("/completions") else user("a")
        assert client.post(path, json=body).json()["status"]["code"] == code, path
    for task, base in ((third, "HCX-005"), (first, "HCX-003")):
        body = user("a", model=f"ft:{task}")
        assert client.post("/v1/openai/chat/completions", json=body).json()["model"] == base


def test_unfinished_models() -> None:
    """A task that is running or has failed has no model."""
    with serve(tuning_seconds=60) as server, connect(server) as client:
        name = create(client)["id"]
        assert client.post(f"/v3/tasks/{name}/chat-completions", json=user("a")).json()["status"]["code"] == "40080"
    with serve(tuning_seconds=0) as server, connect(server) as client:
        name = create(client, trainingDatasetFilePath="a.txt")["id"]
        body = user("a", model=f"ft:{name}")
        assert client.post("/v1/openai/chat/completions", json=body).json()["error"]["code"] == "40080"


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"model": None}, "40001", "Invalid parameter: model"),
        ({"model": 5}, "40001", "Invalid parameter: model"),
        ({"model": "HCX-999"}, "40080", "Model not found"),
        ({"model": "HCX-007"}, "40084", "Unsupported API for model"),
        ({"tuningType": "FULL"}, "40009", "Unsupported function"),
        ({"taskType": "OTHER"}, "40001", "Invalid parameter: taskType"),
        ({"name": 1}, "40001", "Invalid parameter: name"),
        ({"trainEpochs": 0}, "40001", "Invalid parameter: trainEpochs"),
        ({"trainEpochs": 21}, "40001", "Invalid parameter: trainEpochs"),
        ({"trainEpochs": "many"}, "40001", "Invalid parameter: trainEpochs"),
        ({"trainEpochs": 1.5}, "40001", "Invalid parameter: trainEpochs"),
        ({"learningRate": 1e-7}, "40001", "Invalid parameter: learningRate"),
        ({"learningRate": 2}, "40001", "Invalid parameter: learningRate"),
        ({"learningRate": "NaN"}, "40001", "Invalid parameter: learningRate"),
        ({"learningRate": "1e-5f"}, "40001", "Invalid parameter: learningRate"),
        ({"validationSplitRatio": 0.11}, "40001", "Invalid parameter: validationSplitRatio"),
        ({"loraR": 1}, "40001", "Invalid parameter: loraR"),
        ({"loraR": 65}, "40001", "Invalid parameter: loraR"),
        ({"loraAlpha": 513}, "40001", "Invalid parameter: loraAlpha"),
        ({"trainingDatasetFilePath": None}, "40001", "Invalid parameter: trainingDatasetFilePath"),
        ({"trainingDatasetBucket": ""}, "40001", "Invalid parameter: trainingDatasetBucket"),
        ({"trainingDatasetAccessKey": None}, "40001", "Invalid parameter: trainingDatasetAccessKey"),
        ({"trainingDatasetSecretKey": 1}, "40001", "Invalid parameter: trainingDatasetSecretKey"),
    ],
)
def test_refusals(client: httpx.Client, changes: dict[str, Any], code: str, message: str) -> None:
    """A wrong task is refused with its field's name, and no task is left of it."""
    answer = client.post(TASKS, json={**EXAMPLE, **changes})
    assert answer.json()["status"] == {"code": code, "message": message}
    assert client.get(TASKS).json()["result"]["totalElements"] == 0


def test_ends_of_ranges(client: httpx.Client) -> None:
    """The ends of the ranges are accepted."""
    create(client, trainEpochs=1, loraR=2, loraAlpha=2, validationSplitRatio=0.1, learningRate=1e-6)
    create(client, trainEpochs=20, loraR=64, loraAlpha=512, model="HCX-DASH-002", trainingDatasetFilePath="a.JSONL")


def test_multipart_header(observed: httpx.Client, documented: httpx.Client) -> None:
    """JSON under a multipart header is taken as in the page's cURL sample; in fact it has no boundary."""
    headers = {"content-type": "multipart/form-data"}
    assert documented.post(TASKS, json=EXAMPLE, headers=headers).status_code == 200
    assert observed.post(TASKS, json=EXAMPLE, headers=headers).json()["status"] == {
        "code": "41501",
        "message": "No multipart boundary Content-Type",
    }


def test_no_secrets(server: EmulatorServer, client: httpx.Client) -> None:
    """The keys of the object storage come back in no answer."""
    name = create(client)["id"]
    for text in (client.get(TASKS).text, client.get(f"{TASKS}/{name}").text):
        assert "access" not in text
        assert "secret" not in text


def test_query_is_recorded(server: EmulatorServer, client: httpx.Client) -> None:
    """A test can see which page was requested."""
    client.get(TASKS, params={"page": 2, "size": 5})
    assert server.requests[-1].query == {"page": "2", "size": "5"}
