//! How many requests are let in at the same time, found out by how long responses take: more as long as they are fast
//! enough, fewer as soon as too many of them are not.
//!
//! Additive increase, multiplicative decrease, as congestion control does it: the limit follows what is behind the gateway,
//! whatever that can do today, and nobody has to know the number.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gatewright_config::ShedConfig;
use prometheus_client::metrics::gauge::Gauge;

use crate::telemetry::Metrics;

/// How often the limit is looked at.
const WINDOW: Duration = Duration::from_millis(100);
/// Responses without which nothing is known.
const FEWEST: u64 = 10;

/// The groups of all generations: what is known of an overload is not forgotten by a reload.
#[derive(Default)]
pub struct Shedders(Mutex<BTreeMap<String, Arc<Shedder>>>);

/// Lets requests of a group in.
pub struct Shedder {
    taken: AtomicU64,
    places: AtomicU64,
    window: Mutex<Window>,
    gauge: Gauge,
}

#[derive(Clone, Copy)]
struct Settings {
    latency: Duration,
    least: u64,
    most: u64,
}

/// What has been seen since the limit was last looked at, and what it is measured by.
struct Window {
    settings: Settings,
    began: Instant,
    answered: u64,
    slow: u64,
    /// The most places that were taken at once.
    peak: u64,
}

/// A request that was let in; out again when dropped.
pub struct Place(Arc<Shedder>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shedders {
    /// The one of a group. The configuration that was read last says what is slow, and what the bounds are.
    pub fn group(&self, config: &ShedConfig, metrics: &Metrics) -> Arc<Shedder> {
        let settings = Settings {
            latency: config.latency,
            least: config.least,
            most: config.most,
        };
        let mut groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = groups.get(&config.group) {
            known.window.lock().unwrap_or_else(PoisonError::into_inner).settings = settings;
            return Arc::clone(known);
        }
        let shedder = Arc::new(Shedder::new(settings, metrics.shed_places(&config.group)));
        groups.insert(config.group.clone(), Arc::clone(&shedder));
        shedder
    }
}

impl Shedder {
    fn new(settings: Settings, gauge: Gauge) -> Self {
        let shedder = Self {
            taken: AtomicU64::new(0),
            places: AtomicU64::new(settings.most),
            window: Mutex::new(Window::beginning(Instant::now(), settings)),
            gauge,
        };
        shedder.show();
        shedder
    }

    /// Lets a request in that may have so many tenths of the places, if there is room.
    pub fn enter(self: &Arc<Self>, tenths: u64) -> Option<Place> {
        // One place at least is for everybody, or nothing would ever be found out again.
        let room = (self.places() * tenths / 10).max(1);
        let enter = |taken| (taken < room).then_some(taken + 1);
        self.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, enter)
            .ok()?;
        Some(Place(Arc::clone(self)))
    }

    /// Requests that may be let in at the same time.
    pub fn places(&self) -> u64 {
        self.places.load(Ordering::Relaxed)
    }

    /// Requests that are in.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// A response has begun.
    pub fn answered(&self, now: Instant, took: Duration) {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.answered += 1;
        window.slow += u64::from(took > window.settings.latency);
        window.peak = window.peak.max(self.taken());
        if window.answered < FEWEST || now.saturating_duration_since(window.began) < WINDOW {
            return;
        }
        self.places.store(adjusted(self.places(), &window), Ordering::Relaxed);
        *window = Window::beginning(now, window.settings);
        drop(window);
        self.show();
    }

    fn show(&self) {
        self.gauge.set(i64::try_from(self.places()).unwrap_or(i64::MAX));
    }
}

impl Window {
    fn beginning(began: Instant, settings: Settings) -> Self {
        Self {
            settings,
            began,
            answered: 0,
            slow: 0,
            peak: 0,
        }
    }
}

/// The number of places after what was seen.
fn adjusted(places: u64, seen: &Window) -> u64 {
    let next = if seen.slow * 10 > seen.answered {
        // From what is really in use: a limit that nobody came near would take long to be felt.
        places.min(seen.peak.max(1)) * 8 / 10
    } else if seen.peak * 2 >= places {
        places + (places / 20).max(1)
    } else {
        places
    };
    let Settings { least, most, .. } = seen.settings;
    next.clamp(least, most.max(least))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings = Settings {
        latency: Duration::from_millis(100),
        least: 4,
        most: 100,
    };

    fn seen(answered: u64, slow: u64, peak: u64) -> Window {
        Window {
            settings: SETTINGS,
            began: Instant::now(),
            answered,
            slow,
            peak,
        }
    }

    #[test]
    fn slow_responses_take_places_away_and_fast_ones_give_them_back() {
        assert_eq!(adjusted(100, &seen(50, 6, 40)), 32);
        assert_eq!(adjusted(100, &seen(50, 5, 40)), 100, "a tenth may be slow");
        assert_eq!(adjusted(5, &seen(50, 50, 5)), 4, "some are always let in");
        assert_eq!(adjusted(32, &seen(50, 0, 16)), 33);
        assert_eq!(adjusted(60, &seen(50, 0, 60)), 63);
        assert_eq!(adjusted(32, &seen(50, 0, 15)), 32, "nobody needs more");
        assert_eq!(adjusted(99, &seen(50, 0, 99)), 100);
    }

    #[test]
    fn the_less_important_are_refused_first_and_places_come_back() {
        let shedder = Arc::new(Shedder::new(Settings { most: 10, ..SETTINGS }, Gauge::default()));
        let enter = |tenths: u64| std::iter::from_fn(|| shedder.enter(tenths)).collect::<Vec<_>>();
        let low = enter(5);
        let normal = enter(8);
        let high = enter(10);
        assert_eq!((low.len(), normal.len(), high.len()), (5, 3, 2));
        drop((low, normal, high));
        assert_eq!(shedder.taken(), 0);
    }

    #[test]
    fn a_limit_is_looked_at_after_some_time_and_some_responses() {
        let shedder = Arc::new(Shedder::new(SETTINGS, Gauge::default()));
        let began = Instant::now();
        let answer = |ms: u64, count: u64| {
            for _ in 0..count {
                shedder.answered(began + Duration::from_millis(ms), Duration::from_secs(1));
            }
            shedder.places()
        };
        assert_eq!(answer(0, 100), 100, "too soon");
        assert_eq!(answer(1000, 1), 4);
        assert_eq!(answer(5000, 9), 4, "too few");
    }
}
