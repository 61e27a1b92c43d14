"""What goes over the wire: requests, strictly checked, and answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from segmodel.serve.scorer import MAX_HISTORY, MAX_VIDEOS

LATEST_MS = 2**53 - 1
"""Times are whole milliseconds that JavaScript can count as well."""

Id = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=512, pattern=r"^[^\x00-\x1f]*[^\s\x00-\x1f][^\x00-\x1f]*$"
    ),
]


def _whole(value: object) -> object:
    """JSON knows numbers only: 3.0 is an integer there."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


TimeMs = Annotated[int, Field(ge=0, le=LATEST_MS), BeforeValidator(_whole)]
SpanMs = Annotated[int, Field(ge=1, le=LATEST_MS), BeforeValidator(_whole)]


class _Request(BaseModel):
    # Nothing is converted and nothing ignored: a request that says something else than it means is refused.
    model_config = ConfigDict(strict=True, extra="forbid")


Context = Annotated[
    dict[Id, Id] | None,
    Field(max_length=100, description="Values of the log's context columns, as far as they are known."),
]


class HistoryView(_Request):
    """A view that somebody without a known past has watched."""

    video_id: Id
    time_ms: TimeMs = Field(description="When the view began.")
    watch_ms: SpanMs
    duration_ms: SpanMs | None = Field(None, description="Needed where the video is not in the store.")
    context: Context = None


class Event(HistoryView):
    """A watched view."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"user_id": "17", "video_id": "sea-3", "time_ms": 1_700_000_000_000, "watch_ms": 4200}]
        }
    )

    user_id: Id


class SkipRequest(_Request):
    """A user, known by id or by what they watched, and the videos in question."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"user_id": "17", "video_ids": ["cooking-12", "sea-3"], "segments": True}]}
    )

    user_id: Id | None = Field(None, description="Whose past counts; users unknown so far have none.")
    history: list[HistoryView] | None = Field(
        None, max_length=MAX_HISTORY, description="In place of user_id: what somebody unknown has watched."
    )
    video_ids: list[Id] = Field(min_length=1, max_length=MAX_VIDEOS, description="Repeated ones count once.")
    durations_ms: dict[Id, SpanMs] | None = Field(
        None, max_length=MAX_VIDEOS, description="Lengths of videos that are not in the store."
    )
    time_ms: TimeMs | None = Field(None, description="The moment; default: just after the last known view.")
    context: Context = None
    segments: bool = Field(False, description="Whether to answer with figures per segment as well.")

    @model_validator(mode="after")
    def _one_past(self) -> SkipRequest:
        if (self.user_id is None) == (self.history is None):
            raise ValueError("give either user_id or history")
        return self


Order = Literal["watch_ratio", "expected_watch_s", "completion"]


class RankRequest(SkipRequest):
    """The same question, for an order of the videos."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"user_id": "17", "video_ids": ["cooking-12", "sea-3"], "by": "completion"}]}
    )

    by: Order = Field("watch_ratio", description="What to rank by, descending.")
    top: Annotated[int, Field(ge=1, le=MAX_VIDEOS), BeforeValidator(_whole)] = Field(
        MAX_VIDEOS, description="How many to answer with."
    )


class Skip(BaseModel):
    """The segment that the user leaves in most likely, if they leave."""

    segment: int
    start_s: float
    end_s: float
    probability: float = Field(description="That they leave in this segment.")


class Segments(BaseModel):
    """One entry per segment."""

    start_s: list[float]
    end_s: list[float]
    interest: list[float] = Field(description="Higher: stays.")
    skip_probability: list[float] = Field(description="Leaves in the segment.")
    survival: list[float] = Field(description="Watches past the segment.")


class VideoPrediction(BaseModel):
    """Where the user leaves one video."""

    video_id: str
    video_known: bool = Field(description="False: not in the store, so that nothing but its length is known.")
    duration_s: float
    expected_watch_s: float
    watch_ratio: float = Field(description="expected_watch_s / duration_s")
    completion: float = Field(description="Probability of watching to the end.")
    skip: Skip
    segments: Segments | None = None


class SkippedVideo(BaseModel):
    """A video that the run cannot predict."""

    video_id: str
    reason: str


class SkipResponse(BaseModel):
    """Predictions in the order asked for, or best first."""

    run: str
    time_ms: int
    user_known: bool = Field(description="False: nothing that they watched is known; the answer is one for anybody.")
    predictions: list[VideoPrediction]
    skipped: list[SkippedVideo]


class EventResponse(BaseModel):
    """The view is on disk, and every later answer knows it."""

    stored: bool = Field(description="False: the journal had this user, video and time already, and keeps the first.")


class Health(BaseModel):
    """Ready to answer."""

    status: Literal["ok"]
    run: str
    model: str
    users: int
    videos: int


class Catalog(BaseModel):
    """Some of the ids that the server knows."""

    users: list[str] = Field(description="Those with the most views.")
    videos: list[str]


class Video(BaseModel):
    """What the store can show of a video."""

    video_id: str
    title: str = Field(description="Empty where there is none.")
    thumbnails: list[str] = Field(description="A small WebP of each segment, in base64; empty where there is none.")


class Problem(BaseModel):
    """What is wrong with a request."""

    error: str
