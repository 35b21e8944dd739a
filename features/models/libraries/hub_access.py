"""Whether the Hugging Face Hub can be asked."""

import urllib.error
import urllib.request

from huggingface_hub import constants

_TIMEOUT_SECONDS = 10


def obstacle() -> str:
    """Why the Hub cannot be asked; empty if it answers.

    It is contacted once, to avoid the client's minute of retries without a network.
    """
    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    try:
        urllib.request.urlopen(constants.ENDPOINT, timeout=_TIMEOUT_SECONDS).close()
    except urllib.error.HTTPError:
        return ""  # an error status is an answer
    except OSError as error:
        return str(getattr(error, "reason", error))
    return ""
