"""A plugin module as text."""

MODULE = """
import genbench
@genbench.hookimpl
def {hook}(register):
    register({name!r}, {target!r}, summary="made by a test")
"""
