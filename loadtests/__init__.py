"""How much the services carry, measured on real servers."""
