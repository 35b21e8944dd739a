import numpy as np
import pandas as pd
from PIL import Image

from lowlabel.analysis.bad_data.flags import COLUMNS
from lowlabel.analysis.bad_data.pool import Pool
from lowlabel.analysis.bad_data.sheet import draw_flags
from lowlabel.analysis.retrieval_gallery import Tile, draw_gallery
from lowlabel.datasets import ImageSet, LabelledPath
from lowlabel.features import EmbeddingTable

COLOURS = {"a/0.png": (250, 0, 0), "a/1.png": (0, 250, 0), "b/2.png": (0, 0, 250)}


def pool_in(root):
    """A part "test" with two images and a part "train" with one, each of one colour."""
    tables = []
    for part, paths in (("test", ["a/0.png", "a/1.png"]), ("train", ["b/2.png"])):
        for path in paths:
            (root / path).parent.mkdir(exist_ok=True)
            Image.new("RGB", (16, 16), COLOURS[path]).save(root / path)
        images = ImageSet.from_listing("d:d", part, root, [LabelledPath(p, p[0]) for p in paths])
        tables.append((images, EmbeddingTable(np.ones((len(paths), 2)), images.labels, "")))
    return Pool.of(tables)


def flag(*values):
    return pd.DataFrame([values], columns=list(COLUMNS))


def tile(path, *caption):
    return Tile(Image.new("RGB", (16, 16), COLOURS[path]), caption)


def test_a_duplicate_is_drawn_beside_its_partner(tmp_path):
    pool = pool_in(tmp_path)
    flags = flag("b/2.png", "train", "b", "exact-duplicate-across", 1, "a/1.png", "test", "a")
    expected = draw_gallery([(tile("b/2.png", "2.png", "b"), [tile("a/1.png", "test", "a")])])
    assert draw_flags(flags, pool).tobytes() == expected.tobytes()


def test_other_flags_are_drawn_beside_the_nearest_images(tmp_path):
    pool = pool_in(tmp_path)
    others = np.array([[2, 1], [0, 2], [1, 0]])
    flags = flag("a/0.png", "test", "a", "label-error", 1, "", "", "b")
    found = [tile("b/2.png", "train", "b"), tile("a/1.png", "test", "a")]
    expected = draw_gallery([(tile("a/0.png", "0.png", "a", "or b"), found)])
    assert draw_flags(flags, pool, others).tobytes() == expected.tobytes()
    alone = draw_gallery([(tile("a/0.png", "0.png", "a", "or b"), found[:1])])
    assert draw_flags(flags, pool, others, beside=1).tobytes() == alone.tobytes()


def test_at_most_as_many_flags_are_drawn_as_asked_for(tmp_path):
    pool = pool_in(tmp_path)
    flags = pd.concat([flag("a/0.png", "test", "a", "dark", 1, "", "", "")] * 5)
    heights = [draw_flags(flags, pool, count=count).height for count in (1, 2, 9)]
    step = heights[1] - heights[0]
    assert heights[2] - heights[0] == 4 * step
