"""Train and test labels as columns of a classifier."""

import numpy as np
from numpy.typing import NDArray

from lowlabel.errors import ClassError, InputError, number_of


def number_classes(
    train: NDArray[np.int64], test: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Train classes, sorted, and both labels as their index.

    A class that train lacks gets −1, −2, …, one number for each.

    Raises:
        InputError: If there is one train class, or no test image has a train class.
    """
    classes, train_columns = np.unique(train, return_inverse=True)
    columns = np.searchsorted(classes, test).clip(max=len(classes) - 1)
    if len(classes) == 1:
        raise ClassError(
            f"all {len(train)} train images have the class {{}}: nothing can be told apart",
            "Add train images of other classes, or check the labels.",
            [int(classes[0])],
        )
    known = classes[columns] == test
    if not known.any():
        raise InputError(
            f"none of the {number_of(len(test), 'test images')} has a class of the "
            f"{number_of(len(train), 'train images')}: "
            f"train labels are {classes[0]} to {classes[-1]}, test labels {test.min()} to "
            f"{test.max()}",
            "Use the same class numbers for train and test labels.",
        )
    _, unseen = np.unique(test, return_inverse=True)
    return classes, train_columns.astype(np.int64), np.where(known, columns, -1 - unseen)


def validation_columns(
    train: NDArray[np.int64], validation: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Validation labels as their index in the sorted train classes; −1 for those train lacks.

    Raises:
        InputError: If no validation image has a train class.
    """
    classes = np.unique(train)
    columns = np.searchsorted(classes, validation).clip(max=len(classes) - 1)
    known = classes[columns] == validation
    if not known.any():
        raise InputError(
            f"none of the {number_of(len(validation), 'validation images')} has a class of the "
            f"{number_of(len(train), 'train images')}",
            "Use the same class numbers for train and validation labels.",
        )
    return np.where(known, columns, -1)
