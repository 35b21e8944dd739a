"""Scores of ranked lists that another search made: no embedding is compared.

Lists may end before the gallery does. What a list lacks is not found: a positive is a miss.
"""
