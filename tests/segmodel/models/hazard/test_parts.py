"""A log in parts teaches what the log in memory teaches, but for the moments at which users outlive the statistics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from segfeat.interactions import Interactions
from segfeat.log_file import log_of_frame
from segmodel.data.dataset import make_dataset
from segmodel.data.parts import TRAIN, SplitLog
from segmodel.data.splits import temporal_split
from segmodel.models.base import FitRun
from segmodel.models.gbdt.model import GbdtHazard
from segmodel.models.hazard import fitting, quantiles, statistics
from segmodel.models.hazard.config import HazardConfig
from segmodel.models.hazard.items import NEVER, SUMS, ItemTable, MomentItems, TimedItems, item_sums
from segmodel.models.hazard.model import HazardModel
from segmodel.models.hazard.quantiles import WeightedTimes

from .trait_world import TraitWorld, make_world

PARTS = 4


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> TraitWorld:
    return make_world(tmp_path_factory.mktemp("parts"))


def by_part(log: Interactions) -> Interactions:
    """The rows of a log as its parts have them, and ids in the order in which they come."""
    rows = np.lexsort((np.arange(len(log)), log.user % PARTS))
    return log_of_frame(_frame(log).iloc[rows], context=tuple(log.context))


def _frame(log: Interactions):  # pandas is imported where it is needed
    import pandas as pd

    columns = {"user_id": log.user_ids[log.user], "video_id": log.video_ids[log.video], "time_ms": log.time_ms}
    context = {name: names[codes] for name, (codes, names) in log.context.items()}
    return pd.DataFrame({**columns, "watch_ms": log.watch_ms, "duration_ms": log.duration_ms, **context})


def in_parts(world: TraitWorld) -> SplitLog:
    """The log of a world in parts, each with id tables of its own."""
    pieces = [make_dataset(by_part(world.log.take(world.log.user % PARTS == k)), world.store) for k in range(PARTS)]
    return SplitLog(PARTS, lambda k: (pieces[k], temporal_split(pieces[k].views)))


def in_memory(world: TraitWorld) -> SplitLog:
    data = make_dataset(by_part(world.log), world.store)
    return SplitLog.of(data, temporal_split(data.views))


def fitted(log: SplitLog) -> HazardModel:
    model = HazardModel(HazardConfig(members=1))
    model.fit_parts(log, FitRun(epochs=1))
    return model


@pytest.fixture(scope="module")
def of_memory(world: TraitWorld) -> HazardModel:
    return fitted(in_memory(world))


@pytest.fixture(scope="module")
def of_parts(world: TraitWorld) -> HazardModel:
    return fitted(in_parts(world))


def test_statistics_are_those_of_the_log_in_memory(of_memory: HazardModel, of_parts: HazardModel) -> None:
    whole, parts = of_memory, of_parts
    assert parts.users == whole.users
    assert parts.videos == whole.videos
    assert parts.traits.facts() == whole.traits.facts()
    np.testing.assert_array_equal(parts.last_ms, whole.last_ms)
    np.testing.assert_array_equal(parts.statistics.user_fold, whole.statistics.user_fold)
    for name in ("training", "inside", "after"):
        found, known = (getattr(model, name).arrays() for model in (parts, whole))
        assert {*found} == {*known}
        assert any(key.startswith("effect.") for key in found)
        for key, values in known.items():
            # What is kept in single precision is rounded from sums that are equal in double.
            tolerance = 1e-12 if values.dtype == np.float64 else 1e-6
            np.testing.assert_allclose(found[key], values, rtol=tolerance, atol=tolerance, err_msg=f"{name} {key}")
    for found, known in zip(parts.batches.scalers, whole.batches.scalers, strict=True):
        np.testing.assert_allclose(found.mean, known.mean, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(found.scale, known.scale, rtol=1e-5, atol=1e-6)


def test_one_part_gives_the_same_predictions_bit_for_bit(world: TraitWorld, of_memory: HazardModel) -> None:
    data, split = in_memory(world).load(0)
    model = HazardModel(HazardConfig(members=1))
    model.fit(data, split, FitRun(epochs=1))
    test = data.take(split.test)
    np.testing.assert_array_equal(model.predict(test).slots, of_memory.predict(test).slots)


def test_training_on_parts_is_repeatable_and_learns(world: TraitWorld, of_parts: HazardModel) -> None:
    records = list[Mapping[str, Any]]()
    model = HazardModel(HazardConfig(members=1))
    model.fit_parts(in_parts(world), FitRun(epochs=2, report=records.append))
    assert records[1]["loss"] < records[0]["loss"]
    again = fitted(in_parts(world))
    data = make_dataset(world.log, world.store)
    np.testing.assert_array_equal(of_parts.predict(data).slots, again.predict(data).slots)


def test_parts_of_an_epoch_come_in_an_order_that_the_seed_decides(world: TraitWorld) -> None:
    log, read = in_parts(world), list[int]()
    counted = SplitLog(log.count, lambda k: read.append(k) or log.load(k))  # type: ignore[func-returns-value]
    train = counted.parts(TRAIN)
    orders = []
    for seed in (0, 0, 1, 2):
        read.clear()
        for part in train.shuffled(np.random.default_rng(seed)):
            assert len(part)
        orders.append(tuple(read))
    assert orders[0] == orders[1]
    assert len({*orders}) > 1
    assert all(sorted(order) == list(range(PARTS)) for order in orders)


def test_effects_are_learned_from_the_first_parts_alone(
    world: TraitWorld, of_parts: HazardModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "SAMPLE_VIEWS", 1)
    some = of_parts.statistics.learn(in_parts(world).parts(TRAIN))
    found, known = some.effects, of_parts.training.effects
    assert {*found.by_category} == {*known.by_category}
    assert not np.allclose(found.of_video, known.of_video)
    # A quarter of the users says nearly the same about four tags.
    near = np.corrcoef(found.by_category["video", "tag"][-1].ravel(), known.by_category["video", "tag"][-1].ravel())
    assert near[0, 1] > 0.9


def test_scalers_are_learned_from_the_first_parts_alone(
    world: TraitWorld, of_parts: HazardModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, read = in_parts(world), list[int]()
    train = SplitLog(log.count, lambda k: read.append(k) or log.load(k)).parts(TRAIN)  # type: ignore[func-returns-value]
    known = of_parts.batches.scalers
    for most, parts in ((10**9, PARTS), (len(log.parts(TRAIN).load(0)) + 1, 2), (1, 1)):
        monkeypatch.setattr(fitting, "SAMPLE_VIEWS", most)
        read.clear()
        found = fitting.make_scalers(train, of_parts.statistics, of_parts.training)
        assert read == list(range(parts))
        # A part of the users has nearly the mean and spread of all.
        np.testing.assert_allclose(found[0].mean, known[0].mean, atol=0.0 if parts == PARTS else 0.5)
    assert not np.array_equal(found[0].mean, known[0].mean)


@pytest.mark.parametrize("in_one", [True, False])
def test_an_epoch_of_a_large_log_takes_some_of_its_views_and_each_epoch_others(
    world: TraitWorld, in_one: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, log = HazardConfig(members=1), in_memory(world) if in_one else in_parts(world)
    met, validated = list[set[bytes]](), list[int]()

    def fit(epochs: int) -> list[set[bytes]]:
        """What each batch holds."""
        met.clear()
        validated.clear()
        HazardModel(config).fit_parts(log, FitRun(epochs=epochs))
        return list(met)

    loss, nll = fitting.hazard_loss, fitting.exit_nll

    def noted_loss(logit: Any, segments: Any, exit_: Any) -> Any:
        met.append({row.tobytes() for row in logit.detach().numpy()})
        return loss(logit, segments, exit_)

    def noted_nll(slots: Any, exit_: Any) -> Any:
        validated.append(len(exit_))
        return nll(slots, exit_)

    monkeypatch.setattr(fitting, "hazard_loss", noted_loss)
    monkeypatch.setattr(fitting, "exit_nll", noted_nll)
    sizes = [len(part) for part in log.parts(TRAIN)]
    assert len(fit(1)) == sum(-(-size // config.batch_views) for size in sizes) > 4
    everything = sum(validated)
    monkeypatch.setattr(fitting, "EPOCH_VIEWS", 2 * config.batch_views - 1)
    monkeypatch.setattr(fitting, "VALID_VIEWS", 1)
    batches = fit(2)
    assert len(batches) == 4
    assert not set.union(*batches[:2]) & set.union(*batches[2:])
    # Of the validation views the first part alone.
    assert validated == [len(log.parts("valid").load(0))] * 2
    assert sum(validated) == 2 * everything if in_one else sum(validated) < everything


def test_what_only_learns_in_memory_says_so(world: TraitWorld) -> None:
    assert not GbdtHazard.learns_in_parts
    with pytest.raises(NotImplementedError, match="GbdtHazard learns from a log in memory"):
        GbdtHazard(GbdtHazard.Config()).fit_parts(in_parts(world), FitRun())


# -- sums by time ------------------------------------------------------------------------------------------------------


def test_sums_before_a_moment_are_those_of_the_views_before_it() -> None:
    rng = np.random.default_rng(0)
    views, videos, folds = 500, 7, 3
    video, fold = rng.integers(0, videos, views), rng.integers(0, folds, views)
    time_ms, values = rng.integers(1_000, 2_000, views), rng.normal(size=(views, SUMS))
    table = ItemTable.of(item_sums(video, fold, values, videos, folds))
    moments = np.sort(rng.choice(np.arange(1_001, 2_000), 6, replace=False))
    moments[0] = time_ms.min()
    found = MomentItems(table, moments)
    for rows in np.array_split(np.arange(views), 3):
        found.add(video[rows], time_ms[rows], values[rows])
    found.add_up()
    exact = TimedItems(table, video, time_ms, values)
    asked = rng.integers(0, videos, 300)
    at = np.where(rng.random(300) < 0.2, NEVER, rng.integers(1_000, 2_100, 300))
    horizon = found.horizons(at)
    np.testing.assert_array_equal(horizon == NEVER, at == NEVER)
    assert (horizon[at >= moments[0]] <= at[at >= moments[0]]).all()
    assert {*horizon.tolist()} <= {*moments.tolist(), NEVER}
    left_out = np.full(300, folds)
    np.testing.assert_allclose(found.sums(asked, left_out, horizon), exact.sums(asked, left_out, horizon), atol=1e-4)


# -- quantiles of times ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 40, 4097])
def test_quantiles_are_exact_where_all_times_are_kept(count: int, rng: np.random.Generator) -> None:
    times = rng.integers(0, 10_000, 3_000)
    found = WeightedTimes(3)
    for part in (times[:7], times[7:2_000], times[2_000:]):
        found.add(part)
    ranks = np.round(np.linspace(0, 2_999, min(count, 3_000))).astype(int)
    np.testing.assert_array_equal(found.quantiles(count), np.sort(times)[ranks])


def test_quantiles_of_more_times_than_are_kept_are_off_by_a_bounded_rank(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantiles, "KEPT_TIMES", 1_000)
    parts = [rng.permutation(50_000)[:n] + shift for n, shift in ((40_000, 0), (3_000, 20_000), (10, 0))]
    found = WeightedTimes(len(parts))
    for part in parts:
        found.add(part)
    times = np.sort(np.concatenate(parts))
    ranks = np.linspace(0, len(times) - 1, 101)
    off = np.searchsorted(times, found.quantiles(101)) - ranks
    assert 0 < np.abs(off).max() <= len(times) * len(parts) / 1_000


def test_a_log_in_memory_keeps_all_times(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantiles, "KEPT_TIMES", 10)
    times = rng.integers(0, 1_000, 500)
    found = WeightedTimes(1)
    found.add(times)
    np.testing.assert_array_equal(found.quantiles(500), np.sort(times))


def test_a_model_of_parts_is_saved_and_read_as_any(world: TraitWorld, of_parts: HazardModel) -> None:
    again = HazardModel(of_parts.config)
    again.restore(*of_parts.state())
    data = make_dataset(world.log, world.store)
    np.testing.assert_array_equal(of_parts.predict(data).slots, again.predict(data).slots)
