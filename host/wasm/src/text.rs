//! Text from plugins, made fit for logs: no control characters, no more than a bounded length.

/// `text` with control characters escaped, cut after about `longest` bytes.
pub(crate) fn escaped(text: &str, longest: usize) -> String {
    let mut safe = String::with_capacity(text.len().min(longest));
    for c in text.chars() {
        if safe.len() >= longest {
            safe.push('…');
            break;
        }
        if c.is_control() || is_line_or_direction(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Characters that are not control characters and still break or turn around a line.
fn is_line_or_direction(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_forges_a_line_of_the_log() {
        assert_eq!(escaped("a\nb\u{1b}[31m\u{202e}ü", 100), "a\\nb\\u{1b}[31m\\u{202e}ü");
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(escaped("abcdef", 3), "abc…");
    }
}
