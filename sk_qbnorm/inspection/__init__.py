"""Plots of hubs and of the effect of a correction. They require matplotlib."""

from ._activation_display import ActivationDisplay
from ._beta_curve_display import BetaCurveDisplay
from ._hubs_by_name_display import HubsByNameDisplay
from ._k_occurrence_display import KOccurrenceDisplay

__all__ = [
    "ActivationDisplay",
    "BetaCurveDisplay",
    "HubsByNameDisplay",
    "KOccurrenceDisplay",
]
