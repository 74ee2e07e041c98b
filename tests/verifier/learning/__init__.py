"""A second opinion on what was learned: River and the topics, and no code of the services."""

from tests.verifier.learning.report import LearningReport, verify_learning, verify_records

__all__ = ["LearningReport", "verify_learning", "verify_records"]
