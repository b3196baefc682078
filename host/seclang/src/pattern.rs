//! Regular expressions as PCRE writes them, made for an engine that is linear in what it reads.
//!
//! The languages agree but for what is here: characters that one takes literally and the other does not, possessive and
//! atomic groups, and what needs backtracking, which is refused. An atomic group is read as a plain one, which matches
//! wherever the atomic one does, and perhaps elsewhere too.

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::hir::Hir;

/// Memory of a compiled expression.
const EXPRESSION_BYTES: usize = 32 << 20;

/// Why an expression cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PatternError {
    #[error("it looks ahead or behind, which no linear engine does")]
    Look,
    #[error("it refers back to what a group matched, which no linear engine does")]
    Reference,
    #[error("{0}")]
    Syntax(String),
}

/// The expression, and its structure.
pub(crate) fn compile(pattern: &str) -> Result<(Regex, Hir), PatternError> {
    let translated = translate(pattern)?;
    let syntax = |error: String| PatternError::Syntax(error.lines().last().unwrap_or_default().to_owned());
    // `.` is any byte, as ModSecurity has it, and `$` the very end.
    let hir = regex_syntax::ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .dot_matches_new_line(true)
        .build()
        .parse(&translated)
        .map_err(|error| syntax(error.to_string()))?;
    let regex = RegexBuilder::new(&translated)
        .unicode(false)
        .dot_matches_new_line(true)
        .size_limit(EXPRESSION_BYTES)
        .build()
        .map_err(|error| syntax(error.to_string()))?;
    Ok((regex, hir))
}

fn translate(pattern: &str) -> Result<String, PatternError> {
    let mut translated = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    let mut inside = false;
    let mut class_starts = false;
    while let Some(character) = rest.chars().next() {
        let after = rest.get(character.len_utf8()..).unwrap_or_default();
        let starts = std::mem::take(&mut class_starts);
        let taken = match character {
            '\\' => escape(after, inside, &mut translated)?,
            '[' if inside => {
                // `[:alpha:]` is one, anything else a bracket.
                let is_named = after.starts_with(':') && after.contains(":]");
                translated.push_str(if is_named { "[" } else { "\\[" });
                if is_named {
                    let end = after.find(":]").map_or(0, |end| end + 2);
                    translated.push_str(after.get(..end).unwrap_or_default());
                    end
                } else {
                    0
                }
            }
            '[' => {
                inside = true;
                class_starts = true;
                translated.push('[');
                match after.strip_prefix('^') {
                    Some(_) => {
                        translated.push('^');
                        1
                    }
                    None => 0,
                }
            }
            ']' if inside && starts => {
                translated.push_str("\\]");
                0
            }
            ']' if inside => {
                inside = false;
                translated.push(']');
                0
            }
            // Operators of sets, which PCRE does not have.
            '&' | '~' if inside => {
                translated.push('\\');
                translated.push(character);
                0
            }
            '-' if inside && starts => {
                translated.push_str("\\-");
                0
            }
            // A range up to `-`.
            '-' if inside && after.starts_with('-') => {
                translated.push_str("-\\-");
                1
            }
            '(' if after.starts_with("?>") => {
                translated.push_str("(?:");
                2
            }
            '(' if ["?=", "?!", "?<=", "?<!"].iter().any(|look| after.starts_with(look)) => {
                return Err(PatternError::Look);
            }
            '{' if !inside && !is_repetition(after) => {
                translated.push_str("\\{");
                0
            }
            '}' if !inside && !closes_repetition(&translated) => {
                translated.push_str("\\}");
                0
            }
            // A possessive repetition.
            '+' if !inside && repeats(&translated) => 0,
            other => {
                push(other, &mut translated);
                0
            }
        };
        rest = after.get(taken..).unwrap_or_default();
    }
    Ok(translated)
}

/// A character as the bytes that it is.
fn push(character: char, translated: &mut String) {
    match character.is_ascii() {
        true => translated.push(character),
        false => {
            let bytes = character.to_string().into_bytes();
            translated.extend(bytes.iter().map(|byte| format!("\\x{byte:02x}")));
        }
    }
}

/// What follows a backslash; how many bytes of it are taken.
fn escape(after: &str, inside: bool, translated: &mut String) -> Result<usize, PatternError> {
    let Some(character) = after.chars().next() else {
        return Err(PatternError::Syntax("it ends with a backslash".to_owned()));
    };
    match character {
        '1'..='9' if !inside => return Err(PatternError::Reference),
        'k' | 'g' if !inside => return Err(PatternError::Reference),
        '0' => {
            let octal = after
                .bytes()
                .take(3)
                .take_while(|byte| matches!(byte, b'0'..=b'7'))
                .count();
            let code = after.get(..octal).and_then(|digits| u8::from_str_radix(digits, 8).ok());
            translated.push_str(&format!("\\x{:02x}", code.unwrap_or_default()));
            return Ok(octal);
        }
        'x' if !after.starts_with("x{") => {
            let digits = after.bytes().skip(1).take(2).take_while(u8::is_ascii_hexdigit).count();
            let code = after
                .get(1..=digits)
                .and_then(|digits| u8::from_str_radix(digits, 16).ok());
            translated.push_str(&format!("\\x{:02x}", code.unwrap_or_default()));
            return Ok(1 + digits);
        }
        'e' => translated.push_str("\\x1b"),
        'h' => translated.push_str(if inside { " \\t" } else { "[ \\t]" }),
        'R' => translated.push_str("(?:\\r\\n|[\\n\\r\\x0b\\x0c])"),
        'Z' => translated.push_str("\\z"),
        // PCRE's `\s` has had the vertical tab for long.
        's' if inside => translated.push_str("\\s\\x0b"),
        's' => translated.push_str("[\\s\\x0b]"),
        'S' if !inside => translated.push_str("[^\\s\\x0b]"),
        'b' if inside => translated.push_str("\\x08"),
        'a' | 'A' | 'b' | 'B' | 'd' | 'D' | 'f' | 'n' | 'r' | 'S' | 't' | 'v' | 'w' | 'W' | 'x' | 'z' => {
            translated.push('\\');
            translated.push(character);
        }
        other if other.is_ascii_alphanumeric() || matches!(other, '<' | '>') || !other.is_ascii() => {
            push(other, translated)
        }
        other => {
            translated.push('\\');
            translated.push(other);
        }
    }
    Ok(character.len_utf8())
}

/// Whether what follows `{` makes it a repetition: `3}`, `3,}`, `3,5}`.
fn is_repetition(after: &str) -> bool {
    let Some((numbers, _)) = after.split_once('}') else {
        return false;
    };
    let (least, most) = numbers.split_once(',').unwrap_or((numbers, ""));
    !least.is_empty()
        && [least, most]
            .iter()
            .all(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a `}` behind this ends a repetition.
fn closes_repetition(translated: &str) -> bool {
    let Some(start) = translated.rfind('{') else {
        return false;
    };
    let is_literal = translated.get(..start).is_some_and(|before| before.ends_with('\\'));
    let numbers = translated.get(start + 1..).unwrap_or_default();
    !is_literal && !numbers.is_empty() && numbers.bytes().all(|byte| byte.is_ascii_digit() || byte == b',')
        // `\x{…}` is closed by it too.
        || translated.get(..start).is_some_and(|before| before.ends_with("\\x"))
}

/// Whether this ends with `*`, `+`, `?` or `}` that repeats something.
fn repeats(translated: &str) -> bool {
    let Some(last) = translated.chars().next_back() else {
        return false;
    };
    let before = translated.get(..translated.len() - last.len_utf8()).unwrap_or_default();
    let escapes = before.bytes().rev().take_while(|byte| *byte == b'\\').count();
    matches!(last, '*' | '+' | '?' | '}') && escapes % 2 == 0 && !before.ends_with('(')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn matches(pattern: &str, text: &[u8], expected: bool) {
        let (regex, _) = compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        assert_eq!(regex.is_match(text), expected, "{pattern}");
    }

    #[test]
    fn what_pcre_takes_literally_is_literal() {
        matches(r"a{b", b"a{b", true);
        matches(r"\${", b"${", true);
        matches(r"a{2,3}$", b"aa", true);
        matches(r"^}$", b"}", true);
        matches(r"^[]a]$", b"]", true);
        matches(r"^[[]$", b"[", true);
        matches(r"^[a&&b]$", b"&", true);
        matches(r"^[+--]$", b",", true);
        matches(r"^[[:alpha:]_]+$", b"a_", true);
        matches(r"\/\'\-\_\%", b"/'-_%", true);
        matches(r"^[\x5c\]]+$", b"\\]", true);
        matches(r"\x0b\e\h", b"\x0b\x1b\t", true);
        matches(r"^\s$", b"\x0b", true);
    }

    #[test]
    fn bytes_are_bytes_and_the_end_is_the_end() {
        matches(r"^.$", b"\n", true);
        matches(r"^[\x80-\xff]$", b"\x80", true);
        matches("^[\u{b4}]+$", "\u{b4}".as_bytes(), true);
        matches("^\u{b4}$", "\u{b4}".as_bytes(), true);
        matches(r"^[^a]$", b"\xff", true);
        matches(r"a$", b"a\n", false);
        matches(r"(?i)SELECT", b"select", true);
    }

    #[test]
    fn possessive_and_atomic_groups_are_plain_ones() {
        matches(r"^\s*+;\s*+a++$", b" ; aa", true);
        matches(r"^(?>a|b)c$", b"bc", true);
        matches(r"^\++$", b"++", true);
    }

    #[test]
    fn what_needs_backtracking_is_refused_by_name() {
        assert_eq!(compile(r"a(?!b)").unwrap_err(), PatternError::Look);
        assert_eq!(compile(r"(?<=a)b").unwrap_err(), PatternError::Look);
        assert_eq!(compile(r"(a)\1").unwrap_err(), PatternError::Reference);
        assert!(matches!(compile("(").unwrap_err(), PatternError::Syntax(_)));
    }
}
