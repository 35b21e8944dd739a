"""Features of an ONNX model, computed by onnxruntime."""

import math
from typing import Any

import numpy as np
import torch

from lowlabel.errors import InputError
from lowlabel.features.models.encoders import Encoder
from lowlabel.features.models.libraries.onnx_file import OnnxFile
from lowlabel.features.pooling import Tokens
from lowlabel.reading import reason

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}


class OnnxEncoder(Encoder):
    """A model of onnxruntime.

    Its own features are an output [B, D] or [B, D, 1, 1]. Other outputs are tokens [B, T, D] or a
    map [B, D, H, W] to pool.

    Args:
        file: The outline of the file.
        output: Name of the output.
        before: Number of tokens before the patches, the first of which is a class token; None to
            take 0 or 1, so that the patches are a square.
    """

    def __init__(self, file: OnnxFile, output: str, before: int | None = None) -> None:
        super().__init__()
        import onnxruntime

        self.file, self.output, self.before = file, output, before
        self.runtime = f"onnxruntime {onnxruntime.__version__}"
        self._sessions: dict[str, Any] = {}
        digest = torch.tensor(list(file.sha256()), dtype=torch.uint8)
        self.register_buffer("file_sha256", digest)

    def head(self, images: torch.Tensor) -> torch.Tensor:
        """Computes the output [B, D].

        Raises:
            InputError: If it has more than one vector per image.
        """
        found = self._run(images)
        if found.ndim == 4 and found.shape[2:] == (1, 1):
            found = found.flatten(1)
        if found.ndim != 2:
            raise InputError(
                f"the output {self.output} is {list(found.shape)}, not one vector per image",
                "Use --pooling mean, or cls for tokens with a class token, or output=NAME.",
            )
        return found

    def tokens(self, images: torch.Tensor) -> Tokens:
        """Computes the tokens, or the positions of a map."""
        found = self._run(images)
        if found.ndim == 4:
            return Tokens(None, found.flatten(2).mT)
        if found.ndim != 3:
            raise InputError(
                f"the output {self.output} is {list(found.shape)}: no tokens to pool",
                "Use --pooling head.",
            )
        before = self._before(found.shape[1])
        return Tokens(found[:, 0] if before else None, found[:, before:])

    def _before(self, tokens: int) -> int:
        if self.before is not None:
            return self.before
        squares = [n for n in (0, 1) if math.isqrt(tokens - n) ** 2 == tokens - n]
        if len(squares) != 1:
            raise InputError(
                f"the output {self.output} has {tokens} tokens, which tell no number of tokens "
                "before the patches",
                f"Say it: onnx:{self.file.path},before=1",
            )
        return squares[0]

    def _run(self, images: torch.Tensor) -> torch.Tensor:
        """The output for images [B, 3, H, W], in batches of the model's own size if it has one."""
        if images.dtype != torch.float32:
            raise InputError(
                "an ONNX model computes in its own data type", "Leave --dtype out for it."
            )
        session = self._session(images.device)
        given = images.movedim(1, -1) if self.file.channels_last else images
        array = np.ascontiguousarray(given.cpu().numpy()).astype(self._type(session), copy=False)
        batch = self.file.shape[0]
        size = batch if isinstance(batch, int) else len(array)
        outputs = [
            self._batch(session, array[at : at + size], size) for at in range(0, len(array), size)
        ]
        return torch.from_numpy(np.concatenate(outputs)).float().to(images.device)

    def _batch(self, session: Any, array: np.ndarray, size: int) -> np.ndarray:
        count = len(array)
        if count < size:
            array = np.concatenate([array, array[-1:].repeat(size - count, axis=0)])
        try:
            (found,) = session.run([self.output], {self.file.input: array})
        except Exception as error:  # onnxruntime's exceptions have no common base
            raise InputError(
                f"onnxruntime cannot run {self.file.path}: {reason(error)[:300]}",
                "Choose another --resolution, or export it again.",
            ) from error
        return np.asarray(found)[:count]

    def _type(self, session: Any) -> Any:
        name = session.get_inputs()[0].type
        if name not in _TYPES:
            raise InputError(
                f"{self.file.path} takes {name}, not floats", "Export it for floating-point images."
            )
        return _TYPES[name]

    def _session(self, device: torch.device) -> Any:
        if device.type not in self._sessions:
            self._sessions[device.type] = self._made(device)
        return self._sessions[device.type]

    def _made(self, device: torch.device) -> Any:
        import onnxruntime

        provider = _PROVIDERS.get(device.type, device.type)
        if provider not in onnxruntime.get_available_providers():
            raise InputError(
                f"onnxruntime cannot compute on {device} here",
                "Use --device cpu, or install onnxruntime-gpu in place of onnxruntime.",
            )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = torch.get_num_threads()
        try:
            return onnxruntime.InferenceSession(str(self.file.path), options, providers=[provider])
        except Exception as error:  # onnxruntime's exceptions have no common base
            raise InputError(
                f"onnxruntime cannot load {self.file.path}: {reason(error)[:300]}",
                "Export it again, with operators that onnxruntime has.",
            ) from error
