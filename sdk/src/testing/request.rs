//! Requests for tests, and the hooks they can be handed to.

use std::time::Duration;

use super::filtered::filtered;
use crate::{
    AuthorizeRequest, Authorizer, BodyFilter, BodyMode, ClientCertificate, Decision, Direction, Exchange, Fault,
    Fields, FilterInput, HttpVersion, Info, Integration, IntegrationRequest, Peer, Plugin, RequestHead, RequestOutcome,
    RequestTransform, Response, TransformRequest, Value,
};

/// A request as a client might have sent it to a route called `test`.
#[derive(Clone, Debug)]
pub struct TestRequest {
    pub(super) exchange: Exchange,
    pub(super) head: RequestHead,
    identity: Vec<Option<String>>,
    body: Vec<u8>,
}

impl TestRequest {
    /// A request for a path, with or without query.
    pub fn new(method: &str, target: &str) -> Self {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        Self {
            exchange: exchange(),
            head: RequestHead {
                method: method.to_owned(),
                scheme: "https".to_owned(),
                authority: "api.example.com".to_owned(),
                path: path.to_owned(),
                query,
                version: HttpVersion::Http11,
                fields: Fields::new(),
            },
            identity: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A GET request.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A POST request.
    pub fn post(target: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            ..Self::new("POST", target)
        }
    }

    /// Adds a header. The value need not be UTF-8.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.head.fields.append(name.to_ascii_lowercase(), value);
        self
    }

    /// Adds an identity, as one more identity source of the route would.
    #[must_use]
    pub fn identity(mut self, value: &str) -> Self {
        self.identity.push(Some(value.to_owned()));
        self
    }

    /// Adds an identity source of the route that the request does not have.
    #[must_use]
    pub fn no_identity(mut self) -> Self {
        self.identity.push(None);
        self
    }

    /// Adds an attribute, with its namespace: `path.id`.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.exchange.attributes.push((name.to_owned(), value.into()));
        self
    }

    /// Sets the client's address.
    #[must_use]
    pub fn peer(mut self, address: &str) -> Self {
        address.clone_into(&mut self.exchange.peer.address);
        self
    }

    /// Sets the client's certificate.
    #[must_use]
    pub fn certificate(mut self, certificate: ClientCertificate) -> Self {
        self.exchange.peer.certificate = Some(certificate);
        self
    }

    /// Hands the request to an authorizer.
    ///
    /// # Errors
    /// The plugin's fault.
    pub fn authorize<P: Authorizer>(self, plugin: &P) -> Result<Decision, Fault> {
        let Self {
            exchange,
            head,
            identity,
            body,
        } = self.seen_by(&P::info());
        let body = buffered(P::info().request_body, body);
        plugin.authorize(&AuthorizeRequest {
            exchange,
            head,
            identity,
            body,
        })
    }

    /// Hands the request to a request transform.
    ///
    /// # Errors
    /// The plugin's fault.
    pub fn transform<P: RequestTransform>(self, plugin: &P) -> Result<RequestOutcome, Fault> {
        let Self {
            exchange,
            head,
            identity: _,
            body,
        } = self.seen_by(&P::info());
        let body = buffered(P::info().request_body, body);
        plugin.transform_request(&TransformRequest { exchange, head, body })
    }

    /// Hands the request to an integration.
    ///
    /// # Errors
    /// The plugin's fault.
    pub fn handle<P: Integration + Plugin>(self, plugin: &P) -> Result<Response, Fault> {
        let Self {
            exchange,
            head,
            identity: _,
            body,
        } = self.seen_by(&P::info());
        plugin.handle(&IntegrationRequest { exchange, head, body })
    }

    /// Lets a body go through a filter, in these pieces, and returns what comes out; none when the plugin is not
    /// interested. The body set before has no part in it.
    ///
    /// # Errors
    /// The plugin's fault.
    pub fn filter<P: BodyFilter>(
        self,
        plugin: &P,
        pieces: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) -> Result<Option<Vec<u8>>, Fault> {
        let content_length = content_length(&self.head.fields);
        let Self { exchange, head, .. } = self.seen_by(&P::info());
        let input = FilterInput {
            exchange,
            direction: Direction::Request,
            request: head,
            response: None,
            content_length,
        };
        filtered(plugin, P::info().request_body, &input, pieces)
    }

    /// Takes away what the plugin did not ask for.
    pub(super) fn seen_by(mut self, info: &Info) -> Self {
        self.head.fields.retain(|name| info.request_fields.selects(name));
        if !info.client_certificate {
            self.exchange.peer.certificate = None;
        }
        self
    }
}

pub(super) fn buffered(mode: BodyMode, body: Vec<u8>) -> Option<Vec<u8>> {
    match mode {
        BodyMode::None | BodyMode::Chunks => None,
        BodyMode::Buffered => Some(body),
    }
}

pub(super) fn content_length(fields: &Fields) -> Option<u64> {
    fields.text("content-length")?.parse().ok()
}

fn exchange() -> Exchange {
    Exchange {
        id: 1,
        trace_parent: None,
        route: "test".to_owned(),
        received_unix_ms: 1_700_000_000_000,
        budget: Duration::from_millis(50),
        attempt: 1,
        peer: Peer {
            address: "203.0.113.9".to_owned(),
            port: 50_000,
            tls: true,
            certificate: None,
        },
        attributes: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    struct Sees;

    impl Plugin for Sees {
        fn info() -> Info {
            info!().request_fields(["accept"])
        }
        fn configure(_config: &str) -> Result<Self, Vec<ConfigError>> {
            Ok(Self)
        }
    }

    impl Authorizer for Sees {
        fn authorize(&self, request: &AuthorizeRequest) -> Result<Decision, Fault> {
            assert_eq!(request.header("accept"), None, "not UTF-8");
            assert_eq!(request.header_bytes("Accept"), Some(&[0xff][..]));
            assert_eq!(request.headers_all("accept").count(), 2);
            assert_eq!(request.header_bytes("cookie"), None, "not asked for");
            assert_eq!(request.body, None, "not asked for");
            assert_eq!(request.identity(0), None);
            assert_eq!(request.identity(1), Some("k"));
            assert_eq!(request.identity(2), None);
            assert_eq!(request.query_value("b"), Some("2"));
            Ok(Decision::Abstain)
        }
    }

    plugin!(Sees: authorizer);

    #[test]
    fn a_plugin_sees_only_what_it_asked_for() {
        let request = TestRequest::post("/x?a=1&b=2", "body")
            .header("Accept", [0xff])
            .header("accept", "text/html");
        let decision = request
            .header("cookie", "secret")
            .no_identity()
            .identity("k")
            .authorize(&Sees);
        assert_eq!(decision, Ok(Decision::Abstain));
    }
}
