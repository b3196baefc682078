//! Responses as they come over the wire, read strictly: what is not exactly HTTP/1.1 fails the test.

use std::io;

use serde_json::Value;

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawResponse {
    /// Version, as sent.
    pub version: String,
    /// Status.
    pub status: u16,
    /// Header fields in order, names as sent.
    pub headers: Vec<(String, String)>,
    /// Body, without chunk framing.
    pub body: Vec<u8>,
    /// Trailer fields.
    pub trailers: Vec<(String, String)>,
}

impl RawResponse {
    /// The value of a field that is there at most once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let values = self.header_values(name);
        assert!(values.len() <= 1, "`{name}` is there {} times: {self:?}", values.len());
        values.first().copied()
    }

    /// All values of a field.
    pub fn header_values(&self, name: &str) -> Vec<&str> {
        let same = |field: &&(String, String)| field.0.eq_ignore_ascii_case(name);
        self.headers
            .iter()
            .filter(same)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("the body is UTF-8")
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.text()))
    }

    /// The code in `x-gatewright-error`.
    pub fn error(&self) -> Option<&str> {
        self.header("x-gatewright-error")
    }

    /// Whether the server says that it closes the connection.
    pub fn closes(&self) -> bool {
        self.header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// Where bytes come from: gives at least one more byte, or none at the end.
pub(crate) trait Source {
    fn more(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize>;
}

/// Reads one response, interim ones too. `buffer` holds what has been read before and keeps what belongs to the next.
pub(crate) fn read(source: &mut impl Source, buffer: &mut Vec<u8>, to_head: bool) -> io::Result<RawResponse> {
    let first = line(source, buffer)?;
    let mut words = first.splitn(3, ' ');
    let version = words.next().unwrap_or_default().to_owned();
    let status = words.next().and_then(|word| word.parse().ok());
    let Some(status) = status.filter(|_| version == "HTTP/1.1" || version == "HTTP/1.0") else {
        return Err(malformed(format!("status line {first:?}")));
    };
    let mut response = RawResponse {
        version,
        status,
        headers: fields(source, buffer)?,
        body: Vec::new(),
        trailers: Vec::new(),
    };
    let lengths = response.header_values("content-length");
    let codings = response.header_values("transfer-encoding");
    if lengths.len() + codings.len() > 1 {
        return Err(malformed(format!("two lengths: {response:?}")));
    }
    if to_head || status < 200 || status == 204 || status == 304 {
        return Ok(response);
    }
    if let Some(length) = lengths.first() {
        let length: usize = length.parse().map_err(|_| malformed(format!("length {length:?}")))?;
        response.body = exactly(source, buffer, length)?;
    } else if codings.first().is_some_and(|coding| *coding == "chunked") {
        response.body = chunks(source, buffer)?;
        response.trailers = fields(source, buffer)?;
    } else {
        while source.more(buffer)? > 0 {}
        response.body = std::mem::take(buffer);
    }
    Ok(response)
}

fn chunks(source: &mut impl Source, buffer: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = line(source, buffer)?;
        let size = usize::from_str_radix(&size, 16).map_err(|_| malformed(format!("chunk size {size:?}")))?;
        if size == 0 {
            return Ok(body);
        }
        body.extend(exactly(source, buffer, size)?);
        if !line(source, buffer)?.is_empty() {
            return Err(malformed("no CRLF after a chunk"));
        }
    }
}

fn fields(source: &mut impl Source, buffer: &mut Vec<u8>) -> io::Result<Vec<(String, String)>> {
    let mut fields = Vec::new();
    loop {
        let line = line(source, buffer)?;
        if line.is_empty() {
            return Ok(fields);
        }
        match line.split_once(':') {
            Some((name, value)) if !name.is_empty() && !name.contains([' ', '\t']) => {
                fields.push((name.to_owned(), value.trim().to_owned()));
            }
            _ => return Err(malformed(format!("field {line:?}"))),
        }
    }
}

fn line(source: &mut impl Source, buffer: &mut Vec<u8>) -> io::Result<String> {
    loop {
        if let Some(end) = buffer.windows(2).position(|pair| pair == b"\r\n") {
            let line: Vec<u8> = buffer.drain(..end + 2).take(end).collect();
            if line.contains(&b'\n') || line.contains(&b'\r') {
                return Err(malformed(format!(
                    "bare CR or LF in {:?}",
                    String::from_utf8_lossy(&line)
                )));
            }
            return Ok(line.iter().map(|byte| char::from(*byte)).collect());
        }
        need_more(source, buffer)?;
    }
}

fn exactly(source: &mut impl Source, buffer: &mut Vec<u8>, length: usize) -> io::Result<Vec<u8>> {
    while buffer.len() < length {
        need_more(source, buffer)?;
    }
    Ok(buffer.drain(..length).collect())
}

fn need_more(source: &mut impl Source, buffer: &mut Vec<u8>) -> io::Result<()> {
    if source.more(buffer)? == 0 {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("the connection ended after {:?}", String::from_utf8_lossy(buffer)),
        ));
    }
    Ok(())
}

fn malformed(what: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed response: {what}"))
}
