"""A share of an extraction: every n-th of its shards, so that the tasks of a job array work without a driver.

Each task lists the files, cuts the same shards from the list, and writes those of its share into the folder that all
tasks see. Which task wrote a shard does not matter, nor that one was started twice: a shard's name and content follow
from its files. When all shares are written, the same command without a share finds nothing left to do but to merge.
"""

from __future__ import annotations

from dataclasses import dataclass

from segfeat.pipeline.extractor import Extractor
from segfeat.pipeline.job import job_folder
from segfeat.pipeline.plan import make_plan
from segfeat.pipeline.request import Request


@dataclass(frozen=True)
class Share:
    """The ``index``-th of ``count`` shares, counted from 1."""

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise ValueError(f"share {self.index}/{self.count}: the first number must be from 1 to the second")

    @classmethod
    def parsed(cls, text: str) -> Share:
        """From ``3/16``.

        Raises
        ------
        ValueError
            If it is not two whole numbers, or there is no such share.
        """
        index, slash, count = text.partition("/")
        if not (slash and index.isdecimal() and count.isdecimal()):
            raise ValueError(f"a share is written as 3/16, not {text!r}")
        return cls(int(index), int(count))


def extract_share(request: Request, share: Share) -> int:
    """Write the shards of a share that are not there yet, beside the store to be; how many were written.

    Raises
    ------
    ValueError
        As `segfeat.extract` does, and with ``overwrite``: tasks cannot agree on who empties the folder.
    """
    if request.overwrite:
        raise ValueError("a share cannot overwrite a store; remove it first, or write another")
    known = request.prepare()
    folder = job_folder(known.out)
    folder.mkdir(exist_ok=True)
    # Cut from the whole list, so that all tasks see the same shards however far the others are.
    mine = make_plan(known.new, known.header, folder / "none", known.titled).todo[share.index - 1 :: share.count]
    left = [shard for _, shard in mine if not (folder / shard.name(known.header)).exists()]
    if left:
        with Extractor(
            known.settings, known.encoders, request.device, request.workers, request.video_timeout_s
        ) as extractor:
            for shard in left:
                extractor.extract(shard, folder, known.found.root)
    return len(left)
