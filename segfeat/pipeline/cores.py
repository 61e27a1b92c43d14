"""How many processes and threads keep all cores busy and none oversubscribed."""

from __future__ import annotations

from dataclasses import dataclass

MOST_ENCODING_THREADS = 8
"""Each holds a batch in memory; where there are more cores, each computes with several."""


@dataclass(frozen=True)
class Shares:
    """Who gets how much.

    Attributes
    ----------
    workers : int
        Decode processes.
    encoding_threads : int
        Batches encoded at once.
    threads_per_batch : int
        Of the library that computes a batch.
    cores : int or None
        Decode processes and encoding threads that may be busy at once; None where encoding takes no cores.
    """

    workers: int
    encoding_threads: int
    threads_per_batch: int
    cores: int | None


def share_cores(cores: int, networks: bool, on_gpu: bool, workers: int | None = None) -> Shares:
    """Shares of decoding and encoding.

    Whichever has work takes all cores: decode processes stand still while encoding threads need theirs. Several batches
    side by side, each on its own core, give the same numbers on any number of cores, and none waits for another.

    Parameters
    ----------
    cores : int
    networks : bool
        Whether any encoder is a neural one; the others hardly matter beside decoding.
    on_gpu : bool
        Where they run.
    workers : int, optional
        Given by the user.
    """
    count = workers or cores
    if on_gpu:  # one batch is prepared and moved while another is computed
        return Shares(count, 2, 1, None)
    threads = min(cores, MOST_ENCODING_THREADS) if networks else 1
    return Shares(count, threads, max(1, cores // threads) if networks else 1, max(cores, count))
