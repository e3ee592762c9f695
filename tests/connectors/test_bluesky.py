import pytest

from social.domain.errors import CannotTell
from social.domain.post import FetchedPost
from social.domain.reply import SentBy
from tests.connectors.contract import ConnectorContract, Stage, whole_round


class TestBlueskyContract(ConnectorContract):
    kind = "bluesky"
    secrets = {"app_password": "canary-app-password-1"}
    options = {"handle": "sklep-lawenda.test"}

    def test_a_record_under_our_key_that_answers_another_post_is_for_a_person_to_look_at(
        self, stage: Stage, post: FetchedPost
    ) -> None:
        connector = stage.connector()
        stage.customer_says("nowy 2", author="beata_kuras")
        (other,) = [one for one in whole_round(connector, None).posts if one.text.endswith("nowy 2")]
        connector.reply(other.ref, "Dziękujemy!", key="k1", sent_by=SentBy.ROBOT)
        with pytest.raises(CannotTell):
            connector.find_own_reply(post.ref, "Dziękujemy!", key="k1")
