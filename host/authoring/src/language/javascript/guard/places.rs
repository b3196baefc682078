//! From which lines scripts were compiled, by the source maps beside them (ECMA-426), so that an error names a line that somebody
//! wrote. A script without a map was written as it is.

use std::fs;
use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value, json};

/// Of each compiled script in `scripts`: of each of its lines the source and its line, counted from 1. Files are relative to
/// `plugin`. A map that cannot be read is no reason not to build.
pub(super) fn of(scripts: &Path, plugin: &Path) -> Value {
    let mut places = Map::new();
    for entry in fs::read_dir(scripts).into_iter().flatten().flatten() {
        let file = entry.path();
        if file.extension().is_none_or(|ending| ending != "map") {
            continue;
        }
        let Some(map) = fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok()) else {
            continue;
        };
        // `plugin.js.map` is of `plugin.js`.
        let script = relative(&file.with_extension(""), plugin);
        places.insert(script, Value::Array(lines(&map, scripts, plugin)));
    }
    Value::Object(places)
}

fn lines(map: &Value, folder: &Path, plugin: &Path) -> Vec<Value> {
    let sources = map
        .get("sources")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let source = |index: i64| {
        let name = sources.get(usize::try_from(index).ok()?)?.as_str()?;
        Some(relative(&folder.join(name), plugin))
    };
    let (mut file, mut line) = (0_i64, 0_i64);
    let mappings = map.get("mappings").and_then(Value::as_str).unwrap_or_default();
    let of_line = |text: &str| {
        let mut place = Value::Null;
        for segment in text.split(',') {
            // Column, source, line, column, name: each as the difference to the one before it.
            if let [_, source_step, line_step, ..] = numbers(segment)[..] {
                (file, line) = (file.saturating_add(source_step), line.saturating_add(line_step));
                if place.is_null() {
                    place = source(file).map_or(Value::Null, |name| json!([name, line.saturating_add(1)]));
                }
            }
        }
        place
    };
    mappings.split(';').map(of_line).collect()
}

/// Base64 VLQ: five bits a digit, the lowest first, with a sixth that says that there are more; the first bit is the sign.
fn numbers(segment: &str) -> Vec<i64> {
    let (mut numbers, mut number, mut shift) = (Vec::new(), 0_i64, 0_u32);
    for digit in segment.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        number |= i64::from(value & 31).checked_shl(shift).unwrap_or(0);
        shift += 5;
        if value & 32 == 0 {
            let magnitude = number >> 1;
            numbers.push(if number & 1 == 0 { magnitude } else { -magnitude });
            (number, shift) = (0, 0);
        }
    }
    numbers
}

/// A file as it is below `folder`, without `.` and `..`.
fn relative(file: &Path, folder: &Path) -> String {
    let mut plain = PathBuf::new();
    for part in file.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain.strip_prefix(folder).unwrap_or(&plain).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_led_back_to_the_one_that_it_was_compiled_from() {
        let folder = tempfile::tempdir().unwrap();
        let scripts = folder.path().join("build/javascript");
        fs::create_dir_all(&scripts).unwrap();
        // Line 1: source line 3; line 2: nothing; line 3: source line 2, after a segment of one number.
        let map = json!({ "version": 3, "sources": ["../../plugin.ts"], "mappings": "AAEA,QAAQ;;A,AADA;" });
        fs::write(scripts.join("plugin.js.map"), map.to_string()).unwrap();
        fs::write(scripts.join("broken.js.map"), "{").unwrap();
        let places = of(&scripts, folder.path());
        assert_eq!(
            places,
            json!({ "build/javascript/plugin.js": [["plugin.ts", 3], null, ["plugin.ts", 2], null] })
        );
        assert_eq!(of(&folder.path().join("nothing"), folder.path()), json!({}));
    }

    #[test]
    fn numbers_of_any_size_and_sign_are_read() {
        assert_eq!(numbers("A"), [0]);
        assert_eq!(numbers("CDgB"), [1, -1, 16]);
        assert_eq!(numbers("////////////////////").len(), 0);
    }
}
