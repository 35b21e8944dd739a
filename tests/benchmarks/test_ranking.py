"""Rankings made elsewhere have the scores of the embeddings that they come from."""

import hashlib
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from lowlabel.benchmarks import Request, make_plan, run_plan
from lowlabel.benchmarks.describe import describe_plan
from lowlabel.errors import InputError, UserError
from lowlabel.features import BackboneOptions

FORMATS = ("npz", "h5", "csv", "named.npz", "parquet")


def searched(data):
    """Every gallery image of each query, by float64 cosine, with its name and score."""
    unit = [
        table.features.astype(float) / np.linalg.norm(table.features.astype(float), axis=1)[:, None]
        for table in (data.evaluated, data.gallery or data.evaluated)
    ]
    cosines = np.round(unit[0] @ unit[1].T, 13)
    if data.gallery is None:
        np.fill_diagonal(cosines, 2)  # engines list the query itself first
    order = np.argsort(-cosines, axis=1, kind="stable")
    return order, np.take_along_axis(cosines, order, 1)


def write(kind, path, data, top=None):
    """The search as a file of one of the formats, with the queries in another order."""
    rows, scores = (each[:, :top] for each in searched(data))
    queries = np.array(data.images[data.evaluated_part].paths)
    gallery = np.array(data.images[data.gallery_part or data.evaluated_part].paths)
    order = np.random.default_rng(0).permutation(len(rows))
    if kind == "npz":
        np.savez(path, ranking=rows, scores=scores)
    elif kind == "named.npz":
        np.savez(path, ranking=gallery[rows[order]], scores=scores[order], queries=order)
    elif kind == "h5":
        with h5py.File(path, "w") as file:
            file["ranking"], file["scores"] = rows[order], scores[order]
            file["queries"] = [str(name) for name in queries[order]]
            file["gallery"] = [Path(str(name)).name if top else str(name) for name in gallery]
    else:
        table = pd.DataFrame(
            {
                "query": np.repeat(queries[order], rows.shape[1]),
                "image": gallery[rows[order]].ravel(),
                "score": scores[order].ravel(),
            }
        )
        table.to_csv(path, index=False) if kind == "csv" else table.to_parquet(path)
    return path


@pytest.fixture
def embedded(request_of):
    """Runs pixels on a dataset; its record, and the embeddings."""

    def run(suite, dataset, **changes):
        seen = []
        request = request_of(suite, dataset, **changes)
        outcome = run_plan(make_plan(request), request, lambda data, *_: seen.append(data))
        assert outcome.failures == []
        return outcome.records[-1], seen[-1]

    return run


@pytest.fixture
def ranked(request_of, tmp_path):
    """Scores a ranking of a dataset."""

    def run(suite, dataset, path, **changes):
        backbone = BackboneOptions(device="cpu")
        request = request_of(suite, dataset, model=(), backbone=backbone, ranking=path, **changes)
        outcome = run_plan(make_plan(request), request)
        if outcome.failures:
            raise outcome.failures[0]
        return outcome

    return run


def datasets(name, request):
    if name == "birds":
        return request.getfixturevalue("draw_birds")(20, 24)
    return request.getfixturevalue(name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suite", "name"),
    [("retrieval", "birds"), ("landmarks", "landmarks"), ("copies", "copies")],
)
def test_a_search_has_the_scores_of_its_model(suite, name, embedded, ranked, request, tmp_path):
    dataset = datasets(name, request)
    options = {"backbone": BackboneOptions("head", 4, device="cpu", scales=(1.0,))}
    record, data = embedded(suite, dataset, **options)
    for kind in FORMATS:
        path = write(kind, tmp_path / f"found.{kind}", data)
        (found,) = ranked(suite, dataset, path).records
        assert {m: s.mean for m, s in found.scores.items()} == pytest.approx(
            {m: s.mean for m, s in record.scores.items()}
        ), kind
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        assert found.experiment.model.spec == f"ranking:{path.name}"
        assert found.experiment.model.weights_sha256 == sha256
        assert sha256 in found.experiment.feature_keys.values()
        assert found.experiment.method.spec == "ranking"
        assert found.experiment.dataset == record.experiment.dataset
        shown = str(found.experiment.protocol.options["lists"])
        assert shown.endswith("with scores")
        assert f"--ranking {path.name}" in found.command


def test_short_lists_lose_map_and_say_their_length(draw_birds, embedded, ranked, tmp_path):
    dataset = draw_birds(20, 24)
    record, data = embedded("retrieval", dataset)
    path = write("csv", tmp_path / "top.csv", data, top=4)
    outcome = ranked("retrieval", dataset, path)
    (found,) = outcome.records
    assert found.experiment.protocol.options["lists"] == "3 images, with scores"
    assert not {"map", "mrr"} & {*found.scores}
    assert found.scores["recall@1"].mean == pytest.approx(record.scores["recall@1"].mean)
    assert found.scores["map@r"].mean <= record.scores["map@r"].mean + 1e-9
    assert any("K = 4" in note and "3 images" in note for note in outcome.left_out)
    with pytest.raises(InputError, match="ks=8 exceeds the 3 images in the shortest list"):
        ranked("retrieval", dataset, path, options={"k": (8,)})


def test_distractors_are_numbered_after_the_gallery(copies, draw_birds, ranked, tmp_path):
    """One distractor before each original: its average precision is a quarter."""
    rows = np.stack([np.full(8, 4 + 8), np.arange(8) // 2], axis=1)
    np.savez(tmp_path / "found.npz", ranking=rows)
    options = {"distractors": draw_birds(20, 24)}
    (found,) = ranked("copies", copies, tmp_path / "found.npz", options=options).records
    assert found.scores["map@20"].mean == pytest.approx(25.0)
    assert found.experiment.protocol.options["distractors"].startswith("folder:birds")
    assert found.experiment.protocol.options["lists"] == "2 images, with no scores"
    np.savez(tmp_path / "found.npz", ranking=rows + 1)  # beyond the nine distractors
    with pytest.raises(UserError, match=r"rows that .*birds"):
        ranked("copies", copies, tmp_path / "found.npz", options=options)


def test_the_plan_shows_the_lists(draw_birds, embedded, request_of, tmp_path):
    dataset = draw_birds(20, 24)
    _, data = embedded("retrieval", dataset)
    path = write("npz", tmp_path / "found.npz", data)
    backbone = BackboneOptions(device="cpu")
    request = request_of("all", dataset, model=(), backbone=backbone, ranking=path)
    plan = make_plan(request)
    assert [job.protocol.name for job in plan.jobs] == ["retrieval"]
    assert "9 lists of up to 9 images" in describe_plan(plan, request)


@pytest.fixture
def lists(draw_birds, embedded):
    """A dataset, its names, and a whole table of lists."""
    dataset = draw_birds(20, 24)
    _, data = embedded("retrieval", dataset)
    paths = list(data.images["test"].paths)
    table = pd.DataFrame(
        [(a, b, float(-place)) for a in paths for place, b in enumerate(paths) if a != b],
        columns=["query", "image", "score"],
    )
    return dataset, paths, table


WRONG = [
    (lambda t: t.replace({"image": {"test/crow/0.png": "owl.png"}}), "does not have: owl.png"),
    (lambda t: t.replace({"image": {"test/crow/0.png": "0.png"}}), "several images of"),
    (lambda t: t[t["query"] != "test/gull/1.png"], "no list for 1 of the 9 queries.*gull/1"),
    (lambda t: pd.concat([t, t[-1:]]), "names an image twice"),
    (lambda t: t.assign(score=-t.score), "has scores that rise"),
    (lambda t: t.assign(score=np.where(t.index == 3, np.nan, t.score)), "line 5 .*no number"),
    (lambda t: t.assign(query="crow/7.png"), "queries of lists.csv names 1 images"),
    (lambda t: t.drop(columns="image"), "no column image"),
    (lambda t: t.assign(rank=7), "line 3 of .* has the rank 7 after"),
    (lambda t: t.assign(rank="nan"), "line 2 of .* has the rank nan"),
]


@pytest.mark.parametrize(("change", "message"), WRONG, ids=lambda value: str(value)[:24])
def test_wrong_tables_are_refused_with_what_is_wrong(change, message, lists, ranked, tmp_path):
    dataset, _, table = lists
    change(table).to_csv(tmp_path / "lists.csv", index=False)
    with pytest.raises(UserError, match=message):
        ranked("retrieval", dataset, tmp_path / "lists.csv")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"ranking": np.tile(np.arange(9), (8, 1))}, "8 lists for the 9 queries"),
        ({"ranking": np.tile(np.arange(9), (9, 1)) + 1}, "has 9 rows .* such as 9"),
        ({"ranks": np.zeros((9, 9), int)}, "has no array ranking; it has: ranks"),
        ({"ranking": np.zeros((9, 9))}, "ranking is float64"),
        (
            {"ranking": np.tile(np.arange(9), (9, 1)), "scores": np.full((9, 9), np.nan)},
            "has a score that is NaN",
        ),
        (
            {"ranking": np.tile(np.arange(9), (9, 1)), "queries": np.zeros(9, int)},
            "1 queries twice",
        ),
        ({"ranking": np.tile(np.arange(9), (9, 1)), "gallery": np.arange(9)}, "not names"),
    ],
)
def test_wrong_arrays_are_refused(arrays, message, draw_birds, ranked, tmp_path):
    np.savez(tmp_path / "lists.npz", **arrays)
    with pytest.raises(UserError, match=message):
        ranked("retrieval", draw_birds(20, 24), tmp_path / "lists.npz")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"model": ("pixels",)}, "--model does not go with it"),
        ({"backbone": BackboneOptions("head", 4, device="cpu")}, "--pooling"),
        ({"options": {"dataset": ("demo", "cub")}}, "2 are named"),
        ({"options": {"dataset": ("demo",), "post": ("aqe:3",)}}, "--post changes embeddings"),
        ({"options": {"dataset": ("demo",), "search": "flat"}}, "--search needs embeddings"),
        ({"suite": "fewshot"}, "scores no ranking of demo"),
    ],
)
def test_what_needs_embeddings_is_refused(changed, message, tmp_path):
    np.savez(tmp_path / "lists.npz", ranking=np.zeros((1, 1), int))
    given = {
        "suite": "retrieval",
        "output": tmp_path,
        "ranking": tmp_path / "lists.npz",
        "options": {"dataset": ("demo",)},
        "backbone": BackboneOptions(device="cpu"),
    }
    with pytest.raises(InputError, match=message):
        make_plan(Request(**given | changed))
