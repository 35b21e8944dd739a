"""Options of the extraction that do not change the features."""

from dataclasses import dataclass, field

from lowlabel.errors import InputError
from lowlabel.features.engines import check_engine
from lowlabel.processes.cores import decoding_threads
from lowlabel.processes.team import Team


@dataclass(frozen=True)
class ExtractionOptions:
    """Options of the extraction that do not change the features.

    Attributes:
        batch_size: Number of images in one forward pass.
        workers: Number of threads that decode images; one per core by default, at least 4.
        skip_bad_images: Leave out and count images that cannot be decoded, instead of stopping.
        engine: What runs the network: "torch", "openvino", or "auto" for OpenVINO on a CPU where
            it is installed and converts the network. Both give the same features to rounding.
        team: The processes that share every extraction, each of which calls it; None for this one
            alone.
    """

    batch_size: int = 32
    workers: int = field(default_factory=decoding_threads)
    skip_bad_images: bool = False
    engine: str = "auto"
    team: Team | None = None

    def __post_init__(self) -> None:
        for name in ("batch_size", "workers"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)} must be at least 1")
        check_engine(self.engine)
