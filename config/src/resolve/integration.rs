//! `integration` of a route.

use super::Resolver;
use super::template::Place;
use crate::file::{HttpIntegration, Integration, Located, PluginIntegration, RespondIntegration};
use crate::gateway::{HttpIntegrationConfig, IntegrationConfig, PathTemplate, PluginIntegrationConfig, RespondConfig};
use crate::report::Span;

impl Resolver<'_> {
    /// What answers the route with the key path `route`. `path` is the route's path; nothing when that is wrong.
    pub(super) fn integration(
        &mut self,
        integration: &Located<Integration>,
        route: &str,
        path: Option<&PathTemplate>,
    ) -> Option<IntegrationConfig> {
        let span = &integration.span;
        Some(match &integration.value {
            Integration::Http(http) => IntegrationConfig::Http(self.http(http, span, path)?),
            Integration::Respond(respond) => IntegrationConfig::Respond(self.respond(respond, span, path)?),
            Integration::Plugin(plugin) => IntegrationConfig::Plugin(self.plugin_integration(plugin, span, route)?),
        })
    }

    fn http(
        &mut self,
        integration: &HttpIntegration,
        span: &Span,
        route: Option<&PathTemplate>,
    ) -> Option<HttpIntegrationConfig> {
        let HttpIntegration {
            http,
            path,
            preserve_host,
            headers,
        } = integration;
        let file = self.file;
        let upstream = self.required(http.as_ref(), span, "http", "\"upstream\"");
        let upstream = upstream.filter(|name| self.known("upstream", name, &file.upstream));
        let path = path.as_ref().map(|path| self.upstream_path(path, route));
        let headers = self.header_fields(headers, |resolver, value| {
            resolver.value_template(value, route, Place::Request)
        });
        Some(HttpIntegrationConfig {
            upstream: upstream?.value.clone(),
            path: match path {
                Some(path) => Some(path?),
                None => None,
            },
            preserve_host: *preserve_host,
            headers: headers?,
        })
    }

    fn respond(
        &mut self,
        integration: &RespondIntegration,
        span: &Span,
        route: Option<&PathTemplate>,
    ) -> Option<RespondConfig> {
        let RespondIntegration { respond, headers, body } = integration;
        let status = self.required(respond.as_ref(), span, "respond", "200");
        let status = status.filter(|status| {
            let valid = (200..=599).contains(&status.value);
            if !valid {
                self.error(
                    &status.span,
                    format!("{} is not a status to answer with", status.value),
                    "write one from 200 to 599",
                );
            }
            valid
        });
        let headers = self.header_fields(headers, |resolver, value| {
            resolver.value_template(value, route, Place::Response)
        });
        Some(RespondConfig {
            status: status?.value,
            headers: headers?,
            body: body.clone(),
        })
    }

    fn plugin_integration(
        &mut self,
        integration: &PluginIntegration,
        span: &Span,
        route: &str,
    ) -> Option<PluginIntegrationConfig> {
        let PluginIntegration { plugin, config, body } = integration;
        let plugin = self.required(plugin.as_ref(), span, "plugin", "\"name\"");
        let plugin = plugin.and_then(|plugin| self.plugin_name(plugin));
        self.need_plugin_directory(span);
        Some(PluginIntegrationConfig {
            place: self.report.place(span, format!("{route}.integration")),
            plugin: plugin?,
            body_bytes: *body,
            config: serde_json::Value::Object(config.0.clone()),
        })
    }
}
