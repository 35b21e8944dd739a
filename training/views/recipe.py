"""The recipe of views: their number, sizes, crops and distortions."""

from dataclasses import dataclass
from typing import Literal

from lowlabel.datasets.io.pixels import Orientation
from lowlabel.errors import InputError
from lowlabel.fields import grown

GLOBAL_CROPS = 2
_PROBABILITIES = (
    "flip",
    "jitter",
    "grayscale",
    "blur_first",
    "blur_second",
    "blur_local",
    "solarize_second",
)


Interpolation = Literal["bicubic", "bilinear"]


@dataclass(frozen=True)
class ViewRecipe:
    """Multi-crop with DINO's defaults (Caron et al., ICCV 2021, arXiv:2104.14294).

    The order of the views is: two global views, then the local views.

    Attributes:
        global_size: Side of the global views in pixels.
        local_size: Side of the local views in pixels.
        local_crops: Number of local views; may be 0.
        global_scale: Smallest and largest share of the image's area in a global crop.
        local_scale: Smallest and largest share of the image's area in a local crop.
        ratio: Smallest and largest width over height of a crop.
        resize: Side of the square that images are first resized to; 0 keeps their size.
        shared_geometry: Whether a batch shares its crops; needs `resize`.
        flip: Probability of mirroring a view.
        jitter: Probability of colour jitter.
        brightness: Largest difference of the brightness factor from 1.
        contrast: Largest difference of the contrast factor from 1.
        saturation: Largest difference of the saturation factor from 1.
        hue: Largest rotation of the hue, as a fraction of the circle.
        grayscale: Probability of a grey view.
        blur_first: Probability of Gaussian blur of the first global view.
        blur_second: Probability of Gaussian blur of the second global view.
        blur_local: Probability of Gaussian blur of each local view.
        blur_radius: Smallest and largest standard deviation of the blur in pixels.
        solarize_second: Probability of solarizing the second global view.
        orientation: "stored" reads images as they are stored, "exif" turns them by their EXIF
            orientation.
        interpolation: "bicubic" or "bilinear", antialiased.
    """

    global_size: int = 224
    local_size: int = 96
    local_crops: int = 8
    global_scale: tuple[float, float] = (0.4, 1.0)
    local_scale: tuple[float, float] = (0.05, 0.4)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    resize: int = 0
    shared_geometry: bool = False
    flip: float = 0.5
    jitter: float = 0.8
    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.2
    hue: float = 0.1
    grayscale: float = 0.2
    blur_first: float = 1.0
    blur_second: float = 0.1
    blur_local: float = 0.5
    blur_radius: tuple[float, float] = (0.1, 2.0)
    solarize_second: float = 0.2
    orientation: Orientation = grown("stored")
    interpolation: Interpolation = grown("bicubic")

    def __post_init__(self) -> None:
        for name in ("global_size", "local_size"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1 pixel, not {getattr(self, name)}")
        if self.local_crops < 0:
            raise InputError(f"local_crops must be at least 0, not {self.local_crops}")
        for name in _PROBABILITIES:
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(
                    f"{name} must be a probability in [0, 1], not {getattr(self, name)}"
                )
        for name in ("global_scale", "local_scale", "ratio", "blur_radius"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise InputError(f"{name} must be a range above 0 (low ≤ high), not {low}, {high}")
        if self.shared_geometry and not self.resize:
            raise InputError(
                "shared_geometry needs images of one size, but resize is 0",
                "Give --set resize=256.",
            )

    @property
    def count(self) -> int:
        """Number of views of an image."""
        return GLOBAL_CROPS + self.local_crops

    @property
    def sizes(self) -> tuple[int, ...]:
        """The side of each view."""
        return (self.global_size,) * GLOBAL_CROPS + (self.local_size,) * self.local_crops


@dataclass(frozen=True)
class SingleView(ViewRecipe):
    """One view of an image: a random crop, mirrored half of the time, as torchvision's defaults.

    The other distortions of `ViewRecipe` are those of its first global view, and off by default.
    """

    local_crops: int = 0
    global_scale: tuple[float, float] = (0.08, 1.0)
    jitter: float = 0.0
    grayscale: float = 0.0
    blur_first: float = 0.0
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.local_crops:
            raise InputError(f"local_crops must be 0 for a single view, not {self.local_crops}")

    @property
    def count(self) -> int:
        """One."""
        return 1

    @property
    def sizes(self) -> tuple[int, ...]:
        """The side of the view."""
        return (self.global_size,)
