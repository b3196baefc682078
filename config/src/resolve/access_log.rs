//! `[access_log]`

use super::Resolver;
use crate::file::Located;
use crate::gateway::{AccessLogConfig, AccessLogOutput, LogField, LogValue, RouteConfig};
use crate::names::{self, Named, Variable, misspelt};
use crate::report::nearest;

impl Resolver<'_> {
    pub(super) fn access_log(&mut self) -> Option<AccessLogConfig> {
        let output = &self.file.access_log.value.output;
        let output = match output.value.as_str() {
            "stdout" => AccessLogOutput::Stdout,
            "off" => AccessLogOutput::Off,
            other => match other.strip_prefix("file:") {
                Some(path) => {
                    let path = Located {
                        value: path.to_owned(),
                        span: output.span.clone(),
                    };
                    AccessLogOutput::File(self.file_reference(&path, "access_log.output".to_owned())?)
                }
                None => {
                    let message = format!("`{other}` is not where access records can go");
                    self.error(&output.span, message, "write \"stdout\", \"off\" or \"file:PATH\"");
                    return None;
                }
            },
        };
        let fields = self.log_fields();
        let redact = self.file.access_log.value.redact.iter();
        Some(AccessLogConfig {
            output,
            fields: fields?,
            redact: redact.map(|name| name.to_ascii_lowercase()).collect(),
        })
    }

    fn log_fields(&mut self) -> Option<Vec<LogField>> {
        let file = self.file;
        let mut fields: Vec<LogField> = Vec::new();
        let mut good = true;
        for (index, field) in file.access_log.value.fields.iter().enumerate() {
            let name = field.value.as_str();
            if name == "standard" {
                fields.extend(LogField::standard());
                continue;
            }
            match value(name) {
                Ok(value) => fields.push(LogField {
                    name: name.to_owned(),
                    value,
                    place: self.report.place(&field.span, format!("access_log.fields[{index}]")),
                }),
                Err(hint) => {
                    self.error(&field.span, format!("`{name}` is not a field of access records"), hint);
                    good = false;
                }
            }
        }
        for (index, field) in fields.iter().enumerate() {
            let twice = fields.iter().take(index).any(|other| other.name == field.name);
            let entry = file
                .access_log
                .value
                .fields
                .iter()
                .rfind(|entry| entry.value == field.name || entry.value == "standard");
            if let (true, Some(entry)) = (twice, entry) {
                self.error(
                    &entry.span,
                    format!("the field `{}` is there twice", field.name),
                    "name it once",
                );
                good = false;
            }
        }
        if fields.is_empty() && good {
            let hint = "write `output = \"off\"` to log nothing, or leave `fields` out";
            self.error(&file.access_log.span, "access records have no fields", hint);
            good = false;
        }
        good.then_some(fields)
    }

    /// Checks that attributes in records are not nearly those that built-in stages set, where no stage of any route sets them.
    pub(super) fn log_spelling(&mut self, routes: &[RouteConfig]) {
        let file = self.file;
        // A route that could not be read may have the stage that does.
        if routes.len() != file.route.len() {
            return;
        }
        let stages = || routes.iter().flat_map(|route| &route.chain);
        for field in &file.access_log.value.fields {
            let Ok(LogValue::Named(Named::Attribute(name))) = value(&field.value) else {
                continue;
            };
            if let Some(right) = misspelt(&name).filter(|_| !stages().any(|stage| stage.kind.may_set(&name))) {
                let message = format!("no stage of any route sets `{name}`");
                self.error(&field.span, message, format!("write \"{right}\""));
            }
        }
    }
}

/// What the field of that name says.
fn value(name: &str) -> Result<LogValue, String> {
    match name {
        "query" => return Ok(LogValue::Query),
        "referer" => return Ok(LogValue::Header("referer".to_owned())),
        "user_agent" => return Ok(LogValue::Header("user-agent".to_owned())),
        _ if LogField::STANDARD.contains(&name) || LogField::MORE.contains(&name) => return Ok(LogValue::Record),
        _ => {}
    }
    match Named::read(name) {
        Ok(Named::Variable(Variable::Header(field))) => Ok(LogValue::Header(field)),
        Ok(Named::Variable(Variable::RequestQuery)) => Ok(LogValue::Query),
        Ok(named) => Ok(LogValue::Named(named)),
        Err(_) => {
            let known = || LogField::STANDARD.into_iter().chain(LogField::MORE);
            // As others write variables: `$remote_addr`, `{client}`.
            let bare = name.trim_start_matches(['$', '{']).trim_end_matches('}');
            let right = nearest(bare, known())
                .or_else(|| only_longer(bare, known()))
                .map(str::to_owned)
                .or_else(|| names::right_name(bare));
            Err(match right {
                Some(right) => format!("write \"{right}\""),
                None => {
                    let known: Vec<_> = known().map(|name| format!("\"{name}\"")).collect();
                    format!(
                        "there are \"standard\", {}, and the names that templates have",
                        known.join(", ")
                    )
                }
            })
        }
    }
}

/// The name that is this one with something behind it, such as `duration_ms` for `duration`.
fn only_longer<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let is_longer = |known: &&str| known.strip_prefix(name).is_some_and(|rest| rest.starts_with('_'));
    let mut longer = known.filter(is_longer);
    longer.next().filter(|_| longer.next().is_none())
}
