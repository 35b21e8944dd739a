"""Few-shot methods, one file each. `METHODS` lists them, `build_method` builds one from a spec."""

from lowlabel.fewshot.methods.alpha_tim import AlphaTim
from lowlabel.fewshot.methods.base import Method
from lowlabel.fewshot.methods.bd_cspn import BdCspn
from lowlabel.fewshot.methods.cosine import Cosine
from lowlabel.fewshot.methods.dc import DistributionCalibration, SslVitCalibration
from lowlabel.fewshot.methods.label_propagation import LabelPropagation
from lowlabel.fewshot.methods.laplacianshot import LaplacianShot
from lowlabel.fewshot.methods.logreg import LogisticRegression
from lowlabel.fewshot.methods.ncm import NearestCentroid
from lowlabel.fewshot.methods.pt_map import PtMap
from lowlabel.fewshot.methods.ridge import Ridge
from lowlabel.fewshot.methods.soft_kmeans import SoftKMeans
from lowlabel.fewshot.methods.svm import SupportVectorMachine
from lowlabel.fewshot.methods.tim import Tim
from lowlabel.registry import Registry
from lowlabel.specs import parse_spec, require_text

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
    BdCspn,
    LaplacianShot,
    Tim,
    AlphaTim,
    PtMap,
    SoftKMeans,
    LabelPropagation,
):
    METHODS.add(_method.name, _method)


def build_method(method: str | Method) -> Method:
    """Builds a method from its spec, such as "ncm", "ncm,norm=cl2n" or "logreg,c=0.1".

    A built method is returned as it is.

    Raises:
        UnknownNameError: If there is no such method.
        InputError: If it has no such option, or the option cannot have the value.
    """
    if isinstance(method, Method):
        return method
    require_text("few-shot method", method)
    name, options = parse_spec(method)
    return METHODS[name].from_options(options)
