//! What things cost. Money is counted in whole cents: floating point has no place here.

use gatewright_sdk::ConfigError;
use serde::{Deserialize, Serialize};

/// The `config` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PriceList {
    currency: String,
    unit_price_cents: u64,
    #[serde(default = "default_largest_quantity")]
    largest_quantity: u32,
    /// Smallest first.
    #[serde(default)]
    tiers: Vec<Tier>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tier {
    from: u32,
    discount_percent: u8,
}

/// The answer.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(crate) struct Quoted<'a> {
    quantity: u32,
    unit_price_cents: u64,
    discount_percent: u8,
    total_cents: u64,
    currency: &'a str,
}

/// Together they keep every total within 64 bits: 10^8 × 10^6 × 100 < 2^64.
const HIGHEST_UNIT_PRICE_CENTS: u64 = 100_000_000;
const LARGEST_QUANTITY: u32 = 1_000_000;

impl PriceList {
    pub(crate) fn check(&self) -> Result<(), Vec<ConfigError>> {
        let mut errors = Vec::new();
        let mut wrong = |at: &str, message: &str| errors.push(ConfigError::new(at, message));
        if self.currency.len() != 3 || !self.currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
            wrong("/currency", "not three capital letters");
        }
        if !(1..=HIGHEST_UNIT_PRICE_CENTS).contains(&self.unit_price_cents) {
            wrong("/unit_price_cents", "not between 1 and 100000000");
        }
        if !(1..=LARGEST_QUANTITY).contains(&self.largest_quantity) {
            wrong("/largest_quantity", "not between 1 and 1000000");
        }
        let mut before = 0;
        for (index, tier) in self.tiers.iter().enumerate() {
            if tier.from <= before {
                wrong(&format!("/tiers/{index}/from"), "not more than the tier before");
            }
            if tier.discount_percent > 100 {
                wrong(&format!("/tiers/{index}/discount_percent"), "more than 100");
            }
            before = tier.from;
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// A price for a quantity, or what is wrong with the quantity.
    pub(crate) fn quote(&self, quantity: u32) -> Result<Quoted<'_>, String> {
        if !(1..=self.largest_quantity).contains(&quantity) {
            return Err(format!("`quantity` is not between 1 and {}", self.largest_quantity));
        }
        let tier = self.tiers.iter().rev().find(|tier| tier.from <= quantity);
        let discount_percent = tier.map_or(0, |tier| tier.discount_percent.min(100));
        let hundredths = self.unit_price_cents * u64::from(quantity) * u64::from(100 - discount_percent);
        Ok(Quoted {
            quantity,
            unit_price_cents: self.unit_price_cents,
            discount_percent,
            // Half a cent is rounded up.
            total_cents: (hundredths + 50) / 100,
            currency: &self.currency,
        })
    }
}

fn default_largest_quantity() -> u32 {
    10_000
}
