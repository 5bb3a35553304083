//! The System view, and the line of diagnostics over every view.

use super::recording::{Kind, Machines, recording};
use super::{fold, fold_with, midway, picture, press};
use rematch::protocol::Event;
use rematch::run::RunState;
use rematch::ui::cost::Cost;
use rematch::ui::glyphs::Glyphs;
use rematch::ui::screen::Screen;
use rematch::ui::terminal::Written;
use rematch::ui::theme::Palette;

fn shows(name: &str, picture: &str) {
    insta::with_settings!({ snapshot_path => "../snapshots" }, { insta::assert_snapshot!(name, picture) });
}

const SIZES: [(u16, u16); 4] = [(60, 16), (80, 24), (120, 40), (200, 60)];

fn counted(screen: &mut Screen) {
    let written = Written { bytes: 1_268_000, frames: 4_711, biggest: 9_930, synchronized: true };
    screen.system.cost = Some(Cost { written, bytes_per_s: 812.0, frames_per_s: 3.9, frame_p50_ms: 0.31, frame_p99_ms: 1.24 });
    screen.system.max_fps = 4;
}

fn system(machines: Machines) -> (RunState, Screen) {
    let (state, mut screen) = fold(&midway(Kind::Rrm, machines));
    screen.toasts.clear();
    counted(&mut screen);
    press(&mut screen, &state, "7");
    (state, screen)
}

#[test]
fn the_system_view_at_every_tier() {
    let (state, screen) = system(Machines::Gpu);
    for (width, height) in SIZES {
        shows(&format!("system_{width}x{height}"), &picture(width, height, &state, &screen));
    }
}

#[test]
fn two_gpus_and_none() {
    let (state, screen) = system(Machines::TwoGpus);
    shows("system_two_gpus_80x24", &picture(80, 24, &state, &screen));
    shows("system_two_gpus_120x40", &picture(120, 40, &state, &screen));
    let (state, screen) = system(Machines::Cpu);
    shows("system_cpu_80x24", &picture(80, 24, &state, &screen));
    shows("system_cpu_120x40", &picture(120, 40, &state, &screen));
}

#[test]
fn each_section_in_turn_where_there_is_room_for_one() {
    let (state, mut screen) = system(Machines::Gpu);
    for name in ["host", "steps", "terminal"] {
        press(&mut screen, &state, "\t");
        shows(&format!("system_{name}_60x16"), &picture(60, 16, &state, &screen));
        if name == "steps" {
            shows("system_steps_80x24", &picture(80, 24, &state, &screen));
            press(&mut screen, &state, "m");
            assert!(picture(80, 24, &state, &screen).contains("steps of the last minute"));
        }
    }
}

#[test]
fn without_colours_and_braille_it_says_the_same() {
    let (state, mut screen) = fold_with(&midway(Kind::Rrm, Machines::TwoGpus), Palette::Mono, Glyphs::Ascii);
    screen.toasts.clear();
    counted(&mut screen);
    press(&mut screen, &state, "7D");
    shows("system_ascii_120x40", &picture(120, 40, &state, &screen));
    for _ in 0..4 {
        press(&mut screen, &state, "\t");
        for (width, height) in SIZES {
            let shown = picture(width, height, &state, &screen);
            assert!(shown.is_ascii(), "{shown}");
        }
    }
}

#[test]
fn what_is_not_known_is_left_open() {
    let (state, mut screen) = fold(&[]);
    press(&mut screen, &state, "7");
    shows("system_empty_80x24", &picture(80, 24, &state, &screen));
    // As records were before they held histograms, clocks, disks and reasons.
    let mut records = midway(Kind::Sat, Machines::Gpu);
    for record in &mut records {
        match &mut record.event {
            Event::Progress(progress) => {
                if let Some(timing) = &mut progress.timing {
                    (timing.max_ms, timing.counts) = (None, Vec::new());
                }
            }
            Event::Machine(machine) => {
                (machine.load, machine.disk, machine.no_gpu) = (None, None, None);
                for gpu in &mut machine.gpus {
                    (gpu.sm_clock_mhz, gpu.power_w, gpu.utilisation_percent) = (None, None, None);
                }
            }
            _ => {}
        }
        let text = serde_json::to_string(&record).unwrap();
        assert!(!text.contains("counts") && !text.contains("\"load\""), "what is absent costs no bytes");
        assert_eq!(serde_json::from_str::<rematch::protocol::Record>(&text).unwrap().seq, record.seq);
    }
    let (state, mut screen) = fold(&records);
    press(&mut screen, &state, "7\t\t");
    shows("system_old_record_80x24", &picture(80, 24, &state, &screen));
}

#[test]
fn eight_gpus_are_scrolled() {
    let mut records = midway(Kind::Rrm, Machines::Gpu);
    for record in &mut records {
        if let Event::Machine(machine) = &mut record.event {
            let one = machine.gpus[0].clone();
            machine.gpus = (0..16).map(|index| rematch::protocol::event::Gpu { index, ..one.clone() }).collect();
        }
    }
    let (state, mut screen) = fold(&records);
    press(&mut screen, &state, "7");
    let shown = picture(60, 16, &state, &screen);
    assert!(shown.contains("│ 0  9") || shown.contains("┃ 0  9"), "{shown}");
    press(&mut screen, &state, &"j".repeat(300));
    let shown = picture(60, 16, &state, &screen);
    assert!(shown.contains("15  9") && shown.contains(" 6  9") && !shown.contains(" 2  9"), "{shown}");
    press(&mut screen, &state, "k");
}

#[test]
fn diagnostics_stand_at_the_end_of_the_first_line() {
    let (state, mut screen) = system(Machines::Gpu);
    for view in ["1", "3", "6", "7"] {
        press(&mut screen, &state, view);
        press(&mut screen, &state, "D");
        for (width, height) in SIZES {
            let shown = picture(width, height, &state, &screen);
            assert!(shown.lines().next().unwrap().ends_with("  812 B/s   0.3 ms  3.9 fps"), "{shown}");
            assert!(shown.lines().next().unwrap().contains("RUNNING"), "{shown}");
        }
        press(&mut screen, &state, "D");
        assert!(!picture(80, 24, &state, &screen).contains("B/s  "));
    }
    let whole = recording(Kind::Rrm, Machines::Gpu, u64::MAX);
    let (state, mut screen) = fold(&whole);
    press(&mut screen, &state, "D");
    assert!(picture(80, 24, &state, &screen).contains("-- B/s"));
}
