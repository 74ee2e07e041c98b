"""The page that people look at: HTML and SVG made here, of what the folds hold."""
