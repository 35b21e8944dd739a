import pytest


@pytest.mark.slow
@pytest.mark.parametrize("shots", [1, 5])
@pytest.mark.parametrize(("option", "alpha"), [("", 5), (",alpha=2", 2)])
def test_each_task_scores_what_autograd_finds(
    non_negative, assert_loop_agrees, trained_prototypes, option, alpha, shots
):
    def tsallis(p):
        return (1 - (p**alpha).sum(-1)) / (alpha - 1)

    novel, base = non_negative.novel, non_negative.base
    method = f"alpha-tim{option},iterations=60,rate=0.01"
    predict = trained_prototypes(tsallis, marginal=1)
    assert_loop_agrees(novel, base, method, predict, shots=shots, tasks=12, tolerance=0.15)
