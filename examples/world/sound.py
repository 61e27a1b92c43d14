"""From a topic's voice to sound: a small melody over a band of noise."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from .topics import Voice

SAMPLE_RATE = 16_000
Float32 = npt.NDArray[np.float32]


def play(voice: Voice, duration_s: float, rng: np.random.Generator) -> Float32:
    """Sound (n,) in [-1, 1] at ``SAMPLE_RATE``, faded in and out so that segments join without a click."""
    n = round(duration_s * SAMPLE_RATE)
    sound = _noise(voice, n, rng)
    beat = SAMPLE_RATE / voice.notes_per_s
    place = len(voice.scale) // 2
    for i in range(int(np.ceil(n / beat))):
        place = int(np.clip(place + rng.integers(-2, 3), 0, len(voice.scale) - 1))
        if i and rng.random() < 0.15:
            continue  # a rest
        note = _note(voice, place)
        start = round(i * beat)
        length = min(len(note), n - start)
        sound[start : start + length] += note[:length] * rng.uniform(0.6, 1.0)
    sound *= 0.25
    fade = np.minimum(1, np.arange(n) / (0.03 * SAMPLE_RATE)).astype(np.float32)
    return np.clip(sound * fade * fade[::-1], -1, 1)


@lru_cache(maxsize=256)
def _note(voice: Voice, place: int) -> Float32:
    t = np.arange(int(4 * voice.decay_s * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = voice.root_hz * 2 ** (voice.scale[place] / 12)
    tone = sum(
        level * np.sin(2 * np.pi * ratio * pitch * t) * np.exp(-t * np.sqrt(ratio) / voice.decay_s)
        for ratio, level in voice.partials
        if ratio * pitch < SAMPLE_RATE / 2
    )
    attack = np.minimum(1, t / 0.008)
    return (tone * attack / sum(level for _, level in voice.partials)).astype(np.float32)


def _noise(voice: Voice, n: int, rng: np.random.Generator) -> Float32:
    low, high = voice.noise_hz
    bins = np.fft.rfftfreq(n, 1 / SAMPLE_RATE)
    inside = (bins >= low) & (bins < high)
    spectrum = np.zeros(len(bins), dtype=np.complex64)
    spectrum[inside] = np.exp(2j * np.pi * rng.random(int(inside.sum())))
    noise = np.fft.irfft(spectrum, n)
    level = voice.noise_level * 0.35 / max(float(noise.std()), 1e-12)
    if voice.swell_s:
        t = np.arange(n) / SAMPLE_RATE
        noise *= 0.55 - 0.45 * np.cos(2 * np.pi * t / voice.swell_s + rng.uniform(0, 2 * np.pi))
    return (level * noise).astype(np.float32)
