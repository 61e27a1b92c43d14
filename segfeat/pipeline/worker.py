"""A decode process: reads the sources that its parent names, answers with messages, and dies with its parent.

It is started by `segfeat.pipeline.pool`, as a fresh interpreter that knows nothing but a socket and the parent's id.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, NoReturn

from segfeat.pipeline.messages import Closed, Failed, Message, unforeseen

if TYPE_CHECKING:
    from segfeat.pipeline.process import Task
    from segfeat.pipeline.sources import Source

_PR_SET_PDEATHSIG = 1


def main(handle: int, parent: int) -> None:
    """Serve one parent until it hangs up."""
    _die_with(parent)
    # Terminals and batch systems send these to the whole group; what they mean is the parent's decision.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _be_the_first_to_be_killed_for_memory()
    connection = Connection(handle)
    try:
        decoders, task = connection.recv()
        _warm_up(decoders)
        connection.send(None)
        while True:
            end = _read(task, connection.recv(), connection.send)
            # PyAV's containers refer to themselves, and would keep their codecs' pictures for long. What goes wrong
            # here is this file's fault and not the next one's, so its end is told when it has been let go.
            gc.collect()
            connection.send(end)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _read(task: Task, source: Source, send: Callable[[Message], None]) -> Closed | Failed:
    """Send on what there is to say about a source; its end is returned."""
    try:
        for message in task(source):
            if isinstance(message, Closed | Failed):
                return message
            send(message)
    except MemoryError:
        return unforeseen(source.path, "out of memory, of which fewer --workers leave more for each")
    except (BrokenPipeError, ConnectionResetError):
        raise
    except Exception as error:  # whatever a library throws at one file must not end the job
        return unforeseen(source.path, f"an error that nobody foresaw ({type(error).__name__}: {error})")
    return unforeseen(source.path, "reading it ended without a word")


def _warm_up(decoders: dict[str, str]) -> None:
    """Know the decoders that the parent knows, and load the libraries before the clock runs."""
    from segfeat.decode import DECODERS

    DECODERS.update(decoders)
    import segfeat.decode.pyav  # noqa: F401

    gc.freeze()  # what is here now stays, and need not be looked at after every file


def _die_with(parent: int) -> None:
    """No orphans: the kernel kills us with our parent where it can, and a thread of ours notices it elsewhere."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> NoReturn:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _be_the_first_to_be_killed_for_memory() -> None:
    """A file that eats all memory should cost itself, not the job."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("800")
    except OSError:
        return
