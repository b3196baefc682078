//! An integration: the plugin is the upstream and computes the answer. This file reads requests and writes responses;
//! `price.rs` knows what things cost.

mod price;
#[cfg(test)]
mod tests;

use gatewright_sdk::prelude::*;
use price::PriceList;
use serde::{Deserialize, Serialize};

struct Quote {
    prices: PriceList,
}

impl Plugin for Quote {
    fn info() -> Info {
        info!()
            .config_schema(include_str!("../config.schema.json"))
            .parts([Part::Method, Part::Query])
            .request_fields(["content-type"])
            .request_body(BodyMode::Buffered)
            .reuse(Reuse::Serial)
    }

    fn configure(config: &str) -> Result<Self, Vec<ConfigError>> {
        let prices: PriceList = config::parse(config)?;
        prices.check()?;
        Ok(Self { prices })
    }
}

impl Integration for Quote {
    fn handle(&self, request: &IntegrationRequest) -> Result<Response, Fault> {
        let quantity = match request.method()? {
            "GET" | "HEAD" => asked_in_query(request),
            "POST" => asked_in_body(request),
            _ => return Ok(refusal(405, "use GET or POST")?.header("allow", "GET, HEAD, POST")),
        };
        match quantity.and_then(|quantity| self.prices.quote(quantity).map_err(|error| (400, error))) {
            Ok(quote) => Response::new(200).json(&quote),
            Err((status, message)) => refusal(status, &message),
        }
    }
}

/// The body of a POST request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    quantity: u32,
}

/// The body of every other answer, as the gateway's own.
#[derive(Serialize)]
struct Message<'a> {
    message: &'a str,
}

fn asked_in_query(request: &IntegrationRequest) -> Result<u32, (u16, String)> {
    let quantity = request
        .query_value("quantity")
        .ok_or((400, "`quantity` is missing".to_owned()))?;
    quantity
        .parse()
        .map_err(|_| (400, "`quantity` is not a whole number".to_owned()))
}

fn asked_in_body(request: &IntegrationRequest) -> Result<u32, (u16, String)> {
    let essence = request
        .header("content-type")
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    if !essence.trim().eq_ignore_ascii_case("application/json") {
        return Err((415, "send application/json".to_owned()));
    }
    let asked: Asked = request.json().map_err(|error| (400, error))?;
    Ok(asked.quantity)
}

fn refusal(status: u16, message: &str) -> Result<Response, Fault> {
    Response::new(status).json(&Message { message })
}

plugin!(Quote: integration);
