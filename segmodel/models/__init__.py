"""The registry of models; each file holds one."""
