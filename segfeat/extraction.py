"""The main job: videos in, a feature store out; resumable, and a broken file costs itself alone."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from segfeat.engines.base import Engine, Setup
from segfeat.engines.local import Local
from segfeat.failures import Failure
from segfeat.interactions import Interactions
from segfeat.log_check import LogCheck
from segfeat.pipeline.job import Job
from segfeat.pipeline.plan import Plan, make_plan
from segfeat.pipeline.progress import Progress
from segfeat.pipeline.request import VIDEO_TIMEOUT_S, Request
from segfeat.pipeline.run import ExtractionRun
from segfeat.store.merge import Part
from segfeat.store.reader import FeatureStore
from segfeat.words import DEFAULT_WORDS

Report = Callable[[Progress], None]
"""Told of the progress after every file."""


@dataclass(frozen=True)
class ExtractSummary:
    """What an extraction did.

    Attributes
    ----------
    store : Path
    videos, segments : int
        In the store now.
    progress : Progress
        Counts of this run.
    partial : int
        Videos in the store of which something could not be read.
    failures : tuple of Failure
        All failed files that the store knows, also those of earlier runs.
    unlisted : mapping of folder to reason
        Folders that could not be searched.
    ignored : int
        Files left alone because they do not look like videos.
    titled : int
        Videos that the metadata has words about.
    gone : tuple of str
        Paths of videos in the store whose files are no longer there; their features are kept.
    left_out : tuple of str
        Rows of the metadata that could not be used, and why.
    log : LogCheck or None
        What the log given holds.
    """

    store: Path
    videos: int
    segments: int
    progress: Progress
    partial: int
    failures: tuple[Failure, ...]
    unlisted: Mapping[str, str]
    ignored: int
    titled: int
    gone: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    log: LogCheck | None = None


def extract(
    paths: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    preset: str | None = None,
    visual: str | None = None,
    audio: str | None = None,
    text: str | None = None,
    metadata: str | Path | None = None,
    interactions: str | Path | Sequence[str | Path] | Interactions | None = None,
    unit: str | Sequence[str] = (),
    context: Sequence[str] = (),
    segment_s: float = 5.0,
    frames_per_segment: int = 1,
    frame_position: str | None = None,
    decoder: str = "auto",
    id_from: str = "stem",
    device: str = "auto",
    workers: int | None = None,
    video_timeout_s: float = VIDEO_TIMEOUT_S,
    words: str | Sequence[str] = DEFAULT_WORDS,
    subtitle_encoding: str = "auto",
    manifest: str | Path | None = None,
    thumbnails: bool = True,
    overwrite: bool = False,
    retry_failed: bool = False,
    progress: Report | None = None,
) -> ExtractSummary:
    """Extract segment features of videos into a store.

    An existing store is added to: files in it that have not changed cost nothing. An interrupted extraction goes on
    where it was when called again with the same arguments.

    Parameters
    ----------
    paths : path or sequence of paths
        Video files, and folders that are searched for videos; or addresses such as ``s3://bucket/videos``.
    out : path
        The store: one file, or a store in parts where it is a folder or a name without suffix. Finished shards are
        kept beside it, in a folder of the same name with ``.shards``, until it is done.
    preset : str, optional
        Encoders of all modalities by one name in `segfeat.encoders.PRESETS`; default ``clip``.
    visual, audio, text : str, optional
        Encoder of one modality instead of the preset's; ``none`` leaves the modality out.
    metadata : path, optional
        CSV with ``video_id`` or ``path``, and titles; see `segfeat.pipeline.titles.read_titles`.
    interactions : path, paths or Interactions, optional
        The watch log that the store shall carry; replaces one that it has.
    unit : str or sequence of str
        In what the log's files count time where it is not milliseconds: ``s`` or ``us``, or for one of its numbers
        ``time=s`` and the like.
    context : sequence of str
        Further columns of the log's files, kept as categories of the views.
    segment_s : float
        Segment length in seconds.
    frames_per_segment : int
        Pictures a segment; its visual feature is their mean.
    frame_position : {"middle", "start"}, optional
        Where in its part of the segment a picture is taken; default is the preset's.
    decoder : str
        A name in `segfeat.decode.DECODERS`.
    id_from : {"stem", "path"}
        Video ids are file names without suffix, or paths relative to the scanned root.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; where the encoders run.
    workers : int, optional
        Decode processes; default from the number of cores.
    video_timeout_s : float
        A file whose decoding makes no progress for this many seconds, and as long again as it lasts, is given up.
    words : str or sequence of str
        Where words come from: names in `segfeat.words.SOURCES`, separated by commas; see docs/words.md.
    subtitle_encoding : str
        Of subtitle files; ``auto`` finds it out, and refuses a file where it cannot.
    manifest : path, optional
        CSV or Parquet that names more addresses; see `segfeat.pipeline.objects`.
    thumbnails : bool
        Whether a small WebP of every segment is kept.
    overwrite : bool
        Start anew instead of adding to an existing store.
    retry_failed : bool
        Read files again that failed in an earlier run.
    progress : callable, optional
        Called with a `Progress` after every file.

    Raises
    ------
    ValueError
        If an argument, the metadata or the log is wrong, no file has an id of its own, or the store (or an interrupted
        extraction) was made with other settings; nothing has been decoded then.
    segfeat.encoders.EncoderUnavailable
        If an encoder's weights cannot be had; nothing has been decoded then.
    KeyboardInterrupt
        After Ctrl-C; the work in flight is finished first, and a second Ctrl-C stops at once.
    OSError
        If the disk is full or the output folder cannot be written; finished shards are kept.
    """
    request = Request(
        paths=paths,
        out=out,
        preset=preset,
        visual=visual,
        audio=audio,
        text=text,
        metadata=metadata,
        interactions=interactions,
        segment_s=segment_s,
        frames_per_segment=frames_per_segment,
        frame_position=frame_position,
        decoder=decoder,
        id_from=id_from,
        device=device,
        thumbnails=thumbnails,
        overwrite=overwrite,
        retry_failed=retry_failed,
        workers=workers,
        video_timeout_s=video_timeout_s,
        unit=(unit,) if isinstance(unit, str) else tuple(unit),
        context=tuple(context),
        words=words,
        subtitle_encoding=subtitle_encoding,
        manifest=manifest,
    )
    return carry_out(request, progress)


def carry_out(request: Request, progress: Report | None = None, engine: Engine | None = None) -> ExtractSummary:
    """Do what is requested; see `extract`. Shards are carried out by ``engine``, by this machine where it is None."""
    chosen: Engine = Local() if engine is None else engine
    # Where others encode, this process only has to know what its weights are.
    known = (replace(request, device="cpu") if chosen.elsewhere else request).prepare()
    out, found, base = known.out, known.found, known.base
    with Job(out, known.header, _content_hash(out) if request.overwrite else None) as job:
        plan = make_plan(known.new, known.header, job.folder, known.titled)
        read = {source.path for source in plan.sources}
        counts = Progress.of(plan.sources, videos_before=len(found.sources) - len(plan.sources))
        run = ExtractionRun(job.folder, known, counts, progress or (lambda _: None))
        if plan.todo:
            plan = _write_shards(run, plan, chosen, request.device)
        if known.new or known.log is not None or base is None:
            parts, log = plan.parts(known.header, job.folder), known.log
            if base is not None:
                parts.insert(0, Part(out, frozenset(s.path for s in known.new) & base.paths))
                log = _log(out) if log is None else log
            run.merge(parts, log)
        job.finish()
    root = found.root
    here = base.videos if base is not None and isinstance(root, Path) else ()
    gone = tuple(sorted(p for p in here if not os.path.lexists(os.path.join(root, p))))
    with FeatureStore(out) as store:
        # Some failures show only when a shard is put together.
        counts.failures = Counter(failure.code for failure in store.failures if failure.path in read)
        return ExtractSummary(
            store=out,
            videos=len(store),
            segments=store.segment_total,
            progress=counts,
            partial=int((store.status == "partial").sum()),
            failures=store.failures,
            unlisted=found.unlisted,
            ignored=found.ignored,
            titled=sum(bool(source.title) for source in found.sources),
            gone=gone,
            left_out=known.left_out,
            log=known.check,
        )


def _write_shards(run: ExtractionRun, plan: Plan, engine: Engine, device: str) -> Plan:
    """Have an engine write what is left to do; the plan of what is there then, of which nothing is left."""
    known = run.known
    setup = Setup(
        known.settings,
        {modality: encoder.spec for modality, encoder in known.encoders.items()},
        str(known.found.root),
        device,
        known.request.workers,
        known.request.video_timeout_s,
        None if engine.elsewhere else known.encoders,
    )
    run.progress.shards_total = len(plan.todo)
    run.write_state()
    try:
        engine.run([shard for _, shard in plan.todo], setup, run.folder, run.note)
    except OSError as error:
        raise run.stopped(error) from error
    plan = make_plan(known.new, known.header, run.folder, known.titled)
    if plan.todo:
        raise RuntimeError(f"{len(plan.todo):,} shards were not written; the same command goes on from there")
    return plan


def _log(path: Path) -> Interactions | None:
    with FeatureStore(path) as store:
        return store.interactions


def _content_hash(path: Path) -> str:
    """Which store stands at ``path``; empty where there is none."""
    try:
        with FeatureStore(path) as store:
            return store.content_hash
    except ValueError:
        return ""
