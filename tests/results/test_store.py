import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from lowlabel.errors import DataError, InputError
from lowlabel.paths import write_files
from lowlabel.results.folder import find_records, load_records, load_scored
from lowlabel.results.leaderboard import leaderboard
from lowlabel.results.per_item import joined
from lowlabel.results.record import Score
from lowlabel.results.store import load_record, load_scores, save_changed, save_record


def save(scored, folder):
    return save_record(scored.record, scored.per_item, folder)


def test_a_saved_record_and_its_scores_come_back(retrieval, tmp_path):
    scored = retrieval()
    path = save(scored, tmp_path / "new" / "folder")
    assert load_record(path) == scored.record
    scores = load_scores(path)
    assert scores.keys() == scored.per_item.keys()
    for metric, values in scored.per_item.items():
        np.testing.assert_array_equal(scores[metric], values)


def test_the_file_is_named_readably_and_by_identity(fewshot, tmp_path):
    scored = fewshot("dino_vits16", "lr,transform=tukey+l2")
    path = save(scored, tmp_path)
    readable = "fewshot-cifar-fs-bertinetto-5-way-1-shot-dino_vits16-lr-transform-tukey-l2"
    assert path.name == f"{readable}-{scored.record.identity()[:12]}.json"


def test_a_second_run_replaces_the_first(fewshot, tmp_path):
    save(fewshot(mean=60), tmp_path)
    save(fewshot(mean=61), tmp_path)
    (scored,) = load_scored(tmp_path)
    assert scored.record.scores["accuracy"].mean == pytest.approx(61)
    assert scored.per_item["accuracy"].mean() == pytest.approx(61)


def test_records_are_found_by_identity(fewshot, tmp_path):
    one, other = fewshot("a"), fewshot("b")
    path = save(one, tmp_path)
    assert find_records(tmp_path, one.record.identity()) == {path: one.record}
    assert find_records(tmp_path, other.record.identity()) == {}
    assert find_records(tmp_path / "nowhere", one.record.identity()) == {}


def test_a_file_of_the_right_name_is_not_enough(fewshot, tmp_path):
    other = fewshot("b").record.identity()
    path = save(fewshot("a"), tmp_path)
    path.rename(tmp_path / f"renamed-{other[:12]}.json")
    assert find_records(tmp_path, other) == {}


def renamed(record, name):
    model = replace(record.experiment.model, name=name)
    return replace(record, experiment=replace(record.experiment, model=model))


@pytest.mark.parametrize("names", [("A b", "a-b"), ("x" * 120, "x" * 121), ("DINO", "other")])
def test_every_name_of_equal_weights_has_a_record_and_a_row(fewshot, tmp_path, names):
    first, second = (renamed(fewshot().record, name) for name in names)
    per_item = fewshot().per_item
    path = save_record(first, per_item, tmp_path)
    assert save_changed(path, second) == second
    found = find_records(tmp_path, first.identity()).values()
    assert sorted(record.experiment.model.name for record in found) == sorted(names)
    for scored in load_scored(tmp_path):
        np.testing.assert_array_equal(scored.per_item["accuracy"], per_item["accuracy"])
    (section,) = leaderboard(load_records(tmp_path))
    assert set(section.tables[0].frame["Model"]) == set(names)
    for record in (second, first):  # each stays in its file
        save_record(replace(record, wall_s=9.0), per_item, tmp_path)
    assert [record.wall_s for record in load_records(tmp_path)] == [9.0, 9.0]


def test_a_new_title_of_the_dataset_replaces_the_old_in_its_record(fewshot, tmp_path):
    path = save(fewshot(title="CIFAR-FS"), tmp_path)
    record = save_changed(path, fewshot(title="CIFAR-FS, half").record)
    assert load_records(tmp_path) == [record]
    assert record.experiment.dataset.title == "CIFAR-FS, half"


REPLICATES = {"accuracy": {"images": np.arange(6.0).reshape(2, 3), "classes": np.arange(5.0)}}


def test_what_paired_intervals_need_stands_beside_the_record_and_stays(fewshot, tmp_path):
    scored = fewshot()
    path = save_record(scored.record, scored.per_item, tmp_path, REPLICATES)
    save_changed(path, renamed(scored.record, "other"))
    for found in load_scored(tmp_path):
        assert found.per_item.keys() == {"accuracy"}
        assert found.replicates.keys() == {"accuracy"}
        assert found.replicates["accuracy"].keys() == {"images", "classes"}
        for kind, values in REPLICATES["accuracy"].items():
            np.testing.assert_array_equal(found.replicates["accuracy"][kind], values)


def test_changed_replicates_are_refused(fewshot, tmp_path):
    scored = fewshot()
    path = save_record(scored.record, scored.per_item, tmp_path, REPLICATES)
    changed = {"accuracy": {"images": np.zeros((2, 3)), "classes": np.arange(5.0)}}
    np.savez(path.with_suffix(".npz"), **joined(scored.per_item, changed))
    with pytest.raises(DataError, match="changed or exchanged"):
        load_record(path)


def test_a_damaged_record_is_replaced_by_a_new_one(fewshot, tmp_path):
    path = save(fewshot(), tmp_path)
    path.write_text("{")
    assert save(fewshot(), tmp_path) == path
    assert load_records(tmp_path) == [fewshot().record]


def test_a_results_folder_stands_for_its_records(fewshot, tmp_path):
    (tmp_path / "baseline.json").write_text("{}")
    path = save(fewshot("a"), tmp_path / "records")
    assert load_records(tmp_path) == load_records(tmp_path / "records") == [fewshot("a").record]
    assert [scored.record for scored in load_scored(tmp_path)] == load_records(tmp_path)
    assert find_records(tmp_path, fewshot("a").record.identity()) == {path: fewshot("a").record}
    assert save(fewshot("b"), tmp_path).parent == tmp_path / "records"


def test_a_folder_or_a_file_is_loaded(fewshot, tmp_path):
    paths = [save(fewshot(model), tmp_path) for model in "ba"]
    (tmp_path / "leaderboard.md").write_text("not a record")
    assert [r.experiment.model.name for r in load_records(tmp_path)] == ["a", "b"]
    assert [r.experiment.model.name for r in load_records(paths[0])] == ["b"]
    with pytest.raises(DataError, match="no records at"):
        load_records(tmp_path / "nowhere")


@pytest.mark.parametrize("kind", ["record", "scores"])
def test_a_failing_write_leaves_the_old_files(fewshot, tmp_path, monkeypatch, kind):
    path = save(fewshot(mean=60), tmp_path)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}

    write = Path.write_bytes

    def full_disk(self, content):
        write(self, content[:10])
        if content.startswith(b"PK") == (kind == "scores"):
            raise OSError(28, "No space left on device")
        write(self, content)

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(DataError, match="No space left on device"):
        save(fewshot(mean=61), tmp_path)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before
    assert load_record(path).scores["accuracy"].mean == pytest.approx(60)


def test_a_record_that_exists_has_its_scores(fewshot, tmp_path, monkeypatch):
    rename = Path.replace

    def full_disk(self, target):
        if target.suffix == ".json":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", full_disk)
    with pytest.raises(DataError, match="No space left on device"):
        save(fewshot(), tmp_path)
    assert [file.suffix for file in tmp_path.glob("[!.]*")] == [".npz"]
    assert load_records(tmp_path) == []


def edited(path, change):
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")


CHANGES = {
    "score": lambda data: data["scores"]["accuracy"].update(mean=99.0),
    "interval": lambda data: data["scores"]["accuracy"].update(ci95=0.01),
    "definition": lambda data: data.update(ci95_definition="none"),
    "counts": lambda data: data["counts"].update(tasks=10_000),
    "chosen": lambda data: data.update(chosen={"method": "svm"}),
    "completeness": lambda data: data.update(complete=False),
    "contamination": lambda data: data.update(contamination=["seen"]),
    "hash of the scores": lambda data: data.pop("per_item_sha256"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_record_edited_by_hand_is_refused(fewshot, tmp_path, change):
    scored = fewshot(mean=60)
    path = save(scored, tmp_path)
    edited(path, change)
    for read in (
        lambda: load_record(path),
        lambda: load_scores(path),
        lambda: load_records(tmp_path),
        lambda: load_scored(tmp_path),
        lambda: find_records(tmp_path, scored.record.identity()),
    ):
        with pytest.raises(DataError, match="the file was changed") as caught:
            read()
        assert str(path) in caught.value.message
        assert "lowlabel run" in caught.value.hint


def test_a_record_that_lost_its_hash_is_refused(fewshot, tmp_path):
    path = save(fewshot(mean=60), tmp_path)
    edited(path, lambda data: data.pop("content_sha256"))
    with pytest.raises(DataError, match="lost their hash"):
        load_record(path)


def test_a_record_of_content_hashes_has_hashes_of_its_own(fewshot, tmp_path):
    scored = fewshot(mean=60)
    dataset = replace(scored.record.experiment.dataset, manifest="content")
    experiment = replace(scored.record.experiment, dataset=dataset)
    path = save(replace(scored, record=replace(scored.record, experiment=experiment)), tmp_path)
    edited(path, lambda data: (data.pop("content_sha256"), data.pop("per_item_sha256")))
    with pytest.raises(DataError, match="lost their hash"):
        load_record(path)


def resaved(path, values):
    with path.with_suffix(".npz").open("wb") as file:
        np.savez_compressed(file, accuracy=values)


def test_scores_of_another_record_are_refused(fewshot, tmp_path):
    scored = fewshot("a", mean=60)
    path, other = save(scored, tmp_path), save(fewshot("b", mean=60), tmp_path)
    own = path.with_suffix(".npz").read_bytes()
    values = scored.per_item["accuracy"]
    for damage in (
        lambda: path.with_suffix(".npz").write_bytes(other.with_suffix(".npz").read_bytes()),
        lambda: resaved(path, values[:-1]),
        lambda: resaved(path, values[::-1]),
        lambda: resaved(path, values.astype(np.float32)),
        lambda: path.with_suffix(".npz").write_bytes(own[:-50]),
    ):
        damage()
        for read in (load_record, load_scores, load_scored):
            with pytest.raises(DataError, match=path.with_suffix(".npz").name):
                read(path)
    path.with_suffix(".npz").write_bytes(own)
    assert load_record(path) == scored.record


def test_a_record_without_hashes_is_compared_with_its_scores(fewshot, tmp_path):
    scored = fewshot(mean=60)
    path = save(scored, tmp_path)
    edited(path, lambda data: (data.pop("content_sha256"), data.pop("per_item_sha256")))
    assert load_record(path) == scored.record
    edited(path, lambda data: data["scores"]["accuracy"].update(mean=61.0))
    with pytest.raises(DataError, match="the mean is 61"):
        load_record(path)


def test_a_record_is_read_without_its_scores(fewshot, tmp_path):
    scored = fewshot()
    path = save(scored, tmp_path)
    path.with_suffix(".npz").unlink()
    assert load_record(path) == scored.record


def test_processes_of_equal_numbers_do_not_tear_a_record(fewshot, tmp_path, monkeypatch):
    monkeypatch.setattr("os.getpid", lambda: 1)
    versions = [fewshot(mean=mean) for mean in (50, 60, 70)]
    save(versions[0], tmp_path)

    def work(scored):
        for _ in range(15):
            path = save(scored, tmp_path)
            assert load_record(path).scores["accuracy"].mean in {
                version.record.scores["accuracy"].mean for version in versions
            }

    with ThreadPoolExecutor(len(versions)) as pool:
        list(pool.map(work, versions))
    (scored,) = load_scored(tmp_path)
    mean = scored.record.scores["accuracy"].mean
    assert scored.per_item["accuracy"].mean() == pytest.approx(mean)
    assert sorted(file.suffix for file in tmp_path.glob("[!.]*")) == [".json", ".npz"]


def test_a_record_whose_files_are_replaced_slowly_is_read(fewshot, tmp_path, monkeypatch):
    old, new = fewshot(mean=50), fewshot(mean=60)
    path = save(old, tmp_path)
    half_written, read = Event(), Event()

    def slowly(contents):
        scores, record = contents.items()
        write_files(dict([scores]))
        half_written.set()
        assert not read.wait(0.5)
        write_files(dict([record]))

    monkeypatch.setattr("lowlabel.results.store.write_files", slowly)
    with ThreadPoolExecutor(1) as pool:
        saving = pool.submit(save, new, tmp_path)
        assert half_written.wait(60)
        found = load_record(path)
        read.set()
        saving.result()
    assert found == new.record


def test_a_read_only_folder_of_records_names_what_does_not_agree(fewshot, tmp_path, monkeypatch):
    path, other = save(fewshot("a"), tmp_path), save(fewshot("b", mean=61), tmp_path)
    path.with_suffix(".npz").write_bytes(other.with_suffix(".npz").read_bytes())

    def refuse(lock, **options):
        raise PermissionError(13, "Permission denied", lock.lock_file)

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    with pytest.raises(DataError, match="does not have the scores"):
        load_record(path)
    with pytest.raises(DataError, match="cannot lock"):
        save(fewshot(mean=70), tmp_path)


@pytest.mark.parametrize("text", ["{", "", "[]", '{"schema_version": 1}', "\xff"])
def test_a_damaged_record_is_named_with_the_fix(fewshot, tmp_path, text):
    path = save(fewshot(), tmp_path)
    path.write_text(text, encoding="latin-1")
    with pytest.raises(DataError) as caught:
        load_records(tmp_path)
    assert str(path) in caught.value.message
    assert "lowlabel run" in caught.value.hint


@pytest.mark.parametrize("change", [{"schema_version": 2}, {"intervals_2": {}}])
def test_a_record_of_a_newer_version_asks_for_an_update(fewshot, tmp_path, change):
    path = save(fewshot(), tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError) as caught:
        load_record(path)
    assert str(path) in caught.value.message
    assert "Update lowlabel" in caught.value.hint


def test_missing_or_damaged_scores_are_named(fewshot, tmp_path):
    path = save(fewshot(), tmp_path)
    scores = path.with_suffix(".npz")
    scores.write_bytes(scores.read_bytes()[:100])
    with pytest.raises(DataError, match=scores.name):
        load_scores(path)
    scores.unlink()
    with pytest.raises(DataError, match=scores.name):
        load_scores(path)


def test_scores_that_are_not_the_records_are_refused(fewshot, tmp_path):
    scored = fewshot(mean=60)
    fractions = {"accuracy": scored.per_item["accuracy"] / 100}
    with pytest.raises(InputError, match=r"mean is 60.* 0\.6 over 200 scores"):
        save_record(scored.record, fractions, tmp_path)
    with pytest.raises(InputError, match="expected one dimension"):
        save_record(scored.record, {"accuracy": np.zeros((2, 3))}, tmp_path)
    with pytest.raises(InputError, match="'recall@1'"):
        save_record(scored.record, {"recall@1": np.zeros(3)}, tmp_path)
    assert not list(tmp_path.iterdir())


def test_queries_without_a_score_do_not_enter_the_mean(fewshot, tmp_path):
    values = np.array([50.0, np.nan, 70.0])
    record = fewshot(scores={"accuracy": Score(60.0, 1.0)}, counts={"tasks": 2}).record
    path = save_record(record, {"accuracy": values}, tmp_path)
    np.testing.assert_array_equal(load_scores(path)["accuracy"], values)


def test_json_is_readable_by_anyone(fewshot, tmp_path):
    data = json.loads(save(fewshot(title="ß"), tmp_path).read_text(encoding="utf-8"))
    assert data["schema_version"] == 1
    assert data["experiment"]["dataset"]["title"] == "ß"
