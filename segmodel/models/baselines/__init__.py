"""Published recommenders that score (user, segment of video): the systems beside the paper's model in its tables.

What they share, since He et al. (SIGIR 2025) leave it open or the public code decides it:

- An *item* is a segment of a video, or the end slot after its last segment. Its embedding is that of the video plus
  that of the position, so that the segments of a video unseen in training still have their positions. The end slot is a
  position of its own (``end_slot=own``) or shares that of the segment N of longer videos (``shared``). Ids unknown in
  training stand for the average user or video.
- Labels: the segment (or end slot) where the user left is 0, segments watched before it are 1, and what was never
  reached, the end slot after a skip included, is left out. ``end_after_skip=stayed`` counts that end slot as 1, as a
  place where the user did not leave; the search of the benchmarks decides which serves a system.
- Only context models know the number of segments N, as in the paper.
- A network, ``(Batch, Items) -> score per item``, knows nothing of fitting; :class:`.recommender.Recommender` does.
"""
