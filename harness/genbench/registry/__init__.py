"""Plugins found one by one, names and options resolved. Imports a plugin's class only when it is asked for."""
