"""The store for large installations: MongoDB (replica set or sharded cluster)."""
