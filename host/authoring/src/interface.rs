//! What a plugin's folder says that it is, `wit/`, and the component that is made of a core module by it. Languages whose
//! tools end at core modules (C, Go) need no more than this and their compiler.

use std::fs;
use std::path::Path;

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_bindgen_core::{Files, WorldGenerator};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldId};

use crate::Error;

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
