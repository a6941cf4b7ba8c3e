"""Models that somebody else has trained, by their names, through Hugging Face's `transformers`."""

from importlib import import_module
from pathlib import Path
from typing import Any

from telldraw.errors import TelldrawError


def pretrained(flag: str, name: str, tokenizer: str, model: str) -> tuple[Any, Any]:
    """The tokenizer and the model of these classes of `transformers`, on the CPU, from safetensors alone.

    name: of a model on the Hugging Face hub, or its folder. flag: what the user named it by. No code that comes with a
    model is run. Raises TelldrawError when it cannot be had.
    """
    try:
        transformers: Any = import_module("transformers")
    except ModuleNotFoundError:
        raise TelldrawError(f"{flag} {name}: this needs transformers: pip install 'telldraw[sentence]'") from None
    transformers.utils.logging.disable_progress_bar()  # it would be written into ours
    transformers.utils.logging.set_verbosity_error()  # what is wrong is said below, in one sentence
    if Path(name).is_absolute() and not Path(name).is_dir():
        raise TelldrawError(f"{flag} {name}: there is no such folder; put the model there, or name another")
    safe: dict[str, Any] = {"trust_remote_code": False}
    try:
        reader = getattr(transformers, tokenizer).from_pretrained(name, **safe)
        how = {"use_safetensors": True, "output_loading_info": True}
        network, info = getattr(transformers, model).from_pretrained(name, **how, **safe)
    except Exception as error:  # of files that are absent, cut short or another model's it raises many kinds
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise TelldrawError(
            f"{flag} {name} cannot be loaded: {reason.rstrip('.')}; name a model on the Hugging Face hub, or a folder "
            "with its config.json, tokenizer and model.safetensors"
        ) from None
    # transformers fills what a file lacks with random numbers; only poolers are no part of what is read here
    if lost := sorted(key for key in info["missing_keys"] if "pooler" not in key):
        raise TelldrawError(
            f"{flag} {name} is another kind of model: {len(lost)} weights of {model} are not in it, such as {lost[0]}; "
            "name one of that kind"
        )
    return reader, network
