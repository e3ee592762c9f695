"""``social check-config``."""

from __future__ import annotations

from social.cli.command import Config, Json, columns, new_app, print_json, say

app = new_app()


@app.command()
def check_config(config: Config = None, as_json: Json = False) -> None:
    """Name every mistake in config.toml, with its line.

    Exit code 3 where the desk could not start with it. A profile's credential that is not there yet is only a warning.
    """
    from social.cli.inspection import credential_problems, notify_problems, problems_in
    from social.domain.errors import ConfigurationError
    from social.engine.rules import rule_doubts
    from social.settings import Settings, load_settings
    from social.settings_problems import unusable

    settings: Settings | None = None
    problems: list[str] = []
    try:
        settings = load_settings(config)
        problems = problems_in(settings)
        problems = problems or notify_problems(settings)
    except ConfigurationError as error:
        if not as_json:
            raise
        problems = str(error).splitlines()
    warnings = (
        [*(f"{item.profile}: {item.sentence}" for item in credential_problems(settings)), *rule_doubts(settings)]
        if settings
        else []
    )
    if as_json:
        print_json({"ok": not problems, "problems": problems, "warnings": warnings})
    for warning in warnings:
        say(f"warning: {warning}")
    if problems:
        raise unusable(problems if not as_json else [f"{len(problems)} problem(s)."])
    if settings is not None and not as_json:
        rows = [
            (profile.name, profile.connector, profile.mode.value, _closed(profile.closed_notice))
            for profile in settings.profiles
        ]
        print(f"{settings.source or 'The shipped demo configuration'} can be used.")
        print(columns(rows))


def _closed(notice: bool | None) -> str:
    return "tells customers outside hours when the team is back" if notice else "silent outside hours"
