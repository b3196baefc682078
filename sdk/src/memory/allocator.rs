//! The arena as a global allocator, with the system's behind it.

#![allow(unsafe_code, reason = "an allocator hands out memory")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr;

use super::arena::Arena;

/// A global allocator for plugin instances; installed by [`plugin!`](crate::plugin!).
///
/// For targets with one thread: it is `Sync` only so that it can be a static there.
pub struct RequestAllocator<const ARENA_BYTES: usize, Beyond = System> {
    arena: UnsafeCell<Arena<ARENA_BYTES>>,
    memory: UnsafeCell<Memory<ARENA_BYTES>>,
    beyond: Beyond,
}

#[repr(C, align(16))]
struct Memory<const BYTES: usize>([u8; BYTES]);

// SAFETY: WebAssembly without the atomics feature has one thread, so no two accesses can race.
#[cfg(all(target_family = "wasm", not(target_feature = "atomics")))]
unsafe impl<const ARENA_BYTES: usize, Beyond> Sync for RequestAllocator<ARENA_BYTES, Beyond> {}

impl<const ARENA_BYTES: usize> RequestAllocator<ARENA_BYTES> {
    /// An empty arena with the system allocator behind it.
    #[expect(
        clippy::new_without_default,
        reason = "only ever a static, which needs a const constructor"
    )]
    pub const fn new() -> Self {
        Self::with(System)
    }
}

impl<const ARENA_BYTES: usize, Beyond> RequestAllocator<ARENA_BYTES, Beyond> {
    const fn with(beyond: Beyond) -> Self {
        Self {
            arena: UnsafeCell::new(Arena::new()),
            memory: UnsafeCell::new(Memory([0; ARENA_BYTES])),
            beyond,
        }
    }

    /// Declares everything allocated so far to be there to stay: the arena starts over from here between calls.
    pub fn settle(&self) {
        // SAFETY: the type is not shared between threads, and no other reference to the arena outlives its statement.
        unsafe { &mut *self.arena.get() }.settle();
    }

    fn base(&self) -> *mut u8 {
        self.memory.get().cast()
    }

    /// Where a block begins in the arena; none when it is not one of ours.
    fn offset(&self, block: *mut u8) -> Option<usize> {
        let offset = block.addr().wrapping_sub(self.base().addr());
        (offset < ARENA_BYTES).then_some(offset)
    }
}

// SAFETY: blocks of the arena do not overlap while they are alive (see its tests), lie within `memory` and are
// aligned by address; everything else is the business of `Beyond`, which gets back exactly what it gave.
unsafe impl<const ARENA_BYTES: usize, Beyond: GlobalAlloc> GlobalAlloc for RequestAllocator<ARENA_BYTES, Beyond> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = self.base();
        // SAFETY: as in `settle`; offsets of the arena are within `memory`.
        unsafe {
            match (*self.arena.get()).allocate(base.addr(), layout) {
                Some(start) => base.add(start),
                None => self.beyond.alloc(layout),
            }
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as in `settle`; what is not ours came from `beyond`.
        unsafe {
            match self.offset(block) {
                Some(start) => (*self.arena.get()).free(start, layout.size()),
                None => self.beyond.dealloc(block, layout),
            }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as in `settle`; the caller promises that `new_size` makes a valid layout, and both blocks are at
        // least as long as what is copied.
        unsafe {
            let Some(start) = self.offset(block) else {
                return self.beyond.realloc(block, layout, new_size);
            };
            if (*self.arena.get()).resize(start, layout.size(), new_size) {
                return block;
            }
            let moved = self.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(new_size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Counts what is alive beyond the arena.
    #[derive(Default)]
    struct Counted(Cell<isize>);

    unsafe impl GlobalAlloc for Counted {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            self.0.set(self.0.get() + 1);
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            self.0.set(self.0.get() - 1);
            unsafe { System.dealloc(block, layout) }
        }
    }

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 8).unwrap()
    }

    #[test]
    fn a_call_that_fits_never_leaves_the_arena() {
        let allocator = RequestAllocator::<1024, _>::with(Counted::default());
        allocator.settle();
        for _call in 0..1000 {
            unsafe {
                let input = allocator.alloc(layout(400));
                let output = allocator.alloc(layout(400));
                assert!(allocator.offset(input).is_some() && allocator.offset(output).is_some());
                allocator.dealloc(input, layout(400));
                allocator.dealloc(output, layout(400));
            }
        }
        assert_eq!(allocator.beyond.0.get(), 0);
    }

    #[test]
    fn what_does_not_fit_comes_from_beyond_and_goes_back_there() {
        let allocator = RequestAllocator::<1024, _>::with(Counted::default());
        unsafe {
            let large = allocator.alloc(layout(4096));
            assert!(allocator.offset(large).is_none());
            assert_eq!(allocator.beyond.0.get(), 1);
            allocator.dealloc(large, layout(4096));
        }
        assert_eq!(allocator.beyond.0.get(), 0);
    }

    #[test]
    fn a_block_that_outgrows_the_arena_moves_with_its_content() {
        let allocator = RequestAllocator::<64, _>::with(Counted::default());
        unsafe {
            let block = allocator.alloc(layout(48));
            block.write_bytes(7, 48);
            let moved = allocator.realloc(block, layout(48), 128);
            assert!(allocator.offset(moved).is_none());
            assert!((0..48).all(|i| moved.add(i).read() == 7));
            allocator.dealloc(moved, layout(128));
            assert!(allocator.offset(allocator.alloc(layout(64))).is_some());
        }
        assert_eq!(allocator.beyond.0.get(), 0);
    }

    #[test]
    fn zeroed_memory_is_zero_although_the_arena_is_used_again() {
        let allocator = RequestAllocator::<64, _>::with(Counted::default());
        unsafe {
            let block = allocator.alloc(layout(64));
            block.write_bytes(0xff, 64);
            allocator.dealloc(block, layout(64));
            let again = allocator.alloc_zeroed(layout(64));
            assert_eq!(again, block);
            assert!((0..64).all(|i| again.add(i).read() == 0));
        }
    }
}
