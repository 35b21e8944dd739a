import numpy as np
import pytest

from lowlabel.errors import InputError
from lowlabel.retrieval import top_images
from lowlabel.retrieval.post import build_post


@pytest.mark.parametrize("post", [(), ("aqe:2",), ("dba:2",), ("k-reciprocal:4,k2=2",)])
@pytest.mark.parametrize("leave_one_out", [True, False])
def test_a_query_never_finds_itself(post, leave_one_out):
    x = np.random.default_rng(0).standard_normal((40, 6))
    gallery = None if leave_one_out else x[10:]
    queries = x if leave_one_out else x[:10]
    similarity, rows = top_images(queries, 5, queries=[3, 9], gallery=gallery, post=post)
    assert similarity.shape == rows.shape == (2, 5)
    assert (np.diff(similarity) <= 0).all()
    if leave_one_out:
        assert not (rows == np.array([[3], [9]])).any()
        assert all(len(set(row)) == 5 for row in rows.tolist())
    built = [build_post(spec) for spec in post]
    again = top_images(queries, 5, queries=[3, 9], gallery=gallery, post=built)
    np.testing.assert_array_equal(again[1], rows)


def test_the_most_similar_come_first():
    x = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [-1.0, 0.0]])
    similarity, rows = top_images(x, 3, queries=[0])
    assert rows.tolist() == [[2, 1, 3]]
    np.testing.assert_allclose(similarity, [[0.6, 0.0, -1.0]], atol=1e-15)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 20}, "20 neighbours were requested from a gallery with 19 images"),
        ({"k": 20, "post": ("diffusion:3",)}, "20 images were requested from a gallery with 19"),
        ({"queries": [3, 20]}, "query 20 does not exist: there are 20 queries"),
        ({"queries": [-1]}, "query -1 does not exist"),
        ({"queries": [0.5]}, "queries are float64, not integers"),
    ],
)
def test_bad_input(options, message):
    x = np.random.default_rng(0).standard_normal((20, 4))
    arguments = {"k": 3, "queries": [0]} | options
    with pytest.raises(InputError, match=message):
        top_images(x, arguments.pop("k"), **arguments)
