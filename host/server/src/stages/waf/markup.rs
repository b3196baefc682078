//! Whether a value injects markup or script. libinjection takes a backquote in anything that could be a comment of HTML
//! (`x<!y`z`) for an attack on old browsers; passwords and random ids have that too, so an element or an attribute must be
//! there as well.

/// Attributes that run script or load something, with which a value can break out of the attribute that it is in.
const ATTRIBUTES: [&[u8]; 12] = [
    b"style",
    b"src",
    b"href",
    b"action",
    b"formaction",
    b"background",
    b"data",
    b"poster",
    b"values",
    b"to",
    b"from",
    b"srcdoc",
];

pub(super) fn is_injection(value: &[u8]) -> bool {
    libinjectionrs::detect_xss(value).is_injection() && (has_element(value) || has_attribute(value))
}

/// `<a `, `</a>`, `<!--`, `<![`, `<!doctype`, `<?xml`.
fn has_element(value: &[u8]) -> bool {
    memchr::memchr_iter(b'<', value).any(|at| {
        let rest = value.get(at + 1..).unwrap_or_default();
        let begins = |with: &&[u8]| {
            rest.get(..with.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(with))
        };
        let declarations: [&[u8]; 6] = [b"!--", b"![", b"!doctype", b"!entity", b"?xml", b"?import"];
        let name = rest.strip_prefix(b"/").unwrap_or(rest);
        let name = name.trim_ascii_start();
        let length = name.iter().take_while(|byte| !ends_name(**byte)).count();
        let is_name = name.get(..length).is_some_and(|name| {
            name.first().is_some_and(u8::is_ascii_alphabetic)
                && name
                    .iter()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-:_\0".contains(byte))
        });
        is_name || declarations.iter().any(begins)
    })
}

fn ends_name(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>' | b'<' | 0x0b)
}

/// `onload =`, `style=`
fn has_attribute(value: &[u8]) -> bool {
    memchr::memchr_iter(b'=', value).any(|at| {
        let before = value.get(..at).unwrap_or_default().trim_ascii_end();
        let length = before
            .iter()
            .rev()
            .take_while(|byte| byte.is_ascii_alphabetic())
            .count();
        let name = before
            .get(before.len() - length..)
            .unwrap_or_default()
            .to_ascii_lowercase();
        (name.starts_with(b"on") && name.len() > 4) || ATTRIBUTES.contains(&name.as_slice())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_an_injection_and_a_backquote_behind_signs_is_none() {
        for attack in [
            "<script>",
            "</script >",
            "< img src=x onerror=a>",
            "\" onload = alert(1) x=\"",
            "<!--`-->",
            "<svg/onload=a>",
            "x\" style=x:expression(alert(1))",
        ] {
            assert!(is_injection(attack.as_bytes()), "{attack}");
        }
        for harmless in [
            "password7834<?`from",
            "K<!s^^4+Hv6R=}4!`sfq",
            "a < b",
            "1<2 and 3>2",
            "i <3 u",
            "x=1&y=2",
        ] {
            assert!(!is_injection(harmless.as_bytes()), "{harmless}");
        }
    }
}
