"""Django set up with one view for every path, no middleware, no database."""

import django
from django.conf import settings

import blocking


def set_up(urls):
    settings.configure(
        DEBUG=False, ALLOWED_HOSTS=["*"], ROOT_URLCONF=urls, MIDDLEWARE=[], SECRET_KEY="not one",
        APPEND_SLASH=False, USE_TZ=True, DATA_UPLOAD_MAX_MEMORY_SIZE=None, LOGGING_CONFIG=None,
    )
    django.setup(set_prefix=False)


def response_of(answer):
    from django.http import HttpResponse, StreamingHttpResponse

    if type(answer.body) is bytes:
        response = HttpResponse(answer.body, status=answer.status)
    else:
        response = StreamingHttpResponse(blocking.pieces(answer.body), status=answer.status)
    for name, value in answer.header:
        response[name] = value
    return response
