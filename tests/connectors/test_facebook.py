"""The Facebook connector: the common contract, judged by Meta's own generated SDK, and what is peculiar to Facebook."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pytest

from connectors.simulated.server import Dialect
from tests.connectors.contract import ConnectorContract
from tests.connectors.meta_contract import MetaJudge


class TestFacebookContract(ConnectorContract):
    kind = "facebook"
    secrets: ClassVar = {"access_token": "canary-page-token-of-meta", "app_secret": "canary-app-secret-of-meta"}

    def checked(self, dialect: Dialect) -> Dialect:
        self.judge = MetaJudge(dialect)
        return self.judge

    @pytest.fixture(autouse=True)
    def nothing_against_metas_own_sdk(self) -> Iterator[None]:
        yield
        judge = getattr(self, "judge", None)
        assert judge is None or judge.violations == []
