//! `{ use = "jwt", … }`

use super::token::{Carriers, Rules};
use crate::file::{JwtStage, Located};
use crate::gateway::{Algorithm, FetchedKeysConfig, JwtConfig, KeyOrigin, KeySourceConfig};
use crate::report::{Span, suggestion};
use crate::resolve::Resolver;

impl Resolver<'_> {
    pub(super) fn jwt(&mut self, stage: &JwtStage, span: &Span) -> Option<JwtConfig> {
        let JwtStage {
            stage: _,
            issuer,
            discovery,
            jwks,
            ca,
            algorithms,
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
            refresh,
            max_stale,
            cooldown,
        } = stage;
        let algorithms = self.algorithms(algorithms.as_ref());
        let rules = self.token_rules(
            span,
            &Rules {
                issuer: issuer.as_ref(),
                audiences: audiences.as_ref(),
                scopes,
                claims,
                principals: &[principal],
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
        if max_stale.value.0 < refresh.value.0 {
            let hint = "write a `max_stale` above `refresh`";
            self.error(
                &max_stale.span,
                "keys would be of no use before others are fetched",
                hint,
            );
        }
        let place = self.stage_place(span, "");
        let file = ca.as_ref().and_then(|ca| self.stage_file(ca, "ca"));
        let fetched = |origin| {
            KeySourceConfig::Fetched(FetchedKeysConfig {
                origin,
                ca: file,
                refresh: refresh.value.0,
                max_stale: max_stale.value.0,
                cooldown: cooldown.0,
                place,
            })
        };
        if let (Some(_), Some(discovery)) = (jwks, discovery) {
            let hint = "remove `discovery`, or `jwks`";
            self.error(&discovery.span, "`jwks` says already where the keys are", hint);
        }
        let keys = match (jwks, issuer) {
            (Some(jwks), _) => match jwks.value.strip_prefix("file:") {
                Some(path) => {
                    if let Some(ca) = ca {
                        self.error(&ca.span, "nothing is fetched", "remove `ca`: the keys are in a file");
                    }
                    let path = Located {
                        value: path.to_owned(),
                        span: jwks.span.clone(),
                    };
                    self.stage_file(&path, "jwks").map(KeySourceConfig::File)
                }
                None => {
                    let hint = "write \"https://idp.example.com/jwks.json\" or \"file:PATH\"";
                    self.web_url(jwks, hint).map(|url| fetched(KeyOrigin::Jwks(url)))
                }
            },
            (None, Some(issuer)) => self
                .metadata_origin(issuer, discovery.as_ref())
                .map(|origin| fetched(KeyOrigin::Metadata(origin))),
            (None, None) => {
                self.report.missing(span, "issuer", "\"https://idp.example.com\"");
                None
            }
        };
        Some(JwtConfig {
            keys: keys?,
            algorithms: algorithms?,
            carriers: carriers?,
            rules: rules?,
        })
    }

    fn algorithms(&mut self, names: Option<&Located<Vec<Located<String>>>>) -> Option<Vec<Algorithm>> {
        let Some(names) = names else {
            return Some(Algorithm::ALL.to_vec());
        };
        if names.value.is_empty() {
            self.error(&names.span, "no token could be verified", "write [\"RS256\"]");
        }
        let algorithms: Vec<_> = names.value.iter().map(|name| self.algorithm(name)).collect();
        algorithms.into_iter().collect()
    }

    fn algorithm(&mut self, name: &Located<String>) -> Option<Algorithm> {
        let algorithm = Algorithm::from_name(&name.value);
        if algorithm.is_none() {
            let text = &name.value;
            let hint = match text.starts_with("HS") || text.eq_ignore_ascii_case("none") {
                true => {
                    "whoever can verify such a token can make one: use an algorithm with a public key, such as RS256"
                        .to_owned()
                }
                false => suggestion(text, Algorithm::ALL.map(Algorithm::name), "algorithms"),
            };
            self.error(
                &name.span,
                format!("tokens with the algorithm `{text}` are not accepted"),
                hint,
            );
        }
        algorithm
    }
}
