"""Access tokens for Partner Center: kept fresh, asked for once, and never shown (docs/identity.md)."""
