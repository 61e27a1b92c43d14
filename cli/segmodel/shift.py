"""``segmodel shift``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..printer import Printer, prints
from .log_options import trains_on_log
from .options import FILE, device, key_values

if TYPE_CHECKING:
    from segmodel.runs.shift import ShiftTable


@click.command()
@click.argument("store", type=FILE)
@click.option(
    "--by",
    "name",
    required=True,
    metavar="NAME",
    help="An attribute of the store, a column of the log, or FILE:COLUMN of a table with user_id or video_id.",
)
@trains_on_log
@click.option(
    "--models",
    default="hazard,gbdt-hazard,duration-position",
    show_default=True,
    metavar="LIST",
    help="The first decides the order.",
)
@click.option("--most", type=click.IntRange(1), default=10, show_default=True, help="Values, the most frequent ones.")
@click.option("--cut", type=float, default=0.9, show_default=True, help="Where test windows start.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--set", "settings", multiple=True, callback=key_values, metavar="KEY=VALUE", help="A setting of all.")
@click.option("--epochs", type=int, help="At most so many; default: the model's own limit.")
@click.option("--device", default="auto", callback=device, show_default=True, help="auto, cpu or cuda[:i].")
@click.option("-o", "--out", type=FILE, default=Path("shift"), show_default=True, help="Folder of the runs.")
@prints
def shift(
    store: Path,
    name: str,
    log_options: dict[str, Any],
    models: str,
    most: int,
    cut: float,
    seed: int,
    settings: dict[str, str],
    epochs: int | None,
    device: str,
    out: Path,
    printer: Printer,
) -> None:
    """Say what it costs to meet views of a kind that was never trained on.

    For every value of NAME, models are trained with everything and without the views that have it, and tested on the
    same views that have it. An interrupted command goes on where it was.

    \b
    segmodel shift feats.h5 --by tab
    segmodel shift feats.h5 --by users.csv:age_group --models hazard,duration-position -o shift
    """
    from segmodel.evaluation.evaluation import jsonable
    from segmodel.runs.shift import measure_shift

    options = {**settings, **({"epochs": epochs} if epochs is not None else {}), **log_options}
    names = tuple(dict.fromkeys(part.strip() for part in models.split(",") if part.strip()))
    if not names:
        raise click.UsageError("--models names no model")
    table = measure_shift(
        store,
        name,
        out,
        models=names,
        options=options,
        cut=cut,
        seed=seed,
        most=most,
        device=device,
        progress=printer.progress,
    )
    printer.result(by=name, values=jsonable(table.to_frame().to_dict("records")), small=table.small)
    printer.result(further=table.further)
    _show(table, printer)


def _show(table: ShiftTable, printer: Printer) -> None:
    printer.text(
        f"{table.name}, worst first: NLL in nats on the test views of each value, trained with it and without; "
        "the difference with its 95 % interval over users, * clear of zero"
    )
    printer.text(f"  {'value':<24} {'views':>8}  {'model':<20} {'with':>8} {'without':>8}  difference")
    last = None
    for f in table.figures:
        head = f"{f.value[:24]:<24} {f.views:>8,}" if f.value != last else " " * 33
        span = f"{f.cost.mean:+.4f} [{f.cost.low:+.4f}, {f.cost.high:+.4f}]{'*' if f.cost.clear else ''}"
        printer.text(f"  {head}  {f.model:<20} {f.nll_with:>8.4f} {f.nll_without:>8.4f}  {span}")
        last = f.value
    if table.small:
        printer.text(f"  {table.small:,} values have too few test views or users, or leave too few to train on")
    if table.further:
        printer.text(f"  {table.further:,} less frequent values not looked at; see --most")
