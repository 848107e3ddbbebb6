"""Documents: filing, submission sets, versions, marks. Not how they are read or searched."""
