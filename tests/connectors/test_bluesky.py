from tests.connectors.contract import ConnectorContract


class TestBlueskyContract(ConnectorContract):
    kind = "bluesky"
    secrets = {"app_password": "canary-app-password-1"}
    options = {"handle": "sklep-lawenda.test"}
