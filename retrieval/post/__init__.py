"""What is done to embeddings before they are compared, one file each, composable in order."""

from collections.abc import Sequence
from dataclasses import fields

from lowlabel.errors import InputError
from lowlabel.registry import Registry
from lowlabel.retrieval.post.aqe import QueryExpansion
from lowlabel.retrieval.post.base import Embedded, Post, Similarity
from lowlabel.retrieval.post.dba import DatabaseAugmentation
from lowlabel.retrieval.post.diffusion import Diffusion
from lowlabel.retrieval.post.kreciprocal import KReciprocal
from lowlabel.retrieval.post.whiten import Whitening
from lowlabel.specs import parse_spec

__all__ = ["POSTS", "Embedded", "Post", "Similarity", "apply_posts", "build_post"]

POSTS: Registry[type[Post]] = Registry("post-processing")
for _post in (Whitening, QueryExpansion, DatabaseAugmentation, KReciprocal, Diffusion):
    POSTS.add(_post.name, _post)


def build_post(spec: str | Post) -> Post:
    """What a text such as "aqe", "aqe:10" or "whiten:256,covariance=reference" stands for.

    The value after the colon is the first option.

    Raises:
        UnknownNameError: If there is no such post-processing.
        InputError: If it has no such option, or the option cannot have the value.
    """
    if isinstance(spec, Post):
        return spec
    name, options = parse_spec(spec)
    name, colon, value = name.partition(":")
    kind = POSTS[name]
    if colon:
        first = fields(kind)[0].name
        options = parse_spec(f"{name},{first}={value}")[1] | options
    return kind.from_options(options)


def apply_posts(posts: Sequence[Post], embedded: Embedded) -> Embedded | Similarity:
    """Applies one after the other.

    Raises:
        InputError: If one gives similarities and another follows, which needs embeddings.
    """
    result: Embedded | Similarity = embedded
    for place, post in enumerate(posts):
        if not isinstance(result, Embedded):
            raise InputError(
                f"{post.spec} needs embeddings, and {posts[place - 1].spec} gives similarities",
                f"Put {posts[place - 1].spec} last.",
            )
        result = post.apply(result)
    return result
