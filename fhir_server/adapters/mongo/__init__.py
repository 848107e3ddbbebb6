"""The store to grow on: MongoDB (replica set or sharded cluster)."""
