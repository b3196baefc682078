//! `{ use = "oauth2-introspection", … }`

use std::time::Duration;

use super::token::{Carriers, Client, Rules};
use crate::file::{Located, Oauth2IntrospectionStage};
use crate::gateway::{IntrospectionOrigin, IntrospectorConfig, Oauth2IntrospectionConfig};
use crate::report::Span;
use crate::resolve::Resolver;

/// A token that is revoked is of use no longer than this.
const LONGEST_CACHE: Duration = Duration::from_secs(3600);

impl Resolver<'_> {
    pub(super) fn oauth2_introspection(
        &mut self,
        stage: &Oauth2IntrospectionStage,
        span: &Span,
    ) -> Option<Oauth2IntrospectionConfig> {
        let Oauth2IntrospectionStage {
            stage: _,
            issuer,
            discovery,
            endpoint,
            ca,
            client_id,
            client_secret,
            authentication,
            audiences,
            scopes,
            claims,
            principal,
            leeway,
            header,
            scheme,
            query,
            cookie,
            forward,
            token_bytes,
            cache,
        } = stage;
        let usual = |name: &str| Located::from(name.to_owned());
        let (subject, client) = (usual("sub"), usual("client_id"));
        let principals = match principal {
            Some(name) => vec![name],
            None => vec![&subject, &client],
        };
        let anybody = Located::from(vec![usual("*")]);
        let rules = self.token_rules(
            span,
            &Rules {
                issuer: issuer.as_ref(),
                audiences: Some(audiences.as_ref().unwrap_or(&anybody)),
                scopes,
                claims,
                principals: &principals,
                leeway,
            },
        );
        let carriers = self.token_carriers(
            span,
            &Carriers {
                header: header.as_ref(),
                scheme: scheme.as_ref(),
                query: query.as_ref(),
                cookie: cookie.as_ref(),
                forward: *forward,
                bytes: *token_bytes,
            },
        );
        if cache.value.0 > LONGEST_CACHE {
            let hint = "write an hour at most";
            self.error(&cache.span, "a revoked token would be good for too long", hint);
        }
        self.required(client_secret.as_ref(), span, "client_secret", "\"env:CLIENT_SECRET\"");
        let client = self.oauth_client(
            span,
            &Client {
                id: client_id.as_ref(),
                secret: client_secret.as_ref(),
                authentication: *authentication,
            },
        );
        let ca = ca.as_ref().map(|ca| self.stage_file(ca, "ca"));
        if let (Some(_), Some(discovery)) = (endpoint, discovery) {
            let hint = "remove `discovery`, or `endpoint`";
            self.error(
                &discovery.span,
                "`endpoint` says already where tokens are asked about",
                hint,
            );
        }
        let origin = match (endpoint, issuer) {
            (Some(url), _) => self
                .web_url(url, "write \"https://idp.example.com/introspect\"")
                .map(IntrospectionOrigin::Endpoint),
            (None, Some(issuer)) => self
                .metadata_origin(issuer, discovery.as_ref())
                .map(IntrospectionOrigin::Metadata),
            (None, None) => {
                self.report.missing(span, "issuer", "\"https://idp.example.com\"");
                None
            }
        };
        Some(Oauth2IntrospectionConfig {
            introspector: IntrospectorConfig {
                origin: origin?,
                ca: match ca {
                    Some(ca) => Some(ca?),
                    None => None,
                },
                client: client?,
                cache: cache.value.0,
                place: self.stage_place(span, ""),
            },
            carriers: carriers?,
            rules: rules?,
        })
    }
}
