"""The few-shot methods, one file each, and how a method is made from its text."""

from lowlabel.fewshot.methods.base import Method
from lowlabel.fewshot.methods.cosine import Cosine
from lowlabel.fewshot.methods.dc import DistributionCalibration, SslVitCalibration
from lowlabel.fewshot.methods.logreg import LogisticRegression
from lowlabel.fewshot.methods.ncm import NearestCentroid
from lowlabel.fewshot.methods.ridge import Ridge
from lowlabel.fewshot.methods.svm import SupportVectorMachine
from lowlabel.registry import Registry
from lowlabel.specs import parse_spec

__all__ = ["METHODS", "Method", "build_method"]

METHODS: Registry[type[Method]] = Registry("few-shot method")
for _method in (
    NearestCentroid,
    Cosine,
    Ridge,
    LogisticRegression,
    SupportVectorMachine,
    DistributionCalibration,
    SslVitCalibration,
):
    METHODS.add(_method.name, _method)


def build_method(spec: str) -> Method:
    """The method that a text such as "ncm", "ncm,norm=cl2n" or "logreg,c=0.1" stands for.

    Raises:
        UnknownNameError: If there is no such method.
        InputError: If it has no such option, or the option cannot have the value.
    """
    name, options = parse_spec(spec)
    return METHODS[name].from_options(options)
