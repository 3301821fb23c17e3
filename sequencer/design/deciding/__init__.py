"""Whether what a design expects of itself holds: the vocabulary's meaning, the sweep, what is drawn, the verdict.

`ground` and `courses` ask the core where its answers turn, `pieces` are all timelines of a stretch of starts at once,
`scope` says which starts and zones there are, `sweeping` asks `requirements` of them, and `searching` puts it together.
"""
