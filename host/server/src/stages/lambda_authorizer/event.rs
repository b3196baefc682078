//! What a Lambda authorizer is told ("Input to an API Gateway Lambda authorizer"; for HTTP APIs, "Payload format version").

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatewright_config::{AuthorizerEvent, LambdaAuthorizerConfig};
use gatewright_core::{ClientCertificate, Exchange};
use http::Version;
use http::header;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value as Json, json};

/// Makes events.
pub(super) struct Event {
    kind: AuthorizerEvent,
    /// `arn:aws:execute-api:REGION:ACCOUNT:API/STAGE`
    arn: String,
    account: String,
    api: String,
    stage: String,
    variables: Json,
    /// As the configuration has it.
    route_path: String,
}

impl Event {
    pub(super) fn new(config: &LambdaAuthorizerConfig, route_path: &str) -> Self {
        let variables = config.stage_variables.iter();
        let variables: Map<_, _> = variables.map(|(name, value)| (name.clone(), json!(value))).collect();
        let LambdaAuthorizerConfig {
            region,
            account,
            api,
            stage_name,
            ..
        } = config;
        Self {
            kind: config.event,
            arn: format!("arn:aws:execute-api:{region}:{account}:{api}/{stage_name}"),
            account: account.clone(),
            api: api.clone(),
            stage: stage_name.clone(),
            variables: if variables.is_empty() {
                Json::Null
            } else {
                variables.into()
            },
            route_path: route_path.to_owned(),
        }
    }

    pub(super) fn kind(&self) -> AuthorizerEvent {
        self.kind
    }

    /// The ARN of the method that is called.
    pub(super) fn arn(&self, exchange: &Exchange) -> String {
        let path = exchange.request.path();
        let path = path.strip_prefix('/').unwrap_or(path);
        format!("{}/{}/{path}", self.arn, exchange.request.method)
    }

    /// The event.
    pub(super) fn json(&self, exchange: &Exchange, arn: &str, identity: &[String]) -> Json {
        match self.kind {
            AuthorizerEvent::Token => {
                json!({ "type": "TOKEN", "methodArn": arn, "authorizationToken": identity.first() })
            }
            AuthorizerEvent::Request1 => self.request_1(exchange, arn, identity),
            AuthorizerEvent::Request2 => self.request_2(exchange, arn, identity),
        }
    }

    fn request_1(&self, exchange: &Exchange, arn: &str, identity: &[String]) -> Json {
        let request = &exchange.request;
        let (headers, query) = (fields(exchange), query(exchange));
        let (time, epoch) = received();
        json!({
            "version": "1.0",
            "type": "REQUEST",
            "methodArn": arn,
            "identitySource": identity.join(","),
            "authorizationToken": identity.join(","),
            "resource": self.route_path,
            "path": request.path(),
            "httpMethod": request.method.as_str(),
            "headers": last(&headers),
            "multiValueHeaders": lists(&headers),
            "queryStringParameters": last(&query),
            "multiValueQueryStringParameters": lists(&query),
            "pathParameters": parameters(exchange),
            "stageVariables": self.variables,
            "requestContext": {
                "accountId": self.account,
                "apiId": self.api,
                "domainName": request.host,
                "domainPrefix": request.host.split('.').next(),
                "extendedRequestId": exchange.id.to_string(),
                "httpMethod": request.method.as_str(),
                "identity": {
                    "accessKey": null,
                    "accountId": null,
                    "caller": null,
                    "clientCert": exchange.client.certificate.as_deref().map(certificate),
                    "cognitoAuthenticationProvider": null,
                    "cognitoAuthenticationType": null,
                    "cognitoIdentityId": null,
                    "cognitoIdentityPoolId": null,
                    "sourceIp": exchange.client.to_string(),
                    "user": null,
                    "userAgent": user_agent(exchange),
                    "userArn": null,
                },
                "path": request.path(),
                "protocol": protocol(request.version),
                "requestId": exchange.id.to_string(),
                "requestTime": time,
                "requestTimeEpoch": epoch,
                "resourceId": &*exchange.route,
                "resourcePath": self.route_path,
                "stage": self.stage,
            },
        })
    }

    fn request_2(&self, exchange: &Exchange, arn: &str, identity: &[String]) -> Json {
        let request = &exchange.request;
        let (time, epoch) = received();
        let route_key = format!("{} {}", request.method, self.route_path);
        let cookies = request.headers.get_all(header::COOKIE).iter();
        let cookies: Vec<_> = cookies
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';').map(str::trim))
            .collect();
        let authentication = exchange.client.certificate.as_deref();
        json!({
            "version": "2.0",
            "type": "REQUEST",
            "routeArn": arn,
            "identitySource": identity,
            "routeKey": route_key,
            "rawPath": request.path(),
            "rawQueryString": request.query().unwrap_or_default(),
            "cookies": cookies,
            "headers": joined(&fields(exchange)),
            "queryStringParameters": joined(&query(exchange)),
            "requestContext": {
                "accountId": self.account,
                "apiId": self.api,
                "authentication": authentication.map(|known| json!({ "clientCert": certificate(known) })),
                "domainName": request.host,
                "domainPrefix": request.host.split('.').next(),
                "http": {
                    "method": request.method.as_str(),
                    "path": request.path(),
                    "protocol": protocol(request.version),
                    "sourceIp": exchange.client.to_string(),
                    "userAgent": user_agent(exchange),
                },
                "requestId": exchange.id.to_string(),
                "routeKey": route_key,
                "stage": self.stage,
                "time": time,
                "timeEpoch": epoch,
            },
            "pathParameters": parameters(exchange),
            "stageVariables": self.variables,
        })
    }
}

type Values = BTreeMap<String, Vec<String>>;

fn fields(exchange: &Exchange) -> Values {
    let request = &exchange.request;
    let mut fields = Values::new();
    let authority = String::from_utf8_lossy(request.authority.as_bytes()).into_owned();
    fields.insert("host".to_owned(), vec![authority]);
    for (name, value) in &request.headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        fields.entry(name.as_str().to_owned()).or_default().push(value);
    }
    fields
}

fn query(exchange: &Exchange) -> Values {
    let decoded = |text: &str| {
        percent_decode_str(&text.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned()
    };
    let mut query = Values::new();
    let pairs = exchange.request.query().unwrap_or_default().split('&');
    for pair in pairs.filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        query.entry(decoded(name)).or_default().push(decoded(value));
    }
    query
}

/// Of each the last value; null instead of an empty map, as AWS has it.
fn last(values: &Values) -> Json {
    map(values.iter().map(|(name, values)| (name.clone(), json!(values.last()))))
}

fn lists(values: &Values) -> Json {
    map(values.iter().map(|(name, values)| (name.clone(), json!(values))))
}

fn joined(values: &Values) -> Json {
    map(values
        .iter()
        .map(|(name, values)| (name.clone(), json!(values.join(",")))))
}

fn parameters(exchange: &Exchange) -> Json {
    let parameters = exchange.parameters.iter();
    map(parameters.map(|(name, value)| (name.to_owned(), json!(percent_decode_str(value).decode_utf8_lossy()))))
}

fn map(entries: impl Iterator<Item = (String, Json)>) -> Json {
    let map: Map<_, _> = entries.collect();
    if map.is_empty() { Json::Null } else { Json::Object(map) }
}

fn user_agent(exchange: &Exchange) -> Option<String> {
    let value = exchange.request.headers.get(header::USER_AGENT)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}

/// Now, as logs write it and in milliseconds.
fn received() -> (String, u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::new(seconds, 0).map(|time| time.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string());
    (
        time.unwrap_or_default(),
        u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
    )
}

fn certificate(certificate: &ClientCertificate) -> Json {
    let of = |wanted: &str| {
        let mut attributes = certificate.attributes.iter();
        attributes
            .find(|(name, _)| *name == wanted)
            .map(|(_, value)| value.clone())
    };
    let encoded = STANDARD.encode(&certificate.der);
    let lines = encoded.as_bytes().chunks(64).map(String::from_utf8_lossy);
    let lines = lines.collect::<Vec<_>>().join("\n");
    json!({
        "clientCertPem": format!("-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"),
        "subjectDN": certificate.subject,
        "issuerDN": certificate.issuer,
        "serialNumber": of("auth.certificate.serial"),
        "validity": {
            "notBefore": of("auth.certificate.not_before"),
            "notAfter": of("auth.certificate.not_after"),
        },
    })
}
