"""What every protocol is: options, the parts it needs, and trials that give scores."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, Self, get_args, get_origin, get_type_hints

from lowlabel.benchmarks.from_labels import Trainer
from lowlabel.benchmarks.protocols.dataset_info import dataset_info
from lowlabel.benchmarks.protocols.trial import Trial
from lowlabel.datasets import Dataset, Division, ImageSet, OpenDataset, find_dataset
from lowlabel.errors import InputError
from lowlabel.features import Backbone, BackboneOptions, EmbeddedDataset
from lowlabel.features.models.encoders import Encoder
from lowlabel.fields import fit_fields
from lowlabel.results import Experiment, MethodInfo, ModelInfo, ProtocolInfo


@dataclass(frozen=True, kw_only=True)
class Protocol(ABC):
    """How scores are taken. The fields are the keys of its table in a suite's TOML file.

    Attributes:
        name: Name of the table, and in `--set NAME.field=value`.
        suite: The suite of its records: "fewshot", "classification" or "retrieval".
        version: Raised when the same options would give other numbers.
        prefers: Evaluated parts to look for first where no division is named.
        takes: What a dataset must have, for messages; empty for protocols of one kind of dataset.
        takes_ranking: Whether ranked lists can take the place of embeddings.
        several_labels: Whether images with several labels each can be scored.
        gives_labels: Whether a network can be trained on its labels alone; see `from_labels`.
        dataset: Names, as on the command line.
    """

    name: ClassVar[str]
    suite: ClassVar[str]
    version: ClassVar[int] = 1
    prefers: ClassVar[tuple[str, ...]] = ()
    takes: ClassVar[str] = ""
    takes_ranking: ClassVar[bool] = False
    several_labels: ClassVar[bool] = False
    gives_labels: ClassVar[bool] = False

    dataset: tuple[str, ...] = ()

    @abstractmethod
    def needs(self, division: Division) -> tuple[str, ...]:
        """The parts of a division that are embedded; empty if the division does not fit."""

    @abstractmethod
    def trials(self, data: EmbeddedDataset, device: str) -> Iterator[Trial]:
        """Yields what is to be computed on `data`.

        Raises:
            UserError: If something that was asked for cannot be computed.
        """

    @abstractmethod
    def describe(self) -> str:
        """The protocol in a few words, for the dry run."""

    def backbone(self, asked: BackboneOptions, encoder: Encoder | None = None) -> BackboneOptions:
        """How models are loaded: as asked for, then as the protocol says.

        Args:
            asked: What was asked for.
            encoder: The model, once it is loaded; only the pooling may depend on it.
        """
        return asked.completed()

    def fitted(self, backbone: Backbone, asked: BackboneOptions) -> Backbone:
        """A model that was loaded with these options, with the pooling that depends on it."""
        pooling = self.backbone(asked, backbone.encoder).pooling
        return dataclasses.replace(backbone, pooling=pooling) if pooling else backbone

    def for_dataset(self, dataset: Dataset | None) -> Self:
        """The protocol with what the dataset decides; None for embeddings made elsewhere."""
        return self

    def from_labels(self, trainer: Trainer, opened: OpenDataset) -> Self:
        """The protocol with a network that is trained on its labels as the only method.

        Raises:
            InputError: If it gives no labels, or the network cannot take the images.
        """
        raise InputError(
            f"{self.name} has no labels to train a network on", "Choose --suite label-budget."
        )

    def companions(self) -> dict[str, str]:
        """Other datasets that join, by the name of the part that they become."""
        return {}

    def stages(self) -> tuple[Self, ...]:
        """What is scored on every dataset before the next stage; of quick and slow methods two."""
        return (self,)

    def view_seeds(self) -> tuple[int, ...]:
        """Random seed of each view of the train part that is embedded; none by default."""
        return ()

    def unfit(self, division: Division) -> str | None:
        """Why these options do not go with a division that fits; None if they do."""
        return None

    def check_images(self, images: ImageSet) -> None:  # noqa: B027  (most take any classes)
        """Raises an `InputError` if no score can be taken of these images of the evaluated part."""

    def unfit_ranking(self) -> str | None:
        """Why these options do not go with ranked lists; None if they do."""
        return None

    def left_out(self, data: EmbeddedDataset) -> list[str]:
        """What the suite names and `trials` leaves out, each with the reason."""
        return []

    def prepared(self, data: EmbeddedDataset) -> EmbeddedDataset:
        """The data that trials take, with embeddings that the options add."""
        return data

    def contamination(self, data: EmbeddedDataset) -> tuple[str, ...]:
        """Why scores on `data` may be too good; a protocol may expect shared classes."""
        return tuple(filter(None, (data.shared_classes, data.seen_classes)))

    def joined(self, other: Self) -> Self:
        """The protocol of a suite that includes another with the protocol `other`."""
        return self

    @classmethod
    def options(cls) -> list[str]:
        """Names of the fields."""
        return [each.name for each in fields(cls)]

    @classmethod
    def has_option(cls, option: str, value: object) -> bool:
        """Whether the protocol has an option, and this value of it where the values are named."""
        kind = get_type_hints(cls)[option] if option in cls.options() else Literal[()]
        return get_origin(kind) is not Literal or value in get_args(kind)

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Self:
        """Builds the protocol from a TOML table.

        Raises:
            UserError: If a key is unknown or a value does not fit.
        """
        return cls(**fit_fields(cls, table, f"protocol {cls.name}"))

    def with_options(self, values: Mapping[str, Any]) -> Self:
        """Overrides the fields in `values`; raises as `from_table`."""
        return dataclasses.replace(self, **fit_fields(type(self), values, f"protocol {self.name}"))

    def division_of(self, spec: str) -> Division | None:
        """The division that `spec` names, or the first that fits; None if none does.

        Raises:
            UnknownNameError: If there is no such dataset or division.
        """
        dataset, name = find_dataset(spec)
        if name:
            division = dataset.division(name)
            return division if self.needs(division) else None
        fitting = [division for division in dataset.divisions if self.needs(division)]
        fitting.sort(key=lambda each: each.shared_classes or each.evaluated not in self.prefers)
        return fitting[0] if fitting else None

    def experiment(
        self,
        data: EmbeddedDataset,
        name: str,
        options: dict[str, object],
        method: MethodInfo,
        *parts: str | None,
    ) -> Experiment:
        """What determines the score of one method on some parts of a dataset.

        Args:
            data: The embeddings.
            name: The protocol's name in tables.
            options: Every choice that the score depends on.
            method: What turns embeddings into scores.
            parts: The parts that the score depends on; None and parts that are not there are
                left out.
        """
        return Experiment(
            suite=self.suite,
            protocol=ProtocolInfo(name, self.version, options),
            model=ModelInfo(**vars(data.embedder)),
            dataset=dataset_info(data, parts),
            method=method,
            feature_keys=data.keys(*parts),
        )


def without_groups(division: Division) -> str | None:
    """Why there is no interval over groups, and no group to ignore; None if there are groups."""
    if division.grouped:
        return None
    return (
        "its images have no groups (patients, cameras, bursts): name them in the column group of a "
        "table, --dataset csv:FILE."
    )
