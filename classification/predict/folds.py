"""Folds of cross-validation: stratified by class, with no group on both sides."""

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
ALWAYS = -1  # the fold of images that are always learned from


def stratified_folds(classes: IntArray, groups: IntArray | None, folds: int, seed: int) -> IntArray:
    """Deals images, or whole groups of them, to folds, class after class.

    The numbers of images, or groups, that two folds have of a class differ by one at most. A group
    counts with the class that most of its images have.

    Args:
        classes: Class of each image, 0 … C-1, [N].
        groups: Group of each image, any integers, [N]; None if each image stands alone.
        folds: Number of folds; fewer where the largest class has fewer images or groups.
        seed: Random seed.

    Returns:
        The fold of each image, [N]. Classes that lie in one fold, as those of a single image do,
        cannot be learned without it: their images have `ALWAYS`.
    """
    units = np.arange(len(classes)) if groups is None else np.unique(groups, return_inverse=True)[1]
    (unit, of), counts = np.unique(np.stack([units, classes]), axis=1, return_counts=True)
    order = np.lexsort((of, -counts, unit))
    _, first = np.unique(unit[order], return_index=True)
    class_of_unit = of[order][first]
    # Raw words of a bit generator are stable across numpy's versions.
    words = np.random.PCG64(np.random.SeedSequence(seed)).random_raw(len(class_of_unit))
    dealt = np.empty(len(class_of_unit), np.int64)
    count = min(folds, int(np.bincount(class_of_unit).max()))
    dealt[np.lexsort((words, class_of_unit))] = np.arange(len(dealt)) % count
    found = dealt[units]
    in_fold = np.zeros((int(classes.max()) + 1, count), dtype=bool)
    in_fold[classes, found] = True
    return np.where(in_fold.sum(1)[classes] > 1, found, ALWAYS)
