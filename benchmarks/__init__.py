"""Time and memory of the package, as ratios to a baseline from the same run.

``python -m benchmarks`` prints the tables of the documentation; see ``--help``.
"""
