"""Sound as an audio model wants it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segfeat.types import Clip, Float32


@dataclass(frozen=True)
class SoundPreparer:
    """Hands a clip's waveform over.

    Attributes
    ----------
    sample_rate : int
        Samples a second the waveform must have.
    least : int
        Fewer samples than this are too little to hear anything in.
    """

    sample_rate: int
    least: int

    def __call__(self, clip: Clip) -> Float32 | None:
        """float32 (samples,); None for a clip without sound, with fewer than ``least`` samples, or with broken ones.

        Raises
        ------
        ValueError
            If the clip's sound has another rate.
        """
        if len(clip.waveform) < self.least:
            return None
        if clip.sample_rate != self.sample_rate:
            raise ValueError(f"sound at {clip.sample_rate} Hz, where {self.sample_rate} Hz were asked for")
        waveform = np.asarray(clip.waveform, dtype=np.float32)
        return waveform if np.isfinite(waveform).all() else None  # damaged float sound can decode to anything
