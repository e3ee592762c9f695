"""``social queue``: what people must answer."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from social.cli.command import Acting, Config, Json, acting, new_app, print_json, say

if TYPE_CHECKING:
    from social.cli.opening import Opened
    from social.engine.people import PlannedAnswer
    from social.store.queue import CaseView, Seen

app = new_app(help="What people must answer: see it, take it, answer it, close it.", no_args_is_help=True)

#: More than any row's number; the database cannot compare with a longer one.
LARGEST = 2**63 - 1

CaseId = Annotated[
    int, typer.Argument(metavar="CASE", help="The number that `social queue list` shows.", min=1, max=LARGEST)
]


@app.command("list")
def list_cases(
    config: Config = None,
    profile: Annotated[str | None, typer.Option("--profile", "-p", metavar="NAME", help="Only this profile.")] = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only what you have taken.")] = False,
    name: Acting = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """What waits, the most urgent first.

    Critical, then high, then whose clock breaks next, then who waits longest.
    """
    from social.cli import queue_text
    from social.cli.opening import opened_store
    from social.cli.standing import standing
    from social.domain.errors import NotFound
    from social.engine.calendars import calendars_of
    from social.store import queue

    with opened_store(config) as opened:
        if profile is not None and opened.settings.profile(profile) is None:
            known = ", ".join(item.name for item in opened.settings.profiles)
            raise NotFound(f"there is no profile {profile!r}.", next_step=f"There are: {known}.")
        now, calendars = opened.clock.now(), calendars_of(opened.settings)
        zone = calendars[opened.settings.brands[0].name].timezone
        with opened.database.read() as session:
            taken_by = acting(name) if mine else None
            places = queue.in_order(session, now=now, calendars=calendars, profile=profile, taken_by=taken_by)
            found = queue.lines(session, places[:limit])
            narrowed = not places and (mine or profile is not None)
            others = len(queue.in_order(session, now=now, calendars=calendars)) if narrowed else 0
            unknown = queue.unknown_replies(session)
            told = list(standing(session, now=now, zone=zone))
    if as_json:
        print_json([queue_text.item_as_json(item, now) for item in found])
        return
    if found:
        print(queue_text.listing(found, now=now, total=len(places), calendars=calendars))
    else:
        print(queue_text.nothing(taken_by=taken_by, profile=profile, others=others))
    for reply in unknown:
        say(queue_text.unsettled(reply))
    for line in told:
        say(line)


@app.command()
def show(case: CaseId, config: Config = None, as_json: Json = False) -> None:
    """One case: its whole thread, and why it is here.

    Also the author's earlier contacts, who did what, and the address on the network.
    """
    from social.cli import queue_text
    from social.cli.opening import opened_store

    with opened_store(config) as opened:
        view, now = _view(opened, case), opened.clock.now()
        calendars = _calendars(opened)
    if as_json:
        print_json(queue_text.case_as_json(view, now))
    else:
        print(queue_text.whole(view, now=now, calendars=calendars))


@app.command()
def take(
    case: CaseId,
    config: Config = None,
    name: Acting = None,
    over: Annotated[bool, typer.Option("--over", help="Take it from whoever has it, who is not there.")] = False,
    as_json: Json = False,
) -> None:
    """Say that you answer this one.

    The robot then waits until minute 55 with its acknowledgement.
    """
    from social.cli import wording
    from social.cli.opening import opened_store
    from social.engine import build, people

    with opened_store(config) as opened:
        calendar, now = _calendar(opened, case), opened.clock.now()
        taken = people.take(
            opened.database,
            case,
            user=acting(name),
            now=now,
            calendar=calendar,
            waits=build.timing_of(opened.settings),
            over=over,
        )
    if as_json:
        print_json({"case": case, "taken_by": taken.user, "acknowledgement_at": taken.acknowledgement_at})
        return
    print(f"Case {case} is yours, {taken.user}.")
    if taken.acknowledgement_at is not None and taken.acknowledgement_at > now:
        at = wording.moment(taken.acknowledgement_at, calendar.timezone)
        print(f"If nobody has answered by {at}, the robot acknowledges.")
    print(f'Answer: social queue answer {case} "..."')


@app.command()
def answer(
    case: CaseId,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="Your words; - reads them from standard input.")],
    config: Config = None,
    name: Acting = None,
    seen: Annotated[
        str | None,
        typer.Option("--seen", metavar="MARK", help="What you read of the customer, as `show` names it."),
    ] = None,
    even_if_changed: Annotated[
        bool, typer.Option("--even-if-changed", help="Also if the customer wrote again since.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="The warnings about the text are known.")] = False,
    as_json: Json = False,
) -> None:
    """Answer the customer in your words.

    The running desk publishes them under the customer's last message; the robot keeps quiet.
    """
    from social.cli.opening import opened_store
    from social.engine import people

    words = sys.stdin.read().strip() if text == "-" else text
    mark = _seen(seen)
    with opened_store(config) as opened:
        context = people.context_of(opened.database, case)

        def plan(*, accept_warnings: bool) -> PlannedAnswer:
            return people.answer(
                opened.database,
                context,
                case,
                words,
                user=acting(name),
                now=opened.clock.now(),
                seen=mark,
                even_if_changed=even_if_changed,
                accept_warnings=accept_warnings,
            )

        try:
            done = plan(accept_warnings=yes)
        except people.UnfitText as error:
            if not error.only_warnings or text == "-" or as_json or not sys.stdin.isatty():
                raise
            say(error.what)
            typer.confirm("Send it all the same?", abort=True, err=True)
            done = plan(accept_warnings=True)
        delivered_by = _delivering(opened)
    if as_json:
        values = {"reply": done.reply_id, "case": case, "post": done.post_id, "profile": done.profile}
        waits = {"daemon_running": bool(delivered_by), "paused_since": done.paused_since}
        print_json({**values, "robot_on_its_way": done.robot_on_its_way, **waits})
        return
    _tell_what_happens(done, bool(delivered_by))


@app.command()
def close(
    case: CaseId,
    config: Config = None,
    reason: Annotated[str, typer.Option("--reason", "-r", metavar="WORDS", help="Why no answer is sent.")] = "",
    name: Acting = None,
    seen: Annotated[
        str | None, typer.Option("--seen", metavar="MARK", help="What you read of the customer, as `show` names it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """End a case without an answer.

    A formal complaint needs a reason.
    """
    from social.cli.opening import opened_store
    from social.engine import people

    mark = _seen(seen)
    with opened_store(config) as opened:
        people.close(opened.database, case, user=acting(name), now=opened.clock.now(), reason=reason, seen=mark)
        view = _view(opened, case)
    if as_json:
        print_json({"case": case, "state": view.item.state, "reason": view.close_reason})
    else:
        print(f"Case {case} is closed: {view.close_reason}.")


@app.command()
def settle(
    reply: Annotated[int, typer.Argument(metavar="REPLY", help="The reply of unknown outcome.", min=1, max=LARGEST)],
    sent: Annotated[
        bool | None,
        typer.Option("--sent/--not-sent", help="You looked at the network: is the reply there, or is it not?"),
    ] = None,
    config: Config = None,
    native_id: Annotated[str | None, typer.Option("--id", metavar="ID", help="Its id on the network.")] = None,
    link: Annotated[str | None, typer.Option("--link", metavar="URL", help="Its address.")] = None,
    name: Acting = None,
    as_json: Json = False,
) -> None:
    """Say what became of a reply that nobody could look up.

    The robot never sends it again: what was not published is for a person to answer.
    """
    from social.cli.opening import opened_store
    from social.engine import people

    if sent is None:
        raise typer.BadParameter("say --sent or --not-sent; look at the network first")
    if not sent and (native_id or link):
        raise typer.BadParameter("--id and --link belong to --sent")
    with opened_store(config) as opened:
        done = people.settle(
            opened.database,
            reply,
            sent=sent,
            user=acting(name),
            now=opened.clock.now(),
            external_id=native_id,
            permalink=link,
        )
    if as_json:
        print_json({"reply": reply, "state": done.state, "case": done.case_id})
        return
    print(f"Reply {reply} is settled: {'it was published' if sent else 'it was not published'}.")
    if done.case_id is not None:
        print(f"Case {done.case_id} still waits for an answer: social queue show {done.case_id}")


# --- pieces ------------------------------------------------------------------------------------------------------------


def _calendars(opened: Opened) -> Any:
    from social.engine.calendars import calendars_of

    return calendars_of(opened.settings)


def _view(opened: Opened, case: int) -> CaseView:
    from social.store import queue

    with opened.database.read() as session:
        return queue.case(session, case, now=opened.clock.now(), calendars=_calendars(opened))


def _calendar(opened: Opened, case: int) -> Any:
    from social.store.queue import NEVER_OPEN

    return _calendars(opened).get(_view(opened, case).item.brand, NEVER_OPEN)


def _seen(text: str | None) -> Seen | None:
    """``345:2:3:4``, as `show` prints it: three messages, the newest of them number 345 in its second version."""
    from social.store.queue import read_mark

    if text is None:
        return None
    mark = read_mark(text)
    if mark is None:
        raise typer.BadParameter(f"{text!r} is not what `social queue show` ends with after --seen")
    return mark


def _delivering(opened: Opened) -> list[str]:
    """The running daemons that send."""
    from social import clock
    from social.store import control

    with opened.database.read() as session:
        running = control.running(session, at=clock.machine_now())
    return [daemon.name for daemon in running if "respond" in daemon.parts.split(",")]


def _tell_what_happens(done: PlannedAnswer, daemon: bool) -> None:
    print(f"Planned as reply {done.reply_id} on {done.profile}.")
    if done.paused_since is not None:
        print("The desk is paused: it is sent after `social unpause`.")
    if not daemon:
        print("No desk is running now: it is sent when one is started (social run).")
    elif done.paused_since is None:
        print("The running desk publishes it within seconds.")
    if done.cancelled:
        print("The robot's planned text is cancelled.")
    if done.robot_on_its_way:
        say("An automatic text is just being sent and cannot be stopped; the customer will read both.")
    print(f"See what became of it: social queue show {done.case_id}")
