"""What somebody asks to be extracted, and everything that is known before the first video is opened."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from segfeat.decode.subtitles import AUTO
from segfeat.encoders import NONE, PRESETS, Encoder, load_encoder, parse_spec
from segfeat.interactions import Interactions
from segfeat.log_check import LogCheck, check_log, parse_units
from segfeat.log_file import read_interactions
from segfeat.pipeline.objects import find_objects, is_url
from segfeat.pipeline.plan import Finished
from segfeat.pipeline.settings import Settings
from segfeat.pipeline.sources import Scan, Source, common_root, scan, shared_folder
from segfeat.pipeline.titles import with_titles
from segfeat.segment import SEGMENT_S
from segfeat.store.manifest import NAME as MANIFEST
from segfeat.store.reader import FeatureStore
from segfeat.types import Modality, StoreHeader
from segfeat.words import DEFAULT_WORDS, parse_words

VIDEO_TIMEOUT_S = 300.0
"""A file whose decoding gets nowhere for this long, and as long again as it lasts, is given up."""


@dataclass(frozen=True)
class Request:
    """The arguments of `segfeat.extract`, which explains them."""

    paths: str | Path | Sequence[str | Path]
    out: str | Path
    preset: str | None = None
    visual: str | None = None
    audio: str | None = None
    text: str | None = None
    metadata: str | Path | None = None
    interactions: str | Path | Sequence[str | Path] | Interactions | None = None
    unit: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    segment_s: float = SEGMENT_S
    frames_per_segment: int = 1
    frame_position: str | None = None
    decoder: str = "auto"
    id_from: str = "stem"
    device: str = "auto"
    thumbnails: bool = True
    overwrite: bool = False
    retry_failed: bool = False
    workers: int | None = None
    video_timeout_s: float = VIDEO_TIMEOUT_S
    words: str | Sequence[str] = DEFAULT_WORDS
    subtitle_encoding: str = AUTO
    manifest: str | Path | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"workers must be at least 1, not {self.workers}")
        if not self.video_timeout_s > 0:
            raise ValueError(f"the video timeout must be a positive number of seconds, not {self.video_timeout_s}")
        alone = [name for name in ("unit", "context") if getattr(self, name)]
        if alone and (self.interactions is None or isinstance(self.interactions, Interactions)):
            raise ValueError(f"{' and '.join(alone)} without a log's file to read; name it as interactions")

    def _find(self, given: Sequence[str | Path], store: Path | None) -> Scan:
        """The sources; ``store`` is the one that is added to."""
        root, taken = _known(store) if store is not None else ("", {})
        if self.manifest is not None or any(is_url(path) for path in given):
            return find_objects([str(path) for path in given], self.manifest, self.id_from, root, taken)
        # What is named and not there is a failure like others, unless nothing is there.
        common_root([path for path in given if os.path.lexists(path)] or given)
        # A store keeps its root as long as that folder exists.
        kept = Path(root) if root and Path(root).is_dir() else shared_folder(given)
        return scan(given, kept, self.id_from, taken)

    def prepare(self) -> Prepared:
        """Look at files, metadata, log, weights and the store, in this order; decode nothing.

        Raises
        ------
        ValueError
            As `segfeat.extract` does.
        """
        given = [self.paths] if isinstance(self.paths, str | Path) else list(self.paths)
        out = Path(os.path.abspath(self.out))
        specs, usual_position = _choose(self.preset, {"visual": self.visual, "audio": self.audio, "text": self.text})
        settings = Settings(
            self.segment_s,
            self.frames_per_segment,
            self.frame_position or usual_position,
            self.id_from,
            self.decoder,
            self.thumbnails,
            parse_words(self.words),
            self.subtitle_encoding,
        )
        if not out.parent.is_dir():
            raise ValueError(f"{out.parent}: no such folder")
        if out.is_dir() and any(out.iterdir()) and not (out / MANIFEST).exists():
            raise ValueError(f"{out} is a folder of other things; name a file, or a folder of its own, for the store")
        adding = (out.is_file() or (out / MANIFEST).exists()) and not self.overwrite
        found = self._find(given, out if adding else None)
        sources = list(found.sources)
        left_out: list[str] = []
        if self.metadata is not None:
            sources = with_titles(sources, self.metadata, left_out.append)
        log = self.interactions
        if log is not None and not isinstance(log, Interactions):
            log = read_interactions(log, context=self.context, unit_ms=parse_units(self.unit))
        check = None if log is None else _check(log, sources, out if adding else None)
        encoders = _load(specs, self.device)
        header = settings.header({modality: encoder.spec for modality, encoder in encoders.items()})
        base = _finished(out, header) if adding else None
        titled = self.metadata is not None
        new = [s for s in sources if base is None or not base.has(s, titled, self.retry_failed)]
        found = replace(found, sources=tuple(sources))
        return Prepared(
            self, out, settings, header, encoders, found, tuple(new), titled, base, log, check, tuple(left_out)
        )


@dataclass(frozen=True, eq=False)
class Prepared:
    """What is known before the first video is opened.

    Attributes
    ----------
    request : Request
    out : Path
        Absolute.
    settings : Settings
    header : StoreHeader
    encoders : mapping of modality to Encoder
        Loaded.
    found : Scan
    new : tuple of Source
        Sorted; what the store does not have as it is now.
    titled : bool
        Whether metadata was given, so that other titles make other videos.
    base : Finished or None
        What the store that is added to knows; None where one is written anew.
    log : Interactions or None
        The log asked for.
    check : LogCheck or None
        What it holds.
    left_out : tuple of str
        Rows of the metadata that could not be used, and why.
    """

    request: Request
    out: Path
    settings: Settings
    header: StoreHeader
    encoders: Mapping[str, Encoder]
    found: Scan
    new: tuple[Source, ...]
    titled: bool
    base: Finished | None
    log: Interactions | None
    check: LogCheck | None
    left_out: tuple[str, ...] = ()


def _check(log: Interactions, sources: Sequence[Source], store: Path | None) -> LogCheck:
    """The log beside the videos that the store will have; how long they are is not known before they are read."""
    known = dict.fromkeys((source.video_id for source in sources if source.there and not source.clash), 0)
    if store is not None:
        with FeatureStore(store) as before:
            known |= before.duration_ms
    return check_log(log, known, "the store")


def _choose(preset: str | None, single: Mapping[Modality, str | None]) -> tuple[dict[Modality, str], str]:
    """Specifications of encoders, checked as far as that goes without loading, and where the preset takes pictures."""
    name = next(iter(PRESETS)) if preset is None else preset
    if name not in PRESETS:
        raise ValueError(f"unknown preset {name!r}; valid are {', '.join(PRESETS)}")
    specs = {modality: single.get(modality) or spec for modality, spec in PRESETS[name].encoders.items()}
    specs = {modality: spec for modality, spec in specs.items() if spec != NONE}
    for modality, spec in specs.items():
        parse_spec(spec, modality)
    return specs, PRESETS[name].frame_position


def _load(specs: Mapping[Modality, str], device: str) -> dict[str, Encoder]:
    loaded = {modality: load_encoder(spec, modality, device) for modality, spec in specs.items()}
    return {modality: encoder for modality, encoder in loaded.items() if encoder is not None}


def _known(store: Path) -> tuple[str, dict[str, str]]:
    """What a store's paths are relative to, and the path of every id."""
    with FeatureStore(store) as opened:
        return opened.root, dict(zip(opened.video_ids, opened.paths, strict=True))


def _finished(path: Path, header: StoreHeader) -> Finished | None:
    """What the store knows already; None for one without a video that was made with other settings, which is no loss.

    Raises
    ------
    ValueError
        If it was made with other settings.
    """
    with FeatureStore(path) as store:
        if lines := store.header.differences(header):
            if not len(store) and store.interactions is None:
                return None
            raise ValueError(
                f"{path} was made with other settings (its own against yours): {'; '.join(lines)}; write another "
                "store, or start this one anew with --overwrite"
            )
        return Finished.of(store)
