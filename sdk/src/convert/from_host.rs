//! What the host gives to a hook.

use std::time::Duration;

use crate::bindings::{authorizer, body_filter, integration, request_transform, response_transform, types};
use crate::{
    AuthorizeRequest, ClientCertificate, Direction, Exchange, FilterInput, HttpVersion, IntegrationRequest, Peer,
    RequestHead, Response, ResponseHead, Scheme, TransformRequest, TransformResponse, Value,
};

impl From<authorizer::AuthorizeInput> for AuthorizeRequest {
    fn from(input: authorizer::AuthorizeInput) -> Self {
        let authorizer::AuthorizeInput {
            exchange,
            request,
            identity,
            body,
        } = input;
        Self {
            exchange: exchange.into(),
            head: request.into(),
            identity,
            body,
        }
    }
}

impl From<request_transform::RequestInput> for TransformRequest {
    fn from(input: request_transform::RequestInput) -> Self {
        let request_transform::RequestInput {
            exchange,
            request,
            body,
        } = input;
        Self {
            exchange: exchange.into(),
            head: request.into(),
            body,
        }
    }
}

impl From<response_transform::ResponseInput> for TransformResponse {
    fn from(input: response_transform::ResponseInput) -> Self {
        let response_transform::ResponseInput {
            exchange,
            request,
            response,
            body,
        } = input;
        Self {
            exchange: exchange.into(),
            request: request.into(),
            head: response.into(),
            body,
        }
    }
}

impl From<body_filter::FilterInput> for FilterInput {
    fn from(input: body_filter::FilterInput) -> Self {
        let body_filter::FilterInput {
            exchange,
            direction,
            request,
            response,
            content_length,
        } = input;
        Self {
            exchange: exchange.into(),
            direction: match direction {
                body_filter::Direction::Request => Direction::Request,
                body_filter::Direction::Response => Direction::Response,
            },
            request: request.into(),
            response: response.map(Into::into),
            content_length,
        }
    }
}

impl From<integration::IntegrationInput> for IntegrationRequest {
    fn from(input: integration::IntegrationInput) -> Self {
        let integration::IntegrationInput {
            exchange,
            request,
            body,
        } = input;
        Self {
            exchange: exchange.into(),
            head: request.into(),
            body,
        }
    }
}

impl From<types::RequestHead> for RequestHead {
    fn from(head: types::RequestHead) -> Self {
        let types::RequestHead {
            method,
            scheme,
            authority,
            path,
            query,
            parameters,
            version,
            fields,
        } = head;
        Self {
            method,
            scheme: scheme.into(),
            authority,
            path,
            query,
            parameters,
            version: version.into(),
            fields: fields.into(),
        }
    }
}

impl From<types::ResponseHead> for ResponseHead {
    fn from(head: types::ResponseHead) -> Self {
        Self {
            status: head.status,
            fields: head.fields.into(),
        }
    }
}

impl From<types::FullResponse> for Response {
    fn from(response: types::FullResponse) -> Self {
        Self {
            status: response.head.status,
            fields: response.head.fields.into(),
            body: response.body,
        }
    }
}

impl From<types::HttpVersion> for HttpVersion {
    fn from(version: types::HttpVersion) -> Self {
        match version {
            types::HttpVersion::Http10 => Self::Http10,
            types::HttpVersion::Http11 => Self::Http11,
            types::HttpVersion::Http2 => Self::Http2,
            types::HttpVersion::Http3 => Self::Http3,
        }
    }
}

impl From<types::Scheme> for Scheme {
    fn from(scheme: types::Scheme) -> Self {
        match scheme {
            types::Scheme::Http => Self::Http,
            types::Scheme::Https => Self::Https,
        }
    }
}

impl From<types::Exchange> for Exchange {
    fn from(exchange: types::Exchange) -> Self {
        let types::Exchange {
            id,
            trace_parent,
            route,
            received_unix_ms,
            budget,
            attempt,
            peer,
            attributes,
        } = exchange;
        Self {
            id,
            trace_parent,
            route,
            received_unix_ms,
            budget: Duration::from_millis(budget.into()),
            attempt,
            peer: peer.map(Peer::from),
            attributes: attributes.map(|attributes| {
                let attributes = attributes.into_iter();
                attributes.map(|(name, value)| (name, value.into())).collect()
            }),
        }
    }
}

impl From<types::Peer> for Peer {
    fn from(peer: types::Peer) -> Self {
        let types::Peer {
            address,
            port,
            tls,
            certificate,
        } = peer;
        Self {
            address,
            port,
            tls,
            certificate: certificate.map(ClientCertificate::from),
        }
    }
}

impl From<types::ClientCertificate> for ClientCertificate {
    fn from(certificate: types::ClientCertificate) -> Self {
        let types::ClientCertificate {
            subject,
            issuer,
            serial_number,
            sha256,
            not_before_unix,
            not_after_unix,
            dns_names,
            uris,
            der,
        } = certificate;
        Self {
            subject,
            issuer,
            serial_number,
            sha256,
            not_before_unix,
            not_after_unix,
            dns_names,
            uris,
            der,
        }
    }
}

impl From<types::Value> for Value {
    fn from(value: types::Value) -> Self {
        match value {
            types::Value::Text(text) => Self::Text(text),
            types::Value::Number(number) => Self::Number(number),
            types::Value::Integer(number) => Self::Integer(number),
            types::Value::Truth(truth) => Self::Truth(truth),
            types::Value::Bytes(bytes) => Self::Bytes(bytes),
            types::Value::Json(text) => Self::Json(text),
        }
    }
}
