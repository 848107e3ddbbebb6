"""Metrics for the operator: what is counted, where the processes of a server keep it, and how it is written out.

What a metric may tell and what not is in docs/threat-model.md. The port that shows the metrics is `http.management`.
"""
