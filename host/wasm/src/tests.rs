//! Plugins that behave, and plugins that do not, through the public interface of this crate. The guests are those of
//! `tests/guests`, whose headers say what they do.

mod authorizers;
mod faults;
mod filters;
mod limits;
mod loading;
mod metrics;
mod outputs;
mod reuse;
mod services;
mod transforms;
