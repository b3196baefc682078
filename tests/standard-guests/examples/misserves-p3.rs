//! A server that misbehaves, for `wasi:http` 0.3, made with the bindings of `wasip3`. What it does, the last segment of the
//! path says.

use wasip3::clocks::monotonic_clock;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::wit_bindgen::rt::async_support::StreamWriter;
use wasip3::{spawn_local, wit_future, wit_stream};

wasip3::http::service::export!(Misserves);

struct Misserves;

impl wasip3::exports::http::handler::Guest for Misserves {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        let mode = path.rsplit('/').next().unwrap_or_default().to_owned();
        match mode.as_str() {
            "traps" => panic!("asked to panic"),
            "loops" => spin(),
            "stalls" => stall().await,
            "code" => return Err(ErrorCode::ConfigurationError),
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
            "streams" => {
                let mut ends = Vec::new();
                loop {
                    ends.push(wit_stream::new::<u8>());
                }
            }
            "yields" => loop {
                wasip3::wit_bindgen::rt::async_support::yield_async().await;
            },
            _ => {}
        }
        let fields = Fields::new();
        match mode.as_str() {
            "many-fields" => {
                for number in 0..200 {
                    let _ = fields.append(&format!("x-{number}"), b"1");
                }
            }
            "forbidden" => {
                // Refused, one by one; the answer is as if they had not been there.
                for name in ["connection", "transfer-encoding", "x-gatewright-error", "keep-alive"] {
                    assert!(fields.append(name, b"close").is_err());
                }
            }
            "short" | "no-body" => {
                let _ = fields.append("content-length", b"9");
            }
            "long" => {
                let _ = fields.append("content-length", b"5");
            }
            _ => {}
        }
        let (writer, body) = wit_stream::new();
        let (end, trailers) = wit_future::new(|| Ok(None));
        let body = (mode != "no-body").then_some(body);
        let (response, _sent) = Response::new(fields, body, trailers);
        let status = match mode.as_str() {
            "status-100" => 100,
            "status-999" => 999,
            _ => 200,
        };
        if response.set_status_code(status).is_err() {
            panic!("the host refuses the status");
        }
        spawn_local(async move {
            if let Some(trailers) = write(&mode, writer).await {
                let _ = end.write(Ok(trailers)).await;
            } else {
                std::mem::forget(end);
            }
        });
        Ok(response)
    }
}

/// Writes a body; none when its end is never said.
async fn write(mode: &str, mut body: StreamWriter<u8>) -> Option<Option<Fields>> {
    body.write_all(b"begun".to_vec()).await;
    match mode {
        "then-traps" => panic!("asked to panic"),
        "then-loops" => spin(),
        "then-stalls" => stall().await,
        "then-forgets" => {
            std::mem::forget(body);
            return None;
        }
        "then-drops" => return None,
        "long" => {
            body.write_all(b"more than was said".to_vec()).await;
        }
        "trailers" => {
            let trailers = Fields::new();
            let _ = trailers.append("content-length", b"1");
            let _ = trailers.append("x-fine", b"1");
            for number in 0..200 {
                let _ = trailers.append(&format!("x-{number}"), b"1");
            }
            return Some(Some(trailers));
        }
        _ => {}
    }
    Some(None)
}

async fn stall() {
    monotonic_clock::wait_for(u64::MAX / 2).await;
}

fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}
