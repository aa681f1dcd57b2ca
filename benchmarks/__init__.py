"""What the package costs, as ratios against something measured in the same run.

``python -m benchmarks`` prints the tables of the documentation; ``--help`` says more.
"""
