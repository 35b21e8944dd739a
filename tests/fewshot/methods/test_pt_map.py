import numpy as np
import pytest
import torch

from lowlabel.errors import InputError


@pytest.mark.slow
@pytest.mark.parametrize("shots", [1, 5])
@pytest.mark.parametrize(("method", "beta"), [("pt-map", 0.5), ("pt-map,beta=1", 1)])
def test_each_task_scores_what_a_plain_loop_finds(
    non_negative, assert_loop_agrees, plain, method, beta, shots
):
    def centred(x):
        x = plain.unit((x + 1e-6) ** beta if beta != 1 else x)
        return plain.unit(x - x.mean(0))

    def predict(support, labels, query):
        support, query = centred(support), centred(query)
        points, known = np.concatenate([support, query]), np.eye(labels.max() + 1)[labels]
        means = plain.means(support, labels)
        for _ in range(20):
            plan = plain.sinkhorn(plain.squared_distances(query, means), 10.0)
            weights = np.concatenate([known, plan])
            means = means + 0.2 * (weights.T @ points / weights.sum(0)[:, None] - means)
        return plain.sinkhorn(plain.squared_distances(query, means), 10.0).argmax(1)

    novel, base = non_negative.novel, non_negative.base
    assert_loop_agrees(novel, base, method, predict, shots=shots, tasks=12, tolerance=0.15)


@pytest.mark.parametrize("shots", [1, 5])
def test_easyfsl_finds_the_same_where_it_does_not_underflow(
    non_negative, assert_loop_agrees, plain, shots
):
    """easyfsl leaves out the scaling and the centring, so it is given features that have both."""
    methods = pytest.importorskip("easyfsl.methods")

    class OnPreparedFeatures(methods.PTMAP):
        def compute_features(self, images):
            prepared = plain.unit((images.numpy() + 1e-6) ** 0.5)
            return torch.tensor(plain.unit(prepared - prepared.mean(0)))

    def predict(support, labels, query):
        model = OnPreparedFeatures(fine_tuning_steps=20)
        model.process_support_set(torch.tensor(support), torch.tensor(labels))
        return model(torch.tensor(query)).argmax(1).numpy()

    novel, base = non_negative.novel, non_negative.base
    assert_loop_agrees(novel, base, "pt-map", predict, shots=shots, tasks=25, tolerance=0.15)


def test_dense_features_do_not_underflow(run):
    random = np.random.default_rng(0)
    labels = np.arange(8).repeat(30)
    features = 50 + random.random((8, 64))[labels] + 0.2 * random.random((240, 64))
    for scale in (10, 1000):
        assert run(features, labels, f"pt-map,scale={scale}", tasks=30).mean > 99


def test_negative_features_are_refused_unless_the_power_is_1(novel, run):
    lowest = f"{novel[0].min():.3g}"
    with pytest.raises(InputError, match=rf"lowest {lowest}\n.*pt-map,beta=1"):
        run(*novel, "pt-map", tasks=3)
    assert run(*novel, "pt-map,beta=1", tasks=3).tasks == 3
