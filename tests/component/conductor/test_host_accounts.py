"""Bus users of removed hosts do not outlive them, and those of the others may do what they need."""

from __future__ import annotations

import pytest

from kilonova.domain.errors import Unavailable
from kilonova.reconcilers.host_accounts import HostAccountsReconciler
from kilonova.store.database import Database
from kilonova.store.queries import host_access
from tests.fakes.accounts import RememberedAccounts
from tests.world.clock import ManualClock


def test_users_of_removed_hosts_go_and_all_others_stay(database: Database) -> None:
    accounts, now = RememberedAccounts(), ManualClock().now()
    for name in ("stays", "goes", "of-another-cloud"):
        accounts.create(name)
    with database.write() as tx:
        for name in ("stays", "goes", "went"):
            host_access.give_credential(tx, name, "hash", now)
        for name in ("goes", "went"):
            host_access.revoke(tx, name, now)
    reconciler = HostAccountsReconciler(database, accounts)
    assert reconciler.activate() == {"removed": 1, "allowed": 1}
    assert accounts.hosts() == ["of-another-cloud", "stays"]
    assert reconciler.activate() == {"removed": 0, "allowed": 0}
    assert accounts.allowed == ["stays"]
    accounts.lacks = {"stays", "goes", "of-another-cloud"}
    assert reconciler.activate() == {"removed": 0, "allowed": 1}
    assert accounts.allowed == ["stays", "stays"]
    assert accounts.times_bounded == 1


def test_a_broker_that_is_away_is_asked_again_at_the_next_activation(database: Database) -> None:
    accounts, now = RememberedAccounts(), ManualClock().now()
    accounts.create("goes")
    with database.write() as tx:
        host_access.give_credential(tx, "goes", "hash", now)
        host_access.revoke(tx, "goes", now)
    reconciler = HostAccountsReconciler(database, accounts)
    accounts.is_down = True
    with pytest.raises(Unavailable):
        reconciler.activate()
    accounts.is_down = False
    assert reconciler.activate() == {"removed": 1, "allowed": 0}
