"""The known methods of a label budget, and how a spec becomes one."""

from collections.abc import Sequence

from lowlabel.classification.budget.classifiers import LinearProbe, Neighbours
from lowlabel.classification.budget.few_shot import FewShotLearner
from lowlabel.classification.budget.learner import Learner
from lowlabel.errors import InputError, UnknownNameError
from lowlabel.fewshot import METHODS, Method
from lowlabel.registry import Registry
from lowlabel.specs import parse_spec, require_text

LEARNERS: Registry[type[Learner]] = Registry("classifier")
for _learner in (Neighbours, LinearProbe):
    LEARNERS.add(_learner.name, _learner)


def build_learner(learner: str | Learner | Method) -> Learner:
    """Builds a classifier from its spec: that of a few-shot method, or of one of `LEARNERS`.

    A built one is returned as it is.

    Raises:
        UnknownNameError: If there is no such method.
        InputError: If it has no such option, or the option cannot have the value.
    """
    if isinstance(learner, Learner):
        return learner
    if isinstance(learner, Method):
        return FewShotLearner(learner)
    require_text("method", learner)
    name, options = parse_spec(learner)
    if name in LEARNERS:
        return LEARNERS[name].from_options(options)
    if name not in METHODS:
        raise UnknownNameError("method", name, [*LEARNERS, *METHODS])
    return FewShotLearner(METHODS[name].from_options(options))


def build_learners(
    methods: str | Learner | Method | Sequence[str | Learner | Method],
) -> tuple[Learner, ...]:
    """Builds classifiers; one alone need not be in a list.

    Raises:
        InputError: If there is none, one is given twice, or `build_learner` refuses one.
        UnknownNameError: If there is no such method.
    """
    items = [methods] if isinstance(methods, str | Learner | Method) else methods
    built = tuple(map(build_learner, items))
    specs = [each.spec for each in built]
    if not built or len(set(specs)) < len(specs):
        raise InputError(f"methods={specs} must be one or more different methods")
    return built
