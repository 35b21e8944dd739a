"""Methods of self-supervised pretraining, one file each; helpers of a method are beside it."""

from lowlabel.registry import Registry
from lowlabel.training.methods.base import MethodOptions, PretrainMethod
from lowlabel.training.methods.dino import DINO
from lowlabel.training.methods.pw_self import PWSelf
from lowlabel.training.methods.scfs import SCFS

PRETRAIN_METHODS: Registry[type[PretrainMethod]] = Registry("pretraining method")
for _method in (DINO, PWSelf, SCFS):
    PRETRAIN_METHODS.add(_method.name, _method)

__all__ = ["PRETRAIN_METHODS", "MethodOptions", "PretrainMethod"]
