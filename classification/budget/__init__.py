"""Accuracy against the number of labels per class.

`evaluate_label_budget` draws labelled images from a train part, several times for each budget,
and scores classifiers that learn from them on all test images.
"""

from lowlabel.classification.budget.budgets import Budget, build_budget, build_budgets
from lowlabel.classification.budget.draw_state import DrawState
from lowlabel.classification.budget.draws import Draws, repeated
from lowlabel.classification.budget.evaluate import evaluate_label_budget
from lowlabel.classification.budget.learner import Learner
from lowlabel.classification.budget.learners import LEARNERS, build_learner
from lowlabel.classification.budget.result import BudgetResult, LabelBudgetResult
from lowlabel.classification.budget.task import BudgetTask

__all__ = [
    "LEARNERS",
    "Budget",
    "BudgetResult",
    "BudgetTask",
    "DrawState",
    "Draws",
    "LabelBudgetResult",
    "Learner",
    "build_budget",
    "build_budgets",
    "build_learner",
    "evaluate_label_budget",
    "repeated",
]
