//! How much speaks for SQL injection in a value.
//!
//! libinjection compares the shape of a value (its first five tokens) with shapes of attacks. Many of these shapes are those
//! of passwords, random ids and prose too: `TEST 0001 - (09/07/2025)`, `12345||12345`, `say "this" or "that"`. A shape alone
//! is therefore worth one or two points, and what the value says is worth the others: statements, functions, comparisons
//! behind a logical operator, a quote that closes what the application has opened, a comment that hides the rest.

use gatewright_config::WafPart;

/// Points with which a value is an injection by itself.
pub(super) const VERDICT: u8 = 5;
/// Points from which a value counts where another one of the request is suspicious too.
pub(super) const SUSPICIOUS: u8 = 3;

/// What other suspicious values of a request add to one, at most: four points and another suspicious value are an injection,
/// many with three are none.
pub(super) const MOST_SUSPICIOUS: u8 = 1;

/// Points taken off where tokens and passwords are at home: a value without spaces there is no natural place of SQL.
const OPAQUE_DISCOUNT: u8 = 2;
/// Kinds of signs that attacks without words have: `1'||'1'='1`.
const NOISE_KINDS: usize = 3;
/// Tokens of a value that are looked at.
const MOST_TOKENS: usize = 4096;
/// What a second statement begins with.
const STATEMENTS: [&str; 15] = [
    "alter", "begin", "create", "declare", "delete", "drop", "exec", "execute", "if", "insert", "load", "select",
    "set", "shutdown", "update",
];
/// Tokens between a logical operator and its comparison.
const COMPARISON_TOKENS: usize = 8;

/// The points of a value whose shape libinjection knows.
pub(super) fn points(fingerprint: &str, part: WafPart, name: &[u8], value: &[u8]) -> u8 {
    let tokens = tokens(value);
    let is_one_word = !value.iter().any(u8::is_ascii_whitespace);
    let has_words = fingerprint.contains(['U', 'E', 'T', 'k', 'f', 'B', '&', 'X']);
    let shape = if has_words { 2 } else { 1 };
    let points = shape
        + statements(&tokens)
        + functions(&tokens)
        + comparisons(&tokens)
        + breakout(value, &tokens)
        + u8::from(matches!(tokens.last(), Some(Token::Comment)))
        + if tokens.contains(&Token::Hidden) { 3 } else { 0 };
    let is_opaque = is_one_word && (is_opaque(part, name) || is_noise(value, &tokens));
    points.saturating_sub(if is_opaque { OPAQUE_DISCOUNT } else { 0 })
}

/// No word of SQL, and more kinds of signs than an attack without words needs.
fn is_noise(value: &[u8], tokens: &[Token<'_>]) -> bool {
    let mut kinds = [false; 128];
    for byte in value.iter().filter(|byte| byte.is_ascii_punctuation()) {
        if let Some(kind) = kinds.get_mut(usize::from(*byte)) {
            *kind = true;
        }
    }
    let has_two_quotes = value.contains(&b'\'') && value.contains(&b'"');
    let kinds = kinds.iter().filter(|kind| **kind).count();
    (kinds > NOISE_KINDS || has_two_quotes) && statements(tokens) == 0 && functions(tokens) == 0
}

/// Places whose values are random, or chosen to be hard to guess.
fn is_opaque(part: WafPart, name: &[u8]) -> bool {
    const NAMES: [&[u8]; 16] = [
        b"auth",
        b"code",
        b"credential",
        b"csrf",
        b"cursor",
        b"hash",
        b"jwt",
        b"key",
        b"nonce",
        b"passw",
        b"pwd",
        b"secret",
        b"sess",
        b"signature",
        b"token",
        b"xsrf",
    ];
    let name = name.to_ascii_lowercase();
    part == WafPart::Cookie || NAMES.iter().any(|known| memchr::memmem::find(&name, known).is_some())
}

/// What SQL sees in a value, roughly: strings are not taken together, because where they begin depends on the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'v> {
    Word(&'v [u8]),
    Number,
    /// `'`, `"` or a backquote, and where it is.
    Quote(usize),
    /// `and`, `or`, `xor`, `&&`, `||`.
    Logic,
    /// `=`, `<`, `>`, `like`, …
    Comparison,
    /// A comparison that is a word: prose has them too.
    Likeness,
    Mark(u8),
    /// A comment up to the end of a line or of the value, with nothing directly behind its beginning.
    Comment,
    /// `/*! … */`: MySQL runs it.
    Hidden,
}

impl Token<'_> {
    fn is(&self, word: &str) -> bool {
        matches!(self, Self::Word(text) if text.eq_ignore_ascii_case(word.as_bytes()))
    }

    fn is_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }

    fn begins_with(&self, prefix: &str) -> bool {
        let Self::Word(text) = self else { return false };
        let start = text.get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
    }

    fn is_literal(&self) -> bool {
        matches!(self, Self::Number | Self::Quote(_)) || self.is_any(&["true", "false", "null"])
    }
}

fn tokens(value: &[u8]) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = value.get(at..).filter(|rest| !rest.is_empty()) {
        let (token, length) = next(rest, at);
        tokens.extend(token);
        if tokens.len() >= MOST_TOKENS {
            break;
        }
        at += length.max(1);
    }
    tokens
}

/// The first token of a text, if it is one, and how long it is.
fn next(rest: &[u8], at: usize) -> (Option<Token<'_>>, usize) {
    match rest {
        [b'/', b'*', b'!', version @ ..] => {
            let digits = version.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let has_end = memchr::memmem::find(version, b"*/").is_some() || version.contains(&b' ');
            (has_end.then_some(Token::Hidden), 3 + digits)
        }
        [b'/', b'*', inner @ ..] => match memchr::memmem::find(inner, b"*/") {
            Some(end) => (None, end + 4),
            None => (ends_here(inner).then_some(Token::Comment), 2),
        },
        [b'*', b'/', ..] => (None, 2),
        // What is behind it may be another line, or no comment at all where the database wants a space.
        [b'-', b'-', inner @ ..] => (ends_here(inner).then_some(Token::Comment), 2),
        [b'#', inner @ ..] => (ends_here(inner).then_some(Token::Comment), 1),
        [b'|', b'|', ..] | [b'&', b'&', ..] => (Some(Token::Logic), 2),
        [b'<' | b'>' | b'=' | b'!', b'=' | b'<' | b'>', ..] => (Some(Token::Comparison), 2),
        [b'<' | b'>' | b'=', ..] => (Some(Token::Comparison), 1),
        [b'\'' | b'"' | b'`', ..] => (Some(Token::Quote(at)), 1),
        [b'0', b'x' | b'X', digits @ ..] => {
            let length = digits.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
            (Some(Token::Number), 2 + length)
        }
        [byte, ..] if byte.is_ascii_digit() => {
            let is_part = |byte: &&u8| byte.is_ascii_digit() || **byte == b'.';
            let length = rest.iter().take_while(is_part).count();
            let exponent = match rest.get(length..) {
                Some([b'e' | b'E', digits @ ..]) => digits.iter().take_while(|byte| byte.is_ascii_digit()).count(),
                _ => 0,
            };
            (
                Some(Token::Number),
                length + if exponent > 0 { exponent + 1 } else { 0 },
            )
        }
        [byte, ..] if is_word(*byte) => {
            let is_part = |byte: &&u8| is_word(**byte) || byte.is_ascii_digit() || **byte == b'.';
            let length = rest.iter().take_while(is_part).count();
            (Some(word(rest.get(..length).unwrap_or_default())), length)
        }
        [byte, ..] if byte.is_ascii_whitespace() || byte.is_ascii_control() => (None, 1),
        [byte, ..] => (Some(Token::Mark(*byte)), 1),
        [] => (None, 1),
    }
}

/// Whether what is behind the beginning of a comment is no part of a word, as in `x--y`.
fn ends_here(inner: &[u8]) -> bool {
    inner
        .first()
        .is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, b'+' | b'-' | b'*'))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'@' | b'$') || byte >= 0x80
}

fn word(text: &[u8]) -> Token<'_> {
    let token = Token::Word(text);
    if token.is_any(&["and", "or", "xor"]) {
        Token::Logic
    } else if token.is_any(&[
        "between", "glob", "in", "is", "like", "regexp", "rlike", "similar", "sounds",
    ]) {
        Token::Likeness
    } else {
        token
    }
}

/// Points for statements and their parts: those of the strongest.
fn statements(tokens: &[Token<'_>]) -> u8 {
    let mut words = tokens.iter().filter(|token| matches!(token, Token::Word(_)));
    let is_negative = tokens.first() == Some(&Token::Mark(b'-')) || tokens.contains(&Token::Mark(b'/'));
    // The beginning of an attack of several parameters.
    if is_negative && words.next().is_some_and(|token| token.is("union")) && words.all(|token| token.is("union")) {
        return 3;
    }
    let each = tokens.iter().enumerate().map(|(at, token)| {
        let rest = tokens.get(at + 1..).unwrap_or_default();
        let before = at.checked_sub(1).and_then(|at| tokens.get(at));
        let is_nested = before == Some(&Token::Mark(b'('));
        let ended = at.checked_sub(2).and_then(|at| tokens.get(at));
        match token {
            // A second statement behind a value.
            Token::Word(_)
                if before == Some(&Token::Mark(b';'))
                    && matches!(ended, Some(Token::Number | Token::Quote(_) | Token::Mark(b')')))
                    && token.is_any(&STATEMENTS) =>
            {
                4
            }
            Token::Word(_) if token.is("select") && before == Some(&Token::Logic) => 3,
            Token::Word(_) if token.is("select") => selection(is_nested, rest),
            Token::Word(_) => statement(token, rest),
            _ => 0,
        }
    });
    each.max().unwrap_or(0)
}

fn statement(token: &Token<'_>, rest: &[Token<'_>]) -> u8 {
    let next = |words: &[&str]| rest.first().is_some_and(|token| token.is_any(words));
    if token.is("union") {
        let mut behind = rest
            .iter()
            .take(6)
            .skip_while(|token| !matches!(token, Token::Word(_)) || token.is_any(&["all", "distinct", "distinctrow"]));
        return if behind.next().is_some_and(|token| token.begins_with("select")) {
            5
        } else {
            0
        };
    }
    let strong = (token.is_any(&["exec", "execute"])
        && rest
            .first()
            .is_some_and(|next| next.begins_with("xp_") || next.begins_with("sp_") || next.begins_with("@")))
        || (token.is("declare") && rest.first().is_some_and(|next| next.begins_with("@")))
        || (token.is("waitfor") && next(&["delay", "time"]))
        || (token.is("into") && next(&["outfile", "dumpfile"]))
        || (token.is("procedure") && next(&["analyse"]));
    if strong {
        return 5;
    }
    if token.begins_with("information_schema") || token.begins_with("xp_") || is_system_variable(token) {
        return 4;
    }
    let objects = [
        "database",
        "function",
        "index",
        "login",
        "procedure",
        "role",
        "schema",
        "table",
        "trigger",
        "user",
        "view",
    ];
    let clause = (token.is_any(&["insert", "replace"]) && next(&["into"]))
        || (token.is("delete") && next(&["from"]))
        || (token.is_any(&["alter", "create", "drop", "truncate"]) && next(&objects))
        || (token.is("update") && rest.iter().take(4).any(|token| token.is("set")))
        || (token.is_any(&["order", "group"])
            && next(&["by"])
            && (matches!(rest.get(1), Some(Token::Number | Token::Mark(b'(')))
                || rest.get(2) == Some(&Token::Mark(b'('))))
        || (token.is("having") && matches!(rest.first(), Some(Token::Number | Token::Mark(b'('))))
        || (token.is("from")
            && rest.get(1).is_some_and(|token| token.is("where"))
            && rest.contains(&Token::Comparison))
        || (token.is("case") && rest.iter().take(3).any(|token| token.is("when")))
        || token.is_any(&[
            "sysobjects",
            "sqlite_master",
            "mysql.user",
            "pg_catalog",
            "outfile",
            "sp_password",
        ]);
    match clause {
        true => 3,
        false if token.begins_with("current_") => 2,
        false => 0,
    }
}

/// `@@version`
fn is_system_variable(token: &Token<'_>) -> bool {
    let Token::Word([b'@', b'@', name @ ..]) = token else {
        return false;
    };
    name.len() >= 4
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'.'))
}

/// What follows `select`: prose has the word too.
fn selection(is_nested: bool, rest: &[Token<'_>]) -> u8 {
    let has_from = rest.iter().any(|token| token.is("from"));
    match rest {
        [Token::Mark(b'('), Token::Word(_), Token::Mark(b')'), ..] if !has_from => 1,
        [Token::Mark(b'*' | b'(' | b'@'), ..]
        | [_, Token::Mark(b','), ..]
        | [Token::Word(_), Token::Mark(b'('), ..] => 4,
        [first, ..] if first.begins_with("@") => 4,
        [Token::Quote(_), ..] if is_nested => 4,
        [Token::Number, ..] if has_from || is_nested => 4,
        _ if has_from && is_nested => 4,
        _ if has_from => 1,
        _ => 0,
    }
}

/// Points for calls of functions that databases have.
fn functions(tokens: &[Token<'_>]) -> u8 {
    const DISTINCT: [&str; 29] = [
        "ascii",
        "benchmark",
        "binary",
        "current_date",
        "current_user",
        "cast",
        "char_length",
        "concat",
        "concat_ws",
        "conv",
        "convert",
        "db_name",
        "dbms_pipe",
        "extractvalue",
        "floor",
        "group_concat",
        "ifnull",
        "isnull",
        "json_keys",
        "load_file",
        "nvl",
        "ord",
        "pg_sleep",
        "sleep",
        "substr",
        "substring",
        "unhex",
        "updatexml",
        "utl_inaddr",
    ];
    const COMMON: [&str; 29] = [
        "abs", "avg", "bin", "char", "chr", "cos", "count", "database", "exp", "hex", "if", "left", "length", "log",
        "lower", "max", "md5", "mid", "min", "pi", "pow", "rand", "right", "round", "sin", "tan", "upper", "user",
        "version",
    ];
    let each = tokens.windows(2).map(|pair| match pair {
        [name, Token::Mark(b'(')] if name.is_any(&DISTINCT) => 3,
        [name, Token::Mark(b'(')] if name.is_any(&COMMON) => 2,
        _ => 0,
    });
    each.fold(0, |sum: u8, points| sum.saturating_add(points)).min(4)
}

/// Points for a comparison that a logical operator adds: `or 1=1`.
fn comparisons(tokens: &[Token<'_>]) -> u8 {
    let each = tokens.iter().enumerate().map(|(at, token)| {
        let behind = tokens.get(at + 1..).unwrap_or_default();
        match token {
            Token::Logic => {
                let before = at.checked_sub(1).and_then(|at| tokens.get(at));
                let is_value = |token: Option<&Token<'_>>| {
                    token.is_some_and(|token| match token {
                        Token::Quote(_) => tokens.last() == Some(&Token::Comment),
                        token => *token == Token::Number || token.begins_with("@"),
                    })
                };
                let joins = match is_value(before) && is_value(behind.first()) {
                    true if tokens.last() == Some(&Token::Comment) => 2,
                    true => 1,
                    false => 0,
                };
                joins.max(comparison(
                    behind.get(..COMPARISON_TOKENS.min(behind.len())).unwrap_or_default(),
                ))
            }
            _ => 0,
        }
    });
    each.max().unwrap_or(0)
}

fn comparison(behind: &[Token<'_>]) -> u8 {
    let found = behind
        .iter()
        .take_while(|token| !matches!(token, Token::Logic))
        .position(|token| matches!(token, Token::Comparison | Token::Likeness));
    let Some(at) = found else { return 0 };
    let side = |token: Option<&Token<'_>>| token.is_some_and(Token::is_literal);
    let is_literal = side(
        behind
            .get(..at)
            .unwrap_or_default()
            .iter()
            .rfind(|token| !token.is("not")),
    );
    let is_literal_too = side(behind.get(at + 1));
    match behind.get(at) {
        Some(Token::Comparison) if is_literal || is_literal_too => 4,
        Some(Token::Comparison) => 3,
        _ if is_literal && is_literal_too => 3,
        _ if is_literal || is_literal_too => 2,
        _ => 1,
    }
}

/// Points for a quote that closes a string which the application has opened, and for what comes behind it.
fn breakout(value: &[u8], tokens: &[Token<'_>]) -> u8 {
    let first = tokens.iter().position(|token| matches!(token, Token::Quote(_)));
    let Some((first, Token::Quote(at))) = first.and_then(|at| Some((at, *tokens.get(at)?))) else {
        return 0;
    };
    let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || *byte >= 0x80;
    let behind = tokens.get(first + 1..).unwrap_or_default();
    let opens = value.get(at + 1).is_some_and(is_inner);
    let is_joined = match behind {
        [Token::Logic | Token::Likeness, Token::Quote(end), ..] => {
            // A word in quotes.
            at.checked_sub(1).and_then(|at| value.get(at)).is_some_and(is_inner)
                || value.get(end - 1).is_none_or(|byte| !is_inner(byte))
        }
        [Token::Logic | Token::Likeness, ..] => true,
        _ => false,
    };
    if opens && !is_joined {
        return 0;
    }
    let is_plain = |byte: &u8| is_inner(byte) || matches!(byte, b' ' | b'_' | b'.' | b'@' | b'-' | b'%' | b'(' | b')');
    let is_plain = value.iter().take(at).all(is_plain);
    let ended = tokens.contains(&Token::Comment);
    let returns = behind.iter().any(|token| matches!(token, Token::Quote(_)));
    let compares = behind
        .iter()
        .any(|token| matches!(token, Token::Logic | Token::Comparison | Token::Likeness));
    let is_stacked = behind.contains(&Token::Mark(b';'));
    let skipped = |token: &&Token<'_>| matches!(token, Token::Mark(b')' | b';') | Token::Quote(_)) || token.is("not");
    match behind.iter().find(|token| !skipped(token)) {
        Some(Token::Comment) if is_plain => 4,
        Some(Token::Logic) if ended || returns || is_last_value(behind) => 3,
        Some(Token::Logic) => 2,
        Some(Token::Likeness | Token::Comparison) if returns && is_plain => 4,
        Some(Token::Likeness | Token::Comparison) if ended && is_plain => 3,
        Some(token @ Token::Word(_)) if is_stacked && token.is_any(&STATEMENTS) => 3,
        Some(Token::Word(_)) => 1 + u8::from(ended),
        Some(Token::Mark(b'+' | b'-' | b'*' | b'/' | b'%' | b'&' | b'|' | b'^')) => {
            let ends = returns || ended;
            1 + u8::from(ends) + if ends && compares && is_plain { 2 } else { 0 }
        }
        _ => 0,
    }
}

/// Nothing but a value behind the logical operator, perhaps denied, and perhaps a comment behind it.
fn is_last_value(behind: &[Token<'_>]) -> bool {
    let is_sign = |token: &Token<'_>| matches!(token, Token::Mark(b'!' | b'~' | b'-' | b'+' | b'#')) || token.is("not");
    let mut rest = behind.iter().skip(1).skip_while(|token| is_sign(token));
    rest.next().is_some_and(Token::is_literal)
        && rest
            .next()
            .is_none_or(|token| *token == Token::Comment || is_sign(token))
}
