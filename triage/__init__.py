"""Triage: a text in, an ``Assessment`` out. Readable rules first, then one pass of the encoder, then the merge.

``triage.load.load_classifier`` is the way in. Nothing heavy is imported before it is called.
"""
