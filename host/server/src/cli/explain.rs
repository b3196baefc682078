//! `gatewright explain`; [`human`] writes it for people.

mod human;

use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use gatewright_core::path::{Encoding, Encodings};
use http::header::{HOST, HeaderName, HeaderValue};
use http::{Method, Request, Uri};
use http_body_util::Full;

use super::compile_plugin;
use super::config_file::ConfigOption;
use super::output::{failure, mistake, print};
use super::progress::Progress;
use crate::explain::{Explaining, HEADER};
use crate::process::{ExplainError, Question, explain};

/// Explains what becomes of a request: which route serves it and why, what each stage and plugin does to it, what limits
/// are left, what the client gets. Plugins really run. Nobody is asked, unless --online says so.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The method.
    method: Method,
    /// The URL, or a path for the host `localhost`.
    url: Uri,
    #[command(flatten)]
    config: ConfigOption,
    /// A header field, as `NAME: VALUE`. May be given several times.
    #[arg(short = 'H', long = "header", value_name = "FIELD", value_parser = field)]
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The body: a file, or `-` for standard input.
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// The listener that the request comes in by, where there are several. It comes without TLS.
    #[arg(long)]
    listener: Option<String>,
    /// The address that the request comes from.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    client: IpAddr,
    /// Ask upstreams, and let plugins send requests. Otherwise an empty response stands for the upstream's.
    #[arg(long)]
    online: bool,
    /// How it is written.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Explain nothing, but print the header field with which a gateway that runs explains this request. It is good for so
    /// many seconds, 3600 at most.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    sign: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Human,
    /// One JSON object.
    Json,
}

impl Explain {
    /// Does it.
    pub(super) fn execute(self) -> ExitCode {
        if let Some(seconds) = self.sign {
            return self.print_field(Duration::from_secs(seconds));
        }
        let (config, format) = (self.config.path().to_owned(), self.format);
        let question = match self.question() {
            Ok(question) => question,
            Err(message) => return mistake(message),
        };
        match explain(&config, question, &compile_plugin::in_child(Progress::printed())) {
            Ok(explained) if format == Format::Json => {
                print(format_args!("{explained:#}\n"));
                ExitCode::SUCCESS
            }
            Ok(explained) => {
                print(human::Human(&explained));
                ExitCode::SUCCESS
            }
            Err(error @ ExplainError::NoAnswer(_)) => failure(error),
            Err(error) => mistake(error),
        }
    }

    fn question(self) -> Result<Question, String> {
        let body = match &self.body {
            None => Vec::new(),
            Some(file) if file.as_os_str() == "-" => {
                let mut body = Vec::new();
                let read = std::io::stdin().read_to_end(&mut body);
                read.map_err(|error| {
                    format!(
                        "cannot read the body from standard input: {}",
                        gatewright_config::reason(&error)
                    )
                })?;
                body
            }
            Some(file) => std::fs::read(file).map_err(|error| {
                format!(
                    "cannot read the body from {}: {}",
                    file.display(),
                    gatewright_config::reason(&error)
                )
            })?,
        };
        let target = self.url.path_and_query().map_or("/", |target| target.as_str());
        let mut request = Request::builder().method(self.method).uri(target);
        if !self.headers.iter().any(|(name, _)| name == HOST) {
            let authority = self.url.authority().map_or("localhost", |authority| authority.as_str());
            request = request.header(HOST, authority);
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        Ok(Question {
            listener: self.listener,
            client: self.client,
            online: self.online,
            request: request.body(Full::from(body)).map_err(|error| error.to_string())?,
        })
    }

    fn print_field(&self, lifetime: Duration) -> ExitCode {
        let config = match gatewright_config::load(self.config.path()) {
            Ok(config) => config,
            Err(error) => return mistake(error),
        };
        // As it is before its route is known.
        let encodings = Encodings {
            slash: Encoding::Keep,
            percent: Encoding::Keep,
        };
        let path = match encodings.normalise(self.url.path()) {
            Ok(path) => path,
            Err(error) => return mistake(format_args!("{}: {error}", self.url.path())),
        };
        match Explaining::live(config.admin.as_ref(), &Default::default()) {
            Ok(Some(Explaining {
                signature: Some(signature),
                ..
            })) => {
                let value = signature.sign(self.method.as_str(), &path, lifetime);
                print(format_args!("{HEADER}: {value}\n"));
                ExitCode::SUCCESS
            }
            Ok(_) => mistake(format_args!(
                "{}: there is no `explain_key` under `[admin]`, so the gateway explains no live requests",
                self.config.path().display()
            )),
            Err(error) => match &config.admin {
                Some(admin) => mistake(error.mistake(admin)),
                None => failure(error),
            },
        }
    }
}

fn field(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("it is not NAME: VALUE")?;
    let name = HeaderName::try_from(name.trim()).map_err(|error| error.to_string())?;
    let value = HeaderValue::try_from(value.trim()).map_err(|error| error.to_string())?;
    Ok((name, value))
}
