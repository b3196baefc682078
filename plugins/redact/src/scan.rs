//! Finds patterns in a text that comes in pieces.

/// Stands for any digit.
const DIGIT: u8 = b'#';

/// One body on its way.
pub(crate) struct Scan {
    /// The longest first: where several fit, it counts.
    patterns: Vec<Vec<u8>>,
    /// Bytes that one of them may begin with. Most bytes of most bodies are none of them.
    beginnings: [bool; 256],
    with: Vec<u8>,
    /// What has come and may be the beginning of a pattern: always shorter than the longest one.
    kept: Vec<u8>,
}

impl Scan {
    pub(crate) fn new(mut patterns: Vec<Vec<u8>>, with: Vec<u8>) -> Self {
        patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.len()));
        let begins = |byte: u8| {
            patterns
                .iter()
                .any(|pattern| begins_with(&[byte], pattern.get(..1).unwrap_or_default()))
        };
        let mut beginnings = [false; 256];
        for (byte, beginning) in (0..=u8::MAX).zip(&mut beginnings) {
            *beginning = begins(byte);
        }
        Self {
            patterns,
            beginnings,
            with,
            kept: Vec::new(),
        }
    }

    /// What can be passed on after this piece.
    pub(crate) fn next(&mut self, piece: &[u8]) -> Vec<u8> {
        let longest = self.patterns.first().map_or(1, Vec::len);
        self.redact(piece, longest)
    }

    /// The rest, when nothing more comes.
    pub(crate) fn end(mut self) -> Vec<u8> {
        self.redact(&[], 1)
    }

    /// Looks at every place that has at least `needed` bytes after it, and keeps the others.
    fn redact(&mut self, piece: &[u8], needed: usize) -> Vec<u8> {
        let mut text = std::mem::take(&mut self.kept);
        text.extend_from_slice(piece);
        let mut output = Vec::with_capacity(text.len());
        let mut rest = text.as_slice();
        while rest.len() >= needed {
            // Nothing begins at the bytes before this one.
            let places = rest.len() - needed + 1;
            let place = rest.iter().take(places).position(|byte| self.begins(*byte));
            let (before, from) = rest.split_at(place.unwrap_or(places));
            output.extend_from_slice(before);
            rest = from;
            if place.is_none() {
                break;
            }
            let found = self.patterns.iter().find(|pattern| begins_with(rest, pattern));
            let (instead, length) = found.map_or((rest.get(..1).unwrap_or_default(), 1), |pattern| {
                (self.with.as_slice(), pattern.len())
            });
            output.extend_from_slice(instead);
            rest = rest.get(length..).unwrap_or_default();
        }
        self.kept = rest.to_vec();
        output
    }

    fn begins(&self, byte: u8) -> bool {
        self.beginnings.get(usize::from(byte)).is_some_and(|begins| *begins)
    }
}

fn begins_with(text: &[u8], pattern: &[u8]) -> bool {
    let fits = |(byte, pattern): (&u8, &u8)| match *pattern {
        DIGIT => byte.is_ascii_digit(),
        _ => byte == pattern,
    };
    text.len() >= pattern.len() && text.iter().zip(pattern).all(fits)
}
