"""API keys as an operator gives them: in sections of the ini, or in a YAML file.

The reader of the room above calls it; everybody may hold an `ApiKey`.
"""
