"""How a network is trained on labels alone: `ARCH[,option=value…]`."""

from dataclasses import asdict, dataclass, field, fields

from lowlabel.errors import InputError
from lowlabel.fields import fit_fields
from lowlabel.specs import Option, format_spec, parse_spec


@dataclass(frozen=True)
class LabelRecipe:
    """Everything except images, draw and seed that determines the weights.

    AdamW with a warm-up and a cosine, random crops and mirroring, and the weights of the last
    epoch: nothing is chosen on the test images. One recipe serves convolutional networks and
    transformers.

    Attributes:
        architecture: Network of timm or torchvision.
        options: Its options.
        epochs: Passes over the labelled images.
        batch_size: Images in a step; all of them where they are fewer.
        lr: Learning rate after the warm-up.
        weight_decay: Weight decay.
        warmup_epochs: Epochs of the linear warm-up; at most a tenth of all.
        clip: Largest norm of the gradient.
        resolution: Side of the images in pixels.
        smallest_crop: Smallest share of the image's area in a random crop.
    """

    architecture: str
    options: dict[str, Option] = field(default_factory=dict)
    epochs: int = 100
    batch_size: int = 64
    lr: float = 5e-4
    weight_decay: float = 0.05
    warmup_epochs: int = 5
    clip: float = 1.0
    resolution: int = 224
    smallest_crop: float = 0.25

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "resolution"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("lr", "clip"):
            if not 0 < getattr(self, name) < float("inf"):
                raise InputError(f"{name} must be above 0, not {getattr(self, name)}")
        for name in ("weight_decay", "warmup_epochs"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} must be at least 0, not {getattr(self, name)}")
        if not 0 < self.smallest_crop <= 1:
            raise InputError(f"smallest_crop must be a share above 0, not {self.smallest_crop}")

    @property
    def settings(self) -> dict[str, Option]:
        """The values of the training, by name."""
        values = asdict(self)
        del values["architecture"], values["options"]
        return values

    @property
    def spec(self) -> str:
        """The architecture with every option, of the network and of the training."""
        return format_spec(self.architecture, self.options | self.settings)


def parse_label_recipe(spec: str) -> LabelRecipe:
    """Reads `ARCH[,option=value…]`; options that are none of the training go to the network.

    Raises:
        InputError: If a value is not possible.
    """
    name, given = parse_spec(spec)
    own = {f.name for f in fields(LabelRecipe)} - {"architecture", "options"}
    values = fit_fields(
        LabelRecipe, {k: v for k, v in given.items() if k in own}, f"scratch:{name}"
    )
    others = {key: value for key, value in given.items() if key not in own}
    return LabelRecipe(name, others, **values)
