import numpy as np
import pytest
from PIL import Image

from lowlabel.benchmarks import make_plan, run_plan
from lowlabel.benchmarks.protocols.knn import KNN
from lowlabel.benchmarks.recording import Recorder
from lowlabel.benchmarks.without import LEAKED, without_flagged
from lowlabel.datasets import open_dataset
from lowlabel.datasets.io.flagged import FlaggedImages
from lowlabel.errors import DataError
from lowlabel.features import ExtractionOptions, embed_dataset, load_backbone


def embedded(opened, **options):
    backbone = load_backbone("pixels", resolution=8, device="cpu")
    return embed_dataset(backbone, opened, opened.division.parts, ExtractionOptions(), **options)


def flagged(*images):
    return FlaggedImages("flags.csv", "0" * 64, images)


def test_rows_of_every_table_are_selected_and_classes_keep_their_numbers(image_folder):
    opened = open_dataset(f"folder:{image_folder}")
    whole = embedded(opened)
    gone = [(f"novel/novel1/{n}.png", "novel") for n in range(6)] + [("base/base2/4.png", "")]
    less = without_flagged(whole, opened, flagged(*gone), unknown=2)
    for part, images in whole.images.items():
        kept = [row for row, path in enumerate(images.paths) if path not in dict(gone)]
        np.testing.assert_array_equal(less.tables[part].features, whole.tables[part].features[kept])
        np.testing.assert_array_equal(less.tables[part].labels, whole.tables[part].labels[kept])
        assert less.images[part].paths == tuple(images.paths[row] for row in kept)
        assert less.tables[part].key == whole.tables[part].key
    assert less.without.counts == {"base": 1, "val": 0, "novel": 6}
    assert less.without.rows == tuple(range(6, 12))
    assert less.without.manifest_sha256 == whole.manifest_sha256 != less.manifest_sha256
    assert less.without.unknown == 2
    names = [less.class_names[label] for label in np.unique(less.evaluated.labels)]
    assert names == ["novel0", "novel2"]


def test_views_of_the_train_part_lose_the_rows_of_the_train_part(tmp_path):
    random = np.random.default_rng(0)
    for part in ("train", "test"):
        for place in range(8):
            folder = tmp_path / "d" / part / f"class{place % 2}"
            folder.mkdir(parents=True, exist_ok=True)
            pixels = random.integers(0, 256, (20, 20, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{place}.png")
    opened = open_dataset(f"folder:{tmp_path / 'd'}")
    whole = embedded(opened, view_seeds=(0, 1))
    less = without_flagged(whole, opened, flagged(("train/class0/2.png", "")))
    assert len(less.train_views) == 2
    row = whole.images["train"].paths.index("train/class0/2.png")
    for name, table in whole.train_views.items():
        expected = np.delete(table.features, row, axis=0)
        np.testing.assert_array_equal(less.tables[name].features, expected)


def test_images_that_cannot_be_decoded_stay_counted_as_such(image_folder):
    (image_folder / "novel/novel0/broken.png").write_bytes(b"no image")
    opened = open_dataset(f"folder:{image_folder}")
    backbone = load_backbone("pixels", resolution=8, device="cpu")
    options = ExtractionOptions(skip_bad_images=True)
    whole = embed_dataset(backbone, opened, ("novel",), options)
    names = ("novel/novel0/broken.png", "novel/novel1/0.png")
    less = without_flagged(whole, opened, flagged(*((name, "") for name in names)))
    assert less.without.counts == {"novel": 1}
    assert less.without.rows == (6,)
    assert less.evaluated.bad_images == whole.evaluated.bad_images
    assert len(less.images["novel"]) == len(less.evaluated.labels) == 17


def test_a_ground_truth_by_rows_is_refused_before_anything_is_embedded(
    landmarks, request_of, tmp_path
):
    (tmp_path / "list.txt").write_text("jpg/keble_0.jpg\n")
    request = request_of("retrieval", landmarks, without=tmp_path / "list.txt")
    outcome = run_plan(make_plan(request), request)
    assert outcome.records == []
    (failure,) = outcome.failures
    assert "ground truth names images by their row" in failure.message


def test_copies_can_be_left_out(copies, run, tmp_path):
    (tmp_path / "list.txt").write_text("strong/200001.jpg\n")
    (record,) = run("retrieval", copies, without=tmp_path / "list.txt").records
    assert sum(record.experiment.dataset.without.counts.values()) == 1


def test_a_mark_of_leakage_stays_and_other_marks_do_not(data, tmp_path):
    (trial,) = KNN(neighbours=(3,)).trials(data, "cpu")
    recorder, leak = Recorder(tmp_path, "cpu"), f"{LEAKED}1 of 2 images"

    def marks(*contamination):
        (record,) = recorder.records(trial, contamination)
        return record.contamination

    assert marks("seen", leak) == ("seen", leak)
    assert marks("seen") == ("seen", leak)
    assert marks("seen", f"{leak} more") == ("seen", leak, f"{leak} more")
    assert marks() == ()  # scored again: the reason "seen" is gone


def test_the_file_is_read_before_any_work(request_of, image_folder, tmp_path):
    (tmp_path / "list.txt").write_text("\n")
    for option in ("without", "leakage"):
        request = request_of("knn", f"folder:{image_folder}", **{option: tmp_path / "list.txt"})
        with pytest.raises(DataError, match="flags no image"):
            make_plan(request)
