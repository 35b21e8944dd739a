"""What a plan refuses before any work: models, datasets and options that mean nothing."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from lowlabel.benchmarks.from_labels import Trainer, is_scratch
from lowlabel.benchmarks.jobs import Job
from lowlabel.benchmarks.protocols import PROTOCOLS
from lowlabel.benchmarks.request import Request
from lowlabel.benchmarks.suite import Suite
from lowlabel.datasets import find_dataset, open_dataset
from lowlabel.errors import InputError
from lowlabel.features import check_model


def check_models(suite: Suite, request: Request) -> None:
    """Refuses unknown models, none at all, one named twice, and labels for another number."""
    if not suite.model:
        raise InputError(
            f"suite {suite.name} needs a model", "Name one: --model dino_vits16 (see lowlabel list)"
        )
    if request.label and len(request.label) != len(suite.model):
        raise InputError(
            f"{len(request.label)} labels for {len(suite.model)} models",
            "Give --label once for every --model, in the same order, or not at all.",
        )
    labelled = zip(suite.model, request.label or suite.model, strict=True)
    for (model, _), times in Counter(labelled).items():
        if times > 1:
            raise InputError(
                f"the model {model} is named {times} times",
                "Name each model once, or give each its own --label.",
            )
        if not is_scratch(model):
            check_model(model)


def check_trained(trainers: Mapping[str, Trainer], request: Request, jobs: Sequence[Job]) -> None:
    """Refuses networks to train on labels where there are none, and options that they ignore."""
    for model in trainers:
        if request.without or request.leakage or request.overlap:
            raise InputError(
                f"{model} learns from all images, so --without, --leakage and --overlap do not go "
                "with it",
                "Leave them out, or score other models with them.",
            )
        if trainers.keys() >= {*request.model} and request.backbone.preprocesses:
            raise InputError(
                f"{model} has options of its own, so --resolution, --pooling and the other options "
                "of preprocessing do not go with it",
                f"Write them behind its name: --model {model},resolution=128",
            )
        if not any(job.protocol.gives_labels for job in jobs):
            raise InputError(
                f"{model} is trained on the labels of a budget, and nothing here has one",
                "Choose --suite label-budget.",
            )


def check_datasets(suite: Suite, request: Request, jobs: Sequence[Job]) -> None:
    """Refuses datasets that no protocol of the suite can score."""
    unfit = sorted(set(request.dataset) - {job.dataset for job in jobs})
    if unfit:
        unshared = {spec: _unshared(spec) for spec in unfit}
        if several := [spec for spec in unfit if _several_labels(spec)]:
            raise _unfit_labels(several[0], suite)
        reasons = unshared
        if all(protocol.takes for protocol in suite.protocols):
            reasons = {spec: why or _no_train_part(spec) for spec, why in unshared.items()}
        hints = [
            f"Suite {suite.name} takes {protocol.takes}."
            for protocol in suite.protocols
            if protocol.takes
        ] or [
            "Landmarks and copies are scored by --suite retrieval; few-shot classification needs "
            "classes."
        ]
        if any(unshared.values()):
            hints.append("Add train images of the classes, or move the classes out of the parts.")
        named = (f"{spec}: {reason}" if reason else spec for spec, reason in reasons.items())
        raise InputError(
            f"suite {suite.name} has no protocol for {', '.join(named)}",
            "\n".join(dict.fromkeys(hints)),
        )


def _unfit_labels(spec: str, suite: Suite) -> InputError:
    """The error for images with several labels that no protocol of the suite can score."""
    if any(protocol.several_labels for protocol in suite.protocols):
        return InputError(
            f"{spec} has images with several labels and no train part, and suite {suite.name} "
            "learns from one",
            "Name the part of each image, such as train and test, in a column split (and leave "
            "knn.voters=half out).",
        )
    return InputError(
        f"{spec} has images with several labels, and suite {suite.name} needs one label for each",
        "Images with several labels are scored by --suite retrieval, knn and classification. For "
        "the others, name one label for each image in a column label.",
    )


def needing_one_label(suite: Suite, request: Request) -> list[str]:
    """Protocols of the suite that would score a named dataset if each image had one label."""
    return [
        f"{protocol.name} on {spec}: its images have several labels, and it needs one for each"
        for spec in request.dataset
        if _several_labels(spec)
        for protocol in suite.protocols
        for division in find_dataset(spec)[0].divisions
        if not protocol.needs(division)
        and protocol.needs(replace(division, kind="classes", shared_classes=True))
    ]


def _several_labels(spec: str) -> bool:
    return all(each.kind == "labels" for each in find_dataset(spec)[0].divisions)


def _unshared(spec: str) -> str:
    """Which classes the train part of a folder lacks; empty for other datasets."""
    return next((each.unshared for each in find_dataset(spec)[0].divisions if each.unshared), "")


def _no_train_part(spec: str) -> str:
    """That a dataset has no train part, and what it has; empty if it has one."""
    divisions = find_dataset(spec)[0].divisions
    if any(each.train_part for each in divisions):
        return ""
    parts = dict.fromkeys(part for each in divisions for part in each.parts)
    return f"it has no train part, only {', '.join(parts)}"


def check_options(suite: Suite, request: Request, jobs: Sequence[Job]) -> None:
    """Refuses options that no protocol with a job has."""
    chosen = {job.protocol.name for job in jobs}
    for option in request.options:
        owners = [name for name, kind in PROTOCOLS.items() if option in kind.options()]
        if not chosen & set(owners):
            flag = f"--{option.replace('_', '-')}"
            raise InputError(
                f"{flag} is not an option of {', '.join(sorted(chosen)) or suite.name}",
                f"{' and '.join(owners)} {'takes' if len(owners) == 1 else 'take'} it: choose a "
                f"suite and a dataset for that, or leave {flag} out.",
            )
    for name in request.protocol_settings():
        if name not in chosen:
            raise InputError(
                f"--set {name}.… means nothing here: nothing is scored by {name}",
                f"The protocols of this run: {', '.join(sorted(chosen))}.",
            )


def without_options(request: Request, jobs: Sequence[Job]) -> list[str]:
    """Options and values that are meant for another protocol of the same kind than a job's."""
    notes = (
        _unmet(option, value, job) for option, value in request.options.items() for job in jobs
    )
    return [note for note in notes if note]


def _unmet(option: str, value: object, job: Job) -> str | None:
    protocol, flag = job.protocol, f"--{option.replace('_', '-')}"
    if option in protocol.options():
        if protocol.has_option(option, value):
            return None
        own = getattr(protocol, option)
        return f"{flag} {value} on {job.dataset}: {protocol.name} has no such one; it keeps {own}"
    kin = (kind for kind in PROTOCOLS.values() if kind.suite == protocol.suite)
    if not any(option in kind.options() for kind in kin):
        return None
    return f"{flag} on {job.dataset}: {protocol.name} has no such option"


def ignored_options(trainers: Mapping[str, Trainer], request: Request) -> list[str]:
    """Options of preprocessing that networks to train on labels do not take."""
    return [
        f"--resolution, --pooling and other options of preprocessing for {model}: it has its own"
        for model in trainers
        if request.backbone.preprocesses
    ]


def check_folders(jobs: Sequence[Job]) -> tuple[str, ...]:
    """Refuses folders that have no classes to tell apart; returns what they hold besides images."""
    notes: dict[str, None] = {}
    for job in jobs:
        if find_dataset(job.dataset)[0].marker:
            continue
        opened = open_dataset(job.dataset, job.division)
        notes |= {f"{job.dataset}: {note}": None for note in job.division.notes}
        for part in job.protocol.needs(job.division):
            opened.check_classes(part)
            notes |= {f"{job.dataset} {part}: {note}": None for note in opened.not_taken(part)}
    return tuple(notes)
