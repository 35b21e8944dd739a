"""The built-in demo datasets, which lowlabel draws itself."""
