"""The feature store: one HDF5 file, flat and ragged. This docstring is the format specification, version 2.

V videos, T segments of all videos one after another, F pictures a segment, D feature dimensions. Every numeric dataset
is contiguous and uncompressed, so that it can be memory-mapped at ``dataset.id.get_offset()``. Strings are UTF-8; bytes
of file names that are none are written as ``\\xff``, and a backslash in front of what looks like one as ``\\x5c``.

======================================  ==============  ==============================================================
``/videos/id``                          str (V,)        unique
``/videos/path``                        str (V,)        relative to the scanned root; empty where there is no raw video
``/videos/title``                       str (V,)        from the metadata; empty where there is none
``/videos/duration_s``                  f64 (V,)        length of the picture; 0 where unknown: no segments
``/videos/offset``                      i64 (V+1,)      segments of video v are rows offset[v] .. offset[v+1]-1
``/videos/status``                      str (V,)        ``ok`` or ``partial`` (some of it could not be decoded)
``/videos/problems``                    str (V,)        optional: what could not be read of partial ones, in words
``/videos/decoder``                     str (V,)        who decoded it; empty where nobody did
``/videos/size_bytes``, ``mtime_ns``    i64 (V,)        of the source file when read; 0 where there is none
``/videos/attributes/<name>/names``     str (K,)        optional: the categories of an attribute, such as tags ...
``.../offset``, ``.../codes``           i64 (V+1,), i32 ... and each video's codes into them, offset[v] .. offset[v+1]-1
``/segments/span_s``                    f64 (T, 2)      half-open, tile [0, duration)
``/segments/frame_time_s``              f64 (T, F)      presentation times of the pictures used, NaN where none
``/segments/text``                      str (T,)        all words that the text encoder was given, each once
``/segments/words/<kind>/offset``       i64 (T+1,)      optional: by source (``subtitles``, ``speech``, ``screen``) ...
``.../text``, ``.../time_s``            str, f64 (N, 2) ... lines, with when they are said or shown ...
``.../confidence``                      f32 (N,)        ... and how sure the recogniser was, in [0, 1]; NaN unknown
``/features/<modality>``                f16 (T, D)      ``visual``, ``audio``, ``text``; attributes: the EncoderSpec
``/valid/<modality>``                   bool (T,)       False: the segment has no such material, features are zeros
``/thumbnails/offset``, ``data``        i64 (T+1,), u8  optional: one small WebP per segment
``/failures/path, code, message``       str (N,)        one row per file that gave no video; code from FAILURE_CODES
``/failures/size_bytes``, ``mtime_ns``  i64 (N,)
``/interactions/user_id``, ``video_id`` str             optional: the watch log's id tables ...
``/interactions/user``, ``video``       i32 (N,)        ... its codes into them ...
``/interactions/time_ms, watch_ms,      i64 (N,)        ... and its integers; 0 = unknown
duration_ms``
``/interactions/context/<name>/names``  str (K,)        optional: the categories of one more column of the log ...
``.../codes``                           i32 (N,)        ... and its codes into them, -1 = unknown
``/users/id``                           str (U,)        optional: users about whom more is known than their views
``/users/attributes/<name>/names, ...`` as of videos    their categorical attributes
======================================  ==============  ==============================================================

File attributes: ``format`` = "segfeat", ``format_version``, ``segment_s``, ``parameters`` (JSON: everything else that
decides the content), ``content_hash`` (SHA-256 over all datasets and specs: equal hashes mean equal content), ``root``
(the folder that paths are relative to, as an absolute path; not part of the content, empty where there is none).
A file is written once under a temporary name and renamed; it is never changed in place.

Version 2 added the attributes of videos and users, the log's context, and words by source; a file of version 1 is one
that has none.
"""

from __future__ import annotations

FORMAT_VERSION = 2

VIDEO_STATUS = ("ok", "partial")
