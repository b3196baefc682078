//! What a request says, in the lists that rules name.

use std::borrow::Cow;

/// A list of values that rules can look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum List {
    /// Parameters of the query.
    ArgsGet,
    /// Parameters of the body, fields of JSON included.
    ArgsPost,
    /// Cookies.
    Cookies,
    /// Header fields.
    Headers,
    /// Names of files in forms, by the names of the fields.
    Files,
    /// Header lines of the parts of a form, by the names of the fields.
    PartHeaders,
    /// Text in XML.
    XmlText,
    /// Attributes in XML.
    XmlAttributes,
    /// Path and query, as in the request line.
    Uri,
    /// The path.
    Filename,
    /// The last segment of the path.
    Basename,
    /// The query.
    QueryString,
    /// The method.
    Method,
    /// `HTTP/1.1`
    Protocol,
    /// Method, path with query, and protocol.
    Line,
    /// The body, as sent.
    Body,
    /// How the body is read: `URLENCODED`, `JSON`, `XML`, `MULTIPART`.
    BodyProcessor,
    /// The client's address.
    RemoteAddr,
    /// The bytes of all parameters together.
    ArgsSize,
    /// The bytes of all files together.
    FilesSize,
    /// `1` where a body is not what its content type says.
    BodyError,
}

impl List {
    /// How many there are.
    pub(crate) const COUNT: usize = 21;

    pub(crate) const ALL: [Self; Self::COUNT] = [
        Self::ArgsGet,
        Self::ArgsPost,
        Self::Cookies,
        Self::Headers,
        Self::Files,
        Self::PartHeaders,
        Self::XmlText,
        Self::XmlAttributes,
        Self::Uri,
        Self::Filename,
        Self::Basename,
        Self::QueryString,
        Self::Method,
        Self::Protocol,
        Self::Line,
        Self::Body,
        Self::BodyProcessor,
        Self::RemoteAddr,
        Self::ArgsSize,
        Self::FilesSize,
        Self::BodyError,
    ];

    pub(crate) fn index(self) -> usize {
        usize::from(self as u8)
    }

    /// As rules write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ArgsGet => "ARGS_GET",
            Self::ArgsPost => "ARGS_POST",
            Self::Cookies => "REQUEST_COOKIES",
            Self::Headers => "REQUEST_HEADERS",
            Self::Files => "FILES",
            Self::PartHeaders => "MULTIPART_PART_HEADERS",
            Self::XmlText => "XML:/*",
            Self::XmlAttributes => "XML://@*",
            Self::Uri => "REQUEST_URI",
            Self::Filename => "REQUEST_FILENAME",
            Self::Basename => "REQUEST_BASENAME",
            Self::QueryString => "QUERY_STRING",
            Self::Method => "REQUEST_METHOD",
            Self::Protocol => "REQUEST_PROTOCOL",
            Self::Line => "REQUEST_LINE",
            Self::Body => "REQUEST_BODY",
            Self::BodyProcessor => "REQBODY_PROCESSOR",
            Self::RemoteAddr => "REMOTE_ADDR",
            Self::ArgsSize => "ARGS_COMBINED_SIZE",
            Self::FilesSize => "FILES_COMBINED_SIZE",
            Self::BodyError => "REQBODY_ERROR",
        }
    }
}

/// A value and its name.
#[derive(Clone, Debug)]
pub(crate) struct Value<'r> {
    pub(crate) name: Cow<'r, [u8]>,
    pub(crate) value: Cow<'r, [u8]>,
}

/// What a request says.
#[derive(Clone, Debug, Default)]
pub struct Request<'r> {
    pub(crate) lists: [Vec<Value<'r>>; List::COUNT],
}

impl<'r> Request<'r> {
    /// Sets the value of a list that has one.
    pub fn set(&mut self, list: List, value: impl Into<Cow<'r, [u8]>>) {
        self.add(list, b"".as_slice(), value);
    }

    /// Adds a value to a list.
    pub fn add(&mut self, list: List, name: impl Into<Cow<'r, [u8]>>, value: impl Into<Cow<'r, [u8]>>) {
        if let Some(values) = self.lists.get_mut(list.index()) {
            values.push(Value {
                name: name.into(),
                value: value.into(),
            });
        }
    }
}
