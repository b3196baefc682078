//! The modules that watch the hooks of a plugin in JavaScript: `sdk/javascript/guard` as it is, and beside it what is known of this
//! plugin: its hooks, what they may return by its `wit/`, and from which sources its scripts were compiled.

mod places;
mod shapes;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::building::Job;
use crate::interface::{Hook, World};
use crate::{Error, files};

/// Writes the modules, and returns the one that stands for the plugin, relative to its folder. `script` is the plugin's own.
pub(super) fn write(job: &Job<'_>, script: &Path) -> Result<PathBuf, Error> {
    let folder = job.fresh("guard")?;
    let world = World::of(&job.folder)?;
    let log = match world.import("gatewright:plugin", "log") {
        Some(log) => format!("export {{ write }} from {};\n", quoted(&log)),
        // A world without a log: nobody can be told.
        None => "export function write() {}\n".to_owned(),
    };
    let places = places::of(&job.folder.join(script.parent().unwrap_or(Path::new(""))), &job.folder);
    let modules = [
        ("log.js", log),
        ("places.js", format!("export const places = {places};\n")),
        ("entry.js", entry(&world, script)),
    ];
    let carried = files::below("sdk/javascript/guard").map(|(name, text)| (name, text.to_owned()));
    for (name, text) in carried.chain(modules) {
        let file = folder.join(name);
        fs::write(&file, text).map_err(Error::file("write", &file))?;
    }
    Ok(PathBuf::from("build/guard/entry.js"))
}

/// The module that exports what the plugin does, watched.
fn entry(world: &World, script: &Path) -> String {
    let plugin = quoted(&format!("../../{}", script.display()));
    let mut entry = format!(
        "import {{ watched, watchedClass }} from \"./guard.js\";\nimport * as plugin from {plugin};\nexport * from {plugin};\n"
    );
    for (interface, hooks) in world.exports() {
        let name = shapes::camel(&interface);
        let own = format!("plugin[{}]", quoted(&name));
        let mut classes = Map::new();
        let mut functions = Map::new();
        for hook in hooks {
            let of = match &hook.resource {
                Some(resource) => classes
                    .entry(shapes::pascal(resource))
                    .or_insert_with(|| Value::Object(Map::new())),
                None => {
                    functions.insert(shapes::camel(&hook.name), shape(world, &hook));
                    continue;
                }
            };
            if let Value::Object(methods) = of {
                methods.insert(shapes::camel(&hook.name), shape(world, &hook));
            }
        }
        let functions = Value::Object(functions);
        let _ = write!(
            entry,
            "export const {name} = {{ ...watched({}, {own}, {functions})",
            quoted(&name)
        );
        for (class, methods) in classes {
            let _ = write!(entry, ", {class}: watchedClass({own}.{class}, {methods})");
        }
        entry.push_str(" };\n");
    }
    entry
}

/// What a hook may return and throw.
fn shape(world: &World, hook: &Hook) -> Value {
    let (returns, throws) = shapes::of_result(world.types(), hook.result);
    let mut shape = Map::from_iter([("returns".to_owned(), returns)]);
    if let Some(throws) = throws {
        shape.insert("throws".to_owned(), throws);
    }
    Value::Object(shape)
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
