"""Leaderboards: records arranged as tables with notes, from which every format is made."""

from lowlabel.results.leaderboard.board import Board, board_of, make_board
from lowlabel.results.leaderboard.sections import Section, Table, leaderboard

__all__ = ["Board", "Section", "Table", "board_of", "leaderboard", "make_board"]
