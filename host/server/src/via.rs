//! `Via`: what this process calls itself, when a request has come through it too often, and what requests of plugins carry
//! on of it, so that a circle that leads through a plugin is one too.

use http::header::{HeaderMap, HeaderValue, VIA};

/// How many times a request may come through gateways of this process before it is taken for a loop.
const MAX_PASSES: usize = 4;
/// What gateways call themselves, before eight hexadecimal digits.
const PREFIX: &str = "1.1 gatewright-";
/// Gateways that a request of a plugin names. The last ones, so that what a client puts before them does not push out who
/// has really seen the request.
const CARRIED: usize = 64;

/// What this process calls itself.
pub fn own() -> HeaderValue {
    let name = format!("{PREFIX}{:08x}", crate::gateway::process_id() as u32);
    HeaderValue::try_from(name).unwrap_or(HeaderValue::from_static("1.1 gatewright"))
}

/// Whether a request with these header fields has been here as often as it may.
pub fn goes_in_a_circle(headers: &HeaderMap, own: &HeaderValue) -> bool {
    let values = headers.get_all(VIA).iter();
    let passes = values.map(|value| memchr::memmem::find_iter(value.as_bytes(), own.as_bytes()).count());
    passes.sum::<usize>() >= MAX_PASSES
}

/// For a request that a plugin sends for one that came by these: the gateways among them, and this one. Other proxies are
/// the client's or the operator's affair, and the plugin's origin is neither.
pub fn onward(came_by: &[HeaderValue], own: &HeaderValue) -> HeaderValue {
    let values = came_by.iter().filter_map(|value| value.to_str().ok());
    let gateways: Vec<_> = values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|name| is_gateway(name))
        .chain(own.to_str().ok())
        .collect();
    let first = gateways.len().saturating_sub(CARRIED);
    let carried = gateways.get(first..).unwrap_or_default().join(", ");
    HeaderValue::try_from(carried).unwrap_or_else(|_| own.clone())
}

fn is_gateway(name: &str) -> bool {
    let digits = name.strip_prefix(PREFIX);
    digits.is_some_and(|digits| digits.len() == 8 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: HeaderValue = HeaderValue::from_static("1.1 gatewright-0000000a");

    fn onward_of(came_by: &[&str]) -> String {
        let came_by: Vec<_> = came_by
            .iter()
            .map(|value| HeaderValue::from_str(value).unwrap())
            .collect();
        onward(&came_by, &OWN).to_str().unwrap().to_owned()
    }

    #[test]
    fn a_request_of_a_plugin_names_the_gateways_that_the_exchange_came_by_and_nobody_else() {
        assert_eq!(onward_of(&[]), "1.1 gatewright-0000000a");
        assert_eq!(
            onward_of(&[
                "1.0 fred, 1.1 gatewright-00000001",
                "1.1 gatewright-other, 1.1 proxy.internal (a, b)"
            ]),
            "1.1 gatewright-00000001, 1.1 gatewright-0000000a"
        );
    }

    #[test]
    fn what_a_client_puts_before_them_does_not_push_out_real_gateways() {
        let forged = vec!["1.1 gatewright-ffffffff"; 1000].join(",");
        let mut via = onward_of(&[&forged]);
        for _ in 1..MAX_PASSES {
            let headers = HeaderMap::from_iter([(VIA, HeaderValue::from_str(&via).unwrap())]);
            assert!(!goes_in_a_circle(&headers, &OWN));
            via = onward_of(&[&via]);
        }
        let headers = HeaderMap::from_iter([(VIA, HeaderValue::from_str(&via).unwrap())]);
        assert!(goes_in_a_circle(&headers, &OWN));
        assert!(via.len() < 64 * 32, "{}", via.len());
    }
}
