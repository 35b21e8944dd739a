"""Against a plain float64 loop over the published formulas, which sorts in full."""

import pickle
import re

import h5py
import numpy as np
import pytest
import torch

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.retrieval import evaluate_revisited
from lowlabel.retrieval.ranking.numba_counter import NumbaCounter
from lowlabel.retrieval.ranking.torch_counter import TorchCounter

COUNTER_FOR = "lowlabel.retrieval.ranking.database.counter_for"
MODES = {
    "easy": (("easy",), ("hard", "junk")),
    "medium": (("easy", "hard"), ("junk",)),
    "hard": (("hard",), ("easy", "junk")),
}


def loop_scores(similarity, entry, mode, ties, ks=(1, 5, 10)):
    """AP and mP@k in percent of one query; None without a positive."""
    positive, ignored = ({int(i) for kind in kinds for i in entry[kind]} for kinds in MODES[mode])
    if not positive:
        return None
    tie_key = {
        "pessimistic": lambda i: i in positive,
        "optimistic": lambda i: i not in positive,
        "index": lambda i: i,
    }[ties]
    kept = [i for i in range(len(similarity)) if i not in ignored]
    order = sorted(kept, key=lambda i: (-round(similarity[i], 12), tie_key(i), i))
    ranks = [rank for rank, i in enumerate(order) if i in positive]
    area = 0.0
    for j, rank in enumerate(ranks):
        left = 1.0 if rank == 0 else j / rank
        area += (left + (j + 1) / (rank + 1)) / 2 / len(ranks)
    scores = {f"map_{mode}": 100 * area}
    for k in ks:
        first = min(max(ranks) + 1, k)
        scores[f"mp@{k}_{mode}"] = 100 * sum(rank < first for rank in ranks) / first
    return scores


def loop(query, database, truth, ties="pessimistic"):
    """Per-query scores by metric, NaN where a query has no positive."""
    q, g = (np.asarray(x, np.float64) for x in (query, database))
    similarity = (q / np.linalg.norm(q, axis=1)[:, None]) @ (
        g / np.linalg.norm(g, axis=1)[:, None]
    ).T
    kept = [i for i, entry in enumerate(truth) if len(entry["easy"]) + len(entry["hard"])]
    found = {}
    for mode in MODES:
        rows = [loop_scores(similarity[i], truth[i], mode, ties) for i in kept]
        names = next((row for row in rows if row), {})
        for name in names:
            found[name] = np.array([row[name] if row else np.nan for row in rows])
    return found


def assert_equals_loop(result, expected):
    assert result.per_query.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(result.per_query[name], values, rtol=1e-12, err_msg=name)
        assert result.metrics[name] == pytest.approx(np.nanmean(values), rel=1e-12)


def make(queries=25, images=400, width=16, seed=0, most=30):
    """Queries near their positives; some have none of a kind, one has none at all."""
    rng = np.random.default_rng(seed)
    gallery = rng.standard_normal((images, width)).astype(np.float32)
    query, truth = rng.standard_normal((queries, width)).astype(np.float32), []
    for number in range(queries):
        sizes = rng.integers(0, most, 3) if number else (0, 0, 5)
        labelled = rng.permutation(images)[: sum(sizes)]
        easy, hard, junk = np.split(labelled, np.cumsum(sizes)[:2])
        gallery[easy] += 0.9 * query[number]
        gallery[hard] += 0.5 * query[number]
        truth.append({"bbx": [0, 0, 9, 9], "easy": easy, "hard": hard, "junk": junk})
    distractors = rng.standard_normal((700, width)).astype(np.float32)
    return query, gallery, truth, distractors


@pytest.mark.slow
@pytest.mark.parametrize("ties", ["pessimistic", "optimistic", "index"])
@pytest.mark.parametrize("seed", [0, 1])
def test_equals_a_plain_loop(ties, seed):
    query, gallery, truth, distractors = make(seed=seed)
    result = evaluate_revisited(query, gallery, truth, distractors=distractors, ties=ties)
    assert_equals_loop(result, loop(query, np.vstack([gallery, distractors]), truth, ties))
    kept = [i for i, entry in enumerate(truth) if len(entry["easy"]) + len(entry["hard"])]
    assert result.query_index.tolist() == kept
    assert (result.lone, result.queries) == (25 - len(kept), len(kept))
    assert 0 not in kept and result.lone_queries == "exclude"


@pytest.mark.slow
@pytest.mark.parametrize("ties", ["pessimistic", "optimistic", "index"])
def test_ties_and_duplicates_go_by_their_policy(ties):
    rng = np.random.default_rng(0)
    points = rng.standard_normal((12, 6)).astype(np.float32)
    query = points[rng.integers(0, 12, 20)]
    gallery = points[rng.integers(0, 12, 150)] * np.float32(2) ** rng.integers(-3, 4, (150, 1))
    truth = [
        dict(zip(("easy", "hard", "junk"), np.split(rng.permutation(150)[:24], 3), strict=True))
        for _ in query
    ]
    distractors = points[rng.integers(0, 12, 60)]
    result = evaluate_revisited(query, gallery, truth, distractors=distractors, ties=ties)
    assert_equals_loop(result, loop(query, np.vstack([gallery, distractors]), truth, ties))


@pytest.mark.parametrize(("ties", "score"), [("pessimistic", None), ("optimistic", 100.0)])
def test_constant_embeddings_score_as_the_ties_say(ties, score):
    query, gallery, truth, distractors = make()
    ones = [np.ones_like(x) for x in (query, gallery, distractors)]
    result = evaluate_revisited(ones[0], ones[1], truth, distractors=ones[2], ties=ties)
    if score is None:
        assert max(result.metrics[f"mp@10_{mode}"] for mode in MODES) == 0
        assert result.metrics["map_medium"] < 3
    else:
        assert set(result.metrics.values()) == {score}


def test_perfect_embeddings_score_100_and_junk_does_not_count():
    gallery = np.eye(6)
    query = np.array([[9.0, 3, 2, 1, 0, 0]])  # falling: junk, easy, hard, easy, then the rest
    truth = [{"easy": [1, 3], "hard": [2], "junk": [0]}]
    assert set(evaluate_revisited(query, gallery, truth, ks=(1, 3)).metrics.values()) == {100.0}
    with_negative = [{"easy": [1, 3], "hard": [2], "junk": []}]
    result = evaluate_revisited(query, gallery, with_negative, ks=(1, 3))
    assert result.metrics["mp@1_medium"] == 0


@pytest.mark.parametrize(("place", "score"), [(0, 100), (1, 25), (2, 100 / 6), (3, 12.5)])
def test_one_positive_scores_the_trapezoid_under_its_rank(place, score):
    query, gallery = np.array([[9.0, 7, 5, 3, 1]]), np.eye(5)
    truth = [{"easy": [place], "hard": [], "junk": []}]
    result = evaluate_revisited(query, gallery, truth, ks=(1, 5))
    assert result.metrics["map_easy"] == pytest.approx(score)
    assert result.metrics["mp@5_easy"] == pytest.approx(100 / (place + 1))
    assert "map_hard" not in result.metrics
    assert np.isnan(result.ci95["map_easy"])


@pytest.mark.parametrize("block_size", [1, 7, 128, None])
def test_distractors_in_many_blocks_and_sources_equal_all_at_once(tmp_path, block_size):
    query, gallery, truth, distractors = make()
    expected = evaluate_revisited(query, np.vstack([gallery, distractors]), truth)
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file["features"] = distractors[:333]
    with h5py.File(tmp_path / "d.h5") as file:
        sources = [file["features"], torch.from_numpy(distractors[333:500]), distractors[500:]]
        seen = []
        result = evaluate_revisited(
            query,
            gallery,
            truth,
            distractors=sources,
            block_size=block_size,
            progress=lambda *counts: seen.append(counts),
        )
    for name, values in expected.per_query.items():
        np.testing.assert_array_equal(result.per_query[name], values)
    assert seen[-1] == (1100, 1100)


class Watched:
    """A source that leaves rows out and notes how many are asked for at once."""

    def __init__(self, rows, broken):
        self.rows, self.broken, self.asked = rows, broken, []

    @property
    def shape(self):
        return self.rows.shape

    def __getitem__(self, span):
        self.asked.append(span.stop - span.start)
        index = np.arange(len(self.rows))[span]
        return self.rows[index[~np.isin(index, self.broken)]]


def test_a_source_is_read_once_in_blocks_and_may_leave_rows_out():
    query, gallery, truth, distractors = make()
    broken = [0, 5, *range(100, 150)]
    source = Watched(distractors, broken)
    result = evaluate_revisited(query, gallery, truth, distractors=source, block_size=50)
    assert source.asked == [50] * 14
    expected = evaluate_revisited(
        query, gallery, truth, distractors=np.delete(distractors, broken, axis=0)
    )
    assert result.metrics == expected.metrics


@pytest.mark.parametrize("scale", [1e-25, 1.0, 1e25])
def test_lengths_do_not_matter(scale):
    query, gallery, truth, distractors = make()
    lengths = np.random.default_rng(0).uniform(1, 9, (len(gallery), 1)).astype(np.float32)
    expected = evaluate_revisited(query, gallery, truth, distractors=distractors)
    scaled = gallery * lengths * np.float32(scale)
    result = evaluate_revisited(3 * query, scaled, truth, distractors=distractors.astype("f8"))
    assert result.metrics == pytest.approx(expected.metrics, rel=1e-12)


def test_order_of_queries_and_gallery_does_not_matter():
    query, gallery, truth, distractors = make()
    rng = np.random.default_rng(1)
    queries, images = rng.permutation(len(query)), rng.permutation(len(gallery))
    place = images.argsort()
    moved = [{kind: place[truth[q][kind]] for kind in ("easy", "hard", "junk")} for q in queries]
    expected = evaluate_revisited(query, gallery, truth, distractors=distractors)
    result = evaluate_revisited(query[queries], gallery[images], moved, distractors=distractors)
    assert result.metrics == pytest.approx(expected.metrics, rel=1e-12)
    kept = [queries[row] for row in result.query_index]
    by_query = dict(zip(expected.query_index, expected.per_query["map_medium"], strict=True))
    np.testing.assert_allclose(result.per_query["map_medium"], [by_query[q] for q in kept])


def test_a_transform_is_applied_to_everything():
    query, gallery, truth, distractors = make()
    turn = np.random.default_rng(2).standard_normal((16, 5)).astype(np.float32)
    expected = evaluate_revisited(
        query @ turn, gallery @ turn, truth, distractors=distractors @ turn
    )
    result = evaluate_revisited(
        query,
        gallery,
        truth,
        distractors=distractors,
        transform=lambda rows: rows @ torch.from_numpy(turn),
    )
    assert result.metrics == pytest.approx(expected.metrics, abs=0.2)
    assert (
        result.metrics["map_medium"]
        < evaluate_revisited(query, gallery, truth).metrics["map_medium"]
    )


def test_counters_agree(monkeypatch):
    query, gallery, truth, distractors = make()
    expected = evaluate_revisited(query, gallery, truth, distractors=distractors)
    monkeypatch.setattr(COUNTER_FOR, lambda device: TorchCounter)
    result = evaluate_revisited(query, gallery, truth, distractors=distractors)
    assert result.metrics == expected.metrics


@pytest.mark.parametrize(("shift", "dtype"), [(0, torch.float32), (1000, torch.float64)])
def test_products_are_float64_where_float32_cannot_tell(monkeypatch, shift, dtype):
    seen = set()

    class Watching(NumbaCounter):
        def count(self, block, *arguments):
            seen.add(block.dtype)
            super().count(block, *arguments)

    monkeypatch.setattr(COUNTER_FOR, lambda device: Watching)
    query, gallery, truth, distractors = make()
    query, gallery, distractors = (np.float32(shift) + x for x in (query, gallery, distractors))
    result = evaluate_revisited(query, gallery, truth, distractors=distractors)
    assert seen == {dtype}
    expected = loop_by_pairs(query, np.vstack([gallery, distractors]), truth)
    assert result.metrics["map_medium"] == pytest.approx(expected, rel=1e-9)


def loop_by_pairs(query, database, truth):
    """Medium mAP from float64 products; gaps there are far above the loop's 12 digits."""
    q, g = (x.astype(np.longdouble) for x in (query, database))
    q, g = (x / np.sqrt((x**2).sum(1, keepdims=True)) for x in (q, g))
    values = []
    for number, entry in enumerate(truth):
        similarity = (g * q[number]).sum(1) - 1
        scores = loop_scores((1e5 * similarity).tolist(), entry, "medium", "pessimistic")
        values += [scores["map_medium"]] if scores else []
    return np.mean(values)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["roxford5k", "rparis6k"])
def test_published_ground_truth(real_data, name):
    path = real_data.parent / "lists" / "revisited" / f"gnd_{name}.pkl"
    truth = pickle.loads(path.read_bytes())["gnd"]
    images = {"roxford5k": 4993, "rparis6k": 6322}[name]
    rng = np.random.default_rng(0)
    query = rng.standard_normal((70, 8)).astype(np.float32)
    gallery = rng.standard_normal((images, 8)).astype(np.float32)
    for number, entry in enumerate(truth):
        gallery[entry["easy"]] += query[number]
        gallery[entry["hard"]] += 0.5 * query[number]
    result = evaluate_revisited(query, gallery, truth)
    assert_equals_loop(result, loop(query, gallery, truth))
    assert np.isnan(result.per_query["map_easy"]).sum() == {"roxford5k": 2, "rparis6k": 0}[name]


def truth_of(**lists):
    return [{"easy": [0], "hard": [1], "junk": [2]} | lists]


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        (
            truth_of(easy=[0, 7, 9]),
            "ground_truth[0]['easy'] names 2 images that do not exist, the first 7: "
            "the gallery has 5",
        ),
        (truth_of(junk=[-1]), "names 1 images that do not exist, the first -1"),
        (truth_of(hard=[0]), "ground_truth[0] names image 0 more than once among easy, hard, junk"),
        (truth_of(easy=[0.5]), "ground_truth[0]['easy'] is float64 (1,), not a list of integers"),
        ([{"easy": [0], "junk": []}], "ground_truth[0] has no 'hard'; it has: easy, junk"),
        (truth_of() * 2, "the ground truth has 2 entries for 1 queries"),
        (truth_of(easy=[], hard=[]), "none of the 1 queries has an image to find"),
    ],
)
def test_bad_ground_truth(truth, message):
    query, gallery, *_ = make(1, 5, most=1)
    with pytest.raises(InputError, match=re.escape(message)):
        evaluate_revisited(query, gallery, truth, ks=(1,))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"distractors": np.ones(16)}, "distractors[0] is of shape (16,), not a matrix"),
        ({"distractors": ["d.h5"]}, "distractors[0] is str, not a matrix"),
        (
            {"distractors": np.full((3, 16), np.nan)},
            "3 of 3 rows of distractors[0] from row 0 on hold NaN",
        ),
        ({"query": np.zeros((1, 16))}, "1 of 1 rows of query features are all zero"),
        ({"ks": (6,)}, "ks=6 exceeds the 5 gallery images"),
    ],
)
def test_bad_input(arguments, message):
    query, gallery, *_ = make(1, 5, most=1)
    fitting = {"query": query, "gallery": gallery, "ground_truth": truth_of(), "ks": (1,)}
    with pytest.raises(InputError, match=re.escape(message)):
        evaluate_revisited(**fitting | arguments)


def test_unknown_tie_policy():
    query, gallery, *_ = make(1, 5, most=1)
    with pytest.raises(UnknownNameError, match="tie policy"):
        evaluate_revisited(query, gallery, truth_of(), ties="random", ks=(1,))


def test_feature_files_of_two_models_do_not_mix(tmp_path):
    query, gallery, truth, distractors = make()
    key = '{"model": "timm:%s", "pooling": "cls", "part": "%s"}'
    with h5py.File(tmp_path / "a.h5", "w") as a, h5py.File(tmp_path / "b.h5", "w") as b:
        a["features"], b["features"] = gallery, distractors
        a.attrs["key"], b.attrs["key"] = key % ("x", "gallery"), key % ("y", "rest")
        with pytest.raises(InputError, match="model timm:x against timm:y"):
            evaluate_revisited(query, a["features"], truth, distractors=b["features"])
        b.attrs["key"] = key % ("x", "rest")
        result = evaluate_revisited(query, a["features"], truth, distractors=b["features"])
    assert (
        result.metrics == evaluate_revisited(query, gallery, truth, distractors=distractors).metrics
    )
