//! A new version of a plugin on trial: `NAME.next.wasm` beside `NAME.wasm`, with the name, the configuration and the limits
//! of the version that serves.
//!
//! A [`canary`] serves its share of the requests; a [`shadow`] is asked beside the version that serves, and what it answers
//! is compared and dropped. Both are rolled back by the rules of their [`Probation`], on the spot, and stay so until
//! the file or the rules are others. A candidate never stops a start or a reload: what is wrong with it is its end, not
//! the gateway's.

pub mod canary;
pub mod probation;
pub mod shadow;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use gatewright_config::{CandidateConfig, CandidateMode, GatewayConfig, Lock, PluginConfig};
use gatewright_core::{Integration, Stage};
use gatewright_wasm::{CallObserver, Granted, Loading, NeedsSummary, Plugin, PluginKind, Trust};

use self::canary::{CanaryIntegration, CanaryStage};
use self::probation::Probation;
use self::shadow::ShadowStage;
use crate::approval;
use crate::assemble::{Foundation, Generation};
use crate::files;
use crate::state::embedded::Embedded;
use crate::versions::hexadecimal;

/// A candidate that has been loaded.
#[derive(Clone)]
pub struct Candidate {
    /// The new version; none when it cannot be on trial, which its probation says.
    pub plugin: Option<Arc<Plugin>>,
    /// How it does.
    pub probation: Arc<Probation>,
}

/// The candidates that the process has seen, by plugin: one that was rolled back stays so across reloads.
#[derive(Default)]
pub struct Probations(Mutex<HashMap<String, Arc<Probation>>>);

/// Where the candidate of a plugin's file is.
pub fn candidate_file(plugin: &Path) -> PathBuf {
    plugin.with_extension("next.wasm")
}

/// What a candidate is called in the lock file and in metrics.
pub fn candidate_name(plugin: &str) -> String {
    format!("{plugin}.next")
}

/// What is needed to put one on trial.
pub struct Trial<'t> {
    /// The configuration of the gateway.
    pub config: &'t GatewayConfig,
    /// What is approved.
    pub lock: Option<&'t Lock>,
    /// What outlives generations.
    pub foundation: &'t Foundation,
    /// The version that serves.
    pub serving: &'t Plugin,
    /// Its limits, and the candidate's.
    pub limits: &'t PluginConfig,
    /// What the version that serves is granted.
    pub granted: Granted,
}

impl Trial<'_> {
    /// Loads the candidate of a plugin; none when there is no file.
    pub async fn load(self, rules: &CandidateConfig) -> Option<Candidate> {
        let summary = self.serving.summary();
        let file = candidate_file(&summary.file);
        let bytes = match files::read(&file, self.config.plugins.file_bytes.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            bytes => bytes,
        };
        let digest = bytes.as_ref().map(|bytes| hexadecimal(bytes)).unwrap_or_default();
        let probations = &self.foundation.probations;
        let probation = probations.of(&summary.name, &digest, &summary.digest, rules, self.foundation);
        if probation.is_over() {
            return Some(Candidate {
                plugin: None,
                probation,
            });
        }
        let loaded = match bytes {
            Ok(_) => self.plugin(&file, &digest, rules, &probation).await,
            Err(error) => Err(format!(
                "cannot read {}: {}",
                file.display(),
                gatewright_config::reason(&error)
            )),
        };
        let plugin = loaded.map_err(|reason| probation.refuse(&reason)).ok();
        Some(Candidate { plugin, probation })
    }

    async fn plugin(
        self,
        file: &Path,
        digest: &str,
        rules: &CandidateConfig,
        probation: &Arc<Probation>,
    ) -> Result<Arc<Plugin>, String> {
        let (mut limits, mut granted) = (self.limits.clone(), self.granted);
        if rules.mode == CandidateMode::Shadow {
            // Nothing that it does may be seen by anybody: what it counts and stores is its own.
            limits.grants.metrics = false;
            limits.grants.http.clear();
            granted.http = None;
            granted.authorities.clear();
            granted.state = Some(Arc::new(Embedded::default()));
        }
        let name = self.serving.summary().name.as_str();
        let observer: Arc<dyn CallObserver> = Arc::<Probation>::clone(probation);
        let loading = Loading {
            name,
            file,
            config: &limits,
            trust: Trust::of(&self.config.plugins, self.limits),
            granted,
            observer: Some(observer),
        };
        let loaded = self.foundation.plugins.load_with(loading).await;
        let plugin = loaded.map_err(|error| error.to_string())?;
        if plugin.summary().digest != digest {
            return Err("it was replaced while it was loaded".to_owned());
        }
        if let Some(lock) = self.lock {
            approval::check(lock, &self.config.plugins.lock, &candidate_name(name), plugin.summary())?;
        }
        self.foundation.proofs.check(file, &plugin).await?;
        fits(self.serving, &plugin, rules.mode)?;
        probation.accept(plugin.summary());
        Ok(plugin)
    }
}

impl Candidate {
    /// A stage in which the candidate takes part.
    pub fn stage(&self, serving: Arc<dyn Stage>, candidate: Arc<dyn Stage>) -> Arc<dyn Stage> {
        let probation = Arc::clone(&self.probation);
        match probation.rules().mode {
            CandidateMode::Canary => Arc::new(CanaryStage::new(serving, candidate, probation)),
            CandidateMode::Shadow => Arc::new(ShadowStage::new(serving, candidate, probation)),
        }
    }

    /// An integration in which the candidate takes part. A shadow does not: a body is there once.
    pub fn integration(&self, serving: Arc<dyn Integration>, candidate: Arc<dyn Integration>) -> Arc<dyn Integration> {
        match self.probation.rules().mode {
            CandidateMode::Canary => Arc::new(CanaryIntegration::new(serving, candidate, Arc::clone(&self.probation))),
            CandidateMode::Shadow => serving,
        }
    }
}

impl Probations {
    /// A generation has been published.
    pub fn published(&self, generation: &Generation) {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, probation) in known.iter() {
            let takes_part =
                |candidate: &Candidate| candidate.plugin.is_some() && Arc::ptr_eq(&candidate.probation, probation);
            probation.published(generation.candidates.get(name).is_some_and(takes_part));
        }
    }

    fn of(
        &self,
        name: &str,
        digest: &str,
        serving: &str,
        rules: &CandidateConfig,
        foundation: &Foundation,
    ) -> Arc<Probation> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |known: &&Arc<Probation>| known.is_of(digest, serving, rules) && !known.is_refused();
        if let Some(same) = known.get(name).filter(same) {
            return Arc::clone(same);
        }
        let numbers = foundation.metrics.candidate(&name.into());
        let new = Arc::new(Probation::new(name, digest, serving, rules, numbers));
        known.insert(name.to_owned(), Arc::clone(&new));
        new
    }
}

/// Routes are planned for the version that serves: a candidate that wants more of them has to replace it.
fn fits(serving: &Plugin, candidate: &Plugin, mode: CandidateMode) -> Result<(), String> {
    let (serving, candidate) = (serving.summary(), candidate.summary());
    if candidate.kinds != serving.kinds {
        return Err("it does not export the same interfaces as the version that serves".to_owned());
    }
    let body = |needs: &NeedsSummary| {
        [
            needs.request_body,
            needs.response_body,
            needs.request_chunks,
            needs.response_chunks,
        ]
    };
    let more = body(&candidate.needs).into_iter().zip(body(&serving.needs));
    if more.into_iter().any(|(candidate, serving)| candidate && !serving) {
        return Err("it reads bodies that the version that serves does not".to_owned());
    }
    let asked = |kind: &PluginKind| matches!(kind, PluginKind::Authorizer | PluginKind::RequestTransform);
    if mode == CandidateMode::Shadow && (candidate.needs.request_body || !candidate.kinds.iter().any(asked)) {
        return Err(
            "a shadow is an authorizer or a request transform that reads no body; use `mode = \"canary\"`".to_owned(),
        );
    }
    Ok(())
}
