"""Werkzeug's development server on the inherited socket: python
werkzeug_server.py MODULE on|off, threads on or off."""

import importlib
import os
import signal
import sys

from werkzeug.serving import WSGIRequestHandler, make_server


class Handler(WSGIRequestHandler):
    """Logs nothing."""

    def log(self, kind, message, *args):
        if kind == "error":
            super().log(kind, message, *args)


def main():
    module, threads, backlog = sys.argv[1], sys.argv[2], int(sys.argv[3])
    application = importlib.import_module(module).application
    server = make_server("127.0.0.1", 0, application, threaded=threads == "on", request_handler=Handler, fd=3)
    server.socket.listen(backlog)
    server.daemon_threads = False  # what has begun is finished
    signal.signal(signal.SIGTERM, lambda *_: stop(server))
    server.serve_forever(poll_interval=0.1)
    server.server_close()


def stop(server):
    import threading

    threading.Thread(target=server.shutdown).start()  # it waits for the thread that this signal has interrupted


if __name__ == "__main__":
    main()
