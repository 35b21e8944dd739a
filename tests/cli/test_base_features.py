"""`--features` and `--train-features` as pickles by class: base and novel classes in two files."""

import collections
import pickle

import numpy as np
import pytest

from lowlabel.cli import main
from lowlabel.results import load_records

RNG = np.random.default_rng(0)
NOVEL = {key: RNG.random((12, 5), dtype=np.float32) for key in (80, 3, 41)}


def call(*arguments) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code or 0


def save(path, rows):
    """Saves a list of rows for each class, as Distribution Calibration does."""
    content = collections.defaultdict(list)
    for key, table in rows.items():
        content[key] += list(table)
    path.write_bytes(pickle.dumps(content))
    return path


@pytest.mark.slow
def test_base_classes_of_a_file_of_their_own_score_as_those_of_one_file(tmp_path):
    base = {key: 3 * RNG.random((30, 5), dtype=np.float32) for key in range(4)}
    save(tmp_path / "novel_features.plk", NOVEL)
    save(tmp_path / "base_features.plk", base)
    for name, rows in (("test.p", NOVEL), ("train.p", base)):  # as SSL-ViT's notebook does
        (tmp_path / name).write_bytes(pickle.dumps(rows))
    x, y = (np.concatenate(list(rows.values())) for rows in (NOVEL, base))
    labels = [np.repeat(list(r), [len(t) for t in r.values()]) for r in (NOVEL, base)]
    np.savez(
        tmp_path / "one.npz", features=x, labels=labels[0], base_features=y, base_labels=labels[1]
    )
    common = ["--suite", "fewshot-dc", "--method", "dc", "--method", "ncm", "--ways", 3]
    common += ["--shots", 1, "--queries", 5, "--tasks", 20, "--device", "cpu"]
    for name, more in (
        ("novel_features.plk", ["--train-features", tmp_path / "base_features.plk"]),
        ("test.p", ["--train-features", tmp_path / "train.p"]),
        ("one.npz", []),
    ):
        out = tmp_path / f"out-{name}"
        command = ["run", "--features", tmp_path / name, *more, *common, "--output", out]
        assert call(*command) == 0
    accuracies = [
        {r.experiment.method.spec: r.scores["accuracy"].mean for r in load_records(out)}
        for out in (
            tmp_path / f"out-{name}" for name in ("novel_features.plk", "test.p", "one.npz")
        )
    ]
    assert accuracies[0].keys() == {"dc", "ncm"}
    assert accuracies[0] == accuracies[1] == accuracies[2]


def test_base_classes_without_a_method_that_learns_from_them_are_refused(tmp_path, capsys):
    path = save(tmp_path / "x.plk", NOVEL)
    command = ["run", "--suite", "fewshot", "--method", "ncm", "--features", path]
    assert call(*command, "--train-features", path, "--output", tmp_path / "out") == 2
    assert "learns nothing from --train-features" in capsys.readouterr().err
