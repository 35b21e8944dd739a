"""Models that the package ships, pretrained by lowlabel itself."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path


@dataclass(frozen=True)
class ShippedModel:
    """Weights in `features/weights/`: NAME.safetensors with its card NAME.json and log NAME.jsonl.

    Attributes:
        about: Training method and data.
        pooling: Default pooling.
        crop_fraction: Side of the crop divided by the side after resizing.
    """

    about: str
    pooling: str
    crop_fraction: float

    @staticmethod
    def path(name: str) -> Path:
        """Returns the path of a model's weights."""
        return Path(str(resources.files("lowlabel.features") / "weights" / f"{name}.safetensors"))


SHIPPED_MODELS: dict[str, ShippedModel] = {
    "demo_vit": ShippedModel(
        about="DINO (Caron et al., ICCV 2021), base classes of the demo data without labels",
        # chosen on the val classes of demo
        pooling="cls+mean",
        crop_fraction=1.0,
    ),
}
