"""Who may see which health document: the habilitation matrix, the patient's directives, and one decision.

Pure and importable alone: standard library only, no clock, no input or output but its own packaged tables.
"""
