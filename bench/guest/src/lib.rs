//! The benchmarks' guest: as an authorizer it lets one bearer key pass, as an integration it checks the same key and
//! answers 1 KiB itself.

use gatewright_sdk::prelude::*;

struct Bearer;

impl Plugin for Bearer {
    fn info() -> Info {
        info!().request_fields(["authorization"]).reuse(Reuse::Serial)
    }

    fn configure(config: &str) -> Result<Self, Vec<ConfigError>> {
        config::none(config).map(|()| Self)
    }
}

impl Authorizer for Bearer {
    fn authorize(&self, request: &AuthorizeRequest) -> Result<Decision, Fault> {
        Ok(match request.header("authorization") {
            Some("Bearer secret") => Grant::to("bench").into(),
            _ => Denial::unauthorized("Bearer", "wrong key").into(),
        })
    }
}

impl Integration for Bearer {
    fn handle(&self, request: &IntegrationRequest) -> Result<Response, Fault> {
        let service = request.path.trim_start_matches('/').split('/').next().unwrap_or_default();
        Ok(match request.header("authorization") {
            Some("Bearer secret") => Response::new(200).header("x-service", service).body(vec![b'x'; 1024]),
            _ => Response::new(401).header("www-authenticate", "Bearer"),
        })
    }
}

plugin!(Bearer: authorizer | integration);
