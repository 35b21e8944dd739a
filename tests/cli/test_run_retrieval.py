"""Retrieval from the command line: galleries, post-processing, indexes, NMI."""

import json
import re

import h5py
import numpy as np
import pytest
from PIL import Image

from lowlabel.benchmarks import load_suite
from lowlabel.cli import main
from lowlabel.datasets import DATASETS, open_dataset, prepare
from lowlabel.features import extract_features, load_backbone


def call(*arguments):
    try:
        main(list(arguments))
    except SystemExit as stopped:
        return stopped.code or 0
    return 0


@pytest.fixture
def failing(capsys):
    def fail(*arguments):
        assert call(*arguments) == 2
        return capsys.readouterr().err

    return fail


@pytest.fixture
def records(tmp_path):
    def read():
        files = sorted((tmp_path / "out" / "records").glob("*.json"))
        return [json.loads(file.read_text()) for file in files]

    return read


@pytest.fixture
def clothes(tmp_path):
    """In-Shop with two items to learn from and four to find, one of them not in the gallery."""
    import zipfile

    rng = np.random.default_rng(0)
    rows = []
    with zipfile.ZipFile(tmp_path / "img.zip", "w") as archive:
        for item in range(6):
            colour = rng.integers(0, 256, 3)
            statuses = ["train"] * 3 if item < 2 else ["query", "query", "gallery", "gallery"]
            for k, status in enumerate(statuses if item < 5 else ["query"]):
                pixels = np.clip(colour + rng.integers(-30, 30, (16, 16, 3)), 0, 255)
                name = f"img/WOMEN/id_{item:08d}/{k}.png"
                Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "one.png")
                archive.write(tmp_path / "one.png", name)
                rows.append(f"{name} id_{item:08d} {status}")
    listing = tmp_path / "list_eval_partition.txt"
    head = [str(len(rows)), "image_name item_id evaluation_status"]
    listing.write_text("\n".join([*head, *rows]))
    prepare(DATASETS["inshop"], tmp_path / "img.zip", listing, allow_partial=True)
    return tmp_path


RUN = ("run", "--suite", "retrieval", "--model", "pixels", "--allow-partial")


def test_queries_are_searched_in_their_gallery(clothes, records):
    arguments = (*RUN, "--dataset", "inshop", "--k", "1", "--k", "6")
    assert call(*arguments, "--output", str(clothes / "out")) == 0
    (record,) = records()
    experiment = record["experiment"]
    assert record["counts"] == {"queries": 6, "lone": 1, "gallery": 6}
    assert experiment["protocol"]["name"] == "dml-zeroshot"
    assert set(experiment["feature_keys"]) == {"gallery", "query"}
    assert {part["part"] for part in experiment["dataset"]["partial"]} == {"gallery", "query"}
    assert record["scores"]["recall@6"]["mean"] == 100
    assert record["scores"]["recall@1"]["mean"] > 50  # classes are numbered alike on both sides


def test_rows_of_other_methods_stand_apart(image_folder, tmp_path, records):
    pytest.importorskip("faiss")
    arguments = (*RUN, "--dataset", f"folder:{image_folder}", "--k", "1", "--resolution", "2")
    output = ("--output", str(tmp_path / "out"))
    for more in ((), ("--post", "whiten:8", "--post", "aqe:2"), ("--search", "hnsw"),
                 ("--post", "k-reciprocal:5,k2=2")):  # fmt: skip
        assert call(*arguments, *more, *output) == 0
    by_method = {r["experiment"]["method"]["spec"]: r for r in records()}
    assert set(by_method) == {
        "cosine", "cosine+whiten:8+aqe:2", "cosine+hnsw", "cosine+k-reciprocal:5,k2=2",
    }  # fmt: skip
    whitened = by_method["cosine+whiten:8+aqe:2"]["experiment"]
    assert set(whitened["feature_keys"]) == {"base", "novel"}
    assert set(by_method["cosine"]["experiment"]["feature_keys"]) == {"novel"}
    assert whitened["method"]["options"]["aqe:2"] == {"neighbours": 2, "alpha": 3.0}
    assert by_method["cosine+k-reciprocal:5,k2=2"]["experiment"]["method"]["transductive"]
    assert by_method["cosine+hnsw"]["scores"]["search_recall"]["mean"] == 100
    output_text = (tmp_path / "out/leaderboard.md").read_text()
    assert "Search recall" in output_text
    assert "cosine+whiten:8+aqe:2" in output_text


def test_nmi_is_an_option_of_the_protocol(image_folder, tmp_path, records):
    pytest.importorskip("faiss")
    arguments = (*RUN, "--dataset", f"folder:{image_folder}", "--k", "1")
    output = ("--output", str(tmp_path / "out"))
    assert call(*arguments, *output) == 0
    assert call(*arguments, *output, "--nmi") == 0
    assert "NMI" in (tmp_path / "out/leaderboard.md").read_text()
    options = [r["experiment"]["protocol"]["options"] for r in records()]
    with_nmi = [r for r in records() if "nmi" in r["experiment"]["protocol"]["options"]]
    assert len(options) == 2
    (record,) = with_nmi
    assert record["experiment"]["protocol"]["options"]["nmi"] == (
        "faiss k-means, 5 seeds of 20 iterations"
    )
    assert record["scores"]["nmi"]["ci95"] >= 0
    assert record["scores"]["ami"]["mean"] <= record["scores"]["nmi"]["mean"]
    assert 0 <= record["scores"]["nmi"]["mean"] <= 100


def test_a_number_of_clusterings_without_nmi_is_an_error(image_folder, failing):
    arguments = (*RUN, "--dataset", f"folder:{image_folder}", "--set", "retrieval.nmi_seeds=2")
    assert "makes no clusters: add --nmi" in failing(*arguments)


def test_whitening_from_a_file(image_folder, tmp_path, records, failing):
    folder = f"folder:{image_folder / 'novel'}"  # without a part to learn from
    arguments = (*RUN, "--dataset", folder, "--k", "1", "--resolution", "2", "--post", "whiten:4")
    arguments += ("--output", str(tmp_path / "out"))
    assert "no images to learn whiten:4 from" in failing(*arguments)
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "t.npz", features=rng.random((50, 12)), labels=np.arange(50))
    np.savez(tmp_path / "w.npz", features=rng.random((50, 9)), labels=np.arange(50))
    np.savez(tmp_path / "f.npz", features=rng.random((5, 12)), labels=np.arange(5))
    assert call(*arguments, "--train-features", str(tmp_path / "t.npz")) == 0
    (record,) = records()
    assert set(record["experiment"]["feature_keys"]) == {"all", "train"}
    width = failing(*arguments, "--train-features", str(tmp_path / "w.npz"))
    assert "9 dimensions" in width and "12" in width
    few = failing(*arguments, "--train-features", str(tmp_path / "f.npz"), "--overwrite")
    assert "5 training images for 12 dimensions" in few


def test_whitening_from_the_test_set_or_another_model(image_folder, tmp_path, home, failing):
    folder = f"folder:{image_folder / 'novel'}"
    arguments = (*RUN, "--dataset", folder, "--k", "1", "--resolution", "2", "--post", "whiten:4")
    arguments += ("--output", str(tmp_path / "out"))
    assert call("extract", "--model", "pixels", "--dataset", folder, "--resolution", "2") == 0
    (store,) = (home / "features").glob("*.h5")
    message = failing(*arguments, "--train-features", str(store))
    assert re.search(r"holds (\d+) of the \1 embeddings to score", message)
    with h5py.File(store) as file:
        key = json.loads(file.attrs["key"]) | {"weights_sha256": "0" * 64, "pooling": "cls"}
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["features"] = np.random.default_rng(0).random((50, 12), dtype=np.float32)
        file["labels"] = np.arange(50)
        file.attrs["key"] = json.dumps(key)
    message = failing(*arguments, "--train-features", str(other))
    assert "another weights_sha256 and pooling" in message


def test_gallery_in_a_feature_file(tmp_path, records):
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 8
    x = np.eye(8)[labels] + 0.1 * rng.standard_normal((40, 8))
    np.savez(tmp_path / "f.npz", features=x[:16], labels=labels[:16],
             gallery_features=x[16:], gallery_labels=labels[16:])  # fmt: skip
    assert call("run", "--suite", "retrieval", "--features", str(tmp_path / "f.npz"),
                "--output", str(tmp_path / "out")) == 0  # fmt: skip
    (record,) = records()
    assert record["experiment"]["protocol"]["name"] == "query-gallery"
    assert record["experiment"]["protocol"]["options"]["ks"] == [1, 2, 4, 8]
    assert record["counts"] == {"queries": 16, "lone": 0, "gallery": 24}


def test_unknown_names_stop_before_any_work(image_folder, failing, home):
    arguments = (*RUN, "--dataset", f"folder:{image_folder}")
    assert "Did you mean hnsw" in failing(*arguments, "--search", "hnws")
    assert "unknown post-processing 'rerank'" in failing(*arguments, "--post", "rerank:5")
    assert not home.exists()


def test_suite_takes_the_data_set_s_own_ks(clothes, capsys):
    assert load_suite("retrieval").protocol("retrieval").k == ()
    assert call(*RUN, "--dataset", "inshop", "--dry-run", "--post", "aqe:3", "--nmi") == 0
    assert "retrieval, aqe:3, NMI, AMI, F1, K = 1, 10, 20, 30, 40, 50" in capsys.readouterr().out


def test_query_and_gallery_folders_are_searched_as_a_brute_force_does(tmp_path, records):
    rng = np.random.default_rng(1)
    for part, classes in (("query", "abc"), ("gallery", "abcd")):
        for place in (tmp_path / "shop" / part / name for name in classes):
            place.mkdir(parents=True)
            for k in range(3):
                pixels = rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(place / f"{k}.png")
    spec = f"folder:{tmp_path / 'shop'}"
    options = ("--model", "pixels", "--resolution", "16", "--k", "1", "--k", "2")
    assert (
        call(
            *("run", "--suite", "retrieval", "--dataset", spec),
            *(*options, "--output", str(tmp_path / "out")),
        )
        == 0
    )
    (record,) = records()
    assert record["experiment"]["protocol"]["name"] == "query-gallery"
    assert record["counts"] == {"queries": 9, "lone": 0, "gallery": 12}
    backbone, opened = load_backbone("pixels", resolution=16), open_dataset(spec)
    rows, names = {}, {}
    for part in ("query", "gallery"):
        features = extract_features(backbone, opened.load(part)).features.astype(np.float64)
        rows[part] = features / np.linalg.norm(features, axis=1, keepdims=True)
        names[part] = np.array([path.split("/")[1] for path in opened.load(part).paths])
    nearest = np.argsort(-(rows["query"] @ rows["gallery"].T), axis=1)
    hits = names["gallery"][nearest] == names["query"][:, None]
    for k in (1, 2):
        expected = 100 * hits[:, :k].any(1).mean()
        assert record["scores"][f"recall@{k}"]["mean"] == pytest.approx(expected)
