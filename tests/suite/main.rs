//! The whole-gateway tests: one binary, one module for each subject, each test named after the rule it protects.
//!
//! A name that begins with a letter and a number is a row of the fault catalogue: `cargo test -p gatewright-tests
//! --test suite -- c1_` runs what protects that row.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests: a panic is how a test fails"
)]

mod setup;

mod admin;
mod api_key;
mod authority;
mod basic;
mod body;
mod cache;
mod claims;
mod cli;
mod compress;
mod concurrency;
mod config;
mod correlation_id;
mod cors;
mod documents;
mod explain;
mod forward_auth;
mod forwarded;
mod framing;
mod headers;
mod http2;
mod http2_faults;
mod http2_holding;
mod interim;
mod ip;
mod jwt;
mod lambda_authorizer;
mod leaving;
mod limits;
mod listeners;
mod memory;
mod messages;
mod mistakes;
mod mtls;
mod names;
mod oauth2_introspection;
mod oidc_login;
mod paths;
mod pipelining;
mod plugins;
mod policy;
mod process;
mod quota;
mod records;
mod redirect;
mod reload;
mod request_size;
mod rewrite;
mod routing;
mod secrets;
mod shared_state;
mod shed;
mod sigv4;
mod slow;
mod smoke;
mod throttle;
mod trailers;
mod training;
mod upstream;
mod usage_plan;
mod validate;
mod vectors;
mod waf;
mod warnings;
