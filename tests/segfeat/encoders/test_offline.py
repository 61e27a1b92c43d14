"""The descriptors without weights: what they tell apart, and that they always say the same."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segfeat.encoders import Encoder, load_encoder
from segfeat.encoders.color_texture import GREYS, HUES, describe
from segfeat.encoders.hashing import describe as describe_text
from segfeat.encoders.logmel import BANDS
from segfeat.types import Clip, Float32

Clips = Callable[..., Clip]

MODALITY = {"offline:color-texture": "visual", "offline:logmel": "audio", "offline:hashing": "text"}
DIM = {"offline:color-texture": 112, "offline:logmel": 192, "offline:hashing": 256}


@pytest.fixture(params=MODALITY)
def encoder(request: pytest.FixtureRequest) -> Encoder:
    return load_encoder(request.param, MODALITY[request.param], "cpu")


@pytest.fixture
def clips(rng: np.random.Generator, make_clip: Clips) -> list[Clip]:
    """Clips with material of every modality, of different amounts."""
    words = ["red", "dog", "sees", "the", "blue", "sea", "and", "runs"]
    return [
        make_clip(
            frames=rng.integers(0, 256, (n, 20 + n, 31, 3)),
            waveform=rng.normal(size=900 * n) * 0.1,
            text=" ".join(rng.permutation(words)[:n]),
        )
        for n in (1, 4, 2, 1, 3)
    ]


# -- all of them -------------------------------------------------------------------------------------------------------


def test_vectors_are_finite_and_depend_on_their_own_clip_alone(encoder: Encoder, clips: list[Clip]) -> None:
    preparer = pickle.loads(pickle.dumps(encoder.preparer))
    items = [preparer(clip) for clip in clips]
    vectors = encoder.encode(items)
    assert vectors.dtype == np.float32
    assert vectors.shape == (5, encoder.spec.dim) == (5, DIM[encoder.spec.name])
    assert np.isfinite(vectors).all()
    np.testing.assert_array_equal(encoder.encode(items[::-1]), vectors[::-1])
    np.testing.assert_array_equal(np.concatenate([encoder.encode([item]) for item in items]), vectors)
    assert encoder.encode([]).shape == (0, encoder.spec.dim)
    assert len(np.unique(vectors.round(4), axis=0)) == len(clips)


def test_an_empty_clip_has_no_item(encoder: Encoder, make_clip: Clips) -> None:
    assert encoder.preparer(make_clip(text=" ")) is None


def test_specs_own_up_to_having_no_weights(encoder: Encoder) -> None:
    assert encoder.spec.weights == "none"
    assert encoder.spec.modality == MODALITY[encoder.spec.name]
    assert "version 1" in encoder.spec.model


# -- color-texture -----------------------------------------------------------------------------------------------------


def plain(red: int, green: int, blue: int) -> np.ndarray:
    return np.full((96, 96, 3), (red, green, blue), np.uint8)


def stripes(horizontal: bool) -> np.ndarray:
    wave = (127 + 100 * np.sin(np.arange(96) / 2)).astype(np.uint8)
    picture = np.broadcast_to(wave[:, None] if horizontal else wave[None, :], (96, 96))
    return np.repeat(picture[..., None], 3, axis=2)


@pytest.mark.parametrize(
    ("colour", "hue"), [((255, 0, 0), 0), ((255, 255, 0), 2), ((0, 255, 0), 4), ((0, 0, 255), 8), ((255, 0, 255), 10)]
)
def test_a_pure_colour_fills_the_bin_of_its_hue(colour: tuple[int, int, int], hue: int) -> None:
    hues = describe(plain(*colour))[: 2 * HUES]
    assert hues[HUES + hue] == pytest.approx(1)  # the vivid half
    assert hues.sum() == pytest.approx(1)


@pytest.mark.parametrize(("level", "place"), [(0, 0), (255, GREYS - 1), (255 / 7 * 3, 3)])
def test_greys_have_no_hue_and_fill_the_bin_of_their_brightness(level: float, place: int) -> None:
    vector = describe(plain(*[round(level)] * 3))
    assert vector[: 2 * HUES].sum() == 0
    assert vector[2 * HUES + place] == pytest.approx(1, abs=0.01)


def test_small_changes_of_colour_move_little_and_large_ones_much() -> None:
    red, reddish, blue = (describe(c) for c in (plain(200, 20, 20), plain(196, 22, 18), plain(20, 20, 200)))
    assert np.linalg.norm(red - reddish) < 0.25 < 1.5 < np.linalg.norm(red - blue)


def test_the_layout_tells_where_a_colour_lies() -> None:
    picture = plain(0, 0, 0)
    picture[:32, 64:] = (255, 128, 0)
    layout = describe(picture)[2 * HUES + GREYS :][:27].reshape(3, 3, 3)
    np.testing.assert_allclose(layout[0, 2], [1, 128 / 255, 0])
    assert layout.sum() == pytest.approx(layout[0, 2].sum())


def test_gradients_tell_stripes_apart() -> None:
    along, across = (describe(stripes(horizontal))[59:67] for horizontal in (True, False))
    assert along.argmax() == 4  # brightness changes downwards
    assert across.argmax() == 0
    assert along.max() > 0.99 < across.max()


def test_noise_is_rough_and_a_plain_surface_smooth(rng: np.random.Generator) -> None:
    noise = describe(rng.integers(0, 256, (96, 96, 3)).astype(np.uint8))
    smooth = describe(plain(90, 90, 90))
    patterns = slice(99, 109)
    assert smooth[patterns][0] == pytest.approx(1)  # no neighbour is brighter anywhere
    assert noise[patterns][9] > 0.5  # most neighbourhoods are irregular
    assert smooth[109:112].tolist() == pytest.approx([0, 0, 0])
    assert (noise[109:112] > 0.2).all()
    assert (smooth[59:99] == 0).all()


def test_the_mean_over_frames_is_taken(make_clip: Clips) -> None:
    encoder = load_encoder("offline:color-texture", "visual", "cpu")
    one, other = plain(255, 0, 0), stripes(True)
    both = encoder.preparer(make_clip([one, other]))
    np.testing.assert_allclose(both, (describe(one) + describe(other)) / 2, atol=1e-6)


def test_the_size_of_the_picture_matters_little(make_clip: Clips, rng: np.random.Generator) -> None:
    encoder = load_encoder("offline:color-texture", "visual", "cpu")
    coarse = rng.integers(0, 256, (6, 9, 3)).astype(np.uint8)
    small, large = (encoder.preparer(make_clip([np.kron(coarse, np.ones((n, n, 1), np.uint8))])) for n in (20, 60))
    assert np.linalg.norm(small - large) < 0.25


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 2), (3, 3), (97, 96)])
def test_pictures_of_any_shape_are_described(shape: tuple[int, int], make_clip: Clips) -> None:
    vector = load_encoder("offline:color-texture", "visual", "cpu").preparer(make_clip([np.full((*shape, 3), 40)]))
    assert np.isfinite(vector).all()
    assert vector.min() >= 0
    assert vector.max() <= 1


# -- logmel ------------------------------------------------------------------------------------------------------------


def tone(frequency_hz: float, amplitude: float = 0.3, samples: int = 16_000) -> Float32:
    return (amplitude * np.sin(2 * np.pi * frequency_hz * np.arange(samples) / 16_000)).astype(np.float32)


def logmel(*waveforms: Float32) -> Float32:
    return load_encoder("offline:logmel", "audio", "cpu").encode(list(waveforms))


def slaney_mel(frequency_hz: float) -> float:
    """Slaney's mel scale: linear to 1 kHz, 27 steps per factor 6.4 above."""
    if frequency_hz < 1000:
        return frequency_hz * 3 / 200
    return 15 + 27 * np.log(frequency_hz / 1000) / np.log(6.4)


@pytest.mark.parametrize("frequency_hz", [150, 440, 1000, 2500, 6000])
def test_a_tone_lights_the_band_of_its_frequency(frequency_hz: float) -> None:
    (vector,) = logmel(tone(frequency_hz))
    low, high = slaney_mel(40), slaney_mel(8000)
    expected = (slaney_mel(frequency_hz) - low) / (high - low) * (BANDS + 1) - 1
    assert abs(vector[:BANDS].argmax() - expected) <= 1


def test_ten_times_the_amplitude_is_two_more_in_log10_of_power() -> None:
    quiet, loud = logmel(tone(440, 0.05), tone(440, 0.5))
    band = loud[:BANDS].argmax()
    assert loud[band] - quiet[band] == pytest.approx(2, abs=0.01)


def test_silence_is_at_the_floor_and_steady() -> None:
    (silence,) = logmel(np.zeros(16_000, np.float32))
    np.testing.assert_allclose(silence[:BANDS], -6, atol=1e-4)
    np.testing.assert_allclose(silence[BANDS:], 0, atol=1e-6)


def test_a_pulsing_tone_varies_more_than_a_steady_one_and_a_fast_one_changes_faster() -> None:
    time_s = np.arange(16_000) / 16_000
    steady = tone(440)
    slow, fast = (steady * (0.51 + 0.49 * np.sin(2 * np.pi * hz * time_s)) for hz in (2, 10))
    vectors = logmel(steady, slow.astype(np.float32), fast.astype(np.float32))
    band = vectors[0, :BANDS].argmax()
    deviation, change = vectors[:, BANDS + band], vectors[:, 2 * BANDS + band]
    assert deviation[0] < 0.1 < deviation[1]
    assert change[0] < change[1] < change[2]


def test_too_little_sound_has_no_item_and_just_enough_has(make_clip: Clips) -> None:
    encoder = load_encoder("offline:logmel", "audio", "cpu")
    assert encoder.preparer(make_clip(waveform=np.zeros(559))) is None
    assert np.isfinite(encoder.encode([encoder.preparer(make_clip(waveform=np.zeros(560)))])).all()


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_broken_samples_are_no_sound(broken: float, make_clip: Clips) -> None:
    encoder = load_encoder("offline:logmel", "audio", "cpu")
    waveform = tone(440)
    assert encoder.preparer(make_clip(waveform=waveform)) is not None
    waveform[77] = broken
    assert encoder.preparer(make_clip(waveform=waveform)) is None


# -- hashing -----------------------------------------------------------------------------------------------------------


@given(st.text(min_size=1).filter(str.strip))
def test_every_text_has_a_vector_of_length_1(text: str) -> None:
    vector = describe_text(text.strip())
    assert vector.shape == (256,)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_same_words_same_vector_whatever_case_and_spacing() -> None:
    np.testing.assert_array_equal(describe_text("Red dog"), describe_text("red   DOG"))
    # The same letters, written wide and narrow.
    np.testing.assert_array_equal(describe_text("ｒｅｄ dog"), describe_text("red dog"))


def test_likeness_follows_shared_words_their_order_and_spelling() -> None:
    base = describe_text("the dog bites the old man")
    swapped = describe_text("the old man bites the dog")
    inflected = describe_text("the dogs bite the older men")
    other = describe_text("quarterly revenue grew slightly")
    assert 0.7 < base @ swapped < 0.999
    assert base @ swapped > base @ inflected > base @ other + 0.15
    assert abs(base @ other) < 0.2


def test_a_language_without_spaces_is_compared_by_its_characters() -> None:
    assert (
        describe_text("猫追激光笔") @ describe_text("小猫追激光")
        > describe_text("猫追激光笔") @ describe_text("如何修自行车") + 0.1
    )


def test_half_characters_do_no_harm(make_clip: Clips) -> None:
    encoder = load_encoder("offline:hashing", "text", "cpu")
    item = encoder.preparer(make_clip(text="a red \udce9 dog"))
    np.testing.assert_array_equal(encoder.encode([item]), encoder.encode(["a red ? dog"]))


def test_the_same_in_every_process() -> None:
    code = "from segfeat.encoders.hashing import describe; print(describe('a red dog, 猫').tobytes().hex())"
    done = [
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert done[0] == done[1]
    assert done[0].strip() == describe_text("a red dog, 猫").tobytes().hex()
