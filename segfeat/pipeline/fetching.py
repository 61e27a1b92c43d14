"""Reading objects that lie elsewhere: every decode process fetches one at a time, and removes it when it is read."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from segfeat.pipeline.messages import Failed, Message
from segfeat.pipeline.objects import FetchFailed, fetch, is_url
from segfeat.pipeline.process import Task
from segfeat.pipeline.sources import Source


@dataclass(frozen=True)
class Fetching:
    """A task of decode processes, done on a copy of what is no file of this machine.

    The scratch folder never holds more than one object for each process: fetching is part of reading it, and one
    process decodes while another waits for the network.
    """

    task: Task
    scratch: str

    def __call__(self, source: Source) -> Iterator[Message]:
        """Messages about one source; an object that cannot be had is a failure as any other."""
        if not is_url(source.file):
            yield from self.task(source)
            return
        self._remove_what_the_dead_left()
        mine = Path(self.scratch) / str(os.getpid())
        try:
            local = fetch(source, mine)
        except FetchFailed as error:
            yield Failed(error.code, str(error))
        else:
            yield from self.task(local)
        finally:
            shutil.rmtree(mine, ignore_errors=True)

    def _remove_what_the_dead_left(self) -> None:
        """A process that hung or crashed was killed with its object still there."""
        for folder in Path(self.scratch).iterdir():
            if folder.name.isdecimal() and not _alive(int(folder.name)):
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def fetching(task: Task, sources: Sequence[Source] | None = None) -> Iterator[Task]:
    """The task, with a scratch folder for what has to be fetched; as it is where nothing has to be.

    ``sources`` None: nobody knows yet. The folder lies where temporary files do (``TMPDIR``).
    """
    if sources is not None and not any(is_url(source.file) for source in sources):
        yield task
        return
    with tempfile.TemporaryDirectory(prefix="segfeat-", ignore_cleanup_errors=True) as scratch:
        yield Fetching(task, scratch)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
