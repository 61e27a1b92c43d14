"""What every engine is given, and what it promises."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from segfeat.pipeline.progress import Progress
from segfeat.pipeline.settings import Settings
from segfeat.pipeline.shard import Shard
from segfeat.types import EncoderSpec, StoreHeader

if TYPE_CHECKING:
    from segfeat.encoders import Encoder


@dataclass(frozen=True)
class Setup:
    """What all shards of an extraction have in common; small, and sent to every worker.

    Attributes
    ----------
    settings : Settings
    specs : mapping of modality to EncoderSpec
        Of the encoders. A worker loads its own, whose weights must be the same; where they lie may differ.
    root : str
        What the paths of sources are relative to.
    device, workers, video_timeout_s
        As in `segfeat.extract`.
    loaded : mapping of modality to Encoder, optional
        The encoders of this process; never sent.
    """

    settings: Settings
    specs: Mapping[str, EncoderSpec]
    root: str
    device: str = "auto"
    workers: int | None = None
    video_timeout_s: float = 300.0
    loaded: Mapping[str, Encoder] | None = field(default=None, compare=False, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "header"} | {"loaded": None}

    @cached_property
    def header(self) -> StoreHeader:
        """Of every shard."""
        return self.settings.header(self.specs)


class Engine(Protocol):
    """Carries out shards."""

    elsewhere: ClassVar[bool]
    """Whether encoders run in other processes, so that this one needs no device for them."""

    def run(self, shards: Sequence[Shard], setup: Setup, folder: Path, report: Callable[[Progress], None]) -> None:
        """Write every source of the shards into shards in ``folder``, a failure where it gives no video.

        A shard may be written as several smaller ones. One that is there already is left as it is.

        Parameters
        ----------
        shards : sequence of Shard
        setup : Setup
        folder : Path
        report : callable
            Told what has been done since it was told last.

        Raises
        ------
        KeyboardInterrupt
            After Ctrl-C; finished shards are kept.
        OSError
            If a shard cannot be written.
        ValueError
            If a library or weights are missing, or workers differ in what decides the features.
        """
