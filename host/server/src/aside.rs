//! Work that takes a processor for longer than a worker can spare, which has others to serve.

use std::sync::LazyLock;

use gatewright_core::{Problem, ProblemKind};
use tokio::sync::Semaphore;

/// As many at once as there are processors: more would only take turns.
static PLACES: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from)));

/// Does it on another thread. Whoever drops the future leaves it to end by itself, so it has to be bounded.
///
/// # Errors
/// When it panics.
pub async fn aside<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let failed = |cause: String| Problem::new(ProblemKind::InternalError).with_cause(format!("{what}: {cause}"));
    let place = PLACES.acquire().await.map_err(|error| failed(error.to_string()))?;
    let done = tokio::task::spawn_blocking(move || (work(), place)).await;
    done.map(|(done, _)| done).map_err(|error| failed(error.to_string()))
}
