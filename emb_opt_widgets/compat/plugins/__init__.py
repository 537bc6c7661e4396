"""Data plugins for vector stores; each module needs its own library, when it is used."""
