"""The pure core: what is decided, apart from any network, storage, clock or environment."""
