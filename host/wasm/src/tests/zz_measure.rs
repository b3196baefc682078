use crate::testing::{self, exchange_with, pass};
use gatewright_config::gateway::{InstancePolicy, PluginConfig};

fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1000.0
}

#[tokio::test]
async fn cost() {
    let file = testing::guest("decides").with_file_name("bearer.wasm");
    for policy in [InstancePolicy::Fresh, InstancePolicy::Reuse(100000)] {
        let config = PluginConfig { instances: policy, ..PluginConfig::default() };
        let plugin = testing::host().load("bearer", &file, &config).await.unwrap();
        let stage = testing::stage(&plugin, |_| {}).await;
        let mut best = f64::MAX;
        let rounds: usize = std::env::var("ROUNDS").map_or(40, |r| r.parse().unwrap());
        for _ in 0..rounds {
            let began = cpu();
            for _ in 0..2000 {
                let mut exchange = exchange_with(&[("authorization", "Bearer secret"), ("accept", "text/html"), ("user-agent", "x")]);
                pass(&stage, &mut exchange).await;
            }
            best = best.min((cpu() - began) / 2000.0);
        }
        let cost = crate::measure(&plugin, 2000).await.unwrap();
        eprintln!("{policy:?}: {best:.2} us per call; instance {cost:?}");
    }
    let began = cpu();
    for _ in 0..100000 { std::hint::black_box(exchange_with(&[("authorization", "Bearer secret"), ("accept", "text/html"), ("user-agent", "x")])); }
    eprintln!("exchange {:.2} us", (cpu()-began) / 100000.0);
}
