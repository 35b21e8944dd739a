"""The command line, from arguments to output."""

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from PIL import Image

from lowlabel.benchmarks import load_suite
from lowlabel.cli import main
from lowlabel.fewshot import METHODS

ROOT = Path(__file__).parents[2]
KS = ["--k", "1", "--k", "4"]
TASKS = ["--tasks", "20", "--ways", "2", "--queries", "2", "--shots", "1"]
QUICK = [*TASKS, *KS, "--interval", "tasks"]


def call(*arguments: str) -> int:
    """Runs a command in this process and returns its exit code."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


@pytest.fixture
def failing(capsys):
    """Runs a command that must end with code 2 and without a traceback; returns its message."""

    def run(*arguments: str) -> str:
        assert call(*arguments) == 2
        message = capsys.readouterr().err
        assert "Traceback" not in message
        return message

    return run


@pytest.fixture
def feature_file(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    centres = random.normal(size=(8, 16))
    labels = np.repeat(np.arange(8), 10)
    features = centres[labels] + 0.3 * random.normal(size=(80, 16))
    np.savez(tmp_path / "mine.npz", features=features, labels=labels)
    return tmp_path / "mine.npz"


def test_run_benchmark_takes_the_same_arguments():
    done = subprocess.run(
        [sys.executable, str(ROOT / "run_benchmark.py"), "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "--suite" in done.stdout


@pytest.mark.slow
def test_images_to_leaderboard_and_back_from_the_cache(image_folder, tmp_path, capsys):
    arguments = ["run", "--model", "pixels", "--dataset", f"folder:{image_folder}", *QUICK]
    arguments += ["--resolution", "8", "--output", str(tmp_path / "out")]
    assert call(*arguments) == 0
    first = capsys.readouterr().out
    for word in ("pixels", "2-way 1-shot", "ncm", "logreg", "R@1"):
        assert word in first
    records = list((tmp_path / "out" / "records").glob("*.json"))
    assert len(records) == 11  # nine few-shot methods without base classes, k-NN and retrieval
    for suffix in ("md", "csv", "tex"):
        assert (tmp_path / "out" / f"leaderboard.{suffix}").stat().st_size > 100
    times = {path: path.stat().st_mtime_ns for path in records}
    assert call(*arguments) == 0
    assert capsys.readouterr().out == first
    assert {path: path.stat().st_mtime_ns for path in records} == times
    assert call(*arguments, "--overwrite") == 0
    assert all(path.stat().st_mtime_ns > at for path, at in times.items())


def test_record_says_where_the_number_comes_from(image_folder, tmp_path):
    output = tmp_path / "out"
    call("run", "--suite", "fewshot", "--model", "pixels", "--dataset", f"folder:{image_folder}",
         *TASKS, "--method", "ncm,norm=cl2n", "--label", "Raw pixels", "--output", str(output),
         )  # fmt: skip
    (path,) = (output / "records").glob("*.json")
    record = json.loads(path.read_text())
    experiment = record["experiment"]
    assert experiment["model"]["name"] == "Raw pixels"
    assert experiment["model"]["resolution"] == 32
    assert experiment["protocol"]["options"]["tasks"] == 20
    assert set(experiment["feature_keys"]) == {"base", "novel"}
    assert experiment["dataset"]["images"] == 18
    assert record["environment"]["lowlabel"]
    assert record["task_hash"]
    scores = np.load(path.with_suffix(".npz"))["accuracy"]
    assert scores.shape == (20,)
    assert scores.mean() == pytest.approx(record["scores"]["accuracy"]["mean"])


@pytest.mark.slow
def test_every_label_names_its_row(image_folder, tmp_path, capsys):
    weights = tmp_path / "one.pth", tmp_path / "two.pth"
    for path in weights:
        torch.manual_seed(0)
        torch.save(timm.create_model("resnet10t", num_classes=0).state_dict(), path)
    one, two = (f"{path}:resnet10t" for path in weights)
    shared = ["run", "--suite", "knn", "--dataset", f"folder:{image_folder}", "--resolution", "32"]
    shared += ["--output", str(tmp_path / "out")]

    def names(*arguments: str) -> list[str]:
        capsys.readouterr()
        assert call(*shared, *arguments) == 0
        rows = (line for line in capsys.readouterr().out.splitlines() if line.startswith("| "))
        return sorted(row.split("|")[1].strip() for row in rows if "| knn" in row)

    assert names("--model", one) == ["one"]
    assert names("--model", two) == ["two"]
    both = ["--model", one, "--model", one, "--label"]
    assert names(*both, "first", "--label", "second") == ["first", "second"]
    assert names("--model", two, "--label", "third") == ["third"]
    written = (tmp_path / "out" / "leaderboard.csv").read_text()
    models = sorted(set(pd.read_csv(io.StringIO(written))["model"]))
    assert models == ["first", "one", "second", "third", "two"]
    assert call("compare", "first", "third", "--output", str(tmp_path / "out")) == 0
    baseline = str(tmp_path / "baseline.json")
    assert call("check", baseline, "--output", str(tmp_path / "out"), "--update") == 0
    assert call("check", baseline, "--output", str(tmp_path / "out")) == 0
    assert "10 holds" in capsys.readouterr().out


def test_a_model_that_saw_the_scored_classes_is_marked(tmp_path, capsys):
    for wnid in ("n03314780", "n07565083", "n07579787"):
        for k in range(6):
            path = tmp_path / "train" / wnid / f"{wnid}_{k}.JPEG"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (32, 32), (20 * k, 9, 9)).save(path)
    prepared = ["prepare", "tiered-imagenet", "--archive", str(tmp_path / "train")]
    assert call(*prepared, "--allow-partial") == 0
    weights = tmp_path / "mine.pth"
    torch.save(timm.create_model("resnet18", num_classes=0).state_dict(), weights)
    arguments = ["run", "--suite", "fewshot", "--dataset", "tiered-imagenet", "--allow-partial"]
    arguments += ["--method", "ncm", *TASKS, "--resolution", "32", "--output", str(tmp_path / "o")]
    assert call(*arguments, "--model", f"{weights}:resnet18") == 0
    assert "contaminated" not in capsys.readouterr().out
    assert call(*arguments, "--model", f"{weights}:resnet18,pretrained_on=ssl-vit-mini") == 0
    output = capsys.readouterr().out
    assert "mine †" in output
    assert "mine was pretrained on ssl-vit-mini: 117 of the 160 novel classes" in output


def test_unequal_queries_stand_in_a_column_of_their_own(feature_file, tmp_path, capsys, failing):
    arguments = ["run", "--suite", "fewshot", "--features", str(feature_file), *TASKS]
    arguments += ["--method", "pt-map,beta=1", "--output", str(tmp_path / "o")]
    assert call(*arguments) == 0
    assert call(*arguments, "--query-distribution", "dirichlet") == 0
    capsys.readouterr()
    table = (tmp_path / "o" / "leaderboard.md").read_text()
    assert "2-way 1-shot, Dirichlet queries" in table
    assert "pt-map,beta=1.0 ᵀ" in table
    records = [json.loads(path.read_text()) for path in (tmp_path / "o").glob("records/*.json")]
    options = [record["experiment"]["protocol"]["options"] for record in records]
    assert {o["query_distribution"] for o in options} == {"balanced", "dirichlet"}
    message = failing(*arguments, "--query-distribution", "dirichlt")
    assert "Did you mean dirichlet" in message


def test_features_made_elsewhere(feature_file, tmp_path, capsys):
    assert (
        call("run", "--features", str(feature_file), *QUICK, "--output", str(tmp_path / "o")) == 0
    )
    output = capsys.readouterr().out
    assert "mine" in output
    assert "cl2n" not in output  # needs base classes, which the file does not have
    assert "R@1" in output


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["run", "--features", "a.npz", "--features", "b.npz"], "--features"),
        (["run", "--output", "a", "--dataset", "demo", "--output=b"], "--output"),
        (["analyze", "retrieval", "--top", "1", "--top", "2"], "--top"),
    ],
)
def test_no_value_of_an_option_is_dropped(arguments, option, capsys):
    assert call(*arguments) == 2
    assert f"{option} is given 2 times" in " ".join(capsys.readouterr().err.split())


def test_hyper_parameters_are_chosen_on_the_validation_part(image_folder, tmp_path):
    output = tmp_path / "out"
    arguments = ["run", "--suite", "fewshot", "--model", "pixels", *TASKS, "--resolution", "8",
                 "--dataset", f"folder:{image_folder}", "--method", "ridge", "--method", "ncm",
                 "--interval", "student-t", "--tune", "--output", str(output)]  # fmt: skip
    assert call(*arguments) == 0
    assert call(*arguments) == 0  # the same choice again, so the same records
    records = [json.loads(path.read_text()) for path in (output / "records").glob("*.json")]
    ncm, ridge = sorted(records, key=lambda r: r["experiment"]["method"]["spec"])
    assert "tuned" not in ncm["experiment"]["method"]["options"]
    method = ridge["experiment"]["method"]
    assert method["spec"] == "ridge"
    assert method["options"]["tuned"] == {"part": "val", "tasks": 20, "seed": 0}
    assert set(ridge["experiment"]["feature_keys"]) == {"val", "novel"}
    tried = ridge["chosen"]["tried"]
    assert len(tried) == 5
    assert tried[ridge["chosen"]["method"]] == max(tried.values())
    assert "t(0.975, n-1)" in ridge["ci95_definition"]
    assert ridge["experiment"]["protocol"]["options"]["interval"] == "student-t"


def test_tuning_needs_a_validation_part(feature_file, tmp_path, failing):
    arguments = ["--method", "svm", "--tune", "--output", str(tmp_path / "o")]
    message = failing(
        "run", "--suite", "fewshot", "--features", str(feature_file), *TASKS, *arguments
    )
    assert "svm cannot be tuned: the dataset has no validation part" in message


def test_an_unknown_interval(failing, image_folder):
    message = failing("run", "--model", "pixels", "--dataset", "demo", "--interval", "student")
    assert "student-t" in message


def test_method_that_was_asked_for_and_cannot_run_is_an_error(feature_file, tmp_path, failing):
    message = failing(
        "run", "--suite", "fewshot", "--features", str(feature_file), *TASKS,
        "--method", "ncm,norm=cl2n", "--output", str(tmp_path / "o"),
    )  # fmt: skip
    assert "base" in message


def test_one_failure_loses_nothing_else(image_folder, tmp_path, capsys):
    (tmp_path / "broken.pth").write_bytes(b"no weights")
    models = ["--model", f"{tmp_path / 'broken.pth'}:resnet18", "--model", "pixels"]
    data = ["--dataset", f"folder:{image_folder}", "--output", str(tmp_path / "o")]
    assert call("run", "--suite", "retrieval", *models, *data, *KS) == 2
    captured = capsys.readouterr()
    assert "pixels" in captured.out
    assert "broken.pth" in captured.err
    assert len(list((tmp_path / "o" / "records").glob("*.json"))) == 1


def test_dry_run_writes_nothing(image_folder, home, capsys):
    arguments = [
        "run",
        "--model",
        "dino_vits16",
        "--dataset",
        f"folder:{image_folder}",
        "--dry-run",
    ]
    assert call(*arguments) == 0
    output = capsys.readouterr().out
    for word in ("dino_vits16", "18 images of 3 classes", "10,000 tasks", "cached"):
        assert word in output
    assert "memory: about 1.2 GB at 384 dimensions (5.5e-05 GB of features of 36 images" in output
    assert not home.exists()
    assert call("run", "--dry-run") == 0
    assert "made first" in capsys.readouterr().out
    assert not home.exists()


def test_dry_run_counts_the_rows_of_the_model_or_says_that_it_cannot(image_folder, capsys, clock):
    run = ["run", "--suite", "knn", "--dataset", f"folder:{image_folder}"]
    assert call(*run, "--model", "pixels", "--dry-run") == 0
    assert "unknown until hashed" in capsys.readouterr().out
    assert call(*run, "--model", "pixels") == 0
    capsys.readouterr()
    models = ["pixels", "random:resnet10t", "dino_vits16"]
    assert call(*run, *(f"--model={model}" for model in models), "--dry-run") == 0
    rows = capsys.readouterr().out.splitlines()
    cached = [row.split()[-1] for model in models for row in rows if row.startswith(model)]
    assert cached == ["18", "0", "0"]


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04"])
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_dry_run_opens_weights(image_folder, tmp_path, capsys, content, suffix):
    path = tmp_path / f"weights.{suffix}"
    path.write_bytes(content)
    run = ["run", "--model", str(path), "--dataset", f"folder:{image_folder}", "--dry-run"]
    assert call(*run) == 2
    assert path.name in capsys.readouterr().err


def test_dry_run_tells_that_an_architecture_must_be_named(image_folder, tmp_path, capsys):
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "linear.pth")
    run = ["run", "--model", str(tmp_path / "linear.pth"), "--dataset", f"folder:{image_folder}"]
    assert call(*run, "--dry-run") == 2
    assert "cannot infer the architecture" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["features.npy", "features.h5", "features.npz"])
@pytest.mark.parametrize("option", ["--features", "--train-features"])
def test_dry_run_opens_feature_files(image_folder, tmp_path, capsys, name, option):
    (tmp_path / name).write_bytes(b"damaged")
    source = [] if option == "--features" else ["--model", "pixels", "--post", "whiten"]
    data = [] if option == "--features" else ["--dataset", f"folder:{image_folder}"]
    run = ["run", "--suite", "retrieval", option, str(tmp_path / name), *source, *data]
    assert call(*run, "--dry-run") == 2
    assert name in capsys.readouterr().err


@pytest.mark.slow
def test_compare_models_and_check_a_baseline(image_folder, tmp_path, capsys):
    output = tmp_path / "out"
    call("run", "--model", "pixels", "--model", "random:resnet10t", "--resolution", "16",
         "--dataset", f"folder:{image_folder}", *QUICK, "--output", str(output))  # fmt: skip
    capsys.readouterr()
    assert call("compare", "pixels", "random:resnet10t", "--output", str(output)) == 0
    assert "ncm" in capsys.readouterr().out

    baseline = tmp_path / "baseline.json"
    assert call("check", str(baseline), "--output", str(output), "--update") == 0
    assert call("check", str(baseline), "--output", str(output)) == 0
    raised = json.loads(baseline.read_text())
    for entry in raised["entries"]:
        entry["mean"] += 1
    (tmp_path / "raised.json").write_text(json.dumps(raised))
    assert call("check", str(tmp_path / "raised.json"), "--output", str(output)) == 2
    assert "the file was edited" in capsys.readouterr().err
    del raised["content_sha256"]  # as files of earlier versions
    (tmp_path / "raised.json").write_text(json.dumps(raised))
    assert call("check", str(tmp_path / "raised.json"), "--output", str(output)) == 1
    for path in (output / "records").glob("*retrieval*"):
        path.unlink()
    assert call("check", str(baseline), "--output", str(output)) == 2


def test_nothing_compared_is_code_2_with_the_reason(image_folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = ["run", "--suite", "knn", "--model", "pixels", "--dataset", f"folder:{image_folder}"]
    assert call(*run, "--resolution", "8", "--label", "one", "--output", "a") == 0
    for side in ("12", "16"):
        assert call(*run, "--resolution", side, "--label", "two", "--output", "b") == 0
    capsys.readouterr()
    assert call("compare", "a", "b") == 2
    captured = capsys.readouterr()
    listed = "A: one with knn,k=20: ambiguous: 2 records of B fit: two with knn,k=20 [resolution="
    assert listed in captured.out
    assert "nothing was compared: 3 comparisons were refused" in captured.err
    assert "ambiguous: 2 records of B fit" in captured.err
    (record, _) = sorted((tmp_path / "b" / "records").glob("*.json"))
    assert call("compare", "one", str(record), "--output", "a") == 0
    (tmp_path / "one").mkdir()
    assert call("compare", "one", str(record), "--output", "a") == 2
    assert f"there are no records in {tmp_path / 'one'}" in capsys.readouterr().err


def test_list_names_everything(capsys):
    assert call("list") == 0
    output = " ".join(capsys.readouterr().out.split())  # lines break at the terminal's width
    for words in (
        "Suites", "fewshot-10way", "Protocols", "landmarks", "Models (also timm:NAME",
        "dino_vits16", "hf:FOLDER, wds:PATTERN and torchvision:NAME)", "Food101",
        "cifar-fs", "closerlook, closerlook-box, feat",
        "Few-shot methods", "logreg", "Post-processing of retrieval", "k-reciprocal",
        "Search indexes", "hnsw", "Pretraining methods", "pw-self",
    ):  # fmt: skip
        assert words in output


def test_extract_prints_where_features_lie(image_folder, capsys):
    arguments = ["extract", "--model", "pixels", "--dataset", f"folder:{image_folder}"]
    assert call(*arguments, "--part", "val") == 0
    shape, path = capsys.readouterr().out.split()
    assert shape == "12×3072"
    assert Path(path).is_file()


def test_unknown_names(failing, image_folder):
    data = f"folder:{image_folder}"
    assert "Did you mean fewshot" in failing("run", "--suite", "fewshots", "--model", "pixels")
    assert "Did you mean cub" in failing("run", "--model", "pixels", "--dataset", "cup")
    model = failing("run", "--model", "dino_vit16", "--dataset", data)
    assert "unknown model 'dino_vit16'" in model
    assert "dino_vits16" in model
    method = failing("run", "--model", "pixels", "--dataset", data, "--method", "logregg")
    assert "Did you mean logreg" in method
    assert "at least 1 pixel" in failing(
        "run", "--model", "pixels", "--dataset", data, "--resolution", "0"
    )
    assert "cannot be used here" in failing(
        "run", "--model", "pixels", "--dataset", data, "--device", "gpu"
    )


def test_missing_data(failing, tmp_path):
    assert "needs a model" in failing("run", "--suite", "fewshot")
    missing = failing("run", "--suite", "retrieval", "--model", "pixels")
    assert "lowlabel prepare cub --archive FILE" in missing
    assert "--dataset demo" in missing
    assert "there is no folder" in failing("run", "--model", "pixels", "--dataset", "folder:/none")
    (tmp_path / "empty").mkdir()
    empty = failing("run", "--model", "pixels", "--dataset", f"folder:{tmp_path / 'empty'}")
    assert "no images in the class folders" in empty


def test_the_suite_of_all_methods_has_each_once():
    methods = load_suite("fewshot-all").protocol("fewshot").method
    assert len(set(methods)) == len(methods)
    assert {method.name for method in methods} == set(METHODS)


def test_k_beyond_the_images(failing, image_folder, tmp_path):
    message = failing(
        "run", "--suite", "retrieval", "--model", "pixels", "--dataset", f"folder:{image_folder}",
        "--output", str(tmp_path / "o"), "--k", "18",
    )  # fmt: skip
    assert "18" in message and "17" in message


def test_too_few_classes_or_images(failing, image_folder, tmp_path):
    data = ["--suite", "fewshot", "--model", "pixels", "--dataset", f"folder:{image_folder}"]
    output = ["--output", str(tmp_path / "o")]
    ways = failing("run", *data, "--tasks", "5", *output)
    assert "5" in ways and "3" in ways
    images = failing("run", *data, "--ways", "2", "--shots", "5", "--queries", "15", *output)
    assert "20" in images and "6" in images
    assert "tasks" in failing("run", *data, "--tasks", "0", *output)


def test_bad_features(failing, feature_file, tmp_path):
    arrays = dict(np.load(feature_file))
    output = ["--output", str(tmp_path / "o")]
    broken = arrays["features"].copy()
    broken[3, 0] = np.nan
    np.savez(tmp_path / "nan.npz", features=broken, labels=arrays["labels"])
    assert "NaN" in failing("run", "--features", str(tmp_path / "nan.npz"), *QUICK, *output)
    np.savez(tmp_path / "short.npz", features=np.ones((5, 2)), labels=arrays["labels"])
    message = failing("run", "--features", str(tmp_path / "short.npz"), *QUICK, *output)
    assert "80" in message and "5" in message
    both = failing("run", "--features", str(feature_file), "--model", "pixels")
    assert "do not go with it" in both


def test_corrupt_image_stops_or_is_skipped_and_counted(image_folder, tmp_path, failing, capsys):
    (image_folder / "novel" / "novel1" / "2.png").write_bytes(b"\x89PNG cut")
    arguments = ["run", "--suite", "retrieval", "--model", "pixels", "--dataset"]
    arguments += [f"folder:{image_folder}", "--output", str(tmp_path / "o"), *KS]
    message = failing(*arguments)
    assert "novel/novel1/2.png" in message
    assert "--skip-bad-images" in message
    assert call(*arguments, "--skip-bad-images") == 0
    (path,) = (tmp_path / "o" / "records").glob("*.json")
    assert json.loads(path.read_text())["experiment"]["dataset"]["bad_images"] == 1


def test_unwritable_output(failing, image_folder, tmp_path):
    (tmp_path / "file").write_text("")
    message = failing(
        "run", "--model", "pixels", "--dataset", f"folder:{image_folder}",
        "--output", str(tmp_path / "file" / "out"),
    )  # fmt: skip
    assert "cannot write to the folder" in message


def test_archives(failing, tmp_path):
    (tmp_path / "page.zip").write_text("<html>")
    message = failing("prepare", "cub", "--archive", str(tmp_path / "page.zip"))
    assert "not a zip or tar archive" in message
    assert "unknown dataset 'cubs'" in failing("prepare", "cubs", "--archive", "x")
    assert "needs no archive" in failing("prepare", "demo", "--archive", str(tmp_path / "page.zip"))


@pytest.mark.slow
@pytest.mark.usefixtures("default_signals")
def test_interrupted_run_goes_on_where_it_stopped(tmp_path, home):
    """Ctrl-C during extraction: code 130, no traceback, and the next run does the rest."""
    folder, other = (tmp_path / "many" / name for name in ("class", "other"))
    folder.mkdir(parents=True)
    other.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    for number in range(3000):
        if number == 0:
            Image.fromarray(noise).save(folder / "0000.png")
        else:
            os.link(folder / "0000.png", (folder, other)[number % 2] / f"{number:04d}.png")
    command = [sys.executable, str(ROOT / "run_benchmark.py"), "--suite", "retrieval", "--model",
               "pixels", "--dataset", f"folder:{tmp_path / 'many'}"]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list((home / "features").glob("*.partial")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(2)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 130, errors
    assert "run the same command again" in errors
    assert "Traceback" not in errors
    assert list((home / "features").glob("*.partial"))


@pytest.mark.slow
def test_dry_run_says_the_memory_that_a_feature_file_takes(tmp_path, capsys):
    features = np.ones((2_000, 25_000), np.float32)
    np.savez(tmp_path / "large.npz", features=features, labels=np.arange(2_000) % 4)
    assert call("run", "--features", str(tmp_path / "large.npz"), "--suite=knn", "--dry-run") == 0
    memory = "memory: about 1.4 GB (0.2 GB of features, 1.2 GB for libraries and blocks)"
    assert memory in capsys.readouterr().out
