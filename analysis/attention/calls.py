"""Records the attention that a network computes, whichever class of whichever library does it.

Attention is a softmax of q·k, or `scaled_dot_product_attention`, which hides it: then q and k are
taken at the call, after query and key norms and rotary positions, and multiplied again.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import multi_head_attention_forward, scaled_dot_product_attention, softmax
from torch.overrides import TorchFunctionMode

_SOFTMAXES = (softmax, torch.softmax, Tensor.softmax)


@dataclass(frozen=True)
class AttentionCall:
    """The attention of the first query of one call.

    Attributes:
        module: Name of the module that computes it, such as "blocks.11.attn".
        queries: Number of queries.
        weights: Attention of the first query to each key, float64 [heads, keys].
    """

    module: str
    queries: int
    weights: Tensor


@dataclass
class Recording:
    """The attention calls of one forward pass of one image, in their order.

    Attributes:
        calls: The calls.
        inside: Names of the modules that run, the innermost last.
    """

    calls: list[AttentionCall] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)

    def keep(self, weights: Tensor, queries: int) -> None:
        """Keeps the first query of weights [1, heads, ≥ 1, keys]; windows are no whole image."""
        if weights.ndim == 4 and len(weights) == 1:
            row = weights[0, :, 0].double()
            self.calls.append(AttentionCall(self.inside[-1], queries, row))


@contextmanager
def recorded(network: nn.Module) -> Iterator[Recording]:
    """Records the attention calls of a network's forward pass of one image."""
    recording = Recording()
    with ExitStack() as stack:
        for name, module in network.named_modules():
            enter, leave = _hooks(recording.inside, name)
            stack.callback(module.register_forward_pre_hook(enter).remove)
            stack.callback(module.register_forward_hook(leave, always_call=True).remove)
        stack.enter_context(_Interception(recording))
        yield recording


def _hooks(inside: list[str], name: str) -> tuple[Callable[..., None], Callable[..., None]]:
    def enter(*_: object) -> None:
        inside.append(name)

    def leave(*_: object) -> None:
        inside.pop()

    return enter, leave


class _Interception(TorchFunctionMode):
    """Sees each function of torch that is called."""

    def __init__(self, recording: Recording) -> None:
        super().__init__()
        self.recording = recording

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is multi_head_attention_forward:  # its parts are seen only if the mode is on
            with self:
                return func(*args, **kwargs)
        result = func(*args, **kwargs)
        if not self.recording.inside:
            return result
        if func is scaled_dot_product_attention:
            query = kwargs["query"] if "query" in kwargs else args[0]
            self.recording.keep(first_query(*args, **kwargs), query.shape[-2])
        elif func in _SOFTMAXES and result.ndim == 4:
            self.recording.keep(result, result.shape[-2])
        return result


def first_query(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """The attention of the first query in `scaled_dot_product_attention`.

    Args:
        query: [..., heads, Q, width].
        key: [..., heads, N, width].
        value: Not used, like `dropout_p`.
        attn_mask: Added to the products, or False where a key is hidden, [..., Q or 1, N].
        dropout_p: Not used.
        is_causal: Whether a query sees only keys up to its own place.
        scale: Factor of the products; 1/√width by default.
        enable_gqa: Whether several heads of the query share a head of the key.

    Returns:
        float64 [..., heads, 1, N].
    """
    query, key = query[..., :1, :].double(), key.double()
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], dim=-3)
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    products = query @ key.mT * factor
    if is_causal:
        products[..., 1:] = -torch.inf
    if attn_mask is not None:
        mask = attn_mask[..., :1, :]
        hidden = torch.zeros(mask.shape, dtype=torch.float64, device=mask.device)
        hidden = hidden.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else mask
        products = products + hidden
    return products.softmax(dim=-1)
