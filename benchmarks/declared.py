"""What a user declares embeddings made elsewhere to be: `--features-of DATASET,model=NAME`."""

from dataclasses import replace

import numpy as np

from lowlabel.datasets import Counts, find_dataset
from lowlabel.errors import DataError, InputError, UnknownNameError
from lowlabel.features import EmbeddedDataset
from lowlabel.results.reference.numbers import declared_models
from lowlabel.specs import parse_spec


def declared_features(spec: str, file: EmbeddedDataset) -> EmbeddedDataset:
    """Takes a user's word for the dataset and the model of a file of embeddings.

    The records say that it was declared; only then can a published number of features that their
    authors handed out stand beside a score.

    Args:
        spec: Such as "mini-imagenet:ravi,model=dc-wrn-28-10"; the first division if none is named.
        file: The embeddings.

    Raises:
        UnknownNameError: If there is no such dataset or division, or no published number names
            the model.
        InputError: If the spec is not of this form.
        DataError: If the file has other counts than the scored part of the division.
    """
    name, options = parse_spec(spec)
    if options.keys() != {"model"}:
        raise InputError(
            f"--features-of {spec} does not name a dataset and a model",
            "Write it as mini-imagenet:ravi,model=dc-wrn-28-10.",
        )
    dataset, named = find_dataset(name)
    division = dataset.division(named) if named else dataset.divisions[0]
    model = str(options["model"])
    if model not in declared_models():
        raise UnknownNameError("model of published features", model, declared_models())
    labels = file.evaluated.labels
    found, expected = Counts(len(labels), len(np.unique(labels))), division.expected
    if expected.get(division.evaluated, found) != found:
        raise DataError(
            f"{file.title} holds {found}, but {division.evaluated} of {dataset.name}:"
            f"{division.name} has {expected[division.evaluated]}",
            "Name the dataset and the division that the features are of, or leave --features-of "
            "out.",
        )
    return replace(file, declared=f"{dataset.name}:{division.name},model={model}")
