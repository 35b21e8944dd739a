"""The files of `lowlabel predict`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lowlabel import __version__
from lowlabel.errors import number_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lowlabel.classification.predict import MethodChoice, Predictions
    from lowlabel.cli.predict.given import Given

_DIGITS = 6


def written(
    files: tuple[Path, Path],
    predictions: "Predictions",
    given: "Given",
    labelled: "NDArray[np.bool_]",
    seed: int,
) -> None:
    """Writes the labels as CSV and how they were made as JSON, and prints the paths.

    Args:
        files: The CSV and the JSON file.
        predictions: The labels.
        given: What was learned from and labelled.
        labelled: Whether each new embedding has a label; the other cells of the CSV are empty.
        seed: Random seed of the folds.
    """
    import numpy as np
    import pandas as pd

    from lowlabel.escaping import csv_text
    from lowlabel.paths import write_files

    class_names = given.class_names
    frame = pd.DataFrame(
        {
            "label": pd.Series([class_names[row] for row in predictions.labels], dtype=object),
            "score": predictions.scores.round(_DIGITS),
            "runner_up": pd.Series(
                [class_names[row] for row in predictions.runners_up], dtype=object
            ),
            "runner_up_score": predictions.runner_up_scores.round(_DIGITS),
        }
    )
    frame = frame.set_index(np.flatnonzero(labelled)).reindex(range(len(labelled)))
    frame.insert(0, given.column, pd.Series(given.names, dtype=object))  # see csv_text
    facts = {
        "lowlabel": __version__,
        **given.facts,
        "without_label": [name for name, has in zip(given.names, labelled, strict=True) if not has],
        "seed": seed,
        **_choice(predictions.choice, class_names),
    }
    table, card = files
    write_files({table: csv_text(frame), card: f"{json.dumps(facts, indent=1, allow_nan=False)}\n"})
    typer.echo(f"written: {table} ({number_of(int(labelled.sum()), 'labels')}), {card}", err=True)


def _choice(choice: "MethodChoice", class_names: Sequence[str]) -> dict[str, Any]:
    """What is said of the method; without cross-validation, no accuracy."""
    measured = {
        "expected_accuracy": choice.accuracy,
        "interval": list(choice.interval),
        "interval_definition": choice.definition,
        "scored_images": choice.scored,
        "folds": choice.folds,
        "tried": dict(choice.tried),
        "chosen_without_each_fold": list(choice.chosen),
        "scale_of_scores": choice.scale,
    }
    return {
        "method": choice.method,
        **(measured if choice.folds else {"expected_accuracy": None}),
        "classes_not_scored": [class_names[label] for label in choice.unscored_classes],
        "methods_left_out": dict(choice.left_out),
    }
