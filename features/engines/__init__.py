"""What runs a network's forward pass during an extraction: torch, or OpenVINO on a CPU."""

from lowlabel.features.engines.choose import ENGINES, Engine, check_engine, with_engine

__all__ = ["ENGINES", "Engine", "check_engine", "with_engine"]
