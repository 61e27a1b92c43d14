"""``speech:pocketsphinx``: English by an acoustic model of 2013 that comes in the wheel; weak, small and offline."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from segfeat.types import Float32, Line
from segfeat.words.base import SPEECH_RATE, Material, Options
from segfeat.words.models import hash_files, installed
from segfeat.words.voice import words_by_segment

_FRAME_S = 0.01

_NO_WORD = re.compile(r"<.*>|\[.*\]|\+\+.*")
"""Silence, breath and noise as the dictionary spells them."""

_VARIANT = re.compile(r"\(\d+\)$")


class PocketSphinx:
    """Recognises what the voice activity detector takes for speech, each stretch by itself."""

    kind, hears = "speech", True

    def __init__(self, name: str, model: str, options: Options) -> None:
        self.name = name
        versions = installed(name, "speech", "pocketsphinx", "faster-whisper")
        import pocketsphinx

        files = sorted(path for path in Path(pocketsphinx.get_model_path("en-us")).rglob("*") if path.is_file())
        self.description = f"{name} ({versions}; en-us {hash_files(files)})"

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_decoder"}

    def read(self, material: Material) -> Iterator[tuple[Line, ...]]:
        """See `WordSource.read`."""
        return words_by_segment(material.spans_s, material.sound(), self._words)

    @cached_property
    def _decoder(self) -> Any:
        from pocketsphinx import Decoder

        return Decoder(samprate=SPEECH_RATE, loglevel="FATAL", cmn="batch")

    def _words(self, sound: Float32) -> list[Line]:
        decoder = self._decoder
        decoder.reinit_feat()  # words must not depend on what was heard before
        decoder.start_utt()
        decoder.process_raw((sound * 32767).astype(np.int16).tobytes(), full_utt=True)
        decoder.end_utt()
        if decoder.hyp() is None:
            return []
        return [
            Line(s.start_frame * _FRAME_S, (s.end_frame + 1) * _FRAME_S, _VARIANT.sub("", s.word), min(1.0, s.prob))
            for s in decoder.seg()
            if not _NO_WORD.fullmatch(s.word)
        ]
