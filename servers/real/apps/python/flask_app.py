"""The application in Flask: a view for every path."""

import flask

import blocking
import wsgi

application = flask.Flask(__name__, static_folder=None)
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@application.route("/", defaults={"path": ""}, methods=METHODS)
@application.route("/<path:path>", methods=METHODS)
def view(path):
    answer = blocking.answer(wsgi.request_of(flask.request.environ))
    body = answer.body
    if type(body) is not bytes:
        body = blocking.pieces(body)
    return flask.Response(body, answer.status, answer.header)


application.url_map.merge_slashes = False
