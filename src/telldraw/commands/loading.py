"""Weights for a command that needs a system which can do something."""

from typing import TYPE_CHECKING, Any

from telldraw.errors import WeightsError
from telldraw.systems import capabilities
from telldraw.systems import load as load_system

if TYPE_CHECKING:
    from telldraw.weights import Loaded


def load(given: str, device: str, wanted: tuple[str, ...], what: str) -> "Loaded":
    """The named weights, of a system that can do one of the `wanted`. Raises TelldrawError: it does not `what`."""
    from telldraw import weights

    folder = weights.find(given)
    loaded = weights.load(folder, device)
    name = loaded.card["system"]
    if set(wanted) & set(capabilities(name, loaded.system)):
        return loaded
    if set(wanted) & set(getattr(loaded.system, "lacks", ())):
        raise WeightsError(
            f"{folder} holds the first stage of {name}, which does not {what} yet; train the next one: telldraw train "
            f"{name} --preset {_next_preset(loaded)} --start-from {given} --data PREPARED"
        )
    hint = "; it draws what it is told: telldraw draw" if hasattr(loaded.system, "turn") else ""
    raise WeightsError(f"{folder} holds {name}, which does not {what}{hint}")


def _next_preset(loaded: "Loaded") -> str:
    """The preset of the stage that follows these weights': its name ends in the system's `next_stage`."""
    system: Any = loaded.system
    following = f"{loaded.card.get('preset')}-{system.next_stage}"
    return following if following in load_system(loaded.card["system"]).PRESETS else f"...-{system.next_stage}"
