"""Commands that tests disturb, and what they leave that must be the same afterwards."""

import json
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

from lowlabel.results.per_item import read_scores, scores_path

ARCH = "vit_tiny_patch16_224,patch_size=8,embed_dim=24,depth=1,num_heads=2"
MODEL = f"random:{ARCH},img_size=16"
TRAIN = ["--epochs", "3", "--batch-size", "8", "--workers", "0", "--device", "cpu"]
VIEWS = ["global_size=16", "local_size=8", "local_crops=2", "prototypes=64", "hidden=16"]
FOLDER = "folder:images"
PIXELS = ["--model", "pixels", "--resolution", "16", "--dataset", FOLDER]
COMMANDS = {
    "extract": ["extract", "--model", MODEL, "--dataset", FOLDER, "--engine", "torch"],
    "pretrain": [
        *("pretrain", "dino", "--arch", f"timm:{ARCH}", "--dataset", FOLDER, *TRAIN),
        *("--output", "out", "--set", "bottleneck=8", "--set", "warmup_epochs=1"),
        *(word for view in VIEWS for word in ("--set", view)),
    ],
    "finetune": [
        *("finetune", "--loss", "margin", "--model", MODEL, "--dataset", FOLDER, *TRAIN),
        *("--output", "out", "--set", "dimension=8", "--set", "validation=0.3"),
    ],
    "sweep": [
        *("run", "--suite", "retrieval", "--suite", "knn", "--model", MODEL, "--model", "pixels"),
        *("--dataset", FOLDER, "--output", "out", "--launcher", "local", "--resolution", "16"),
    ],
    "prepare": ["prepare", "sop", "--archive", "products.zip", "--allow-partial"],
    "predict": [
        *("predict", "images/test", "--dataset", FOLDER, "--model", MODEL, "--engine", "torch"),
        *("--output", "out/labels.csv", "--overwrite"),
    ],
    "picture": ["analyze", "retrieval", *PIXELS, "--output", "out/worst.png"],
    "report": ["report", "results", "--output", "out/report.html"],
}


def write_inputs(root: Path) -> None:
    """Writes ten classes of eight images, four of them to test on; an archive; and records."""
    noise = np.random.default_rng(0)
    for number in range(10):
        folder = root / "images" / ("train" if number < 6 else "test") / f"class{number}"
        folder.mkdir(parents=True)
        for row in range(8):
            pixels = 20 * number + noise.integers(0, 50, (20, 24, 3))
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{row}.png")
    picture = (folder / "0.png").read_bytes()
    with zipfile.ZipFile(root / "products.zip", "w") as archive:
        for part, first in (("train", 1), ("test", 11_319)):
            names = [f"bicycle_final/{part}_{k}.JPG" for k in range(40)]
            rows = [f"{k} {first + k // 2} 1 {name}" for k, name in enumerate(names)]
            text = "\n".join(["image_id class_id super_class_id path", *rows]) + "\n"
            archive.writestr(f"Stanford_Online_Products/Ebay_{part}.txt", text)
            for name in names:
                archive.writestr(f"Stanford_Online_Products/{name}", picture)


def results(folder: Path, kind: str) -> dict[str, object]:
    """What a command leaves that must be the same, by name."""
    if kind == "extract":
        return {file.name: file.read_bytes() for file in folder.glob("home/features/*.h5")}
    if kind in ("pretrain", "finetune"):
        weights = load_file(folder / "out" / "backbone.safetensors")
        return {name: tensor.tobytes() for name, tensor in weights.items()}
    if kind == "sweep":
        return _scores(folder / "out" / "records")
    written = folder / ("home/datasets" if kind == "prepare" else "out")
    files = [
        file
        for file in written.rglob("*")
        if file.is_file() and file.suffix not in (".lock", ".tmp")
    ]
    return {str(file.relative_to(written)): file.read_bytes() for file in files}


def _scores(records: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for record in records.glob("*.json"):
        arrays = read_scores(scores_path(record))
        found[record.name] = (
            json.loads(record.read_text())["scores"],
            {name: values.tobytes() for name, values in arrays.items()},
        )
    return found
