//! Requests for tests, and the hooks they can be handed to.

use std::time::Duration;

use super::filtered::filtered;
use crate::{
    AuthorizeRequest, Authorizer, BodyFilter, BodyMode, ClientCertificate, Decision, Direction, Exchange, Fault,
    Fields, FilterInput, HttpVersion, Info, Integration, IntegrationRequest, Part, Peer, Plugin, RequestHead,
    RequestOutcome, RequestTransform, Response, Scheme, TransformRequest, Value,
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
                method: Some(method.to_owned()),
                scheme: Scheme::Https,
                authority: Some("api.example.com".to_owned()),
                path: Some(path.to_owned()),
                query,
                parameters: Some(Vec::new()),
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

    /// Adds a variable of the route's path, as it stands in the path.
    #[must_use]
    pub fn parameter(mut self, name: &str, value: &str) -> Self {
        let parameters = self.head.parameters.get_or_insert_default();
        parameters.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds an attribute, with its namespace: `auth.principal`.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: impl Into<Value>) -> Self {
        let attributes = self.exchange.attributes.get_or_insert_default();
        attributes.push((name.to_owned(), value.into()));
        self
    }

    /// Sets the client's address.
    #[must_use]
    pub fn peer(mut self, address: &str) -> Self {
        self.exchange.peer.get_or_insert_with(self::peer).address = address.to_owned();
        self
    }

    /// Sets the client's certificate.
    #[must_use]
    pub fn certificate(mut self, certificate: ClientCertificate) -> Self {
        self.exchange.peer.get_or_insert_with(self::peer).certificate = Some(certificate);
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
        let Exchange {
            trace_parent,
            route,
            peer,
            attributes,
            ..
        } = &mut self.exchange;
        let RequestHead {
            method,
            authority,
            path,
            query,
            parameters,
            ..
        } = &mut self.head;
        for part in Part::ALL.into_iter().filter(|part| !info.parts.contains(part)) {
            match part {
                Part::Method => *method = None,
                Part::Authority => *authority = None,
                Part::Path => *path = None,
                Part::Query => *query = None,
                Part::Parameters => *parameters = None,
                Part::Route => *route = None,
                Part::Peer => *peer = None,
                Part::Certificate => {
                    if let Some(peer) = peer {
                        peer.certificate = None;
                    }
                }
                Part::Attributes => *attributes = None,
                Part::TraceParent => *trace_parent = None,
            }
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
        route: Some("test".to_owned()),
        received_unix_ms: 1_700_000_000_000,
        budget: Duration::from_millis(50),
        attempt: 1,
        peer: Some(peer()),
        attributes: Some(Vec::new()),
    }
}

fn peer() -> Peer {
    Peer {
        address: "203.0.113.9".to_owned(),
        port: 50_000,
        tls: true,
        certificate: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    struct Sees;

    impl Plugin for Sees {
        fn info() -> Info {
            info!()
                .parts([Part::Query, Part::Parameters])
                .request_fields(["accept"])
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
            assert_eq!(request.parameter("id"), Ok(Some("7")));
            let not_asked_for = "the plugin's `Info` does not ask for `Part::Path`".to_owned();
            assert_eq!(request.path(), Err(Fault::Internal(not_asked_for)));
            assert!(request.exchange.peer().is_err() && request.exchange.attribute("auth.principal").is_err());
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
            .parameter("id", "7")
            .no_identity()
            .identity("k")
            .authorize(&Sees);
        assert_eq!(decision, Ok(Decision::Abstain));
    }
}
