"""What every use case is given: the ports, the rules in force, and the server's own address."""

from dataclasses import dataclass, field
from datetime import datetime

from consent_rules.matrix import Matrix, MatrixError
from consent_rules.profiles import RuleProfile
from consent_rules.schedule import Schedule
from fhir_server import telemetry
from fhir_server.application.stamping import Stamps
from fhir_server.domain.deeds import Deed
from fhir_server.ports import Ports, StoreUnavailable


@dataclass(frozen=True, slots=True)
class Runtime:
    """One running server.

    fhir_base: absolute URL of the FHIR endpoint without a final slash. cursor_key: 32 bytes that seal paging cursors.
    refuse_wrong_size: whether a wrong attachment size refuses a submission or only warns.
    stamps: gives `lastUpdated`. decoys: the space and the deed that were looked at last (`decoys`), or nothing.
    professional_level: the weakest login (`acr`) with which a professional may use the FHIR endpoint, "" for any.
    """

    ports: Ports
    matrices: Schedule
    profile: RuleProfile
    fhir_base: str
    cursor_key: bytes
    refuse_wrong_size: bool = True
    professional_level: str = ""
    stamps: Stamps = field(default_factory=Stamps)
    decoys: list[tuple[str, Deed]] = field(default_factory=list)

    def now(self) -> datetime:
        """Return the instant, by the server's clock."""
        return self.ports.clock.now()

    @property
    def matrix(self) -> Matrix:
        """The version of the habilitation matrix that is in force today; a day begins at midnight UTC.

        Raises: StoreUnavailable when the clock shows a day before the first version: nothing can be decided then.
        """
        try:
            return self.matrices.on(self.ports.clock.now().date())
        except MatrixError as problem:
            telemetry.alarm("no_matrix_in_force")
            raise StoreUnavailable(f"{problem}: the machine's clock is wrong") from problem
