"""Entities: the records behind the figures, filtered, sorted, page by page, each with its whole history."""
