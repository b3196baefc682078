//! An integration that checks the key of `bearer` and answers 1 KiB itself.

use gatewright_sdk::prelude::*;

struct Responds;

impl Plugin for Responds {
    fn info() -> Info {
        Info::new("responds", "1.0.0")
            .parts([Part::Path])
            .request_fields(["authorization"])
            .reuse(Reuse::Serial)
    }

    fn configure(config: &str) -> Result<Self, Vec<ConfigError>> {
        config::none(config).map(|()| Self)
    }
}

impl Integration for Responds {
    fn handle(&self, request: &IntegrationRequest) -> Result<Response, Fault> {
        let service = request
            .path()?
            .trim_start_matches('/')
            .split('/')
            .next()
            .unwrap_or_default();
        Ok(match request.header("authorization") {
            Some("Bearer secret") => Response::new(200).header("x-service", service).body(vec![b'x'; 1024]),
            _ => Response::new(401).header("www-authenticate", "Bearer"),
        })
    }
}

plugin!(Responds: integration);
