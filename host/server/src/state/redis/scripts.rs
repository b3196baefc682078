//! The scripts, one for each operation. What they have in common is `space.lua`.

use redis::Script;

/// All of them.
pub(super) struct Scripts {
    pub(super) take: Script,
    pub(super) take_many: Script,
    pub(super) add: Script,
    pub(super) get: Script,
    pub(super) put: Script,
    pub(super) delete: Script,
}

impl Default for Scripts {
    fn default() -> Self {
        let of_space = |script: &str| Script::new(&format!("{}\n{script}", include_str!("scripts/space.lua")));
        Self {
            take: Script::new(include_str!("scripts/take.lua")),
            take_many: of_space(include_str!("scripts/take_many.lua")),
            add: of_space(include_str!("scripts/add.lua")),
            get: of_space(include_str!("scripts/get.lua")),
            put: of_space(include_str!("scripts/put.lua")),
            delete: of_space(include_str!("scripts/delete.lua")),
        }
    }
}
