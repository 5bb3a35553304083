//! `rematch bench`

use crate::cli::BenchStep;

#[cfg(not(feature = "torch"))]
pub fn step(_: &BenchStep) -> anyhow::Result<u8> {
    Err(super::no_torch("bench"))
}

#[cfg(feature = "torch")]
pub fn step(args: &BenchStep) -> anyhow::Result<u8> {
    use rematch::config::Network;
    use rematch::train::{bench, device, room};
    use std::io::Write;
    device::tune_allocator();
    if let Some(message) = room::use_threads(args.threads.map(usize::from))? {
        writeln!(std::io::stderr(), "rematch: {message}")?;
    }
    for net in &args.net {
        for method in &args.method {
            let network =
                Network::ALL.iter().copied().find(|n| n.name() == net).ok_or_else(|| anyhow::anyhow!("no network {net}"))?;
            let method = ["erm", "sat", "rrm"].into_iter().find(|m| m == method).unwrap_or("erm");
            let case = bench::Case { network, method, batch: args.batch as usize };
            let (rate, device) = bench::step(case, args.device, args.repeats as usize, args.seconds, args.warmup as usize)?;
            let device = device.split(' ').next().unwrap_or("cpu").to_string();
            writeln!(
                std::io::stdout(),
                "rematch {} {device} {net:17} {method:5} batch {} images/s {:10.1} ({:.1}..{:.1})",
                env!("CARGO_PKG_VERSION"),
                args.batch,
                rate.median,
                rate.min,
                rate.max
            )?;
        }
    }
    Ok(0)
}
