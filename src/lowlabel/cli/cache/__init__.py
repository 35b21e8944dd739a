"""`lowlabel cache`: what lies under LOWLABEL_HOME, and what of it to remove."""

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from lowlabel.cli.command import Command
from lowlabel.cli.options import option

if TYPE_CHECKING:
    from lowlabel.cli.cache.stock import Item

app = typer.Typer(
    help="Show and remove what lies under LOWLABEL_HOME: features, datasets, weights, records.",
    invoke_without_command=True,
)


@app.callback()
def show(context: typer.Context) -> None:
    """Show what lies under LOWLABEL_HOME, with sizes by model and dataset."""
    if context.invoked_subcommand:
        return
    from lowlabel.cli.cache.stock import stock
    from lowlabel.paths import home

    items = stock()
    if not items:
        typer.echo(f"nothing in {home()}")
        return
    typer.echo(f"{home()}\n\n{_table(items)}")
    typer.echo("\nremove some: lowlabel cache remove --model NAME --dataset NAME", err=True)


@app.command("remove", cls=Command)
def remove(
    model: Annotated[
        str | None,
        option("What", "Model as lowlabel cache shows it, or a pattern in quotes.", default="all"),
    ] = None,
    dataset: Annotated[
        str | None,
        option("What", "Dataset, with or without its division, or a pattern.", default="all"),
    ] = None,
    kind: Annotated[
        list[str] | None,
        option("What", "features, datasets, weights or records. Repeats.", default="features"),
    ] = None,
    yes: Annotated[bool, option("What", "Remove without asking.", "--yes")] = False,
) -> None:
    """Remove features, which are extracted again when needed, or other kinds that are named."""
    from lowlabel.arrays import require_name
    from lowlabel.cli.cache.stock import KINDS, stock
    from lowlabel.cli.cache.stock import remove as remove_item
    from lowlabel.errors import InputError
    from lowlabel.paths import home

    if model is None and dataset is None and not kind:
        raise InputError(
            "nothing is named to remove", "Give --model, --dataset or --kind; see lowlabel cache."
        )
    kinds = kind or ["features"]
    for name in kinds:
        require_name("kind", name, KINDS)
    items = stock()
    chosen = [item for item in items if item.kind in kinds and item.is_of(model, dataset)]
    if not chosen:
        raise InputError(
            f"no {' or '.join(kinds)} of {model or 'any model'} and {dataset or 'any dataset'} in "
            f"{home()}",
            _near(items, model, dataset),
        )
    typer.echo(f"{home()}\n\n{_table(chosen)}\n")
    if not yes:
        typer.confirm(f"Remove them and free {_shown(sum(i.size for i in chosen))}?", abort=True)
    kept = {id(item): why for item in chosen if (why := remove_item(item))}
    for why in kept.values():
        typer.echo(f"kept: {why}", err=True)
    freed = sum(item.size for item in chosen if id(item) not in kept)
    typer.echo(f"freed {_shown(freed)}")


def _near(items: "Iterable[Item]", model: str | None, dataset: str | None) -> str:
    """What there is of the model, of the dataset or at all."""
    every = list(items)
    found = [i for i in every if i.is_of(model, None) or i.is_of(None, dataset)] or every
    if not found:
        return "Nothing is there."
    return f"There are:\n{_table(found)}\nChoose other kinds with --kind."


def _table(items: "Iterable[Item]") -> str:
    from lowlabel.cli.tables import fitted

    groups: dict[tuple[str, str, str], list[Item]] = defaultdict(list)
    for item in items:
        groups[item.kind, item.model, item.dataset].append(item)
    rows = [
        (kind, model, dataset, str(len(group)), _shown(sum(item.size for item in group)))
        for (kind, model, dataset), group in sorted(groups.items())
    ]
    total = _shown(sum(item.size for group in groups.values() for item in group))
    rows.append(("all", "", "", str(sum(map(len, groups.values()))), total))
    headers = ("kind", "model", "dataset", "files", "size")
    return fitted(headers, rows, right=2)


def _shown(size: int) -> str:
    """Such as "35 MB"."""
    for unit, bytes_of in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= bytes_of:
            return f"{size / bytes_of:.3g} {unit}"
    return f"{size} bytes"
