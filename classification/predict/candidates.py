"""Classifiers that can label new images."""

from collections.abc import Sequence

from lowlabel.classification.budget.classifiers import Neighbours
from lowlabel.classification.budget.few_shot import FewShotLearner
from lowlabel.classification.budget.learner import Learner
from lowlabel.classification.budget.learners import build_learners
from lowlabel.errors import InputError
from lowlabel.fewshot import METHODS, Method

Classifier = FewShotLearner | Neighbours

DEFAULT_METHODS = (
    "ncm,norm=l2",
    "knn",
    "ridge,norm=l2,alpha=10",
    "ridge,norm=l2",
    "ridge,norm=l2,alpha=0.1",
    "logreg,norm=l2,c=10",
    "logreg,norm=l2,c=100",
)


def build_classifiers(
    methods: str | Learner | Method | Sequence[str | Learner | Method],
) -> tuple[Classifier, ...]:
    """Builds classifiers that score each image on its own, from the labelled ones alone.

    Raises:
        InputError: If a method classifies images together, needs base classes, or gives no scores,
            or `build_learners` refuses one.
        UnknownNameError: If there is no such method.
    """
    return tuple(map(_checked, build_learners(methods)))


def _checked(learner: Learner) -> Classifier:
    reason = ""
    if learner.transductive:
        reason = "classifies all images together, so a label would depend on the others"
    elif learner.needs_base:
        reason = "needs base classes"
    elif not isinstance(learner, Classifier):
        reason = "gives no score for each class"
    if isinstance(learner, Classifier) and not reason:
        return learner
    known = [name for name, method in METHODS.items() if not method.transductive]
    raise InputError(
        f"{learner.spec} cannot predict labels: it {reason}",
        f"Choose among {', '.join(sorted({*known, Neighbours.name} - {'dc', 'dc-sslvit'}))}.",
    )
