"""Names for `--help`, read from the package's files.

Importing the registries would import torch, which takes longer than the help itself.
"""

import re
from importlib.util import find_spec
from pathlib import Path

_DECLARED = re.compile(r'^    name: ClassVar\[str\] = "(.+)"$', re.MULTILINE)
_NO_PROTOCOLS = {
    "__init__",
    "base",
    "compressed",
    "dataset_info",
    "label_kinds",
    "ranking",
    "retrieval_scorers",
    "supervised",
    "trial",
}


def suites() -> list[str]:
    """Suites of `lowlabel run`."""
    return _stems("benchmarks", "suites/*.toml")


def protocols() -> list[str]:
    """Protocols that a suite can hold."""
    stems = _stems("benchmarks", "protocols/*.py")
    return [stem.replace("_", "-") for stem in stems if stem not in _NO_PROTOCOLS]


def presets() -> list[str]:
    """Presets of `lowlabel pretrain`."""
    return _stems("training", "recipes/*.toml")


def class_lists() -> list[str]:
    """Class lists of published pretraining runs."""
    return ["ssl-vit-mini", "ssl-vit-tiered"]


def finetune_presets() -> list[str]:
    """Losses of `lowlabel finetune` with settings of their own."""
    return _stems("training", "finetuning/recipes/*.toml")


def pretraining_methods() -> list[str]:
    """Methods of self-supervised pretraining."""
    return _declared("training", "methods")


def fewshot_methods() -> list[str]:
    """Few-shot classifiers."""
    return _declared("fewshot", "methods")


def label_budget_methods() -> list[str]:
    """Classifiers of label budgets, besides the few-shot ones."""
    return _declared("classification", "budget")


def post_processing() -> list[str]:
    """Post-processing of retrieval."""
    return _declared("retrieval", "post")


def search_indexes() -> list[str]:
    """Search indexes of retrieval, besides the exact search."""
    return _declared("retrieval", "search")


def _stems(package: str, pattern: str) -> list[str]:
    return sorted(path.stem for path in _folder(package).glob(pattern))


def _declared(package: str, folder: str) -> list[str]:
    """The names that the classes in a folder declare as `name: ClassVar[str] = "…"`."""
    sources = (path.read_text(encoding="utf-8") for path in _folder(package, folder).glob("*.py"))
    return sorted(name for source in sources for name in _DECLARED.findall(source))


def _folder(package: str, *inner: str) -> Path:
    """A folder inside `lowlabel.PACKAGE`, found without importing the package."""
    spec = find_spec(f"lowlabel.{package}")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"lowlabel.{package} is not installed")
    return Path(spec.submodule_search_locations[0], *inner)
