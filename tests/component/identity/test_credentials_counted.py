"""Application credentials are counted: whoever may log in may make some, and no more, however many are asked for at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from kilonova.domain.errors import OverQuota
from kilonova.domain.identity import ApplicationCredential
from kilonova.identity.application_credentials import NewCredential, create_credential
from kilonova.identity.bootstrap import Credentials
from kilonova.identity.service import Identity
from kilonova.store.queries import identity as nouns
from kilonova.store.tables.growth import CREDENTIALS_PER_USER
from tests.component.identity.conftest import Logins


def test_a_user_has_a_number_of_them(identity: Identity, credentials: Credentials, logins: Logins) -> None:
    asking = logins("demo", credentials.demo_password).verified
    wanted = CREDENTIALS_PER_USER + 5

    def make(number: int) -> bool:
        try:
            create_credential(identity, asking, NewCredential(name=f"c{number}", secret="long enough"))
        except OverQuota:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(make, range(wanted)))
    assert made.count(True) == CREDENTIALS_PER_USER
    with identity.database.read() as tx:
        assert nouns.count(tx, ApplicationCredential, user_id=asking.user.id) == CREDENTIALS_PER_USER
    with pytest.raises(OverQuota, match="application credentials"):
        create_credential(identity, asking, NewCredential(name="one more"))
