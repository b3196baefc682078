//! `[chain]`: named chains, flat.

use super::Resolver;
use crate::file::{Chain, ChainEntry, Located};
use crate::gateway::StageConfig;
use crate::report::{Span, quoted};

/// Chains that name each other deeper or become longer than this are a mistake, and would not fit in memory when
/// every one names the one before twice.
const DEEPEST: usize = 16;
const LONGEST: usize = 256;

impl<'f> Resolver<'f> {
    /// Resolves all named chains, so that mistakes in unused ones are found and every one is resolved once.
    pub(super) fn chains(&mut self) {
        let file = self.file;
        for name in file.chain.keys() {
            self.named_chain(name, &(0..0), &mut Vec::new());
        }
    }

    /// The stages of the chain of the route with the key path `route`. Each has the position of the entry it comes from.
    pub(super) fn route_chain(&mut self, chain: &'f Chain, route: &str) -> Option<Vec<(Span, StageConfig)>> {
        let mut stages = Vec::new();
        let mut good = true;
        for (index, entry) in chain.0.iter().enumerate() {
            match self.entry(entry, || format!("{route}.chain[{index}]"), &mut Vec::new()) {
                Some(resolved) => stages.extend(resolved.into_iter().map(|stage| (entry.span.clone(), stage))),
                None => good = false,
            }
        }
        if let Some((span, _)) = stages.get(LONGEST) {
            self.too_long(&span.clone());
            return None;
        }
        good.then_some(stages)
    }

    /// The stages of a named chain. `above` are the chains whose entries are being resolved, outermost first;
    /// `reference` is where the name is used.
    fn named_chain(&mut self, name: &'f str, reference: &Span, above: &mut Vec<&'f str>) -> Option<Vec<StageConfig>> {
        if let Some(resolved) = self.chains.get(name) {
            return resolved.clone();
        }
        if let Some(start) = above.iter().position(|other| *other == name) {
            let cycle: Vec<&str> = above.iter().skip(start).copied().chain([name]).collect();
            self.error(
                reference,
                format!("cyclic chain: {}", cycle.join(" -> ")),
                "remove one of these references",
            );
            return None;
        }
        if above.len() >= DEEPEST {
            let message = format!("chains name each other more than {DEEPEST} deep");
            self.error(reference, message, "write the stages where they are used");
            return None;
        }
        above.push(name);
        let resolved = self
            .file
            .chain
            .get(name)
            .and_then(|section| self.entries(name, &section.value, above));
        above.pop();
        self.chains.insert(name, resolved.clone());
        resolved
    }

    fn entries(&mut self, name: &str, chain: &'f Chain, above: &mut Vec<&'f str>) -> Option<Vec<StageConfig>> {
        let mut stages = Vec::new();
        let mut good = true;
        for (index, entry) in chain.0.iter().enumerate() {
            match self.entry(entry, || format!("chain.{}[{index}]", quoted(name)), above) {
                Some(resolved) => stages.extend(resolved),
                None => good = false,
            }
            if stages.len() > LONGEST {
                self.too_long(&entry.span);
                return None;
            }
        }
        good.then_some(stages)
    }

    fn entry(
        &mut self,
        entry: &'f Located<ChainEntry>,
        at: impl FnOnce() -> String,
        above: &mut Vec<&'f str>,
    ) -> Option<Vec<StageConfig>> {
        let file = self.file;
        let ChainEntry::Chain(name) = &entry.value else {
            return self.stage(entry, at()).map(|stage| vec![stage]);
        };
        if !self.known("chain", name, &file.chain) {
            return None;
        }
        self.named_chain(&name.value, &name.span, above)
    }

    fn too_long(&mut self, span: &Span) {
        self.error(
            span,
            format!("the chain has more than {LONGEST} stages"),
            "use fewer stages",
        );
    }
}
