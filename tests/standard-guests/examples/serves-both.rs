//! A server for `wasi:http` of both versions, which says by which it was asked.

use wasip2::http::types::{
    Fields as OldFields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_future, wit_stream};

wasip2::http::proxy::export!(Serves);
wasip3::http::service::export!(Serves);

struct Serves;

impl wasip2::exports::http::incoming_handler::Guest for Serves {
    fn handle(_request: IncomingRequest, out: ResponseOutparam) {
        let response = OutgoingResponse::new(OldFields::new());
        let body = response.body().expect("a body");
        ResponseOutparam::set(out, Ok(response));
        let stream = body.write().expect("a stream");
        stream.blocking_write_and_flush(b"0.2").expect("somebody who reads");
        drop(stream);
        OutgoingBody::finish(body, None).expect("a whole body");
    }
}

impl wasip3::exports::http::handler::Guest for Serves {
    async fn handle(_request: Request) -> Result<Response, ErrorCode> {
        let (mut writer, body) = wit_stream::new();
        let (_, trailers) = wit_future::new(|| Ok(None));
        wasip3::spawn_local(async move {
            writer.write_all(b"0.3".to_vec()).await;
        });
        Ok(Response::new(Fields::new(), Some(body), trailers).0)
    }
}
