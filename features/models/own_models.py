"""Models that the suite trained itself and carries in the package."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path


@dataclass(frozen=True)
class OwnModel:
    """Weights in `features/weights/`: NAME.safetensors with its card NAME.json and log NAME.jsonl.

    Attributes:
        about: Training method and data.
        pooling: The pooling that it is evaluated with.
        crop_fraction: Crop over resized side.
    """

    about: str
    pooling: str
    crop_fraction: float

    @staticmethod
    def path(name: str) -> Path:
        """Where the weights of a model are."""
        return Path(str(resources.files("lowlabel.features") / "weights" / f"{name}.safetensors"))


OWN_MODELS: dict[str, OwnModel] = {
    "demo_vit": OwnModel(
        about="DINO (Caron et al., ICCV 2021), base classes of the demo data without labels",
        # chosen on the demo's val classes
        pooling="cls+mean",
        crop_fraction=1.0,
    ),
}
