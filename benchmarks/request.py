"""What was asked for on the command line, in one value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lowlabel.benchmarks.from_labels import MakeTrainer
from lowlabel.errors import InputError
from lowlabel.features import BackboneOptions, ExtractionOptions
from lowlabel.specs import parse_setting


@dataclass(frozen=True)
class Request:
    """A run as it was asked for.

    Attributes:
        suite: Name of the suite.
        output: Folder of records and leaderboards.
        model: Model specs; empty for the suite's own.
        label: Names in tables, one for each model, or empty.
        features: A file of embeddings made elsewhere, in place of models and datasets.
        features_key: Names of the arrays in that file, `FEATURES` or `FEATURES,LABELS`.
        features_of: Dataset and published model that the user declares these embeddings to be of.
        ranking: A file of ranked lists made elsewhere, in place of a model.
        options: Fields of protocols that were asked for, by name: dataset, method, shots, k, ….
        settings: `PROTOCOL.field=value`, as `--set` takes it.
        backbone: How models are loaded.
        extraction: How features are extracted.
        class_list: File of the only classes to take of each dataset; None for all.
        min_images: Images that each class of a folder must have; others are left out. 0 for none.
        allow_partial: Allow incomplete datasets; results are marked partial.
        without: A file that flags images to leave out.
        reasons: Reasons of the flags to leave out; empty for all.
        leakage: A file that flags images that the models were pretrained on.
        overlap: A list of images and classes that their pretraining data hold too.
        make_trainer: Makes what trains a model `scratch:ARCH` on the labels of a budget.
        overwrite: Score again what has a record.
    """

    suite: str
    output: Path
    model: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    features: Path | None = None
    features_key: str | None = None
    features_of: str | None = None
    ranking: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    settings: tuple[str, ...] = ()
    backbone: BackboneOptions = field(default_factory=BackboneOptions)
    extraction: ExtractionOptions = field(default_factory=ExtractionOptions)
    class_list: Path | None = None
    min_images: int = 0
    allow_partial: bool = False
    overwrite: bool = False
    without: Path | None = None
    reasons: tuple[str, ...] = ()
    leakage: Path | None = None
    overlap: Path | None = None
    make_trainer: MakeTrainer | None = None

    def __post_init__(self) -> None:
        if self.ranking:
            self._check_ranking()
        if self.features and (self.without or self.leakage or self.overlap):
            raise InputError(
                "--features names no images, so --without, --leakage and --overlap do not go with "
                "it",
                "Leave them out, or name --model and --dataset.",
            )
        if self.features_key is not None and not self.features:
            raise InputError(
                f"--features-key {self.features_key} means nothing without --features",
                "Give the file of embeddings: --features FILE.npz",
            )
        if self.features_of and not self.features:
            raise InputError(
                "--features-of says what embeddings made elsewhere are of", "Add --features FILE."
            )
        if self.reasons and not self.without:
            raise InputError(
                f"--reason {self.reasons[0]} means nothing without --without",
                "Give the file of flags: --without FOLDER/flags.csv",
            )
        if self.features and self.backbone.preprocesses:
            raise InputError(
                "--features brings its own embeddings, so --pooling, --resolution, --resize, "
                "--interpolation, --framing, --multi-scale and --orientation do not go with it",
                "Leave them out, or leave --features out.",
            )
        if self.features and (self.class_list or self.min_images):
            option = "--class-list" if self.class_list else "--min-images"
            raise InputError(
                f"--features brings its own embeddings, so {option} does not go with it",
                "Leave one of them out.",
            )
        if self.features and len(self.label) > 1:
            raise InputError(f"{len(self.label)} labels for one file", "Give --label once.")
        if self.features and (self.model or self.dataset):
            raise InputError(
                "--features brings its own embeddings, so --model and --dataset do not go with it",
                "Leave them out, or leave --features out.",
            )

    def _check_ranking(self) -> None:
        """Refuses what needs a model, and anything but one dataset."""
        given = {
            "--model": self.model,
            "--features": self.features,
            "--without": self.without,
            "--leakage": self.leakage,
            "--overlap": self.overlap,
            "--pooling, --resolution and other options of preprocessing": (
                self.backbone.preprocesses
            ),
        }
        if unmet := [name for name, value in given.items() if value]:
            raise InputError(
                f"--ranking brings its own order of the images, so {unmet[0]} does not go with it",
                "Leave one of them out.",
            )
        if len(self.dataset) != 1:
            raise InputError(
                f"--ranking is of one dataset, and {len(self.dataset)} are named",
                "Name it: --dataset NAME.",
            )
        if len(self.label) > 1:
            raise InputError(f"{len(self.label)} labels for one file", "Give --label once.")

    @property
    def dataset(self) -> tuple[str, ...]:
        """The datasets that were named."""
        return tuple(self.options.get("dataset", ()))

    def protocol_settings(self) -> dict[str, dict[str, Any]]:
        """The settings by protocol and field.

        Raises:
            InputError: If one is not written as `PROTOCOL.field=value`.
        """
        by_protocol: dict[str, dict[str, Any]] = {}
        for setting in self.settings:
            name, value = parse_setting(setting)
            protocol, dot, option = name.partition(".")
            if not dot:
                raise InputError(
                    f"--set {setting} names no protocol",
                    "Write --set PROTOCOL.field=value, as --set knn.neighbours=10.",
                )
            if option in by_protocol.setdefault(protocol, {}):
                raise InputError(f"--set {name} is given twice", "Give several values as (1, 2).")
            by_protocol[protocol][option] = value
        return by_protocol
