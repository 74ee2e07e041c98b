"""How do a model's bytes come to lie, and be read, without running what somebody else wrote?"""
