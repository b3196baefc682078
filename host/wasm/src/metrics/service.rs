//! What is counted about the services that plugins call: how often, how it ended, how long it took.

use std::sync::atomic::{AtomicU64, Ordering};

use gatewright_core::PerWorker;

macro_rules! labels {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $label:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)*];
            const COUNT: usize = Self::ALL.len();

            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }
        }
    };
}

labels! {
    /// A service that has to be granted; label of metrics, and the grant's key.
    Service {
        /// Secrets by name.
        Secrets = "secrets",
        /// Counters and token buckets.
        Counters = "counters",
        /// Key-value stores.
        Kv = "kv",
        /// Values that are computed once for many calls.
        Cache = "cache",
        /// Outbound requests.
        Http = "http",
    }
}

labels! {
    /// How a call of a service ended; label of metrics.
    Answered {
        /// It did what it was asked to.
        Ok = "ok",
        /// It is not granted.
        Refused = "refused",
        /// It is more than the plugin may ask for in a time.
        Limited = "limited",
        /// What was asked for makes no sense, or is more than it may be.
        Invalid = "invalid",
        /// Who should have answered did not.
        Failed = "failed",
        /// The call was over before there was an answer.
        Cancelled = "cancelled",
    }
}

/// One plugin's numbers of all services.
pub(crate) struct ServiceStats(PerWorker<[Numbers; Service::COUNT]>);

#[derive(Default)]
struct Numbers {
    calls: [AtomicU64; Answered::COUNT],
    nanos: AtomicU64,
}

/// Sums over the workers, for one service.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub(super) calls: [u64; Answered::COUNT],
    pub(super) nanos: u64,
}

impl ServiceStats {
    pub(super) fn new(workers: usize) -> Self {
        Self(PerWorker::new(workers, |_| Default::default()))
    }

    /// Notes a call.
    pub(crate) fn note(&self, service: Service, answered: Answered, nanos: u64) {
        let Some(numbers) = self.0.local().get(service as usize) else {
            return;
        };
        if let Some(number) = numbers.calls.get(answered as usize) {
            number.fetch_add(1, Ordering::Relaxed);
        }
        numbers.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(super) fn sums(&self, service: Service) -> Sums {
        let mut sums = Sums::default();
        for numbers in self.0.iter().filter_map(|worker| worker.get(service as usize)) {
            for (sum, number) in sums.calls.iter_mut().zip(&numbers.calls) {
                *sum += number.load(Ordering::Relaxed);
            }
            sums.nanos += numbers.nanos.load(Ordering::Relaxed);
        }
        sums
    }
}
