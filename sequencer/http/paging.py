"""Pages of a collection: which one is asked for, and the links to those around it.

Clients of the model service follow `next_page` until it is missing. Whether there is a next page is known without
counting: one item more is asked for than the page has.
"""

from __future__ import annotations

from urllib.parse import quote, urlencode

import attrs
from starlette.requests import Request

__all__ = ["FIRST", "LAST_PAGE", "Page", "links_of", "path_of", "quoted"]

LAST_PAGE = 1_000_000_000


@attrs.frozen
class Page:
    """A page, counted from 1, of so many items."""

    number: int
    size: int

    @property
    def offset(self) -> int:
        """How many items come before it."""
        return (self.number - 1) * self.size


FIRST = Page(1, 25)


def path_of(request: Request) -> str:
    """The path of a request as links and headers have it."""
    return quoted(str(request.scope["path"]))


def quoted(path: str) -> str:
    """A path as a URL has it: its prefix, which is a host's, may be any text."""
    return quote(path, safe="/:@!$&'()*+,;=~")


def links_of(request: Request, page: Page, *, more: bool) -> dict[str, str]:
    """The links of a page, absolute, in the order in which clients know them; those that do not apply are left out."""
    url = request.url
    base = f"{url.scheme}://{url.netloc}{path_of(request)}"
    rest = [(key, value) for key, value in request.query_params.multi_items() if key not in {"page", "per_page"}]

    def of(number: int) -> str:
        return f"{base}?{urlencode([*rest, ('page', number), ('per_page', page.size)], safe=',')}"

    links = {"self": of(page.number), "first_page": of(1)}
    if page.number > 1:
        links["prev_page"] = of(page.number - 1)
    if more:
        links["next_page"] = of(page.number + 1)
    return links
