//! P21. Version v1 of the plugin in `shared/version.rs`.

#[path = "../shared/version.rs"]
mod version;

const VERSION: &str = "v1";
