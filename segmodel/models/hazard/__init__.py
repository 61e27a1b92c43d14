"""The default model: a discrete-time hazard that a network learns on top of smoothed statistics.

``rates`` (base hazard by place in the video) -> ``items`` (what other users did with the video) -> ``features`` (the
user's causal history) -> ``statistics`` (all three learned from a log) -> ``batches`` (views as networks read them) ->
``network`` (attention over history; the residual on the logit) with ``taste`` (the user's own surprises on content that
is alike) -> ``user_filter`` (a closed-form correction from the user's own surprises). ``fitting`` trains the networks,
``inference`` asks them, ``model`` puts it all together.
"""
