"""Landmarks and copies from the command line, on the demo and on a small tree."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lowlabel.cli import main
from lowlabel.datasets import DATASETS, open_dataset, prepared_folder
from lowlabel.features import ExtractionOptions, extract_features, load_backbone
from lowlabel.retrieval import evaluate_copies, evaluate_revisited, learn_whitening

PIXELS = ("run", "--suite", "retrieval", "--model", "pixels")


@pytest.fixture
def call(tmp_path):
    """Runs a command and returns its exit code and its records by protocol."""

    def run(*arguments: str) -> tuple[int, dict[str, dict]]:
        output = tmp_path / "out"
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--output", str(output)])
        records = [json.loads(path.read_text()) for path in (output / "records").glob("*.json")]
        return int(ended.value.code or 0), {
            record["experiment"]["protocol"]["name"]: record for record in records
        }

    return run


@pytest.fixture
def oxford() -> Path:
    """Twelve pictures of 20×16 in the layout of ROxford5k."""
    root, random = prepared_folder(DATASETS["roxford5k"]), np.random.default_rng(0)
    (root / "jpg").mkdir(parents=True)
    names = [f"keble_{number}" for number in range(12)]
    for name in names:
        pixels = random.integers(0, 256, (16, 20, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / "jpg" / f"{name}.jpg")
    gnd = [{"bbx": [2, 3, 18.5, 12], "easy": [0], "hard": [1, 2], "junk": [3]}] * 2
    truth = {"imlist": names[:10], "qimlist": names[10:], "gnd": gnd}
    (root / "gnd_roxford5k.pkl").write_bytes(pickle.dumps(truth))
    return root


def test_landmarks_of_the_demo(call, tmp_path):
    code, records = call(*PIXELS, "--dataset", "demo-landmarks", "--multi-scale")
    assert code == 0
    shown = (tmp_path / "out/leaderboard.md").read_text()
    assert "mAP E" in shown and "mP@10 H" in shown and "200 gallery" in shown
    opened = open_dataset("demo-landmarks")
    backbone = load_backbone(
        "pixels", framing="longest", resolution=224, scales=(1.0, 2**-0.5, 0.5)
    )
    query, gallery = (extract_features(backbone, opened.load(p)) for p in ("query", "gallery"))
    result = evaluate_revisited(query.features, gallery.features, opened.ground_truth())
    scores = {name: score["mean"] for name, score in records["revisitop"]["scores"].items()}
    assert scores == pytest.approx(dict(result.metrics))
    experiment = records["revisitop"]["experiment"]
    assert experiment["suite"] == "retrieval"
    assert experiment["feature_keys"] == {"query": query.key, "gallery": gallery.key}
    assert experiment["protocol"]["options"] == {
        "distractors": None,
        "ks": [1, 5, 10],
        "ties": "pessimistic",
    }
    assert experiment["model"]["transform"]["keep_aspect"] is True
    assert records["revisitop"]["counts"] == {
        "queries": 24,
        "lone": 0,
        "gallery": 200,
        "distractors": 0,
    }


@pytest.mark.slow
def test_copies_of_the_demo_with_distractors(call):
    options = ("--dataset", "demo-copies", "--distractors", "demo", "--pooling", "head")
    options += ("--resolution", "40")
    code, records = call(*PIXELS, *options)
    assert code == 0
    backbone = load_backbone("pixels", framing="square", resolution=40, pooling="head")
    opened = open_dataset("demo-copies")
    copies, originals = (extract_features(backbone, opened.load(p)) for p in ("strong", "original"))
    others = extract_features(backbone, open_dataset("demo").load("novel"))
    result = evaluate_copies(
        copies.features,
        np.arange(120) // 2,
        originals.features,
        np.arange(60),
        distractors=others.features,
    )
    assert records["strong"]["scores"]["map@20"]["mean"] == pytest.approx(result.metrics["map@20"])
    assert records["strong"]["counts"]["distractors"] == 800
    keys = records["strong"]["experiment"]["feature_keys"]
    assert keys["distractors"] == others.key


def test_the_protocols_of_one_data_set_stand_apart(call, oxford, tmp_path):
    datasets = ("--dataset", "roxford5k", "--dataset", "roxford5k:dino-revisited")
    code, records = call(*PIXELS, *datasets, "--allow-partial")
    assert code == 0
    assert set(records) == {"revisitop", "dino-revisited"}
    cropped, whole = (records[name]["experiment"] for name in ("revisitop", "dino-revisited"))
    assert cropped["dataset"]["manifest_sha256"] != whole["dataset"]["manifest_sha256"]
    shown = (tmp_path / "out/leaderboard.md").read_text()
    assert "## Retrieval: ROxford5k (revisitop, query)" in shown
    assert "## Retrieval: ROxford5k (dino-revisited, query)" in shown
    assert "query 2 of 70 images; gallery 10 of 4,993 images." in shown


def test_counts_stop_a_run(call, oxford, capsys):
    assert call(*PIXELS, "--dataset", "roxford5k")[0] == 2
    assert "found 2 images, the full set has 70 images" in capsys.readouterr().err


def test_bad_images_are_left_out_of_distractors_alone(call, oxford, image_folder, capsys):
    (image_folder / "novel" / "novel0" / "0.png").write_bytes(b"no image")
    folder = ("--distractors", f"folder:{image_folder}")
    run = (*PIXELS, "--dataset", "roxford5k", "--allow-partial", *folder)
    assert call(*run)[0] == 2
    assert "1 of 18 images" in capsys.readouterr().err
    code, records = call(*run, "--skip-bad-images")
    assert (code, records["revisitop"]["counts"]["distractors"]) == (0, 17)
    (oxford / "jpg" / "keble_5.jpg").write_bytes(b"no image")
    assert call(*run, "--skip-bad-images")[0] == 2
    assert "1 of 10 images" in capsys.readouterr().err


def test_a_box_outside_its_image_is_named(call, oxford, capsys):
    path = oxford / "gnd_roxford5k.pkl"
    truth = pickle.loads(path.read_bytes())
    truth["gnd"][0]["bbx"] = [12, 3, 40, 12]
    path.write_bytes(pickle.dumps(truth))
    assert call(*PIXELS, "--dataset", "roxford5k", "--allow-partial")[0] == 2
    message = capsys.readouterr().err
    assert "Traceback" not in message
    assert "the box (12.0, 3.0, 40.0, 12.0) is not inside" in message
    assert "keble_10.jpg, which has 20×16 pixels" in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--suite", "fewshot", "--dataset", "demo-landmarks"),
            "suite fewshot has no protocol for",
        ),
        (("--dataset", "revisitop1m"), "has no protocol for revisitop1m"),
        (("--dataset", "demo-copies", "--framing", "round"), "unknown framing 'round'"),
        (("--dataset", "demo-copies", "--distractors", "revisitop1m"), "R1M is not prepared"),
        (("--dataset", "copydays"), "lowlabel prepare copydays --archive FILE"),
    ],
)
def test_what_does_not_go(call, capsys, arguments, message):
    assert call("run", "--model", "pixels", *arguments)[0] == 2
    assert message in capsys.readouterr().err


@pytest.fixture
def train(tmp_path) -> np.ndarray:
    """Embeddings of other images, for pixels at 4×4, written to others.npz."""
    rows = np.random.default_rng(1).normal(0.2, 1.0, (200, 48)).astype(np.float32)
    np.savez(tmp_path / "others.npz", features=rows, labels=np.zeros(200, np.int64))
    return rows


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["demo-copies", "demo-landmarks"])
def test_whitening_is_learnt_from_a_file(call, tmp_path, train, dataset):
    arguments = (*PIXELS, "--dataset", dataset, "--pooling", "head")
    small = ("--framing", "square", "--resolution", "4")
    post = ("--post", "whiten:16", "--train-features", str(tmp_path / "others.npz"))
    code, records = call(*arguments, *small, *post)
    assert code == 0
    (record,) = records.values()
    assert record["experiment"]["method"]["spec"] == "cosine+whiten:16"
    assert "train" in record["experiment"]["feature_keys"]
    opened = open_dataset(dataset)
    backbone = load_backbone("pixels", framing="square", resolution=4)
    query, gallery = (
        extract_features(backbone, opened.load(part))
        for part in (opened.division.evaluated, opened.division.gallery)
    )
    queries, searched = whitened(train, 16, query.features, gallery.features)
    if truth := opened.ground_truth():
        result = evaluate_revisited(queries, searched, truth)
    else:
        result = evaluate_copies(queries, query.labels, searched, gallery.labels)
    scores = {name: score["mean"] for name, score in record["scores"].items()}
    assert scores == pytest.approx(dict(result.metrics), abs=1e-3)


def test_supervised_whitening_takes_the_labels_of_the_file(call, tmp_path, train):
    labels = np.arange(200) // 4
    np.savez(tmp_path / "others.npz", features=train, labels=labels)
    arguments = (*PIXELS, "--dataset", "demo-copies", "--pooling", "head")
    small = ("--framing", "square", "--resolution", "4")
    post = ("--post", "whiten-pairs:16", "--train-features", str(tmp_path / "others.npz"))
    code, records = call(*arguments, *small, *post)
    assert code == 0
    (record,) = records.values()
    assert record["experiment"]["method"]["spec"] == "cosine+whiten-pairs:16"
    opened = open_dataset("demo-copies")
    backbone = load_backbone("pixels", framing="square", resolution=4)
    query, gallery = (
        extract_features(backbone, opened.load(part))
        for part in (opened.division.evaluated, opened.division.gallery)
    )
    transform = learn_whitening(train, gallery.features, "whiten-pairs:16", train_labels=labels)
    result = evaluate_copies(
        query.features, query.labels, gallery.features, gallery.labels, transform=transform
    )
    scores = {name: score["mean"] for name, score in record["scores"].items()}
    assert scores == pytest.approx(dict(result.metrics))


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["demo-copies", "demo-landmarks"])
def test_compressed_embeddings_are_ranked_and_their_bytes_counted(call, dataset):
    arguments = (*PIXELS, "--dataset", dataset, "--pooling", "head")
    small = ("--framing", "square", "--resolution", "4")
    code, records = call(*arguments, *small, "--post", "truncate:20", "--post", "int8")
    assert code == 0
    (record,) = records.values()
    assert record["experiment"]["method"]["spec"] == "cosine+truncate:20+int8"
    assert record["counts"]["bytes"] == 20
    opened = open_dataset(dataset)
    backbone = load_backbone("pixels", framing="square", resolution=4)
    tables = [
        extract_features(backbone, opened.load(part))
        for part in (opened.division.evaluated, opened.division.gallery)
    ]
    cut = [table.features[:, :20].astype(float) for table in tables]
    queries, searched = (
        np.rint(127 * rows / np.abs(rows).max(axis=1, keepdims=True)) for rows in cut
    )
    if truth := opened.ground_truth():
        result = evaluate_revisited(queries, searched, truth)
    else:
        result = evaluate_copies(queries, tables[0].labels, searched, tables[1].labels)
    scores = {name: score["mean"] for name, score in record["scores"].items()}
    assert scores == pytest.approx(dict(result.metrics))


def test_training_features_without_whitening_are_refused(call, tmp_path, train, capsys):
    given = "--post", "int8", "--train-features", str(tmp_path / "others.npz")
    assert call(*PIXELS, "--dataset", "demo-copies", *given)[0] == 2
    assert "learns nothing from --train-features" in capsys.readouterr().err


def whitened(train: np.ndarray, dimensions: int, *sets: np.ndarray) -> list[np.ndarray]:
    """PCA whitening in float64 by numpy, of rows at length 1."""
    train, *sets = (rows.astype(float) for rows in (train, *sets))
    train, *sets = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (train, *sets))
    values, vectors = np.linalg.eigh(np.cov(train.T, bias=True))
    projection = vectors[:, ::-1][:, :dimensions] / np.sqrt(values[::-1][:dimensions])
    return [(rows - train.mean(axis=0)) @ projection for rows in sets]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--post", "aqe:3"), "takes --post whiten or whiten-pairs, truncate, int8 and binary,"),
        (("--post", "int8", "--post", "whiten:4"), "put whiten:4 first"),
        (("--post", "whiten:4"), "add --train-features FILE"),
        (("--post", "whiten:4", "--post", "int8"), "add --train-features FILE"),
        (("--nmi",), "--nmi is not an option of copies"),
        (("--search", "flat"), "--search is not an option of copies"),
    ],
)
def test_what_landmarks_and_copies_do_not_know(call, capsys, arguments, message):
    assert call(*PIXELS, "--dataset", "demo-copies", *arguments)[0] == 2
    assert message in capsys.readouterr().err


def test_dry_run_names_the_protocols(call, capsys):
    datasets = ("--dataset", "demo-landmarks", "--dataset", "demo-copies")
    assert call(*PIXELS, *datasets, "--dry-run")[0] == 0
    shown = capsys.readouterr().out
    assert "landmarks, distractors: none" in shown
    assert "24 images, made first" in shown


def test_distractors_are_read_from_the_store_in_blocks(oxford, monkeypatch):
    from lowlabel.features import StoredRows, embed_dataset

    opened = open_dataset("roxford5k", allow_partial=True)
    others = open_dataset("demo-copies")
    backbone = load_backbone("pixels", framing="longest", resolution=16)
    data = embed_dataset(
        backbone, opened, ("query", "gallery"), ExtractionOptions(), stored={"more": others}
    )
    asked = []
    read = StoredRows.__getitem__
    monkeypatch.setattr(
        StoredRows, "__getitem__", lambda self, rows: asked.append(rows) or read(self, rows)
    )
    with data.stored["more"].rows() as rows:
        result = evaluate_revisited(
            data.evaluated.features,
            data.gallery.features,
            data.ground_truth,
            distractors=rows,
            block_size=50,
        )
    assert [(part.start, part.stop) for part in asked] == [(0, 50), (50, 100), (100, 120)]
    whole = extract_features(backbone, others.load("strong")).features
    expected = evaluate_revisited(
        data.evaluated.features, data.gallery.features, data.ground_truth, distractors=whole
    )
    assert result.metrics == expected.metrics
