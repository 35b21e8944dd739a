"""Checks and converts what users hand in: features, labels, counts and names.

Every `evaluate_*` function takes its arrays through here, so the same bad array gets the same
answer everywhere.
"""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.errors import InputError, UnknownNameError, number_of
from lowlabel.scale import magnitudes

_SEEDS = 2**63  # that every generator takes
Features = NDArray[Any] | Tensor | Sequence[Sequence[float]]
Labels = NDArray[Any] | Tensor | Sequence[int]


def as_features(features: Features, name: str = "features") -> Tensor:
    """Converts features [N, D] to a contiguous float32 or float64 tensor.

    Half precision becomes float32; extended precision and nested lists become float64. Any byte
    order and memory layout is accepted, and memory is shared where possible.

    Args:
        features: Floats [N, D].
        name: Name of the features in messages.

    Raises:
        InputError: If they are not a matrix of floats; integers are refused.
    """
    _require_dense(features, name)
    given = features.detach() if isinstance(features, Tensor) else _as_array(features, name)
    is_float = given.is_floating_point() if isinstance(given, Tensor) else given.dtype.kind == "f"
    if not is_float:
        raise InputError(
            f"{name} are {str(given.dtype).removeprefix('torch.')}, not floats",
            "Pass a matrix of floats, as a numpy array or a torch tensor.",
        )
    if given.ndim != 2 or 0 in given.shape:
        raise InputError(f"{name} have the shape {tuple(given.shape)}, not [images, dimensions]")
    tensor = given if isinstance(given, Tensor) else _from_numpy(given)
    if tensor.dtype not in (torch.float32, torch.float64):
        tensor = tensor.float()
    return tensor.contiguous()


def as_float32(features: Features, device: torch.device, name: str = "features") -> Tensor:
    """Converts features [N, D] to float32 on the device.

    Raises:
        InputError: If they are not a matrix of floats, or a row is not finite in float32.
    """
    tensor = as_features(features, name).to(device, torch.float32)
    refuse_rows(
        ~magnitudes(tensor)[:, 0].isfinite(), name, "hold NaN or infinite values in float32"
    )
    return tensor


def as_labels(labels: Labels, images: int | None, name: str = "labels") -> NDArray[np.int64]:
    """Converts labels [N] to int64; they never pass through floats, which merge large class ids.

    Args:
        labels: Integers [N].
        images: N; None if any number will do.
        name: Name of the labels in messages.

    Raises:
        InputError: If they are not one integer per image, or exceed int64.
    """
    _require_dense(labels, name)
    if isinstance(labels, Tensor):
        labels = labels.detach().cpu()
        labels = labels.float() if labels.dtype == torch.bfloat16 else labels  # numpy has none
    array = _as_array(labels, name)
    if array.ndim != 1 or images not in (None, len(array)):
        needed = ", not a list" if images is None else f" for {number_of(images, 'images')}"
        raise InputError(f"{name} have the shape {array.shape}{needed}")
    if array.dtype.kind not in "iu" and array.size:
        raise InputError(
            f"{name} are {array.dtype}, not integers",
            "Number the classes with integers; floats merge class ids above 2**24.",
        )
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise InputError(f"{name} go up to {array.max()}, beyond int64")
    return array.astype(np.int64)


def as_label_sets(
    labels: Any, images: int, name: str = "labels", *, empty: bool = False
) -> NDArray[np.bool_]:
    """Converts several labels of each image [N, L] to booleans.

    Args:
        labels: Whether image i has label j, booleans or 0 and 1, [N, L].
        images: N.
        name: Name of the labels in messages.
        empty: Whether an image may have no label.

    Raises:
        InputError: If they are not a matrix of 0 and 1 with a row for each image, or an image has
            no label and must have one.
    """
    _require_dense(labels, name)
    given = labels.detach().cpu().numpy() if isinstance(labels, Tensor) else _as_array(labels, name)
    if given.ndim != 2 or len(given) != images or not given.shape[1]:
        raise InputError(f"{name} have the shape {given.shape}, not ({images}, number of labels)")
    if given.dtype != np.bool_ and not ((given == 0) | (given == 1)).all():
        raise InputError(f"{name} hold other values than 0 and 1: a column is one label")
    sets = given.astype(np.bool_)
    if not empty and (without := int((~sets.any(axis=1)).sum())):
        raise InputError(
            f"{without:,} of {number_of(images, 'images')} have no label in {name}",
            "Leave them out: an image without a label has no positives.",
        )
    return sets


def as_counts(values: int | Iterable[int], name: str) -> tuple[int, ...]:
    """Converts one count or several distinct ones, in the order given.

    Raises:
        InputError: If there is none, one is not an integer of at least 1, or one is repeated.
    """
    if isinstance(values, np.ndarray | Tensor):
        values = values.tolist()
    counts = tuple(values) if isinstance(values, Iterable) else (values,)
    if not counts or not all(_is_integer(value, 1) for value in counts):
        raise InputError(f"{name}={values!r} must be one or more integers of at least 1")
    if len(set(counts)) < len(counts):
        raise InputError(f"{name}={values!r} holds a number more than once")
    return tuple(int(value) for value in counts)


def as_seed(seed: Any) -> int:
    """Converts a random seed to int.

    Raises:
        InputError: If it is not an integer of at least 0 that torch takes.
    """
    (number,) = as_integers(0, seed=seed)
    if number >= _SEEDS:
        raise InputError(f"seed={number} must be below 2**63")
    return number


def require_at_most(
    name: str, counts: Sequence[int], limit: int, what: str, alternative: str = ""
) -> None:
    """Raises an `InputError` if a count exceeds the limit.

    Args:
        name: Name of the counts in messages.
        counts: The counts.
        limit: The largest allowed.
        what: What there are `limit` of: "train images".
        alternative: Another way out for the hint: ", or pass clip_k=True".
    """
    if max(counts) > limit:
        raise InputError(
            f"{name}={max(counts)} exceeds the {limit} {what}",
            f"Choose {name} of at most {limit}{alternative}.",
        )


def as_integers(minimum: int, **values: Any) -> tuple[int, ...]:
    """Converts options to int; numpy integers are accepted, a bool is not an integer.

    Args:
        minimum: Lowest allowed value.
        values: Values by the name that messages give them.

    Raises:
        InputError: If one is not an integer of at least `minimum`.
    """
    for name, value in values.items():
        if not _is_integer(value, minimum):
            raise InputError(f"{name}={value!r} must be an integer of at least {minimum}")
    return tuple(int(value) for value in values.values())


def require_name(kind: str, name: str, known: Sequence[str]) -> None:
    """Raises an `UnknownNameError` unless the name is known."""
    if name not in known:
        raise UnknownNameError(kind, name, known)


def require_same_width(dimensions: Mapping[str, int]) -> None:
    """Raises an `InputError` unless all features, given by name, have the same width."""
    (first, width), *others = dimensions.items()
    for name, other in others:
        if other != width:
            raise InputError(
                f"{first} have {number_of(width, 'dimensions')}, {name} {other}",
                "Extract all of them with one model and the same pooling.",
            )


def refuse_rows(bad: Tensor, name: str, problem: str) -> None:
    """Raises an `InputError` with the number of `bad` rows [N], if there are any."""
    if bad.any():
        raise InputError(
            f"{int(bad.sum())} of {len(bad)} rows of {name} {problem}",
            "Check the images and the model that produced them; float16 overflows at 65,504.",
        )


def _is_integer(value: object, minimum: int) -> bool:
    if isinstance(value, bool) or not isinstance(value, Integral):
        return False
    return int(value) >= minimum


def _require_dense(values: object, name: str) -> None:
    """Raises an `InputError` if some or all values are not there."""
    if isinstance(values, Tensor):
        if values.layout != torch.strided:
            raise InputError(f"{name} are sparse", "Pass a dense array.")
        if values.device.type == "meta":
            raise InputError(f"{name} are on the device meta, without values", "Pass the values.")
    elif np.ma.is_masked(values):
        raise InputError(
            f"{name} are a masked array with {np.ma.count_masked(values):,} values masked out",
            "Leave these rows out, or fill them: features.filled(…).",
        )


def _as_array(values: Any, name: str) -> NDArray[Any]:
    try:
        array = np.asarray(values)
        kinds = {getattr(dtype, "kind", "") for dtype in getattr(values, "dtypes", ())}
        if array.dtype == object and kinds == {"f"}:  # of pandas, whose own types hold missing ones
            return np.asarray(values.to_numpy(np.float64, na_value=np.nan))
        return array
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} are not an array: {error}") from error


def _from_numpy(array: NDArray[Any]) -> Tensor:
    if array.dtype.itemsize > 8:
        with np.errstate(over="ignore"):  # infinite values are counted later
            array = array.astype(np.float64)
    array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")  # only read
        return torch.from_numpy(array)
