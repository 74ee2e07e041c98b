"""How do models learn from the journal, and which version existed when?"""
