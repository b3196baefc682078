//! The arithmetic of the arena, on offsets only: no pointers, nothing unsafe, the same on every target.

use std::alloc::Layout;

/// A bump arena that counts what is alive above its mark. New it is all zeros, so that a static one takes no room in
/// the plugin's file.
#[derive(Debug)]
pub(super) struct Arena<const CAPACITY: usize> {
    /// Everything from here on is free.
    used: usize,
    /// Everything below is there to stay.
    mark: usize,
    /// Blocks at or above the mark that have not been freed.
    alive: usize,
}

impl<const CAPACITY: usize> Arena<CAPACITY> {
    pub(super) const fn new() -> Self {
        Self {
            used: 0,
            mark: 0,
            alive: 0,
        }
    }

    /// Cuts a block and returns its offset from `base`, the address the arena begins at. None when it does not fit.
    pub(super) fn allocate(&mut self, base: usize, layout: Layout) -> Option<usize> {
        let address = base.checked_add(self.used)?.checked_next_multiple_of(layout.align())?;
        let start = address - base;
        let end = start.checked_add(layout.size())?;
        if end > CAPACITY {
            return None;
        }
        self.used = end;
        self.alive += 1;
        Some(start)
    }

    /// Gives a block back. The last block is free again at once; the others when nothing above the mark is alive.
    pub(super) fn free(&mut self, start: usize, size: usize) {
        if start < self.mark {
            return;
        }
        self.alive -= 1;
        if self.alive == 0 {
            self.used = self.mark;
        } else if start + size == self.used {
            self.used = start;
        }
    }

    /// Changes the size of a block where it is. False when something is in the way.
    pub(super) fn resize(&mut self, start: usize, old_size: usize, new_size: usize) -> bool {
        let is_last = start + old_size == self.used && start >= self.mark;
        match start.checked_add(new_size) {
            Some(end) if is_last && end <= CAPACITY => {
                self.used = end;
                true
            }
            _ => new_size <= old_size,
        }
    }

    /// Declares everything that is alive to be there to stay.
    pub(super) fn settle(&mut self) {
        self.mark = self.used;
        self.alive = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: usize = 0x1_0008;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn blocks_are_aligned_by_address_not_by_offset() {
        let mut arena = Arena::<256>::new();
        let first = arena.allocate(BASE, layout(1, 1)).unwrap();
        let second = arena.allocate(BASE, layout(16, 16)).unwrap();
        assert_eq!(first, 0);
        assert_eq!((BASE + second) % 16, 0);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_changes_nothing() {
        let mut arena = Arena::<64>::new();
        assert_eq!(arena.allocate(BASE, layout(65, 1)), None);
        assert_eq!(arena.allocate(BASE, layout(isize::MAX as usize, 1)), None);
        assert_eq!(arena.allocate(BASE, layout(64, 1)), Some(0));
        assert_eq!(arena.allocate(BASE, layout(1, 1)), None);
    }

    #[test]
    fn the_last_block_is_free_again_at_once() {
        let mut arena = Arena::<64>::new();
        arena.allocate(BASE, layout(8, 8)).unwrap();
        let last = arena.allocate(BASE, layout(16, 8)).unwrap();
        arena.free(last, 16);
        assert_eq!(arena.allocate(BASE, layout(16, 8)), Some(last));
    }

    #[test]
    fn the_arena_starts_over_at_the_mark_when_a_call_has_freed_everything() {
        let mut arena = Arena::<64>::new();
        arena.allocate(BASE, layout(8, 8)).unwrap();
        arena.settle();
        for _call in 0..100 {
            let input = arena.allocate(BASE, layout(24, 8)).unwrap();
            let output = arena.allocate(BASE, layout(24, 8)).unwrap();
            assert_eq!(input, 8);
            arena.free(input, 24);
            arena.free(output, 24);
        }
    }

    #[test]
    fn state_that_grows_in_a_call_is_never_overwritten() {
        let mut arena = Arena::<1024>::new();
        let state = arena.allocate(BASE, layout(8, 8)).unwrap();
        arena.settle();
        let grown = arena.allocate(BASE, layout(16, 8)).unwrap();
        arena.free(state, 8);
        let scratch = arena.allocate(BASE, layout(8, 8)).unwrap();
        arena.free(scratch, 8);
        assert!(arena.allocate(BASE, layout(8, 8)).unwrap() >= grown + 16);
    }

    #[test]
    fn the_last_block_grows_and_shrinks_in_place() {
        let mut arena = Arena::<64>::new();
        let first = arena.allocate(BASE, layout(8, 8)).unwrap();
        let last = arena.allocate(BASE, layout(8, 8)).unwrap();
        assert!(arena.resize(last, 8, 56));
        assert!(!arena.resize(last, 56, 57));
        assert!(arena.resize(last, 56, 8));
        assert!(!arena.resize(first, 8, 9));
        assert!(arena.resize(first, 8, 4));
        assert_eq!(arena.allocate(BASE, layout(8, 8)), Some(16));
    }

    #[test]
    fn blocks_that_are_alive_never_overlap() {
        let mut arena = Arena::<4096>::new();
        let mut alive: Vec<(usize, usize)> = Vec::new();
        let mut seed = 1_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        for step in 0..20_000 {
            match random(8) {
                0..4 => {
                    let layout = layout(1 + random(200) as usize, 1 << random(5));
                    if let Some(start) = arena.allocate(BASE, layout) {
                        assert!(start + layout.size() <= 4096);
                        assert!(
                            alive.iter().all(|&(s, n)| start + layout.size() <= s || s + n <= start),
                            "step {step}"
                        );
                        alive.push((start, layout.size()));
                    }
                }
                4..7 if !alive.is_empty() => {
                    let (start, size) = alive.swap_remove(random(alive.len() as u64) as usize);
                    arena.free(start, size);
                }
                7 if !alive.is_empty() => {
                    let at = random(alive.len() as u64) as usize;
                    let (start, size) = alive.swap_remove(at);
                    let wanted = 1 + random(300) as usize;
                    let size = if arena.resize(start, size, wanted) {
                        wanted
                    } else {
                        size
                    };
                    assert!(
                        alive.iter().all(|&(s, n)| start + size <= s || s + n <= start),
                        "step {step}"
                    );
                    alive.push((start, size));
                }
                _ if step % 1000 == 0 => arena.settle(),
                _ => {}
            }
        }
    }
}
