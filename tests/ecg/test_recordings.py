import numpy as np
import pytest

from stages.ecg.recordings import RecordError, read_recording

LEADS = ("MLII", "V5")


def test_reads_the_beats_and_the_wanted_lead(write_record):
    folder = write_record(leads=("V1", "MLII"), samples=(100, 250, 400, 700), symbols="N+AV")
    recording = read_recording(folder, "x1", LEADS)
    assert recording.lead == "MLII"
    assert recording.samples.tolist() == [100, 400, 700]
    assert "".join(recording.symbols) == "NAV"
    assert recording.fs == 360
    assert recording.signal.argmax() in (100, 250, 400, 700)


def test_falls_back_to_the_next_lead(write_record):
    assert read_recording(write_record(leads=("V2", "V5")), "x1", LEADS).lead == "V5"


def test_no_wanted_lead(write_record):
    with pytest.raises(RecordError, match=r"record x1: has the leads \['V1', 'V2'\], none of the wanted"):
        read_recording(write_record(leads=("V1", "V2")), "x1", LEADS)


@pytest.mark.parametrize("suffix", [".hea", ".dat", ".atr"])
def test_missing_file(write_record, suffix):
    folder = write_record()
    (folder / f"x1{suffix}").unlink()
    with pytest.raises(RecordError, match=rf"record x1: .*x1{suffix} is missing"):
        read_recording(folder, "x1", LEADS)


def test_damaged_header(write_record):
    folder = write_record()
    (folder / "x1.hea").write_text("nonsense")
    with pytest.raises(RecordError, match=r"record x1: its header x1.hea cannot be read"):
        read_recording(folder, "x1", LEADS)


def test_signal_cut_short(write_record):
    path = write_record() / "x1.dat"
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(RecordError, match=r"record x1: x1.dat does not hold .* cut short"):
        read_recording(path.parent, "x1", LEADS)


def test_signal_disagrees_with_the_checksum_of_the_header(write_record):
    path = write_record() / "x1.dat"
    content = bytearray(path.read_bytes())
    content[600] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(RecordError, match=r"record x1: the samples of x1.dat sum to \d+, its header says \d+"):
        read_recording(path.parent, "x1", LEADS)


def test_flat_lead(write_record):
    with pytest.raises(RecordError, match=r"record x1: lead MLII is flat at 0.5 mV"):
        read_recording(write_record(signal=np.full((1500, 2), 0.5)), "x1", LEADS)


def test_lead_without_a_valid_sample(write_record):
    with pytest.raises(RecordError, match="record x1: lead MLII has no valid sample"):
        read_recording(write_record(signal=np.full((1500, 2), np.nan)), "x1", LEADS)


def test_missing_samples_are_nan(write_record):
    signal = np.random.default_rng(1).normal(size=(1500, 2))
    signal[200:220] = np.nan
    read = read_recording(write_record(signal=signal), "x1", LEADS).signal
    assert np.flatnonzero(np.isnan(read)).tolist() == list(range(200, 220))


def test_annotations_cut_short(write_record):
    path = write_record() / "x1.atr"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(RecordError, match=r"record x1: x1.atr lacks its end mark"):
        read_recording(path.parent, "x1", LEADS)


def test_corrupt_annotations(write_record):
    path = write_record() / "x1.atr"
    path.write_bytes(bytes(range(1, 255)) * 4 + b"\0\0")
    with pytest.raises(RecordError, match=r"record x1: x1.atr"):
        read_recording(path.parent, "x1", LEADS)


def test_unknown_symbol_in_annotations(write_record):
    with pytest.raises(RecordError, match=r"record x1: x1.atr is no valid annotation file .*\['\*'\]"):
        read_recording(write_record(symbols="NN*NN"), "x1", LEADS)


def test_annotation_past_the_end(write_record):
    with pytest.raises(RecordError, match=r"record x1: x1.atr marks a beat at sample 1500, .* ends with sample 1499"):
        read_recording(write_record(samples=(100, 1500), symbols="NN"), "x1", LEADS)


def test_annotation_on_the_last_sample_is_a_beat(write_record):
    assert read_recording(write_record(samples=(100, 1499), symbols="NN"), "x1", LEADS).samples[-1] == 1499


def test_annotations_out_of_order(write_record):
    with pytest.raises(RecordError, match=r"record x1: x1.atr is out of time order at sample 400"):
        read_recording(write_record(samples=(100, 400, 400), symbols="NNN"), "x1", LEADS)


def test_no_beat(write_record):
    with pytest.raises(RecordError, match=r"record x1: x1.atr marks no beat"):
        read_recording(write_record(samples=(100, 200), symbols="+~"), "x1", LEADS)


@pytest.mark.mirror
def test_the_lead_of_real_records_is_chosen_by_name(real_records):
    assert read_recording(real_records, "114", LEADS).lead == "MLII"  # the second signal there
    assert read_recording(real_records, "102", LEADS).lead == "V5"
    assert read_recording(real_records, "100", LEADS).samples[0] == 77
