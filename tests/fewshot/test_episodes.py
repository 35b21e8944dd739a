import itertools

import numpy as np
import pytest
from scipy import stats

from lowlabel.errors import InputError
from lowlabel.fewshot import evaluate_fewshot
from lowlabel.fewshot.episodes import EpisodeSampler, pick_without_replacement

LABELS = np.array([-4] * 9 + [1000] * 20 + [3] * 9 + [8] * 12 + [5] * 30)[
    np.random.default_rng(0).permutation(80)
]


def draw(tasks, *, seed=0, block=10_000, ways=3, shots=2, queries=4):
    blocks = list(EpisodeSampler(LABELS, ways, shots, queries).blocks(tasks, seed, block))
    return (
        np.concatenate([episodes.support for episodes in blocks]),
        np.concatenate([episodes.query for episodes in blocks]),
        np.concatenate([episodes.query_ways for episodes in blocks]),
    )


def shuffled_deck(uniforms, size):
    deck = list(range(size))
    for i, u in enumerate(uniforms):
        j = i + int(u * (size - i))
        deck[i], deck[j] = deck[j], deck[i]
    return deck[: len(uniforms)]


def test_picks_are_those_of_a_deck_that_is_laid_out():
    random = np.random.default_rng(0)
    uniforms, sizes = random.random((500, 9)), random.integers(9, 14, 500)
    expected = [shuffled_deck(u, size) for u, size in zip(uniforms, sizes, strict=True)]
    assert pick_without_replacement(uniforms, sizes).tolist() == expected


def test_every_ordered_choice_comes_from_an_equal_part_of_the_draws():
    cells = [[(i + 0.5) / left for i in range(left)] for left in (5, 4, 3)]
    picks = pick_without_replacement(np.array(list(itertools.product(*cells))), np.int64(5))
    assert sorted(map(tuple, picks)) == list(itertools.permutations(range(5), 3))


@pytest.mark.parametrize("size", [1, 3, 64, 1000, 2**20 - 1, 2**31])
def test_the_largest_draw_stays_in_the_deck(size):
    assert pick_without_replacement(np.array([1 - 2.0**-53]), np.int64(size)) == [size - 1]


def test_the_whole_deck_can_be_drawn():
    picks = pick_without_replacement(np.random.default_rng(0).random((200, 6)), np.int64(6))
    assert (np.sort(picks) == np.arange(6)).all()


def test_classes_differ_and_images_are_of_their_class():
    support, query, ways = draw(2000)
    classes = LABELS[support]
    assert (classes == classes[..., :1]).all()
    assert (np.diff(np.sort(classes[..., 0])) > 0).all()
    assert (LABELS[query] == np.take_along_axis(classes[..., 0], ways, 1)).all()


def test_no_image_stands_twice_in_a_task():
    support, query, _ = draw(2000)
    rows = np.sort(np.concatenate([support.reshape(2000, -1), query], 1))
    assert (np.diff(rows) > 0).all()


def test_all_classes_and_all_images_of_a_class_are_equally_likely():
    support, query, _ = draw(20_000)
    _, per_class = np.unique(LABELS[support[..., 0]], return_counts=True)
    assert stats.chisquare(per_class).pvalue > 0.01
    for rows in (support, query):
        per_image = np.bincount(rows.ravel(), minlength=80)
        for name in np.unique(LABELS):
            assert stats.chisquare(per_image[name == LABELS]).pvalue > 0.001


def test_position_in_the_task_does_not_depend_on_the_class():
    support, _, _ = draw(20_000)
    table = [np.unique(LABELS[support[:, way, 0]], return_counts=True)[1] for way in range(3)]
    assert stats.chi2_contingency(table).pvalue > 0.01


@pytest.mark.parametrize("block", [1, 7, 64, 300])
def test_blocks_change_nothing(block):
    for whole, parts in zip(draw(300), draw(300, block=block), strict=True):
        assert np.array_equal(whole, parts)


def test_a_longer_run_begins_with_the_shorter_one():
    for short, long in zip(draw(50), draw(500), strict=True):
        assert np.array_equal(short, long[:50])


def test_seeds_give_other_tasks():
    assert not np.array_equal(draw(50)[0], draw(50, seed=1)[0])


def test_tasks_of_a_seed_stay_the_same_for_ever():
    """Records are compared by this hash: a change needs a new protocol version."""
    features, labels = np.zeros((400, 2)), np.arange(400) % 5
    result = evaluate_fewshot(
        features, labels, ways=3, shots=2, queries=4, tasks=9, interval="tasks", device="cpu"
    )
    assert result.task_hash == ("792835112e917f5b1cec8f94de8bc879367add23b863510476c57d6526b9c19e")


def test_the_order_of_classes_does_not_depend_on_the_order_of_rows():
    order = np.random.default_rng(5).permutation(80)
    (mine,) = EpisodeSampler(LABELS, 3, 2, 4).blocks(50, 0, 50)
    (other,) = EpisodeSampler(LABELS[order], 3, 2, 4).blocks(50, 0, 50)
    assert np.array_equal(LABELS[mine.support], LABELS[order][other.support])


def test_too_few_classes_says_both_counts():
    with pytest.raises(InputError, match="6-way task needs 6 classes, but the labels hold 5"):
        EpisodeSampler(LABELS, 6, 1, 1)


def test_too_few_images_names_classes_and_counts():
    with pytest.raises(InputError, match=r"need 10 images .* class -4 has 9, class 3 has 9\n"):
        EpisodeSampler(LABELS, 2, 5, 5)
    many = np.arange(100) // 2
    with pytest.raises(InputError, match="class 4 has 2 and 45 more classes have too few"):
        EpisodeSampler(many, 2, 2, 1)
