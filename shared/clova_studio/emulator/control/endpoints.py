"""The endpoints of control: each calls the same functions of the state as `EmulatorServer` does."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from time import monotonic
from typing import Any

from pydantic import BaseModel

from clova_studio.emulator.control import inputs, outputs
from clova_studio.emulator.server.faults import ActiveFault, Fault
from clova_studio.emulator.server.state import State
from clova_studio.emulator.server.windows import Limits, account_of


class NotThereError(Exception):
    """Nothing has the number that a path names."""


@dataclass(frozen=True)
class Inputs:
    """What a request brings, after its checks: a model of the endpoint, or None."""

    body: Any = None
    query: Any = None
    number: int = 0


@dataclass(frozen=True)
class Endpoint:
    """A method and a path under ``/_emulator``.

    Attributes:
        method: HTTP method.
        path: Path below the root; ``{number}`` stands for a whole number.
        name: Name of the operation in the description.
        summary: What it does.
        run: Does it.
        returns: Model of the answer.
        body: Model of the request's body, if it has one.
        query: Model of the query, if it has one.
        status: HTTP status of the answer.
    """

    method: inputs.Order
    path: str
    name: str
    summary: str
    run: Callable[[State, Inputs], BaseModel]
    returns: type[BaseModel]
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    status: int = 200


@cache
def package_version() -> str:
    """The version of this distribution; ``0`` in a checkout that is not installed."""
    try:
        return version("clova-studio")
    except PackageNotFoundError:
        return "0"


def _health(state: State, _: Inputs) -> outputs.Health:
    log = state.log
    return outputs.Health(
        version=package_version(),
        behaviour=str(state.settings.facts),
        uptime_seconds=round(monotonic() - state.started, 3),
        requests=outputs.RequestCounts(
            received=log.received,
            kept=len(log.kept),
            dropped=log.dropped,
            in_flight=log.in_flight,
            peak_in_flight=log.peak_in_flight,
        ),
        scripted=len(state.scripted),
        faults=len(state.faults),
    )


def _list_requests(state: State, asked: Inputs) -> outputs.RequestList:
    query: inputs.RequestQuery = asked.query
    received, kept = state.log.received, state.log.kept
    found = [
        request
        for request in kept
        if (query.since is None or request.number > query.since)
        and (query.method is None or request.method == query.method.upper())
        and (query.path is None or query.path in request.path)
        and (query.status is None or request.status == query.status)
        and (query.code is None or request.code == query.code)
    ]
    shown = found[-query.limit :] if query.since is None else found[: query.limit]
    more = query.since is not None and len(found) > len(shown)
    return outputs.RequestList(
        requests=[outputs.view_of(request, with_body=query.body) for request in shown],
        next=shown[-1].number if more else max(received, kept[-1].number if kept else 0),
        more=more,
        dropped=state.log.dropped,
    )


def _get_request(state: State, asked: Inputs) -> outputs.RequestView:
    request = state.log.find(asked.number)
    if request is None:
        raise NotThereError(f"No request {asked.number} is kept")
    return outputs.view_of(request, with_body=True, with_answer=True)


def _clear_requests(state: State, _: Inputs) -> outputs.Cleared:
    return outputs.Cleared(cleared=state.log.clear())


def _get_script(state: State, _: Inputs) -> outputs.Script:
    answers = [{"fault": asdict(answer)} if isinstance(answer, Fault) else answer for answer in state.scripted]
    return outputs.Script.model_validate({"answers": answers})


def _add_script(state: State, asked: Inputs) -> outputs.Script:
    state.script(asked.body.scripted())
    return _get_script(state, asked)


def _clear_script(state: State, _: Inputs) -> outputs.Cleared:
    return outputs.Cleared(cleared=state.clear_script())


def _fault_view(item: ActiveFault) -> outputs.FaultView:
    fields = inputs.FaultFields(**asdict(item.fault))
    return outputs.FaultView(number=item.number, seen=item.seen, hit=item.hit, fault=fields)


def _list_faults(state: State, _: Inputs) -> outputs.FaultList:
    return outputs.FaultList(faults=[_fault_view(item) for item in state.faults])


def _add_fault(state: State, asked: Inputs) -> outputs.FaultView:
    fields: inputs.FaultFields = asked.body
    return outputs.FaultView(number=state.add_fault(fields.fault()), seen=0, hit=0, fault=fields)


def _clear_faults(state: State, _: Inputs) -> outputs.Cleared:
    return outputs.Cleared(cleared=state.clear_faults())


def _remove_fault(state: State, asked: Inputs) -> outputs.Cleared:
    count = state.clear_faults(asked.number)
    if not count:
        raise NotThereError(f"There is no fault {asked.number}: it is spent or was taken away")
    return outputs.Cleared(cleared=count)


def _get_quotas(state: State, _: Inputs) -> outputs.Quotas:
    windows = state.windows
    limits = {name: inputs.LimitFields(requests=most[0], tokens=most[1]) for name, most in windows.limits.items()}
    usage = [outputs.AccountUsage(**row) for row in windows.usage()]
    return outputs.Quotas(limits=limits, window=windows.window, counting=windows.counting, usage=usage)


def _set_quotas(state: State, asked: Inputs) -> outputs.Quotas:
    fields: inputs.QuotaFields = asked.body
    limits: Limits | None = None
    if fields.limits is not None:
        limits = {name: (limit.requests, limit.tokens) for name, limit in fields.limits.items()}
    state.check_computes("A quota")
    state.windows.configure(limits, fields.window, fields.counting)
    return _get_quotas(state, asked)


def _forget_usage(state: State, asked: Inputs) -> outputs.Quotas:
    state.windows.reset()
    return _get_quotas(state, asked)


def _get_tuning(state: State, _: Inputs) -> outputs.Tuning:
    tuning = state.tuning
    tasks = [
        outputs.TaskView(
            id=task.id,
            account=account_of(task.owner),
            model=task.request.model,
            status=task.status(tuning.elapsed(task)),
        )
        for task in tuning.all()
    ]
    return outputs.Tuning(seconds=tuning.seconds, ahead=tuning.ahead, tasks=tasks)


def _set_tuning(state: State, asked: Inputs) -> outputs.Tuning:
    state.check_computes("The time of training")
    state.tuning.set_seconds(asked.body.seconds)
    return _get_tuning(state, asked)


def _advance_tuning(state: State, asked: Inputs) -> outputs.Tuning:
    state.check_computes("The time of training")
    state.tuning.advance(asked.body.seconds)
    return _get_tuning(state, asked)


def _reset(state: State, asked: Inputs) -> outputs.Health:
    state.reset()
    return _health(state, asked)


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("GET", "/health", "getHealth", "Tell that it runs, and count what it knows", _health, outputs.Health),
    Endpoint(
        "GET",
        "/requests",
        "listRequests",
        "Read the requests that arrived",
        _list_requests,
        outputs.RequestList,
        query=inputs.RequestQuery,
    ),
    Endpoint("GET", "/requests/{number}", "getRequest", "Read one request", _get_request, outputs.RequestView),
    Endpoint("DELETE", "/requests", "clearRequests", "Forget the requests", _clear_requests, outputs.Cleared),
    Endpoint("GET", "/script", "getScript", "Read the answers that are still to come", _get_script, outputs.Script),
    Endpoint(
        "POST",
        "/script",
        "addScript",
        "Queue answers for the next chats",
        _add_script,
        outputs.Script,
        body=inputs.ScriptFields,
    ),
    Endpoint("DELETE", "/script", "clearScript", "Forget the queued answers", _clear_script, outputs.Cleared),
    Endpoint(
        "GET", "/faults", "listFaults", "Read the faults that can still hit a request", _list_faults, outputs.FaultList
    ),
    Endpoint(
        "POST",
        "/faults",
        "addFault",
        "Add a fault",
        _add_fault,
        outputs.FaultView,
        body=inputs.FaultFields,
        status=201,
    ),
    Endpoint("DELETE", "/faults", "clearFaults", "Take all faults away", _clear_faults, outputs.Cleared),
    Endpoint("DELETE", "/faults/{number}", "removeFault", "Take one fault away", _remove_fault, outputs.Cleared),
    Endpoint("GET", "/quotas", "getQuotas", "Read the quotas and what was used of them", _get_quotas, outputs.Quotas),
    Endpoint(
        "PUT",
        "/quotas",
        "setQuotas",
        "Change quotas and forget what they have used",
        _set_quotas,
        outputs.Quotas,
        body=inputs.QuotaFields,
    ),
    Endpoint(
        "DELETE", "/quotas/usage", "forgetUsage", "Forget what the quotas have used", _forget_usage, outputs.Quotas
    ),
    Endpoint("GET", "/tuning", "getTuning", "Read the training tasks and their time", _get_tuning, outputs.Tuning),
    Endpoint(
        "PUT",
        "/tuning",
        "setTuning",
        "Set how long training takes",
        _set_tuning,
        outputs.Tuning,
        body=inputs.TuningFields,
    ),
    Endpoint(
        "POST",
        "/tuning/advance",
        "advanceTuning",
        "Let time pass for the training tasks",
        _advance_tuning,
        outputs.Tuning,
        body=inputs.AdvanceFields,
    ),
    Endpoint(
        "POST",
        "/reset",
        "reset",
        "Forget requests, scripts, faults, training tasks and quota usage",
        _reset,
        outputs.Health,
    ),
)
