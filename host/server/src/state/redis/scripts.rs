//! The scripts, one for each operation. What those of spaces have in common is `space.lua`, those of quotas `period.lua` and `quota.lua`.

use redis::Script;

/// All of them.
pub(super) struct Scripts {
    pub(super) take: Script,
    pub(super) spend: Script,
    pub(super) correct: Script,
    pub(super) lease: Script,
    pub(super) release: Script,
    pub(super) take_many: Script,
    pub(super) add: Script,
    pub(super) get: Script,
    pub(super) put: Script,
    pub(super) delete: Script,
}

impl Default for Scripts {
    fn default() -> Self {
        let of_space = |script: &str| Script::new(&format!("{}\n{script}", include_str!("scripts/space.lua")));
        let of_quota = |script: &str| {
            let (period, quota) = (include_str!("scripts/period.lua"), include_str!("scripts/quota.lua"));
            Script::new(&format!("{period}\n{quota}\n{script}"))
        };
        Self {
            take: Script::new(include_str!("scripts/take.lua")),
            spend: of_quota(include_str!("scripts/spend.lua")),
            correct: of_quota(include_str!("scripts/correct.lua")),
            lease: Script::new(include_str!("scripts/lease.lua")),
            release: Script::new(include_str!("scripts/release.lua")),
            take_many: of_space(include_str!("scripts/take_many.lua")),
            add: of_space(include_str!("scripts/add.lua")),
            get: of_space(include_str!("scripts/get.lua")),
            put: of_space(include_str!("scripts/put.lua")),
            delete: of_space(include_str!("scripts/delete.lua")),
        }
    }
}
