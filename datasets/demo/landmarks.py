"""`demo-landmarks`: several pictures of each of some places, in the layout of ROxford5k.

12 places with 2 queries, 4 easy, 4 hard and 2 junk pictures each, and 80 pictures of other things;
64×48 and 48×64 pixels.
"""

import pickle
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from lowlabel.datasets.base import Dataset
from lowlabel.datasets.demo.classes import demo_classes
from lowlabel.datasets.demo.compose import compose
from lowlabel.datasets.demo.draws import Draws, Levels
from lowlabel.datasets.demo.picture import render
from lowlabel.datasets.demo.retake import easy, hard, junk, place
from lowlabel.datasets.demo.scene import Scene
from lowlabel.datasets.landmarks import landmark_divisions
from lowlabel.progress import Progress

NAME = "demo-landmarks"
VERSION = 1
PLACES, QUERIES, ELSEWHERE = 12, 2, 80
VIEWS: dict[str, tuple[Callable[[Scene, Draws], Scene], int]] = {
    "easy": (easy, 4),
    "hard": (hard, 4),
    "junk": (junk, 2),
}
_SIZE, _CUT = 64, 8  # side of the square, and width of the strips cut from two opposite sides
_STREAM = 7_301  # differs from the streams of the other demo datasets
Edges = tuple[int, int, int, int]


def write_landmarks(folder: Path, progress: Progress | None = None) -> None:
    """Draws the pictures into `folder/jpg` and writes `gnd_demo-landmarks.pkl` beside them.

    Args:
        folder: Where to write.
        progress: Called with (images done, all images).
    """
    (folder / "jpg").mkdir(parents=True)
    names: dict[str, list[str]] = {"imlist": [], "qimlist": []}
    gnd = []
    total = PLACES * (QUERIES + sum(number for _, number in VIEWS.values())) + ELSEWHERE
    for number in range(PLACES):
        scene = place(number, Draws(_STREAM, VERSION, number))
        judged: dict[str, list[int]] = {kind: [] for kind in VIEWS}
        for index, (kind, (view, count)) in enumerate(VIEWS.items()):
            for picture in range(count):
                draws = Draws(_STREAM, VERSION, number, 1 + index, picture)
                judged[kind].append(len(names["imlist"]))
                names["imlist"].append(f"place{number:02d}_{kind}{picture}")
                _save(folder, names["imlist"][-1], view(scene, draws), draws)
        for picture in range(QUERIES):
            draws = Draws(_STREAM, VERSION, number, 0, picture)
            seen = easy(scene, draws)
            names["qimlist"].append(f"place{number:02d}_query{picture}")
            gnd.append(
                {"bbx": _box(seen, _save(folder, names["qimlist"][-1], seen, draws)), **judged}
            )
        if progress is not None:
            progress((number + 1) * (total - ELSEWHERE) // PLACES, total)
    kinds = demo_classes()
    for picture in range(ELSEWHERE):
        draws = Draws(_STREAM, VERSION, PLACES, picture)
        names["imlist"].append(f"elsewhere_{picture:03d}")
        _save(folder, names["imlist"][-1], compose(draws.choice(kinds), draws), draws)
    truth = pickle.dumps({"gnd": gnd, **names}, protocol=3)
    (folder / f"gnd_{NAME}.pkl").write_bytes(truth)


def _save(folder: Path, name: str, scene: Scene, draws: Draws) -> Edges:
    """Writes a wide or tall picture and returns the edges of its part of the square."""
    tall = draws.chance(0.5)
    left, top = (_CUT, 0) if tall else (0, _CUT)
    edges = left, top, _SIZE - left, _SIZE - top
    square: Levels = render(scene, _SIZE)
    picture = Image.fromarray(square).crop(edges)
    picture.save(folder / "jpg" / f"{name}.png", compress_level=0)
    return edges


def _box(scene: Scene, edges: Edges) -> list[float]:
    """Computes the bounding box of the place's objects, in pixels of the saved picture."""
    poses = [item.pose for item in scene.items]
    half = _SIZE / 2
    left = min(half * (1 + p.x - p.radius) for p in poses) - edges[0]
    right = max(half * (1 + p.x + p.radius) for p in poses) - edges[0]
    top = min(half * (1 - p.y - p.radius) for p in poses) - edges[1]
    bottom = max(half * (1 - p.y + p.radius) for p in poses) - edges[1]
    width, height = edges[2] - edges[0], edges[3] - edges[1]
    corners = max(left, 0.0), max(top, 0.0), min(right, width), min(bottom, height)
    return [round(corner, 1) for corner in corners]


DEMO_LANDMARKS = Dataset(
    name=NAME,
    title="Demo landmarks",
    licence="Apache-2.0, like lowlabel",
    source="drawn by lowlabel",
    obtain="generated on first use",
    marker=f"gnd_{NAME}.pkl",
    divisions=landmark_divisions(
        NAME,
        PLACES * sum(number for _, number in VIEWS.values()) + ELSEWHERE,
        PLACES * QUERIES,
        ".png",
    ),
    make=write_landmarks,
    version=VERSION,
)
