"""Workers that die of some files; actors import it from here, so it stands alone."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from segfeat.engines.worker import ShardWorker
from segfeat.pipeline.progress import Progress
from segfeat.pipeline.shard import Shard


class Poisoned(ShardWorker):
    """Is killed by files whose names say so, as an encoder is that a driver takes down."""

    def extract(self, shard: Shard) -> Progress:
        """See `ShardWorker.extract`."""
        if any("poison" in source.path for source in shard.sources):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().extract(shard)


class Mourned(ShardWorker):
    """Leaves its process id beside the shards, and takes its time."""

    def extract(self, shard: Shard) -> Progress:
        """See `ShardWorker.extract`."""
        (Path(self._folder) / f"{os.getpid()}.pid").touch()
        time.sleep(1.0)
        return super().extract(shard)


class Paired(ShardWorker):
    """Does nothing until there are two of its kind."""

    def extract(self, shard: Shard) -> Progress:
        """See `ShardWorker.extract`."""
        (Path(self._folder) / f"{os.getpid()}.pid").touch()
        until_s = time.monotonic() + 240
        while len(list(Path(self._folder).glob("*.pid"))) < 2:
            if time.monotonic() > until_s:
                raise RuntimeError("alone for four minutes")
            time.sleep(0.05)
        return super().extract(shard)


class Pausing(ShardWorker):
    """Leaves its process id in the folder that the environment names, and takes its time."""

    def extract(self, shard: Shard) -> Progress:
        """See `ShardWorker.extract`."""
        (Path(os.environ["SEGFEAT_TEST_PIDS"]) / str(os.getpid())).touch()
        time.sleep(1.0)
        return super().extract(shard)
