"""A study's folder and its storage: question, rows, and the leases and reservations of those who write them."""

from .activity import Activity, Training, Working
from .artifacts import Artifacts
from .database import FAULTS as STORAGE_FAULTS
from .definition import make_worker_folder, write_definition
from .folder import StudyFolder, below_floor, over_budget
from .interrupts import terminable
from .lease import OnWaiting, TakenOver, Worker
from .patience import patient
from .record import (
    ARCHITECTURE,
    WIDTH_MATCHED,
    WORKER,
    check_images,
    read_facts,
    read_objectives,
    read_outline,
    read_prediction,
    read_question,
    read_rows,
    read_slots,
    write_outline,
    write_prediction,
    write_question,
    write_row,
    write_rows,
)
from .reservations import Reservations, Unshared
from .retrained import RETRAINED, read_picks, read_tested, write_pick, write_tested
from .storage import (
    OptunaStudy,
    activity_of,
    begin_study,
    database_faults,
    find_study,
    shared,
    storage_faults,
    storage_url,
)
from .unwritten import Unwritten
