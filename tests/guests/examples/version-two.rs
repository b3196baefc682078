//! P21. Version v2 of the plugin in `shared/version.rs`.

#[path = "../shared/version.rs"]
mod version;

const VERSION: &str = "v2";
