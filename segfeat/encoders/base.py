"""What every encoder promises, and the one error for weights that cannot be had."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from segfeat.types import Clip, EncoderSpec, Float32


class Preparer(Protocol):
    """The part of an encoder that runs beside the decoder: picklable, without weights, without torch.

    It turns a clip into an item: small arrays or a string, cheap to send to another process.
    """

    def __call__(self, clip: Clip) -> Any | None:
        """The clip's item for `Encoder.encode`; None where the clip has no such material, so that it is not valid."""


class Encoder(Protocol):
    """Turns one modality's material of a segment into one vector.

    Attributes
    ----------
    spec : EncoderSpec
        Architecture, weights with their hash, and the rule of pooling.
    preparer : Preparer
        Makes the items; may be sent to worker processes, which then need no model.
    frame_size : int or None
        The shorter side, in pixels, at which frames should arrive; None for encoders that need no frames.
    sample_rate : int or None
        Samples a second the sound must have; None for encoders that need no sound.
    batch_size : int
        How many pictures, sounds or texts run at once on this encoder's device.
    """

    spec: EncoderSpec
    preparer: Preparer
    frame_size: int | None
    sample_rate: int | None
    batch_size: int

    def encode(self, items: Sequence[Any]) -> Float32:
        """Vectors (n, D) of n items from the preparer, any n >= 0.

        A vector depends on its own item alone: not on its neighbours, their order or the batches (to rounding).
        """


class EncoderUnavailable(ValueError):
    """An encoder whose weights cannot be had or used here: says why, and what can be done instead."""

    def __init__(self, spec: str, cause: str, choices: str) -> None:
        super().__init__(spec, cause, choices)
        self.spec = spec
        self.cause = cause
        self.choices = choices

    def __str__(self) -> str:
        return f"{self.spec} is not available: {self.cause}. Choices: {self.choices}."
