"""``segmodel push``."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from ..printer import Printer, prints
from .options import FILE


@click.command()
@click.argument("source", type=FILE)
@click.argument("repo")
@click.option("--store", type=FILE, help="Feature store of the run; default: the one the run recorded.")
@click.option("--public", is_flag=True, help="Make a new repository public; default: private.")
@prints
def push(source: Path, repo: str, store: Path | None, public: bool, printer: Printer) -> None:
    """Share SOURCE, a run or a feature store, as REPO, with a card that says what it is.

    REPO is owner/name on the Hugging Face hub (log in with: hf auth login), or a folder, written ./name, /name or
    ~/name. A run's card has its figures on its test views beside simple models, with intervals.

    \b
    segmodel push runs/latest me/where-they-leave
    segmodel push feats.h5 ./shared/feats
    """
    from segfeat.store.conversion import compact
    from segfeat.store.manifest import NAME as MANIFEST
    from segfeat.store.reader import FeatureStore
    from segmodel.hub.places import place
    from segmodel.hub.transfer import STORE_FILE, push_run, push_store
    from segmodel.report.results import measure
    from segmodel.runs.held_out import POSITION_BASELINES
    from segmodel.runs.predictor import open_predictor
    from segmodel.runs.run import load_run

    target = place(repo)
    if source.is_file() or (source / MANIFEST).exists():
        if store is not None:
            raise click.UsageError("--store belongs to a run; SOURCE is a store itself")
        with tempfile.TemporaryDirectory() as folder:
            # A store in parts goes as the one file that it would have been.
            whole = source if source.is_file() else Path(folder) / STORE_FILE
            if whole is not source:
                compact(source, whole)
            with FeatureStore(whole) as opened:
                where = push_store(opened, target, private=not public)
    else:
        run = load_run(source)
        with open_predictor(run, store) as predictor:
            found = measure(predictor, POSITION_BASELINES)
        where = push_run(run, target, found.evaluations, found.comparison, private=not public)
    printer.result(source=source, pushed_to=where)
    printer.text(f"{source} -> {where}")
