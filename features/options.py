"""How a model is loaded, in one value that can be compared and completed."""

import dataclasses
from dataclasses import dataclass

from lowlabel.datasets.io.pixels import Orientation, known_orientation
from lowlabel.features.backbone import Backbone, check_dtype, check_side, load_backbone
from lowlabel.features.framing import Framing, check_framing
from lowlabel.features.pooling import check_pooling


@dataclass(frozen=True)
class BackboneOptions:
    """The keyword arguments of `load_backbone`; None stands for its default."""

    pooling: str | None = None
    resolution: int | None = None
    framing: Framing | None = None
    scales: tuple[float, ...] | None = None
    dtype: str = "float32"
    device: str = "auto"
    orientation: Orientation = "stored"
    resize: int | None = None
    interpolation: str | None = None

    def __post_init__(self) -> None:
        if self.pooling is not None:
            check_pooling(self.pooling)
        check_dtype(self.dtype)
        check_side("resolution", self.resolution)
        check_side("resize", self.resize)
        known_orientation(self.orientation)
        if self.framing is not None and self.scales is not None:
            check_framing(self.framing, self.scales, self.resize, self.interpolation)

    def completed(
        self,
        *,
        pooling: str | None = None,
        resolution: int | None = None,
        framing: Framing = "crop",
        scales: tuple[float, ...] = (1.0,),
    ) -> "BackboneOptions":
        """Fills what is None."""
        return dataclasses.replace(
            self,
            pooling=self.pooling or pooling,
            resolution=resolution if self.resolution is None else self.resolution,
            framing=self.framing or framing,
            scales=self.scales or scales,
        )

    @property
    def preprocesses(self) -> bool:
        """Whether anything but the arithmetic and the device is asked for."""
        plain = BackboneOptions(dtype=self.dtype, device=self.device)
        return self.completed() != plain.completed()

    def load(self, model: str, label: str | None = None) -> Backbone:
        """Loads a model with these options, and a name for tables; see `load_backbone`."""
        chosen = {name: value for name, value in vars(self).items() if value is not None}
        return dataclasses.replace(load_backbone(model, **chosen), label=label)
