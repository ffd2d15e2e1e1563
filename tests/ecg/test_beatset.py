import numpy as np
import pandas as pd
import pytest

from stages.ecg.beatset import About, read_beats, write_beats


def parts(shape, sizes=(3, 5)):
    rng = np.random.default_rng(0)
    for number, size in enumerate(sizes):
        table = pd.DataFrame({"record": f"r{number}", "aami": ["N"] * (size - 1) + ["V"]})
        yield rng.normal(size=(size, *shape)).astype(np.float32), table


def test_what_is_written_is_read(tmp_path, beat_format):
    about = About("mitdb", "1.0.0", False, beat_format)
    write_beats(tmp_path / "beats", about, parts(beat_format.shape))
    beats = read_beats(tmp_path / "beats")
    np.testing.assert_array_equal(beats.signals, np.concatenate([s for s, _ in parts(beat_format.shape)]))
    assert beats.table["record"].tolist() == ["r0"] * 3 + ["r1"] * 5
    assert beats.labels.tolist() == [0, 0, 2, 0, 0, 0, 0, 2]
    assert beats.about == about
    assert isinstance(beats.signals, np.memmap)


def test_chosen_beats_are_taken(tmp_path, beat_format):
    write_beats(tmp_path / "beats", About("mitdb", "1.0.0", False, beat_format), parts(beat_format.shape))
    beats = read_beats(tmp_path / "beats")
    taken = beats.take(np.array(beats.labels == 2))
    np.testing.assert_array_equal(taken.signals, beats.signals[[2, 7]])
    assert taken.table["aami"].tolist() == ["V", "V"]


def test_a_failure_on_the_way_leaves_the_old_set_and_nothing_half_written(tmp_path, beat_format):
    about = About("mitdb", "1.0.0", False, beat_format)
    write_beats(tmp_path / "beats", about, parts(beat_format.shape))

    def failing():
        yield from parts(beat_format.shape)
        raise RuntimeError("disk on fire")

    with pytest.raises(RuntimeError, match="on fire"):
        write_beats(tmp_path / "beats", about, failing())
    assert len(read_beats(tmp_path / "beats").table) == 8
    assert [path.name for path in tmp_path.iterdir()] == ["beats"]


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"signals.npy is missing; run `dvc repro`"):
        read_beats(tmp_path)


def test_pickled_arrays_are_refused(tmp_path, beat_format):
    write_beats(tmp_path / "beats", About("mitdb", "1.0.0", False, beat_format), parts(beat_format.shape))
    np.save(tmp_path / "beats" / "signals.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="Python objects"):
        read_beats(tmp_path / "beats")


def test_table_and_signals_must_agree(tmp_path, beat_format):
    write_beats(tmp_path / "beats", About("mitdb", "1.0.0", False, beat_format), parts(beat_format.shape))
    pd.DataFrame({"aami": ["N"]}).to_parquet(tmp_path / "beats" / "beats.parquet")
    with pytest.raises(ValueError, match=r"1 rows in beats.parquet, 8 beats in signals.npy"):
        read_beats(tmp_path / "beats")
