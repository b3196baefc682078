//! `{ use = "cache", … }`

use std::time::Duration;

use crate::file::{CacheBy, CacheMode, CacheStage, Located, RefusedRefresh};
use crate::gateway::{CacheConfig, CacheFreshness, CacheKeyPart, CacheRefresh};
use crate::report::Span;
use crate::resolve::Resolver;

/// Amazon API Gateway's default and bound.
const TTL: Duration = Duration::from_secs(300);
const LONGEST_TTL: Duration = Duration::from_secs(3600);
/// More are hardly meant.
const MOST_PARTS: usize = 32;

impl Resolver<'_> {
    pub(super) fn cache(&mut self, stage: &CacheStage, span: &Span) -> Option<CacheConfig> {
        let CacheStage {
            stage: _,
            mode,
            ttl,
            key,
            by,
            object,
            variants,
            wait,
            heuristic,
            set_cookie,
            stale_while_revalidate,
            stale_if_error,
            refresh,
            refused_refresh,
            status,
        } = stage;
        let is_aws = *mode == CacheMode::Aws;
        let freshness = self.cache_freshness(*mode, ttl.as_ref(), *heuristic, span);
        let key = key.as_ref().map(|key| self.cache_key(key));
        let refresh = self.cache_refresh(refresh);
        let bytes = self.file.response_cache.value.bytes;
        if object.value > bytes {
            let message = format!(
                "bodies of {} do not fit into the {bytes} of all responses",
                object.value
            );
            let hint = "write a smaller size, or a larger `bytes` of `[response_cache]`";
            self.error(if object.span.is_empty() { span } else { &object.span }, message, hint);
        }
        let (unless_by, unless_refused) = match mode {
            CacheMode::Http => (CacheBy::Everybody, RefusedRefresh::Ignore),
            CacheMode::Aws => (CacheBy::Principal, RefusedRefresh::Forbid),
        };
        Some(CacheConfig {
            freshness: freshness?,
            key: match key {
                Some(parts) => Some(parts?),
                None => is_aws.then(Vec::new),
            },
            by: by.unwrap_or(unless_by),
            object_bytes: object.value,
            variants: variants.as_usize(),
            wait: wait.0,
            set_cookie: *set_cookie,
            stale_while_revalidate: stale_while_revalidate.0,
            stale_if_error: stale_if_error.0,
            refresh: refresh?,
            refused_refresh: refused_refresh.unwrap_or(unless_refused),
            status: *status,
        })
    }

    fn cache_freshness(
        &mut self,
        mode: CacheMode,
        ttl: Option<&Located<crate::file::Delay>>,
        heuristic: bool,
        span: &Span,
    ) -> Option<CacheFreshness> {
        match (mode, ttl) {
            (CacheMode::Http, None) => Some(CacheFreshness::Http { heuristic }),
            (CacheMode::Http, Some(ttl)) => {
                let hint = "add `mode = \"aws\"`, or leave it to responses to say how long they are fresh";
                self.error(&ttl.span, "`ttl` needs `mode = \"aws\"`", hint);
                None
            }
            (CacheMode::Aws, _) if heuristic => {
                let hint = "remove it: `ttl` says how long responses are fresh";
                self.error(span, "`heuristic` needs `mode = \"http\"`", hint);
                None
            }
            (CacheMode::Aws, Some(ttl)) if ttl.value.0 > LONGEST_TTL => {
                self.error(
                    &ttl.span,
                    format!("`{}` is more than an hour", ttl.value),
                    "write \"3600s\" or less",
                );
                None
            }
            (CacheMode::Aws, ttl) => Some(CacheFreshness::Ttl(ttl.map_or(TTL, |ttl| ttl.value.0))),
        }
    }

    fn cache_key(&mut self, key: &[Located<String>]) -> Option<Vec<CacheKeyPart>> {
        if let Some(one) = key.get(MOST_PARTS) {
            self.error(
                &one.span,
                format!("the key has more than {MOST_PARTS} parts"),
                "name fewer",
            );
            return None;
        }
        let parts: Vec<_> = key.iter().filter_map(|part| self.cache_key_part(part)).collect();
        (parts.len() == key.len()).then_some(parts)
    }

    fn cache_key_part(&mut self, part: &Located<String>) -> Option<CacheKeyPart> {
        let span = &part.span;
        match part.value.split_once(':') {
            Some(("query", name)) => self.query_name(name, span).map(CacheKeyPart::Query),
            Some(("header", name)) => self.readable_header(name, span).map(CacheKeyPart::Header),
            // Whether there is such a parameter depends on the route.
            Some(("path", name)) if !name.is_empty() => Some(CacheKeyPart::Path(name.to_owned())),
            Some(("attribute", name)) if !name.is_empty() => Some(CacheKeyPart::Attribute(name.to_owned())),
            _ => {
                let hint = "write \"query:NAME\", \"header:NAME\", \"path:NAME\" or \"attribute:NAME\"";
                self.error(
                    span,
                    format!("`{}` is not what requests are told apart by", part.value),
                    hint,
                );
                None
            }
        }
    }

    fn cache_refresh(&mut self, refresh: &Located<String>) -> Option<CacheRefresh> {
        match refresh.value.as_str() {
            "nobody" => Some(CacheRefresh::Nobody),
            "everybody" => Some(CacheRefresh::Everybody),
            "principal" => Some(CacheRefresh::Principal),
            other => match other.strip_prefix("scope:") {
                Some(scope) if !scope.is_empty() && !scope.contains(char::is_whitespace) => {
                    Some(CacheRefresh::Scope(scope.to_owned()))
                }
                _ => {
                    let hint = "write \"nobody\", \"everybody\", \"principal\" or \"scope:NAME\"";
                    self.error(
                        &refresh.span,
                        format!("`{other}` is not who may have responses fetched anew"),
                        hint,
                    );
                    None
                }
            },
        }
    }
}
