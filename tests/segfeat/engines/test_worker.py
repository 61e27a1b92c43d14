"""A worker beside the driver: the same shards, and refusal of whatever would give other features."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from segfeat.encoders import load_encoder
from segfeat.engines import make_engine
from segfeat.engines.base import Setup
from segfeat.engines.worker import Refused, ShardWorker, agree_on_precision, same_encoders
from segfeat.extraction import ExtractSummary
from segfeat.pipeline.settings import Settings
from segfeat.pipeline.shard import Shard, cut
from segfeat.pipeline.sources import scan
from segfeat.store.merge import merge_stores
from segfeat.store.reader import FeatureStore

Run = Callable[..., ExtractSummary]


@pytest.fixture(scope="module")
def setup() -> Setup:
    encoder = load_encoder("offline:color-texture", "visual")
    assert encoder is not None
    return Setup(Settings(), {"visual": encoder.spec}, "", "cpu", 1, 60.0, {"visual": encoder})


def shards(folder: Path) -> list[Shard]:
    return cut(scan([folder], folder).sources)


def test_one_worker_writes_shard_after_shard_as_the_single_machine_does(
    films: Path, tmp_path: Path, setup: Setup, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segfeat.pipeline.shard.SHARD_VIDEOS", 2)
    run(films, tmp_path / "whole.h5")
    with FeatureStore(tmp_path / "whole.h5") as whole:
        mine = pickle.loads(pickle.dumps(replace(setup, root=whole.root)))
        assert mine.loaded is None
        one = ShardWorker(mine, tmp_path, cores=1)
        try:
            done = [one.extract(shard) for shard in shards(films)]
            assert [(d.shards_done, d.videos_done) for d in done] == [(1, 2), (1, 2)]
            assert one.extract(shards(films)[0]).videos_done == 0  # it is there already
        finally:
            one.close()
        parts = [tmp_path / shard.name(mine.header) for shard in shards(films)]
        merge_stores(parts, tmp_path / "merged.h5", root=whole.root)
        with FeatureStore(tmp_path / "merged.h5") as merged:
            assert merged.content_hash == whole.content_hash
    assert sum(d.segments_done for d in done) == 7


def test_weights_are_known_by_their_hash_wherever_they_lie(setup: Setup) -> None:
    spec = replace(setup.specs["visual"], weights="weights.pt sha256:0123")
    encoder = load_encoder(spec.name, "visual")
    assert encoder is not None
    for theirs, differences in (("other.pt sha256:0123", ""), ("weights.pt sha256:4567", "weights: 'sha256:0123'")):
        encoder.spec = replace(spec, weights=theirs)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("segfeat.encoders.load_encoder", lambda *_: encoder)
            if differences:
                with pytest.raises(Refused, match=f"{differences} against 'sha256:4567'"):
                    same_encoders(replace(setup, specs={"visual": spec}))
            else:
                assert same_encoders(replace(setup, specs={"visual": spec}))["visual"].spec == spec


def test_weights_that_cannot_be_had_are_named_with_the_machine(setup: Setup) -> None:
    spec = replace(setup.specs["visual"], name="open_clip:ViT-B-32@/nowhere/weights.pt")
    with pytest.raises(Refused, match=r"worker on .*: open_clip:ViT-B-32@/nowhere/weights.pt"):
        same_encoders(replace(setup, specs={"visual": spec}))


def test_the_first_worker_says_in_what_all_compute(tmp_path: Path) -> None:
    agree_on_precision(tmp_path, "float32")
    agree_on_precision(tmp_path, "float32")
    with pytest.raises(Refused, match=r"computes in bfloat16, that on .* in float32"):
        agree_on_precision(tmp_path, "bfloat16")


def test_a_worker_goes_on_after_a_shard_that_failed(
    films: Path, tmp_path: Path, setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segfeat.pipeline.shard.SHARD_VIDEOS", 2)
    one = ShardWorker(setup, tmp_path, cores=1)
    encode = type(setup.loaded["visual"]).encode if setup.loaded else None
    first, second = shards(films)

    def broken(*_: object) -> None:
        raise RuntimeError("no such picture")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(one._encoders["visual"]), "encode", broken)
        with pytest.raises(RuntimeError, match="no such picture"):
            one.extract(first)
    assert type(one._encoders["visual"]).encode is encode
    assert one.extract(second).videos_done == 2
    one.close()
    assert len(list(tmp_path.glob("shard-*.h5"))) == 1


def test_engines_are_made_by_name() -> None:
    assert make_engine("ray", actors=(1, 4), cores_per_actor=2, address=None).elsewhere
    with pytest.raises(ValueError, match="unknown engine 'spark'; valid are local, ray"):
        make_engine("spark")
    with pytest.raises(ValueError, match="the engine local takes no address"):
        make_engine("local", address="auto")
    with pytest.raises(ValueError, match="actors 3:2"):
        make_engine("ray", actors=(3, 2))
