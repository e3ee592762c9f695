"""One colour for each figure in every chart. Each keeps a contrast of 3:1 to a white and to a near-black ground, and the
good and the bad differ for colour-blind eyes too: blues against orange (after Okabe and Ito)."""

from __future__ import annotations

COLOURS = {
    "negative": "#d55e00",
    "neutral": "#7f7f7f",
    "positive": "#1f7fc4",
    "unscored": "#a07a9a",
    "answered_within_hour": "#1f7fc4",
    "acknowledged_within_hour": "#00917a",
    "told_closed_within_hour": "#a8811a",
    "nothing_within_hour": "#d55e00",
    "not_measured": "#7f7f7f",
}
