import numpy as np
import pytest
from PIL import Image

from lowlabel.benchmarks import make_plan
from lowlabel.benchmarks.protocols.knn import KNN
from lowlabel.benchmarks.protocols.label_kinds import OneLabel
from lowlabel.benchmarks.protocols.linear import Linear
from lowlabel.classification import evaluate_knn, held_out
from lowlabel.errors import InputError, UserError
from lowlabel.features import embedded_file
from lowlabel.features.embed import file_division


def test_the_train_part_votes_where_it_has_the_evaluated_classes(learned, data):
    assert KNN(voters="train").needs(file_division(learned)) == ("base", "all")
    assert KNN(voters="train").needs(file_division(data)) == ()
    assert KNN().needs(file_division(data)) == ("all",)
    (trial,) = KNN(neighbours=(3, 1000)).trials(learned, "cpu")
    few, every = trial.run()
    train, test = learned.train, learned.evaluated
    for scores, k in ((few, 3), (every, 60)):
        alone = evaluate_knn(
            train.features, train.labels, test.features, test.labels, k=k, device="cpu"
        )
        assert scores.scores["top1"].mean == pytest.approx(alone.metrics[f"top1@{k}"])
        assert scores.counts == {"images": 40, "train": 60}
        names = {"top1", "top5", "balanced_accuracy", "macro_f1", "auroc", "ece"}
        assert set(scores.scores) == set(scores.per_item) == names
    assert [e.protocol.name for e in trial.experiments] == ["base → all"] * 2
    half, _ = next(KNN(voters="half", neighbours=(3, 9)).trials(learned, "cpu")).run()
    assert half.counts == {"images": 20, "voters": 20}
    assert set(half.scores) == {"top1", "top5"}


def test_hyper_parameters_are_chosen_on_a_tenth_of_train(learned):
    train = learned.train
    (trial,) = Linear(recipe=("dinov2",), iterations=2).trials(learned, "cpu")
    assert trial.run()[0].chosen["where"] == OneLabel.held_out
    chosen = held_out(train.labels)
    assert np.bincount(train.labels[chosen]).tolist() == [2, 2, 2, 2]
    assert len(train.labels[~chosen]) == 52
    rows = np.concatenate([train.features[~chosen], train.features[chosen]])
    assert sorted(map(tuple, rows)) == sorted(map(tuple, train.features))


def test_one_image_of_each_class_leaves_nothing_to_choose_on(tmp_path):
    rows = np.eye(3)
    np.savez(
        tmp_path / "f.npz",
        features=rows,
        labels=[0, 1, 2],
        base_features=rows,
        base_labels=[2, 1, 0],
    )
    (trial,) = Linear(recipe=("dinov2",)).trials(embedded_file(tmp_path / "f.npz"), "cpu")
    with pytest.raises(InputError, match="no class of the 3 train images"):
        trial.run()


@pytest.mark.parametrize("dataset", ["demo-copies", "cub:closerlook"])
def test_a_dataset_without_a_train_part_is_refused(request_of, dataset):
    with pytest.raises(UserError) as caught:
        make_plan(request_of("classification", dataset))
    assert dataset in caught.value.message
    assert "train part" in caught.value.hint


@pytest.mark.parametrize("part", ["test", "val"])
def test_the_suite_scores_a_folder(run, tmp_path, part):
    random = np.random.default_rng(0)
    for name, colour in (("crow", 40), ("gull", 200), ("finch", 120)):
        for each, images in (("train", 5), (part, 3)):
            folder = tmp_path / "birds" / each / name
            folder.mkdir(parents=True)
            for index in range(images):
                noise = random.integers(-20, 20, (16, 16, 3))
                Image.fromarray((colour + noise).astype(np.uint8)).save(folder / f"{index}.png")
    settings = ("linear.epochs=2", "linear.iterations=2", "linear.batch_size=16")
    records = run("classification", f"folder:{tmp_path / 'birds'}", settings=settings).records
    assert {r.scores["top1"].mean for r in records[:1]} == {100.0}
    by_method = {r.experiment.method.spec: r for r in records}
    assert {f"knn,k={k}" for k in (10, 20, 100, 200)} <= by_method.keys()
    assert {spec.partition(",")[0] for spec in by_method} >= {"linear-cached", "linear-grid-cached"}
    assert {r.experiment.protocol.name for r in records} == {f"train → {part}"}
    assert {r.contamination for r in records} == {()}
    assert all(set(r.experiment.feature_keys) == {"train", part} for r in records)
