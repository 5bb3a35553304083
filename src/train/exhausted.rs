//! No memory left, on a GPU or on the host: what libtorch says of it, turned into what a person can do.
//!
//! The message is libtorch's; its numbers are taken from it, because asking the device anew would ask after everything was freed.

use crate::limits;
use crate::protocol::Step;
use crate::run::advice::command;
use std::path::Path;

/// As PyTorch 2.11 says it, for trying what happens.
pub(super) const EXAMPLE: &str = "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 79.11 GiB of which 1.20 GiB is free. Process 4711 has 77.90 GiB memory in use. Of the allocated memory 76.01 GiB is allocated by PyTorch, and 1.02 GiB is reserved by PyTorch but unallocated.";

/// How libtorch, oneDNN and the C++ library say that the host has no memory left.
const HOST: [&str; 3] = ["DefaultCPUAllocator: can't allocate memory", "could not create a primitive", "std::bad_alloc"];

/// Tells whether a message is about memory.
pub fn is_meant(message: &str) -> bool {
    message.contains("out of memory") || HOST.iter().any(|words| message.contains(words))
}

/// What happened and what to do, where it is that; `newest`: the step of the checkpoint that the run can go on from.
pub fn explain(message: &str, batch: usize, run: &Path, newest: impl FnOnce() -> Option<Step>) -> Option<String> {
    if !is_meant(message) {
        return None;
    }
    let on_host = HOST.iter().any(|words| message.contains(words));
    let after = |what: &str| -> Option<String> {
        let rest = message.split_once(what)?.1;
        let words: Vec<&str> = rest.split_whitespace().take(2).collect();
        let words = words.join(" ");
        Some(words.trim_end_matches(['.', ',']).to_string())
    };
    let wanted = if on_host { after("you tried to allocate ") } else { after("Tried to allocate ") };
    let mut numbers: Vec<String> = wanted.map(|wanted| format!("{wanted} were wanted")).into_iter().collect();
    if let (Some(total), Some(free)) = (after("total capacity of "), after("of which ")) {
        numbers.push(format!("{free} of {total} were free"));
    }
    if let Some(ours) = after("allocated memory ") {
        numbers.push(format!("{ours} were this run's"));
    }
    if let Some(room) = limits::address_space().filter(|_| on_host) {
        numbers.push(format!("{}; ulimit -v unlimited raises that", room.limit));
    }
    let place = if on_host { "the host" } else { "the GPU" };
    let numbers = if numbers.is_empty() { String::new() } else { format!(" ({})", numbers.join(", ")) };
    let smaller = (batch / 2).max(1);
    let rest = match (newest(), batch) {
        (_, 1) => {
            "The batch is 1 already: a smaller network or smaller images are left to try, or fewer programs beside this one"
                .into()
        }
        (Some(step), _) => format!(
            "Go on from step {step} with a smaller batch: {}; where something else took the memory, {} goes on as it was",
            command("fork", run, &format!("--at {step} -s train.batch={smaller}")),
            command("resume", run, "")
        ),
        (None, _) => format!("Begin again with a smaller batch: -s train.batch={smaller}"),
    };
    Some(format!("out of memory on {place} with train.batch = {batch}{numbers}. {rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_named_and_a_batch_is_proposed() {
        let said = explain(EXAMPLE, 128, Path::new("runs/night"), || Some(710)).expect("it is one");
        for part in [
            "on the GPU with train.batch = 128",
            "2.50 GiB were wanted, 1.20 GiB of 79.11 GiB were free, 76.01 GiB were this run's",
            "rematch fork night --at 710 -s train.batch=64",
            "rematch resume night",
        ] {
            assert!(said.contains(part), "{said}");
        }
    }

    #[test]
    fn the_hosts_own_words_are_known_and_others_are_left_alone() {
        let host = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 274877906944 bytes. Error code 12 (Cannot allocate memory)";
        let said = explain(host, 1, Path::new("runs/x"), || None).expect("it is one");
        assert!(said.contains("on the host") && said.contains("274877906944 bytes") && said.contains("is 1 already"), "{said}");
        let terse = explain(
            "called `Result::unwrap()` on an `Err` value: Torch(\"could not create a primitive\")",
            64,
            Path::new("runs/x"),
            || None,
        );
        assert!(terse.expect("it is one").contains("out of memory on the host with train.batch = 64"));
        assert_eq!(explain("shapes do not match", 8, Path::new("runs/x"), || None), None);
    }
}
