"""What a page says where it cannot be shown, or something cannot be done; never a word of what went wrong inside."""

from __future__ import annotations

import math

from starlette.responses import HTMLResponse, Response

from sequencer.core.enrollment import Enrollment
from sequencer.http.inspector.frame import button, framed, hidden, link
from sequencer.http.inspector.history import told
from sequencer.http.inspector.rows import standing
from sequencer.http.inspector.visit import Visit
from sequencer.simulation.report.markup import Content, element

__all__ = ["arrival_page", "changed_page", "log_in_page", "refused"]

_MOST_SHOWN = 10
_WHAT = {
    400: ("This cannot be understood", "The request is not one that a page of the inspector makes."),
    401: ("Nobody we know", "This page is only for who is logged in to the product that it is a part of."),
    403: ("This is not allowed", "You may look, but not change anything."),
    404: ("There is no such page", "What you are looking for does not exist, or is not yours to see."),
    405: ("There is no such page", "What you are looking for does not exist, or is not yours to see."),
    409: ("It has changed meanwhile", "Somebody was faster. Nothing was done: look again."),
    413: ("This is too much", "The form was longer than a form of the inspector can be. Nothing was done."),
    429: ("Slow down", "Too many requests. Wait a moment, then try again."),
    500: ("Something went wrong", "It is not your fault, and it was noted. Try again, or ask whoever runs this."),
    503: ("Not now", "The store cannot be used at the moment. Nothing was lost; try again in a minute."),
}


def refused(
    base: str,
    status: int,
    visit: Visit | None = None,
    *,
    said: str | None = None,
    wait: float | None = None,
    reference: str | None = None,
) -> Response:
    """The page for a status. It is the same for what does not exist and what is another account's.

    `said` is said instead of the usual; `wait` is in how many seconds to come again; by the `reference` the log knows
    the request.
    """
    title, why = _WHAT[status]
    back = link("To what is going on now", f"{base}/")
    page = framed(
        base,
        title,
        element("h1", title),
        element("p", said or why, class_="reading"),
        element("p", "In the log it is ", element("code", reference), ".", class_="small") if reference else None,
        None if status == 401 else element("p", back),
        visit=visit,
    )
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if wait is not None:
        headers["Retry-After"] = str(max(1, math.ceil(wait)))
    return HTMLResponse(page, status_code=status, headers=headers)


def changed_page(visit: Visit, enrollment: Enrollment, seen: int | None) -> str:
    """What has happened to an enrollment since it was seen, where that is in the way of what was asked."""
    events = [each for each in visit.engine.history(enrollment.id) if seen is not None and each.number > seen]
    since: Content = None
    if events:
        shown = list(reversed(events))[:_MOST_SHOWN]
        since = element(
            "section",
            element("h2", "What happened since", id="since"),
            told(visit, enrollment, shown),
            aria_labelledby="since",
        )
    title = "It has changed meanwhile" if events else "This is not possible now"
    return framed(
        visit.base,
        title,
        element("h1", title),
        standing(enrollment),
        element("p", "Nothing was done. Look again, and decide anew.", class_="reading"),
        since,
        element("p", link("Look again", visit.url("enrollments", enrollment.id), class_="button main")),
        visit=visit,
        at="enrollments",
    )


def arrival_page(base: str, onward: str) -> str:
    """For who comes from another site: one step, after which the browser says who they are."""
    title = "You are coming from elsewhere"
    return framed(
        base,
        title,
        element("h1", title),
        element("p", "A link from another place has led you here.", class_="reading"),
        element("p", link("Go on", f"{base}{onward}", class_="button main")),
    )


def log_in_page(base: str, token: str, onward: str, *, problem: str | None = None) -> str:
    """The form for a token."""
    return framed(
        base,
        "Log in",
        element("h1", "Log in"),
        element(
            "p",
            "The inspector shows what is enrolled, and why everything is when it is. It needs a token.",
            class_="reading",
        ),
        element("p", problem, role="alert", class_="problem", id="problem") if problem else None,
        element(
            "form",
            hidden(token=token, onward=onward),
            element(
                "p",
                element("label", "Token", for_="secret"),
                element(
                    "input",
                    id="secret",
                    name="secret",
                    type="password",
                    required=True,
                    autocomplete="off",
                    spellcheck="false",
                    maxlength=256,
                    aria_invalid="true" if problem else None,
                    aria_describedby="problem secret-hint" if problem else "secret-hint",
                ),
                element(
                    "span",
                    "As ",
                    element("code", "sequencer token create"),
                    " has shown it, once. It is kept in "
                    "a cookie of these pages until you log out or close the browser.",
                    id="secret-hint",
                    class_="small",
                ),
                class_="field wide",
            ),
            element("p", button("Log in")),
            method="post",
            action=f"{base}/login",
            class_="asking",
        ),
    )
