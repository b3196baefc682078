//! Between the generated types and ours, in both directions. Vectors and strings are moved, never copied. Anything
//! that is generated ends here.

mod from_host;
mod to_host;

use std::time::Duration;

/// Our durations are exact, the interface counts whole milliseconds; too long is as long as it goes.
pub(crate) fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_beyond_the_interface_is_cut_not_wrapped() {
        assert_eq!(millis(Duration::from_millis(1500)), 1500);
        assert_eq!(millis(Duration::from_secs(u64::MAX)), u32::MAX);
    }
}
