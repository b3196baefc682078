//! `Date`, as responses say it: made once a second on each thread.

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use http::HeaderValue;

thread_local! {
    static LAST: RefCell<(u64, HeaderValue)> = const { RefCell::new((0, HeaderValue::from_static(""))) };
}

/// The time as HTTP writes it (RFC 9110, section 5.6.7).
pub fn now() -> HeaderValue {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let second = now.map_or(0, |since| since.as_secs());
    LAST.with_borrow_mut(|(at, value)| {
        if *at != second {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
            // A date is nothing but letters, digits, and spaces.
            *value = HeaderValue::try_from(httpdate::fmt_http_date(time)).unwrap_or(HeaderValue::from_static(""));
            *at = second;
        }
        value.clone()
    })
}
