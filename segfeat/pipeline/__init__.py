"""From files to shards: what is there, what is new, who decodes it, and what is written.

``sources`` lists the files, ``plan`` cuts the new ones into shards, ``pool`` has worker processes read them (``worker``
and ``reading``), ``shard`` encodes and writes one, ``job`` keeps the folder of finished shards beside the store.
"""
