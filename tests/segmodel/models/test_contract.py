"""What every model of the registry promises; a new one is picked up by itself.

Every model is fitted once, small and briefly, on views with content in three modalities.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from segfeat.interactions import Interactions
from segfeat.segment import segment_spans
from segfeat.store.reader import FeatureStore
from segfeat.store.writer import write_store
from segfeat.types import EncoderSpec, Float64, StoreHeader, VideoFeatures
from segmodel.data.dataset import Dataset, make_dataset
from segmodel.data.splits import Split, temporal_split
from segmodel.data.views import UNKNOWN
from segmodel.evaluation.metrics import exit_nll
from segmodel.models import MODELS, make_model, model_class
from segmodel.models.base import FitRun, SegmentModel
from segmodel.prediction import SkipPrediction
from segmodel.recommend import BACKBONES
from segmodel.recommend.segrec import SegRec

SMALL = {"d": 8, "heads": 2, "layers": 1, "width": 8, "rank": 4, "folds": 3, "trees": 5, "members": 1, "history": 5}
"""Taken by the models that have such settings."""

EPOCHS = 2

CLOSE = {"rtol": 1e-4, "atol": 1e-5}
"""Batches of other sizes add up in another order."""


def _log() -> Interactions:
    """240 views of 12 users and 30 videos of 1 to 8 segments."""
    rng = np.random.default_rng(0)
    users, each, videos = 12, 20, 30
    duration_ms, video = rng.integers(3_000, 40_000, videos), rng.integers(0, videos, users * each)
    return Interactions(
        user_ids=np.array([f"u{i}" for i in range(users)], dtype=object),
        video_ids=np.array([f"v{i}" for i in range(videos)], dtype=object),
        user=np.repeat(np.arange(users, dtype=np.int32), each),
        video=video.astype(np.int32),
        time_ms=np.tile(np.arange(each), users) // 2 * 1000,
        watch_ms=rng.integers(1, 40_000, users * each),
        duration_ms=duration_ms[video],
    )


def _write_store(path: Path, log: Interactions) -> None:
    rng = np.random.default_rng(1)
    specs = {
        m: EncoderSpec(f"test:{m}", m, dim, "test", "none", "none")
        for m, dim in (("visual", 6), ("audio", 4), ("text", 4))
    }
    duration_ms = dict(zip(log.video.tolist(), log.duration_ms.tolist(), strict=True))
    videos = []
    for code, ms in sorted(duration_ms.items()):
        spans = segment_spans(ms / 1000)
        valid = {m: np.full(len(spans), m != "audio" or code % 2 == 0) for m in specs}
        features = {m: rng.normal(size=(len(spans), s.dim)) * valid[m][:, None] for m, s in specs.items()}
        videos.append(VideoFeatures(str(log.video_ids[code]), ms / 1000, spans, features, valid))
    write_store(path, StoreHeader(5.0, {}, specs), videos, interactions=log)


@dataclass(frozen=True)
class Bench:
    """Views to fit on, and a fit of every model that was asked for."""

    log: Interactions
    store: FeatureStore
    data: Dataset
    split: Split

    def make(self, name: str) -> SegmentModel:
        valid = {f.name for f in fields(model_class(name).Config)}
        return make_model(name, {k: v for k, v in SMALL.items() if k in valid})

    def fit(self, name: str, seed: int = 3, device: str = "cpu") -> SegmentModel:
        model = self.make(name)
        model.fit(self.data, self.split, FitRun(seed=seed, epochs=EPOCHS, device=device))
        return model


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    log = _log()
    path = tmp_path_factory.mktemp("contract") / "feats.h5"
    _write_store(path, log)
    store = FeatureStore(path)
    data = make_dataset(log, store)
    return Bench(log, store, data, temporal_split(data.views))


@pytest.fixture(scope="module")
def fitted(bench: Bench) -> Any:
    return cache(bench.fit)


@pytest.fixture(params=list(MODELS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def model(name: str, fitted: Any) -> SegmentModel:
    return fitted(name)  # type: ignore[no-any-return]


def _same(one: SkipPrediction, other: SkipPrediction, rows: Any = slice(None)) -> None:
    """``other`` is ``one`` for the given rows, whatever the width of either."""
    width = min(one.slots.shape[1], other.slots.shape[1])
    np.testing.assert_allclose(one.slots[rows, :width], other.slots[:, :width], **CLOSE)
    live = np.arange(width)[None, :] <= other.segments[:, None]
    for name in ("leave_score", "interest"):
        a, b = getattr(one, name)[rows], getattr(other, name)
        part = live[:, : min(a.shape[1], b.shape[1])]
        np.testing.assert_allclose(a[:, : part.shape[1]][part], b[:, : part.shape[1]][part], **CLOSE)
    np.testing.assert_allclose(one.expected_watch_s[rows], other.expected_watch_s, **CLOSE)


def test_probabilities_sum_to_one_over_the_live_slots(model: SegmentModel, bench: Bench) -> None:
    found = model.predict(bench.data)
    assert len(found.slots) == len(bench.data)
    assert (found.slots >= 0).all()
    np.testing.assert_allclose(found.slots.sum(axis=1), 1.0, atol=1e-6)
    beyond = np.arange(found.slots.shape[1])[None, :] > bench.data.views.segments[:, None]
    assert not found.slots[beyond].any()
    assert ((found.hazard >= 0) & (found.hazard <= 1)).all()
    assert np.isfinite(found.leave_score).all()
    assert np.isfinite(found.interest).all()


def test_batch_equals_single(model: SegmentModel, bench: Bench) -> None:
    rows = bench.split.test[:6]
    together = model.predict(bench.data.take(rows))
    for i in range(len(rows)):
        _same(together, model.predict(bench.data.take(rows[i : i + 1])), slice(i, i + 1))


def test_padding_is_inert(model: SegmentModel, bench: Bench) -> None:
    short = np.flatnonzero(bench.data.views.segments <= 2)
    assert 0 < len(short) < len(bench.data)
    _same(model.predict(bench.data), model.predict(bench.data.take(short)), short)


def test_predictions_are_deterministic(model: SegmentModel, bench: Bench) -> None:
    np.testing.assert_array_equal(model.predict(bench.data).slots, model.predict(bench.data).slots)


def test_a_prediction_does_not_see_how_its_view_ended(model: SegmentModel, bench: Bench) -> None:
    views = bench.data.views
    blind = replace(
        bench.data,
        views=replace(views, watch_ms=np.zeros_like(views.watch_ms), exit=np.full_like(views.exit, UNKNOWN)),
    )
    _same(model.predict(bench.data), model.predict(blind))


def test_save_equals_load(model: SegmentModel, name: str, bench: Bench, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    facts, arrays = model.state()
    save_file({k: np.array(v, order="C") for k, v in arrays.items()}, tmp_path / "weights.safetensors")
    again = bench.make(name)
    again.restore(json.loads(json.dumps(facts)), load_file(tmp_path / "weights.safetensors"))
    _same(model.predict(bench.data), again.predict(bench.data))


@pytest.fixture
def half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """What computes in half precision on a GPU does so on the CPU."""
    real = torch.autocast

    def as_on_a_gpu(device: str, dtype: torch.dtype | None = None, enabled: bool = True) -> Any:
        return real("cpu", dtype, enabled=enabled or device == "cuda")

    monkeypatch.setattr(torch, "autocast", as_on_a_gpu)


def test_half_precision_leads_to_the_same_quality(
    model: SegmentModel, name: str, bench: Bench, request: pytest.FixtureRequest
) -> None:
    # Asked for here, since all tests share what `model` is fitted to.
    request.getfixturevalue("half_precision")
    halved = bench.fit(name)
    views = bench.data.views.take(bench.split.train)
    nll = [exit_nll(m.predict(bench.data).slots[bench.split.train], views.exit).mean() for m in (halved, model)]
    assert nll[0] == pytest.approx(nll[1], abs=0.05)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_what_a_gpu_trained_answers_alike_on_either_device(
    model: SegmentModel, name: str, bench: Bench, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file, save_file

    trained = bench.fit(name, device="cuda")
    there = trained.predict(bench.data)
    facts, arrays = trained.state()
    save_file({k: np.array(v, order="C") for k, v in arrays.items()}, tmp_path / "weights.safetensors")
    again = bench.make(name)
    again.restore(json.loads(json.dumps(facts)), load_file(tmp_path / "weights.safetensors"))
    here = again.predict(bench.data)
    np.testing.assert_allclose(there.slots, here.slots, rtol=1e-3, atol=1e-4)
    again.to("cuda")
    np.testing.assert_allclose(again.predict(bench.data).slots, here.slots, rtol=1e-3, atol=1e-4)
    again.to("cpu")
    np.testing.assert_allclose(again.predict(bench.data).slots, here.slots, rtol=1e-6, atol=1e-9)
    # Half precision and other random numbers lead two short trainings apart, but not to another quality.
    views = bench.data.views.take(bench.split.train)
    rows = bench.split.train
    nll = [exit_nll(p.slots[rows], views.exit).mean() for p in (here, model.predict(bench.data))]
    assert nll[0] == pytest.approx(nll[1], abs=0.25)


def _segrec(backbone: str, bench: Bench, interest: Float64, device: str) -> SegRec:
    small = {f.name for f in fields(model_class(backbone).Config)}
    ranker = SegRec(backbone, {k: v for k, v in SMALL.items() if k in small}, "interest")
    effective = np.arange(len(bench.data)) % 3 == 0
    ranker.fit(bench.data, bench.split, effective, interest, FitRun(seed=3, epochs=EPOCHS, device=device))
    return ranker


def _some_interest(bench: Bench) -> Float64:
    return np.random.default_rng(0).random((len(bench.data), 40))


@pytest.mark.parametrize("backbone", BACKBONES)
def test_segrec_in_half_precision_is_nearly_the_same(
    backbone: str, bench: Bench, request: pytest.FixtureRequest
) -> None:
    interest = _some_interest(bench)
    whole = _segrec(backbone, bench, interest, "cpu").logits(bench.data, interest)
    request.getfixturevalue("half_precision")
    halved = _segrec(backbone, bench, interest, "cpu").logits(bench.data, interest)
    assert np.isfinite(halved).all()
    np.testing.assert_allclose(halved, whole, atol=0.05)
    assert (halved != whole).any()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("backbone", BACKBONES)
def test_segrec_trained_on_a_gpu_answers_alike_on_either_device(backbone: str, bench: Bench) -> None:
    interest = _some_interest(bench)
    ranker = _segrec(backbone, bench, interest, "cuda")
    again = SegRec(backbone, ranker.config.__dict__, "interest")
    again.restore(*ranker.state())
    np.testing.assert_allclose(ranker.logits(bench.data, interest), again.logits(bench.data, interest), atol=1e-3)
    for there, here in zip(ranker.parts(bench.data, interest), again.parts(bench.data, interest), strict=True):
        np.testing.assert_allclose(there, here, atol=1e-3)


def test_unknown_users_and_videos_get_a_prediction(model: SegmentModel, bench: Bench) -> None:
    n = 4
    pairs = Interactions(
        user_ids=np.array(["u0", "nobody"], dtype=object),
        video_ids=np.array(["v0", "nothing"], dtype=object),
        user=np.array([0, 0, 1, 1], dtype=np.int32),
        video=np.array([0, 1, 0, 1], dtype=np.int32),
        time_ms=np.full(n, 10**6),
        watch_ms=np.zeros(n, dtype=np.int64),
        duration_ms=np.full(n, 17_000),
    )
    found = model.predict(make_dataset(bench.log, bench.store, pairs=pairs))
    np.testing.assert_allclose(found.slots.sum(axis=1), np.ones(n), atol=1e-6)
    assert np.isfinite(found.expected_watch_s).all()


def test_predictions_do_not_depend_on_how_test_views_ended(model: SegmentModel, name: str, bench: Bench) -> None:
    watch_ms = bench.log.watch_ms.copy()
    rows = bench.data.views.log_row[bench.split.test]
    watch_ms[rows] = 40_001 - watch_ms[rows]
    other = make_dataset(replace(bench.log, watch_ms=watch_ms), bench.store)
    assert (other.views.exit != bench.data.views.exit).any()
    again = replace(bench, data=other).fit(name)
    np.testing.assert_array_equal(model.predict(bench.data).slots, again.predict(bench.data).slots)


def test_same_seed_same_weights(model: SegmentModel, name: str, bench: Bench) -> None:
    again = bench.fit(name)
    facts, arrays = model.state()
    other_facts, other_arrays = again.state()
    assert facts == other_facts
    assert arrays.keys() == other_arrays.keys()
    # Bytes, as of an archive of trees, may carry the hour of their making.
    for key in (k for k, v in arrays.items() if v.dtype != np.uint8):
        np.testing.assert_array_equal(arrays[key], other_arrays[key], err_msg=key)


def test_any_single_view_can_be_a_batch(name: str, bench: Bench) -> None:
    """The last batch of an epoch may be one view, and a user who left at once leaves nothing that was watched."""
    valid = {f.name for f in fields(model_class(name).Config)}
    if "batch_views" not in valid:
        pytest.skip("learns from all views at once")
    exits, segments = (x[bench.split.train] for x in (bench.data.views.exit, bench.data.views.segments))
    kinds = (exits == 0, exits == segments, (exits > 0) & (exits < segments))
    few = np.sort(np.concatenate([bench.split.train[kind][:2] for kind in kinds]))
    model = make_model(name, {**{k: v for k, v in SMALL.items() if k in valid}, "batch_views": 1})
    losses: list[float] = []
    model.fit(
        bench.data,
        Split(few, bench.split.valid, bench.split.test),
        FitRun(seed=3, epochs=1, report=lambda record: losses.append(record["loss"])),
    )
    assert losses
    assert np.isfinite(losses).all()
    assert np.isfinite(model.predict(bench.data).slots).all()


def test_settings_are_plain_and_make_the_same_model(model: SegmentModel, name: str) -> None:
    assert make_model(name, json.loads(json.dumps(model.settings()))).config == model.config


def test_a_model_that_needs_content_says_so_where_there_is_none(name: str, bench: Bench) -> None:
    data = make_dataset(bench.log)
    model = bench.make(name)
    if getattr(type(model), "needs_content", False):
        with pytest.raises(ValueError, match="content"):
            model.fit(data, temporal_split(data.views), FitRun(epochs=1))
    else:
        model.fit(data, temporal_split(data.views), FitRun(epochs=1))
        np.testing.assert_allclose(model.predict(data).slots.sum(axis=1), 1.0, atol=1e-6)
