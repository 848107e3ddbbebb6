"""Events of other systems that registered audit sources post (ITI-20). Our own audit log is written in `core`."""
