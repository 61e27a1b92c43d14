"""What decode processes and encoding threads are told, so that they suit one another."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from segfeat.available_cores import available_cores
from segfeat.pipeline.cores import Shares, share_cores
from segfeat.pipeline.reading import THUMBNAIL_SIDE, Reading
from segfeat.pipeline.settings import Settings

if TYPE_CHECKING:
    from segfeat.encoders import Encoder


def reading_task(settings: Settings, encoders: Mapping[str, Encoder], device: str) -> Reading:
    """What decode processes have to do so that these encoders get what they take."""
    visual, audio = encoders.get("visual"), encoders.get("audio")
    short_side = visual.frame_size if visual is not None else THUMBNAIL_SIDE if settings.thumbnails else None
    return Reading(
        settings,
        {modality: encoder.preparer for modality, encoder in encoders.items()},
        short_side,
        (audio.sample_rate or 0) if audio is not None else 0,
        settings.sources(_words_device(device)),
    )


def _words_device(device: str) -> str:
    """Where recognisers of words run: known without asking torch in every decode process."""
    from segfeat.encoders.device import resolve_device

    return str(resolve_device(device))


def shares_for(encoders: Mapping[str, Encoder], device: str, workers: int | None, cores: int | None = None) -> Shares:
    """Who gets how many of ``cores``, None: all that this process may use; ``workers`` None: a process for each."""
    from segfeat.encoders.device import resolve_device

    networks = any(encoder.spec.weights != "none" for encoder in encoders.values())
    on_gpu = networks and resolve_device(device).type == "cuda"
    return share_cores(cores or available_cores(), networks, on_gpu, workers)


def thread_preparer(device: str, shares: Shares) -> Callable[[], None]:
    """What every encoding thread does first: count its own threads, and on a GPU have a queue of its own there."""
    import torch

    from segfeat.encoders.device import resolve_device

    where = resolve_device(device)

    def prepare() -> None:
        torch.set_num_threads(shares.threads_per_batch)
        if where.type == "cuda":  # so that the copies of one thread overlap with the work of the other
            torch.cuda.set_stream(torch.cuda.Stream(where))

    return prepare


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Torch with this many threads, and no more threads in tokenizers."""
    import torch

    before = torch.get_num_threads()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
