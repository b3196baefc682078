//! Which target is next: each as often as its weight says, spread evenly.

use std::sync::atomic::{AtomicUsize, Ordering};

use gatewright_core::PerWorker;

/// Turns in a round at most; larger weights are scaled down.
const MAX_TURNS: u64 = 4096;

/// Smooth weighted round robin, unrolled: the order of one round is worked out once.
#[derive(Debug)]
pub struct Balance {
    order: Vec<usize>,
    turn: PerWorker<AtomicUsize>,
}

impl Balance {
    /// For targets with these weights.
    pub fn new(weights: &[u32], workers: usize) -> Self {
        let order = order(&scaled(weights));
        // Workers begin at different places, so that they do not all ask the same target first.
        let step = order.len() / workers.max(1) + 1;
        Self {
            order,
            turn: PerWorker::new(workers, |worker| AtomicUsize::new(worker * step)),
        }
    }

    /// The index of the next target.
    pub fn next(&self) -> usize {
        if self.order.len() <= 1 {
            return 0;
        }
        let turn = self.turn.local().fetch_add(1, Ordering::Relaxed);
        self.order.get(turn % self.order.len()).copied().unwrap_or(0)
    }
}

fn scaled(weights: &[u32]) -> Vec<i64> {
    let divisor = weights.iter().copied().map(u64::from).fold(0, gcd).max(1);
    let total: u64 = weights.iter().map(|weight| u64::from(*weight) / divisor).sum();
    let shrink = total.div_ceil(MAX_TURNS).max(1);
    weights
        .iter()
        .map(|weight| (u64::from(*weight) / divisor / shrink).max(1) as i64)
        .collect()
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Each turn goes to the target that has waited longest in proportion to its weight.
fn order(weights: &[i64]) -> Vec<usize> {
    let total: i64 = weights.iter().sum();
    let mut credit = vec![0i64; weights.len()];
    let mut order = Vec::new();
    for _ in 0..total {
        credit
            .iter_mut()
            .zip(weights)
            .for_each(|(credit, weight)| *credit += weight);
        // The first of the largest, so that the order does not depend on anything but the weights.
        let chosen = credit
            .iter()
            .enumerate()
            .rev()
            .max_by_key(|(_, credit)| **credit)
            .map_or(0, |(index, _)| index);
        if let Some(credit) = credit.get_mut(chosen) {
            *credit -= total;
        }
        order.push(chosen);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_gets_its_share_spread_evenly() {
        assert_eq!(order(&[1, 1, 1]), [0, 1, 2]);
        assert_eq!(order(&[4, 1]), [0, 0, 1, 0, 0]);
        assert_eq!(order(&scaled(&[200, 100])), [0, 1, 0]);
    }

    #[test]
    fn huge_weights_cost_no_memory_and_nobody_is_forgotten() {
        let order = order(&scaled(&[u32::MAX, 1]));
        assert!(order.len() <= MAX_TURNS as usize + 1);
        assert!(order.contains(&1));
    }
}
