"""``segmodel serve``."""

from __future__ import annotations

from pathlib import Path

import click

from .options import FILE, reads_run


@click.command()
@reads_run
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 is everybody.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@click.option("--journal", type=FILE, help="SQLite file for reported views; default: journal.sqlite in RUN.")
@click.option("--api-key-file", type=FILE, help="File with one key per line; requests must carry one of them.")
@click.option("--reload-latest", is_flag=True, help="Follow --run wherever it points; SIGHUP reloads as well.")
def serve(
    run: Path,
    store: Path | None,
    history: tuple[Path, ...],
    host: str,
    port: int,
    journal: Path | None,
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
    from segmodel.serve.journal import NAME
    from segmodel.serve.scorer import open_scorer
    from segmodel.serve.service import Service

    keys = server.read_keys(api_key_file) if api_key_file else []
    views = journal or run.resolve() / NAME
    beside = run.resolve().parent / NAME
    if journal is None and beside.exists() and not views.exists():
        click.echo(f"note: views in {beside} are not read; they were reported to any run there (--journal)", err=True)
    service = Service(lambda: open_scorer(run, views, store, history), views)
    click.echo(f"{service.scorer.run.name} on http://{host}:{port}, reported views in {views}")
    server.serve(service, host, port, keys, follow=run if reload_latest else None)
