//! A server that misbehaves, made with the bindings of `wasip2`. What it does, the last segment of the path says.

use std::io::Write as _;

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{ErrorCode, Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

wasip2::http::proxy::export!(Misserves);

struct Misserves;

impl Guest for Misserves {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let mode = path.rsplit('/').next().unwrap_or_default();
        match mode {
            "nothing" => return,
            "traps" => panic!("asked to panic"),
            "loops" => spin(),
            "code" => return ResponseOutparam::set(out, Err(ErrorCode::ConfigurationError)),
            "hoards" => {
                let mut hoard = Vec::new();
                loop {
                    hoard.push(vec![1; 1 << 20]);
                }
            }
            "handles" => {
                let mut handles = Vec::new();
                loop {
                    handles.push(Fields::new());
                }
            }
            _ => {}
        }
        let fields = Fields::new();
        if mode == "many-fields" {
            for number in 0..200 {
                let _ = fields.append(&format!("x-{number}"), b"1");
            }
        }
        if mode == "forbidden" {
            // Refused, one by one; the answer is as if they had not been there.
            for name in ["connection", "transfer-encoding", "x-gatewright-error", "keep-alive"] {
                assert!(fields.append(name, b"close").is_err());
            }
        }
        if mode == "short" || mode == "long" {
            let length: &[u8] = if mode == "short" { b"9" } else { b"5" };
            let _ = fields.append("content-length", length);
        }
        let response = OutgoingResponse::new(fields);
        let status = match mode {
            "status-100" => 100,
            "status-999" => 999,
            _ => 200,
        };
        if response.set_status_code(status).is_err() {
            panic!("the host refuses the status");
        }
        let body = response.body().expect("a body");
        ResponseOutparam::set(out, Ok(response));
        let mut stream = body.write().expect("a stream");
        let _ = stream.write_all(b"begun");
        let _ = stream.flush();
        match mode {
            "then-traps" => panic!("asked to panic"),
            "then-loops" => spin(),
            "then-stalls" => {
                let never = wasip2::clocks::monotonic_clock::subscribe_duration(u64::MAX / 2);
                never.block();
            }
            "then-drops" => {
                drop(stream);
                drop(body);
                return;
            }
            "then-forgets" => {
                std::mem::forget(stream);
                std::mem::forget(body);
                return;
            }
            "short" => {
                drop(stream);
                let _ = OutgoingBody::finish(body, None);
                return;
            }
            "trailers" => {
                drop(stream);
                let trailers = Fields::new();
                let _ = trailers.append("content-length", b"1");
                let _ = trailers.append("x-fine", b"1");
                for number in 0..200 {
                    let _ = trailers.append(&format!("x-{number}"), b"1");
                }
                let _ = OutgoingBody::finish(body, Some(trailers));
                return;
            }
            _ => {}
        }
        if mode == "long" {
            let _ = stream.write_all(b"more than was said");
        }
        drop(stream);
        let _ = OutgoingBody::finish(body, None);
    }
}

fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}
