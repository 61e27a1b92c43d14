"""Where in the sound somebody speaks, and whose segment a word is; in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from segfeat.types import Float32, Float64, Line
from segfeat.words.base import SPEECH_RATE

WINDOW_S = 60.0
"""Sound that is looked at in one go."""

LONGEST_S = 28.0
"""Longer speech is cut at its quietest place; recognisers look at 30 s."""

_SILENT = 1e-4
"""Sound that never exceeds this (-80 dB) has no speech in it."""

_EDGE_S = 0.5
"""Speech that ends so close to the end of a window may go on in the next one."""

Recogniser = Callable[[Float32], list[Line]]
"""From speech at `SPEECH_RATE` to its words, with times in seconds after its beginning."""


def words_by_segment(
    spans_s: Float64, waveforms: Iterator[Float32], recognise: Recogniser
) -> Iterator[tuple[Line, ...]]:
    """The words of every segment: those whose middle lies in it. Where nobody speaks, nothing is recognised."""
    heard = _heard(spans_s, waveforms, recognise)
    waiting: list[Line] = []
    known_s = 0.0
    for _, end_s in spans_s.tolist():
        while known_s < end_s:
            known_s, words = next(heard, (math.inf, []))
            waiting += words
        yield tuple(word for word in waiting if _middle_s(word) < end_s)
        waiting = [word for word in waiting if _middle_s(word) >= end_s]


def _middle_s(word: Line) -> float:
    return (word.start_s + word.end_s) / 2


def _heard(spans_s: Float64, waveforms: Iterator[Float32], recognise: Recogniser) -> Iterator[tuple[float, list[Line]]]:
    """Words as they become known, with the time up to which all are."""
    held: list[Float32] = []
    begin_s = 0.0
    for (start_s, end_s), waveform in zip(spans_s.tolist(), waveforms, strict=False):
        if len(waveform):
            begin_s = begin_s if held else start_s
            held.append(waveform)
        last = end_s >= spans_s[-1, 1]
        if held and (last or not len(waveform) or end_s - begin_s >= WINDOW_S):
            sound = np.concatenate(held)
            going_on = bool(len(waveform)) and not last
            words, kept = _recognised(sound, begin_s, recognise, going_on)
            held = [sound[kept:]] if going_on else []
            begin_s += kept / SPEECH_RATE
            yield begin_s if going_on else end_s, words
        elif not held:
            yield end_s, []


def _recognised(sound: Float32, begin_s: float, recognise: Recogniser, going_on: bool) -> tuple[list[Line], int]:
    """The words of a window, and from which sample on it has to be looked at again with what follows."""
    words: list[Line] = []
    kept = len(sound)
    for start, end in speech_spans(sound):
        if going_on and end > len(sound) - _EDGE_S * SPEECH_RATE and end - start < LONGEST_S * SPEECH_RATE:
            kept = start
            break
        at_s = begin_s + start / SPEECH_RATE
        words += [
            replace(word, start_s=word.start_s + at_s, end_s=word.end_s + at_s) for word in recognise(sound[start:end])
        ]
    return words, kept


def speech_spans(sound: Float32) -> list[tuple[int, int]]:
    """Samples [start, end) in which somebody speaks, by Silero's detector of voice activity (from faster-whisper)."""
    if not len(sound) or float(np.abs(sound).max()) < _SILENT:
        return []
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    options = VadOptions(max_speech_duration_s=LONGEST_S, min_silence_duration_ms=500, speech_pad_ms=200)
    return [(int(s["start"]), int(s["end"])) for s in get_speech_timestamps(sound, options, SPEECH_RATE)]
