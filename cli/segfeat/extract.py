"""``segfeat extract``: from videos to a feature store."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from segfeat.decode import DECODERS
from segfeat.encoders import PRESETS
from segfeat.engines import ENGINES
from segfeat.segment import FRAME_POSITIONS, SEGMENT_S
from segfeat.words import DEFAULT_WORDS
from segmodel.countdown import clock

from ..log_columns import CONTEXT, UNIT
from ..printer import Printer, prints
from ..run import FAILED, FINISHED, PARTLY_FAILED
from .progress import ProgressLine, plural

if TYPE_CHECKING:
    from segfeat.extraction import ExtractSummary
    from segfeat.pipeline.dry_run import Preview

SHOWN = 5
"""Lines of one kind that are shown; segfeat errors lists all files."""

_PATH = click.Path(path_type=Path)


def _range(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[int, int] | None:
    """``2:8`` as two numbers, ``4`` as 4 and 4."""
    if text is None:
        return None
    first, colon, second = text.partition(":")
    if not first.isdecimal() or (colon and not second.isdecimal()):
        raise click.BadParameter(f"written as 2:8, not {text!r}", context, parameter)
    return int(first), int(second if colon else first)


@click.command()
@click.argument("videos", nargs=-1, type=click.Path(path_type=str))
@click.option(
    "-o",
    "--out",
    default=Path("feats.h5"),
    show_default=True,
    type=_PATH,
    help="The store to write; in parts where it is a folder or has no suffix.",
)
@click.option("--list", "list_file", type=_PATH, help="A file of more paths, one a line, relative to it.")
@click.option("--manifest", type=_PATH, help="CSV or Parquet of more addresses: url and, if wanted, video_id.")
@click.option("--preset", type=click.Choice(list(PRESETS)), help="Encoders of all modalities.  [default: clip]")
@click.option("--visual", metavar="SPEC", help="open_clip:MODEL[@TAG-or-path], offline:color-texture or none.")
@click.option("--audio", metavar="SPEC", help="torchaudio:BUNDLE[@path], offline:logmel or none.")
@click.option("--text", metavar="SPEC", help="sentence-transformers:NAME-or-path, offline:hashing or none.")
@click.option("--words", metavar="SOURCES", default=",".join(DEFAULT_WORDS), show_default=True,
              help="Where words come from, separated by commas: title, subtitles, speech:faster-whisper:NAME-or-path, "
                   "speech:pocketsphinx, screen:rapidocr; or none.")  # fmt: skip
@click.option("--subtitle-encoding", default="auto", show_default=True, metavar="NAME", help="Of .srt and .vtt files.")
@click.option("--metadata", type=_PATH, help="CSV with video_id or path, title and more text columns.")
@click.option("--interactions", type=_PATH, multiple=True, help="Watch log (CSV, CSV.gz, Parquet) for the store.")
@CONTEXT
@UNIT
@click.option("--segment-seconds", default=SEGMENT_S, show_default=True, help="Segment length.")
@click.option("--frames-per-segment", default=1, show_default=True, help="Pictures whose features are averaged.")
@click.option("--frame-position", type=click.Choice(FRAME_POSITIONS), help="Where they lie.  [default: middle]")
@click.option("--decoder", default="auto", show_default=True, type=click.Choice(list(DECODERS)))
@click.option("--id", "id_from", default="stem", show_default=True, type=click.Choice(["stem", "path"]),
              help="Video ids are file names without suffix, or paths relative to the scanned folder.")  # fmt: skip
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--workers", type=click.IntRange(min=1), help="Decode processes.  [default: from the cores]")
@click.option("--video-timeout", type=click.FloatRange(min=0, min_open=True), default=300.0, show_default=True,
              metavar="SECONDS", help="Give up a file that gets nowhere for so long, plus its own length.")  # fmt: skip
@click.option("--thumbnails/--no-thumbnails", default=True, show_default=True, help="Keep a small picture a segment.")
@click.option("--overwrite", is_flag=True, help="Start anew instead of adding to an existing store.")
@click.option("--retry-failed", is_flag=True, help="Read files again that failed in an earlier run.")
@click.option("--strict", is_flag=True, help="Exit with 3 if anything was left out.")
@click.option("--share", metavar="K/N", help="Write only the K-th of N shares of the shards; merge them without it.")
@click.option("--engine", default="local", show_default=True, type=click.Choice(list(ENGINES)), help="Who extracts.")
@click.option("--address", metavar="ADDRESS", help="Of the Ray cluster.  [default: RAY_ADDRESS, else this machine]")
@click.option("--actors", metavar="MIN:MAX", callback=_range, help="Fewest and most workers of the engine.")
@click.option("--cores-per-actor", type=click.IntRange(min=1), help="Cores of a worker of the engine.")
@click.option(
    "--gpus-per-actor", type=click.FloatRange(min=0), help="GPUs of a worker of the engine, or a part of one."
)
@click.option("--shards", metavar="URL", help="Where workers without a common disk leave their shards.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@prints
def extract(
    videos: tuple[str, ...],
    out: Path,
    list_file: Path | None,
    interactions: tuple[Path, ...],
    context: tuple[str, ...],
    units: tuple[str, ...],
    segment_seconds: float,
    video_timeout: float,
    strict: bool,
    share: str | None,
    engine: str,
    address: str | None,
    actors: tuple[int, int] | None,
    cores_per_actor: int | None,
    gpus_per_actor: float | None,
    shards: str | None,
    dry_run: bool,
    printer: Printer,
    **options: Any,
) -> int:
    """Write segment features of VIDEOS (files, or folders with all that is below them) into a store.

    VIDEOS may be addresses as well, such as s3://bucket/videos: objects are fetched one at a time for each process.

    An existing store is added to: only new and changed files are read. After an interruption the same command goes on
    where it was. Files that cannot be read are recorded with the reason; segfeat errors STORE lists them.
    """
    from segfeat.engines import make_engine
    from segfeat.extraction import carry_out
    from segfeat.pipeline.dry_run import preview
    from segfeat.pipeline.request import Request
    from segfeat.pipeline.sources import read_list

    paths: list[str | Path] = [*videos, *(read_list(list_file) if list_file else [])]
    if not paths and options["manifest"] is None:
        raise click.UsageError("name at least one video or folder, or a --list or --manifest of them")
    if (context or units) and not interactions:
        raise click.UsageError("--context and --unit are of a watch log; give it with --interactions")
    if share is not None and (dry_run or engine != next(iter(ENGINES))):
        raise click.UsageError("--share writes shards on this machine; it goes with neither --dry-run nor --engine")
    request = Request(
        paths,
        out,
        interactions=list(interactions) or None,
        unit=units,
        context=context,
        segment_s=segment_seconds,
        video_timeout_s=video_timeout,
        **options,
    )
    chosen = make_engine(
        engine,
        address=address,
        actors=actors,
        cores_per_actor=cores_per_actor,
        gpus_per_actor=gpus_per_actor,
        shards=shards,
    )
    if share is not None:
        from segfeat.pipeline.share import Share, extract_share

        written = extract_share(request, Share.parsed(share))
        printer.result(shards=written)
        printer.text(f"wrote {plural(written, 'shard')}; when all shares are there, the same command without --share")
        return FINISHED
    with nullcontext() if printer.quiet else closing(ProgressLine()) as line:
        if dry_run:
            foreseen = preview(request, line)
        else:
            summary = carry_out(request, line, chosen)
    if dry_run:
        printer.text(_foreseen(foreseen))
        printer.result(**asdict(foreseen))
        return FINISHED
    if summary.log and summary.log.warning:
        printer.warn(f"warning: {summary.log.warning}")
    printer.text(_readable(summary))
    printer.result(**_result(summary))
    failed = sum(summary.progress.failures.values())
    if summary.videos == 0:
        printer.warn(f"error: no video could be read; segfeat errors {summary.store} says why")
        for failure in [failure for failure in summary.failures if failure.code == "id_clash"][:1]:
            printer.warn(f"error: {failure.message}")
        return FAILED
    wrong = failed or summary.left_out or summary.unlisted
    return PARTLY_FAILED if strict and wrong else FINISHED


def _result(summary: ExtractSummary) -> dict[str, Any]:
    """What ``--json`` says; ``segfeat errors --json`` lists the files that failed."""
    done = summary.progress
    return {
        "store": summary.store,
        "videos": summary.videos,
        "segments": summary.segments,
        "partial": summary.partial,
        "read": done.videos_done - sum(done.failures.values()),
        "unchanged": done.videos_before,
        "failed": dict(done.failures),
        "unlisted": dict(summary.unlisted),
        "ignored": summary.ignored,
        "titled": summary.titled,
        "gone": list(summary.gone),
        "log": None if summary.log is None else asdict(summary.log),
    }


def _readable(summary: ExtractSummary) -> str:
    done = summary.progress
    failed = sum(done.failures.values())
    read = plural(done.videos_done - failed, "video")
    lines = [f"read       {read} with {plural(done.segments_done, 'segment')} in {clock(done.elapsed_s)}"]
    if not done.videos_total:
        lines = ["read       nothing: there are no new or changed files"]
    if done.videos_partial:
        lines.append(f"partial    {plural(done.videos_partial, 'video')} of them: something could not be read")
    if done.videos_before:
        lines.append(f"unchanged  {plural(done.videos_before, 'file')} from earlier runs")
    if failed:
        reasons = ", ".join(f"{n:,} {code}" for code, n in done.failures.most_common())
        lines.append(f"failed     {plural(failed, 'file')}: {reasons}")
    clashes = [failure.message for failure in summary.failures if failure.code == "id_clash"]
    lines += _some(f"left out   {message}" for message in clashes)
    if summary.titled:
        lines.append(f"titles     {plural(summary.titled, 'video')}")
    if summary.log:
        lines.append(f"log        {summary.log}")
    lines += _some(f"failed     folder {path}: {reason}" for path, reason in summary.unlisted.items())
    lines += _some(f"left out   {reason}" for reason in summary.left_out)
    if summary.ignored:
        lines.append(_left_alone(summary.ignored))
    if summary.gone:
        lines.append(
            f"gone       {plural(len(summary.gone), 'file')} of videos in the store, such as {summary.gone[0]}; "
            "their features are kept"
        )
    lines.append(
        f"store      {summary.store}: {plural(summary.videos, 'video')}, {plural(summary.segments, 'segment')}"
    )
    lines.append(f"look       segfeat info {summary.store}")
    if wrong := len(summary.failures) + summary.partial:
        lines.append(f"           segfeat errors {summary.store} says what was wrong with {plural(wrong, 'file')}")
    return "\n".join(lines)


def _foreseen(preview: Preview) -> str:
    lines = [
        f"to read    {plural(preview.videos, 'video')} of {_length(preview.duration_s)}, "
        f"{plural(preview.segments, 'segment')}",
    ]
    if preview.partial:
        lines.append(f"partial    {plural(preview.partial, 'video')} of them with damage that shows without decoding")
    if preview.unchanged:
        lines.append(f"unchanged  {plural(preview.unchanged, 'file')} from earlier runs")
    if preview.ignored:
        lines.append(_left_alone(preview.ignored))
    if preview.expected_s is not None:
        lines.append(f"expected   {clock(preview.expected_s)}, {preview.expected_bytes / 1e6:,.2f} MB")
    lines += [
        f"would fail {failure.path}: {failure.code}: {failure.message.removeprefix(f'{failure.path}: ')}"
        for failure in preview.failures
    ]
    lines += _some(f"left out   {reason}" for reason in preview.left_out)
    lines.append("nothing was written (dry run)")
    return "\n".join(lines)


def _some(lines: Iterable[str]) -> list[str]:
    """The first few lines of one kind, and how many more there are."""
    every = list(lines)
    more = len(every) - SHOWN
    return every[:SHOWN] + ([f"           and {more:,} more like this"] if more > 0 else [])


def _left_alone(count: int) -> str:
    verb = "is no video by its name" if count == 1 else "are no videos by their names"
    return f"left alone {plural(count, 'file')} that {verb}"


def _length(seconds: float) -> str:
    return f"{seconds / 3600:,.1f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"
