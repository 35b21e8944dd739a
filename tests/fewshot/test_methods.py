import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import NearestCentroid
from sklearn.svm import LinearSVC

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.fewshot import METHODS, build_method, evaluate_fewshot

SPECS = [
    "ncm",
    "ncm,norm=l2n",
    "ncm,norm=cl2n",
    "cosine",
    "logreg",
    "logreg,norm=l2",
    "ridge",
    "ridge,norm=l2",
    "svm",
    "svm,norm=l2",
]


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def nearest(support, labels, query):
    with np.errstate(invalid="ignore"):  # its deviation within a class of one image
        return NearestCentroid().fit(support, labels).predict(query)


def nearest_by_loop(support, labels, query):
    means = [support[labels == way].mean(0) for way in range(labels.max() + 1)]
    return np.array([np.argmin([((q - mean) ** 2).sum() for mean in means]) for q in query])


def highest_cosine(support, labels, query):
    means = np.stack([support[labels == way].mean(0) for way in range(labels.max() + 1)])
    return (unit(query) @ unit(means).T).argmax(1)


def fitted(support, labels, query):
    model = LogisticRegression(C=0.5, tol=1e-8, max_iter=10_000)
    return model.fit(support, labels).predict(query)


def regressed(support, labels, query):
    return RidgeClassifier(alpha=3.0).fit(support, labels).predict(query)


def separated(support, labels, query):
    return LinearSVC(C=0.5, tol=1e-9, max_iter=100_000).fit(support, labels).predict(query)


def run(features, labels, method, **options):
    return evaluate_fewshot(features, labels, method=method, device="cpu", **options)


@pytest.mark.parametrize("shots", [1, 5])
@pytest.mark.parametrize(
    ("method", "transform", "predict"),
    [
        ("ncm", "none", nearest),
        ("ncm", "none", nearest_by_loop),
        ("ncm,norm=l2n", "l2", nearest),
        ("ncm,norm=cl2n", "cl2", nearest),
        ("cosine", "none", highest_cosine),
        ("logreg,c=0.5", "none", fitted),
        ("logreg,c=0.5,norm=l2", "l2", fitted),
        ("logreg,c=0.5,norm=tukey", "tukey", fitted),
        ("logreg,c=0.5,norm=tukey-l2", "tukey-l2", fitted),
        ("ridge,alpha=3", "none", regressed),
        ("ridge,alpha=3,norm=l2", "l2", regressed),
        ("ridge,alpha=3,norm=tukey", "tukey", regressed),
        ("svm,c=0.5", "none", separated),
        ("svm,c=0.5,norm=l2", "l2", separated),
        ("svm,c=0.5,norm=tukey-l2", "tukey-l2", separated),
    ],
)
def test_each_task_scores_what_a_plain_loop_finds(
    novel, base, oracle, method, transform, predict, shots
):
    features, labels = novel
    if "tukey" in transform:
        features = np.abs(features)
    exact = features.astype(np.float64)
    if transform == "cl2":
        exact = exact - base[0].astype(np.float64).mean(0)
    if "tukey" in transform:
        exact = exact**0.5
    if "l2" in transform:
        exact = unit(exact)
    expected = oracle(exact, labels, predict, shots=shots, tasks=60)
    result = run(features, labels, method, base=base, shots=shots, tasks=60)
    assert 25 < expected.mean() < 95
    assert np.abs(result.accuracies - expected).mean() < 0.1


@pytest.mark.parametrize(
    ("method", "peer", "normalization"),
    [
        ("ncm", "PrototypicalNetworks", None),
        ("ncm,norm=l2n", "PrototypicalNetworks", 2.0),
        ("cosine", "SimpleShot", None),
    ],
)
def test_easyfsl_finds_the_same(novel, oracle, method, peer, normalization):
    methods = pytest.importorskip("easyfsl.methods")

    def predict(support, labels, query):
        model = getattr(methods, peer)(feature_normalization=normalization)
        model.process_support_set(torch.tensor(support), torch.tensor(labels))
        return model(torch.tensor(query)).argmax(1).numpy()

    expected = oracle(*novel, predict, shots=5, tasks=50)
    result = run(*novel, method, shots=5, tasks=50)
    assert np.abs(result.accuracies - expected).mean() < 0.1


@pytest.mark.parametrize("method", SPECS)
def test_rotations_and_the_order_of_dimensions_do_not_matter(novel, base, method):
    random = np.random.default_rng(0)
    rotation = np.linalg.qr(random.normal(size=(24, 24)))[0]
    expected = run(*novel, method, base=base, shots=3, tasks=100).accuracies
    for turn in (rotation, np.eye(24)[random.permutation(24)]):
        turned, turned_base = novel[0] @ turn, base[0] @ turn
        result = run(turned, novel[1], method, base=(turned_base, base[1]), shots=3, tasks=100)
        assert np.abs(result.accuracies - expected).mean() < 0.1


@pytest.mark.parametrize(
    ("method", "change"),
    [
        ("ncm", lambda x: x + 100),
        ("ncm", lambda x: 7 * x),
        ("logreg", lambda x: x + 10),
        ("ncm,norm=l2n", lambda x: x * np.linspace(1, 9, len(x))[:, None]),
        ("ncm,norm=cl2n", lambda x: x + 3),
        ("logreg,norm=l2", lambda x: x * np.linspace(1, 9, len(x))[:, None]),
        ("cosine", lambda x: 7 * x),
    ],
)
def test_what_a_method_does_not_look_at(novel, method, change):
    expected = run(*novel, method, base=novel, shots=3, tasks=100).accuracies
    changed = change(novel[0]), novel[1]
    result = run(*changed, method, base=changed, shots=3, tasks=100)
    assert np.abs(result.accuracies - expected).mean() < 0.1


def test_options_change_the_outcome(novel, base):
    runs = {spec: run(*novel, spec, base=base, shots=5, tasks=50).accuracies for spec in SPECS}
    assert len({accuracies.tobytes() for accuracies in runs.values()}) == len(SPECS)


def test_with_one_shot_cosine_is_the_nearest_normalised_centroid(novel):
    cosine, ncm = (run(*novel, method, tasks=100) for method in ("cosine", "ncm,norm=l2n"))
    assert np.array_equal(cosine.accuracies, ncm.accuracies)


def test_a_large_offset_does_not_drown_the_distances(novel, oracle):
    shifted = (novel[0] + 1000).astype(np.float32)
    expected = oracle(shifted, novel[1], nearest, shots=5, tasks=60)
    result = run(shifted, novel[1], "ncm", shots=5, tasks=60)
    assert np.abs(result.accuracies - expected).mean() < 0.1


@pytest.mark.parametrize("method", SPECS)
@pytest.mark.parametrize("value", [0.0, 0.1, 1000 / 3])
@pytest.mark.parametrize(("ways", "shots", "queries"), [(5, 1, 15), (5, 5, 15), (3, 3, 7)])
def test_constant_embeddings_score_exactly_chance(method, value, ways, shots, queries):
    labels = np.arange(6).repeat(25)
    features = np.full((150, 37), value, dtype=np.float32)
    base = (features + 0.3, labels)
    options = {"ways": ways, "shots": shots, "queries": queries, "tasks": 70}
    result = run(features, labels, method, base=base, **options)
    assert (result.accuracies == 100 / ways).all()


@pytest.mark.parametrize("method", ["ncm", "cosine", "logreg", "ridge", "svm"])
@pytest.mark.parametrize("width", [3, 37, 384])
@pytest.mark.parametrize("ways", [2, 5, 20])
def test_classes_of_the_same_support_score_exactly_the_same(method, width, ways):
    random = torch.Generator().manual_seed(width)
    image = torch.randn(8, 1, 1, width, generator=random)
    query = torch.randn(8, 7, width, generator=random)
    scores = build_method(method).scores(image.expand(-1, ways, 3, -1), query, None)
    assert (scores == scores[..., :1]).all()


@pytest.mark.parametrize("method", SPECS)
def test_perfect_embeddings_score_exactly_100(method):
    labels = np.arange(6).repeat(25)
    result = run(np.eye(6)[labels], labels, method, base=(np.eye(6)[labels], labels), tasks=70)
    assert (result.accuracies == 100).all()


@pytest.mark.parametrize("method", SPECS)
def test_a_single_class_is_always_right(novel, base, method):
    result = run(*novel, method, base=base, ways=1, tasks=20)
    assert (result.accuracies == 100).all()


@pytest.mark.parametrize("spec", [*SPECS, "logreg,c=0.1", "logreg,c=2.0,norm=l2"])
def test_the_canonical_text_builds_the_method_again(spec):
    method = build_method(spec)
    assert method.spec == spec
    assert build_method(method.spec) == method


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("ncm,norm=none", "ncm"),
        ("logreg,norm=l2,c=1", "logreg,norm=l2"),
        ("logreg,c=2", "logreg,c=2.0"),
        ("ncm,norm=l2", "ncm,norm=l2n"),
        ("soft-kmeans,norm=l2", "soft-kmeans,norm=l2n"),
        ("tim,norm=l2", "tim"),
        ("logreg,norm=l2n", "logreg,norm=l2"),
        ("svm,norm=tukey-l2n", "svm,norm=tukey-l2"),
    ],
)
def test_one_method_has_one_text(given, canonical):
    assert build_method(given).spec == canonical


def test_all_options_are_told():
    assert build_method("logreg,norm=l2").options == {"c": 1.0, "norm": "l2"}


def test_only_what_centres_needs_the_base_classes(novel):
    assert [spec for spec in SPECS if build_method(spec).needs_base] == ["ncm,norm=cl2n"]
    with pytest.raises(InputError, match="ncm,norm=cl2n needs the base classes' features"):
        run(*novel, "ncm,norm=cl2n")
    with pytest.raises(InputError, match="needs the base"):
        build_method("ncm,norm=cl2n").transform(torch.ones(2, 3), None)


def test_every_method_says_what_it_is():
    for name, method in METHODS.items():
        assert method.name == name
        assert "arXiv" in (method.__doc__ or "")
    inductive = {name for name, method in METHODS.items() if not method.transductive}
    assert inductive == {"ncm", "cosine", "ridge", "logreg", "svm", "dc", "dc-sslvit"}


def test_an_unknown_method_gets_a_suggestion():
    with pytest.raises(UnknownNameError, match="Did you mean logreg"):
        build_method("logrek")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("ncm,nrom=l2n", "ncm has no option 'nrom'\nIts options: norm"),
        ("cosine,norm=l2", "cosine has no option 'norm'\nIts options: none"),
        ("ncm,norm=l1", "norm=l1 is not possible for ncm\nPossible: none, l2, l2n, cl2n"),
        ("ncm,norm=1", "norm=1 of ncm must be text"),
        ("logreg,c=high", "c=high of logreg must be a number"),
        ("logreg,c=True", "c=True of logreg must be a number"),
        ("logreg,c=0", "c=0.0 of logreg must be positive"),
        ("logreg,c=-1.5", "c=-1.5 of logreg must be positive"),
        ("logreg,c=1e999", "c=inf of logreg must be positive and finite"),
    ],
)
def test_options_that_are_not_possible(spec, message):
    with pytest.raises(InputError, match=message):
        build_method(spec)
