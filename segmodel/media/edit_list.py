"""Edit suggestions: the segments of a video in which more people leave than its length alone explains."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from segfeat.whole import whole_file
from segmodel.data.dataset import Dataset
from segmodel.data.splits import Split
from segmodel.models import make_model
from segmodel.models.base import FitRun

if TYPE_CHECKING:
    import pandas as pd

EXPECTATION = "duration-position"
"""The model that says how many would leave a video of this length anyway."""

_TAIL = 0.025
"""Of a two-sided 95 % interval."""

_EDL_FPS = 25.0
_NTSC_SLACK = 1e-4
_TITLE_LENGTH = 70


@dataclass(frozen=True)
class SegmentExits:
    """What viewers did in one segment of a video.

    Attributes
    ----------
    segment : int
    start_s, end_s : float
    reached, left : int
        Views that got to the segment, and those that ended in it.
    expected : float
        Views that would have ended in it if this video were like all others of its length.
    lift, low, high : float
        left / expected with its 95 % interval (Clopper and Pearson 1934); NaN where nobody got there.
    loses_viewers : bool
        Whether the lift lies above 1 beyond doubt: the interval does, also when it is widened so that all segments of
        the video together give a false alarm as rarely as one alone would (Bonferroni).
    """

    segment: int
    start_s: float
    end_s: float
    reached: int
    left: int
    expected: float
    lift: float
    low: float
    high: float
    loses_viewers: bool


def segment_exits(data: Dataset, video_id: str) -> list[SegmentExits]:
    """Observed against expected exits of each segment of a video.

    The expectation is the hazard of DurationPosition, learned from the views of all *other* videos, over the views that
    reached the segment.

    Parameters
    ----------
    data : Dataset
        All views of a log.
    video_id : str

    Raises
    ------
    ValueError
        If nobody watched the video, or nobody watched any other.
    """
    from scipy.stats import beta

    views = data.views
    own = views.watched & (views.video_ids[views.video] == video_id)
    if not own.any():
        raise ValueError(f"no usable view of video {video_id!r} in the log")
    others = np.flatnonzero(views.watched & ~own)
    if not len(others):
        raise ValueError(f"video {video_id!r} is the only one in the log: nothing to compare it with")
    nothing = np.zeros(0, dtype=np.int64)
    model = make_model(EXPECTATION, {"max_segments": int(views.segments.max())})
    model.fit(data, Split(others, nothing, nothing), FitRun(seed=0))
    seen = data.take(np.flatnonzero(own))
    hazard, watched = model.predict(seen).hazard, seen.views
    found = []
    longest = int(watched.picture_s.argmax())
    segments = int(watched.segments.max())
    for s in range(segments):
        reached = (watched.exit >= s) & (watched.segments > s)
        n, left, expected = int(reached.sum()), int((watched.exit[reached] == s).sum()), float(hazard[reached, s].sum())
        scale = n / expected if expected > 0 else float("nan")
        low, surely = (beta.ppf(p, left, n - left + 1) * scale if left else 0.0 for p in (_TAIL, _TAIL / segments))
        high = beta.ppf(1 - _TAIL, left + 1, n - left) * scale if left < n else scale
        start_s, end_s = s * watched.segment_s, float(watched.end_s(longest, s))
        lift = left / expected if expected > 0 else float("nan")
        found.append(
            SegmentExits(s, start_s, end_s, n, left, expected, lift, float(low), float(high), bool(surely > 1))
        )
    return found


def exits_table(video_id: str, found: list[SegmentExits]) -> pd.DataFrame:
    """One row per segment."""
    import pandas as pd

    columns = ("segment", "start_s", "end_s", "reached", "left", "expected", "lift", "low", "high", "loses_viewers")
    return pd.DataFrame([{"video_id": video_id, **{c: getattr(s, c) for c in columns}} for s in found])


def write_edl(path: str | Path, video_id: str, found: list[SegmentExits], clip: str = "", fps: float = _EDL_FPS) -> int:
    """Write the segments that lose viewers as a CMX 3600 edit decision list, and say how many there are.

    Each is an event at its own place of a timeline that holds the whole video, with a locator that tells the lift.

    Parameters
    ----------
    path : path
    video_id : str
    found : list of SegmentExits
    clip : str
        Name of the video file.
    fps : float
        Pictures a second of the video; time code counts them without dropping numbers.

    Raises
    ------
    ValueError
        If ``fps`` is not positive.
    """
    if not fps > 0:
        raise ValueError(f"{fps:g} pictures a second are no frame rate")
    lines = [f"TITLE: {_plain(video_id)[:_TITLE_LENGTH]}", "FCM: NON-DROP FRAME", ""]
    suggested = [s for s in found if s.loses_viewers]
    for number, s in enumerate(suggested, 1):
        begin, end = time_code(s.start_s, fps), time_code(s.end_s, fps)
        told = f"LIFT {s.lift:.2f} ({s.low:.2f} TO {s.high:.2f}): {s.left} OF {s.reached} LEFT"
        lines += [f"{number:03d}  AX       V     C        {begin} {end} {begin} {end}"]
        lines += [f"* FROM CLIP NAME: {_plain(clip or video_id)}", f"* LOC: {begin} RED     {told}", ""]
    with whole_file(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\r\n")
    return len(suggested)


def time_code(time_s: float, fps: float) -> str:
    """``HH:MM:SS:FF`` of the picture at a time.

    Frame numbers run at the next whole rate. At NTSC's rates, 1000/1001 of that, they count pictures and so fall behind
    the clock; any other broken rate is a mean over pictures of unequal length, and the clock counts.
    """
    base = max(1, round(fps))
    rate = fps if abs(fps / base - 1000 / 1001) < _NTSC_SLACK else base
    seconds, frame = divmod(round(time_s * rate), base)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{frame:02d}"


def _plain(text: str) -> str:
    """ASCII on one line, as the format wants it."""
    return "".join(c if " " <= c <= "~" else "_" for c in text)
