from stages.ecg.databases import DATABASES, MITDB, SYNTHETIC


def test_mitdb_has_48_records_and_146_files():
    assert len(MITDB.records) == 48
    assert len(MITDB.files) == 146


def test_folds_share_no_record():
    for database in DATABASES.values():
        assert not set(database.ds1) & set(database.ds2)
        assert not set(database.left_out) & set(database.ds1 + database.ds2)


def test_published_counts_of_the_sets_add_up():
    sums = [sum(MITDB.counts[name][c] for name in ("ds1", "ds2", "left_out")) for c in range(5)]
    assert tuple(sums) == MITDB.counts["all"]
    assert sum(MITDB.counts["all"]) == 109494


def test_one_man_has_two_records_on_both_sides():
    assert MITDB.subject("202") == MITDB.subject("201") == "201"
    assert "201" in MITDB.ds1
    assert "202" in MITDB.ds2


def test_only_the_made_up_database_is_called_synthetic():
    assert SYNTHETIC.synthetic
    assert not MITDB.synthetic
