"""Predictions as a notebook shows them: a strip per pair, warm where people stay and blue where they leave."""

from __future__ import annotations

from html import escape

from segmodel.data.views import Views
from segmodel.prediction import SkipPrediction

SHOWN = 20
"""Pairs that a notebook shows; the table has all."""

_STAY, _LEAVE = (244, 162, 97), (69, 123, 157)


def likeliest_exit(views: Views, prediction: SkipPrediction, row: int) -> str:
    """Where a user leaves most likely, in words, with the probability."""
    slot = int(prediction.slots[row].argmax())
    share = prediction.slots[row, slot]
    if slot == views.segments[row]:
        return f"not at all ({share:.0%})"
    return f"{slot * views.segment_s:g}–{float(views.end_s(row, slot)):.3g} s ({share:.0%})"


def heat_strips(views: Views, prediction: SkipPrediction, hint: str = "") -> str:
    """An HTML table of the first :data:`SHOWN` pairs; colours are relative to the hazards shown."""
    rows = range(min(len(views), SHOWN))
    hazard = prediction.hazard
    highest = max((float(hazard[i].max()) for i in rows), default=0.0) or 1.0
    body = []
    for i in rows:
        cells = []
        for s in range(int(views.segments[i])):
            start, end = s * views.segment_s, float(views.end_s(i, s))
            told = f"{start:g}–{end:.3g} s: leaves with {prediction.skip_probability[i, s]:.1%}"
            style = (
                f"width:{max(6, round(6 * (end - start)))}px;height:18px;background:{_colour(hazard[i, s] / highest)}"
            )
            cells.append(f'<span title="{escape(told)}" style="display:inline-block;{style}"></span>')
        body.append(
            f"<tr><td>{escape(str(views.user_ids[views.user[i]]))}</td>"
            f"<td>{escape(str(views.video_ids[views.video[i]]))}</td>"
            f'<td style="text-align:left;white-space:nowrap">{"".join(cells)}</td>'
            f"<td>{likeliest_exit(views, prediction, i)}</td><td>{prediction.completion[i]:.0%}</td>"
            f"<td>{prediction.expected_watch_s[i]:.1f} s</td></tr>"
        )
    heads = ("user", "video", "segments", "leaves most likely", "completes", "watches")
    more = f"<p>… and {len(views) - SHOWN:,} more{hint}</p>" if len(views) > SHOWN else ""
    head = "".join(f"<th>{h}</th>" for h in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>{more}"


def _colour(share: float) -> str:
    """Between staying (0) and leaving (1)."""
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(_STAY, _LEAVE, strict=True))
