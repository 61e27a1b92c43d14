"""Public data sets by their published column names, on rows of our own."""

from __future__ import annotations

from pathlib import Path

import pytest

from segfeat.importers.log import import_log
from segfeat.store.reader import open_store


def written(path: Path, head: str, rows: list[str]) -> Path:
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def test_kuairec_times_are_seconds_and_lengths_milliseconds(tmp_path: Path) -> None:
    rows = [f"{i % 3},{i},{3000 + i},12000,x,20200705,{1593878903.4 + i:.3f},.25" for i in range(9)]
    head = "user_id,video_id,play_duration,video_duration,time,date,timestamp,watch_ratio"
    log = written(tmp_path / "big_matrix.csv", head, [*rows, "1,9,3000,12000,,,,.25"])
    names = "video_id,manual_cover_text,caption,topic_tag,first_level_category_id,first_level_category_name"
    about = written(
        tmp_path / "caption.csv", names, [f"{i},,cat {i},[pets],{i % 2},animals {i % 2}" for i in range(10)]
    )
    summary = import_log("kuairec", log, tmp_path / "s.h5", metadata=about, text="offline:hashing")
    assert (summary.views, summary.dropped, summary.segments) == (9, {"unreadable number": 1}, 27)
    assert (summary.only_described, summary.videos_with_words) == (1, 10)
    with open_store(tmp_path / "s.h5") as store:
        assert store.interactions is not None
        assert store.interactions.time_ms[0] == 1_593_878_903_400
        video = store["3"]
        assert video.title == "cat 3 [pets]"
        assert video.attributes == {"first_level_category_id": ("1",), "first_level_category_name": ("animals 1",)}
        assert store.encoders["text"].per_video
        assert (video.text == video.text[0]).all()
        assert video.valid["text"].all()
        assert store.offset[-1] == store.offset[-2]  # described, but nobody knows its length


def test_kuaisar(tmp_path: Path) -> None:
    head = "user_id,item_id,playing_time,duration_ms,time,timestamp,click"
    rows = [f"{i % 2},{i},{3000.0 + i},{12000.0},2023-05-22 15:53:20,{1684742000000.0 + i},1" for i in range(10)]
    import_log("kuaisar", written(tmp_path / "rec_inter.csv", head, rows), tmp_path / "s.h5")
    with open_store(tmp_path / "s.h5") as store:
        log = store.interactions
        assert log is not None
        assert log.watch_ms.tolist() == [3000 + i for i in range(10)]
        assert log.time_ms[1] == 1_684_742_000_001
        assert len(store) == 10


def test_kuairand_tables_by_their_published_columns(tmp_path: Path) -> None:
    log = "user_id,video_id,time_ms,play_time_ms,duration_ms,tab"
    rows = [f"{i % 2},{i},{1649349856990 + i},3000,{0 if i == 4 else 12000},1" for i in range(10)]
    video = "video_id,author_id,video_type,upload_type,visible_status,video_duration,music_id,music_type,tag"
    videos = [f'{i},{90 + i},NORMAL,Web,1,9000,{i},{9.0},"39,{i % 2}"' for i in range(10)]
    users = ['0,full_active,5,"(0,10]"', "1,high_active,0,0"]
    summary = import_log(
        "kuairand",
        written(tmp_path / "log.csv", log, rows),
        tmp_path / "s.h5",
        metadata=written(tmp_path / "video_features_basic.csv", video, videos),
        users=written(tmp_path / "user_features.csv", "user_id,user_active_degree,fans_user_num,onehot_feat0", users),
        context=["tab"],
    )
    assert summary.views == 10
    with open_store(tmp_path / "s.h5") as store:
        assert store["4"].duration_s == 9.0  # the log does not know it, the table does
        assert store["4"].attributes["tag"] == ("39", "0")
        assert store["4"].attributes["music_type"] == ("9",)
        assert sorted(store.user_attributes) == ["onehot_feat0", "user_active_degree"]
        assert store.user_attributes["user_active_degree"][1] == ("high_active",)
        assert store.interactions is not None
        assert store.interactions.context["tab"].names.tolist() == ["1"]


WECHAT_LOG = "userid,feedid,date_,device,read_comment,comment,like,play,stay,click_avatar,forward,follow,favorite"
WECHAT_VIDEOS = (
    "feedid,authorid,videoplayseconds,description,ocr,asr,bgm_song_id,bgm_singer_id,manual_keyword_list,"
    "machine_keyword_list,manual_tag_list,machine_tag_list,description_char,ocr_char,asr_char"
)


def test_wechat_days_milliseconds_and_seconds(tmp_path: Path) -> None:
    rows = [f"{i % 2},{i},{1 + i // 4},1,0,0,0,{3000 + 1000 * i},{9000},0,0,0,0" for i in range(10)]
    log = written(tmp_path / "user_action.csv", WECHAT_LOG, [*rows, rows[0]])
    about = written(
        tmp_path / "feed_info.csv",
        WECHAT_VIDEOS,
        [f"{i},{i % 3},{5 + i},7 {i},1,2,{i}.0,,8;9,9,{i};{i + 1},4 0.25;5 0.75,1,2,3" for i in range(11)],
    )
    summary = import_log("wechat", log, tmp_path / "s.h5", metadata=about, context=["device"])
    assert (summary.views, summary.dropped, summary.only_described) == (10, {"duplicate": 1}, 1)
    assert summary.metadata is not None
    assert set(summary.metadata.left_out) == {
        "machine_tag_list",
        "ocr",
        "asr",
        "description_char",
        "ocr_char",
        "asr_char",
    }
    with open_store(tmp_path / "s.h5") as store:
        found = store.interactions
        assert found is not None
        assert found.duration_ms.tolist() == [5000 + 1000 * i for i in range(10)]
        assert found.watch_ms.tolist() == [3000 + 1000 * i for i in range(10)]
        assert (found.time_ms / 86_400_000).tolist() == [1, 1, 1, 1, 2, 2, 2, 2, 3, 3]
        assert store["4"].title == "7 4"
        assert store["4"].attributes == {
            "authorid": ("1",), "bgm_song_id": ("4",), "manual_keyword_list": ("8", "9"), "bgm_singer_id": (),
            "machine_keyword_list": ("9",), "manual_tag_list": ("4", "5"),
        }  # fmt: skip
        assert store["10"].duration_s == 15.0


def test_wechat_without_lengths_says_where_they_are(tmp_path: Path) -> None:
    log = written(tmp_path / "user_action.csv", WECHAT_LOG, ["1,2,1,1,0,0,0,3000,9000,0,0,0,0"])
    with pytest.raises(ValueError, match=r"user_action\.csv: lengths of videos stand in feed_info\.csv; .*--metadata"):
        import_log("wechat", log, tmp_path / "s.h5")


def test_wechat_lengths_in_milliseconds_are_found_out(tmp_path: Path) -> None:
    log = written(tmp_path / "a.csv", WECHAT_LOG, [f"1,{i},1,1,0,0,0,3000,9000,0,0,0,0" for i in range(10)])
    about = written(tmp_path / "feed_info.csv", "feedid,videoplayseconds", [f"{i},12000" for i in range(10)])
    with pytest.raises(
        ValueError, match=r"feed_info\.csv: column videoplayseconds is in another unit .* longer than 1.2e\+04 s"
    ):
        import_log("wechat", log, tmp_path / "s.h5", metadata=about)


@pytest.mark.parametrize(
    ("name", "head", "row", "why"),
    [
        ("tenrec", "user_id,item_id,click,follow,like,share,video_category,watching_times,gender,age",
         "1,2,1,0,0,0,1,3,1,2", "watching_times counts views"),
        ("microlens", "user,item,timestamp", "1,2,1583378629552", "are public comments"),
    ],
)  # fmt: skip
def test_logs_without_watch_times_are_refused_with_the_reason(
    tmp_path: Path, name: str, head: str, row: str, why: str
) -> None:
    log = written(tmp_path / "log.csv", head, [row] * 10)
    with pytest.raises(ValueError, match=rf"log\.csv: .* has no watch times: .*{why}"):
        import_log(name, log, tmp_path / "s.h5")
    assert not (tmp_path / "s.h5").exists()


def test_chosen_attributes_and_the_usual_rule(tmp_path: Path) -> None:
    log = written(
        tmp_path / "log.csv", "user_id,video_id,time_ms,duration_ms,watch_ms", [f"u,{i},1,9000,4000" for i in range(6)]
    )
    rows = [f"{i},t{i},{i % 2},{i},{i / 4 % 1},{i}" for i in range(6)]
    about = written(tmp_path / "v.csv", "video_id,title,kind,author_id,score,note", [*rows, "0,again,1,1,1,1"])
    summary = import_log("csv", log, tmp_path / "s.h5", metadata=about)
    assert summary.metadata is not None
    assert summary.metadata.attributes == {"kind": 2, "author_id": 6}
    assert list(summary.metadata.left_out) == ["score", "note"]
    assert summary.metadata.dropped == {"repeated id": 1}
    chosen = import_log("csv", log, tmp_path / "s.h5", metadata=about, attributes=["note"], overwrite=True)
    assert chosen.metadata is not None
    assert chosen.metadata.attributes == {"note": 6}
    with pytest.raises(ValueError, match=r"v\.csv: missing column\(s\) nothing; found video_id"):
        import_log("csv", log, tmp_path / "s.h5", metadata=about, attributes=["nothing"], overwrite=True)
    with pytest.raises(ValueError, match="no metadata file is given"):
        import_log("csv", log, tmp_path / "s.h5", attributes=["note"], overwrite=True)
    other = written(tmp_path / "w.csv", "video_id,title", ["x,a"])
    with pytest.raises(ValueError, match=r"w\.csv: none of its 1 video ids \('x', \.\.\.\)"):
        import_log("csv", log, tmp_path / "s.h5", metadata=other, overwrite=True)
