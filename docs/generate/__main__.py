"""`python -m docs.generate`: bring the pages up to date."""

from docs.generate.pages import write

write()
