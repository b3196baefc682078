//! Patterns in which `*` stands for any text and `?` for one character, as IAM's.

/// Whether a pattern matches the whole text. Goes back no further than to the last `*`: never worse than the product of the
/// lengths.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(known) if *known == b'?' || known == byte => {
                p += 1;
                t += 1;
            }
            _ => match star {
                // Let the last `*` stand for one byte more.
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern
        .get(p..)
        .is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_the_whole_text() {
        for (pattern, text, expected) in [
            ("/a", "/a", true),
            ("/a", "/ab", false),
            ("/a", "/", false),
            ("/a*", "/a/b/c", true),
            ("/a?", "/ab", true),
            ("/a?", "/a", false),
            ("*", "", true),
            ("**x*", "/aaxb", true),
            ("/*/end", "/a/b/end", true),
            ("/*/end", "/a/b/end/x", false),
            ("?*?", "ab", true),
            ("?*?", "a", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_made_to_take_for_ever_does_not() {
        assert!(!matches(&"*a".repeat(2_000), &"b".repeat(8_000)));
    }
}
