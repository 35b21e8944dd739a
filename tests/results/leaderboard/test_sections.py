from dataclasses import replace

import pytest

from lowlabel.errors import InputError
from lowlabel.results.experiment import Counts, Partial, ProtocolInfo
from lowlabel.results.labels import distinctions
from lowlabel.results.leaderboard import leaderboard
from lowlabel.results.record import Score
from lowlabel.results.scores import scores_frame
from lowlabel.specs import natural_order


def board(*scored):
    return leaderboard([one.record for one in scored])


def only(*scored):
    (section,) = board(*scored)
    return section


def test_models_and_methods_down_shots_across(fewshot):
    section = only(
        fewshot("pixels", "ncm", 5, 45),
        fewshot("pixels", "ncm", 1, 30),
        fewshot("pixels", "lr", 1, 32),
        fewshot("dino", "ncm", 1, 80),
        fewshot("dino", "ncm", 5, 90),
    )
    frame = section.tables[0].frame
    assert list(frame.columns) == ["Model", "Method", "5-way 1-shot", "5-way 5-shot"]
    assert list(frame["Model"]) == ["dino", "pixels", "pixels"]
    assert list(frame["Method"]) == ["ncm", "lr", "ncm"]
    assert [cell.split("±")[0] for cell in frame["5-way 1-shot"]] == ["80.00", "32.00", "30.00"]
    assert frame["5-way 5-shot"][1] == ""  # never run


HIDDEN = "Top-5 of five classes or fewer is not shown: five guesses are all of them."


@pytest.mark.parametrize(("classes", "shown"), [(2, False), (5, False), (6, True)])
def test_top_5_of_five_classes_is_left_out_and_said_once(knn, classes, shown):
    every = [knn("a", k, 60, classes=classes) for k in (10, 20)]
    section = only(*every)
    columns = ["Model", "Method", "Top-1"] + ["Top-5"] * shown
    assert section.tables[0].frame.columns.tolist() == columns
    assert section.notes.count(HIDDEN) == (not shown)
    assert any("among five guesses" in note for note in section.notes) == shown
    frame = scores_frame([one.record for one in every])
    assert frame.metric.tolist() == ["top1", "top5"] * 2  # the CSV has what records have


def test_top_5_is_left_out_for_the_budgets_of_few_classes(knn):
    many, few = (knn("a", 20, 60).record for _ in range(2))
    e = replace(many.experiment, suite="label-budget", protocol=ProtocolInfo("per class 1", 1))
    many = replace(many, experiment=e, counts={"classes": 20})
    e = replace(e, protocol=ProtocolInfo("per class 2", 1))
    few = replace(few, experiment=e, counts={"classes": 4})
    (section,) = leaderboard([many, few])
    top1, top5 = (table.frame.columns.tolist()[2:] for table in section.tables)
    assert (top1, top5) == (["1 per class", "2 per class"], ["1 per class"])
    assert HIDDEN in section.notes


def test_an_incomplete_run_is_blank_and_never_best(fewshot):
    table = only(fewshot("a", mean=99, complete=False), fewshot("b", mean=50)).tables[0]
    assert table.frame.set_index("Model")["5-way 1-shot"]["a"] == "–"
    assert [table.frame["Model"][row] for row, _ in table.bold] == ["b"]


def test_an_incomplete_run_is_missing_in_the_long_form(fewshot):
    frame = scores_frame([fewshot("a", mean=99, complete=False).record, fewshot("b").record])
    assert frame.set_index("model")["mean"].isna().to_dict() == {"a": True, "b": False}
    assert frame["mean"].mean() == pytest.approx(60)


def test_best_of_inductive_and_transductive_without_the_contaminated(fewshot):
    table = only(
        fewshot("a", "ncm", mean=50),
        fewshot("a", "lr", mean=61),
        fewshot("a", "pt-map", mean=70, transductive=True),
        fewshot("a", "tim", mean=60, transductive=True),
        fewshot("b", "ncm", mean=90, contamination=("saw the test classes",)),
    ).tables[0]
    bold = {(table.frame["Model"][row], table.frame["Method"][row]) for row, _ in table.bold}
    assert bold == {("a", "lr"), ("a", "pt-map ᵀ")}
    assert list(table.frame["Model"]) == ["b †", "a", "a", "a", "a"]
    assert list(table.frame["Method"])[1:] == ["lr", "ncm", "pt-map ᵀ", "tim ᵀ"]


def test_marks_are_explained_only_where_they_occur(fewshot):
    plain = "\n".join(only(fewshot()).notes)
    marked = "\n".join(
        only(
            fewshot("a", transductive=True),
            fewshot("b", contamination=("saw the test classes",)),
            fewshot("c", complete=False),
        ).notes
    )
    for note in ("ᵀ transductive", "† contaminated, never bold: saw the test classes", "– incomp"):
        assert note in marked
        assert note not in plain


def test_partial_data_show_both_counts_and_the_honest_title(fewshot):
    partial = (Partial("base", Counts(19_200, 64), Counts(38_400, 64)),)
    section = only(fewshot(title="CIFAR-FS, half of the base images", partial=partial))
    assert "CIFAR-FS, half of the base images" in section.title
    assert "base 19,200 of 38,400 images (64 of 64 classes)" in section.notes[0]


def test_protocols_never_share_a_column(fewshot):
    section = only(fewshot(tasks=100), fewshot(tasks=200), fewshot(tasks=200, version=2))
    frame = section.tables[0].frame
    assert list(frame.columns)[2:] == [
        "5-way 1-shot [version=1, tasks=100]",
        "5-way 1-shot [version=1, tasks=200]",
        "5-way 1-shot [version=2, tasks=200]",
    ]
    assert len(frame) == 1


def test_retrieval_protocols_have_sections_of_their_own(retrieval):
    titles = [s.title for s in board(retrieval(), retrieval(protocol="classification-split"))]
    assert titles == [
        "Retrieval: CUB-200-2011 (dml-zeroshot, test)",
        "Retrieval: CUB-200-2011 (dml-zeroshot, test, classification-split)",
    ]


def test_datasets_of_one_name_are_told_apart(fewshot):
    titles = [s.title for s in board(fewshot(), fewshot(manifest_sha256="0" * 64))]
    assert len(set(titles)) == 2
    assert "Few-shot classification: CIFAR-FS (bertinetto, novel) [manifest=00000000]" in titles
    broken = board(fewshot(), fewshot(bad_images=2))
    assert [s.title[-14:] for s in broken] == ["[bad_images=0]", "[bad_images=2]"]
    assert "Images that could not be read and were left out: 2." in broken[1].notes
    schemes = board(fewshot(scheme="a"), fewshot(scheme="b"))
    assert [s.title[-10:] for s in schemes] == ["(a, novel)", "(b, novel)"]


def test_models_of_one_name_are_told_apart(fewshot):
    frame = only(fewshot("dino"), fewshot("dino", resolution=112, mean=50)).tables[0].frame
    assert list(frame["Model"]) == ["dino [resolution=224]", "dino [resolution=112]"]


def test_notes_on_the_weights_split_no_row(fewshot):
    runs = fewshot("a"), fewshot("a", shots=5, mean=70, notes=("loaded teacher, not student",))
    frame = only(*runs).tables[0].frame
    assert len(frame) == 1
    assert list(frame["Model"]) == ["a"]


def test_methods_of_one_name_are_told_apart_by_their_options(fewshot):
    warm, cold = ({"k": 20, "temperature": value} for value in (0.07, 0.01))
    runs = fewshot("dino", method_options=warm), fewshot("dino", method_options=cold, mean=50)
    frame = only(*runs).tables[0].frame
    assert list(frame["Model"]) == ["dino [temperature=0.07]", "dino [temperature=0.01]"]


def test_the_later_of_two_runs_counts(fewshot):
    old = fewshot(mean=60, created="2026-01-01T00:00:00+00:00")
    new = fewshot(mean=61, created="2026-01-03T00:00:00+00:00")
    for order in ((old, new), (new, old)):
        assert only(*order).tables[0].frame["5-way 1-shot"][0].startswith("61.00")
        assert len(scores_frame([one.record for one in order])) == 1


def test_retrieval_metrics_in_their_order(retrieval):
    scores = {m: Score(50.0) for m in ("nmi", "recall@10", "mrr", "recall@2", "map", "map@r")}
    recall, ranking = only(retrieval(scores=scores)).tables[:2]
    assert list(recall.frame.columns)[2:] == ["R@2", "R@10"]
    assert list(ranking.frame.columns)[2:] == ["MAP@R", "mAP", "MRR", "NMI"]


def test_one_number_has_one_column(retrieval):
    scores = {m: Score(50.0) for m in ("precision@1", "precision@5", "recall@1", "map")}
    assert list(only(retrieval(scores=scores)).tables[1].frame.columns)[2:] == ["mAP", "P@5"]
    del scores["recall@1"]
    frame = only(retrieval(scores=scores)).tables[0].frame
    assert list(frame.columns)[2:] == ["mAP", "P@1", "P@5"]


def test_published_numbers_stand_beside_and_below(retrieval):
    section = only(retrieval(), retrieval("pixels", {1: 10.0, 2: 20.0, 4: 30.0, 8: 40.0}))
    beside = next(t.frame for t in section.tables if t.caption.startswith("Beside"))
    assert beside.iloc[0].to_dict() == {
        "Model": "dino_vits16", "Method": "cosine", "Score": "R@1", "Ours": "71.00±3.98",
        "Published": "71.20", "Δ": "−0.20", "Source": "SSL-ViT table 2",
    }  # fmt: skip
    published = next(t.frame for t in section.tables if t.caption.startswith("Published"))
    scores = ["R@1", "R@2", "R@4", "R@8"]
    told = ["Method", "Embedder", "Pretraining"]
    assert list(published.columns) == [*told, *scores, "Here", "Conditions", "Source"]
    margin = published[(published["Method"] == "Margin") & (published["Embedder"] == "ViT-S/16")]
    assert list(margin["R@1"]) == ["81.11"]
    assert list(margin["Here"]) == ["not run"]
    rows = published[published["Source"] == "SSL-ViT table 2"]
    frozen = rows[rows["Embedder"] == "ViT-S/16 (DINO)"].iloc[0]
    assert (frozen["Method"], frozen["Here"]) == ("frozen", "reproduced")


def test_a_number_that_is_missed_is_not_reproduced(retrieval):
    published = only(retrieval(recalls={1: 60.0})).tables[-1].frame
    rows = published[published["Source"] == "SSL-ViT table 2"]
    frozen = rows[rows["Embedder"] == "ViT-S/16 (DINO)"].iloc[0]
    assert (frozen["Method"], frozen["Here"]) == ("frozen", "not reproduced")
    elsewhere = only(retrieval("pixels", {1: 10.0})).tables[-1].frame
    assert "Here" not in elsewhere


def test_a_difference_beyond_the_intervals_is_marked(retrieval):
    section = only(retrieval(recalls={1: 60.0}))
    beside = next(t.frame for t in section.tables if t.caption.startswith("Beside"))
    assert list(beside["Δ"]) == ["−11.20 *"]
    assert "* beyond the combined confidence intervals." in section.notes


def test_partial_data_stand_beside_nothing(retrieval):
    partial = (Partial("test", Counts(2_474, 42), Counts(5_924, 100)),)
    section = only(retrieval(partial=partial, title="CUB 100-class subset"))
    assert not any(table.caption.startswith("Beside") for table in section.tables)
    frame = scores_frame([retrieval(partial=partial).record])
    assert frame[["published", "delta", "beyond_ci"]].isna().all(axis=None)


def test_published_numbers_of_an_unstated_split_are_marked(fewshot):
    section = only(fewshot(dataset="cub", scheme="closerlook"))
    published = section.tables[-1].frame.set_index("Method")
    assert set(published["Source"]) == {
        *("SSL-ViT table 1", "SSL-ViT table 1 ‡", "BPA ‡", "Lafargue et al. ‡"),
    }
    assert published.loc["SSL-ViT-16 + DC", "Source"] == "SSL-ViT table 1 ‡"  # FRN's division
    assert published.loc["DC", "Source"] == "SSL-ViT table 1"
    assert any(note.startswith("‡") for note in section.notes)


def test_published_numbers_say_what_their_authors_ran(retrieval):
    published = only(retrieval()).tables[-1].frame
    conditions = published[published["Embedder"] == "ViT-S/16 (DINO)"].set_index("Source")
    frozen = conditions[conditions["Method"] == "frozen"]["Conditions"]
    assert frozen["SSL-ViT table 2"] == "pooling=cls, resize=256, crop=224, interpolation=bilinear"
    assert frozen["hyp_metric"] == "pooling=cls, resize=224, crop=224, interpolation=bicubic"
    resnet = published[(published["Embedder"] == "ResNet-50") & (published["Method"] == "frozen")]
    assert list(resnet["Conditions"]) == [
        "pooling=head, resize=256, crop=224, interpolation=bilinear"
    ]


def test_published_numbers_are_shown_by_what_their_tables_say(retrieval, fewshot):
    (section,) = leaderboard([retrieval().record], {"pretraining": "self-supervised"})
    beside, published = (table.frame for table in section.tables[-2:])
    assert list(beside["Published"]) == ["71.20"]
    assert set(published["Pretraining"]) == {"self-supervised"}
    assert set(published["Method"]) == {"frozen", "Margin", "Proxy-NCA", "Multi-Similarity"}
    (section,) = leaderboard([retrieval().record], {"pretraining": "supervised"})
    assert not any(table.caption.startswith("Beside") for table in section.tables)
    table = only(fewshot(dataset="mini-imagenet", scheme="ravi")).tables[-1].frame
    assert list(table.columns[:4]) == ["Method", "Embedder", "Self-supervised", "Meta-learned"]


def test_no_records_are_an_error():
    with pytest.raises(InputError, match="no records"):
        leaderboard([])


def test_numbers_in_names_sort_by_value():
    names = ["10-way 1-shot", "5-way 10-shot", "5-way 5-shot"]
    assert sorted(names, key=natural_order) == ["5-way 5-shot", "5-way 10-shot", "10-way 1-shot"]


def test_only_equal_names_are_told_apart_and_only_by_what_differs():
    facts = [{"a": 1, "b": 2}, {"a": 1, "b": 3}, {"a": 5, "b": 6}, {"a": 1, "b": 2}]
    assert distinctions(["x", "x", "y", "z"], facts) == [" [b=2]", " [b=3]", "", ""]
    assert distinctions(["x", "x"], [facts[0], facts[3]]) == ["", ""]


def test_what_models_were_tuned_on_is_said(retrieval):
    frozen, scored = retrieval("dino"), retrieval("dino+margin")
    tuning = {"tuned": "all", "dataset": "sop:dml-zeroshot", "loss": "margin,beta=1.2"}
    tuning |= {"layers": 1, "dimension": 128}
    model = replace(scored.record.experiment.model, tuning=tuning)
    record = replace(scored.record, experiment=replace(scored.record.experiment, model=model))
    (section,) = leaderboard([frozen.record, record])
    (note,) = (note for note in section.notes if note.startswith("Tuned:"))
    assert note == (
        "Tuned: dino+margin: all on sop:dml-zeroshot, margin,beta=1.2, 1 layers to 128 dimensions."
    )
    assert not any(note.startswith("Tuned:") for note in only(frozen).notes)
