//! `gatewright plugin build`: from a plugin's folder to `NAME.wasm`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::interface::World;
use crate::tool::Tool;
use crate::{Error, Language, RustTarget};

/// A plugin to be built.
#[derive(Debug)]
pub struct Build {
    /// Its folder.
    pub folder: PathBuf,
    /// Where the file goes; by default into the plugin's folder.
    pub output: Option<PathBuf>,
    /// What it is written in; by default what the folder says.
    pub language: Option<Language>,
    /// Where Cargo keeps what it compiles.
    pub target_dir: Option<PathBuf>,
    /// What a plugin in Rust is compiled for.
    pub rust_target: RustTarget,
    /// Whether tools that are missing are installed.
    pub install: bool,
}

/// What a language sees while it builds.
pub(crate) struct Job<'b> {
    /// The plugin's folder, absolute.
    pub(crate) folder: PathBuf,
    /// `build` in it, for everything that is made on the way.
    pub(crate) work: PathBuf,
    pub(crate) build: &'b Build,
}

/// What a language made.
pub(crate) struct Made {
    /// A component, or a core module that the gateway makes one of.
    pub(crate) file: PathBuf,
    /// The plugin's name, where the language's own manifest has it and there is no `wit/`.
    pub(crate) name: Option<String>,
}

impl Build {
    /// Builds, and returns the file.
    ///
    /// # Errors
    /// When the folder is no plugin, a tool is missing, or building fails.
    pub fn run(&self) -> Result<PathBuf, Error> {
        if !self.folder.is_dir() {
            return Err(Error::NoFolder(self.folder.clone()));
        }
        let language = match self.language {
            Some(language) => language.in_folder(&self.folder)?,
            None => Language::of(&self.folder)?,
        };
        // Names with their links resolved: `.` and `..` have none, and a plugin is named after its folder.
        let folder = self.folder.canonicalize().map_err(Error::file("find", &self.folder))?;
        let work = folder.join("build");
        let job = Job {
            folder,
            work,
            build: self,
        };
        let made = language.toolchain().build(&job)?;
        let name = made.name.unwrap_or_else(|| job.name());
        self.install(&made.file, &name)
    }

    fn install(&self, made: &Path, name: &str) -> Result<PathBuf, Error> {
        let folder = self.output.as_deref().unwrap_or(&self.folder);
        fs::create_dir_all(folder).map_err(Error::file("create", folder))?;
        let file = folder.join(format!("{name}.wasm"));
        // Written aside and renamed, so that a gateway that watches the folder never sees half of it.
        let aside = folder.join(format!(".{name}.wasm.new"));
        fs::copy(made, &aside).map_err(Error::file("write", &aside))?;
        fs::rename(&aside, &file).map_err(Error::file("write", &file))?;
        Ok(file)
    }
}

impl Job<'_> {
    /// The plugin's name as `wit/` has it, or else the folder's.
    pub(crate) fn name(&self) -> String {
        if let Some(name) = World::of(&self.folder).ok().and_then(|world| world.plugin_name()) {
            return name;
        }
        let name = self.folder.file_name().unwrap_or_default();
        name.to_string_lossy().replace('_', "-")
    }

    /// A tool's file; installed before, if that is wished.
    pub(crate) fn tool(&self, tool: &Tool) -> Result<PathBuf, Error> {
        if self.build.install {
            tool.find_or_install(&self.folder)
        } else {
            tool.find(&self.folder)
        }
    }

    /// An empty folder `NAME` for what is made on the way.
    pub(crate) fn fresh(&self, name: &str) -> Result<PathBuf, Error> {
        let folder = self.work.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(Error::file("empty", &folder))?;
        }
        fs::create_dir_all(&folder).map_err(Error::file("create", &folder))?;
        Ok(folder)
    }
}
