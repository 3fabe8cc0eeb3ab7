"""The call of /upstream that blocks its thread (or what stands for one), with
the client of Python's library, on which requests and urllib3 sit as well. With
gevent or eventlet underneath it is a green thread that waits."""

import http.client
import threading

import labapp

IDLE = []  # connections that are kept, the last one used last
MOST_IDLE = 512
GUARD = threading.Lock()


def call(timeout):
    """Returns the status and what was said, FAILURE and what went wrong, or TIMEOUT."""
    with GUARD:
        connection = IDLE.pop() if IDLE else None
    if connection:
        connection.timeout = timeout
        connection.sock.settimeout(timeout)
    else:
        connection = http.client.HTTPConnection(*labapp.UPSTREAM, timeout=timeout)
        try:
            connection.connect()
        except TimeoutError:
            return labapp.TIMEOUT, ""
        except OSError:
            return labapp.FAILURE, labapp.AWAY
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        length = answer.getheader("Content-Length", "")
        if not length.isdigit() or int(length) > 65536:
            raise http.client.HTTPException
        status, said = answer.status, answer.read().decode("latin-1")
    except TimeoutError:
        connection.close()
        return labapp.TIMEOUT, ""
    except (http.client.RemoteDisconnected, http.client.IncompleteRead, OSError):
        connection.close()
        return labapp.FAILURE, labapp.CLOSED
    except http.client.HTTPException:
        connection.close()
        return labapp.FAILURE, labapp.MALFORMED
    with GUARD:
        kept = connection.sock is not None and len(IDLE) < MOST_IDLE
        if kept:
            IDLE.append(connection)
    if not kept:
        connection.close()
    return status, said
