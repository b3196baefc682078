//! The services that a plugin says it uses. By name, so that a later gateway can have more of them without changing what
//! `describe` returns. What it says grants nothing: each call is checked where the service is (`host`).

use gatewright_config::nearest;

/// By the names of their interfaces, in the order in which they are shown.
const SERVICES: [&str; 8] = [
    "kv",
    "cache",
    "counters",
    "secrets",
    "http-client",
    "metrics",
    "clock",
    "random",
];
const NAMES: usize = 64;
const NAME_BYTES: usize = 64;

/// The services that are named, each once.
///
/// # Errors
/// When one of them is none that this gateway has, or there are too many.
pub(super) fn declared(names: &[String]) -> Result<Vec<&'static str>, String> {
    if names.len() > NAMES {
        return Err(format!("`services` has more than {NAMES} names"));
    }
    if let Some(unknown) = names.iter().find(|name| !SERVICES.contains(&name.as_str())) {
        return Err(refusal(unknown));
    }
    let named = |service: &&str| names.iter().any(|name| name == service);
    Ok(SERVICES.into_iter().filter(named).collect())
}

fn refusal(unknown: &str) -> String {
    if unknown.len() > NAME_BYTES {
        return format!("`services` has a name of more than {NAME_BYTES} bytes");
    }
    let meant = nearest(unknown, SERVICES).map(|name| format!("; did you mean `{name}`?"));
    format!(
        "`services` names `{}`, which this gateway does not have (it has {}){}",
        crate::text::escaped(unknown, NAME_BYTES),
        SERVICES.map(|name| format!("`{name}`")).join(", "),
        meant.unwrap_or_else(|| "; a later gateway may have it".to_owned())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declare(names: &[&str]) -> Result<Vec<&'static str>, String> {
        declared(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn services_are_known_by_their_names_and_named_twice_are_named_once() {
        assert_eq!(declare(&[]).unwrap(), [""; 0]);
        assert_eq!(declare(&["random", "kv", "random"]).unwrap(), ["kv", "random"]);
        assert_eq!(declare(&SERVICES).unwrap(), SERVICES);
        assert_eq!(declare(&["clock"; NAMES]).unwrap(), ["clock"]);
    }

    #[test]
    fn a_service_that_is_not_there_is_refused_with_those_that_are() {
        let refused = declare(&["clock", "http-cleint"]).unwrap_err();
        for words in [
            "`http-cleint`",
            "it has `kv`, `cache`",
            "`random`)",
            "did you mean `http-client`?",
        ] {
            assert!(refused.contains(words), "{words}: {refused}");
        }
        assert!(
            declare(&["queue"])
                .unwrap_err()
                .ends_with("a later gateway may have it")
        );
        let hostile = declare(&["a\nb"]).unwrap_err();
        assert!(!hostile.contains('\n'), "{hostile}");
    }

    #[test]
    fn names_are_bounded() {
        assert!(
            declare(&["clock"; NAMES + 1])
                .unwrap_err()
                .contains("more than 64 names")
        );
        let long = declare(&[&"x".repeat(65)]).unwrap_err();
        assert!(long.contains("more than 64 bytes") && long.len() < 100, "{long}");
    }
}
