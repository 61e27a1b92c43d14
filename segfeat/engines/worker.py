"""A worker of an engine: loads its encoders, sees that they are everybody's, and writes shard after shard."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from segfeat.engines.base import Setup
from segfeat.engines.local import count
from segfeat.pipeline.arrival import Arrival
from segfeat.pipeline.extractor import Extractor
from segfeat.pipeline.progress import Progress
from segfeat.pipeline.shard import Shard
from segfeat.types import EncoderSpec, Modality

if TYPE_CHECKING:
    from segfeat.encoders import Encoder

PRECISION = "precision.json"
"""In the folder of shards: what the first worker computes in, so that no other mixes in something else."""


class Refused(ValueError):
    """This worker would give other features than the others: nothing that it does may be kept."""


class ShardWorker:
    """Writes shards into a folder that all workers and the driver see.

    Parameters
    ----------
    setup : Setup
    folder : path
    cores : int or None
        That it may keep busy.

    Raises
    ------
    Refused
        If its weights or its precision differ from those of the others, or its weights cannot be had; the message
        names both, and this machine.
    """

    def __init__(self, setup: Setup, folder: str | Path, cores: int | None = None) -> None:
        self._setup, self._folder = setup, Path(folder)
        self._encoders = same_encoders(setup)
        agree_on_precision(self._folder, precision(setup, self._encoders))
        self._cores = cores
        self._extractor: Extractor | None = None

    def extract(self, shard: Shard) -> Progress:
        """Write a shard, if nobody has; what was done.

        Raises
        ------
        ValueError
            If the library of the chosen decoder is missing.
        OSError
            If the shard cannot be written.
        """
        done = Progress(shards_done=1)

        def arrived(arrival: Arrival) -> None:
            done.add(count(arrival))

        if self._extractor is None:
            setup = self._setup
            self._extractor = Extractor(
                setup.settings, self._encoders, setup.device, setup.workers, setup.video_timeout_s, self._cores
            )
        try:
            self._extractor.extract(shard, self._folder, self._setup.root, arrived)
        except BaseException:
            self.close()  # what is under way in it belongs to no shard any more
            raise
        return done

    def close(self) -> None:
        """End everything that runs for it."""
        if self._extractor is not None:
            self._extractor.close()
            self._extractor = None


def same_encoders(setup: Setup) -> dict[str, Encoder]:
    """The encoders of a setup, loaded here, under the specifications of the driver.

    Raises
    ------
    Refused
        If weights (by their hash, wherever they lie) or anything else that decides features differ.
    """
    from segfeat.encoders import load_encoder

    found: dict[str, Encoder] = {}
    for modality, theirs in setup.specs.items():
        try:
            encoder = load_encoder(theirs.name, cast(Modality, modality), setup.device)
        except ValueError as error:
            raise Refused(f"worker on {socket.gethostname()}: {error}") from error
        if encoder is None:
            raise Refused(f"worker on {socket.gethostname()}: {theirs.name} is no encoder")
        lines = _identity(theirs).differences(_identity(encoder.spec))
        if lines:
            raise Refused(
                f"{modality} encoder {theirs.name} differs on the worker {socket.gethostname()} (the driver's against "
                f"its own): {'; '.join(lines)}"
            )
        encoder.spec = theirs
        found[modality] = encoder
    mine = setup.settings.header({modality: encoder.spec for modality, encoder in found.items()})
    if lines := setup.header.differences(mine):
        raise Refused(f"worker on {socket.gethostname()} differs (the driver's against its own): {'; '.join(lines)}")
    return found


def precision(setup: Setup, encoders: Mapping[str, Encoder]) -> str:
    """What networks compute in here."""
    from segfeat.encoders.device import half_precision, resolve_device

    if all(encoder.spec.weights == "none" for encoder in encoders.values()):
        return "float32"
    dtype = half_precision(resolve_device(setup.device))
    return "float32" if dtype is None else str(dtype).removeprefix("torch.")


def agree_on_precision(folder: Path, mine: str) -> None:
    """Say what this worker computes in, or see that it is what the first one said.

    Raises
    ------
    Refused
        If it is not; names both.
    """
    path, host = folder / PRECISION, socket.gethostname()
    try:
        with path.open("x") as file:
            json.dump({"precision": mine, "host": host}, file)
        return
    except FileExistsError:
        first: dict[str, Any] = _read(path)
    if first["precision"] != mine:
        raise Refused(
            f"the worker on {host} computes in {mine}, that on {first['host']} in {first['precision']}: features of "
            "both would not be comparable; use machines of one kind (--gpus-per-actor, --device)"
        )


def _read(path: Path) -> dict[str, Any]:
    """A small file that its writer may be about to finish."""
    import time

    for _ in range(100):
        try:
            content: dict[str, Any] = json.loads(path.read_text())
            return content
        except ValueError:
            time.sleep(0.05)
    raise Refused(f"{path} was never finished; remove it")


def _identity(spec: EncoderSpec) -> EncoderSpec:
    """A specification without where the weights lie: their hash says which they are."""
    known = spec.weights.rpartition("sha256:")
    return replace(spec, name="", weights="".join(known[1:]) if known[1] else spec.weights)
