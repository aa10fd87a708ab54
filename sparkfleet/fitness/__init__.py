"""The part of the description that makes a host productive, typed: one module a role, and upgrades.

Pure data, as in `model`. What concerns two fields at once is checked by `cross_checks`.
"""

from sparkfleet.fitness.calypso import Calypso
from sparkfleet.fitness.connectx import ConnectX
from sparkfleet.fitness.containers import Containers
from sparkfleet.fitness.datasets import Datasets
from sparkfleet.fitness.gpu import Gpu
from sparkfleet.fitness.jupyter import Jupyter
from sparkfleet.fitness.label import Label
from sparkfleet.fitness.memory import Memory
from sparkfleet.fitness.node import Node
from sparkfleet.fitness.ollama import Ollama
from sparkfleet.fitness.upgrade import Upgrade

__all__ = [
    "Calypso",
    "ConnectX",
    "Containers",
    "Datasets",
    "Gpu",
    "Jupyter",
    "Label",
    "Memory",
    "Node",
    "Ollama",
    "Upgrade",
]
