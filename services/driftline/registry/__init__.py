"""The registry's owner: commands in; facts, deployments and control records out."""
