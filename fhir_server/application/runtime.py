"""What every use case is given: the ports, the rules in force, and the server's own address."""

from dataclasses import dataclass

from consent_rules.matrix import Matrix
from consent_rules.profiles import RuleProfile
from consent_rules.schedule import Schedule
from fhir_server.ports import Ports


@dataclass(frozen=True, slots=True)
class Runtime:
    """One running server.

    fhir_base: absolute URL of the FHIR endpoint without a final slash. cursor_key: 32 bytes that seal paging cursors.
    refuse_wrong_size: whether a wrong attachment size refuses a submission or only warns.
    professional_level: the weakest login (`acr`) with which a professional may use the FHIR endpoint, "" for any.
    """

    ports: Ports
    matrices: Schedule
    profile: RuleProfile
    fhir_base: str
    cursor_key: bytes
    refuse_wrong_size: bool = True
    professional_level: str = ""

    @property
    def matrix(self) -> Matrix:
        """The version of the habilitation matrix that is in force today; a day begins at midnight UTC."""
        return self.matrices.on(self.ports.clock.now().date())
