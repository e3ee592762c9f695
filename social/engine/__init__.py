"""Where the parts meet: the only package that knows connectors, triage, responders and the store."""
