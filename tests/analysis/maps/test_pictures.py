import base64
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from lowlabel.analysis import Outliers
from lowlabel.analysis.maps import (
    EmbeddingMap,
    MappedImages,
    ModelMap,
    draw_maps,
    map_page,
    shown_rows,
    thumbnails,
)

EVIL = '</script><img src=x onerror="alert(1)">&\u2028'


def model(name="net", images=6):
    points = np.random.default_rng(0).normal(size=(images, 2)).astype(np.float32)
    distances = np.full(images, 0.1)
    distances[-1] = 0.9
    return ModelMap(name, EmbeddingMap(points, Outliers(distances, 0.5, 10)))


def mapped(classes=("cat", "dog"), images=6, flags=None, paths=None):
    names = paths or tuple(f"{number}.png" for number in range(images))
    labels = np.arange(images) % len(classes)
    return MappedImages("demo test", names, labels, classes, flags or {})


class Page(HTMLParser):
    """Collects tags, attributes that load something, and the data of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.loads, self.inside, self.texts = [], [], None, {}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        named = dict(attributes)
        self.loads += [named[name] for name in ("src", "href") if name in named]
        self.inside = named.get("id") or tag

    def handle_data(self, data):
        self.texts[self.inside] = self.texts.get(self.inside, "") + data


def test_the_page_holds_everything_and_loads_nothing():
    images = mapped(flags={2: "blurred"})
    page = map_page(images, [model("a"), model("b")], {0: "data:image/jpeg;base64,AAAA"})
    parsed = Page(page)
    data = json.loads(parsed.texts["data"])
    assert data["paths"] == list(images.paths)
    assert data["labels"] == [0, 1, 0, 1, 0, 1] and data["classes"] == ["cat", "dog"]
    assert data["flags"] == {"2": "blurred"}
    assert data["thumbnails"] == {"0": "data:image/jpeg;base64,AAAA"}
    assert [each["name"] for each in data["models"]] == ["a", "b"]
    assert data["models"][0]["outliers"] == [5]
    np.testing.assert_allclose(data["models"][0]["points"], model().map.points, atol=1e-3)
    assert not parsed.loads and not re.search(r"https?:|@import|url\(", page)
    assert "default-src 'none'" in page


def test_names_cannot_become_markup():
    images = MappedImages(EVIL, (EVIL,) * 3, np.zeros(3, np.int64), (EVIL,), {0: EVIL})
    page = map_page(images, [model(EVIL, 3)], {})
    parsed = Page(page)
    assert "img" not in parsed.tags and parsed.tags.count("script") == 2
    data = json.loads(parsed.texts["data"])
    assert data["title"] == data["classes"][0] == data["paths"][0] == data["flags"]["0"] == EVIL
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write", page)


def test_names_that_are_no_utf8_are_written():
    images = mapped(paths=tuple(f"{number}\udcff.png" for number in range(6)))
    page = map_page(images, [model()], {})
    page.encode()
    assert json.loads(Page(page).texts["data"])["paths"][0] == "0\udcff.png"


@pytest.mark.parametrize("models", [1, 2, 5])
def test_models_stand_side_by_side(models):
    picture = draw_maps(mapped(), [model(str(number)) for number in range(models)])
    assert picture.mode == "RGB"
    assert picture.size == (720 * min(models, 3), 720 * (1 + models // 4))


def test_classes_outliers_and_flags_are_drawn():
    plain = np.asarray(draw_maps(mapped(), [model()])).astype(int)
    flagged = np.asarray(draw_maps(mapped(flags={0: "x"}), [model()])).astype(int)
    colours = mapped().colours
    assert len(set(colours)) == 2
    for colour in colours:
        channels = [int(colour[start : start + 2], 16) for start in (1, 3, 5)]
        assert (plain == channels).all(axis=-1).sum() > 50
    red = (200, 16, 46)
    assert not (plain == red).all(axis=-1).any()
    assert (flagged == red).all(axis=-1).any()


@pytest.mark.parametrize("name", ["$x^", "_hidden", "名前", "odd\udcff", "a" * 300])
def test_odd_names_are_drawn(name, recwarn):
    draw_maps(mapped((name, "other")), [model(name)])
    assert not [w for w in recwarn if "Glyph" in str(w.message) or "legend" in str(w.message)]


def test_many_classes_have_colours_of_their_own():
    many = mapped(tuple(map(str, range(200))), images=200)
    assert len(set(many.colours)) == 200
    assert draw_maps(many, [model(images=200)]).size[0] == 720


def test_marked_images_have_a_thumbnail_first():
    first = np.zeros(100, dtype=bool)
    first[[3, 50, 99]] = True
    rows = shown_rows(100, 10, first)
    assert len(rows) == 10 and rows == sorted(set(rows)) and {3, 50, 99} <= set(rows)
    assert set(shown_rows(100, 2, first)) < {3, 50, 99}
    assert shown_rows(100, 10, first) == rows
    assert shown_rows(5, 10, first[:5]) == [0, 1, 2, 3, 4]
    assert shown_rows(5, 0, first[:5]) == []


def test_thumbnails_are_small_pictures_of_their_images():
    colours = {4: (250, 10, 10), 7: (10, 10, 250)}
    encoded = thumbnails([4, 7], lambda row: Image.new("RGB", (300, 200), colours[row]), side=48)
    for row, colour in colours.items():
        kind, data = encoded[row].split(",")
        assert kind == "data:image/jpeg;base64"
        picture = Image.open(io.BytesIO(base64.b64decode(data)))
        assert picture.size == (48, 32)
        assert np.abs(np.subtract(picture.getpixel((20, 20)), colour)).max() < 12
