"""The page's routes: what people look at, and the two forms by which they decide."""

from collections.abc import Callable, Hashable
from typing import Annotated, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import RedirectResponse, Response

from driftline.api.commands import Commands
from driftline.api.folds import Folds
from driftline.api.page import change
from driftline.api.page.alerts import alert_page, alerts_page
from driftline.api.page.deciding import command_of, new_key
from driftline.api.page.feature import feature_page
from driftline.api.page.health import model_names, open_alerts
from driftline.api.page.layout import Page, Reader, address_of, document
from driftline.api.page.model import model_page
from driftline.api.page.overview import overview
from driftline.api.page.sign_in import sign_in_page
from driftline.api.page.static_files import KINDS, content
from driftline.api.page.versions import versions_page
from driftline.api.roles import Access, Role
from driftline.api.routes import carry_out, refusal
from driftline.api.sessions import COOKIE, SECONDS, Sessions, cookie_of
from driftline.core.registry.models import ModelState
from driftline.core.registry.version_list import Version
from driftline.runtime.ports import Clock
from driftline_schemas.registry import RegistryCommand

HTML: Final = "text/html; charset=utf-8"
YEAR: Final = 31_536_000
REFRESHED_MS: Final = 30_000  # what depends on the clock alone may be so old
MOST_FIELDS: Final = 20
DRAWN_KEPT: Final = 64  # pages of one version
Text = Annotated[str, Query(max_length=1_024)]
Maybe = Annotated[str | None, Query(max_length=1_024)]
Start = Annotated[int, Query(ge=0, le=1_000_000)]


class Desk:
    """What the routes share: the state, who asks, and how an answer is made of a page."""

    def __init__(
        self, folds: Folds, commands: Commands, clock: Clock, access: Access, sessions: Sessions
    ) -> None:
        self.folds = folds
        self.commands = commands
        self.clock = clock
        self.access = access
        self.sessions = sessions
        self._drawn: dict[Hashable, Page] = {}
        self._drawn_at = ""

    def reader(self, request: Request) -> Reader:
        """Who looks."""
        role, cookie = _role(request), _cookie(request)
        return Reader(
            role=role,
            open_alerts=sum(map(len, open_alerts(self.folds).values())),
            is_signed_in=self.sessions.role(cookie) is not None,
            seal=self.sessions.form_seal(role, cookie),
        )

    def version(self) -> str:
        """Of all that a page may show."""
        return f"{self.folds.changes}.{self.clock.now() // REFRESHED_MS}"

    def is_known_already(self, request: Request) -> bool:
        """Whether the script has this version; then nothing need be drawn."""
        return request.headers.get("if-none-match") == f'"{self.version()}"'

    def drawn(self, address: Hashable, draw: Callable[[], Page]) -> Page:
        """The page at this address, drawn once in a version however many look at it."""
        version = self.version()
        if version != self._drawn_at or len(self._drawn) >= DRAWN_KEPT:
            self._drawn.clear()
        self._drawn_at = version
        if address not in self._drawn:
            self._drawn[address] = draw()
        return self._drawn[address]

    def answer(self, request: Request, page: Page, *, live: bool = True) -> Response:
        """The page as HTML."""
        version = self.version() if live else ""
        headers = {"cache-control": "no-store", **({"etag": f'"{version}"'} if live else {})}
        body = document(page, self.reader(request), version)
        return Response(body, page.status, headers, HTML)

    def known(self, model: str) -> ModelState:
        """A model with a specification."""
        if model not in self.folds.registry.models:
            raise HTTPException(404, "No spec of this model is applied.")
        return self.folds.registry.models[model]

    async def own_form(self, request: Request) -> dict[str, str]:
        """The fields of a form of ours; 403 for another's."""
        fields = await _fields(request)
        seal = fields.get("seal", "")
        if not self.sessions.is_own_form(_role(request), _cookie(request), seal):
            raise HTTPException(403, "This form is too old, or not ours: open it again.")
        return fields


def page_routes(
    folds: Folds, commands: Commands, clock: Clock, access: Access, sessions: Sessions
) -> APIRouter:
    """All of them, around one state."""
    router = APIRouter(include_in_schema=False)
    desk = Desk(folds, commands, clock, access, sessions)
    _add_looks(router, desk)
    _add_model_looks(router, desk)
    _add_promotion(router, desk)
    _add_rollback(router, desk)
    _add_doors(router, desk)
    return router


def _add_looks(router: APIRouter, desk: Desk) -> None:
    @router.get("/")
    async def models(request: Request, q: Text = "", start: Start = 0) -> Response:
        if desk.is_known_already(request):
            return Response(status_code=304)
        wanted = q.strip()
        page = desk.drawn(("/", wanted, start), lambda: overview(desk.folds, wanted, start))
        return desk.answer(request, page)

    @router.get("/alerts")
    async def alerts(request: Request, model: Maybe = None) -> Response:
        if desk.is_known_already(request):
            return Response(status_code=304)
        page = desk.drawn(("/alerts", model), lambda: alerts_page(desk.folds, model))
        return desk.answer(request, page)

    @router.get("/alert")
    async def alert(request: Request, id: Text) -> Response:  # noqa: A002 - the field's name
        if (found := desk.folds.alerts.get(id)) is None:
            raise HTTPException(404, "This alert is not known (any more).")
        if desk.is_known_already(request):
            return Response(status_code=304)
        return desk.answer(request, alert_page(desk.folds, found))

    @router.get("/decided")
    async def decided(request: Request, name: Text, command: Text) -> Response:
        known, fact = desk.known(name), desk.folds.facts.get(command)
        if desk.is_known_already(request):
            return Response(status_code=304)
        return desk.answer(request, change.decided_page(desk.folds, known, fact, desk.clock.now()))


def _add_model_looks(router: APIRouter, desk: Desk) -> None:
    @router.get("/model")
    async def model(
        request: Request, name: Text, window: Maybe = None, drift: Maybe = None
    ) -> Response:
        if name not in desk.folds.registry.models and name not in model_names(desk.folds):
            raise HTTPException(404, "Nothing is known of this model.")
        if desk.is_known_already(request):
            return Response(status_code=304)
        may_decide = desk.reader(request).may_decide
        page = desk.drawn(
            ("/model", name, window, drift, may_decide),
            lambda: model_page(
                desk.folds, name, desk.clock.now(), window=window, drift_window=drift,
                may_decide=may_decide,
            ),
        )  # fmt: skip
        return desk.answer(request, page)

    @router.get("/feature")
    async def feature(request: Request, name: Text, feature: Text, drift: Maybe = None) -> Response:
        if desk.is_known_already(request):
            return Response(status_code=304)
        if (page := feature_page(desk.folds, name, feature, drift)) is None:
            raise HTTPException(404, "No verdict on this feature is known.")
        return desk.answer(request, page)

    @router.get("/versions")
    async def versions(request: Request, name: Text, before: int = 0) -> Response:
        may_decide = desk.reader(request).may_decide
        page = versions_page(desk.folds, desk.known(name), before=before, may_decide=may_decide)
        return desk.answer(request, page, live=False)


def _add_promotion(router: APIRouter, desk: Desk) -> None:
    def asked(request: Request, name: str, version: str, given: change.Given) -> Response:
        known = desk.known(name)
        page = change.promote_page(
            known, _version(known, version), desk.reader(request), new_key(), given
        )
        return desk.answer(request, page, live=False)

    @router.get("/promote")
    async def ask(request: Request, name: Text, version: Text) -> Response:
        return asked(request, name, version, change.Given())

    @router.post("/promote")
    async def promote(request: Request, name: Text, version: Text) -> Response:
        fields = await desk.own_form(request)
        body = {"model": name, "version": _version(desk.known(name), version).version_id}
        given = await _decide(desk, "promote", body, fields)
        return _done(name, fields) if given is None else asked(request, name, version, given)


def _add_rollback(router: APIRouter, desk: Desk) -> None:
    def asked(request: Request, name: str, given: change.Given) -> Response:
        known = desk.known(name)
        page = change.rollback_page(desk.folds, known, desk.reader(request), new_key(), given)
        return desk.answer(request, page, live=False)

    @router.get("/rollback")
    async def ask(request: Request, name: Text) -> Response:
        return asked(request, name, change.Given())

    @router.post("/rollback")
    async def roll_back(request: Request, name: Text) -> Response:
        fields = await desk.own_form(request)
        to = fields.get("to") or None
        body = {"model": desk.known(name).name, **({"to": to} if to else {})}
        given = await _decide(desk, "rollback", body, fields)
        return _done(name, fields) if given is None else asked(request, name, given)


def _add_doors(router: APIRouter, desk: Desk) -> None:
    @router.get("/sign-in")
    async def door(request: Request, then: Text = "/") -> Response:
        if not desk.access.tokens:
            return RedirectResponse("/", 303)
        return desk.answer(request, sign_in_page(_inside(then)), live=False)

    @router.post("/sign-in")
    async def sign_in(request: Request) -> Response:
        fields = await _fields(request)
        then = _inside(fields.get("then", "/"))
        role = desk.access.role(b"Bearer " + fields.get("token", "").encode())
        if role is None:
            page = sign_in_page(then, "This token is not one of the API's.")
            return desk.answer(request, page, live=False)
        answer = RedirectResponse(then, 303)
        answer.set_cookie(
            COOKIE, desk.sessions.issue(role), max_age=SECONDS, httponly=True, samesite="lax",
            secure=_is_encrypted(request),
        )  # fmt: skip
        return answer

    @router.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        if desk.sessions.role(_cookie(request)) is not None:  # else there is nothing to end
            await desk.own_form(request)
            desk.sessions.end(_cookie(request))
        answer = RedirectResponse("/", 303)
        answer.delete_cookie(COOKIE)
        return answer

    @router.get("/static/{name}")
    async def static(name: str) -> Response:
        if name not in KINDS:
            raise HTTPException(404, "There is no such file.")
        headers = {"cache-control": f"public, max-age={YEAR}, immutable"}
        return Response(content(name), 200, headers, KINDS[name])


async def _decide(
    desk: Desk, action: str, body: dict[str, str], fields: dict[str, str]
) -> change.Given | None:
    """Give the command; None if it is done or on its way, else what to ask once more."""
    reason, actor = fields.get("reason", "").strip(), fields.get("actor", "").strip()
    typed = {"reason": reason, "actor": actor, "to": fields.get("to", "")}
    made = command_of(action, body, fields, desk.clock.now())
    if not isinstance(made, RegistryCommand):
        return change.Given(**typed, problem=made, status=422)
    fact = await carry_out(desk.folds, desk.commands, made)
    if fact is not None and fact.outcome == "refused":
        return change.Given(**typed, problem=refusal(fact), status=409)
    return None


def _done(name: str, fields: dict[str, str]) -> Response:
    return RedirectResponse(address_of("/decided", name=name, command=fields["key"]), 303)


def _version(known: ModelState, version: str) -> Version:
    found = known.find(version)
    if found is None:
        raise HTTPException(404, "The model has no such version.")
    return found


async def _fields(request: Request) -> dict[str, str]:
    body = (await request.body()).decode("utf-8", "replace")
    try:
        found = parse_qs(body, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise HTTPException(422, "This form has too many fields.") from None
    return {name: values[-1] for name, values in found.items()}


def _cookie(request: Request) -> str:
    return cookie_of(request.headers.get("cookie", "").encode("latin-1"))


def _role(request: Request) -> Role:
    role: Role = request.state.role or Role.anyone
    return role


def _is_encrypted(request: Request) -> bool:
    """Whether the browser came by https. Where a proxy ends TLS, it alone says so: by the Origin
    that goes with every form."""
    origin = request.headers.get("origin", "")
    return request.url.scheme == "https" or origin.startswith("https://")


def _inside(then: str) -> str:
    """A place of ours; whatever could lead elsewhere becomes the first page."""
    is_ours = then.startswith("/") and then[1:2] not in ("/", "\\") and then.isprintable()
    return then if is_ours else "/"
