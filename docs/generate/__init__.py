"""The pages of docs/reference, as the code has it: `python -m docs.generate` writes them."""
