"""Images of a dataset that are suspect: outliers, duplicates, label errors and blank images.

`find` needs the extra `analysis` (cleanlab and cleanvision), `leaked` does not.
"""
