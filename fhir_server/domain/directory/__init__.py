"""What identifies a patient: numbers and identity traits. Not accounts."""
