"""Commands for operators; they are deployed with the app."""
