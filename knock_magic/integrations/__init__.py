"""One `KnockCallback` for each framework, in a module of the framework's name, which imports it.

    from knock_magic.integrations.keras import KnockCallback

Each translates what its framework tells into a `Training`, and nothing more. Its options are those of `knock.run`.
"""
