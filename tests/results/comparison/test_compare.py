from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from lowlabel.errors import InputError
from lowlabel.results.comparison.compare import compare, compare_tuned, holm
from lowlabel.results.comparison.render import render_comparison


def paired(seed, shift, n=300):
    """Two sides that share most of their variance, B better by about `shift`."""
    rng = np.random.default_rng(seed)
    common = rng.normal(60, 10, n)
    return common + rng.normal(0, 2, n), common + shift + rng.normal(0, 2, n)


def test_the_paired_t_test_of_scipy(fewshot):
    a, b = paired(0, 0.5)
    (row,) = compare([fewshot("a", values=a)], [fewshot("b", values=b)]).to_dict("records")
    oracle = stats.ttest_rel(a, b)
    interval = oracle.confidence_interval(0.95)
    assert row["n"] == 300
    assert (row["mean_a"], row["mean_b"]) == pytest.approx((a.mean(), b.mean()))
    assert row["difference"] == pytest.approx((a - b).mean())
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((interval.low, interval.high))
    assert row["p"] == pytest.approx(oracle.pvalue)
    assert row["p_holm"] == pytest.approx(oracle.pvalue)
    assert row["p"] < stats.ttest_ind(b, a).pvalue  # what pairing is for


def test_sides_exchanged_exchange_signs(fewshot):
    a, b = paired(1, 1.0)
    one, other = fewshot("a", values=a), fewshot("b", values=b)
    (forth,), (back,) = (compare(*sides).to_dict("records") for sides in
                         (([one], [other]), ([other], [one])))  # fmt: skip
    assert forth["difference"] == pytest.approx(-back["difference"])
    assert forth["ci_low"] == pytest.approx(-back["ci_high"])
    assert forth["p"] == pytest.approx(back["p"])
    assert (forth["verdict"], back["verdict"]) == ("B better", "A better")


def test_holm_by_hand():
    p = np.array([0.04, 0.001, 0.03, 0.5])
    # sorted 0.001·4, 0.03·3, 0.04·2 (raised to 0.09), 0.5·1
    np.testing.assert_allclose(holm(p), [0.09, 0.004, 0.09, 0.5])
    np.testing.assert_allclose(holm(np.array([0.6, 0.7])), [1.0, 1.0])
    assert holm(np.array([])).size == 0


def test_many_comparisons_are_corrected_together(fewshot):
    rng = np.random.default_rng(2)
    sides = [[], []]
    for method in [f"m{index}" for index in range(20)]:
        common = rng.normal(60, 10, 100)
        for side, model in zip(sides, "ab", strict=True):
            side.append(fewshot(model, method, values=common + rng.normal(0, 2, 100)))
    frame = compare(*sides)
    assert len(frame) == 20
    assert (frame["p"] < 0.05).any()  # seed 2 has a false discovery before the correction
    assert (frame["verdict"] == "no difference shown").all()
    np.testing.assert_allclose(frame["p_holm"], holm(frame["p"].to_numpy()))


def test_the_same_scores_show_no_difference(fewshot):
    scored = fewshot()
    (row,) = compare([scored], [scored]).to_dict("records")
    assert (row["difference"], row["p"], row["verdict"]) == (0, 1, "no difference shown")


def test_a_difference_without_spread_is_certain(fewshot):
    a = np.linspace(40, 60, 50)
    (row,) = compare([fewshot(values=a)], [fewshot(values=a + 20 / 3)]).to_dict("records")
    assert (row["p"], row["verdict"]) == (0, "B better")
    assert row["ci_low"] == row["ci_high"] == pytest.approx(-20 / 3)


def test_methods_pair_across_models_and_models_across_methods(fewshot):
    a = [fewshot("a", method, shots) for method in ("ncm", "lr") for shots in (1, 5)]
    b = [fewshot("b", method, shots) for method in ("lr", "ncm") for shots in (5, 1)]
    frame = compare(a, b)
    assert len(frame) == 4
    assert (frame["method_a"] == frame["method_b"]).all()
    assert {*zip(frame["protocol"], frame["method_a"], strict=True)} == {
        (f"5-way {shots}-shot", method) for shots in (1, 5) for method in ("ncm", "lr")
    }
    frame = compare([fewshot("a", "ncm")], [fewshot("a", "dc")])
    assert frame[["model_a", "model_b"]].to_numpy().tolist() == [["a", "a"]]
    assert frame["p"].notna().all()


def test_knn_is_compared_image_by_image_at_each_k(knn):
    a = [knn("a", k, 50 + k) for k in (1, 10, 20)]
    b = [knn("b", k, 40 + k) for k in (20, 10)]
    frame = compare(a, b)
    tested = frame[frame["p"].notna()]
    assert tested[["method_a", "method_b", "metric"]].to_numpy().tolist() == [
        [f"knn,k={k}", f"knn,k={k}", metric] for k in (10, 20) for metric in ("top1", "top5")
    ]
    assert (tested["n"] == 400).all()
    assert tested["difference"].tolist() == pytest.approx([10.0] * 4)
    assert frame["reason"].dropna().tolist() == ["no counterpart in B"]
    markdown = render_comparison(frame)
    assert "| knn,k=10 | a   | b   | Top-5   |" in markdown
    assert "paired t-test over the same images. Holm over 4 tests" in markdown


def test_top_5_of_five_classes_is_compared_only_if_named(knn):
    a, b = ([knn(name, 20, mean, classes=5)] for name, mean in (("a", 60), ("b", 50)))
    assert compare(a, b)["metric"].tolist() == ["top1"]
    assert compare(a, b, metrics=["top5"])["metric"].tolist() == ["top5"]


def test_one_spec_with_several_options_pairs_by_the_options(knn):
    a = [knn("a", 20, 60, temperature=t) for t in (0.07, 0.1)]
    b = [knn("b", 20, mean, temperature=t) for t, mean in ((0.1, 50), (0.07, 55))]
    frame = compare(a, b, metrics=["top1"])
    assert sorted(frame["difference"]) == pytest.approx([5, 10])


def test_tuned_methods_pair_with_each_other_and_show_what_was_chosen(fewshot, tuned):
    a = [fewshot("a", "logreg"), tuned("a", 0.1)]
    b = [tuned("b", 1.0), fewshot("b", "logreg")]
    frame = compare(a, b)
    assert frame[["method_a", "method_b"]].to_numpy().tolist() == [
        ["logreg", "logreg"],
        ["logreg,c=0.1 (tuned)", "logreg,c=1.0 (tuned)"],
    ]


def test_a_corrected_method_is_not_compared_with_its_older_version(fewshot):
    frame = compare([fewshot("a", "dc,k=2")], [fewshot("b", "dc", method_version=2)])
    assert frame["reason"].tolist() == ["method version differs: 1 and 2"]
    frame = compare([fewshot("a", "ncm")], [fewshot("a", "dc", method_version=2)])
    assert frame["p"].notna().all()


def test_the_exact_partner_comes_first(fewshot):
    frame = compare(
        [fewshot("a", "ncm", mean=50), fewshot("b", "ncm", mean=60)],
        [fewshot("b", "ncm", mean=61), fewshot("a", "ncm", mean=52)],
    )
    assert (frame["model_a"] == frame["model_b"]).all()
    assert dict(zip(frame["model_a"], frame["difference"], strict=True)) == pytest.approx(
        {"a": -2, "b": -1}
    )


def test_protocols_of_one_name_pair_with_their_equals(fewshot):
    a = [fewshot("a", tasks=tasks) for tasks in (100, 200)]
    b = [fewshot("b", tasks=tasks) for tasks in (200, 100)]
    assert sorted(compare(a, b)["n"]) == [100, 200]


def test_records_that_share_neither_model_nor_method_are_not_paired(fewshot):
    a = [fewshot("a", "ncm", tasks=300)]
    b = [fewshot("b", "ncm", tasks=500), fewshot("c", "cosine", tasks=300)]
    frame = compare(a, b)
    assert sorted(frame["reason"]) == [
        "no counterpart in A",
        "protocol tasks differs: 300 and 500",
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"task_hash": "other"}, "task hash differs: tasks and other"),
        ({"tasks": 100}, "protocol tasks differs: 200 and 100"),
        ({"options": {"seed": 1}}, "protocol seed differs: 0 and 1"),
        ({"version": 2}, "protocol version differs: 1 and 2"),
        ({"manifest_sha256": "0" * 64}, "manifest differs: .* and 000000000000…"),
        (
            {"manifest_sha256": "0" * 64, "manifest": "content"},
            "manifest differs: A knows its images by their size: score it again",
        ),
        ({"bad_images": 2}, "bad images differs: 0 and 2"),
        ({"split": "val"}, "split differs: novel and val"),
        ({"complete": False}, "B is incomplete"),
        ({"shots": 5}, "no counterpart in"),
        ({"dataset": "cub"}, "no counterpart in"),
    ],
)
def test_what_is_not_comparable_says_why(fewshot, change, reason):
    frame = compare([fewshot("a")], [fewshot("b", **change)])
    assert (frame["verdict"] == "not comparable").all()
    assert frame["p_holm"].isna().all()
    assert frame["reason"].str.match(reason).all()


def test_tasks_that_are_not_known_are_not_assumed_to_be_the_same(fewshot):
    frame = compare([fewshot("a", task_hash=None)], [fewshot("b", task_hash=None)])
    assert "do not say which tasks" in frame["reason"][0]


def test_a_refusal_does_not_weigh_on_the_correction(fewshot):
    a, b = paired(3, 1.0)
    alone = compare([fewshot("a", values=a)], [fewshot("b", values=b)])
    among = compare(
        [fewshot("a", values=a), fewshot("a", "lr", shots=5)],
        [fewshot("b", values=b), fewshot("b", "lr", shots=5, complete=False)],
    )
    assert among["p_holm"].dropna().tolist() == alone["p_holm"].tolist()


def test_retrieval_is_paired_by_query_and_leaves_out_lone_ones(retrieval):
    a, b = retrieval("a", {1: 70.0}), retrieval("b", {1: 75.0})
    for scored in (a, b):
        scored.per_item["map@r"][:2] = np.nan
    frame = compare([a], [b]).set_index("metric")
    assert list(frame.index) == ["recall@1", "map@r"]
    oracle = stats.ttest_rel(b.per_item["recall@1"], a.per_item["recall@1"])
    assert frame.loc["recall@1", "p"] == pytest.approx(oracle.pvalue)
    assert frame.loc["map@r", "n"] == 498
    b.per_item["map@r"][5] = np.nan
    frame = compare([a], [b], metrics=["map@r"])
    assert frame["reason"][0] == "scored items differ: 498 and 497"


def test_metrics_that_are_not_there(retrieval):
    frame = compare([retrieval("a")], [retrieval("b")], metrics=["accuracy", "map@r"])
    assert frame["metric"].tolist() == ["accuracy", "map@r"]
    assert frame["reason"][0] == "neither A nor B has its score of every task, query or image"
    assert frame["p"].notna().tolist() == [False, True]


def test_a_metric_that_only_one_side_has_is_said(knn):
    a, b = knn("a"), knn("b")
    del b.per_item["top5"]
    frame = compare([a], [b])
    assert frame["metric"].tolist() == ["top1", "top5"]
    assert frame["reason"][1] == "B does not have its score of every task, query or image"
    assert "Top-5: a with knn,k=20 and b with knn,k=20: B does not have" in render_comparison(frame)


def test_a_metric_that_is_not_known_is_said_and_not_left_out(knn):
    sides = [knn("a"), knn("b")]
    for side in sides:
        side.per_item["top9"] = side.per_item["top5"]
    frame = compare(*([side] for side in sides)).set_index("metric")
    assert frame["p"].notna().to_dict() == {"top1": True, "top5": True, "top9": False}
    assert "does not know" in frame.loc["top9", "reason"]
    assert compare([sides[0]], [sides[1]], metrics=["top9"])["p"].notna().all()


def test_records_without_a_metric_to_compare_say_which_they_have(retrieval):
    sides = [retrieval("a"), retrieval("b")]
    for side in sides:
        for metric in ("recall@1", "map@r"):
            del side.per_item[metric]
    (reason,) = compare([sides[0]], [sides[1]])["reason"]
    assert reason == "only metrics that are not compared by default: recall@2, recall@4, recall@8"


def test_several_records_that_fit_are_ambiguous_and_listed(fewshot):
    a = [fewshot("a", "ncm")]
    b = [fewshot("b", "ncm", resolution=side) for side in (112, 224)] + [fewshot("c", "lr")]
    frame = compare(a, b)
    assert frame["p"].isna().all()
    listed = "b with ncm [resolution=112], b with ncm [resolution=224]"
    assert frame["reason"].tolist() == [
        f"ambiguous: 2 records of B fit: {listed}",
        f"ambiguous: 2 records of B fit a with ncm of A: {listed}",
        f"ambiguous: 2 records of B fit a with ncm of A: {listed}",
        "no counterpart in A",
    ]
    assert compare(b, a)["reason"].tolist()[-1] == f"ambiguous: 2 records of A fit: {listed}"
    markdown = render_comparison(frame)
    assert f"5-way 1-shot: A: a with ncm: ambiguous: 2 records of B fit: {listed}" in markdown


def test_a_long_list_of_what_fits_is_cut_and_counted(fewshot):
    b = [fewshot(f"b{index}", "ncm") for index in range(9)]
    assert compare([fewshot("a", "ncm")], b)["reason"][0].endswith("b5 with ncm and 3 more")


def test_equal_models_at_several_resolutions_pair_with_their_equals(fewshot):
    a, b = (
        [fewshot("a", resolution=side, mean=side + gain) for side in sides]
        for sides, gain in (((112, 224), 0), ((224, 112), 1))
    )
    frame = compare(a, b)
    assert frame["difference"].tolist() == pytest.approx([-1, -1])


def test_the_latest_of_several_runs_of_one_experiment_is_compared(fewshot):
    runs = [fewshot("b", mean=40 + day, created=f"2026-01-0{day}") for day in (2, 3, 1)]
    frame = compare([fewshot("a")], runs)
    assert frame["mean_b"].tolist() == pytest.approx([43])


def test_an_empty_side_is_an_error(fewshot):
    with pytest.raises(InputError, match="A has 1 records, B has 0"):
        compare([fewshot()], [])


def test_markdown_of_a_comparison(fewshot):
    a, b = paired(4, 3.0)
    frame = compare(
        [fewshot("pixels", "ncm", values=a), fewshot("pixels", "lr", 5)],
        [fewshot("dino", "ncm", values=b), fewshot("dino", "lr", 5, task_hash="other")],
    )
    markdown = render_comparison(frame)
    line = next(line for line in markdown.splitlines() if line.startswith("| ncm"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    difference, half_width = map(float, cells[6].replace("−", "-").split("±"))
    oracle = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert cells[:4] == ["ncm", "pixels", "dino", "5-way 1-shot"]
    assert (difference, half_width) == pytest.approx(
        ((a - b).mean(), (oracle.high - oracle.low) / 2), abs=6e-3
    )
    assert cells[7:] == ["tasks", "<0.001", "B better"]
    assert "± over tasks in 1 row: A and B have none over images." in markdown
    assert "± and p: paired t-test over the same tasks. Holm over 1 tests." in markdown
    assert "pixels with lr and dino with lr: task hash differs: tasks and other" in markdown
    assert "Holm over 1 tests" in markdown


def tuned_from(scored, base, **changes):
    """The record as that of a model tuned from the model of `base`."""
    model = base.record.experiment.model
    facts = {"base_model": model.spec, "base_weights_sha256": model.weights_sha256}
    tuning = {**facts, "pooling": model.pooling, "loss": "margin"} | changes
    tuned = replace(scored.record.experiment.model, pooling="head", tuning=tuning)
    experiment = replace(scored.record.experiment, model=tuned)
    return replace(scored, record=replace(scored.record, experiment=experiment))


def test_every_tuned_model_is_compared_with_its_own_base_model(retrieval):
    bases = [retrieval("small", {1: 60.0}), retrieval("large", {1: 70.0})]
    small, large = bases
    tuned = [
        tuned_from(retrieval("small+margin", {1: 66.0}), small),
        tuned_from(retrieval("small+proxy-nca", {1: 63.0}), small),
        tuned_from(retrieval("large+margin", {1: 70.0}), large),
        tuned_from(retrieval("lost+margin", {1: 70.0}), large, base_weights_sha256="0" * 64),
    ]
    frame = compare_tuned([*bases, *tuned], ["recall@1"])
    found = frame[["model_a", "model_b", "difference"]].to_dict("records")[:3]
    assert [(f["model_a"], f["model_b"], round(f["difference"], 6)) for f in found] == [
        ("small", "small+margin", -6.0),
        ("small", "small+proxy-nca", -3.0),
        ("large", "large+margin", 0.0),
    ]
    assert list(frame["verdict"])[:2] == ["B better", "B better"]
    assert (frame["p_holm"][:2] >= 2 * frame["p"][:2]).all()  # corrected together
    assert frame["reason"].iloc[3] == "no record of its base model as it is frozen"


def test_base_models_on_other_images_are_not_compared(retrieval):
    base = retrieval("small", {1: 60.0}, dataset="cars", title="Cars-196")
    (row,) = compare_tuned([base, tuned_from(retrieval("tuned"), base)]).to_dict("records")
    assert row["verdict"] == "not comparable"
    with pytest.raises(InputError, match="none of the 1 records is of a tuned model"):
        compare_tuned([base])
