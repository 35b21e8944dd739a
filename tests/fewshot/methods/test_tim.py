import pytest


def shannon(p):
    return -(p * (p + 1e-12).log()).sum(-1)


@pytest.mark.slow
@pytest.mark.parametrize("shots", [1, 5])
def test_each_task_scores_what_autograd_finds(
    non_negative, assert_loop_agrees, trained_prototypes, shots
):
    novel, base, method = non_negative.novel, non_negative.base, "tim,iterations=60,rate=0.01"
    predict = trained_prototypes(shannon, marginal=10)
    assert_loop_agrees(novel, base, method, predict, shots=shots, tasks=12, tolerance=0.15)
