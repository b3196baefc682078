//! The files that the binary carries: `wit/` and `sdk/` of the repository, by their path in it.

static FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// Files below a folder of the repository, each with its path from there; or one file, with no path.
pub(crate) fn below(place: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().filter_map(move |(path, text)| {
        let rest = path.strip_prefix(place)?;
        let rest = if rest.is_empty() { rest } else { rest.strip_prefix('/')? };
        Some((rest, *text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interface_and_the_sdks_are_carried() {
        assert!(below("wit").any(|(path, text)| path == "worlds.wit" && text.contains("world authorizer-plugin")));
        assert!(below("sdk").any(|(path, _)| path == "src/lib.rs"));
        assert_eq!(below("sdk/Cargo.toml").map(|(path, _)| path).collect::<Vec<_>>(), [""]);
        assert_eq!(below("sd").count(), 0);
    }
}
