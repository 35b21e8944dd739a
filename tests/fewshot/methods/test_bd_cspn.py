import pytest
import torch


@pytest.mark.parametrize("shots", [1, 5])
@pytest.mark.parametrize(
    ("method", "transform", "scale"),
    [("bd-cspn", "cl2", 10.0), ("bd-cspn,norm=none,scale=3", "none", 3.0)],
)
def test_each_task_scores_what_the_published_code_finds(
    non_negative, assert_loop_agrees, plain, method, transform, scale, shots
):
    def predict(support, labels, query):
        prototypes = plain.rectified(support, labels, query, scale)
        return plain.squared_distances(query, prototypes).argmin(1)

    novel, base = non_negative.novel, non_negative.base
    assert_loop_agrees(
        novel, base, method, predict, transform, shots=shots, tasks=12, tolerance=0.15
    )


@pytest.mark.parametrize("shots", [1, 5])
@pytest.mark.parametrize(
    ("method", "transform", "scale"),
    [("bd-cspn,norm=none", "none", 10.0), ("bd-cspn,scale=3", "cl2", 3.0)],
)
def test_each_task_scores_what_the_formula_of_the_paper_finds(
    non_negative, assert_loop_agrees, plain, method, transform, scale, shots
):
    def predict(support, labels, query):
        prototypes = plain.rectified_in_the_paper(support, labels, query, scale)
        return (plain.unit(query) @ plain.unit(prototypes).T).argmax(1)

    novel, base, method = non_negative.novel, non_negative.base, f"{method},rectification=paper"
    assert_loop_agrees(
        novel, base, method, predict, transform, shots=shots, tasks=12, tolerance=0.15
    )


@pytest.mark.parametrize("shots", [1, 5])
def test_easyfsl_finds_the_same_as_the_paper(non_negative, assert_loop_agrees, shots):
    methods = pytest.importorskip("easyfsl.methods")

    def predict(support, labels, query):
        model = methods.BDCSPN()
        model.process_support_set(torch.tensor(support), torch.tensor(labels))
        return model(torch.tensor(query)).argmax(1).numpy()

    novel, base = non_negative.novel, non_negative.base
    method = "bd-cspn,norm=none,scale=1,rectification=paper"
    assert_loop_agrees(novel, base, method, predict, shots=shots, tasks=50)
