//! `[access_log]`

use super::Resolver;
use crate::file::Located;
use crate::gateway::{AccessLogConfig, AccessLogOutput};

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
                    AccessLogOutput::File(self.path(&path)?)
                }
                None => {
                    let message = format!("`{other}` is not where access records can go");
                    self.error(&output.span, message, "write \"stdout\", \"off\" or \"file:PATH\"");
                    return None;
                }
            },
        };
        Some(AccessLogConfig { output })
    }
}
