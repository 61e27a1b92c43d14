"""Getting at weights safely: never run pickled code, never retry a dead network for minutes, know what was loaded."""

from __future__ import annotations

import hashlib
import logging
import pickle
import socket
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import torch
from huggingface_hub import constants as hub
from safetensors import SafetensorError, safe_open

from segfeat.encoders.base import EncoderUnavailable
from segfeat.encoders.registry import PRESETS, ParsedSpec

NETWORK_TIMEOUT_S = 10.0
"""How long a server may keep silent."""

_CAUSE_CHARACTERS = 400
"""Libraries list every key of a mismatched checkpoint; so much of it is enough to see what is wrong."""

_FORMAT_ERRORS = (pickle.UnpicklingError, SafetensorError)


def check_checkpoint(path: Path) -> None:
    """See that a file holds named tensors and nothing else, reading no more than its index.

    Raises
    ------
    ValueError
        If it is missing, no checkpoint, or holds pickled objects (which are never loaded: loading runs their code).
    """
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as tensors:
                names = list(tensors.keys())
        else:
            content = torch.load(path, map_location="meta", weights_only=True)
            state = content.get("state_dict", content) if isinstance(content, dict) else None
            names = [k for k, v in state.items() if isinstance(v, torch.Tensor)] if isinstance(state, dict) else []
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path} is no plain checkpoint: it is damaged or holds objects other than tensors, and loading those "
            "could run foreign code; save its state_dict() as .safetensors or with torch.save"
        ) from error
    except (SafetensorError, RuntimeError, EOFError, OSError, KeyError, ValueError, TypeError) as error:
        raise ValueError(f"{path} cannot be read as a checkpoint ({brief(error)})") from error
    if not names:
        raise ValueError(f"{path} holds no named tensors")


def fingerprint(module: torch.nn.Module) -> str:
    """A hash of names, types, shapes and values of a module's weights, ``sha256:`` and 16 hex digits.

    Equal weights have equal hashes, whatever file they came from.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return f"sha256:{digest.hexdigest()[:16]}"


def brief(error: BaseException) -> str:
    """An error's words on one line, shortened; its kind where it has none."""
    if isinstance(error, urllib.error.URLError):
        return f"the server that has the weights cannot be reached ({error.reason})"
    words = " ".join(str(error).split()) or type(error).__name__
    return words if len(words) <= _CAUSE_CHARACTERS else f"{words[:_CAUSE_CHARACTERS]}…"


@contextmanager
def loading(spec: ParsedSpec, from_hub: bool = False) -> Iterator[None]:
    """Turn whatever goes wrong while a library fetches and loads weights into one `EncoderUnavailable`.

    With ``from_hub`` the weights may come from the model hub. Where that does not answer, its client looks only into
    its cache, instead of retrying for a minute.
    """
    timeout_s, offline = socket.getdefaulttimeout(), hub.HF_HUB_OFFLINE
    absent = from_hub and not offline and not _answers(hub.ENDPOINT)
    # open_clip speaks through the root logger, and its first word there would install a handler for everybody.
    silence = logging.NullHandler()
    logging.getLogger().addHandler(silence)
    try:
        socket.setdefaulttimeout(NETWORK_TIMEOUT_S)
        hub.HF_HUB_OFFLINE = offline or absent
        with redirect_stdout(sys.stderr):  # torch announces downloads on standard output, where commands write results
            yield
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError, *_FORMAT_ERRORS) as error:
        cause = f"{hub.ENDPOINT} cannot be reached and its cache here lacks the weights" if absent else brief(error)
        raise unavailable(spec, cause) from error
    finally:
        hub.HF_HUB_OFFLINE = offline
        socket.setdefaulttimeout(timeout_s)
        logging.getLogger().removeHandler(silence)


def unavailable(spec: ParsedSpec, cause: str) -> EncoderUnavailable:
    """The error for this specification, with the choices its user has."""
    entry = spec.entry
    local = f"{spec.kind}:{spec.model}@/path/to/weights" if "@" in entry.form else f"{spec.kind}:/path/to/model"
    offline = PRESETS["offline"].encoders[entry.modality]
    return EncoderUnavailable(
        spec.text,
        cause.rstrip("."),
        f"weights from a local path (--{entry.modality} {local}), a descriptor without weights "
        f"(--{entry.modality} {offline}, or --preset offline for all modalities), or --{entry.modality} none",
    )


def _answers(url: str) -> bool:
    """Whether a server can be reached at all, with the machine's own proxy settings."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=NETWORK_TIMEOUT_S):
            return True
    except urllib.error.HTTPError:
        return True
    except urllib.error.URLError as error:
        return isinstance(error.reason, ssl.SSLError)  # somebody answered; the hub's client has certificates of its own
    except (OSError, ValueError):
        return False
