"""``speech:faster-whisper:NAME-or-path[@LANGUAGE]``: Whisper by CTranslate2, in a hundred languages."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from segfeat.types import Float32, Line
from segfeat.words.base import Material, Options
from segfeat.words.models import hash_files, installed
from segfeat.words.voice import words_by_segment

MOST_SILENT, LEAST_LIKELY, MOST_REPETITIVE = 0.6, -1.0, 2.4
"""Whisper's own limits for what it made up: probability of no speech, mean log probability, ratio of compression."""

_COMPUTE = {"cpu": "int8", "cuda": "float16"}


class FasterWhisper:
    """Recognises what the voice activity detector takes for speech; the first stretch decides the language of a video.

    Without sampling, so that the same sound gives the same words; a stretch that would need it gives none.
    """

    kind, hears = "speech", True

    def __init__(self, name: str, model: str, options: Options) -> None:
        self.name, self.device = name, options.device
        versions = installed(name, "speech", "faster-whisper")
        model, _, self.language = model.partition("@")
        self.folder = _folder(name, model)
        weights = hash_files([Path(self.folder) / "model.bin"])
        self.description = f"{name} ({versions}; {weights}; language {self.language or 'detected'})"

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_model"}

    def read(self, material: Material) -> Iterator[tuple[Line, ...]]:
        """See `WordSource.read`."""
        language: list[str] = [self.language] if self.language else []

        def recognise(sound: Float32) -> list[Line]:
            return self._words(sound, language)

        return words_by_segment(material.spans_s, material.sound(), recognise)

    @cached_property
    def _model(self) -> Any:
        from faster_whisper import WhisperModel

        device, _, index = self.device.partition(":")
        return WhisperModel(
            self.folder,
            device=device,
            device_index=int(index or 0),
            compute_type=_COMPUTE[device],
            cpu_threads=1,  # each decode process has one core
            local_files_only=True,
        )

    def _words(self, sound: Float32, language: list[str]) -> list[Line]:
        segments, info = self._model.transcribe(
            sound,
            language=language[0] if language else None,
            word_timestamps=True,
            temperature=0.0,
            condition_on_previous_text=False,
            vad_filter=False,
        )
        if not language:
            language.append(info.language)
        return [
            Line(float(word.start), float(word.end), word.word.strip(), float(word.probability))
            for segment in segments
            if segment.no_speech_prob <= MOST_SILENT
            and segment.avg_logprob >= LEAST_LIKELY
            and segment.compression_ratio <= MOST_REPETITIVE
            for word in segment.words or ()
            if word.word.strip()
        ]


def _folder(name: str, model: str) -> str:
    """Where the model lies: a folder, or the hub's copy of a name."""
    if Path(model).expanduser().is_dir():
        folder = Path(model).expanduser()
        if not (folder / "model.bin").is_file():
            raise ValueError(
                f"{name} is not available: {folder} has no model.bin; convert it with ct2-transformers-converter"
            )
        return str(folder)
    from faster_whisper.utils import available_models, download_model

    if model not in available_models() and "/" not in model:
        raise ValueError(f"{name}: no such folder or model {model!r}; valid are {', '.join(available_models())}")
    try:
        return str(download_model(model))
    except Exception as error:  # the hub's client raises many kinds
        raise ValueError(
            f"{name} is not available: {error}; name a folder with a converted model, or another source"
        ) from error
