//! Pieces that are written as one: the system call for several is dearer than the one for one by more than copying a head
//! and a small body takes.

use std::cell::Cell;
use std::io::IoSlice;

/// Bytes that are copied at most.
const MOST: usize = 4096;

thread_local! {
    /// Taken out while it is used.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Has all pieces written as one, if there is only one or they are small. None when they have to be written as they are.
pub fn as_one<T>(pieces: &[IoSlice<'_>], write: impl FnOnce(&[u8]) -> T) -> Option<T> {
    if let [piece] = pieces {
        return Some(write(piece));
    }
    let length: usize = pieces.iter().map(|piece| piece.len()).sum();
    (length <= MOST).then(|| {
        let mut buffer = BUFFER.take();
        buffer.clear();
        pieces.iter().for_each(|piece| buffer.extend_from_slice(piece));
        let result = write(&buffer);
        BUFFER.set(buffer);
        result
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn as_one(pieces: &[&[u8]]) -> Option<Vec<u8>> {
        let pieces: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        super::as_one(&pieces, <[u8]>::to_vec)
    }

    #[test]
    fn small_pieces_are_one_and_large_ones_only_where_they_are_alone() {
        assert_eq!(as_one(&[b"head", b"", b"body"]).as_deref(), Some(&b"headbody"[..]));
        assert_eq!(as_one(&[b"next"]).as_deref(), Some(&b"next"[..]));
        assert_eq!(as_one(&[]).as_deref(), Some(&b""[..]));
        let large = [b'x'; MOST];
        assert_eq!(as_one(&[&large]).as_deref(), Some(&large[..]));
        assert_eq!(as_one(&[b"h", &large]), None);
    }
}
