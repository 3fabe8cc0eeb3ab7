"""The application in Django, as a WSGI callable."""

from django.core.handlers.wsgi import WSGIHandler
from django.urls import re_path

import blocking
import django_setup
import wsgi


def view(request):
    return django_setup.response_of(blocking.answer(wsgi.request_of(request.environ)))


django_setup.set_up(__name__)
urlpatterns = [re_path(r"", view)]
application = WSGIHandler()
