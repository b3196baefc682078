//! Reading the `config` table of a plugin.

use crate::ConfigError;

/// Accepts only an empty configuration: for plugins that have nothing to configure.
///
/// # Errors
/// One, when something is configured.
///
/// ```
/// use gatewright_sdk::config;
/// assert!(config::none(" { } ").is_ok());
/// assert!(config::none(r#"{"region":"eu"}"#).is_err());
/// ```
pub fn none(config: &str) -> Result<(), Vec<ConfigError>> {
    let mut text = config.chars().filter(|c| !c.is_ascii_whitespace());
    match (text.next(), text.next(), text.next()) {
        (Some('{'), Some('}'), None) => Ok(()),
        _ => Err(vec![ConfigError::new("", "this plugin has nothing to configure")]),
    }
}

/// Reads a configuration into a type. Use `#[serde(deny_unknown_fields)]`, so that a misspelt key is an error and not
/// a silence.
///
/// # Errors
/// One, with the JSON pointer of what does not fit.
///
/// ```
/// #[derive(serde::Deserialize, Debug)]
/// #[serde(deny_unknown_fields)]
/// struct Config {
///     regions: Vec<Region>,
/// }
/// #[derive(serde::Deserialize, Debug)]
/// struct Region {
///     weight: u32,
/// }
///
/// use gatewright_sdk::config;
/// let errors = config::parse::<Config>(r#"{"regions":[{"weight":"heavy"}]}"#).unwrap_err();
/// assert_eq!(errors[0].at, "/regions/0/weight");
/// assert_eq!(errors[0].message, "invalid type: string \"heavy\", expected u32");
/// ```
#[cfg(feature = "json")]
pub fn parse<T: serde::de::DeserializeOwned>(config: &str) -> Result<T, Vec<ConfigError>> {
    let mut deserializer = serde_json::Deserializer::from_str(config);
    let parsed = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| ConfigError::new(pointer(error.path()), message(error.inner())))
        .and_then(|value| {
            let end = deserializer
                .end()
                .map_err(|error| ConfigError::new("", message(&error)));
            end.map(|()| value)
        });
    parsed.map_err(|error| vec![error])
}

/// The parser's words without line and column: those are of a text that nobody has seen.
#[cfg(feature = "json")]
fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ")
        .map_or(text.as_str(), |(text, _)| text)
        .to_owned()
}

#[cfg(feature = "json")]
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;

    let mut pointer = String::new();
    for segment in path {
        let step = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.replace('~', "~0").replace('/', "~1"),
            Segment::Enum { variant } => variant.clone(),
            Segment::Unknown => break,
        };
        pointer.push('/');
        pointer.push_str(&step);
    }
    pointer
}
