"""The page: needs nothing from outside, shows hostile words as words, and can be read by everybody."""

from __future__ import annotations

import json
import re
from dataclasses import astuple, replace
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import segmodel
from segmodel.evaluation import slices
from segmodel.evaluation.comparison import Comparison
from segmodel.evaluation.comparison_files import write_comparison
from segmodel.report.ablation import find_ablations
from segmodel.report.cases import Segment
from segmodel.report.page import WORST_SLICES, _time_labels, write_report
from segmodel.report.results import group_rows, measure
from segmodel.runs.predictor import open_predictor
from segmodel.runs.slices import measured_slices

STYLE = (Path(segmodel.__file__).parent / "style.css").read_text()

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """Every element with its attributes, the visible text, and whether tags are balanced."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))


@pytest.fixture(scope="module")
def page(world: Any) -> Page:
    return Page(world.page)


def test_the_markup_is_balanced(page: Page, bare_world: Any) -> None:
    assert (page.unbalanced, page.open) == ([], [])
    bare = Page(bare_world.page)
    assert (bare.unbalanced, bare.open) == ([], [])


def test_nothing_comes_from_outside(page: Page) -> None:
    for tag, attributes in page.elements:
        for name in ("src", "href", "srcset", "data", "action", "poster", "xlink:href", "background"):
            value = attributes.get(name) or "data:"
            assert value.startswith(("data:", "#")), (tag, name, value)
    assert not re.search(r"url\(|@import|@font-face", STYLE)
    (policy,) = (m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in str(policy)
    assert "unsafe-inline'; script" in str(policy).replace("style-src '", "")
    assert "script-src 'sha256-" in str(policy)


def test_hostile_words_are_shown_as_words(page: Page, world: Any) -> None:
    assert len(page.all("script")) == 1
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"b/", "i", "u", "iframe", "object"}
    for words in (
        'document.title="owned"',
        "<b>u0</b>&amp;",
        "v<i>",
        "test:<u>visual",
        "a<script>alert(1)</script>\\udcff.mp4",
        "<img src=x onerror=alert(2)>",
    ):
        assert words in page.text, words


def test_pictures_and_drawings_have_words(page: Page) -> None:
    images, drawings = page.all("img"), page.all("svg")
    assert images
    assert drawings
    assert all(i.get("alt") for i in images)
    assert all(d.get("aria-hidden") == "true" or (d.get("role") == "img" and d.get("aria-label")) for d in drawings)


def test_the_structure_is_one_a_screen_reader_can_walk(page: Page) -> None:
    (html,) = page.all("html")
    assert html["lang"] == "en"
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert all(th.get("scope") in ("col", "row") for th in page.all("th"))
    ids = [str(a["id"]) for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    targets = {str(a["href"])[1:] for a in page.all("a")} | {
        str(a["aria-labelledby"]) for _, a in page.elements if "aria-labelledby" in a
    }
    assert targets <= set(ids)
    scrolling = [a for _, a in page.elements if a.get("tabindex") == "0"]
    assert all(a.get("role") == "region" and a.get("aria-label") for a in scrolling)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_colours_can_be_told_apart(theme: int) -> None:
    """WCAG 2.2: 4.5 for text, 3 for drawings; and one scale that only ever gets darker (or lighter)."""
    blocks = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    colours = dict(re.findall(r"--(\w+): (#\w{6});", blocks[theme]))
    for ground in ("paper", "card", "soft"):
        for text in ("ink", "muted", "accent", "better", "worse"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
        for mark in ("a", "b", "unclear"):
            assert contrast(colours[mark], colours[ground]) >= 3.0, (mark, ground)
    for level in range(9):
        assert contrast(colours[f"on{level}"], colours[f"l{level}"]) >= 4.5, level
    for who in ("a", "b"):
        assert contrast(colours["card"], colours[who]) >= 4.5
    scale = [luminance(colours[f"l{i}"]) for i in range(9)]
    assert scale == sorted(scale, reverse=theme == 0)


def test_time_labels_never_meet() -> None:
    """Every segment has one where there is room; the last label, at the end of the video, always has."""

    def labels(duration_s: float) -> list[float]:
        starts = np.arange(0, duration_s, 5.0)
        segments = [Segment(s, min(s + 5, duration_s), 0, 0.0, 0.0, 0.0, 0.0) for s in starts.tolist()]
        return [s.start_s for s, shown in zip(segments, _time_labels(segments), strict=True) if shown]

    assert labels(25.0) == [0, 5, 10, 15, 20]
    assert labels(25.4) == [0, 5, 10, 15, 20]
    assert labels(178.7) == [float(s) for s in range(0, 170, 10)]
    assert labels(3.0) == [0]


def test_twenty_cases_stay_under_five_megabytes(world: Any) -> None:
    """Real small pictures weigh about 2 kB; 20 videos of 40 segments must still fit."""
    assert world.page.stat().st_size < 500_000
    others = len(re.sub(r'src="data:[^"]*"', "", Page(world.page).source))
    assert others + 20 * 40 * (2_500 * 4 / 3) < 5_000_000


def test_a_log_alone_gives_a_report(bare_world: Any) -> None:
    page = Page(bare_world.page)
    assert page.all("img") == []
    assert "The store holds no content features" in page.text
    assert "best foreseen" in page.text
    assert "Nothing was extracted from video files." in page.text
    # The run is DurationPosition itself: nothing to be better than but what is still there.
    assert "Not told apart" in page.text or "This model is the reference" in page.text


def test_the_figures_are_those_of_the_evaluation(world: Any, page: Page) -> None:
    measured = measure(open_predictor(world.run), ("random", "duration-position"))
    summary = measured.own.summaries()["all"]
    assert f"{summary['nll']:.3f} nats" in page.text
    assert f"{summary['views']:.0f} later views" in page.text
    table = measured.comparison.table(measured.comparison.cuts[-1])
    gap = table[measured.name]["nll"]
    assert f"{gap.difference:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]".replace("-", "−") in page.text
    # The same figure stands in both tables, with the same interval.
    first = group_rows(measured)[0]
    assert (first.group, astuple(first.gap)) == ("all", pytest.approx((gap.difference, gap.low, gap.high, gap.p)))
    for row in group_rows(measured):
        assert row.nll == pytest.approx(measured.own.summaries()[row.group]["nll"])
        assert row.gap.mean == pytest.approx(row.nll - row.reference_nll)
        assert row.gap.low <= row.gap.mean <= row.gap.high


def test_the_same_run_gives_the_same_page(world: Any, tmp_path: Path) -> None:
    write_report(open_predictor(world.run), tmp_path / "again.html", baselines=("random", "duration-position"))
    assert (tmp_path / "again.html").read_bytes() == world.page.read_bytes()


def test_cases_that_somebody_names(world: Any, tmp_path: Path) -> None:
    listed = tmp_path / "pairs.csv"
    listed.write_text('user_id,video_id\n<b>u0</b>&amp;,v<i>3\nnobody,v<i>3\n"u2",v<i>7\n')
    write_report(open_predictor(world.run), tmp_path / "r.html", cases=listed, baselines=())
    page = Page(tmp_path / "r.html")
    assert len(page.all("article")) == 2
    assert "nobody not watched yet Expected to watch" in re.sub(r"\s+", " ", page.text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("user_id\nu1\n", "missing column.*video_id"),
        ("user_id,video_id\n", "has no row"),
        ("user_id,video_id\nu1,v<i>1\n,v<i>1\n", "row 2: no user or video id"),
        ("user_id,video_id\nu1,nothing\n", "not in the store, and no duration given .*'nothing'"),
    ],
)
def test_a_bad_list_of_cases_is_named(world: Any, tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "pairs.csv").write_text(content)
    with pytest.raises(ValueError, match=message):
        write_report(open_predictor(world.run), tmp_path / "r.html", cases=tmp_path / "pairs.csv", baselines=())
    assert not (tmp_path / "r.html").exists()


def test_an_ablation_is_shown(world: Any, tmp_path: Path) -> None:
    found = measure(open_predictor(world.run), ("random", "duration-position")).comparison
    named = {"duration-position": "full", "random": "no <attention>"}
    figures = tuple(replace(f, model=named[f.model]) for f in found.figures if f.model in named)
    write_comparison(Comparison("full", figures), tmp_path / "ablations")
    write_report(open_predictor(world.run), tmp_path / "r.html", ablation=tmp_path / "ablations", baselines=())
    page = Page(tmp_path / "r.html")
    assert "What each part is worth" in page.text
    assert "no <attention>" in page.text


def test_ablations_of_several_models_are_found_beside_the_run(world: Any, tmp_path: Path) -> None:
    """Those of the run's own log, its own kind first; what somebody made from another log is none of its business."""
    run = replace(world.run, folder=tmp_path / "runs" / "mine")
    figures = measure(open_predictor(world.run), ("random", "duration-position")).comparison.figures
    for model, fingerprint in (("a", "here"), (run.config.model, "here"), ("other", "elsewhere")):
        folder = tmp_path / "ablations" / model
        write_comparison(Comparison("random", figures), folder)
        (folder / "runs" / "full").mkdir(parents=True)
        logs = {"here": run.data["log_fingerprint"], "elsewhere": "another"}
        (folder / "runs" / "full" / "data.json").write_text(json.dumps({"log_fingerprint": logs[fingerprint]}))
    assert list(find_ablations(run, None)) == [run.config.model, "a"]
    assert list(find_ablations(run, tmp_path / "ablations")) == [run.config.model, "a", "other"]
    assert find_ablations(world.run, None) == {}
    with pytest.raises(ValueError, match=r"no comparison\.json of `segmodel ablate`"):
        find_ablations(run, tmp_path / "runs")


@pytest.mark.parametrize(
    "content", ["", "[]", json.dumps({"reference": "x", "figures": []}), '{"figures": [{"a": 1}]}']
)
def test_a_file_that_is_no_ablation_is_named(world: Any, tmp_path: Path, content: str) -> None:
    (tmp_path / "comparison.json").write_text(content)
    with pytest.raises(ValueError, match=r"comparison\.json: no comparison"):
        write_report(open_predictor(world.run), tmp_path / "r.html", ablation=tmp_path, baselines=())


def test_slices_stand_worst_first(page: Page, world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Where it does worse" not in page.text  # the world is too small to say
    monkeypatch.setattr(slices, "LEAST_VIEWS", 2)
    monkeypatch.setattr(slices, "LEAST_USERS", 2)
    with open_predictor(world.run) as predictor:
        table = measured_slices(measure(predictor, ["duration-position"]))
        write_report(predictor, tmp_path / "report.html", baselines=["duration-position"])
    source = (tmp_path / "report.html").read_text()
    start = source.index("Where it does worse")
    section = source[start : source.index("<h3>", start)]
    shown = re.findall(r'<th scope="row" data-value="([^"]*)">.*?<bdi>(.*?)</bdi>', section, re.DOTALL)
    wanted = [(f.source, f.value) for f in table.figures[:WORST_SLICES]]
    assert [(unescape(a), unescape(b)) for a, b in shown] == wanted
    assert len(wanted) > 2
    assert section.count("<svg") == len(wanted)
    assert f"{table.small} have too few views or users" in section
    assert f"{table.figures[0].gap.mean:+.3f}".replace("-", "−") in section
