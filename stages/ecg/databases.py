"""The databases the pipeline knows: their records, who is in which fold, and their published counts."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class Database:
    """A database of PhysioNet, or one in its shape.

    Attributes
    ----------
    name, version : str
        As PhysioNet names them.
    ds1, ds2 : tuple of str
        Records for training and validation, and records for the final test, of the inter-patient protocol.
    left_out : tuple of str
        Records that the inter-patient protocol does not use.
    same_subject : mapping of str to str
        Records of a subject that another record already shows: record -> that other record.
    counts : mapping of str to tuple of int
        Beats of each AAMI class (order N S V F Q) per set of records; empty where nothing is published.
    synthetic : bool
        Whether the signals are made by :mod:`stages.ecg.synthetic`.
    dates : str
        When it was recorded and published.
    annotated : bool
        Whether the beats are annotated; recorded noise has none.
    recorded, people, split_by, left_out_why, licence, cite : str
        For whoever reads of it: when it was recorded, who the patients are (a sentence), whose division into ``ds1``
        and ``ds2`` it is, what the records ``left_out`` are, the licence of the data, what to cite; empty where there
        is nothing to say.
    """

    name: str
    version: str
    ds1: tuple[str, ...]
    ds2: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    same_subject: MappingProxyType[str, str] = field(default_factory=lambda: MappingProxyType({}))
    counts: MappingProxyType[str, tuple[int, ...]] = field(default_factory=lambda: MappingProxyType({}))
    synthetic: bool = False
    dates: str = ""
    annotated: bool = True
    recorded: str = ""
    people: str = ""
    split_by: str = ""
    left_out_why: str = ""
    licence: str = ""
    cite: str = ""

    @property
    def records(self) -> tuple[str, ...]:
        """All records, sorted."""
        return tuple(sorted(self.ds1 + self.ds2 + self.left_out))

    @property
    def split(self) -> tuple[str, ...]:
        """The records that the inter-patient protocol uses."""
        return self.ds1 + self.ds2

    @property
    def shared(self) -> dict[str, str]:
        """Records of DS2 whose subject DS1 shows as well: record of DS2 -> record of DS1."""
        return {record: self.subject(record) for record in self.ds2 if self.subject(record) in self.ds1}

    def patients(self, records: Iterable[str]) -> int:
        """Count the subjects of records."""
        return len({self.subject(record) for record in records})

    @property
    def files(self) -> tuple[str, ...]:
        """The published files that the pipeline needs, sorted."""
        signals = [f"{record}.{suffix}" for record in self.records for suffix in ("dat", "hea")]
        if not self.annotated:
            return tuple(sorted(signals))
        annotations = [f"{record}.atr" for record in self.records]
        return tuple(sorted([*signals, *annotations, "ANNOTATORS", "RECORDS"]))

    def subject(self, record: str) -> str:
        """Name the subject of a record, after the first record that shows the subject."""
        return self.same_subject.get(record, record)

    def records_of(self, name: str) -> tuple[str, ...]:
        """Give the records of a set that ``counts`` names: ``all``, ``ds1``, ``ds2`` or ``left_out``."""
        return self.records if name == "all" else getattr(self, name)


MITDB = Database(
    name="mitdb",
    version="1.0.0",
    dates="recorded 1975 to 1979, on PhysioNet since 24 February 2005",
    recorded="recorded between 1975 and 1979",
    people="The patients are of 23 to 89 years, recorded in one hospital with one kind of recorder.",
    split_by="de Chazal et al. 2004",
    left_out_why="paced",
    licence="Open Data Commons Attribution License 1.0",
    cite=(
        "Moody GB, Mark RG. The impact of the MIT-BIH Arrhythmia Database. IEEE Eng in Med and Biol 20(3):45-50 "
        "(2001); Goldberger AL et al. PhysioBank, PhysioToolkit, and PhysioNet. Circulation 101(23):e215-e220 (2000)."
    ),
    # de Chazal et al. 2004, table I; both folds have about the same mix of classes.
    ds1=tuple(("101 106 108 109 112 114 115 116 118 119 122 124 201 203 205 207 208 209 215 220 223 230").split()),
    ds2=tuple(("100 103 105 111 113 117 121 123 200 202 210 212 213 214 219 221 222 228 231 232 233 234").split()),
    # Paced records, which AAMI EC57 leaves out.
    left_out=tuple("102 104 107 217".split()),
    # MIT-BIH Arrhythmia Database Directory: 201 and 202 were taken from the same man.
    same_subject=MappingProxyType({"202": "201"}),
    counts=MappingProxyType(
        {
            "all": (90631, 2781, 7236, 803, 8043),
            "ds1": (45866, 944, 3788, 415, 8),
            "ds2": (44259, 1837, 3221, 388, 7),
            "left_out": (506, 0, 227, 0, 8028),
        }
    ),
)

SYNTHETIC = Database(
    name="synthetic",
    version="1.0.0",
    dates="made up by the download stage",
    ds1=tuple(f"s{number:02d}" for number in range(1, 9)),
    ds2=tuple(f"s{number:02d}" for number in range(9, 13)),
    synthetic=True,
)

NSTDB = Database(
    name="nstdb",
    version="1.0.0",
    dates="on PhysioNet since 3 August 1999",
    ds1=(),
    ds2=(),
    # Half an hour each of baseline wander, electrode motion and muscle artefact, recorded from moving limbs.
    left_out=("bw", "em", "ma"),
    annotated=False,
)

DATABASES = MappingProxyType({database.name: database for database in (MITDB, SYNTHETIC)})
