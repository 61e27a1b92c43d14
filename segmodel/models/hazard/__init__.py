"""The default model: a discrete-time hazard that a network learns on top of smoothed statistics.

``rates`` (base hazard by place in the video) -> ``items`` (what other users did with the video) -> ``features`` (the
user's causal history) -> ``statistics`` (all three learned from a log) -> ``batches`` (views as networks read them) ->
``network`` (attention over history and content; the residual on the logit) -> ``user_filter`` (a closed-form correction
from the user's own surprises). ``fitting`` trains the networks, ``scoring`` asks them, ``model`` puts it all together.

One user's many candidates take a shorter way through ``stack``, with what ``memory``, ``videos`` and ``states`` keep.
"""
