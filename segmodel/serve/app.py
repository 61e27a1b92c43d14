"""The HTTP interface: routes and errors."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException as StarletteHTTPException

from segmodel.serve import pages, prometheus
from segmodel.serve.journal import WatchedView
from segmodel.serve.prometheus import Metrics, TimedRoute
from segmodel.serve.request_limits import WholeBody
from segmodel.serve.responses import encode, predictions
from segmodel.serve.schemas import (
    Catalog,
    Event,
    EventResponse,
    Health,
    HistoryView,
    Problem,
    RankRequest,
    SkipRequest,
    SkipResponse,
    Video,
)
from segmodel.serve.scorer import Answer, BadQuestion, LiveScorer, Question
from segmodel.serve.service import Busy, Service

_REASONS = 3
"""So many faults of a request are named at once."""

_bearer = HTTPBearer(auto_error=False, description="Needed where the server was started with --api-key-file.")


async def _authorized(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> None:
    # Asynchronous, or every request would wait for a thread of its own.
    keys: Sequence[bytes] = request.app.state.keys
    key = given.credentials.encode() if given else b""
    # All keys are compared, so that the time taken tells nothing.
    if keys and not sum(hmac.compare_digest(key, known) for known in keys):
        raise HTTPException(401, "a valid key is needed: Authorization: Bearer KEY", {"WWW-Authenticate": "Bearer"})


def _problems(*codes: int) -> dict[int | str, dict[str, Any]]:
    return {code: {"model": Problem, "description": _MEANING[code]} for code in codes}


_MEANING = {
    400: "The body is no JSON.",
    401: "The key is missing or wrong.",
    408: "The body came too slowly.",
    413: "The body is too long.",
    422: "The request cannot be answered; the reason says why.",
    503: "Too many requests are waiting, or the journal cannot be written; try again later.",
}

guarded = APIRouter(dependencies=[Depends(_authorized)], responses=_problems(401, 422, 503))
_BODY = _problems(400, 408, 413)


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


@guarded.post("/v1/predict-skip", response_model=SkipResponse, responses=_BODY, summary="Where will the user leave?")
async def predict_skip(body: SkipRequest, request: Request) -> Response:
    """Expected watch time, completion and skip position of every video, in the order asked for."""

    def answer(scorer: LiveScorer) -> bytes:
        found = scorer.answer(_question(body))
        return _encoded(scorer, found, predictions(found, body.segments))

    return Response(await _service(request).ask(answer), media_type="application/json")


@guarded.post("/v1/rank", response_model=SkipResponse, responses=_BODY, summary="What will the user watch?")
async def rank(body: RankRequest, request: Request) -> Response:
    """The same predictions, best first; videos that are equal stay in the order asked for.

    The default order is by watch_ratio, the expected share of the video that is watched: by expected_watch_s
    long videos win, and by completion short ones.
    """

    def answer(scorer: LiveScorer) -> bytes:
        found = scorer.answer(_question(body))
        best = sorted(predictions(found, body.segments), key=lambda row: -row[body.by])
        return _encoded(scorer, found, best[: body.top])

    return Response(await _service(request).ask(answer), media_type="application/json")


@guarded.post(
    "/v1/events",
    status_code=201,
    response_model=EventResponse,
    responses={200: {"model": EventResponse, "description": "The journal had the view already."}, **_BODY},
    summary="Report a watched view",
)
async def events(body: Event, request: Request, response: Response) -> EventResponse:
    """Once answered, the view survives the loss of the process, and the next prediction knows it."""
    stored = await _service(request).append(_view(body, body.user_id))
    response.status_code = 201 if stored else 200
    return EventResponse(stored=stored)


@guarded.get("/v1/catalog", response_model=Catalog, summary="Some users and videos")
async def catalog(request: Request, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Response:
    """Ids to try the server with."""

    def answer(scorer: LiveScorer) -> bytes:
        videos = scorer.data.store.video_ids[:limit].tolist()
        # File names that are no Unicode can neither be sent nor be asked for.
        return encode(
            {
                k: [v for v in ids if v.isprintable()]
                for k, ids in (("users", scorer.pasts.users(limit)), ("videos", videos))
            }
        )

    return Response(await _service(request).ask(answer), media_type="application/json")


@guarded.get("/v1/video", response_model=Video, summary="What the store can show of a video")
async def video(request: Request, video_id: Annotated[str, Query(min_length=1, max_length=512)]) -> Response:
    """Title and small pictures, for pages that show predictions to people."""

    def answer(scorer: LiveScorer) -> bytes:
        title, pictures = scorer.video(video_id)
        shown = title.encode("utf-8", "replace").decode()
        return encode({"video_id": video_id, "title": shown, "thumbnails": [b64encode(p).decode() for p in pictures]})

    return Response(await _service(request).ask(answer), media_type="application/json")


@guarded.get("/metrics", summary="For Prometheus", response_class=Response)
async def scrape(request: Request) -> Response:
    """Counts and times of requests in Prometheus' text format."""
    service = _service(request)
    run = service.scorer.run
    measured: Metrics = request.app.state.metrics
    text = measured.render(service.gauges(), {"run": run.name, "model": run.config.model})
    return Response(text, media_type=prometheus.CONTENT_TYPE)


open_to_all = APIRouter()


@open_to_all.get("/healthz", summary="Ready to answer")
async def healthz(request: Request) -> Health:
    """Whether the server is up, and with which run."""
    scorer = _service(request).scorer
    run = scorer.run
    return Health(
        status="ok", run=run.name, model=run.config.model, users=len(scorer.pasts), videos=len(scorer.data.store)
    )


def create_app(service: Service, keys: Sequence[str] = (), worker: int | None = None) -> FastAPI:
    """The application over a service.

    Parameters
    ----------
    service : Service
    keys : sequence of str
        One of them must come with every request, except for health and pages; none: everybody is welcome.
    worker : int, optional
        Number of this process, where several answer.
    """
    # FastAPI's own documentation pages load scripts from elsewhere.
    app = FastAPI(title="segmodel", summary="Where will a user leave a short video?", docs_url=None, redoc_url=None)
    app.state.service, app.state.metrics = service, Metrics(worker)
    app.state.keys = [key.encode() for key in keys]
    app.include_router(guarded)
    app.include_router(open_to_all)
    app.include_router(pages.router)
    app.add_middleware(WholeBody)
    app.add_middleware(TimedRoute, metrics=app.state.metrics)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(StarletteHTTPException, _refused)
    for kind, status in ((BadQuestion, 422), (Busy, 503), (OSError, 503)):
        app.add_exception_handler(kind, _answer_with(status))
    app.add_exception_handler(Exception, _failed)
    return app


def _question(body: SkipRequest) -> Question:
    return Question(
        video_ids=body.video_ids,
        user_id=body.user_id,
        history=[_view(v, "") for v in body.history or ()],
        durations_ms=body.durations_ms or {},
        time_ms=body.time_ms,
        context=body.context or {},
    )


def _view(view: HistoryView, user_id: str) -> WatchedView:
    duration_ms, context = view.duration_ms or 0, view.context or {}
    return WatchedView(user_id, view.video_id, view.time_ms, duration_ms, view.watch_ms, context)


def _encoded(scorer: LiveScorer, found: Answer, rows: list[dict[str, Any]]) -> bytes:
    left_out = [{"video_id": v, "reason": reason} for v, reason in found.skipped.items()]
    head = {"run": scorer.run.name, "time_ms": found.time_ms, "user_known": found.user_known}
    return encode({**head, "predictions": rows, "skipped": left_out})


async def _invalid(request: Request, error: Exception) -> Response:
    """Where the request is wrong and why, without repeating it."""
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    if any(f["type"] == "json_invalid" for f in faults):
        return _problem(400, f"the body is no JSON: {faults[0].get('ctx', {}).get('error', faults[0]['msg'])}")
    named = [f"{'.'.join(str(p)[:100] for p in f['loc'][1:]) or f['loc'][0]}: {f['msg']}" for f in faults[:_REASONS]]
    more = f"; and {len(faults) - _REASONS} more" if len(faults) > _REASONS else ""
    return _problem(422, "; ".join(named) + more)


async def _refused(request: Request, error: Exception) -> Response:
    if isinstance(error, StarletteHTTPException):
        return _problem(error.status_code, str(error.detail), error.headers)
    return _problem(400, str(error))


def _answer_with(status: int) -> Any:
    async def handle(request: Request, error: Exception) -> Response:
        reason = "too many requests are waiting; try again later" if isinstance(error, Busy) else str(error)
        return _problem(status, reason, {"Retry-After": "1"} if status == 503 else None)

    return handle


async def _failed(request: Request, error: Exception) -> Response:
    return _problem(500, "an error inside the server; its log has the details")


def _problem(status: int, reason: str, headers: Any = None) -> Response:
    # Escaped to ASCII: what a reason quotes may be no Unicode.
    return JSONResponse({"error": reason.encode("ascii", "backslashreplace").decode()}, status, headers)
