//! The plan of one route, and why there is none.

use gatewright_config::{
    BodyConfig, ByteSize, CacheConfig, DecompressConfig, GatewayConfig, IntegrationConfig, Place, PluginConfig,
    PluginIntegrationConfig, PluginStageConfig, RequestSizeConfig, RouteConfig, SigV4Config, StageKind, ValidateConfig,
    WafConfig, WafLarger, WafMode,
};
use gatewright_wasm::{GivenBodies, PluginKind, PluginSummary};

use super::bodies::{Guest, OnItsWay, Walk, step};
use super::{BodyPlan, Handling, Impossible};

/// How many times its text the tree of a JSON text may take.
const TREE: u64 = 32;

/// Makes the plan of a route. `plugin` knows the plugins that are loaded; one that is not answers nothing and holds
/// nothing.
///
/// # Errors
/// When the chain cannot work.
pub fn plan<'a>(
    route: &RouteConfig,
    config: &GatewayConfig,
    plugin: impl Fn(&str) -> Option<&'a PluginSummary>,
) -> Result<BodyPlan, Impossible> {
    let mut planning = Planning {
        route,
        config,
        limit: request_limit(route, config),
        walk: Walk::new(),
        notes: Vec::new(),
    };
    let mut cached = false;
    for stage in &route.chain {
        match &stage.kind {
            StageKind::Plugin(use_) => {
                if let Some(summary) = plugin(&use_.plugin) {
                    if cached {
                        comes_after_cache(use_, &stage.place, summary)?;
                    }
                    planning.request(use_, &stage.place, summary)?;
                }
            }
            StageKind::Body(config) => planning.make_request(config),
            StageKind::Cache(_) => cached = true,
            StageKind::Decompress(config) => planning.decode_request(config),
            StageKind::RequestSize(config) => planning.request_size(config),
            StageKind::SigV4(config) => planning.sigv4(config, &stage.place)?,
            StageKind::Validate(config) => planning.validate(config),
            StageKind::Waf(config) => planning.waf(config),
            StageKind::ApiKey(_)
            | StageKind::Basic(_)
            | StageKind::Compress(_)
            | StageKind::CorrelationId(_)
            | StageKind::Cors(_)
            | StageKind::ForwardAuth(_)
            | StageKind::Headers(_)
            | StageKind::Ip(_)
            | StageKind::Jwt(_)
            | StageKind::LambdaAuthorizer(_)
            | StageKind::Mtls(_)
            | StageKind::Oauth2Introspection(_)
            | StageKind::OidcLogin(_)
            | StageKind::Policy(_)
            | StageKind::Redirect(_)
            | StageKind::Rewrite(_)
            | StageKind::Concurrency(_)
            | StageKind::Quota(_)
            | StageKind::UsagePlan(_)
            | StageKind::Shed(_)
            | StageKind::Throttle(_) => {}
        }
    }
    match &route.integration {
        IntegrationConfig::Http(http) => planning.http(&format!("http:{}", http.upstream)),
        IntegrationConfig::Respond(respond) => {
            planning.respond(&format!("respond:{}", respond.status), respond.body.len())
        }
        IntegrationConfig::Plugin(use_) => planning.integration(use_, plugin(&use_.plugin))?,
    }
    for stage in route.chain.iter().rev() {
        match &stage.kind {
            StageKind::Plugin(use_) => {
                if let Some(summary) = plugin(&use_.plugin) {
                    planning.response(use_, &stage.place, summary)?;
                }
            }
            StageKind::Body(config) => planning.make_response(config),
            StageKind::Cache(cache) => planning.cache(cache),
            StageKind::Compress(_) => planning.encode_response(),
            StageKind::Decompress(config) => planning.decode_response(config),
            StageKind::ApiKey(_)
            | StageKind::Basic(_)
            | StageKind::Concurrency(_)
            | StageKind::CorrelationId(_)
            | StageKind::Cors(_)
            | StageKind::ForwardAuth(_)
            | StageKind::Headers(_)
            | StageKind::Ip(_)
            | StageKind::Jwt(_)
            | StageKind::Quota(_)
            | StageKind::LambdaAuthorizer(_)
            | StageKind::Mtls(_)
            | StageKind::Oauth2Introspection(_)
            | StageKind::OidcLogin(_)
            | StageKind::Policy(_)
            | StageKind::Redirect(_)
            | StageKind::RequestSize(_)
            | StageKind::Rewrite(_)
            | StageKind::SigV4(_)
            | StageKind::Shed(_)
            | StageKind::Throttle(_)
            | StageKind::UsagePlan(_)
            | StageKind::Validate(_)
            | StageKind::Waf(_) => {}
        }
    }
    Ok(planning.done())
}

/// What the cache has would be served to those whom this one keeps out.
fn comes_after_cache(use_: &PluginStageConfig, place: &Place, plugin: &PluginSummary) -> Result<(), Impossible> {
    if !plugin.kinds.contains(&PluginKind::Authorizer) {
        return Ok(());
    }
    let name = &use_.plugin;
    Err(Impossible {
        place: place.clone(),
        reason: format!(
            "plugin `{name}` is an authorizer and comes after `cache`: what the cache has would be served to everybody; put \
             it before `cache`"
        ),
    })
}

/// The largest body that any of its listeners lets in.
fn request_limit(route: &RouteConfig, config: &GatewayConfig) -> ByteSize {
    let serves = |name: &String| route.listeners.is_empty() || route.listeners.contains(name);
    let listeners = config.listeners.iter().filter(|(name, _)| serves(name));
    let largest = listeners.map(|(_, listener)| listener.limits.body_bytes).max();
    route.body_bytes.or(largest).unwrap_or_default()
}

struct Planning<'a> {
    route: &'a RouteConfig,
    config: &'a GatewayConfig,
    limit: ByteSize,
    walk: Walk,
    notes: Vec<String>,
}

impl Planning<'_> {
    /// A plugin of the chain sees the request.
    fn request(&mut self, use_: &PluginStageConfig, place: &Place, plugin: &PluginSummary) -> Result<(), Impossible> {
        let name = use_.plugin.as_str();
        let limits = self.limits(name);
        let has = |kind| plugin.kinds.contains(&kind);
        let given = plugin.needs.bodies.requests(&use_.config, &use_.request_bodies);
        let reads = plugin.needs.request_body && !given.is_nothing();
        if reads || plugin.needs.request_chunks && !given.is_nothing() {
            self.given(name, "requests", &given);
        }
        if has(PluginKind::Authorizer) || has(PluginKind::RequestTransform) {
            if reads {
                self.fits(name, place, use_.body_bytes, &limits)?;
                self.collect(name, place, use_.body_bytes, &given)?;
            }
            self.walk.runs(name, guest(&limits));
            if reads && has(PluginKind::RequestTransform) {
                self.walk.request_body = replaced(self.walk.request_body, &limits);
                self.walk.holds(name);
            }
        }
        if plugin.needs.request_chunks && !given.is_nothing() {
            let longest = self.walk.request_body.longest().unwrap_or(self.limit.0);
            self.walk.filter_request(name, guest(&limits), longest);
            self.walk.request.push(step(name, filters(&limits)));
        }
        Ok(())
    }

    /// A body is compared with its signature as a whole.
    fn sigv4(&mut self, stage: &SigV4Config, place: &Place) -> Result<(), Impossible> {
        const NAME: &str = "sigv4";
        let most = stage.body_bytes;
        let longest = self.walk.request_body.longest().unwrap_or(self.limit.0);
        if stage.unsigned_payload {
            // What is not signed goes by, however long it is.
            let before = self.walk.request_body;
            let most_bytes = self.walk.collect_request(NAME, most.0.min(longest));
            self.walk.request_body = before;
            let status_above = None;
            self.walk.request.push(step(
                NAME,
                Handling::Keeps {
                    most_bytes,
                    status_above,
                },
            ));
            return Ok(());
        }
        if let Some(allowed) = self
            .route
            .body_bytes
            .filter(|allowed| *allowed > most && longest > most.0)
        {
            let reason = format!(
                "the route lets in bodies of {allowed}, but stage `{NAME}` compares whole bodies and takes at most {most}; set \
                 `body = \"{allowed}\"` of the stage, or a lower `body` of the route"
            );
            return Err(Impossible {
                place: place.clone(),
                reason,
            });
        }
        let does = Handling::Keeps {
            most_bytes: self.walk.collect_request(NAME, most.0.min(longest)),
            status_above: (longest > most.0).then_some(413),
        };
        self.walk.request.push(step(NAME, does));
        Ok(())
    }

    /// Nothing longer comes by from here on.
    fn request_size(&mut self, config: &RequestSizeConfig) {
        if let Some(most) = config.body_bytes {
            self.limit = self.limit.min(most);
        }
    }

    /// What is validated is held, and for a while what was read of it too.
    fn validate(&mut self, config: &ValidateConfig) {
        if config.schema.is_none() {
            return;
        }
        let most = config.body_bytes.0;
        let longest = self.walk.request_body.longest().unwrap_or(self.limit.0);
        let status_above = (longest > most).then_some(413);
        let most_bytes = self.walk.collect_request("validate", most);
        self.walk.works("validate", most_bytes.saturating_mul(TREE));
        self.walk.request.push(step(
            "validate",
            Handling::Keeps {
                most_bytes,
                status_above,
            },
        ));
    }

    /// A template makes the request's body.
    fn make_request(&mut self, config: &BodyConfig) {
        if config.request.is_some() {
            let most = config.body_bytes.0;
            let read = self.walk.collect_request("body", most);
            self.walk.works(
                "body",
                read.saturating_mul(2 * TREE).saturating_add(config.output_bytes.0),
            );
            self.walk.request_body = OnItsWay::Held(config.output_bytes.0);
            self.walk.holds("body");
            self.walk.request.push(made(config));
        }
    }

    fn make_response(&mut self, config: &BodyConfig) {
        if config.response.is_some() {
            let read = self.walk.collect_response("body", config.body_bytes.0);
            self.walk.works(
                "body",
                read.saturating_mul(2 * TREE).saturating_add(config.output_bytes.0),
            );
            self.walk.response_body = OnItsWay::Held(config.output_bytes.0);
            self.walk.holds("body");
            self.walk.response.push(made(config));
        }
    }

    /// What comes in may become longer, and is held no more than a chunk at a time.
    fn decode_request(&mut self, config: &DecompressConfig) {
        if !config.request {
            return;
        }
        let most = config.body_bytes.0;
        let longest = self.walk.request_body.longest().unwrap_or(self.limit.0);
        // What is not encoded stays as long as it was.
        self.walk.code_request("decompress", longest.max(most));
        self.walk
            .request
            .push(step("decompress", Handling::Codes { most_bytes: Some(most) }));
    }

    fn decode_response(&mut self, config: &DecompressConfig) {
        if config.response {
            let most_bytes = Some(config.body_bytes.0);
            self.walk.code_response("decompress", config.body_bytes.0);
            self.walk
                .response
                .push(step("decompress", Handling::Codes { most_bytes }));
        }
    }

    fn encode_response(&mut self) {
        // What cannot be compressed becomes a little longer.
        self.walk.code_response("compress", 1 << 10);
        self.walk
            .response
            .push(step("compress", Handling::Codes { most_bytes: None }));
    }

    /// What is inspected is held once as it came, and once more where it is decoded for it.
    fn waf(&mut self, config: &WafConfig) {
        let most = config.body_bytes.0;
        if most == 0 {
            return;
        }
        let longest = self.walk.request_body.longest().unwrap_or(self.limit.0);
        let refuses = config.mode == WafMode::Block && config.larger == WafLarger::Refuse;
        let status_above = (refuses && longest > most).then_some(413);
        let most_bytes = most.min(longest);
        self.walk.inspects("waf", most_bytes.saturating_mul(2));
        if status_above.is_some() {
            self.notes.push(format!(
                "bodies of text, forms, JSON and XML over {} are answered 413 because of stage `waf`, though the route lets in {}",
                config.body_bytes, self.limit
            ));
        }
        self.walk.request.push(step(
            "waf",
            Handling::Inspects {
                most_bytes,
                status_above,
            },
        ));
    }

    fn cache(&mut self, cache: &CacheConfig) {
        let most_bytes = cache.object_bytes.0;
        self.walk.keeps("cache", most_bytes);
        self.walk.response.push(step("cache", Handling::Copies { most_bytes }));
    }

    fn http(&mut self, name: &str) {
        let does = match self.walk.request_body {
            OnItsWay::Streaming | OnItsWay::Bounded(_) => Handling::Streams,
            OnItsWay::Held(_) => Handling::SendsCollected,
        };
        // An upstream may answer before it has read what was collected, so that is held until the end.
        self.walk.request.push(step(name, does));
        self.walk.response_body = OnItsWay::Streaming;
        self.walk.response.push(step(name, Handling::Streams));
    }

    fn respond(&mut self, name: &str, length: usize) {
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        self.walk.request.push(step(name, Handling::Ignores));
        self.walk.response_body = OnItsWay::Held(length);
        self.walk
            .response
            .push(step(name, Handling::Makes { most_bytes: length }));
        self.walk.holds(name);
    }

    fn integration(
        &mut self,
        use_: &PluginIntegrationConfig,
        plugin: Option<&PluginSummary>,
    ) -> Result<(), Impossible> {
        let name = use_.plugin.as_str();
        let Some(plugin) = plugin else { return Ok(()) };
        let limits = self.limits(name);
        if plugin.standard.is_some() {
            self.http(name);
            self.walk.serves(name, guest(&limits));
            return Ok(());
        }
        // It gets the body whether it reads it or not.
        if plugin.needs.request_body {
            self.fits(name, &use_.place, use_.body_bytes, &limits)?;
        }
        self.collect(name, &use_.place, use_.body_bytes, &GivenBodies::default())?;
        self.walk.runs(name, guest(&limits));
        self.walk.request_body = OnItsWay::Held(0);
        let most_bytes = limits.output_bytes.0.min(limits.host_call_bytes.0);
        self.walk.response_body = OnItsWay::Held(most_bytes);
        self.walk.response.push(step(name, Handling::Makes { most_bytes }));
        Ok(())
    }

    /// A plugin of the chain sees the response.
    fn response(&mut self, use_: &PluginStageConfig, place: &Place, plugin: &PluginSummary) -> Result<(), Impossible> {
        let given = plugin.needs.bodies.responses(&use_.config, &use_.response_bodies);
        if (plugin.needs.response_body || plugin.needs.response_chunks) && !given.is_nothing() {
            self.given(&use_.plugin, "responses", &given);
        }
        if plugin.kinds.contains(&PluginKind::ResponseTransform) {
            self.transform(use_, place, plugin, &given)?;
        }
        if plugin.needs.response_chunks && !given.is_nothing() {
            let limits = self.limits(&use_.plugin);
            self.walk.filter_response(&use_.plugin, guest(&limits));
            self.walk.response.push(step(&use_.plugin, filters(&limits)));
        }
        Ok(())
    }

    fn transform(
        &mut self,
        use_: &PluginStageConfig,
        place: &Place,
        plugin: &PluginSummary,
        given: &GivenBodies,
    ) -> Result<(), Impossible> {
        let name = use_.plugin.as_str();
        let limits = self.limits(name);
        let reads = plugin.needs.response_body && !given.is_nothing();
        if reads {
            let most = use_.body_bytes;
            self.fits(name, place, most, &limits)?;
            if !given.is_selective() {
                self.fixed_answer_fits(name, place, most)?;
            }
            let longer = self.walk.response_body.longest().is_none_or(|bytes| bytes > most.0);
            if matches!(self.walk.response_body, OnItsWay::Streaming) {
                self.notes.push(format!(
                    "what the upstream streams, such as server-sent events, reaches the client only after its end: \
                     plugin `{name}` reads the whole body"
                ));
            }
            let does = Handling::Collects {
                most_bytes: self.walk.collect_response(name, most.0),
                status_above: longer.then_some(502),
            };
            self.walk.response.push(step(name, does));
        }
        self.walk.runs(name, guest(&limits));
        if reads {
            self.walk.response_body = replaced(self.walk.response_body, &limits);
            self.walk.holds(name);
        }
        Ok(())
    }

    /// A plugin waits for the whole body of the request.
    fn collect(&mut self, name: &str, place: &Place, most: ByteSize, given: &GivenBodies) -> Result<(), Impossible> {
        let longest = self.walk.request_body.longest().unwrap_or(self.limit.0);
        let streams_past = given.longest().is_some_and(|longest| longest <= most.0);
        let status_above = (longest > most.0 && !streams_past).then_some(413);
        if let Some(allowed) = self
            .route
            .body_bytes
            .filter(|allowed| *allowed > most && longest > most.0 && !given.is_selective())
        {
            return Err(Impossible {
                place: place.clone(),
                reason: format!(
                    "the route lets in bodies of {allowed}, but plugin `{name}` reads the whole body and takes at most \
                     {most}; set `body = \"{allowed}\"` where the plugin is used, or a lower `body` of the route"
                ),
            });
        }
        if status_above.is_some() && matches!(self.walk.request_body, OnItsWay::Streaming) {
            self.notes.push(format!(
                "bodies over {most} are answered 413 because of plugin `{name}`, though the listener lets in {}",
                self.limit
            ));
        }
        let most_bytes = self.walk.collect_request(name, most.0.min(longest));
        let does = Handling::Collects {
            most_bytes,
            status_above,
        };
        self.walk.request.push(step(name, does));
        Ok(())
    }

    /// What a plugin is given, where it is not given everything.
    fn given(&mut self, name: &str, of: &str, given: &GivenBodies) {
        let types = given.types().map(|types| format!(" of type {types}"));
        let longest = given
            .longest()
            .map(|longest| format!(" of at most {}", ByteSize(longest)));
        if given.is_selective() {
            self.notes.push(format!(
                "plugin `{name}` is given bodies of {of}{}{}; other bodies stream past it",
                types.unwrap_or_default(),
                longest.unwrap_or_default(),
            ));
        }
    }

    /// The body is copied into the instance's memory, and cannot be as large as all of it.
    fn fits(&self, name: &str, place: &Place, most: ByteSize, limits: &PluginConfig) -> Result<(), Impossible> {
        if most < limits.memory {
            return Ok(());
        }
        let memory = limits.memory;
        Err(Impossible {
            place: place.clone(),
            reason: format!(
                "plugin `{name}` may be given bodies of {most}, which do not fit into its memory of {memory}; set `memory` \
                 of `[plugin.{name}]` to a multiple of it, or a lower `body` where the plugin is used"
            ),
        })
    }

    /// An answer that never changes is too large for the plugin always or never.
    fn fixed_answer_fits(&self, name: &str, place: &Place, most: ByteSize) -> Result<(), Impossible> {
        match &self.route.integration {
            IntegrationConfig::Respond(respond) if respond.body.len() as u64 > most.0 => Err(Impossible {
                place: place.clone(),
                reason: format!(
                    "the route answers with a body of {} bytes, but plugin `{name}` reads the whole body and takes at most \
                     {most}; set a higher `body` where the plugin is used",
                    respond.body.len()
                ),
            }),
            _ => Ok(()),
        }
    }

    fn limits(&self, name: &str) -> PluginConfig {
        self.config.plugin.get(name).cloned().unwrap_or_default()
    }

    fn done(self) -> BodyPlan {
        BodyPlan {
            request_limit_bytes: self.limit.0,
            request: self.walk.request,
            response: self.walk.response,
            memory: self.walk.peak,
            notes: self.notes,
        }
    }
}

fn made(config: &BodyConfig) -> super::BodyStep {
    step(
        "body",
        Handling::Remakes {
            most_bytes: config.body_bytes.0,
            made_bytes: config.output_bytes.0,
        },
    )
}

fn guest(limits: &PluginConfig) -> Guest {
    Guest {
        memory_bytes: limits.memory.0,
        host_call_bytes: limits.host_call_bytes.0,
        output_bytes: limits.output_bytes.0,
    }
}

fn filters(limits: &PluginConfig) -> Handling {
    Handling::Filters {
        chunk_bytes: limits.output_bytes.0.min(limits.host_call_bytes.0),
    }
}

/// A plugin may have put another body there, as long as its answers may be.
fn replaced(body: OnItsWay, limits: &PluginConfig) -> OnItsWay {
    match body {
        OnItsWay::Streaming | OnItsWay::Bounded(_) => body,
        OnItsWay::Held(bytes) => OnItsWay::Held(bytes.max(limits.output_bytes.0)),
    }
}
