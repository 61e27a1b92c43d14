"""A worker of an engine: loads its encoders, sees that they are everybody's, and writes shard after shard."""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from segfeat.engines.base import Setup
from segfeat.engines.depot import Depot
from segfeat.engines.local import count
from segfeat.pipeline.arrival import Arrival
from segfeat.pipeline.extractor import Extractor
from segfeat.pipeline.objects import is_url
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
    folder : path or address
        Of a folder on a common disk, or in object storage.
    cores : int or None
        That it may keep busy.

    Raises
    ------
    Refused
        If its weights or its precision differ from those of the others, or its weights cannot be had; the message
        names both, and this machine.
    """

    def __init__(self, setup: Setup, folder: str | Path, cores: int | None = None) -> None:
        self._setup = setup
        self._depot = Depot(folder) if isinstance(folder, str) and is_url(folder) else None
        self._folder = Path(tempfile.mkdtemp(prefix="segfeat-shards-")) if self._depot else Path(folder)
        self._encoders = same_encoders(setup)
        agree_on_precision(self._depot or self._folder, precision(setup, self._encoders))
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
        name = shard.name(self._setup.header)
        if self._depot is not None and self._depot.has(name):
            return done

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
        if self._depot is not None:
            self._depot.put(name, self._folder / name)  # somebody else's has the same content
            (self._folder / name).unlink()
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
    from segfeat.encoders import device

    if all(encoder.spec.weights == "none" for encoder in encoders.values()):
        return "float32"
    return device.precision(device.resolve_device(setup.device))


def agree_on_precision(folder: Path | Depot, mine: str) -> None:
    """Say what this worker computes in, or see that it is what the first one said.

    Raises
    ------
    Refused
        If it is not; names both.
    """
    host = socket.gethostname()
    said = json.dumps({"precision": mine, "host": host})
    if isinstance(folder, Depot):
        first = said if folder.put_text(PRECISION, said) else folder.text(PRECISION)
    else:
        first = _first_said(folder / PRECISION, said)
    known: dict[str, Any] = json.loads(first)
    if known["precision"] != mine:
        raise Refused(
            f"the worker on {host} computes in {mine}, that on {known['host']} in {known['precision']}: features of "
            "both would not be comparable; use machines of one kind (--gpus-per-actor, --device)"
        )


def _first_said(path: Path, mine: str) -> str:
    """What the first worker has written into a file, which appears complete or not at all."""
    own = path.with_name(f"{path.name}.{socket.gethostname()}-{os.getpid()}")
    own.write_text(mine)
    try:
        os.link(own, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        if not path.exists():
            os.replace(own, path)
    finally:
        own.unlink(missing_ok=True)
    return path.read_text()


def _identity(spec: EncoderSpec) -> EncoderSpec:
    """A specification without where the weights lie: their hash says which they are."""
    known = spec.weights.rpartition("sha256:")
    return replace(spec, name="", weights="".join(known[1:]) if known[1] else spec.weights)
