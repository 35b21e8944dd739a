"""Labels for images without one, and how often they should be right.

`choose_method` chooses a classifier by cross-validation on labelled images, and estimates its
accuracy on images that took no part in the choice. `predict_labels` labels other images with it.
"""

from lowlabel.classification.predict.candidates import DEFAULT_METHODS
from lowlabel.classification.predict.choice import MethodChoice, choose_method
from lowlabel.classification.predict.predict import Predictions, predict_labels

__all__ = ["DEFAULT_METHODS", "MethodChoice", "Predictions", "choose_method", "predict_labels"]
