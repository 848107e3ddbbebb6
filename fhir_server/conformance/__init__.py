"""A self-test kit: what the guides require, each asked of any server over HTTP. It uses nothing of this server."""
