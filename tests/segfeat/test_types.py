"""The nouns: what they refuse, and how specs and headers name their differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from segfeat.types import EncoderSpec, StoreHeader, VideoFeatures

SPEC = EncoderSpec("open_clip:ViT-B-32@x", "visual", 512, "ViT-B-32", "x sha256:00", "mean over frames")


def test_spec_refuses_an_unknown_modality_and_names_the_valid_ones() -> None:
    with pytest.raises(ValueError, match=r"'smell'.*visual, audio, text"):
        EncoderSpec("a", "smell", 3, "m", "w", "p")


def test_spec_refuses_zero_dimensions() -> None:
    with pytest.raises(ValueError, match="must be positive"):
        replace(SPEC, dim=0)


def test_equal_specs_have_no_differences_and_unequal_ones_name_each_field() -> None:
    assert SPEC.differences(replace(SPEC)) == []
    assert SPEC.differences(replace(SPEC, dim=3, pooling="max")) == [
        "dim: 512 against 3",
        "pooling: 'mean over frames' against 'max'",
    ]


def test_spec_survives_its_attributes() -> None:
    assert EncoderSpec(**SPEC.attributes()) == SPEC


def test_header_differences_name_every_setting() -> None:
    ours = StoreHeader(5.0, {"frames_per_segment": 1, "id": "stem"}, {"visual": SPEC})
    other = StoreHeader(
        2.5, {"frames_per_segment": 2, "id": "stem", "seed": 0}, {"visual": replace(SPEC, weights="y"), "audio": SPEC}
    )
    assert ours.differences(ours) == []
    assert ours.differences(other) == [
        "segment_s: 5 against 2.5",
        "frames_per_segment: 1 against 2",
        "seed: None against 0",
        "visual encoder weights: 'x sha256:00' against 'y'",
        f"audio encoder: none against {SPEC.name}",
    ]


def test_features_are_reached_by_name_and_absent_ones_are_an_error() -> None:
    values = np.ones((1, 2), np.float16)
    video = VideoFeatures("a", 3.0, np.array([[0.0, 3.0]]), {"visual": values}, {"visual": np.array([True])})
    assert video.visual is values
    with pytest.raises(KeyError):
        _ = video.audio
