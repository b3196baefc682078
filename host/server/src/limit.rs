//! What limits are made of: whose requests they count ([`LimitKey`]), how fast these may come ([`Bucket`]), and how many
//! ([`Meter`]). Stages and usage plans put them together.

mod bucket;
mod key;
mod meter;

pub use self::bucket::Bucket;
pub use self::key::LimitKey;
pub use self::meter::Meter;
