"""The report: leaderboards, figures and the provenance of every number as one HTML page."""

from lowlabel.results.report.page import render_report, write_report
from lowlabel.results.report.pictures import Picture, find_pictures
from lowlabel.results.report.terminal import render_terminal

__all__ = ["Picture", "find_pictures", "render_report", "render_terminal", "write_report"]
