"""Scores methods on all test images, with few labels per class."""

from collections.abc import Mapping, Sequence

import torch

from lowlabel.arrays import Features, Labels
from lowlabel.classification.budget.budgets import Budget, build_budgets
from lowlabel.classification.budget.learner import Learner
from lowlabel.classification.budget.learners import build_learners
from lowlabel.classification.budget.result import BudgetInterval, LabelBudgetResult
from lowlabel.classification.budget.task import BudgetTask, Short
from lowlabel.errors import InputError
from lowlabel.fewshot import Method
from lowlabel.progress import Progress, share_of


def evaluate_label_budget(
    train_features: Features,
    train_labels: Labels,
    test_features: Features,
    test_labels: Labels,
    *,
    budgets: int | str | Sequence[int | str | Budget],
    methods: str | Method | Learner | Sequence[str | Method | Learner],
    draws: int = 5,
    base: tuple[Features, Labels] | None = None,
    lists: Mapping[str, Sequence[int]] | None = None,
    short: Short = "error",
    seed: int = 0,
    groups: Labels | None = None,
    interval: BudgetInterval | None = None,
    device: str | torch.device = "auto",
    progress: Progress | None = None,
) -> LabelBudgetResult:
    """Evaluates accuracy against the number of labels per class.

    For each budget, labelled images of every class are drawn from the train part, several times;
    methods learn from these alone, with all classes at once, and are scored on all test images.
    The draws depend only on the train labels, their order and `seed`: every model and method gets
    the same. Within a draw, larger budgets contain the smaller ones.

    Args:
        train_features: Embeddings to draw labelled images from, floats [N, D], numpy or torch.
        train_labels: Class of each train image, any integers, [N]. Classes may differ in size.
        test_features: Test embeddings, floats [M, D].
        test_labels: Class of each test image, integers [M].
        budgets: Numbers of labels per class (5), and shares of each class ("10%", rounded to the
            nearest number and at least 1).
        methods: Specs of few-shot methods ("ncm", "ridge,norm=l2"; see `lowlabel.fewshot.METHODS`)
            and of `LEARNERS` ("knn,k=20"), or built ones.
        draws: Number of draws for each budget; one where it takes all images.
        base: Features and labels of base classes, for methods that use them.
        lists: Further budgets, by name: the rows of the labelled train images.
        short: What to do with classes that have fewer images than a budget: "error"; "leave-out",
            leave the budget out; "all", label all of their images, which is counted.
        seed: Random seed.
        groups: Group of each test image (patient, camera, burst), any integers, [M].
        interval: What another study would draw anew: "images" (draws of labels and test images) or
            "groups" (draws and groups, the default where they are given), "draws" alone, or
            "classes". The result has all of them.
        device: Device to compute on; "auto" is a GPU if there is one.
        progress: Called with (draws done, draws) of all budgets and methods.

    Returns:
        Metrics with intervals over draws and test images, and what was left out: methods that need
        base classes if there are none, or more memory than a method may take.

    Raises:
        InputError: If arrays or options are invalid, a class has fewer train images than a budget,
            or no method can be scored at any budget.
        UnknownNameError: If there is no such method.

    Example:
        >>> labels = np.repeat(np.arange(3), 20)
        >>> features = np.eye(3)[labels]
        >>> found = evaluate_label_budget(
        ...     features, labels, features, labels, budgets=(1, "10%"), methods="ncm"
        ... )
        >>> found.of(1, "ncm").metrics["top1"]
        100.0
    """
    learners = build_learners(methods)
    task = BudgetTask.of(
        (train_features, train_labels),
        (test_features, test_labels),
        budgets=build_budgets(budgets),
        draws=draws,
        base=base,
        lists=lists,
        short=short,
        seed=seed,
        device=device,
        groups=groups,
        interval=interval,
    )
    jobs = [(each, learner) for each in task.draws for learner in learners]
    left_out = {
        (each.budget.name, learner.spec): reason
        for each, learner in jobs
        if (reason := learner.unfit(task.tables) or learner.reason_against(task.tables, each))
    }
    left_out |= {
        (budget, each.spec): reason for budget, reason in task.left_out.items() for each in learners
    }
    jobs = [job for job in jobs if (job[0].budget.name, job[1].spec) not in left_out]
    if not jobs:
        raise InputError(f"nothing can be scored: {'; '.join(dict.fromkeys(left_out.values()))}")
    total, done, results = sum(len(each.rows) for each, _ in jobs), 0, []
    for each, learner in jobs:
        results.append(task.score(learner, each, share_of(progress, done, total)))
        done += len(each.rows)
    return LabelBudgetResult(tuple(results), left_out)
