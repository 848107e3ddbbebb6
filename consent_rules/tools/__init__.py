"""Simulation, explanation, scenarios and the command line: they ask the decision and decide nothing."""
