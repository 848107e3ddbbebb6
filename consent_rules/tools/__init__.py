"""Simulation, explanation, scenarios and the command line: they call `decide` and decide nothing themselves."""
