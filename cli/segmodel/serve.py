"""``segmodel serve``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import FILE, reads_run

if TYPE_CHECKING:
    from segmodel.serve.service import Service


@click.command()
@reads_run
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 is everybody.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes that answer.")
@click.option(
    "--journal",
    metavar="FILE|URL",
    help="SQLite file or postgresql:// address for reported views; default: journal.sqlite in RUN.",
)
@click.option("--api-key-file", type=FILE, help="File with one key per line; requests must carry one of them.")
@click.option("--reload-latest", is_flag=True, help="Follow --run wherever it points; SIGHUP reloads as well.")
def serve(
    run: Path,
    store: Path | None,
    history: tuple[Path, ...],
    units: tuple[str, ...],
    host: str,
    port: int,
    workers: int,
    journal: str | None,
    api_key_file: Path | None,
    reload_latest: bool,
) -> None:
    """Answer over HTTP: skip predictions and rankings, with every reported view known to the next answer.

    \b
    segmodel serve
    curl localhost:8000/v1/predict-skip --json '{"user_id": "17", "video_ids": ["cooking-12", "sea-3"]}'
    segmodel predict-skip --history runs/latest/journal.sqlite --user 17 --video cooking-12
    """
    try:
        from segmodel.serve import server
    except ModuleNotFoundError as error:
        raise click.ClickException(f"{error.name} is not installed: pip install 'segfeat[serve]'") from error
    from segmodel.serve.journal import NAME, is_postgres, open_journal

    keys = server.read_keys(api_key_file) if api_key_file else []
    views = Path(journal) if journal and not is_postgres(journal) else journal or run.resolve() / NAME
    beside = run.resolve().parent / NAME
    if journal is None and beside.exists() and not (run.resolve() / NAME).exists():
        click.echo(f"note: views in {beside} are not read; they were reported to any run there (--journal)", err=True)
    opened = partial(_open_service, run, views, store, history, units)
    follow = run if reload_latest else None
    if workers == 1:
        service = opened()
        _announce(service.scorer.run.name, host, port, views)
        server.serve(service, (host, port), keys, follow)
        return
    from segmodel.runs.run import load_run
    from segmodel.serve.workers import Workers, WorkerTask

    load_run(run.resolve())
    # Made once, before several processes would make it at the same time.
    open_journal(views).close()
    several = Workers(WorkerTask(opened, keys, follow), workers, host, port)
    _announce(f"{run.resolve().name}, {workers} workers,", host, port, views)
    several.run()


def _open_service(
    run: Path, journal: str | Path, store: Path | None, history: tuple[Path, ...], units: tuple[str, ...]
) -> Service:
    from segmodel.serve.scorer import open_scorer
    from segmodel.serve.service import Service

    return Service(partial(open_scorer, run, journal, store, history, units), journal)


def _announce(what: str, host: str, port: int, journal: str | Path) -> None:
    from segmodel.serve.journal import shown

    click.echo(f"{what} on http://{host}:{port}, reported views in {shown(journal)}")
