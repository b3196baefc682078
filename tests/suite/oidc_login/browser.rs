//! curl as a browser: it keeps cookies, follows redirects, and sends forms of pages.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A browser with a profile of its own.
pub(super) struct Browser {
    profile: TempDir,
    ca: Option<String>,
}

/// Where a browser has arrived.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) status: u16,
    pub(super) url: String,
    pub(super) body: String,
}

impl Browser {
    pub(super) fn new() -> Self {
        Self {
            profile: tempfile::tempdir().unwrap(),
            ca: None,
        }
    }

    /// One that believes this authority.
    pub(super) fn believing(ca: &Path) -> Self {
        Self {
            ca: Some(ca.display().to_string()),
            ..Self::new()
        }
    }

    /// Opens a page, wherever that leads.
    pub(super) fn open(&self, url: &str) -> Page {
        self.run(&["--location", url])
    }

    /// Opens a page, and goes no further.
    pub(super) fn open_only(&self, url: &str) -> Page {
        self.run(&[url])
    }

    /// Sends the form of a page with these fields besides its hidden ones.
    pub(super) fn send(&self, page: &Page, fields: &[(&str, &str)]) -> Page {
        let action = attribute(&page.body, "action").unwrap_or_else(|| panic!("a page with a form: {page:?}"));
        let hidden = page
            .body
            .split("<input")
            .filter(|input| input.contains("type=\"hidden\""))
            .map(|input| {
                let name = attribute(input, "name").unwrap();
                format!("{name}={}", attribute(input, "value").unwrap_or_default())
            });
        let fields = fields.iter().map(|(name, value)| format!("{name}={value}"));
        let mut arguments = vec!["--location".to_owned(), action];
        for field in hidden.chain(fields) {
            arguments.extend(["--data-urlencode".to_owned(), field]);
        }
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        self.run(&arguments)
    }

    /// The lines of its cookies.
    pub(super) fn cookies(&self) -> String {
        std::fs::read_to_string(self.profile.path().join("cookies")).unwrap_or_default()
    }

    fn run(&self, arguments: &[&str]) -> Page {
        let cookies = self.profile.path().join("cookies");
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--show-error",
            "--max-time",
            "30",
            "--header",
            "accept: text/html",
        ])
        .args(["--write-out", "\n%{http_code} %{url_effective} %{redirect_url}"])
        .arg("--cookie")
        .arg(&cookies)
        .arg("--cookie-jar")
        .arg(&cookies)
        .args(self.ca.iter().flat_map(|ca| ["--cacert", ca]))
        .args(arguments);
        let output = curl.output().expect("curl, which `cargo xtask test` installs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let output = String::from_utf8(output.stdout).unwrap();
        let (body, written) = output.rsplit_once('\n').unwrap();
        let mut written = written.split(' ');
        let status = written.next().unwrap().parse().unwrap();
        let effective = written.next().unwrap();
        let url = written.next().filter(|url| !url.is_empty()).unwrap_or(effective);
        Page {
            status,
            url: url.to_owned(),
            body: body.to_owned(),
        }
    }
}

fn attribute(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("{name}=\""))?;
    let (value, _) = rest.split_once('"')?;
    Some(value.replace("&amp;", "&"))
}
