"""Published recommenders that score (user, segment of video): the systems beside the paper's model in its tables.

What they share, since He et al. (SIGIR 2025) leave it open or the public code decides it:

- An *item* is a segment of a video, or the end slot after its last segment. Its embedding is that of the video plus
  that of the position, so that the segments of a video unseen in training still have their positions. Ids unknown in
  training stand for the average user or video.
- Labels: the segment (or end slot) where the user left is 0, segments watched before it are 1, segments never reached
  are left out. The end slot of a view that was left earlier is 1: the user did not leave *there*. So a higher score
  means staying everywhere, and every skipped view has both labels.
- Only context models know the number of segments N, as in the paper.
- A network, ``(Batch, Items) -> score per item``, knows nothing of fitting; :class:`.recommender.Recommender` does.
"""
