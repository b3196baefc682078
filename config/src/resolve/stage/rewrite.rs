//! `{ use = "rewrite", … }`

use std::collections::BTreeMap;

use crate::file::{self, Located, RewriteStage};
use crate::gateway::{PathEdit, QueryEdits, RewriteConfig, ValueTemplate};
use crate::report::Span;
use crate::resolve::Resolver;
use crate::resolve::path::normal_text;
use crate::resolve::template::Place;

impl Resolver<'_> {
    pub(super) fn rewrite(&mut self, stage: &RewriteStage, span: &Span) -> Option<RewriteConfig> {
        let RewriteStage {
            stage: _,
            path,
            strip_prefix,
            add_prefix,
            query,
        } = stage;
        let strip = strip_prefix.as_ref().map(|prefix| self.prefix(prefix));
        let add = add_prefix.as_ref().map(|prefix| self.prefix(prefix));
        // Chains belong to several routes, so which parameters there are is not known here.
        let template = path.as_ref().map(|path| self.upstream_path(path, None));
        if let (Some(path), true) = (path, strip.is_some() || add.is_some()) {
            let hint = "keep `path`, or `strip_prefix` and `add_prefix`";
            self.error(&path.span, "the whole path is replaced, and so are its prefixes", hint);
        }
        let query = self.query_edits(query)?;
        let changes = template.is_some() || strip.is_some() || add.is_some() || !query.is_empty();
        if !changes && !self.report.is_damaged(span) {
            let hint = "add `path`, `strip_prefix`, `add_prefix` or `query`, such as `strip_prefix = \"/api\"`";
            self.error(span, "it changes nothing", hint);
        }
        let prefix = |prefix: Option<Option<String>>| match prefix {
            Some(prefix) => prefix,
            None => Some(String::new()),
        };
        Some(RewriteConfig {
            path: match template {
                Some(template) => PathEdit::Template(template?),
                None => PathEdit::Prefix {
                    strip: prefix(strip)?,
                    add: prefix(add)?,
                },
            },
            query,
        })
    }

    /// Whole segments, without a slash at the end.
    fn prefix(&mut self, prefix: &Located<String>) -> Option<String> {
        let text = prefix.value.trim_end_matches('/');
        let normal = match text.starts_with('/') && !text.contains("//") {
            true => normal_text(text),
            false => Err("it is not whole segments after `/`".to_owned()),
        };
        normal.map_or_else(
            |reason| {
                let message = format!("`{}` is not the start of a path: {reason}", prefix.value);
                self.error(&prefix.span, message, "write one such as \"/api\"");
                None
            },
            Some,
        )
    }

    fn query_edits(&mut self, edits: &file::QueryEdits) -> Option<QueryEdits> {
        let file::QueryEdits {
            remove,
            rename,
            set,
            append,
        } = edits;
        let remove: Vec<_> = remove
            .iter()
            .map(|name| self.query_name(&name.value, &name.span))
            .collect();
        let rename: Vec<_> = rename
            .iter()
            .map(|(from, to)| {
                let names = (self.query_name(from, &to.span), self.query_name(&to.value, &to.span));
                Some((names.0?, names.1?))
            })
            .collect();
        let set = self.query_values(set);
        let append = self.query_values(append);
        Some(QueryEdits {
            remove: remove.into_iter().collect::<Option<_>>()?,
            rename: rename.into_iter().collect::<Option<_>>()?,
            set: set?,
            append: append?,
        })
    }

    fn query_values(&mut self, values: &BTreeMap<String, Located<String>>) -> Option<Vec<(String, ValueTemplate)>> {
        let values: Vec<_> = values
            .iter()
            .map(|(name, value)| {
                let name = self.query_name(name, &value.span);
                let value = self.value_template(value, None, Place::Request);
                Some((name?, value?))
            })
            .collect();
        values.into_iter().collect()
    }
}
