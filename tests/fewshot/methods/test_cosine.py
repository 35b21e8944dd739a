import numpy as np
import pytest
import torch


@pytest.mark.parametrize("shots", [1, 5])
def test_each_task_scores_what_a_plain_loop_finds(novel, base, assert_loop_agrees, plain, shots):
    def predict(support, labels, query):
        return (plain.unit(query) @ plain.unit(plain.means(support, labels)).T).argmax(1)

    assert_loop_agrees(novel, base, "cosine", predict, shots=shots, tasks=60)


def test_easyfsl_finds_the_same(novel, base, assert_loop_agrees):
    methods = pytest.importorskip("easyfsl.methods")

    def predict(support, labels, query):
        model = methods.SimpleShot()
        model.process_support_set(torch.tensor(support), torch.tensor(labels))
        return model(torch.tensor(query)).argmax(1).numpy()

    assert_loop_agrees(novel, base, "cosine", predict, shots=5, tasks=50)


def test_with_one_shot_it_is_the_nearest_normalised_centroid(novel, run):
    cosine, ncm = (run(*novel, method, tasks=100) for method in ("cosine", "ncm,norm=l2n"))
    assert np.abs(cosine.accuracies - ncm.accuracies).mean() < 0.1


def test_the_scale_does_not_matter(novel, run):
    expected = run(*novel, "cosine", shots=3, tasks=100).accuracies
    result = run(7 * novel[0], novel[1], "cosine", shots=3, tasks=100)
    assert np.abs(result.accuracies - expected).mean() < 0.1
