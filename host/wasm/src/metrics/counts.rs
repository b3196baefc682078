//! Numbers that only grow, one set for each worker, and their sums.

/// A set of counters: the type that a worker counts into, a method of `$owner` for each, and their sums. `$owner` has
/// a field `workers`, whose values have the set in their field `counts`.
macro_rules! counts {
    ($owner:ident, $counts:ident, $sums:ident { $($(#[$doc:meta])* $name:ident,)* }) => {
        /// One worker's share.
        #[derive(Default)]
        struct $counts { $($(#[$doc])* $name: AtomicU64,)* }

        impl $owner {
            $($(#[$doc])*
            pub(crate) fn $name(&self) {
                self.workers.local().counts.$name.fetch_add(1, Ordering::Relaxed);
            })*
        }

        /// Sums over the workers.
        #[derive(Clone, Copy, Debug, Default)]
        pub(in crate::metrics) struct $sums { $($(#[$doc])* pub(in crate::metrics) $name: u64,)* }

        impl $sums {
            fn add(&mut self, counts: &$counts) {
                $(self.$name += counts.$name.load(Ordering::Relaxed);)*
            }
        }
    };
}

pub(super) use counts;
