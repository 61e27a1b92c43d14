"""Thumbnails: the right segment, the exact picture, full size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from segfeat.interactions import Interactions
from segfeat.segment import segment_spans
from segfeat.store.reader import FeatureStore
from segfeat.store.writer import write_store
from segfeat.types import StoreHeader, VideoFeatures
from segmodel.data.views import make_views
from segmodel.media.thumbnail import Thumbnail, choose_thumbnails, write_thumbnail
from segmodel.prediction import from_hazard
from segmodel.runs.predictor import PairPredictions
from tests.media import FPS, Picture, make_video, read_number


def store_of(folder: Path, frame_time_s: Any, seconds: float = 12.0) -> FeatureStore:
    spans = segment_spans(seconds)
    times = np.array(frame_time_s, float).reshape(len(spans), -1)
    video = VideoFeatures("v", seconds, spans, {}, {}, path="v.mp4", frame_time_s=times)
    write_store(folder / "feats.h5", StoreHeader(5.0), [video], root=str(folder))
    return FeatureStore(folder / "feats.h5")


def predicted(make_log: Callable[..., Interactions], store: FeatureStore, *hazards: list[float]) -> PairPredictions:
    rows = [(f"u{i}", "v", 0, 1000, 12_000) for i in range(len(hazards))]
    views = make_views(make_log(*rows), store)
    return PairPredictions(views, from_hazard(np.array(hazards), views), {})


def test_the_segment_that_each_user_would_like_best(tmp_path: Path, make_log: Callable[..., Interactions]) -> None:
    store = store_of(tmp_path, [[1.0, 2.5, 4.0], [6.0, 7.5, 9.0], [10.0, 11.0, 11.5]])
    found = list(choose_thumbnails(predicted(make_log, store, [0.5, 0.1, 0.4], [0.2, 0.3, 0.2]), store))
    assert [(t.user_id, t.segment, t.time_s) for t in found] == [("u0", 1, 7.5), ("u1", 0, 2.5)]
    assert found[0].interest == pytest.approx(np.log(0.9 / 0.1))


def test_segments_without_a_picture_are_passed_over(tmp_path: Path, make_log: Callable[..., Interactions]) -> None:
    store = store_of(tmp_path, [[2.5], [np.nan], [11.0]])
    (found,) = choose_thumbnails(predicted(make_log, store, [0.5, 0.1, 0.4]), store)
    assert (found.segment, found.time_s) == (2, 11.0)
    store = store_of(tmp_path, [[np.nan]] * 3)
    with pytest.raises(ValueError, match="no picture of video 'v'"):
        list(choose_thumbnails(predicted(make_log, store, [0.5, 0.1, 0.4]), store))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_the_exact_picture_in_full_size(tmp_path: Path, suffix: str) -> None:
    make_video(tmp_path / "v.mp4", [Picture(count=2 * FPS, size=(128, 96), rotation=90, b_frames=2)])
    store = store_of(tmp_path, [[1.32]], 2.0)
    write_thumbnail(Thumbnail("u", "v", 0, 1.0, 1.32), store, tmp_path / f"t{suffix}")
    with Image.open(tmp_path / f"t{suffix}") as image:
        assert image.size == (96, 128)
        assert read_number(np.asarray(image.convert("RGB"))) == 33
    assert sorted(p.name for p in tmp_path.iterdir()) == ["feats.h5", f"t{suffix}", "v.mp4"]


def test_a_name_of_no_picture_format_is_refused(tmp_path: Path) -> None:
    store = store_of(tmp_path, [[1.0]], 2.0)
    with pytest.raises(ValueError, match=r"t\.mp4: name the picture"):
        write_thumbnail(Thumbnail("u", "v", 0, 1.0, 1.0), store, tmp_path / "t.mp4")
