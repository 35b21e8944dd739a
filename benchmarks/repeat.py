"""The command that repeats a score."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from lowlabel.benchmarks.jobs import Job
from lowlabel.benchmarks.request import Request
from lowlabel.datasets import is_own
from lowlabel.features import BackboneOptions

_IMPLIED = {"dataset", "strict", "large_k"}  # said by --dataset, --method and --k


def repeat_command(job: Job, request: Request, model: str) -> str:
    """The command of one model on one dataset, with the options of the run; folders are left out.

    Args:
        job: The dataset and its protocol.
        request: The run.
        model: The model; empty for embeddings and rankings made elsewhere.
    """
    words = ["lowlabel", "run", "--suite", request.suite]
    if request.features:
        words += ["--features", request.features.name]
    elif request.ranking:
        words += ["--ranking", request.ranking.name, "--dataset", _without_folder(job.dataset)]
    else:
        words += ["--model", _without_folder(model), "--dataset", _without_folder(job.dataset)]
    for name, value in request.options.items():
        if name not in _IMPLIED:
            words += _option(name, value)
    for setting in request.settings:
        words += ["--set", setting]
    words += _backbone(request.backbone)
    words += _option("class_list", request.class_list and request.class_list.name)
    words += _option("min_images", request.min_images)
    words += _option("allow_partial", request.allow_partial)
    words += _option("skip_bad_images", request.extraction.skip_bad_images)
    words += _option("without", request.without and request.without.name)
    words += _option("reason", request.reasons)
    words += _option("leakage", request.leakage and request.leakage.name)
    words += _option("overlap", request.overlap and request.overlap.name)
    words += _option("features_key", request.features_key)
    words += _option("features_of", request.features_of)
    return shlex.join(words)


def _option(name: str, value: object) -> Iterator[str]:
    """An option as it is written: a flag, a value, or one for each of several."""
    flag = f"--{name.replace('_', '-')}"
    values = value if isinstance(value, tuple | list) else (value,)
    for each in values:
        if each is True:
            yield flag
        elif each not in (None, False, 0, ""):
            yield from (flag, str(each))


def _backbone(options: BackboneOptions) -> Iterator[str]:
    """The options that differ from the defaults; the device changes no score."""
    default = BackboneOptions()
    for name, value in vars(options).items():
        if name == "scales" and value:
            yield "--multi-scale"
        elif name not in ("device", "scales") and value != getattr(default, name):
            yield from _option(name, value)


def _without_folder(spec: str) -> str:
    """A model or dataset without the folder of its file: it differs between computers."""
    kind, colon, rest = spec.partition(":")
    if is_own(spec):
        return f"{kind}:{Path(rest.partition(',root=')[0]).name}"
    return f"{Path(kind).name}{colon}{rest}" if "/" in kind else spec
