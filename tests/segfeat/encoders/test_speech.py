"""torchaudio's bundles: our vectors are a direct call's, whatever the batches and lengths."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torchaudio
from torch.nn.utils.parametrize import is_parametrized

from segfeat.encoders import EncoderUnavailable, load_encoder
from segfeat.types import Clip, Float32

Clips = Callable[..., Clip]
Bundle = Callable[..., Path]

KINDS = ["WAV2VEC2_BASE", "HUBERT_BASE", "WAVLM_BASE", "WAV2VEC2_LARGE_LV60K", "WAVLM_LARGE"]
"""One of each: group norm and layer norm, plain and normalised waveforms, both architectures."""

TOLERANCE = {"atol": 2e-5, "rtol": 1e-4}


def sounds(rng: np.random.Generator, *lengths: int) -> list[Float32]:
    return [(rng.normal(size=n) * rng.uniform(0.02, 0.3)).astype(np.float32) for n in lengths]


def direct(path: Path, waveform: Float32) -> Float32:
    """The bundle's own model on one waveform: the mean over time of its last layer."""
    options = {"model_dir": str(path.parent), "file_name": path.name, "weights_only": True}
    model = torchaudio.pipelines.TINY.get_model(dl_kwargs=options)
    with torch.no_grad():
        layers, _ = model.extract_features(torch.from_numpy(waveform)[None])
    return layers[-1][0].mean(dim=0).numpy()


@pytest.mark.parametrize("like", KINDS)
def test_vectors_are_a_direct_calls(like: str, tiny_bundle: Bundle, rng: np.random.Generator, make_clip: Clips) -> None:
    path = tiny_bundle(like)
    encoder = load_encoder(f"torchaudio:TINY@{path}", "audio", "cpu")
    waveforms = sounds(rng, 16_000, 16_000, 5_123, 16_000, 400)
    items = [encoder.preparer(make_clip(waveform=w)) for w in waveforms]
    ours = encoder.encode(items)
    assert ours.dtype == np.float32
    assert ours.shape == (5, encoder.spec.dim) == (5, 32)
    np.testing.assert_allclose(ours, [direct(path, w) for w in waveforms], **TOLERANCE)


@pytest.mark.parametrize("like", KINDS)
def test_neighbours_order_and_batches_change_nothing(like: str, tiny_bundle: Bundle, rng: np.random.Generator) -> None:
    encoder = load_encoder(f"torchaudio:TINY@{tiny_bundle(like)}", "audio", "cpu")
    items = sounds(rng, 8_000, 3_000, 8_000, 8_000, 8_001, 3_000, 500)
    alone = np.concatenate([encoder.encode([item]) for item in items])
    for batch_size in (1, 2, 100):
        encoder.batch_size = batch_size
        np.testing.assert_allclose(encoder.encode(items), alone, **TOLERANCE)
        np.testing.assert_allclose(encoder.encode(items[::-1]), alone[::-1], **TOLERANCE)
    assert encoder.encode([]).shape == (0, 32)


def test_the_published_architecture_of_the_default_gives_a_direct_calls_vectors(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    torch.manual_seed(2)
    model = torchaudio.models.wav2vec2_base().eval()
    torch.save(model.state_dict(), tmp_path / "base.pth")
    encoder = load_encoder(f"torchaudio:WAV2VEC2_BASE@{tmp_path / 'base.pth'}", "audio", "cpu")
    (waveform,) = sounds(rng, 16_000)
    with torch.no_grad():
        layers, _ = model.extract_features(torch.from_numpy(waveform)[None])
    assert len(layers) == 12
    np.testing.assert_allclose(encoder.encode([waveform])[0], layers[-1][0].mean(dim=0), **TOLERANCE)
    assert (encoder.sample_rate, encoder.frame_size, encoder.spec.dim) == (16_000, None, 768)


def test_too_little_sound_has_no_item_and_just_enough_has(tiny_bundle: Bundle, make_clip: Clips) -> None:
    encoder = load_encoder(f"torchaudio:TINY@{tiny_bundle()}", "audio", "cpu")
    assert encoder.preparer(make_clip()) is None
    assert encoder.preparer(make_clip(waveform=np.zeros(399))) is None
    item = encoder.preparer(make_clip(waveform=np.zeros(400)))  # 25 ms, one step of the convolutions
    assert np.isfinite(encoder.encode([item])).all()


def test_sound_at_another_rate_is_an_error(tiny_bundle: Bundle, make_clip: Clips) -> None:
    encoder = load_encoder(f"torchaudio:TINY@{tiny_bundle()}", "audio", "cpu")
    preparer = pickle.loads(pickle.dumps(encoder.preparer))
    with pytest.raises(ValueError, match="44100 Hz, where 16000 Hz"):
        preparer(make_clip(waveform=np.zeros(9_000), sample_rate=44_100))


def test_silence_and_loudness_are_heard(tiny_bundle: Bundle, rng: np.random.Generator) -> None:
    encoder = load_encoder(f"torchaudio:TINY@{tiny_bundle('WAV2VEC2_LARGE_LV60K')}", "audio", "cpu")
    (waveform,) = sounds(rng, 8_000)
    silence, loud, louder = encoder.encode([np.zeros(8_000, np.float32), waveform, waveform * 3])
    assert np.isfinite(silence).all()
    assert np.abs(silence - loud).max() > 1e-2
    np.testing.assert_allclose(loud, louder, atol=1e-3)  # this bundle normalises loudness away


def test_the_hash_follows_the_weights(tiny_bundle: Bundle) -> None:
    first, again, other = (
        load_encoder(f"torchaudio:TINY@{tiny_bundle(seed=seed)}", "audio", "cpu").spec for seed in (3, 3, 4)
    )
    assert first.weights == again.weights
    assert first.weights.partition("sha256:")[2] != other.weights.partition("sha256:")[2]
    assert first.model == "torchaudio TINY"


def test_no_weight_is_computed_anew_at_every_call(tiny_bundle: Bundle) -> None:
    path = tiny_bundle()
    options = {"model_dir": str(path.parent), "file_name": path.name, "weights_only": True}
    assert any(is_parametrized(m) for m in torchaudio.pipelines.TINY.get_model(dl_kwargs=options).modules())
    encoder = load_encoder(f"torchaudio:TINY@{path}", "audio", "cpu")
    assert not any(is_parametrized(m) for m in encoder.model.modules())


def test_wrong_files_are_refused(tiny_bundle: Bundle, tmp_path: Path) -> None:
    good = tiny_bundle()
    other = tiny_bundle("WAV2VEC2_LARGE_LV60K", seed=9)
    cases = {good.parent / "absent.pth": "no file", tmp_path / "text.pth": "text.pth", other: "state_dict"}
    (tmp_path / "text.pth").write_text("not weights")
    tiny_bundle()
    for path, word in {**cases, tmp_path / "x.safetensors": "torch.save"}.items():
        with pytest.raises(EncoderUnavailable, match="--preset offline") as error:
            load_encoder(f"torchaudio:TINY@{path}", "audio", "cpu")
        assert word in error.value.cause
        assert len(str(error.value)) < 1000


def test_an_unknown_bundle_is_an_error_with_the_valid_ones() -> None:
    with pytest.raises(ValueError, match=r"no bundle 'HDEMUCS_HIGH_MUSDB'.*WAV2VEC2_BASE.*HUBERT_BASE") as error:
        load_encoder("torchaudio:HDEMUCS_HIGH_MUSDB", "audio", "cpu")
    assert "TACOTRON2" not in str(error.value)
