//! Shorthand to externally tagged form, in the tree and with positions kept: `"protected"` becomes
//! `{ chain = "protected" }`, `{ use = "throttle", … }` becomes `{ throttle = { use = "throttle", … } }`, and
//! `{ http = "users", … }` becomes `{ http = { http = "users", … } }`. The key that tags stays inside, as a field.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Node, Readable};
use crate::file::{
    AccessLog, Admin, Cache, Case, CaseServices, Chain, Counters, Credential, Key, Kv, Listener, Locked, Plugin,
    Plugins, Redis, ResponseCache, Route, STAGES, Secrets, Server, Settings, State, Upstream, UsagePlan,
};
use crate::report::{Mistake, suggestion};

impl Readable for AccessLog {}
impl Readable for Admin {}
impl Readable for Cache {}
impl Readable for Case {}
impl Readable for CaseServices {}
impl Readable for Counters {}
impl Readable for Credential {}
impl Readable for Key {}
impl Readable for Kv {}
impl Readable for Listener {}
impl Readable for Locked {}
impl Readable for Plugin {}
impl Readable for Plugins {}
impl Readable for Redis {}
impl Readable for ResponseCache {}
impl Readable for Secrets {}
impl Readable for Server {}
impl Readable for Settings {}
impl Readable for State {}
impl Readable for Upstream {}
impl Readable for UsagePlan {}

impl Readable for Chain {
    fn expand(value: &mut DeValue<'_>) -> Result<(), Mistake> {
        let DeValue::Array(entries) = value else { return Ok(()) };
        entries.iter_mut().try_for_each(entry)
    }
}

impl Readable for Route {
    fn expand(value: &mut DeValue<'_>) -> Result<(), Mistake> {
        let DeValue::Table(table) = value else { return Ok(()) };
        if let Some(chain) = table.get_mut("chain") {
            Chain::expand(chain.get_mut())?;
        }
        table.get_mut("integration").map_or(Ok(()), integration)
    }
}

/// One entry of a chain.
fn entry(node: &mut Node<'_>) -> Result<(), Mistake> {
    match node.get_ref() {
        DeValue::String(_) => wrap(node, "chain".into()),
        DeValue::Table(table) => match tag(table, node, &["use", "plugin"])? {
            "use" => {
                let name = stage(table)?;
                wrap(node, name);
            }
            tag => wrap(node, tag.into()),
        },
        other => {
            let found = other.type_str();
            let mistake = Mistake::new(
                node.span(),
                format!("expected a chain's name or a stage, found {found}"),
            );
            return Err(mistake.hint("write \"protected\", { use = \"throttle\", … } or { plugin = \"name\", … }"));
        }
    }
    Ok(())
}

/// What answers a route.
fn integration(node: &mut Node<'_>) -> Result<(), Mistake> {
    let DeValue::Table(table) = node.get_ref() else {
        let message = format!("expected a table, found {}", node.get_ref().type_str());
        return Err(Mistake::new(node.span(), message).hint("write { http = \"upstream\" } or { respond = 200 }"));
    };
    let tag = tag(table, node, &["http", "respond", "plugin"])?;
    wrap(node, tag.into());
    Ok(())
}

/// The one key that says which kind a table is.
fn tag(table: &DeTable<'_>, node: &Node<'_>, tags: &[&'static str]) -> Result<&'static str, Mistake> {
    let mut found = tags
        .iter()
        .filter_map(|tag| table.get_key_value(*tag).map(|(key, _)| (*tag, key.span())));
    match (found.next(), found.next()) {
        (Some((tag, _)), None) => Ok(tag),
        (Some((first, a)), Some((second, b))) => {
            let span = if a.start > b.start { a } else { b };
            Err(Mistake::new(span, format!("`{first}` and `{second}` exclude each other")).hint("keep one of them"))
        }
        (None, _) => {
            let list: Vec<String> = tags.iter().map(|tag| format!("`{tag}`")).collect();
            let message = format!("it has none of {}, which say what it is", list.join(", "));
            let near = table
                .keys()
                .map(|key| suggestion(key.get_ref(), tags.iter().copied(), "keys"));
            let example = format!("add `{} = …`", tags.join(" = …` or `"));
            let hint = Some(near.into_iter().find(|hint| hint.starts_with("did")).unwrap_or(example));
            Err(Mistake {
                hint,
                absence: true,
                ..Mistake::new(node.span(), message)
            })
        }
    }
}

/// The built-in stage that `use` names.
fn stage<'t>(table: &DeTable<'t>) -> Result<Cow<'t, str>, Mistake> {
    let Some(node) = table.get("use") else {
        return Err(Mistake::new(0..0, "missing key `use`"));
    };
    match node.get_ref() {
        DeValue::String(name) if STAGES.contains(&name.as_ref()) => Ok(name.clone()),
        DeValue::String(name) => {
            let hint = suggestion(name, STAGES, "stages");
            Err(Mistake::new(node.span(), format!("unknown stage `{name}`")).hint(hint))
        }
        other => Err(Mistake::new(
            node.span(),
            format!("expected the name of a stage, found {}", other.type_str()),
        )),
    }
}

/// Puts a value into a table of one key. Both take the value's position.
fn wrap<'t>(node: &mut Node<'t>, key: Cow<'t, str>) {
    let span = node.span();
    let value = std::mem::replace(node.get_mut(), DeValue::Boolean(false));
    let mut table = DeTable::new();
    table.insert(Spanned::new(span.clone(), key), Spanned::new(span, value));
    *node.get_mut() = DeValue::Table(table);
}
