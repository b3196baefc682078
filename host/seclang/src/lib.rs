//! Rules in SecLang, the language of ModSecurity in which the OWASP Core Rule Set is written.
//!
//! [`RuleSet::load`] reads rules and says which of them it cannot run, and why. [`RuleSet::run`] holds a [`Request`] against
//! those of the phases of requests. What is not here: HTTP, decoding of bodies, responses, anything that outlives a request.
//!
//! A rule set has some hundred regular expressions. Three things keep a request cheap: every expression is linear in what it
//! reads; values are transformed once for all rules that ask for the same; and an automaton of the texts that a rule needs
//! to match (`prefilter`) finds the few rules that are worth running. The work for a request is bounded.

mod expand;
mod load;
mod operator;
mod pattern;
mod prefilter;
mod request;
mod rule;
mod run;
mod set;
mod settle;
mod syntax;
mod transform;

pub use load::{LoadError, Options, Source, WORK, rule_files, rules_of};
pub use operator::Detect;
pub use request::{List, Request};
pub use run::{Match, Outcome};
pub use set::{RuleSet, Unsupported};
