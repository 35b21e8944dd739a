"""Which base classes Distribution Calibration borrows from."""

import numpy as np
import torch
from numpy.typing import NDArray

from lowlabel.devices import resolve_device
from lowlabel.errors import InputError
from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.inputs import Features, Labels, as_table, require_same_width
from lowlabel.fewshot.methods import Method, build_method
from lowlabel.fewshot.methods.dc import SslVitCalibration


def chosen_base_classes(
    features: Features,
    labels: Labels,
    *,
    base: tuple[Features, Labels],
    method: str | Method = "dc-sslvit",
    device: str | torch.device = "auto",
) -> NDArray[np.int64]:
    """The base classes that each image would borrow from, were it a support image.

    The choice depends on the image alone, not on the task.

    Args:
        features: Embeddings of the novel classes' images, floats [N, D].
        labels: Class of each image, integers [N].
        base: Features and labels of the base classes.
        method: The spec of `dc` or `dc-sslvit`, such as "dc,k=3", or a built one.
        device: Where the arithmetic runs.

    Returns:
        Labels of the k nearest base classes of each image, [N, k].

    Raises:
        InputError: If the method borrows from no base classes, or arrays do not fit.
    """
    calibration = build_method(method)
    if not isinstance(calibration, SslVitCalibration):
        raise InputError(f"{calibration.spec} borrows from no base classes", "Use dc or dc-sslvit.")
    processor = resolve_device(device)
    table, learnt = as_table(features, labels, processor), as_table(*base, processor, "base ")
    require_same_width(table.features, learnt.features)
    statistics = BaseStatistics(learnt.features, learnt.labels)
    with torch.inference_mode():
        transformed = calibration.transform(table.features, statistics)
        places = calibration.gaussians(statistics).nearest(transformed, calibration.k)
    chosen: NDArray[np.int64] = np.unique(learnt.labels)[places.cpu().numpy()]
    return chosen
