"""A server for wasi:http, made with componentize-py. It knows nothing of Gatewright."""

import sys

from componentize_py_types import Ok
from wit_world import exports
from wit_world.imports.types import Fields, OutgoingBody, OutgoingResponse, ResponseOutparam

PIECE = 4096


class IncomingHandler(exports.IncomingHandler):
    """Answers with a line about the request, and then with its body."""

    def handle(self, request, response_out):
        path = request.path_with_query()
        print("serving", path, file=sys.stderr)
        response = OutgoingResponse(Fields.from_list([("x-server", b"python")]))
        body = response.body()
        ResponseOutparam.set(response_out, Ok(response))
        with body.write() as out:
            out.blocking_write_and_flush(f"{path}\n".encode())
            copy(request.consume(), out)
        OutgoingBody.finish(body, None)


def copy(incoming, out):
    """Writes what comes, piece by piece, until nothing comes any more."""
    with incoming, incoming.stream() as stream:
        while True:
            try:
                piece = stream.blocking_read(PIECE)
            except Exception:  # The end is an error here, as any other.
                return
            out.blocking_write_and_flush(piece)
