"""``offline:logmel``: how loud a sound is in each mel band, how much that varies, and how fast. No weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torchaudio.transforms import MelSpectrogram

from segfeat.encoders.preparers import SoundPreparer
from segfeat.encoders.registry import ParsedSpec
from segfeat.types import EncoderSpec, Float32

SAMPLE_RATE = 16_000
WINDOW = 400
"""Samples of an analysis window: 25 ms."""
HOP = 160
"""Samples from one window to the next: 10 ms."""
BANDS = 64
LEAST_POWER = 1e-6
"""Added to the power before the logarithm: about what quantisation to 16 bits leaves in a band."""


class LogMel:
    """Per mel band: mean, standard deviation over time, and mean absolute change from window to window.

    All three are of log10 of the band's power: a number of the first 64 is about -6 in silence and grows by 1 for
    every 10 dB.
    """

    def __init__(self, parsed: ParsedSpec, device: torch.device) -> None:
        # So little work that a GPU would only wait for it: always on the CPU.
        self._spectrogram = MelSpectrogram(
            SAMPLE_RATE,
            n_fft=WINDOW,
            hop_length=HOP,
            n_mels=BANDS,
            f_min=40.0,
            center=False,  # no made-up samples at the ends
            norm="slaney",
            mel_scale="slaney",
        )
        self.preparer = SoundPreparer(SAMPLE_RATE, WINDOW + HOP)  # two windows: one alone does not change
        self.frame_size: int | None = None
        self.sample_rate: int | None = SAMPLE_RATE
        self.batch_size = 1
        self.spec = EncoderSpec(
            name=parsed.text,
            modality="audio",
            dim=3 * BANDS,
            model=f"log mel spectrum, {BANDS} bands, 25 ms windows, version 1",
            weights="none",
            pooling="mean, standard deviation and mean absolute change over time of each band",
        )

    def encode(self, items: Sequence[Float32]) -> Float32:
        """Vectors (n, 192) of n waveforms (samples,) at 16 kHz."""
        return np.array([self._describe(item) for item in items], np.float32).reshape(len(items), self.spec.dim)

    @torch.inference_mode()
    def _describe(self, waveform: Float32) -> Float32:
        bands = torch.log10(self._spectrogram(torch.tensor(waveform)) + LEAST_POWER)
        change = bands.diff(dim=1).abs()
        parts = bands.mean(dim=1), bands.std(dim=1, correction=0), change.mean(dim=1)
        return torch.cat(parts).numpy()
