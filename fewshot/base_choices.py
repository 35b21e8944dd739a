"""The base classes that Distribution Calibration borrows statistics from."""

import numpy as np
import torch
from numpy.typing import NDArray

from lowlabel.arrays import Features, Labels, as_labels
from lowlabel.devices import scoring_device
from lowlabel.errors import InputError
from lowlabel.fewshot.methods import Method, build_method
from lowlabel.fewshot.methods.dc import SslVitCalibration
from lowlabel.fewshot.preparation.prepared import prepare
from lowlabel.lazy_rows import of_rows


def chosen_base_classes(
    features: Features,
    labels: Labels,
    *,
    base: tuple[Features, Labels],
    method: str | Method = "dc-sslvit",
    device: str | torch.device = "auto",
) -> NDArray[np.int64]:
    """Nearest base classes of each image, as Distribution Calibration chooses them.

    The choice depends on the image alone, not on the task that it is a support image of.

    Args:
        features: Embeddings of the novel classes, floats [N, D].
        labels: Class of each image, integers [N].
        base: Features and labels of the base classes.
        method: The spec of `dc` or `dc-sslvit`, such as "dc,k=3", or a built one.
        device: Device to compute on; "auto" is a GPU if there is one.

    Returns:
        Labels of the k nearest base classes of each image, [N, k].

    Raises:
        InputError: If the method borrows from no base classes, or the arrays are invalid.
    """
    calibration = build_method(method)
    if not isinstance(calibration, SslVitCalibration):
        raise InputError(f"{calibration.spec} borrows from no base classes", "Use dc or dc-sslvit.")
    prepared = prepare(calibration, features, base, scoring_device(device))
    as_labels(labels, len(prepared.features))
    statistics = calibration.require_base(prepared.base)
    with torch.inference_mode():
        gaussians = calibration.gaussians(statistics)
        nearest = of_rows(prepared.features, lambda rows: gaussians.nearest(rows, calibration.k))
    chosen: NDArray[np.int64] = np.unique(statistics.labels)[nearest.cpu().numpy()]
    return chosen
