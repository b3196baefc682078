//! Bytes between a `BEGIN` and an `END` line, as OpenSSH writes signatures and keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Characters of a line, as `ssh-keygen` writes them.
const LINE: usize = 70;

/// The bytes of a text; nothing when it is not armoured under this label.
pub(super) fn open(text: &[u8], label: &str) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let inner = text.strip_prefix(&format!("-----BEGIN {label}-----"))?;
    let inner = inner.strip_suffix(&format!("-----END {label}-----"))?;
    let joined: String = inner.split_ascii_whitespace().collect();
    STANDARD.decode(joined).ok()
}

/// The text of these bytes.
pub(super) fn close(bytes: &[u8], label: &str) -> String {
    let mut text = format!("-----BEGIN {label}-----");
    for (index, letter) in STANDARD.encode(bytes).chars().enumerate() {
        if index % LINE == 0 {
            text.push('\n');
        }
        text.push(letter);
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    text
}
