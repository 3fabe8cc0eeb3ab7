"""The application in Django, as an ASGI callable. Django takes the whole body
in before it calls the view, and 3.2 goes through an answer in pieces on the
event loop, which stands still meanwhile."""

from django.core.handlers.asgi import ASGIHandler
from django.urls import re_path

import aio
import asgi
import django_setup


async def view(request):
    async def read():
        return request.read(1 << 16)

    asked = asgi.request_of(request.scope, None)
    asked.read = read
    return django_setup.response_of(await aio.answer(asked))


django_setup.set_up(__name__)
urlpatterns = [re_path(r"", view)]
in_django = ASGIHandler()


async def application(scope, receive, send):
    """Django has no WebSocket: that is the bare application's."""
    if scope["type"] == "http":
        await in_django(scope, receive, send)
    else:
        await asgi.application(scope, receive, send)
