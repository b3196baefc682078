"""A server for wasi:http 0.3, made with componentize-py. It knows nothing of Gatewright."""

import componentize_py_async_support
import wit_world
from componentize_py_types import Ok
from wit_world import exports
from wit_world.imports.wasi_http_types import Fields, Request, Response

PIECE = 4096


class Handler(exports.Handler):
    """Answers with a line about the request, and then with its body."""

    async def handle(self, request):
        path = request.get_path_with_query()
        writer, body = wit_world.byte_stream()
        headers = Fields.from_list([("x-server", b"python")])
        response, _ = Response.new(headers, body, no_trailers())
        componentize_py_async_support.spawn(copy(path, request, writer))
        return response


def no_trailers():
    """Trailers of a body that ends well."""
    future = wit_world.result_option_wasi_http_types_fields_wasi_http_types_error_code_future
    return future(lambda: Ok(None))[1]


async def copy(path, request, out):
    """Writes what comes, piece by piece, until nothing comes any more."""
    received = wit_world.result_unit_wasi_http_types_error_code_future(lambda: Ok(None))[1]
    incoming, _ = Request.consume_body(request, received)
    with out, incoming:
        await out.write_all(f"{path}\n".encode())
        while not incoming.writer_dropped:
            await out.write_all(await incoming.read(PIECE))
