//! A heap that counts while it is told to, and costs one predicted branch while it is not.
//!
//! Counting is off while a benchmark takes its time, so that a codec that allocates is not made slower by
//! being watched.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether some thread counts.
static COUNTING: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// What this thread counted; `None` while it does not count.
    static COUNTED: Cell<Option<Allocations>> = const { Cell::new(None) };
}

/// What was asked of the heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allocations {
    /// Calls that returned new or moved memory.
    pub count: u64,
    /// Bytes those calls asked for.
    pub bytes: u64,
}

/// The system's allocator, counted. To be named in the binary's `#[global_allocator]`.
#[derive(Debug, Default)]
pub struct CountingAllocator;

#[allow(unsafe_code, reason = "GlobalAlloc is an unsafe trait; every call goes on to the system's allocator")]
// SAFETY: memory comes from and returns to `System`, with the layouts as they were given; counting
// neither allocates nor unwinds.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`, which is `System`'s too.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: `block` came from `System` with this layout.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        note(new_size);
        // SAFETY: `block` came from `System` with this layout.
        unsafe { System.realloc(block, layout, new_size) }
    }
}

#[inline]
fn note(bytes: usize) {
    if COUNTING.load(Ordering::Relaxed) {
        // A thread on its way out has no counter left, and nothing to count.
        let _ = COUNTED.try_with(|counted| {
            if let Some(Allocations { count, bytes: sum }) = counted.get() {
                counted.set(Some(Allocations { count: count + 1, bytes: sum + bytes as u64 }));
            }
        });
    }
}

/// What `work` asks of the heap on this thread. Not to be nested.
pub fn count<R>(work: impl FnOnce() -> R) -> (R, Allocations) {
    COUNTED.set(Some(Allocations::default()));
    COUNTING.store(true, Ordering::Relaxed);
    let result = work();
    COUNTING.store(false, Ordering::Relaxed);
    (result, COUNTED.take().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[global_allocator]
    static HEAP: CountingAllocator = CountingAllocator;

    #[test]
    fn allocations_are_counted_only_inside() {
        let before = vec![1_u8; 100];
        let (inside, counted) = count(|| vec![2_u8; 300]);
        drop((before, inside));
        assert_eq!(counted, Allocations { count: 1, bytes: 300 });
        assert_eq!(count(|| 1 + 1).1, Allocations::default());
    }
}
