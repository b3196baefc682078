use crate::testing::{self, exchange_with, pass};
use gatewright_config::gateway::{InstancePolicy, PluginConfig};

fn cpu() -> f64 {
    static S: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    if std::env::var_os("WALL").is_some() {
        return S.get_or_init(std::time::Instant::now).elapsed().as_secs_f64() * 1e6;
    }
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1000.0
}

#[tokio::test]
async fn cost() {
    let file = testing::guest("decides").with_file_name("bearer.wasm");
    for policy in [InstancePolicy::Fresh, InstancePolicy::Reuse(100000)] {
        let config = PluginConfig {
            instances: policy,
            ..PluginConfig::default()
        };
        let plugin = testing::host().load("bearer", &file, &config).await.unwrap();
        let stage = testing::stage(&plugin, |_| {}).await;
        let mut best = f64::MAX;
        let rounds: usize = std::env::var("ROUNDS").map_or(40, |r| r.parse().unwrap());
        for _ in 0..rounds {
            let began = cpu();
            for _ in 0..2000 {
                let mut exchange = exchange_with(&[
                    ("authorization", "Bearer secret"),
                    ("accept", "text/html"),
                    ("user-agent", "x"),
                ]);
                pass(&stage, &mut exchange).await;
            }
            best = best.min((cpu() - began) / 2000.0);
        }
        {
            use crate::api::{Authorize, Hook, Shown, View, configure};
            use std::time::Duration;
            let mut best_hook = f64::MAX;
            let mut best_make = f64::MAX;
            let mut best_conf = f64::MAX;
            let exchange = exchange_with(&[
                ("authorization", "Bearer secret"),
                ("accept", "text/html"),
                ("user-agent", "x"),
            ]);
            for _ in 0..rounds {
                let mut instance = plugin.instance(None, 1000).await.unwrap();
                configure(&mut instance, "{}").await.unwrap().unwrap();
                let began = cpu();
                for _ in 0..2000 {
                    instance.begin(None);
                    let hook = Authorize {
                        view: View::of(&exchange),
                        shown: Shown::All,
                        needs: plugin.needs(),
                        identity: &[],
                        body: None,
                    };
                    hook.call(&mut instance, Duration::from_secs(1)).await.unwrap();
                }
                best_hook = best_hook.min((cpu() - began) / 2000.0);
                let began = cpu();
                for _ in 0..2000 {
                    drop(plugin.instance(None, 1000).await.unwrap());
                }
                best_make = best_make.min((cpu() - began) / 2000.0);
                let began = cpu();
                for _ in 0..2000 {
                    let mut i = plugin.instance(None, 1000).await.unwrap();
                    configure(&mut i, "{}").await.unwrap().unwrap();
                }
                best_conf = best_conf.min((cpu() - began) / 2000.0);
            }
            eprintln!("hook alone {best_hook:.2}, make and drop {best_make:.2}, with configure {best_conf:.2}");
        }
        let cost = crate::measure(&plugin, 2000).await.unwrap();
        eprintln!("{policy:?}: {best:.2} us per call; instance {cost:?}");
    }
    let began = cpu();
    for _ in 0..100000 {
        std::hint::black_box(exchange_with(&[
            ("authorization", "Bearer secret"),
            ("accept", "text/html"),
            ("user-agent", "x"),
        ]));
    }
    eprintln!("exchange {:.2} us", (cpu() - began) / 100000.0);
}
