//! What a plugin's folder says that it is, `wit/`, and the component that is made of a core module by it. Languages whose
//! tools end at core modules (C, Go) need no more than this and their compiler.

use std::fs;
use std::path::Path;

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_bindgen_core::{Files, WorldGenerator};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Function, FunctionKind, Interface, Resolve, Type, WorldId, WorldItem};

use crate::Error;

/// A function that a plugin exports.
pub(crate) struct Hook {
    /// Its name.
    pub(crate) name: String,
    /// The resource that it is a method of.
    pub(crate) resource: Option<String>,
    /// What it returns.
    pub(crate) result: Option<Type>,
}

/// The world of a plugin: the only one in its folder `wit`.
pub(crate) struct World {
    resolve: Resolve,
    id: WorldId,
}

impl World {
    /// Reads `wit/` of a plugin's folder.
    pub(crate) fn of(plugin: &Path) -> Result<Self, Error> {
        let folder = plugin.join("wit");
        let wrong = |reason: String| Error::World {
            folder: folder.clone(),
            reason,
        };
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(&folder).map_err(|error| wrong(format!("{error:#}")))?;
        let id = resolve
            .select_world(&[package], None)
            .map_err(|error| wrong(format!("{error:#}")))?;
        Ok(Self { resolve, id })
    }

    /// The types of what it exports.
    pub(crate) fn types(&self) -> &Resolve {
        &self.resolve
    }

    /// The interfaces that it exports, by name, with their functions and methods.
    pub(crate) fn exports(&self) -> Vec<(String, Vec<Hook>)> {
        let Some(world) = self.resolve.worlds.get(self.id) else {
            return Vec::new();
        };
        let interfaces = world.exports.values().filter_map(|item| self.interface(item));
        let named = interfaces.filter_map(|interface| Some((interface.name.clone()?, interface)));
        named
            .map(|(name, interface)| {
                let hooks = interface.functions.values().filter_map(|function| self.hook(function));
                (name, hooks.collect())
            })
            .collect()
    }

    /// The full name, with its version, of an interface of a package that it imports.
    pub(crate) fn import(&self, package: &str, name: &str) -> Option<String> {
        let world = self.resolve.worlds.get(self.id)?;
        let mut interfaces = world.imports.values().filter_map(|item| self.interface(item));
        interfaces.find_map(|interface| {
            let of = &self.resolve.packages.get(interface.package?)?.name;
            let same = interface.name.as_deref() == Some(name) && format!("{}:{}", of.namespace, of.name) == package;
            same.then(|| of.interface_id(name))
        })
    }

    /// The name that the plugin's package has in `wit/`, where it is one: `package plugin:NAME`.
    pub(crate) fn plugin_name(&self) -> Option<String> {
        let package = self.resolve.worlds.get(self.id)?.package?;
        let name = &self.resolve.packages.get(package)?.name;
        (name.namespace == "plugin").then(|| name.name.clone())
    }

    fn interface(&self, item: &WorldItem) -> Option<&Interface> {
        match item {
            WorldItem::Interface { id, .. } => self.resolve.interfaces.get(*id),
            WorldItem::Function(_) | WorldItem::Type { .. } => None,
        }
    }

    /// A function that runs a plugin's code; constructors and static functions of a class are none that the interface has.
    fn hook(&self, function: &Function) -> Option<Hook> {
        let resource = match function.kind {
            FunctionKind::Freestanding | FunctionKind::AsyncFreestanding => None,
            FunctionKind::Method(id) | FunctionKind::AsyncMethod(id) => self.resolve.types.get(id)?.name.clone(),
            _ => return None,
        };
        Some(Hook {
            name: function.item_name().to_owned(),
            resource,
            result: function.result,
        })
    }

    /// Writes bindings into a folder, each file as `finish` makes it.
    pub(crate) fn write_bindings(
        mut self,
        mut generator: Box<dyn WorldGenerator>,
        folder: &Path,
        finish: impl Fn(String) -> String,
    ) -> Result<(), Error> {
        let mut files = Files::default();
        let generated = generator.generate(&mut self.resolve, self.id, &mut files);
        generated.map_err(|error| Error::World {
            folder: folder.to_owned(),
            reason: format!("{error:#}"),
        })?;
        for (name, bytes) in files.iter() {
            let file = folder.join(name);
            if let Some(parent) = file.parent() {
                fs::create_dir_all(parent).map_err(Error::file("create", parent))?;
            }
            let text = finish(String::from_utf8_lossy(bytes).into_owned());
            fs::write(&file, text).map_err(Error::file("write", &file))?;
        }
        Ok(())
    }

    /// Makes a component of a core module that exports this world. What the module wants of WASI's first preview, it gets
    /// from WASI 0.2.
    pub(crate) fn componentize(&self, module: &Path, component: &Path) -> Result<(), Error> {
        let mut bytes = fs::read(module).map_err(Error::file("read", module))?;
        let encoded = embed_component_metadata(&mut bytes, &self.resolve, self.id, StringEncoding::UTF8)
            .and_then(|()| ComponentEncoder::default().validate(true).module(&bytes))
            .and_then(|encoder| {
                encoder.adapter(
                    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME,
                    WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
                )
            })
            .and_then(|mut encoder| encoder.encode())
            .map_err(|error| Error::Component {
                file: module.to_owned(),
                reason: format!("{error:#}"),
            })?;
        fs::write(component, encoded).map_err(Error::file("write", component))
    }
}
