import numpy as np
from cleanvision import Imagelab
from PIL import Image, ImageFilter

from lowlabel.analysis.bad_data.image_quality import KINDS, image_quality


def pictures():
    """A photo-like picture, and one for each reason."""
    random = np.random.default_rng(0)
    noise = Image.fromarray(random.integers(0, 256, (12, 12, 3), dtype=np.uint8))
    base = noise.resize((96, 96), Image.Resampling.NEAREST)
    return {
        "fine": base,
        "low-information": Image.new("RGB", (96, 96), (90, 120, 150)),
        "dark": base.point(lambda value: value // 8),
        "light": base.point(lambda value: 250 + value // 64),
        "blurry": noise.resize((96, 96)).filter(ImageFilter.GaussianBlur(2)),
        "odd-aspect": base.resize((200, 20)),
    }


def test_each_reason_is_flagged_and_a_fine_image_is_not():
    shown = pictures()
    images = list(shown.values())
    found = image_quality(images.__getitem__, len(images), workers=2)
    for reason in KINDS:
        flagged = found.flagged(reason)
        assert flagged[list(shown).index(reason)], reason
        assert not flagged[0], reason


def test_scores_are_those_of_cleanvision(tmp_path):
    paths = []
    for name, image in pictures().items():
        paths.append(str(tmp_path / f"{name}.png"))
        image.save(paths[-1])
    lab = Imagelab(filepaths=paths, verbose=False)
    lab.find_issues({kind: {} for kind in KINDS.values()}, n_jobs=1, verbose=False)
    done = []
    found = image_quality(
        lambda row: Image.open(paths[row]),
        len(paths),
        progress=lambda *counts: done.append(counts),
    )
    for reason, kind in KINDS.items():
        expected = lab.issues.loc[paths]
        np.testing.assert_allclose(found.scores[reason], expected[f"{kind}_score"], rtol=1e-12)
        assert found.flagged(reason).tolist() == expected[f"is_{kind}_issue"].tolist()
    assert done[-1] == (6, 6)
