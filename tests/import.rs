//! A slice of what `benches/fuzz_import.rs` does with a hundred thousand damaged files.
#![expect(clippy::unwrap_used, reason = "a test says best where it broke by breaking there")]

mod mutants;

use std::panic::catch_unwind;

#[test]
fn damaged_files_are_read_or_refused_and_nothing_panics() {
    let fixtures = mutants::fixtures();
    let (mut read, mut refused) = (0, 0);
    for (name, whole) in &fixtures {
        assert!(mutants::read(whole), "{name} itself must be read");
    }
    for number in 0..2000 {
        let (name, bytes) = mutants::mutant(&fixtures, 7, number);
        let Ok(whole) = catch_unwind(|| mutants::read(&bytes)) else {
            panic!("mutant {number} of seed 7, made of {name}, panics")
        };
        if whole {
            read += 1;
        } else {
            refused += 1;
        }
    }
    // Both ways must be walked, or the mutants are too tame or too wild to show anything.
    assert!(read > 200 && refused > 200, "{read} read, {refused} refused");
}
