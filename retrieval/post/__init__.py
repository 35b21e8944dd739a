"""Post-processing of embeddings before they are compared: one file each, applied in order."""

from collections.abc import Sequence
from dataclasses import fields
from itertools import pairwise

from lowlabel.errors import InputError
from lowlabel.registry import Registry
from lowlabel.retrieval.post.aqe import QueryExpansion
from lowlabel.retrieval.post.base import Embedded, PostProcessing, RawRows
from lowlabel.retrieval.post.compression import (
    Binary,
    Compression,
    Int8,
    Truncate,
    bytes_per_image,
)
from lowlabel.retrieval.post.dba import DatabaseAugmentation
from lowlabel.retrieval.post.diffusion import Diffusion
from lowlabel.retrieval.post.kreciprocal import KReciprocal
from lowlabel.retrieval.post.whiten import Whitening
from lowlabel.retrieval.post.whiten_pairs import PairWhitening
from lowlabel.retrieval.ranking.precomputed_ranker import Similarity
from lowlabel.retrieval.ranking.twins import Twins
from lowlabel.scale import magnitudes, power_of_two
from lowlabel.specs import parse_spec, require_text

__all__ = [
    "POST_PROCESSING",
    "Compression",
    "Embedded",
    "PostProcessing",
    "RawRows",
    "apply_post_processing",
    "build_chain",
    "build_post",
    "bytes_per_image",
    "check_chain",
    "find_twins",
]

POST_PROCESSING: Registry[type[PostProcessing]] = Registry("post-processing")
for _kind in (
    *(Whitening, PairWhitening),
    *(QueryExpansion, DatabaseAugmentation),
    *(KReciprocal, Diffusion),
    *(Truncate, Int8, Binary),
):
    POST_PROCESSING.add(_kind.name, _kind)


def build_post(spec: str | PostProcessing) -> PostProcessing:
    """Builds post-processing from a spec such as "aqe", "aqe:10" or "whiten:256,power=0.25".

    The value after the colon is the first option. Post-processing is returned as it is.

    Raises:
        UnknownNameError: If there is no such post-processing.
        InputError: If it has no such option, or the value is not allowed.
    """
    if isinstance(spec, PostProcessing):
        return spec
    require_text("post-processing", spec)
    name, options = parse_spec(spec)
    name, colon, value = name.partition(":")
    kind = POST_PROCESSING[name]
    if colon and not fields(kind):
        raise InputError(f"{name} takes no value, not {value!r}", f"Write {name}.")
    if colon:
        first = fields(kind)[0].name
        options = parse_spec(f"{name},{first}={value}")[1] | options
    return kind.from_options(options)


def build_chain(
    post: str | PostProcessing | Sequence[str | PostProcessing],
) -> list[PostProcessing]:
    """Builds one step or several; raises as `build_post`."""
    several = (post,) if isinstance(post, str | PostProcessing) else post
    return [build_post(step) for step in several]


def check_chain(steps: Sequence[PostProcessing], *, index: bool = False, nmi: bool = False) -> None:
    """Checks that each step gives what the next one needs.

    Args:
        steps: In order.
        index: Whether an index searches afterwards.
        nmi: Whether embeddings are clustered afterwards.

    Raises:
        InputError: If a step, the index or the clustering would get similarities, or a step that
            takes the model's own rows is not the first, or two are trained.
    """
    trained = [step.spec for step in steps if step.needs_train]
    if len(trained) > 1:
        raise InputError(
            f"{' and '.join(trained)} would be trained on the same images",
            f"Keep one of them: {' or '.join(trained)}.",
        )
    for step, following in pairwise(steps):
        if step.gives_similarities:
            raise InputError(
                f"{following.spec} needs embeddings, and {step.spec} gives similarities",
                f"Put {step.spec} last.",
            )
        if following.needs_raw:
            raise InputError(
                f"{following.spec} takes rows with the lengths that the model gives them, and "
                f"{step.spec} changes them",
                f"Put {following.spec} first.",
            )
    if steps and steps[-1].gives_similarities and (index or nmi):
        last = steps[-1].spec
        user, option = ("an index", "--search") if index else ("NMI", "--nmi")
        raise InputError(
            f"{last} gives similarities, which {user} cannot use",
            f"Leave {option} or {last} out.",
        )


def find_twins(steps: Sequence[PostProcessing], embedded: Embedded) -> Twins:
    """Finds the images of the gallery that are equal to the first step, which may take lengths."""
    if steps and steps[0].needs_raw and embedded.raw is not None:
        raw = embedded.raw.gallery
        return Twins.of(raw / power_of_two(magnitudes(raw).amax()))
    return Twins.of(embedded.gallery)


def apply_post_processing(
    steps: Sequence[PostProcessing], embedded: Embedded, twins: Twins | None = None
) -> Embedded | Similarity:
    """Applies the steps in order, after each of which twins have equal rows again.

    Args:
        steps: In order.
        embedded: What the first step gets.
        twins: The result of `find_twins` if it is at hand.

    Raises:
        InputError: As `check_chain`, or if a step cannot be applied.
    """
    check_chain(steps)
    if twins is None:
        twins = find_twins(steps, embedded)
    result: Embedded | Similarity = embedded.with_equal(twins)
    for step in steps:
        assert isinstance(result, Embedded)  # or the chain would have been refused
        result = step.apply(result)
        if isinstance(result, Embedded):
            result = result.with_equal(twins)
    return result
