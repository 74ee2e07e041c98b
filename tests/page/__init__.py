"""Stories that fill the page, and a real browser that looks at it."""
