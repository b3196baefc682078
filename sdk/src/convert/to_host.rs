//! What a plugin gives to the host.

use super::millis;
use crate::bindings::{authorizer, lifecycle, request_transform, response_transform, types};
use crate::{
    BodyEdit, BodyMode, ConfigError, Decision, Denial, Effect, Fault, FieldEdit, FieldSelection, Grant, Info, Part,
    RequestEdits, RequestOutcome, Response, ResponseEdits, ResponseOutcome, Reuse, Statement, TextEdit, Value,
};

impl From<Decision> for authorizer::Decision {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Allow(grant) => Self::Allow(grant.into()),
            Decision::Deny(denial) => Self::Deny(denial.into()),
            Decision::Abstain => Self::Abstain,
        }
    }
}

impl From<Grant> for authorizer::Grant {
    fn from(grant: Grant) -> Self {
        let Grant {
            principal,
            context,
            usage_key,
            scopes,
            policy,
            upstream_edits,
            ttl,
        } = grant;
        Self {
            principal,
            context: attributes(context),
            usage_key,
            scopes,
            policy: policy.into_iter().map(Into::into).collect(),
            upstream_edits: edits(upstream_edits),
            ttl: ttl.map(millis),
        }
    }
}

impl From<Denial> for authorizer::Denial {
    fn from(denial: Denial) -> Self {
        let Denial { response, reason, ttl } = denial;
        Self {
            response: response.into(),
            reason,
            ttl: ttl.map(millis),
        }
    }
}

impl From<Statement> for authorizer::Statement {
    fn from(statement: Statement) -> Self {
        let Statement { effect, methods, paths } = statement;
        let effect = match effect {
            Effect::Allow => authorizer::Effect::Allow,
            Effect::Deny => authorizer::Effect::Deny,
        };
        Self { effect, methods, paths }
    }
}

impl From<RequestOutcome> for request_transform::RequestOutcome {
    fn from(outcome: RequestOutcome) -> Self {
        match outcome {
            RequestOutcome::Proceed(edits) => Self::Proceed(edits.into()),
            RequestOutcome::Respond(response) => Self::Respond(response.into()),
        }
    }
}

impl From<RequestEdits> for request_transform::RequestEdits {
    fn from(request: RequestEdits) -> Self {
        let RequestEdits {
            method,
            path,
            query,
            authority,
            fields,
            body,
            attributes: values,
        } = request;
        Self {
            method: method.into(),
            path: path.into(),
            query: query.into(),
            authority: authority.into(),
            fields: edits(fields),
            body: body.into(),
            attributes: attributes(values),
        }
    }
}

impl From<ResponseOutcome> for response_transform::ResponseOutcome {
    fn from(outcome: ResponseOutcome) -> Self {
        match outcome {
            ResponseOutcome::Proceed(edits) => Self::Proceed(edits.into()),
            ResponseOutcome::Replace(response) => Self::Replace(response.into()),
        }
    }
}

impl From<ResponseEdits> for response_transform::ResponseEdits {
    fn from(response: ResponseEdits) -> Self {
        let ResponseEdits {
            status,
            fields,
            body,
            attributes: values,
        } = response;
        Self {
            status,
            fields: edits(fields),
            body: body.into(),
            attributes: attributes(values),
        }
    }
}

impl From<Response> for types::FullResponse {
    fn from(response: Response) -> Self {
        let Response { status, fields, body } = response;
        Self {
            head: types::ResponseHead {
                status,
                fields: fields.into(),
            },
            body,
        }
    }
}

impl From<FieldEdit> for types::FieldEdit {
    fn from(edit: FieldEdit) -> Self {
        match edit {
            FieldEdit::Set(name, value) => Self::Set((name, value)),
            FieldEdit::Append(name, value) => Self::Append((name, value)),
            FieldEdit::Remove(name) => Self::Remove(name),
        }
    }
}

impl From<TextEdit> for types::TextEdit {
    fn from(edit: TextEdit) -> Self {
        match edit {
            TextEdit::Keep => Self::Keep,
            TextEdit::Set(text) => Self::Set(text),
            TextEdit::Clear => Self::Clear,
        }
    }
}

impl From<BodyEdit> for types::BodyEdit {
    fn from(edit: BodyEdit) -> Self {
        match edit {
            BodyEdit::Keep => Self::Keep,
            BodyEdit::Replace(body) => Self::Replace(body),
            BodyEdit::Clear => Self::Clear,
        }
    }
}

impl From<Value> for types::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::Text(text) => Self::Text(text),
            Value::Number(number) => Self::Number(number),
            Value::Integer(number) => Self::Integer(number),
            Value::Truth(truth) => Self::Truth(truth),
            Value::Bytes(bytes) => Self::Bytes(bytes),
            Value::Json(text) => Self::Json(text),
        }
    }
}

impl From<Fault> for types::Fault {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unavailable(text) => Self::Unavailable(text),
            Fault::Misconfigured(text) => Self::Misconfigured(text),
            Fault::BadInput(text) => Self::BadInput(text),
            Fault::Internal(text) => Self::Internal(text),
        }
    }
}

impl From<Info> for lifecycle::PluginInfo {
    fn from(info: Info) -> Self {
        let Info {
            name,
            version,
            description,
            config_schema,
            parts,
            request_fields,
            response_fields,
            request_body,
            response_body,
            services,
            reuse,
        } = info;
        Self {
            name,
            version,
            description,
            config_schema,
            needs: lifecycle::Needs {
                parts: parts
                    .into_iter()
                    .fold(lifecycle::Part::empty(), |set, one| set | one.into()),
                request_fields: request_fields.into(),
                response_fields: response_fields.into(),
                request_body: request_body.into(),
                response_body: response_body.into(),
            },
            services: services.into_iter().map(|service| service.name().to_owned()).collect(),
            reuse: match reuse {
                Reuse::Fresh => lifecycle::Reuse::Fresh,
                Reuse::Serial => lifecycle::Reuse::Serial,
            },
        }
    }
}

impl From<FieldSelection> for lifecycle::FieldSelection {
    fn from(selection: FieldSelection) -> Self {
        match selection {
            FieldSelection::None => Self::None,
            FieldSelection::Named(names) => Self::Named(names),
            FieldSelection::All => Self::All,
        }
    }
}

impl From<BodyMode> for lifecycle::BodyMode {
    fn from(mode: BodyMode) -> Self {
        match mode {
            BodyMode::None => Self::None,
            BodyMode::Buffered => Self::Buffered,
            BodyMode::Chunks => Self::Chunks,
        }
    }
}

impl From<Part> for lifecycle::Part {
    fn from(part: Part) -> Self {
        match part {
            Part::Method => Self::METHOD,
            Part::Authority => Self::AUTHORITY,
            Part::Path => Self::PATH,
            Part::Query => Self::QUERY,
            Part::Parameters => Self::PARAMETERS,
            Part::Route => Self::ROUTE,
            Part::Peer => Self::PEER,
            Part::Certificate => Self::CERTIFICATE,
            Part::Attributes => Self::ATTRIBUTES,
            Part::TraceParent => Self::TRACE_PARENT,
        }
    }
}

impl From<ConfigError> for lifecycle::ConfigError {
    fn from(error: ConfigError) -> Self {
        Self {
            at: error.at,
            message: error.message,
        }
    }
}

fn attributes(attributes: Vec<(String, Value)>) -> Vec<(String, types::Value)> {
    attributes
        .into_iter()
        .map(|(name, value)| (name, value.into()))
        .collect()
}

fn edits(edits: Vec<FieldEdit>) -> Vec<types::FieldEdit> {
    edits.into_iter().map(Into::into).collect()
}
